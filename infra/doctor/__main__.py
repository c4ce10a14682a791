"""`python -m infra.doctor PROJECT=… REGION=… [FIX=1] [ARGS=--json]`.

The exit code is 1 if anything is wrong, 2 for bad input, otherwise 0.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from importlib import import_module

from infra.doctor.account import BadInput, preflight
from infra.doctor.checks import LOGIN, REGISTRY, Outcome, State, examine, explained
from infra.doctor.deployment import Deployment
from infra.doctor.google import Google, LoginExpired, NotLoggedIn, Silent, Unreadable, client, gcloud_token
from infra.doctor.wanted import ROOT, read_wanted

# The checks, in the order of causes.
_MODULES = "account policies grants events functions watching store schedule teachers machine"
for _module in _MODULES.split():
    import_module(f"infra.doctor.{_module}")

PATIENCE = float(os.environ.get("DOCTOR_SECONDS", "10"))
"""Maximum seconds for one answer from Google. The whole command takes at most three times as long."""

_MARKS = {
    State.OK: "ok",
    State.WARNING: "warning",
    State.WRONG: "WRONG",
    State.COULD_NOT_CHECK: "not checked",
    State.CRASHED: "CRASHED",
}
_PLACEHOLDERS = ("YOUR_ADDRESS", "TEACHERS_ADDRESS", "BILLING_ACCOUNT")
_ADDRESS = re.compile(r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)+")


class Options:
    """The options of the command line. Raises `BadInput`.

    Args:
        arguments: Options as NAME=value.
        known: The names that are allowed.
    """

    def __init__(
        self, arguments: Sequence[str], *, known: Sequence[str] = ("PROJECT", "REGION", "FIX", "ARGS")
    ) -> None:
        given: dict[str, str] = {}
        self.as_json = False
        for argument in arguments:
            name, sign, value = argument.partition("=")
            if argument == "--json":
                self.as_json = True
            elif sign and name in given:
                raise BadInput(f"{name} is given twice. Give it once.")
            elif sign and name in known:
                given[name] = value
            else:
                raise BadInput(
                    f"Unknown option: {_shown(argument)}. Known are: {', '.join(known)} (each as NAME=value)."
                )
        for word in given.get("ARGS", "").split():
            if word != "--json":
                raise BadInput(f"Unknown argument: ARGS={_shown(word)}. Known is: ARGS=--json")
            self.as_json = True
        self.project, self.region = given.get("PROJECT", ""), given.get("REGION", "")
        self._check_place()
        if given.get("FIX", "") not in {"", "0", "1", "yes", "no"}:
            raise BadInput(f"FIX must be 1 or left out, not '{_shown(given['FIX'])}'.")
        self.fix = given.get("FIX") in {"1", "yes"}
        if self.fix and self.as_json:
            raise BadInput("FIX=1 asks, and ARGS=--json is for programs: use one of them.")

    def _check_place(self) -> None:
        if not self.project:
            raise BadInput("Name the Google Cloud project: make doctor PROJECT=my-school REGION=europe-west1")
        if self.project.isdecimal():
            raise BadInput(
                f"PROJECT must be the id of a project such as my-school, not its number '{_shown(self.project)}'. "
                "The list of both: gcloud projects list"
            )
        if not re.fullmatch(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", self.project):
            raise BadInput(f"PROJECT must be the id of a project such as my-school, not '{_shown(self.project)}'.")
        if not self.region:
            raise BadInput(f"Name the region: make doctor PROJECT={self.project} REGION=europe-west1")
        if not re.fullmatch(r"[a-z]+-[a-z]+[0-9]+", self.region):
            raise BadInput(f"REGION must be a region such as europe-west1, not '{_shown(self.region)}'.")


def _shown(typed: str) -> str:
    """A text that the user typed, on one line and not too long."""
    return textwrap.shorten("".join(letter if letter.isprintable() else " " for letter in typed), 120, placeholder="…")


async def diagnose(options: Options, *, patience: float = PATIENCE) -> list[Outcome]:
    """The outcome of every check. Raises `BadInput`."""
    try:
        token = await gcloud_token(patience)
    except NotLoggedIn as error:
        return explained(REGISTRY, LOGIN, str(error), "gcloud auth login")
    async with client(token) as http:
        google = Google(http, options.project, patience=patience)
        deployment = Deployment(google, read_wanted(), project=options.project, region=options.region)
        try:
            await preflight(deployment)
        except LoginExpired as error:
            return explained(REGISTRY, LOGIN, str(error), "gcloud auth login")
        except Silent as error:
            return explained(REGISTRY, LOGIN, f"{error} in time", f"make doctor {deployment.options}")
        except Unreadable:
            pass  # each check reports this for the part that it reads
        return await examine(deployment, REGISTRY, patience=2 * patience)


def without_people(text: str) -> str:
    """The text without the addresses of people. Addresses of service accounts stay."""
    return _ADDRESS.sub(lambda match: match[0] if match[0].endswith(".gserviceaccount.com") else "(an address)", text)


def as_json(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as JSON, for a program."""
    checks = [
        {
            "area": one.area,
            "name": one.name,
            "state": one.state.value,
            "detail": without_people(one.detail),
            "command": without_people(one.command) if one.command else None,
            "because": one.because,
        }
        for one in outcomes
    ]
    return json.dumps({"ok": exit_code(outcomes) == 0, "checks": checks}, indent=2, ensure_ascii=False)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """1 if something is wrong or a check crashed, otherwise 0."""
    return int(any(one.state in {State.WRONG, State.CRASHED} for one in outcomes))


def as_text(outcomes: Sequence[Outcome], options: Options) -> str:
    """The outcomes for a person: a line for each check, and details if something is not well."""
    areas, names = (max(map(len, words)) for words in zip(*((one.area, one.name) for one in outcomes), strict=True))
    lines = [f"Meet Attendance in {options.project}, {options.region}"]
    area = ""
    for one in outcomes:
        said = f"because of: {one.because}" if one.because else one.detail if one.state is State.OK else ""
        shown = "" if one.area == area else one.area
        area = one.area
        lines.append(f"{shown:<{areas}}  {_MARKS[one.state]:<11}  {one.name:<{names}}  {said}".rstrip())
        if one.state is not State.OK and not one.because:
            indent = " " * (areas + 4)
            lines += textwrap.wrap(
                one.detail, 118, initial_indent=indent, subsequent_indent=indent,
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
            if one.command:
                lines.append(f"{indent}> {one.command}")
    well = sum(one.state is State.OK for one in outcomes)
    lines += [f"{well} of {len(outcomes)} checks passed." + _end(outcomes)]
    return without_people("\n".join(lines))


def _end(outcomes: Sequence[Outcome]) -> str:
    if exit_code(outcomes):
        return " Begin with the first that failed: it may explain others. FIX=1 runs the commands after a yes."
    return " Nothing is wrong." if any(one.state is State.WARNING for one in outcomes) else ""


def fix(outcomes: Sequence[Outcome], ask: Callable[[str], str]) -> bool:
    """Run the commands of all checks that are not well: each once, and only after the user says yes.

    Returns:
        Whether any command was run.
    """
    ran = False
    commands = dict.fromkeys(one.command for one in outcomes if one.command and one.state is not State.OK)
    for command in commands:
        if any(word in command for word in _PLACEHOLDERS) or command.startswith("make doctor"):
            continue
        try:
            answer = ask(f"\nRun: {command}\n[y/N] ")
        except EOFError:
            return ran
        if answer.strip().lower() in {"y", "yes"}:
            ran = True
            sys.stdout.flush()
            done = subprocess.run(["bash", "-c", command], cwd=ROOT, check=False)  # noqa: S603, S607 - the user has seen it
            if done.returncode:
                sys.stdout.write(f"It ended with {done.returncode}.\n")
                return ran
    return ran


def main(arguments: Sequence[str]) -> int:
    """Run the command, as the module describes; returns the exit code."""
    try:
        options = Options(arguments)
        outcomes = asyncio.run(diagnose(options))
        sys.stdout.write((as_json(outcomes) if options.as_json else as_text(outcomes, options)) + "\n")
        if options.fix and fix(outcomes, input):
            outcomes = asyncio.run(diagnose(options))
            sys.stdout.write("\n" + as_text(outcomes, options) + "\n")
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return exit_code(outcomes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

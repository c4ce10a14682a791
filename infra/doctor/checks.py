"""Defines what a check is, runs all checks at once, and finds which failure explains which.

A check looks at one thing and reports issues. Each cause is shown once: if another check's failure explains an issue,
the issue only names that check. In a chain of such issues, only the first is shown with its details. If a check
crashes, the other checks continue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from infra.doctor.deployment import Deployment
from infra.doctor.google import ApiOff, Denied, Unreadable
from infra.doctor.grantable import command_for


class State(StrEnum):
    """The result of a check in one word."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    COULD_NOT_CHECK = "could-not-check"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Issue:
    """A problem that a check found.

    Attributes:
        state: How bad it is.
        text: What it is.
        command: What fixes it.
        because: The check whose failure explains it.
        like: A text that issues of several checks share if they have the same cause. Only the first of them is shown.
    """

    state: State
    text: str
    command: str | None = None
    because: str | None = None
    like: str | None = None


@dataclass
class Report:
    """The facts and issues that a check reports."""

    facts: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)

    def fact(self, text: str) -> None:
        """Add a fact that is shown if all is well."""
        self.facts.append(text)

    def wrong(self, text: str, command: str | None, *, because: str | None = None) -> None:
        """Add an issue because of which attendance may be wrong or incomplete, or people's data may not be safe."""
        self.issues.append(Issue(State.WRONG, text, command, because))

    def warning(self, text: str, command: str | None, *, because: str | None = None) -> None:
        """Add an issue about which a person decides."""
        self.issues.append(Issue(State.WARNING, text, command, because))


Look = Callable[[Deployment, Report], Awaitable[None]]


@dataclass(frozen=True)
class Check:
    """A check of one thing.

    Attributes:
        area: The group in which it is shown.
        name: What it looks at; no other check has this name.
        needs: Checks whose failure explains the failure of this one.
        look: The function that makes the check and reports what it finds.
    """

    area: str
    name: str
    needs: Sequence[str]
    look: Look


@dataclass(frozen=True)
class Outcome:
    """The result of a check, as text and JSON show it."""

    area: str
    name: str
    state: State
    detail: str
    command: str | None
    because: str | None


REGISTRY: list[Check] = []
"""All checks in the order of causes. The modules of the areas add their checks when they are imported."""


def check(area: str, name: str, *, needs: Sequence[str] = ()) -> Callable[[Look], Look]:
    """Make a function a check, and add it to `REGISTRY`."""

    def keep(look: Look) -> Look:
        REGISTRY.append(Check(area, name, needs, look))
        return look

    return keep


async def examine(deployment: Deployment, checks: Iterable[Check], *, patience: float) -> list[Outcome]:
    """Run all checks at the same time, and return their outcomes in the order of causes.

    Args:
        deployment: The deployment that is checked.
        checks: The checks.
        patience: Seconds after which unfinished checks are stopped.
    """
    ordered = list(checks)
    tasks = {one.name: asyncio.create_task(_look(one, deployment)) for one in ordered}
    if tasks:
        await asyncio.wait(tasks.values(), timeout=patience)
    found: dict[str, list[Issue] | Report] = {}
    for name, task in tasks.items():
        if task.done():
            found[name] = task.result()
        else:
            task.cancel()
            found[name] = [
                Issue(State.COULD_NOT_CHECK, f"no answer within {patience:g} s", _again(deployment), like="no answer")
            ]
    outcomes: dict[str, Outcome] = {}
    said: dict[str, str] = {}
    for one in ordered:
        outcomes[one.name] = _outcome(one, found[one.name], outcomes, said)
    return list(outcomes.values())


def explained(checks: Iterable[Check], by: str, text: str, command: str) -> list[Outcome]:
    """The outcomes if nothing can be checked: the check `by` explains why, and all others refer to it."""
    return [
        Outcome(one.area, one.name, State.WRONG, text, command, None)
        if one.name == by
        else Outcome(one.area, one.name, State.COULD_NOT_CHECK, "", None, by)
        for one in checks
    ]


def _again(deployment: Deployment) -> str:
    return f"make doctor {deployment.options}"


async def _look(one: Check, deployment: Deployment) -> Report | list[Issue]:
    report = Report()
    try:
        await one.look(deployment, report)
    except Unreadable as unreadable:
        cause = YOU if isinstance(unreadable, Denied) else APIS if isinstance(unreadable, ApiOff) else None
        command = _again(deployment)
        if isinstance(unreadable, Denied):
            command = command_for(unreadable.permission, deployment)
        elif isinstance(unreadable, ApiOff):
            command = deployment.deploy
        issue = Issue(State.COULD_NOT_CHECK, str(unreadable), command, cause, like=str(unreadable))
        return [*report.issues, issue]
    except Exception as error:  # noqa: BLE001 - the results of the other checks are useful after any error
        where = error.__traceback__
        while where and where.tb_next:
            where = where.tb_next
        at = f"{where.tb_frame.f_code.co_name}, line {where.tb_lineno}" if where else "?"
        text = f"this check has a bug ({type(error).__name__} in {at}); report it with this output"
        return [Issue(State.CRASHED, text)]
    return report


LOGIN = "login"
YOU = "what you may do"
APIS = "APIs"

_ORDER = (State.WRONG, State.CRASHED, State.COULD_NOT_CHECK, State.WARNING)


def _outcome(one: Check, found: Report | list[Issue], before: dict[str, Outcome], said: dict[str, str]) -> Outcome:
    """The result of a check, given the results of earlier ones.

    Args:
        one: The check.
        found: What it reports.
        before: The results of the earlier checks.
        said: For each text that issues share (`Issue.like`), the first check that reported it.
    """
    issues = found.issues if isinstance(found, Report) else found
    if not issues:
        facts = found.facts if isinstance(found, Report) else []
        return Outcome(one.area, one.name, State.OK, "; ".join(facts), None, None)
    causes = [_cause(issue, before, said) for issue in issues]
    own = [issue for issue, cause in zip(issues, causes, strict=True) if cause is None]
    cause = next((name for name in one.needs if _stops(name, before)), None)
    if own and cause is None:
        for issue in own:
            if issue.like:
                said.setdefault(issue.like, one.name)
        state = min((issue.state for issue in own), key=_ORDER.index)
        command = next((issue.command for issue in own if issue.state is state and issue.command), None)
        return Outcome(one.area, one.name, state, _joined(issue.text for issue in own), command, None)
    cause = cause or next(filter(None, causes))
    root = before[cause].because or cause
    texts = [issue.text for issue in issues if issue.state is State.COULD_NOT_CHECK]
    return Outcome(one.area, one.name, State.COULD_NOT_CHECK, _joined(texts), None, root)


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _cause(issue: Issue, before: dict[str, Outcome], said: dict[str, str]) -> str | None:
    """The earlier check that explains an issue; None if there is no such check."""
    if issue.because and issue.because in before and before[issue.because].state is not State.OK:
        return issue.because
    return said.get(issue.like) if issue.like else None


def _stops(name: str, before: dict[str, Outcome]) -> bool:
    """Whether the failure of a check explains the failures of checks that need it.

    This is so if it is wrong itself, or if a check that is wrong explains it. A warning never explains another failure.
    A check that could not be made does not explain one either.
    """
    if name not in before:
        return False
    return before[before[name].because or name].state is State.WRONG

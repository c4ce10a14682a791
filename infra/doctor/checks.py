"""What a check is; all checks at once, and which failure explains which.

A check looks at one thing and reports issues. One cause shows once: an issue that another check's failure explains
names that check, and only the first of such a chain is said in full. A check that crashes ends nothing.
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
    """What a check found."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    COULD_NOT_CHECK = "could-not-check"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Issue:
    """Something that is not well.

    Attributes:
        state: How bad it is.
        text: What it is.
        command: What fixes it.
        because: The check whose failure explains it.
        like: What it has in common with issues of other checks, of which only the first is said.
    """

    state: State
    text: str
    command: str | None = None
    because: str | None = None
    like: str | None = None


@dataclass
class Report:
    """What a check finds."""

    facts: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)

    def fact(self, text: str) -> None:
        """Something worth a word where all is well."""
        self.facts.append(text)

    def wrong(self, text: str, command: str | None, *, because: str | None = None) -> None:
        """Something that keeps attendance from being right or complete, or people from being safe."""
        self.issues.append(Issue(State.WRONG, text, command, because))

    def warning(self, text: str, command: str | None, *, because: str | None = None) -> None:
        """Something that a person decides about."""
        self.issues.append(Issue(State.WARNING, text, command, because))


Look = Callable[[Deployment, Report], Awaitable[None]]


@dataclass(frozen=True)
class Check:
    """One thing that is looked at.

    Attributes:
        area: Where in the order of causes.
        name: What is looked at; no other check has this name.
        needs: Checks whose failure explains this one's.
        look: Looks.
    """

    area: str
    name: str
    needs: Sequence[str]
    look: Look


@dataclass(frozen=True)
class Outcome:
    """The result of a check, as it is printed and as JSON names it."""

    area: str
    name: str
    state: State
    detail: str
    command: str | None
    because: str | None


REGISTRY: list[Check] = []
"""Every check in the order of causes; the modules of the areas add theirs when they are imported."""


def check(area: str, name: str, *, needs: Sequence[str] = ()) -> Callable[[Look], Look]:
    """The function looks at one thing."""

    def keep(look: Look) -> Look:
        REGISTRY.append(Check(area, name, needs, look))
        return look

    return keep


async def examine(deployment: Deployment, checks: Iterable[Check], *, patience: float) -> list[Outcome]:
    """Make all checks at the same time, and bring their outcomes into the order of causes.

    Args:
        deployment: What is looked at.
        checks: The checks.
        patience: Seconds after which what has not been found out is given up.
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
    """The outcomes where nothing can be looked at at all, which one check explains."""
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
        said: Which of them said first what issues have in common.
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
    """The earlier check that explains an issue."""
    if issue.because and issue.because in before and before[issue.because].state is not State.OK:
        return issue.because
    return said.get(issue.like) if issue.like else None


def _stops(name: str, before: dict[str, Outcome]) -> bool:
    """Whether what depends on a check cannot be well: it is wrong, or is explained by one that is.

    A warning stops nothing, and what could not be looked at explains nothing.
    """
    if name not in before:
        return False
    return before[before[name].because or name].state is State.WRONG

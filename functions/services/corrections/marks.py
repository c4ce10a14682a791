"""Marks set by hand; they replace the marks by the rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from functions.domain.classes import roster
from functions.domain.classes.roster import Decision, Mark, RosterEntry
from functions.domain.classes.sessions import ClassSession
from functions.domain.errors import AttendeeNotFound, FieldError, InvalidRequest, NotFound
from functions.domain.marking.people import attendee_id as attendee_id_of
from functions.ports.store import Work
from functions.services.corrections.decisions import DecidedBy, DecisionEffect, carry_out, students_by_id
from functions.services.deps import Deps
from functions.services.sync.marking import compute


@dataclass(frozen=True, slots=True)
class WantedMark:
    """A requested mark for a student; the student is named in one of three ways."""

    status: str
    reason: str | None = None
    student_id: str | None = None
    email: str | None = None
    attendee_id: str | None = None


async def set_overrides(
    session_id: str, overrides: Sequence[WantedMark], *, who: DecidedBy, deps: Deps
) -> tuple[str, ...]:
    """Set marks by hand, all or none of them; possible as soon as the class is scheduled.

    Returns:
        The attendee id of each.

    Raises:
        InvalidRequest: Somebody is not on the roster, or is named twice.
        AttendeeNotFound: Somebody is named by an id that nobody in the class meeting has.
        NotFound, PreconditionFailed: Nothing was changed.
    """

    async def change(work: Work, session: ClassSession, decision: Decision) -> DecisionEffect:
        stored = await work.corrections(session_id)
        targets = await _targets(work, session, overrides, deps)
        done = False
        for override, entry in zip(overrides, targets, strict=True):
            attendee_id = attendee_id_of(session_id, entry.key)
            wanted = roster.Override(
                attendee_id, entry.student_id, entry.email, Mark(override.status), override.reason, decision
            )
            before = [o for o in stored if isinstance(o, roster.Override) and o.concerns(entry, attendee_id)]
            if any(_same(wanted, other) for other in before):
                continue
            for other in before:
                work.drop_correction(session_id, other)
            work.put_correction(session_id, wanted)
            done = True
        ids = tuple(attendee_id_of(session_id, entry.key) for entry in targets)
        return DecisionEffect(session, references={"overrides": str(len(ids))} if done else None, result=ids)

    return (await carry_out(session_id, change, what="override.set", who=who, deps=deps)).result


async def remove_override(session_id: str, attendee_id: str, *, who: DecidedBy, deps: Deps) -> None:
    """Remove a mark set by hand; the mark by the rules counts again.

    Raises:
        NotFound: The class meeting does not exist, or no mark was set by hand for this person.
    """

    async def change(work: Work, session: ClassSession, _: Decision) -> DecisionEffect:
        entry = (await students_by_id(work, session, deps=deps)).get(attendee_id)
        found = [
            correction
            for correction in await work.corrections(session_id)
            if isinstance(correction, roster.Override) and correction.concerns(entry, attendee_id)
        ]
        if not found:
            raise NotFound("No mark was set by hand for this person.")
        for correction in found:
            work.drop_correction(session_id, correction)
        return DecisionEffect(session, references={"attendee_id": attendee_id})

    await carry_out(session_id, change, what="override.removed", who=who, deps=deps)


async def _targets(work: Work, session: ClassSession, overrides: Sequence[WantedMark], deps: Deps) -> list[RosterEntry]:
    """The student that each override is about.

    Raises:
        AttendeeNotFound: Somebody is named by an id that nobody in the class meeting has.
        InvalidRequest: Somebody is not on the roster, or is named twice; the error names the place of each.
    """
    students = await students_by_id(work, session, deps=deps)
    targets: list[RosterEntry] = []
    problems: list[FieldError] = []
    await _require_known(work, session, overrides, students, deps)
    for number, override in enumerate(overrides):
        found = students.get(override.attendee_id) if override.attendee_id else None
        if override.attendee_id is None:
            named = (
                e for e in students.values() if e.is_named_by(student_id=override.student_id, email=override.email)
            )
            found = next(named, None)
        if found is None:
            problems.append(FieldError(f"overrides.{number}", "names nobody on this class meeting's roster"))
        elif found in targets:
            problems.append(FieldError(f"overrides.{number}", "names a student who already has a mark in this request"))
        else:
            targets.append(found)
    if problems:
        raise InvalidRequest(
            "Only students on the roster have marks.",
            errors=problems,
            hint="Put the student on the roster, or assign the guest to a student first.",
        )
    return targets


async def _require_known(
    work: Work,
    session: ClassSession,
    overrides: Sequence[WantedMark],
    students: Mapping[str, RosterEntry],
    deps: Deps,
) -> None:
    """Refuse ids that nobody in the class meeting has, neither as a student nor as somebody who came."""
    named = {number: o.attendee_id for number, o in enumerate(overrides) if o.attendee_id}
    if not set(named.values()) <= students.keys():
        sheet = await compute(work, session.session_id, rules=deps.rules, now=deps.clock())
        known = {*students, *(person.attendee_id for person in (sheet.attendance if sheet else ()))}
        unknown = [number for number, attendee_id in named.items() if attendee_id not in known]
        if unknown:
            reason = "does not belong to anybody in this class meeting"
            raise AttendeeNotFound(
                "Nobody in this class meeting has this attendee_id.",
                errors=[FieldError(f"overrides.{number}.attendee_id", reason) for number in unknown],
            )


def _same(one: roster.Override, other: roster.Override) -> bool:
    """Whether two overrides are the same except for the time at which they were made."""
    return dataclasses.replace(one, decision=other.decision) == other and one.decision.by == other.decision.by

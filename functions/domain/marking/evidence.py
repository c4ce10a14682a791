"""What a class meeting's attendance is made of, and what follows from it at once: times, and who is who."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from functions.domain.classes.roster import Correction, RosterEntry
from functions.domain.classes.sessions import (
    ClassSession,
    Person,
)
from functions.domain.conferences.model import Conference
from functions.domain.conferences.syncing import end_of, is_over
from functions.domain.intervals import Interval
from functions.domain.marking.who import (
    Who,
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a class meeting's attendance is made of.

    Attributes:
        conferences: Those that belong to it and are stored, in order of time.
        missing: Records that belong to it and are not stored: Meet named them, nobody has read them.
        unread_from: When the first of its records began that could not be read; None if that is not known.
        people: What is known of accounts: of those who were there, and of those who have an address of the roster.
        corrections: What people decided.
        now: The time of the computation.
        settle: How long after its end a conference may still change.
        room_names: Shell patterns of room devices' names.
        identities_in_use: Whether accounts are looked up, so that one without an answer will have one.
        stood_in_for: Records that could not be read, for which reports show the same call.
    """

    conferences: Sequence[Conference]
    people: Mapping[str, Person]
    now: datetime
    settle: timedelta
    corrections: Sequence[Correction] = ()
    missing: Sequence[str] = ()
    unread_from: datetime | None = None
    room_names: tuple[str, ...] = field(default=())
    identities_in_use: bool = False
    stood_in_for: frozenset[str] = frozenset()


def conference_time(conference: Conference) -> Interval | None:
    """From when to when a conference was, as far as is known; None before the first read."""
    if conference.snapshot is None:
        return None
    return Interval(conference.snapshot.record.start_time, end_of(conference.snapshot, conference.sync))


def people_left_at(session: ClassSession, conferences: Iterable[Conference]) -> datetime | None:
    """When the people of a class meeting were last there; who they were then, only a later answer tells.

    That is the earlier of its scheduled end and the end of its last call; None while an unscheduled one goes on.
    """
    scheduled = session.plan.scheduled
    calls = [(c.snapshot, c.sync) for c in conferences if c.snapshot]
    if not calls or not all(is_over(snapshot, sync) for snapshot, sync in calls):
        return scheduled.end if scheduled else None
    last = max(end_of(snapshot, sync) for snapshot, sync in calls)
    return min(scheduled.end, last) if scheduled else last


def who_is_who(session: ClassSession, evidence: Evidence) -> Who:
    """What tells who is who in a class meeting, people's own assignments aside."""
    return Who(
        teachers=frozenset(session.plan.teachers),
        organizer_teaches=session.plan.scheduled is None,
        roster=session.plan.roster,
        people=evidence.people,
        room_names=evidence.room_names,
        ended_at=people_left_at(session, evidence.conferences),
        named_at=session.plan.named_at,
        named_before=dict(session.plan.named_before),
    )


def students_of(
    session: ClassSession, conferences: Iterable[Conference], people: Mapping[str, Person]
) -> tuple[RosterEntry, ...]:
    """The expected students of a class meeting, without teachers, whatever address the roster has for them.

    Args:
        session: The class meeting.
        conferences: What belongs to it.
        people: What is known of the accounts that were there, and of those that have an address of the class.
    """
    return Who(
        teachers=frozenset(session.plan.teachers),
        organizer_teaches=session.plan.scheduled is None,
        roster=session.plan.roster,
        people=people,
        ended_at=people_left_at(session, conferences),
        named_at=session.plan.named_at,
        named_before=dict(session.plan.named_before),
    ).students()


def attached_records(session: ClassSession) -> frozenset[str]:
    """The conference records that people made part of a class meeting."""
    return frozenset(record.conference_record for record in session.plan.attached)

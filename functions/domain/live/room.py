"""Who of a class is in the room now, and who of its students is not. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.domain.classes.sessions import Attendance, ClassSession, Role
from functions.domain.conferences.model import Conference, Kind
from functions.domain.intervals import Interval
from functions.domain.marking.evidence import Evidence, who_is_who
from functions.domain.marking.people import attendance_of, people_of, presences_of

_INSTANT = timedelta(microseconds=1)
"""The end of a time does not belong to it."""


@dataclass(frozen=True, slots=True)
class Occupant:
    """Somebody who is in the room; `joined_at` is the beginning of the present stay."""

    attendee_id: str
    kind: Kind
    role: Role
    joined_at: datetime
    display_name: str
    email: str | None
    student_id: str | None


@dataclass(frozen=True, slots=True)
class Absentee:
    """A student of the roster who is not in the room; `left_at` is None for a student who has not come yet."""

    attendee_id: str
    display_name: str
    email: str | None
    student_id: str | None
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class RoomNow:
    """A class's room at a moment.

    Attributes:
        as_of: When this was computed from everything known.
        participants: Everybody in it, by when they joined.
        missing: Students of the roster who are not in it, by name.
    """

    as_of: datetime
    participants: tuple[Occupant, ...] = ()
    missing: tuple[Absentee, ...] = ()


def room_now(session: ClassSession, evidence: Evidence) -> RoomNow:
    """Who is in the room of a class meeting, and who is missing.

    Args:
        session: The class meeting.
        evidence: What is known; its conferences are the calls that go on.
    """
    calls = [conference for conference in evidence.conferences if conference.snapshot]
    who = who_is_who(session, evidence)
    people = people_of(session, calls, who)
    whole = _whole_time(calls, evidence.now)
    times = {call.conference_record: (whole, whole) for call in calls}
    presences = {key: presences_of(matches, times) for key, matches in people.items()}
    found = attendance_of(session, people, presences, who=who, hearing=None, corrections=evidence.corrections)
    present = [shown for person in found if (shown := _present(person))]
    here = {shown.attendee_id for shown in present}
    return RoomNow(
        evidence.now,
        tuple(sorted(present, key=lambda shown: (shown.joined_at, shown.attendee_id))),
        _missing(found, here),
    )


def _whole_time(calls: Sequence[Conference], now: datetime) -> Interval:
    """A time that contains every moment of the calls, whatever clock measured it."""
    moments = [now]
    for call in calls:
        for participant in call.snapshot.participants if call.snapshot else ():
            moments += [moment for s in participant.sessions for moment in (s.start_time, s.end_time) if moment]
    return Interval(min(moments), max(moments) + _INSTANT)


def _present(person: Attendance) -> Occupant | None:
    stay = [presence.interval for presence in person.presences if presence.open]
    if not stay:
        return None
    return Occupant(
        attendee_id=person.attendee_id,
        kind=person.kind,
        role=person.role,
        joined_at=min(interval.start for interval in stay),
        display_name=person.display_name,
        email=person.email,
        student_id=person.entry.student_id if person.entry else None,
    )


def _missing(found: Sequence[Attendance], here: set[str]) -> tuple[Absentee, ...]:
    missing = [
        Absentee(
            attendee_id=person.attendee_id,
            display_name=person.display_name,
            email=person.email,
            student_id=person.entry.student_id,
            left_at=max((presence.interval.end for presence in person.presences), default=None),
        )
        for person in found
        if person.entry and person.role is Role.STUDENT and person.attendee_id not in here
    ]
    return tuple(sorted(missing, key=lambda one: (one.display_name.casefold(), one.email or "", one.attendee_id)))

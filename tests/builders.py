"""Short names for the nouns, so that a test reads like a timetable."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from functions.domain.classes.policy import Policy
from functions.domain.classes.roster import Assignment, Correction, Decision, Mark, Override, RoomDevice, RosterEntry
from functions.domain.classes.sessions import (
    AttachedRecord,
    Attendance,
    AttendanceSheet,
    ClassSession,
    Person,
    Plan,
    Progress,
    SessionState,
)
from functions.domain.conferences.model import (
    AnonymousUser,
    Conference,
    ConferenceRecord,
    Identity,
    IdentitySource,
    Organizer,
    Participant,
    ParticipantSession,
    Reading,
    SignedInUser,
    Snapshot,
    Space,
    Sync,
    SyncSource,
    SyncState,
    User,
)
from functions.domain.intervals import Interval
from functions.domain.marking.attendance import sheet
from functions.domain.marking.evidence import Evidence

RECORD = "conferenceRecords/abc"
TEACHER = "users/1"
NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
SETTLE = timedelta(minutes=10)
SECOND = 1 / 60
"""One second, in minutes."""
TICK = SECOND / 1_000_000
"""One microsecond, in minutes: the shortest possible time."""


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks run until a condition is true; TimeoutError if it never becomes true."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what it waits for happens in other threads and processes too
            await asyncio.sleep(0.01)


def at(minutes: float) -> datetime:
    """Return the moment this many minutes after nine."""
    return NINE + timedelta(minutes=minutes)


def minutes_at(moment: datetime) -> float:
    """Return how many minutes after nine a moment is."""
    return (moment - NINE) / timedelta(minutes=1)


def during(start: float, end: float) -> Interval:
    """Return an interval between two times, each in minutes after nine."""
    return Interval(at(start), at(end))


def student(number: int, name: str = "Ada") -> SignedInUser:
    return SignedInUser(f"users/{number}", name)


def guest(name: str = "someone") -> AnonymousUser:
    return AnonymousUser(name)


def participant(
    user: User, *visits: tuple[float, float | None], name: str | None = None, record: str = RECORD
) -> Participant:
    """Return a person with visits in minutes after nine; None is an end that Meet does not know."""
    resource = f"{record}/participants/{name or getattr(user, 'user', user.display_name).replace('/', '-')}"
    sessions = tuple(
        ParticipantSession(
            name=f"{resource}/participantSessions/{number}",
            start_time=at(start),
            end_time=None if end is None else at(end),
        )
        for number, (start, end) in enumerate(sorted(visits, key=lambda visit: visit[0]))
    )
    ends = [session.end_time for session in sessions]
    return Participant(
        name=resource,
        user=user,
        earliest_start_time=min((session.start_time for session in sessions), default=None),
        latest_end_time=max((end for end in ends if end), default=None) if all(ends) else None,
        sessions=sessions,
    )


def snapshot(*people: Participant, start: float = 0, end: float | None = 60, name: str = RECORD) -> Snapshot:
    return Snapshot(
        record=ConferenceRecord(
            name=name,
            space="spaces/room",
            start_time=at(start),
            end_time=None if end is None else at(end),
            expire_time=None,
        ),
        space=Space("spaces/room", "abc-mnop-xyz", "https://meet.google.com/abc-mnop-xyz"),
        participants=tuple(sorted(people, key=lambda person: person.name)),
    )


def reading(*people: Participant, pulled: float = 61, end: float | None = 60, calls: int = 5) -> Reading:
    return Reading(snapshot(*people, end=end), pulled_at=at(pulled), meet_calls=calls)


def conference(
    said: Snapshot, *, state: SyncState = SyncState.COMPLETE, pulled: float = 61, ended_event: float | None = None
) -> Conference:
    return Conference(
        conference_record=said.record.name,
        organizer=Organizer(user=TEACHER),
        snapshot=said,
        session_ids=(said.record.name.removeprefix("conferenceRecords/"),),
        sync=Sync(
            state=state,
            source=SyncSource.EVENT,
            pulled_at=at(pulled),
            first_pulled_at=at(pulled),
            ended_event_at=None if ended_event is None else at(ended_event),
            attempts=1,
            meet_calls=5,
        ),
    )


# --- Scheduled classes ----------------------------------------------------------------------------------------

TEACHING = SignedInUser(TEACHER, "Ms T.")
CO_TEACHING = SignedInUser("users/9", "Mr C.")
ADA, BOB, CAT = SignedInUser("users/2", "Ada"), SignedInUser("users/3", "Bob"), SignedInUser("users/4", "Cat")
EMAILS = {
    TEACHER: "teacher@school.example",
    "users/9": "co-teacher@school.example",
    "users/2": "ada@school.example",
    "users/3": "bob@school.example",
    "users/4": "cat@school.example",
}


def known(user: str, email: str, *aliases: str, source: IdentitySource = IdentitySource.DIRECTORY) -> Person:
    """Return a Google account whose addresses come from the Directory."""
    return Person(user, Identity(user, email, tuple(sorted(aliases)), None, source), resolved_at=at(0))


def nobody(user: str) -> Person:
    """Return a Google account that neither the Directory nor the People API knows."""
    return Person(user, unknown=True, resolved_at=at(0))


EVERYBODY = {user: known(user, email) for user, email in EMAILS.items()}


def expected(*users: SignedInUser) -> tuple[RosterEntry, ...]:
    """Return a roster that names students by e-mail address."""
    return tuple(RosterEntry(email=EMAILS[user.user]) for user in users)


def lesson(
    *,
    start: float = 0,
    end: float = 60,
    roster: Iterable[RosterEntry] = (),
    teachers: tuple[str, ...] = (EMAILS[TEACHER],),
    session_id: str = "maths",
    owned: Interval | None = None,
    time_zone: str = "UTC",
    attached: Iterable[str] = (),
    listed: float | None = 70,
    cancelled: bool = False,
    policy: Mapping[str, object] | None = None,
) -> ClassSession:
    """Return a class from nine to ten, alone in its room; Meet listed its records when all were final."""
    listed_at = None if listed is None else at(listed)
    return ClassSession(
        session_id=session_id,
        space=Space("spaces/room", "abc-mnop-xyz", None),
        time_zone=time_zone,
        state=SessionState.SCHEDULED,
        owned=owned or during(start - 120, end + 120),
        plan=Plan(
            scheduled=during(start, end),
            cancelled=cancelled,
            teachers=teachers,
            roster=tuple(roster),
            policy=Policy().changed(policy or {}),
            attached=tuple(AttachedRecord(f"conferenceRecords/{name}", "office", NINE) for name in attached),
        ),
        progress=Progress(listed_at=listed_at, tried_at=listed_at),
    )


def call(
    *who: Participant | tuple[User, *tuple[tuple[float, float | None], ...]],
    start: float = 0,
    end: float | None = 60,
    name: str = "abc",
    state: SyncState = SyncState.COMPLETE,
    organizer: Organizer | None = None,
    ended_event: float | None = None,
    pulled: float = 61,
) -> Conference:
    """Return a stored conference with people's visits: `call((ADA, (0, 20), (30, 60)))`."""
    record = f"conferenceRecords/{name}"
    people = [one if isinstance(one, Participant) else participant(one[0], *one[1:], record=record) for one in who]
    said = snapshot(*people, start=start, end=end, name=record)
    stored = conference(said, state=state, pulled=pulled, ended_event=ended_event)
    return dataclasses.replace(stored, organizer=organizer) if organizer else stored


def unread_call(name: str = "abc", state: SyncState = SyncState.FAILED) -> Conference:
    """Return a conference that could never be read."""
    read = call(name=name, state=state)
    return dataclasses.replace(
        read, snapshot=None, sync=dataclasses.replace(read.sync, pulled_at=None, first_pulled_at=None)
    )


def sheet_of(
    session: ClassSession,
    *conferences: Conference,
    now: float = 71,
    people: Mapping[str, Person] = EVERYBODY,
    corrections: Sequence[Correction] = (),
    missing: Sequence[str] = (),
    unread_from: float | None = None,
    room_names: tuple[str, ...] = (),
) -> AttendanceSheet:
    """Return a class meeting with its attendance, by default computed at 10:11."""
    evidence = Evidence(
        conferences=conferences,
        people=people,
        now=at(now),
        settle=SETTLE,
        corrections=corrections,
        missing=missing,
        unread_from=None if unread_from is None else at(unread_from),
        room_names=room_names,
    )
    return sheet(session, evidence)


def of(attendance: AttendanceSheet, who: SignedInUser | str) -> Attendance:
    """Return the attendance of an account, an address, a student id or a name; there must be exactly one."""
    wanted = who.user if isinstance(who, SignedInUser) else who
    names = {wanted, EMAILS.get(wanted, wanted)}

    def is_it(one: Attendance) -> bool:
        return not names.isdisjoint({one.user, one.email, one.entry and one.entry.student_id, one.display_name})

    (found,) = [one for one in attendance.attendance if is_it(one)]
    return found


DECIDED = Decision(by="teacher@school.example", caller=None, at=NINE)


def override(mark: Mark, *, email: str | None = None, student_id: str | None = None, attendee: str = "") -> Override:
    return Override(attendee, student_id, email, mark, "a note from home", DECIDED)


def assignment(attendee: str, *, email: str | None = None, student_id: str | None = None) -> Assignment:
    return Assignment(attendee, student_id, email, DECIDED)


def room_device(attendee: str) -> RoomDevice:
    return RoomDevice(attendee, DECIDED)

"""Short words for the nouns, so that a test reads as a timetable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from functions.domain.model import (
    AnonymousUser,
    Conference,
    ConferenceRecord,
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

RECORD = "conferenceRecords/abc"
TEACHER = "users/1"
NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks run until something holds; TimeoutError if it never does."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what it waits for happens in other threads and processes too
            await asyncio.sleep(0.01)


def at(minutes: float) -> datetime:
    """So many minutes after nine."""
    return NINE + timedelta(minutes=minutes)


def student(number: int, name: str = "Ada") -> SignedInUser:
    return SignedInUser(f"users/{number}", name)


def guest(name: str = "someone") -> AnonymousUser:
    return AnonymousUser(name)


def participant(
    user: User, *visits: tuple[float, float | None], name: str | None = None, record: str = RECORD
) -> Participant:
    """Somebody with visits in minutes after nine; None is an end that Meet does not know."""
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

"""Find the call of an event and its class meetings, with few calls to Meet."""

from __future__ import annotations

from datetime import datetime, timedelta

from functions.domain.classes.timetable import Room, Span
from functions.domain.conferences.model import Organizer, SyncSource
from functions.domain.errors import NeedsOperator, OrganizerUnknown, Permanent
from functions.domain.intervals import Interval
from functions.domain.live.calls import LiveCall
from functions.services.deps import Deps
from functions.services.live.known import Going
from functions.services.sync.meet.gathered import Request
from functions.services.sync.meet.reading import stored_conference

KEPT = timedelta(minutes=5)
"""How long an answer is used again: a class may be scheduled or moved while its call goes on."""

_INSTANT = timedelta(microseconds=1)


async def going(conference_record: str, organizer: Organizer, subscription: str | None, *, deps: Deps) -> Going:
    """The call and its class meetings; asked for at most once in some minutes, however many events come.

    Conferences that nobody tracks, or that are no class's, have no class meetings.

    Raises:
        Retryable: Meet or the store could not answer now.
    """
    now = deps.clock()
    known = deps.calls.known(conference_record, now=now, kept=KEPT)
    if known:
        return known
    async with deps.turns.of(f"going/{conference_record}"):
        return deps.calls.known(conference_record, now=now, kept=KEPT) or deps.calls.remember(
            conference_record, await _find(conference_record, organizer, subscription, now=now, deps=deps)
        )


def over(conference_record: str, *, deps: Deps) -> None:
    """Remember that a call is over."""
    deps.calls.remember(conference_record, Going(deps.clock()))


async def goes_on(call: LiveCall, *, deps: Deps) -> bool:
    """Whether a call goes on, by Meet.

    Raises:
        Retryable: Meet could not answer now.
    """
    try:
        record = await deps.conferences.record(call.conference_record, organizer=call.organizer)
    except (NeedsOperator, Permanent):
        # Nobody is shown in the room. The read after the end of the conference says why, and what to do.
        return False
    return record.end_time is None


async def _find(
    conference_record: str, organizer: Organizer, subscription: str | None, *, now: datetime, deps: Deps
) -> Going:
    reader = deps.store.reader()
    request = Request(conference_record, organizer, None, SyncSource.EVENT, subscription)
    conference, organizer = await stored_conference(request, reader, deps)
    try:
        if not organizer.known:
            raise OrganizerUnknown("We do not know who organized this conference.")
        record = await deps.conferences.record(conference_record, organizer=organizer)
    except (NeedsOperator, Permanent):
        return Going(now)
    if record.end_time:
        return Going(now)
    call = LiveCall(conference_record, organizer, record.start_time)
    if conference and conference.attached_to:
        return Going(now, call, conference.attached_to)
    return Going(now, call, classes_now(await reader.room(record.space), call, now=now))


def classes_now(room: Room, call: LiveCall, *, now: datetime) -> tuple[str, ...]:
    """The class meetings of a room that a call belongs to and whose time it is now."""
    time = Interval(call.started_at, max(now, call.started_at) + _INSTANT)
    room = room.with_span(Span(call.conference_record, time))
    owned = room.owned_times()
    return tuple(
        session_id for session_id in room.sessions_of(time) if owned[session_id].start <= now < owned[session_id].end
    )

"""Find the call of an event and its class meetings, with few calls to Meet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from functions.domain.classes.sessions import ClassSession
from functions.domain.classes.timetable import Room, Span
from functions.domain.conferences.events import Origin
from functions.domain.conferences.model import SyncSource
from functions.domain.conferences.syncing import may_appear
from functions.domain.errors import (
    ConferenceRecordGone,
    NeedsOperator,
    NotSettled,
    NotShown,
    OrganizerUnknown,
    Permanent,
    Retryable,
)
from functions.domain.intervals import Interval
from functions.domain.live.calls import LiveCall, LiveClass
from functions.ports.store import Reader
from functions.services.deps import Deps
from functions.services.live.known import Going
from functions.services.sync.meet.gathered import Request
from functions.services.sync.meet.reading import stored_conference

KEPT = timedelta(minutes=5)
"""How long an answer is used again: a class may be scheduled or moved while its call goes on."""

FAILURE_KEPT = timedelta(seconds=5)
"""How long a failure is the answer to all: so events that come together do not try one after the other."""

_INSTANT = timedelta(microseconds=1)


async def going(conference_record: str, origin: Origin, *, deps: Deps) -> Going:
    """The call of an event and its class meetings; asked for at most once in some minutes, however many events come.

    Conferences that nobody tracks, or that are no class's, have no class meetings. If Meet fails, events that wait for
    the same answer get the same error, and so do those of the next seconds: together they wait no longer than one.

    Raises:
        Retryable: Meet or the store could not answer now, or Meet does not show the conference of a new event yet.
    """
    now = deps.clock()
    known = deps.calls.known(conference_record, now=now, kept=KEPT)
    if known:
        return known
    async with deps.turns.of(f"going/{conference_record}"):
        known = deps.calls.known(conference_record, now=now, kept=KEPT)
        if known:
            return known
        if error := deps.calls.failure(conference_record, now=deps.clock(), kept=FAILURE_KEPT):
            raise error
        try:
            found = await _find(conference_record, origin, now=now, deps=deps)
        except Retryable as error:
            deps.calls.failed(conference_record, error, now=deps.clock())
            raise
        return deps.calls.remember(conference_record, found)


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


async def _find(conference_record: str, origin: Origin, *, now: datetime, deps: Deps) -> Going:
    reader = deps.store.reader()
    request = Request(conference_record, origin.organizer, None, SyncSource.EVENT, origin.subscription)
    conference, organizer = await stored_conference(request, reader, deps)
    try:
        if not organizer.known:
            raise OrganizerUnknown("We do not know who organized this conference.")
        record = await deps.conferences.record(conference_record, organizer=organizer)
    except (NotShown, ConferenceRecordGone):
        if may_appear(origin.occurred_at, now=now):
            raise NotSettled("Meet does not show the conference record yet.") from None
        return Going(now)
    except (NeedsOperator, Permanent):
        return Going(now)
    if record.end_time:
        return Going(now)
    call = LiveCall(conference_record, organizer, record.start_time, record.space)
    if conference and conference.attached_to:
        return Going(now, call, conference.attached_to)
    room = await reader.room(record.space)
    return Going(now, call, classes_now(room, call, now=now), until=_next_border(room, now=now))


def _next_border(room: Room, *, now: datetime) -> datetime | None:
    """When the next time of a class meeting begins or ends in a room."""
    borders = (border for owned in room.owned_times().values() for border in (owned.start, owned.end))
    return min((border for border in borders if border > now), default=None)


async def moved_on(session: ClassSession, live: LiveClass, reader: Reader, *, now: datetime) -> Sequence[Going]:
    """The calls that are not, or no longer, this class meeting's, with the class meetings whose they are now.

    Another class's time may have begun in the room, this one may have been moved, or a person has assigned the call.
    """
    found = []
    for call in live.calls.values():
        conference = await reader.conference(call.conference_record)
        if conference and conference.attached_to:
            session_ids: tuple[str, ...] = conference.attached_to
        elif session.plan.scheduled is None:
            continue
        else:
            session_ids = classes_now(await reader.room(call.space), call, now=now)
        if session.session_id not in session_ids:
            found.append(Going(call.started_at, call, session_ids))
    return found


def classes_now(room: Room, call: LiveCall, *, now: datetime) -> tuple[str, ...]:
    """The class meetings of a room that a call belongs to and whose time it is now."""
    time = Interval(call.started_at, max(now, call.started_at) + _INSTANT)
    room = room.with_span(Span(call.conference_record, time))
    owned = room.owned_times()
    return tuple(
        session_id for session_id in room.sessions_of(time) if owned[session_id].start <= now < owned[session_id].end
    )

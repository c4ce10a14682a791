"""Show who is in the room of a class meeting, and keep it right for as long as somebody looks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from functions.domain.classes.sessions import ClassSession, SessionState
from functions.domain.conferences.model import Conference
from functions.domain.conferences.syncing import LONGEST_CALL
from functions.domain.errors import AttendanceError, DocumentsRefused, OrganizerUnknown, Retryable
from functions.domain.intervals import Interval
from functions.domain.live.calls import LiveCall, LiveClass
from functions.domain.live.room import RoomNow, room_now
from functions.domain.marking.evidence import Evidence
from functions.hints import ORGANIZER_UNKNOWN
from functions.ports.messages import Job
from functions.ports.store import Reader
from functions.services.deps import Deps
from functions.services.live.calls import FAILURE_KEPT, classes_now, moved_on
from functions.services.live.known import Going
from functions.services.live.update import update
from functions.services.stored import owner_of, required_session
from functions.services.sync.marking import who_may_be_meant

JOB = "check-live"

ASKED_AGAIN = timedelta(minutes=1)
"""For how long looking again asks Meet nothing."""

PATIENCE = 5.0
"""Seconds that somebody who looks waits for a correction by Meet; then what is stored is shown, with its time."""

log = logging.getLogger(__name__)

_OVER = (SessionState.ENDED, SessionState.NOT_HELD, SessionState.CANCELLED)


async def look(session_id: str, *, deps: Deps) -> RoomNow:
    """Who is in the room of a class meeting, and which students are not.

    While somebody looks at least every 15 minutes, Meet is asked every few minutes who has not left, so that what
    events missed is corrected. If no event came, Meet is asked at most once a minute whether a call has begun. Before
    the class everybody is missing; after it nobody is expected any more. If Meet does not answer soon, what is known is
    returned. However many look, one instance asks Meet once a minute for all of them, also if Meet refuses.

    Raises:
        SessionNotFound: No class meeting has this id.
        Retryable: Meet or the store could not answer now.
        NeedsOperator: Meet does not show the room's calls until a person fixes the cause.
    """
    reader = deps.store.reader()
    session = await required_session(reader, session_id)
    now = deps.clock()
    stored = await reader.live(session_id)
    time = await _time_of(session, reader)
    is_over = session.state in _OVER or time is None or now >= time.end
    if is_over and not (stored and stored[0].calls):
        return RoomNow(now)
    if stored is None and time and now < time.start:
        return await _nobody_yet(session, reader, deps)
    if stored and (live := stored[0]).looked_at and now < live.looked_at + ASKED_AGAIN:
        return stored[1]
    async with deps.turns.of(f"look/{session_id}"):  # everybody who looks at the same moment gets one answer
        asked_at, error = deps.looks.get(session_id) or (None, None)
        kept = FAILURE_KEPT if isinstance(error, Retryable) else ASKED_AGAIN
        if asked_at and deps.clock() < asked_at + kept:
            if again := await deps.store.reader().live(session_id):
                return again[1]
            if error:
                raise error
        try:
            shown = await _asked(session, stored, reader, is_over=is_over, deps=deps)
        except AttendanceError as failure:
            deps.looks[session_id] = deps.clock(), failure
            raise
        deps.looks[session_id] = deps.clock(), None
        return shown


async def _asked(
    session: ClassSession, stored: tuple[LiveClass, RoomNow] | None, reader: Reader, *, is_over: bool, deps: Deps
) -> RoomNow:
    """Ask Meet; if something is stored, it is shown if Meet does not answer soon."""
    if stored is None:
        return await _looked_up(session, reader, deps, is_over=is_over)
    try:
        async with asyncio.timeout(PATIENCE):
            return await _looked_up(session, reader, deps, is_over=is_over, live=stored[0])
    except (TimeoutError, Retryable):
        log.warning("live.not_corrected", extra={"session_id": session.session_id})
        return stored[1]


async def _looked_up(
    session: ClassSession, reader: Reader, deps: Deps, *, is_over: bool, live: LiveClass | None = None
) -> RoomNow:
    calls = () if live and live.calls else await _calls_in(session, reader, deps)
    elsewhere = await _handed_over(session, live, reader, deps) if live else ()
    updated = await update(session.session_id, calls=calls, moved_on=elsewhere, looked_at=deps.clock(), deps=deps)
    if updated.hidden and updated.room is None:
        raise updated.hidden
    if updated.refusal:
        if live is None or updated.room is None:
            raise updated.refusal
        log.warning("live.not_corrected", extra={"session_id": session.session_id, "reason": updated.refusal.reason})
    return updated.room or await _empty(session, reader, is_over=is_over, deps=deps)


async def _empty(session: ClassSession, reader: Reader, *, is_over: bool, deps: Deps) -> RoomNow:
    """A room in which no call goes on; after the class nobody is expected in it."""
    return RoomNow(deps.clock()) if is_over else await _nobody_yet(session, reader, deps)


async def _handed_over(session: ClassSession, live: LiveClass, reader: Reader, deps: Deps) -> Sequence[str]:
    """The calls that are no longer this class meeting's. They are now shown where they belong."""
    found = await moved_on(session, live, reader, now=deps.clock())
    for going in found:
        for session_id in going.session_ids:
            await update(session_id, calls=[going], deps=deps)
    return [going.call.conference_record for going in found if going.call]


async def check_live(session_id: str, *, deps: Deps) -> None:
    """Compare who is in a room with Meet, and forget the room once nobody is there and nobody looks.

    If Meet cannot answer now, the next due time tries it again, so that jobs do not pile up.

    Raises:
        Retryable: The store could not answer now.
    """
    reader = deps.store.reader()
    session, stored = await reader.session(session_id), await reader.live(session_id)
    elsewhere = await _handed_over(session, stored[0], reader, deps) if session and stored else ()
    try:
        updated = await update(session_id, moved_on=elsewhere, deps=deps)
    except DocumentsRefused as refused:
        log.warning("live.refused", extra={"session_id": session_id, "detail": refused.message})
        return
    if updated.refusal:
        log.warning("live.not_corrected", extra={"session_id": session_id, "reason": updated.refusal.reason})


async def check_all_live(*, deps: Deps) -> int:
    """Hand out a `check-live` for each room for which it is time; returns how many."""
    session_ids = await deps.store.live_to_check(deps.clock())
    await deps.jobs.publish([Job(JOB, {"session_id": session_id}) for session_id in session_ids])
    return len(session_ids)


async def _time_of(session: ClassSession, reader: Reader) -> Interval | None:
    """The time in which a call in the room would be the class meeting's; None if it has no such time."""
    if session.plan.scheduled is None:
        return session.owned and Interval(session.owned.start, session.owned.start + LONGEST_CALL)
    return (await reader.room(session.space.name)).owned(session.session_id)


async def _calls_in(session: ClassSession, reader: Reader, deps: Deps) -> Sequence[Going]:
    """The calls that go on in the room of a class meeting, by Meet's list."""
    now = deps.clock()
    if session.plan.scheduled is None:
        conference = await reader.conference(f"conferenceRecords/{session.session_id}")
        return [going] if conference and (going := _own_call(conference)) else ()
    room = await reader.room(session.space.name)
    organizer = await owner_of(room, session, deps.store)
    if not organizer.known:
        raise OrganizerUnknown("We do not know who organized this class's calls.", hint=ORGANIZER_UNKNOWN)
    listing = await deps.conferences.list(
        space=session.space.name, since=now - LONGEST_CALL, until=None, organizer=organizer
    )
    calls = [LiveCall(r.name, organizer, r.start_time, r.space) for r in listing.records if r.end_time is None]
    return [
        Going(listing.began_at, call, (session.session_id,))
        for call in calls
        if session.session_id in classes_now(room, call, now=now)
    ]


def _own_call(conference: Conference) -> Going | None:
    """The call that an unscheduled class meeting is; Meet is asked whether it still goes on."""
    snapshot = conference.snapshot
    if snapshot is None or snapshot.record.end_time:
        return None
    call = LiveCall(
        conference.conference_record, conference.organizer, snapshot.record.start_time, snapshot.record.space
    )
    return Going(snapshot.record.start_time - LONGEST_CALL, call, conference.session_ids)


async def _nobody_yet(session: ClassSession, reader: Reader, deps: Deps) -> RoomNow:
    people = await who_may_be_meant(reader, session, [], deps.rules)
    evidence = Evidence(conferences=[], people=people, now=deps.clock(), settle=deps.rules.settle)
    return room_now(session, evidence)

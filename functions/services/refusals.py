"""What becomes of a commit that the store refuses for good: it is too large, and would be the next time.

That it failed, and why, is stored by itself, in a second commit that is small: the conferences that were read without
what Meet said of them, and the class meetings without their attendance, which stands as it was. Everything is tried
again at growing distances, as the next version of this system, or a class that was split, may fit.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping

from functions.domain.attendance import conference_time, unscheduled_session, unscheduled_session_id
from functions.domain.certainty import after_refusal
from functions.domain.errors import DocumentsRefused
from functions.domain.intervals import Interval
from functions.domain.model import Conference, Organizer, Reading, SyncError
from functions.domain.sessions import ClassSession
from functions.domain.syncing import wait_after_refusal
from functions.domain.timetable import Span
from functions.ports import Work
from functions.services.deps import Deps
from functions.services.findings import decided
from functions.services.reading import Found, Request, with_listing

log = logging.getLogger(__name__)


async def store_refusal(
    refused: DocumentsRefused,
    session_ids: Iterable[str],
    *,
    found: Found,
    request: Request,
    organizer: Organizer,
    deps: Deps,
) -> SyncError:
    """Store that what was found could not be stored.

    Args:
        refused: The store's refusal.
        session_ids: The class meetings that were to be marked.
        found: What Meet said.
        request: What made us look.
        organizer: As whom it was read.
        deps: The outside world.

    Returns:
        What stands now as the reason.

    Raises:
        DocumentsRefused: Not even that can be stored.
        Retryable: The store did not answer.
    """
    error = SyncError.of(refused, at=found.tried_at or deps.clock())
    log.error("commit.refused", extra={"reason": error.reason, "detail": error.message, "hint": error.hint})

    async def decide(work: Work, *, rooms: bool) -> None:
        conferences = await _put_conferences(work, error, found=found, request=request, organizer=organizer, deps=deps)
        if rooms:
            await _put_rooms(work, found, deps=deps)
        for session_id in sorted({*session_ids}):
            session = await work.session(session_id) or _unscheduled(session_id, found, request, organizer, deps)
            if session:
                attempts = [c.sync.attempts for c in conferences.values() if session_id in c.session_ids]
                wait = wait_after_refusal(max([*attempts, session.progress.failures + 1]))
                work.put_session(after_refusal(session, error, wait=wait, source=request.source, now=deps.clock()))

    try:
        await deps.store.transact(lambda work: decide(work, rooms=True))
    except DocumentsRefused:
        await deps.store.transact(lambda work: decide(work, rooms=False))
    return error


async def _put_conferences(
    work: Work, error: SyncError, *, found: Found, request: Request, organizer: Organizer, deps: Deps
) -> Mapping[str, Conference]:
    conferences = {}
    for record, outcome in found.outcomes.items():
        before = await work.conference(record)
        asked = dataclasses.replace(request, conference_record=record)
        if record != request.conference_record:
            asked = dataclasses.replace(asked, ended_event_at=None)
        failure = error if isinstance(outcome, Reading) else outcome
        conference = decided(before, failure, asked, organizer, deps)
        if conference.snapshot is None and isinstance(outcome, Reading):
            session_ids = await _places(work, decided(before, outcome, asked, organizer, deps))
            conference = dataclasses.replace(conference, session_ids=session_ids)
        work.put_conference(conference)
        conferences[record] = conference
    return conferences


async def _places(work: Work, read: Conference) -> tuple[str, ...]:
    """The class meetings that a conference belongs to by what was read of it."""
    time = conference_time(read)
    if read.snapshot is None or time is None:
        return read.session_ids
    room = await work.room(read.snapshot.space.name)
    return read.attached_to or room.sessions_of(time) or (unscheduled_session_id(read.conference_record),)


async def _put_rooms(work: Work, found: Found, *, deps: Deps) -> None:
    """Let rooms know of the calls that were found, so that nobody counts as absent who may have been in one."""
    rooms = {space: with_listing(await work.room(space), look.listing) for space, look in found.looks.items()}
    for record, outcome in found.outcomes.items():
        if isinstance(outcome, Reading):
            space = outcome.snapshot.space.name
            start = outcome.snapshot.record.start_time
            end = max(start, outcome.snapshot.record.end_time or outcome.pulled_at)
            room = rooms.get(space) or await work.room(space)
            rooms[space] = room.with_span(Span(record, Interval(start, end)))
    for space, room in rooms.items():
        if room != await work.room(space):
            work.put_room(room.since(deps.clock()))


def _unscheduled(
    session_id: str, found: Found, request: Request, organizer: Organizer, deps: Deps
) -> ClassSession | None:
    """The class meeting that a conference is by itself and that is not stored yet."""
    outcome = found.outcomes.get(f"conferenceRecords/{session_id}")
    if not isinstance(outcome, Reading):
        return None
    read = decided(None, outcome, request, organizer, deps)
    session = unscheduled_session(read, time_zone=deps.rules.time_zone, before=None)
    time = conference_time(read)
    return dataclasses.replace(session, actual_start=time.start, actual_end=time.end) if session and time else None

"""Handle a commit that the store always refuses, because it is too large.

That it failed, and why, is stored by itself, in a second commit that is small: the conferences that were read without
what Meet said of them, and the class meetings without their attendance, which stays as it was. Everything is tried
again with growing pauses, because it may fit with a later version of this system or after a class was split.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime

from functions.domain.classes.sessions import ClassSession
from functions.domain.classes.timetable import Span
from functions.domain.conferences.model import Conference, Reading, SyncError, SyncSource
from functions.domain.conferences.syncing import wait_after_refusal
from functions.domain.errors import DocumentsRefused
from functions.domain.intervals import Interval
from functions.domain.marking.attendance import unscheduled_session, unscheduled_session_id
from functions.domain.marking.certainty import after_refusal
from functions.domain.marking.evidence import conference_time
from functions.ports.store import Work
from functions.services.deps import Deps
from functions.services.sync.meet.gathered import Gathered, with_listing

log = logging.getLogger(__name__)


async def store_refusal(refused: DocumentsRefused, gathered: Gathered, *, deps: Deps) -> SyncError:
    """Record that the gathered data could not be stored.

    Returns:
        What is stored now as the reason.

    Raises:
        DocumentsRefused: Even this small commit cannot be stored.
        Retryable: The store did not answer.
    """
    error = _logged(refused, at=gathered.tried_at)

    async def decide(work: Work, *, rooms: bool) -> None:
        conferences = await _put_conferences(work, error, gathered, deps=deps)
        if rooms:
            await _put_rooms(work, gathered, deps=deps)
        for session_id in sorted(gathered.session_ids):
            session = await work.session(session_id) or _unscheduled(session_id, gathered, deps)
            attempts = [c.sync.attempts for c in conferences.values() if session_id in c.session_ids]
            _put_session(work, session, error, attempts, source=gathered.source, deps=deps)

    try:
        await deps.store.transact(lambda work: decide(work, rooms=True))
    except DocumentsRefused:
        await deps.store.transact(lambda work: decide(work, rooms=False))
    return error


async def store_refusal_of_marks(refused: DocumentsRefused, session_id: str, *, deps: Deps) -> None:
    """Store that a class meeting could not be marked again; raises the same errors as `store_refusal`."""
    error = _logged(refused, at=deps.clock())

    async def decide(work: Work) -> None:
        _put_session(work, await work.session(session_id), error, [], source=SyncSource.RECONCILE, deps=deps)

    await deps.store.transact(decide)


def _logged(refused: DocumentsRefused, *, at: datetime) -> SyncError:
    error = SyncError.of(refused, at=at)
    log.error("commit.refused", extra={"reason": error.reason, "detail": error.message, "hint": error.hint})
    return error


def _put_session(
    work: Work,
    session: ClassSession | None,
    error: SyncError,
    attempts: Iterable[int],
    *,
    source: SyncSource,
    deps: Deps,
) -> None:
    """A class meeting without the attendance that was refused, with when it is tried again."""
    if session:
        wait = wait_after_refusal(max([*attempts, session.progress.failures + 1]))
        work.put_session(after_refusal(session, error, wait=wait, source=source, now=deps.clock()))


async def _put_conferences(work: Work, error: SyncError, gathered: Gathered, *, deps: Deps) -> Mapping[str, Conference]:
    conferences, settle = {}, deps.rules.settle
    for record, outcome in gathered.outcomes.items():
        before = await work.conference(record)
        failure = error if isinstance(outcome, Reading) else outcome
        conference = gathered.after(record, before, failure, settle=settle)
        if conference.snapshot is None and isinstance(outcome, Reading):
            session_ids = await _places(work, gathered.decided(record, before, settle=settle))
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


async def _put_rooms(work: Work, gathered: Gathered, *, deps: Deps) -> None:
    """Store the found calls in their rooms, so that nobody who may have been in one counts as absent."""
    rooms = {space: with_listing(await work.room(space), look.listing) for space, look in gathered.looks.items()}
    for record, outcome in gathered.outcomes.items():
        if isinstance(outcome, Reading):
            space = outcome.snapshot.space.name
            start = outcome.snapshot.record.start_time
            end = max(start, outcome.snapshot.record.end_time or outcome.pulled_at)
            room = rooms.get(space) or await work.room(space)
            rooms[space] = room.with_span(Span(record, Interval(start, end)))
    for space, room in rooms.items():
        if room != await work.room(space):
            work.put_room(room.since(deps.clock()))


def _unscheduled(session_id: str, gathered: Gathered, deps: Deps) -> ClassSession | None:
    """The class meeting that a conference is by itself and that is not stored yet."""
    record = f"conferenceRecords/{session_id}"
    if not isinstance(gathered.outcomes.get(record), Reading):
        return None
    read = gathered.decided(record, None, settle=deps.rules.settle)
    session = unscheduled_session(read, time_zone=deps.rules.time_zone, before=None)
    time = conference_time(read)
    return dataclasses.replace(session, actual_start=time.start, actual_end=time.end) if session and time else None

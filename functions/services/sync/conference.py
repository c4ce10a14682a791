"""The main job: update a conference and its class meetings.

`sync_conference` says it in five steps:

1. What we have: the stored conference, and the account with which to ask Meet.
2. Ask Meet: for the conference, and for the other calls in its class's room (`meet/gather.py`).
3. Who are they: look up the people behind the accounts (`identities.py`).
4. Settle and mark: what should be stored about the calls (`findings.py`), and the marks that follow (`marking.py`).
5. One commit: all of it is written, or nothing.

Events, redeliveries, jobs and calls by hand all end here or in `session.py`, and lead to the same documents: what is
stored depends only on what Meet said and when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from functions.domain.classes.sessions import AttendanceSheet
from functions.domain.conferences.model import Conference, SyncError, SyncSource
from functions.domain.conferences.rereading import is_deferred
from functions.domain.conferences.syncing import waits_after_refusal
from functions.domain.errors import DocumentsRefused, StoreConflict
from functions.ports.store import Work
from functions.services.deps import Deps
from functions.services.sync.findings import settle_and_mark
from functions.services.sync.identities import identify
from functions.services.sync.meet.gather import gather_conference
from functions.services.sync.meet.gathered import Gathered, Request
from functions.services.sync.meet.reading import stored_conference
from functions.services.sync.refusals import store_refusal
from functions.services.sync.seen.contradicted import look_back
from functions.services.sync.seen.load import loading_events


async def sync_conference(request: Request, *, deps: Deps) -> Recorded:
    """Read a conference and mark everybody in the class meetings that it belongs to.

    For a scheduled class the room's other conference records are listed too, and read if they were not read yet, so
    that a call that dropped and was started again is read completely. Idempotent, and safe against itself in other
    processes: it may run twice, late, at the same time and in any order, and it may be killed at any moment.

    Raises:
        Retryable: Meet or the store could not answer now; what was read is stored, or nothing is.
        Permanent: It can never succeed; nothing was written.
    """
    asked_at = deps.clock()
    record = request.conference_record
    async with (
        deps.turns.of(record),
        loading_events(record, deps, ended_event_at=request.ended_event_at) as events,
    ):
        reader = deps.store.reader()
        stored, organizer = await stored_conference(request, reader, deps)
        if stored and (waiting := _waiting(stored, request.source, now=asked_at)):
            return waiting
        gathered = await gather_conference(
            request, stored, organizer, reader, asked_at=asked_at, events=events, deps=deps
        )
        everybody_known = await identify(gathered, reader, deps)

        async def decide(work: Work) -> Recorded:
            sheets = await settle_and_mark(work, gathered, everybody_known=everybody_known, deps=deps)
            return await _recorded(request, gathered, sheets, work)

        try:
            recorded, _ = await deps.store.transact(decide, known=reader)
        except DocumentsRefused as refused:
            return await _refused(refused, request, gathered, deps)
    await look_back(gathered, deps=deps)
    if gathered.later:
        raise gathered.later
    return recorded


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result of recording a conference.

    Attributes:
        conference: As it is stored now.
        people: How many people got an attendance document from it.
        read: Whether Meet was asked; false for a repeated message.
        refusal: Why Meet refused, or why the store refused the data, if one did; what was read before is kept.
    """

    conference: Conference
    people: int
    read: bool
    refusal: SyncError | None


def _waiting(stored: Conference, source: SyncSource, *, now: datetime) -> Recorded | None:
    """The result for a conference for which Meet is not asked yet; None if it is time to ask."""
    if source is not SyncSource.MANUAL and waits_after_refusal(stored, now=now):
        return Recorded(conference=stored, people=0, read=False, refusal=stored.sync.error)
    if source is SyncSource.RECONCILE and is_deferred(stored, now=now):
        # `reconcile` hands it out again when its time has come, so a message that comes back until then does not help.
        return Recorded(conference=stored, people=0, read=False, refusal=None)
    return None


async def _recorded(
    request: Request, gathered: Gathered, sheets: Mapping[str, AttendanceSheet], work: Work
) -> Recorded:
    """The result after everything is put."""
    conference = await work.conference(request.conference_record)
    if conference is None:
        raise StoreConflict("The conference was removed while it was being recorded.")
    outcome = gathered.outcomes.get(request.conference_record)
    return Recorded(
        conference=conference,
        people=sum(len(sheet.attendance) for sheet in sheets.values()),
        read=outcome is not None,
        refusal=outcome if isinstance(outcome, SyncError) else None,
    )


async def _refused(refused: DocumentsRefused, request: Request, gathered: Gathered, deps: Deps) -> Recorded:
    """The result for a conference that the store permanently refuses: it failed, and this is stored."""
    error = await store_refusal(refused, gathered, deps=deps)
    conference = await deps.store.reader().conference(request.conference_record)
    if conference is None:
        raise refused
    return Recorded(conference=conference, people=0, read=bool(gathered.outcomes), refusal=error)

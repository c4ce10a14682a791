"""Bring conferences and class meetings up to date: Meet -> snapshots -> attendance. The heart of the system.

Events, redeliveries, jobs and calls by hand all end here and converge on the same documents: what is stored is a
function of what Meet said and when, and everything is written in one commit or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from functions.domain.conferences.model import Conference, Kind, Sync, SyncError, SyncSource
from functions.domain.conferences.rereading import is_deferred
from functions.domain.conferences.syncing import waits_after_refusal
from functions.domain.errors import DocumentsRefused, NoConferenceRecord, StoreConflict
from functions.ports.store import SheetChange, Work
from functions.services.deps import Deps
from functions.services.stored import required_session
from functions.services.sync.findings import settle_and_mark
from functions.services.sync.identities import identify
from functions.services.sync.marking import mark
from functions.services.sync.meet.gather import gather_conference, gather_session
from functions.services.sync.meet.gathered import Gathered, Request
from functions.services.sync.meet.reading import stored_conference
from functions.services.sync.refusals import store_refusal, store_refusal_of_marks


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of it.

    Attributes:
        conference: As it is stored now.
        people: How many people have an attendance document by it.
        read: Whether Meet was asked; not for a message that came again.
        refusal: Why Meet refused, or the store what Meet said, if one did; what was read before stands all the same.
    """

    conference: Conference
    people: int
    read: bool
    refusal: SyncError | None


@dataclass(frozen=True, slots=True)
class SessionSynced:
    """The result of updating a class meeting; `created` and `updated` count people who were there.

    `sync` is how far the reading of all its conferences is now; None if there is nothing to read.
    """

    session_id: str
    created: int
    updated: int
    meet_calls: int
    sync: Sync | None = None


async def sync_conference(request: Request, *, deps: Deps) -> Recorded:
    """Read a conference and mark everybody in the class meetings that it belongs to.

    For a scheduled class the room's other conference records are listed too, and read if they are not yet: a call
    that dropped and was made again is read whole. Idempotent, and safe against itself in other processes: it may
    run twice, late, at the same time and in any order, and it may be killed at any moment.

    Raises:
        Retryable: Meet or the store could not answer now; what was read is stored, or nothing is.
        Permanent: It can never succeed; nothing was written.
    """
    asked_at = deps.clock()
    async with deps.turns.of(request.conference_record):
        reader = deps.store.reader()
        stored, organizer = await stored_conference(request, reader, deps)
        if stored and request.source is not SyncSource.MANUAL and waits_after_refusal(stored, now=asked_at):
            return Recorded(conference=stored, people=0, read=False, refusal=stored.sync.error)
        if stored and request.source is SyncSource.RECONCILE and is_deferred(stored, now=asked_at):
            # The job hands it out again when its time has come: a message that comes back until then helps nobody.
            return Recorded(conference=stored, people=0, read=False, refusal=None)
        gathered = await gather_conference(request, stored, organizer, reader, asked_at=asked_at, deps=deps)
        everybody_known = await identify(gathered, reader, deps)

        async def decide(work: Work) -> tuple[Conference, int]:
            sheets = await settle_and_mark(work, gathered, everybody_known=everybody_known, deps=deps)
            conference = await work.conference(request.conference_record)
            if conference is None:
                raise StoreConflict("The conference was removed while it was being recorded.")
            return conference, sum(len(sheet.attendance) for sheet in sheets.values())

        try:
            (conference, people), _ = await deps.store.transact(decide, known=reader)
        except DocumentsRefused as refused:
            return await _refused(refused, request, gathered, deps)
    if gathered.later:
        raise gathered.later
    outcome = gathered.outcomes.get(request.conference_record)
    refusal = outcome if isinstance(outcome, SyncError) else None
    return Recorded(conference=conference, people=people, read=outcome is not None, refusal=refusal)


async def _refused(refused: DocumentsRefused, request: Request, gathered: Gathered, deps: Deps) -> Recorded:
    """What comes of a conference that the store refuses for good: it failed, and that is stored."""
    error = await store_refusal(refused, gathered, deps=deps)
    conference = await deps.store.reader().conference(request.conference_record)
    if conference is None:
        raise refused
    return Recorded(conference=conference, people=0, read=bool(gathered.outcomes), refusal=error)


async def sync_session(
    session_id: str, *, source: SyncSource, deps: Deps, strict: bool = False, full: bool = False
) -> SessionSynced:
    """Update a class meeting: list its room's conference records, read those that are not final, mark.

    Args:
        session_id: The class meeting.
        source: What made us look.
        deps: The outside world.
        strict: Whether any error ends it with nothing changed; else what could be read is stored, and why the rest
            could not.
        full: Whether records that were read for good are read again.

    Raises:
        NotFound: No class meeting has this session_id.
        NoConferenceRecord: Only if strict: Meet has no conference record for it.
        NeedsOperator: Only if strict; else it is stored with the class meeting.
        Retryable: Meet or the store could not answer now.
    """
    async with deps.turns.of(session_id):
        reader = deps.store.reader()
        session = await required_session(reader, session_id)
        gathered = await gather_session(session, reader, source=source, strict=strict, full=full, deps=deps)
        everybody_known = await identify(gathered, reader, deps)

        async def decide(work: Work) -> tuple[frozenset[str], Sync | None]:
            sheets = await settle_and_mark(work, gathered, everybody_known=everybody_known, deps=deps)
            sheet = sheets.get(session_id)
            if strict and sheet and not sheet.session.conference_records:
                raise NoConferenceRecord("Meet has no conference record for this class meeting.")
            people = sheet.attendance if sheet else ()
            joined = frozenset(p.attendee_id for p in people if p.presences and p.kind is not Kind.ROOM)
            return joined, sheet.session.sync if sheet else None

        try:
            (joined, sync), changes = await deps.store.transact(decide, known=reader)
        except DocumentsRefused as refused:
            await store_refusal(refused, gathered, deps=deps)
            if strict:
                raise
            session = await required_session(deps.store.reader(), session_id)
            return SessionSynced(session_id, created=0, updated=0, meet_calls=gathered.meet_calls, sync=session.sync)
    if gathered.later:
        raise gathered.later
    change = changes.get(session_id, SheetChange())
    return SessionSynced(
        session_id=session_id,
        created=len(change.created & joined),
        updated=len(change.updated & joined),
        meet_calls=gathered.meet_calls,
        sync=sync,
    )


async def remark_session(session_id: str, *, deps: Deps) -> None:
    """Mark a class meeting again from stored data, without calls to Meet. A deleted one is ignored."""

    async def decide(work: Work) -> None:
        await mark(work, [session_id], rules=deps.rules, now=deps.clock())

    try:
        await deps.store.transact(decide)
    except DocumentsRefused as refused:
        await store_refusal_of_marks(refused, session_id, deps=deps)

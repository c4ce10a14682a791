"""Bring conferences and class meetings up to date: Meet -> snapshots -> attendance. The heart of the system.

Events, redeliveries, jobs and calls by hand all end here and converge on the same documents: what is stored is a
function of what Meet said and when, and everything is written in one commit or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace

from functions.domain.attendance import unscheduled_session_id
from functions.domain.certainty import was_listed_since
from functions.domain.errors import DocumentsRefused, NoConferenceRecord, SessionNotFound, StoreConflict
from functions.domain.model import Conference, Kind, Organizer, Sync, SyncError, SyncSource
from functions.domain.rereading import is_deferred
from functions.domain.sessions import ClassSession
from functions.domain.syncing import is_unfinished, needs_reading, waits_after_refusal
from functions.ports import SheetChange, Work
from functions.services.deps import Deps
from functions.services.findings import attempts_at, decided, load_what_is_stored, store_findings
from functions.services.marking import Attempt, mark, place
from functions.services.reading import (
    Found,
    Request,
    Surroundings,
    look_around,
    look_up_everybody,
    read_all,
    read_conference,
    stored_conference,
    surroundings_of,
)
from functions.services.refusals import store_refusal


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
    """What came of bringing a class meeting up to date; `created` and `updated` count people who were there.

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
        stored, organizer = await stored_conference(request, deps)
        found = Found(tried_at=deps.clock(), at_once=request.source is SyncSource.MANUAL)
        if stored and not found.at_once and waits_after_refusal(stored, now=asked_at):
            return Recorded(conference=stored, people=0, read=False, refusal=stored.sync.error)
        if stored and request.source is SyncSource.RECONCILE and is_deferred(stored, now=asked_at):
            # The job hands it out again when its time has come: a message that comes back until then helps nobody.
            return Recorded(conference=stored, people=0, read=False, refusal=None)
        if needs_reading(stored, asked_at=asked_at, ended_event_at=request.ended_event_at):
            found.outcomes[request.conference_record] = await read_conference(
                replace(request, organizer=organizer), stored, found, deps
            )
        outcome = found.outcomes.get(request.conference_record)
        conference = decided(stored, outcome, request, organizer, deps) if outcome else stored
        around = Surroundings()
        if conference and conference.snapshot:
            around = await surroundings_of(conference, organizer, deps)
        sessions = around.sessions
        everybody_known = await _look_around_and_up(conference, around, found, organizer, deps)

        async def decide(work: Work) -> tuple[Conference, int]:
            now = deps.clock()
            session_ids = sessions or [unscheduled_session_id(request.conference_record)]
            await load_what_is_stored(work, found, [conference] if conference else [], session_ids)
            touched = await store_findings(work, found, request, organizer, deps)
            if not outcome:
                again = await work.conference(request.conference_record)
                touched |= await place(work, again, now=now) if again else frozenset()
            attempts = await attempts_at(work, found, sessions, everybody_known=everybody_known)
            if not everybody_known and not sessions:
                attempts = {
                    session_id: Attempt(now, listed=False, error=None, everybody_known=False) for session_id in touched
                }
            sheets = await mark(work, touched | set(sessions), rules=deps.rules, now=now, attempts=attempts)
            done = await work.conference(request.conference_record)
            if done is None:
                raise StoreConflict("The conference was removed while it was being recorded.")
            return done, sum(len(sheet.attendance) for sheet in sheets.values())

        try:
            (done, people), _ = await deps.store.transact(decide)
        except DocumentsRefused as refused:
            return await _refused(refused, sessions, found=found, request=request, organizer=organizer, deps=deps)
    if found.later:
        raise found.later
    return Recorded(
        conference=done,
        people=people,
        read=outcome is not None,
        refusal=outcome if isinstance(outcome, SyncError) else None,
    )


async def _refused(
    refused: DocumentsRefused,
    sessions: Collection[str],
    *,
    found: Found,
    request: Request,
    organizer: Organizer,
    deps: Deps,
) -> Recorded:
    """What comes of a conference that the store refuses for good: it failed, and that is stored."""
    session_ids = sessions or [unscheduled_session_id(request.conference_record)]
    error = await store_refusal(refused, session_ids, found=found, request=request, organizer=organizer, deps=deps)
    conference, _ = await stored_conference(request, deps)
    if conference is None:
        raise refused
    return Recorded(conference=conference, people=0, read=bool(found.outcomes), refusal=error)


async def sync_session(
    session_id: str, *, source: SyncSource, deps: Deps, strict: bool = False, full: bool = False
) -> SessionSynced:
    """Bring a class meeting up to date: list its room's conference records, read what is not read for good, mark.

    Args:
        session_id: The class meeting.
        source: What made us look.
        deps: The outside world.
        strict: Whether any error ends it with nothing changed; else what could be read is stored, and why the rest
            could not.
        full: Whether records that were read for good are read again.

    Raises:
        NotFound: There is no such class meeting.
        NoConferenceRecord: Only if strict: Meet has no conference record for it.
        NeedsOperator: Only if strict; else it is stored with the class meeting.
        Retryable: Meet or the store could not answer now.
    """
    async with deps.turns.of(session_id):
        session, stored = await _session(session_id, deps)
        found = Found(tried_at=deps.clock(), at_once=source is SyncSource.MANUAL, full=full)
        if session.plan.scheduled is None:
            request = Request(f"conferenceRecords/{session_id}", Organizer(), None, source)
            conference, organizer = await stored_conference(request, deps)
            waits = not found.at_once and waits_after_refusal(conference, now=deps.clock())
            if full or conference is None or (is_unfinished(conference) and not waits):
                await read_all([request.conference_record], organizer, found, strict=strict, deps=deps)
        else:
            organizer = await look_around(session, found, strict=strict, full=full, deps=deps)
        everybody_known = await look_up_everybody(found, stored, [session], organizer, deps)

        async def decide(work: Work) -> tuple[frozenset[str], Sync | None]:
            request = Request("", organizer, None, source)
            await load_what_is_stored(work, found, stored, [session_id])
            touched = await store_findings(work, found, request, organizer, deps)
            attempts = await attempts_at(work, found, [session_id], everybody_known=everybody_known)
            if session.plan.scheduled is None:
                began = found.tried_at or deps.clock()
                attempts = {session_id: Attempt(began, listed=False, error=None, everybody_known=everybody_known)}
            sheets = await mark(work, touched | {session_id}, rules=deps.rules, now=deps.clock(), attempts=attempts)
            sheet = sheets.get(session_id)
            if strict and sheet and not sheet.session.conference_records:
                raise NoConferenceRecord("Meet has no conference record for this class meeting.")
            people = sheet.attendance if sheet else ()
            joined = frozenset(p.attendee_id for p in people if p.presences and p.kind is not Kind.ROOM)
            return joined, sheet.session.sync if sheet else None

        try:
            (joined, sync), changes = await deps.store.transact(decide)
        except DocumentsRefused as refused:
            request = Request("", organizer, None, source)
            await store_refusal(refused, [session_id], found=found, request=request, organizer=organizer, deps=deps)
            if strict:
                raise
            session, _ = await _session(session_id, deps)
            return SessionSynced(session_id, created=0, updated=0, meet_calls=found.meet_calls, sync=session.sync)
    if found.later:
        raise found.later
    change = changes.get(session_id, SheetChange())
    return SessionSynced(
        session_id=session_id,
        created=len(change.created & joined),
        updated=len(change.updated & joined),
        meet_calls=found.meet_calls,
        sync=sync,
    )


async def remark_session(session_id: str, *, deps: Deps) -> None:
    """Mark a class meeting again from what is stored; Meet is not asked. One that is gone is no error."""

    async def decide(work: Work) -> None:
        await mark(work, [session_id], rules=deps.rules, now=deps.clock())

    try:
        await deps.store.transact(decide)
    except DocumentsRefused as refused:
        request = Request("", Organizer(), None, SyncSource.RECONCILE)
        found = Found(tried_at=deps.clock())
        await store_refusal(refused, [session_id], found=found, request=request, organizer=Organizer(), deps=deps)


async def _look_around_and_up(
    conference: Conference | None,
    around: Surroundings,
    found: Found,
    organizer: Organizer,
    deps: Deps,
) -> bool:
    """Find the rest of a conference's classes, and look up its accounts while Meet is asked for it.

    Returns:
        Whether everybody could be asked for.
    """
    stored = [conference] if conference else []
    outcome, others = bool(found.outcomes), list(around.sessions.values())
    try:
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(look_up_everybody(found, stored, others, organizer, deps, people=around.people))
            for session in others:
                if outcome or (conference and not was_listed_since(session, conference)):
                    await look_around(
                        session, found, beside=others, rooms=around.rooms, strict=False, full=False, deps=deps
                    )
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    everybody_known = first.result()
    if len(found.outcomes) > outcome:
        # Further calls of the class were read: for people who were in those alone, and for the time at which all left.
        everybody_known &= await look_up_everybody(found, stored, others, organizer, deps)
    return everybody_known


async def _session(session_id: str, deps: Deps) -> tuple[ClassSession, list[Conference]]:
    """A class meeting with its conferences that are stored."""

    async def load(work: Work) -> tuple[ClassSession, list[Conference]]:
        session = await work.session(session_id)
        if session is None:
            raise SessionNotFound("There is no such class meeting.")
        conferences = [await work.conference(name) for name in session.conference_records]
        return session, [conference for conference in conferences if conference]

    loaded, _ = await deps.store.transact(load)
    return loaded

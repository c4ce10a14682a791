"""Update one class meeting: the same five steps as `conference.py`, beginning with its room's conference records."""

from __future__ import annotations

from dataclasses import dataclass

from functions.domain.conferences.model import Kind, Sync, SyncSource
from functions.domain.errors import DocumentsRefused, NoConferenceRecord
from functions.ports.store import SheetChange, Work
from functions.services.deps import Deps
from functions.services.stored import required_session
from functions.services.sync.findings import settle_and_mark
from functions.services.sync.identities import identify
from functions.services.sync.marking import mark
from functions.services.sync.meet.gather import gather_session
from functions.services.sync.refusals import store_refusal, store_refusal_of_marks
from functions.services.sync.seen.contradicted import look_back


@dataclass(frozen=True, slots=True)
class SessionSynced:
    """The result of updating a class meeting; `created` and `updated` count people who were there.

    `sync` says how much of all its conferences has been read; None if there is nothing to read.
    """

    session_id: str
    created: int
    updated: int
    meet_calls: int
    sync: Sync | None = None


async def sync_session(
    session_id: str, *, source: SyncSource, deps: Deps, strict: bool = False, full: bool = False
) -> SessionSynced:
    """Update a class meeting: list its room's conference records, read those that are not final, mark.

    Args:
        session_id: The class meeting.
        source: What started the update.
        deps: The outside world.
        strict: Whether any error ends it with nothing changed; else what could be read is stored, and why the rest
            could not.
        full: Whether final records are read again.

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
    await look_back(gathered, deps=deps)
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

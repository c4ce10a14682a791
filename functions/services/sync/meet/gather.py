"""Ask Meet for data that is not stored yet: which conferences exist, and who was in them.

Nothing is written here: what Meet said is gathered, to be stored in one commit.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from functions.domain.classes.sessions import ClassSession
from functions.domain.conferences.model import Conference, Organizer, SyncError, SyncSource, is_reported
from functions.domain.conferences.syncing import is_unfinished, needs_reading, waits_after_refusal
from functions.domain.errors import NeedsOperator, Permanent, Retryable
from functions.domain.marking.certainty import was_listed_since
from functions.domain.marking.evidence import conference_time
from functions.ports.google import Listing
from functions.ports.store import Reader
from functions.services.deps import Deps
from functions.services.stored import owner_of
from functions.services.sync.meet.ahead import list_calls, looking_ahead, sessions_around
from functions.services.sync.meet.gathered import Gathered, Look, Request, reach_of, with_listing
from functions.services.sync.meet.reading import read_all, read_conference, stored_conference
from functions.services.sync.seen.load import Events


async def gather_conference(
    request: Request,
    stored: Conference | None,
    organizer: Organizer,
    reader: Reader,
    *,
    asked_at: datetime,
    events: Events,
    deps: Deps,
) -> Gathered:
    """Ask Meet for a conference and for the rest of its class meetings: the room's other conference records.

    Args:
        request: Which conference, and why.
        stored: The conference as it is stored.
        organizer: The account to ask Meet as.
        reader: What is stored.
        asked_at: When the message came in.
        events: What events said about it.
        deps: The outside world.

    Raises:
        Retryable: Meet could not answer now for this conference.
        Permanent: Meet can never answer for it.
    """
    record = request.conference_record
    gathered = Gathered(request.source, organizer, deps.clock(), request, stored=[stored] if stored else [])
    async with looking_ahead(stored.attached_to if stored else (), reader, deps) as ahead:
        if needs_reading(stored, asked_at=asked_at, ended_event_at=request.ended_event_at):
            asked = replace(request, organizer=organizer)
            gathered.outcomes[record] = await read_conference(
                asked,
                stored,
                gathered,
                reader,
                events=events,
                deps=deps,
                on_record=ahead.begin,
                on_page=ahead.load_people,
            )
        await ahead.finish()
        was_read = bool(gathered.outcomes)
        conference = gathered.decided(record, stored, settle=deps.rules.settle) if was_read else stored
        if conference:
            gathered.sessions = await _sessions_of(conference, reader)
            gathered.looks |= ahead.looks(gathered.sessions.values())
        gathered.people_read_at = ahead.people_read_at
    for session in gathered.sessions.values():
        if conference and (was_read or not was_listed_since(session, conference)):
            await look_around(session, gathered, reader, deps)
    return gathered


async def _sessions_of(conference: Conference, reader: Reader) -> dict[str, ClassSession]:
    """The scheduled class meetings that a conference belongs to."""
    time = conference_time(conference)
    if conference.snapshot is None or time is None:
        return {}
    return await sessions_around(conference.snapshot.space.name, time, conference.attached_to, reader)


async def gather_session(
    session: ClassSession, reader: Reader, *, source: SyncSource, strict: bool, full: bool, deps: Deps
) -> Gathered:
    """Ask Meet for a class meeting: list its room's conference records, and read those that are not final.

    Args:
        session: The class meeting.
        reader: What is stored.
        source: What started the update.
        strict: Whether any error is raised.
        full: Whether final records are read again.
        deps: The outside world.
    """
    await reader.load(conferences=session.conference_records)
    stored = [c for name in session.conference_records if (c := await reader.conference(name))]
    gathered = Gathered(
        source,
        Organizer(),
        deps.clock(),
        full=full,
        strict=strict,
        stored=stored,
        sessions={session.session_id: session},
    )
    if session.plan.scheduled:
        gathered.organizer = await look_around(session, gathered, reader, deps)
        return gathered
    record = f"conferenceRecords/{session.session_id}"
    request = Request(record, Organizer(), None, source)
    conference, gathered.organizer = await stored_conference(request, reader, deps)
    waits = not gathered.at_once and waits_after_refusal(conference, now=deps.clock())
    if full or conference is None or (is_unfinished(conference) and not waits):
        await read_all([record], gathered.organizer, gathered, reader, deps)
    return gathered


async def look_around(session: ClassSession, gathered: Gathered, reader: Reader, deps: Deps) -> Organizer:
    """List a scheduled class meeting's records and read those that are not final.

    Args:
        session: One of the class meetings for which Meet is asked.
        gathered: What Meet said so far; a room that was listed is not listed again.
        reader: What is stored.
        deps: The outside world.

    Returns:
        The account that Meet was asked as.
    """
    space, scheduled = session.space.name, session.plan.takes_place
    room = await reader.room(space)
    attached = [record.conference_record for record in session.plan.attached]
    organizer = await owner_of(room, session, deps.store)
    if scheduled is None:
        return organizer
    if space not in gathered.looks:
        here = [session, *(other for other in gathered.sessions.values() if other.space.name == space)]
        began_at, reach = deps.clock(), reach_of(here)
        listing: Listing | SyncError
        try:
            listing = await list_calls(space, reach, organizer, deps)
        except (NeedsOperator, Retryable, Permanent) as error:
            if gathered.strict:
                raise
            listing = SyncError.of(error, at=began_at)
            if isinstance(error, Retryable):
                gathered.later = gathered.later or error
        gathered.looks[space] = Look(reach, organizer, listing)
    room = with_listing(room, gathered.looks[space].listing)
    others = {*room.records_of(session.session_id), *attached} - gathered.outcomes.keys()
    wanted = await _unfinished(others, gathered, reader, deps)
    await read_all(wanted, organizer, gathered, reader, deps)
    return organizer


async def _unfinished(records: Collection[str], gathered: Gathered, reader: Reader, deps: Deps) -> set[str]:
    """The records that must be read; if not `strict`, without those that the store recently refused."""
    await reader.load(conferences=records)
    wanted = set()
    for record in records:
        if is_reported(record):
            continue
        conference = await reader.conference(record)
        waits = not gathered.strict and waits_after_refusal(conference, now=deps.clock())
        if gathered.full or conference is None or (is_unfinished(conference) and not waits):
            wanted.add(record)
    return wanted

"""Record a conference: Meet -> snapshot -> attendance. The heart of the system.

Live event, redelivery and every later job end here and converge on the same documents: what is stored is a
function of what Meet said and when, and everything is written in one commit or not at all.
"""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.domain.attendance import unscheduled_session_id, unscheduled_sheet
from functions.domain.errors import NeedsOperator, OrganizerUnknown, StoreConflict
from functions.domain.model import AttendanceSheet, Conference, Organizer, Reading, SyncError, SyncSource
from functions.domain.syncing import after_failure, after_reading, needs_reading
from functions.ports import AttendanceStore, Change, Clock, Conferences, Loaded
from functions.services.turns import Turns

COMMIT_ATTEMPTS = 8
"""How often we decide anew because another process wrote first."""


@dataclass(frozen=True, slots=True)
class RecordingRules:
    """What a school may set.

    Attributes:
        settle: How long after its end a conference may still change.
        time_zone: The school's time zone, an IANA name.
    """

    settle: timedelta
    time_zone: str


@dataclass(frozen=True, slots=True)
class Request:
    """One wish to have a conference recorded.

    Attributes:
        conference_record: `conferenceRecords/{id}`.
        organizer: As whom to read it; whoever is stored, if unknown.
        ended_event_at: When the event that made us look says that the conference ended.
        source: What made us look.
    """

    conference_record: str
    organizer: Organizer
    ended_event_at: datetime | None
    source: SyncSource


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of it.

    Attributes:
        conference: As it is stored now.
        people: How many people have an attendance document.
        read: Whether Meet was asked; not for a message that came again.
        refusal: Why Meet refused, if it did; what was read before stands all the same.
    """

    conference: Conference
    people: int
    read: bool
    refusal: SyncError | None


async def record_conference(
    request: Request,
    *,
    conferences: Conferences,
    store: AttendanceStore,
    clock: Clock,
    rules: RecordingRules,
    turns: Turns,
) -> Recorded:
    """Read a conference and store it with everybody's attendance.

    Idempotent, and safe against itself in other processes: it may run twice, late, at the same time and in any
    order, and it may be killed at any moment.

    Raises:
        Retryable: Meet or the store could not answer now; nothing was written, or everything.
        Permanent: It can never succeed; nothing was written.
    """
    asked_at = clock()
    async with turns.of(request.conference_record):
        loaded = await _load(request, store)
        stored = loaded[0].value
        outcome = None
        if needs_reading(stored, asked_at=asked_at, ended_event_at=request.ended_event_at):
            outcome = await _read(request, stored, conferences=conferences, clock=clock)
        for _ in range(COMMIT_ATTEMPTS):
            try:
                return await _commit(request, outcome, loaded, store=store, rules=rules)
            except StoreConflict:
                loaded = await _load(request, store)
        raise StoreConflict("Other processes kept writing the same conference.")


Stored = tuple[Loaded[Conference], Loaded[AttendanceSheet]]


async def _load(request: Request, store: AttendanceStore) -> Stored:
    return await asyncio.gather(
        store.load_conference(request.conference_record),
        store.load_sheet(unscheduled_session_id(request.conference_record)),
    )


async def _read(
    request: Request, stored: Conference | None, *, conferences: Conferences, clock: Clock
) -> Reading | SyncError:
    """What Meet says, or why it will not say it before a person mends something."""
    organizer = request.organizer
    if not organizer.known and stored:
        organizer = stored.organizer
    began = clock()
    try:
        if not organizer.known:
            raise OrganizerUnknown("The event does not say whose conference it is, and none is stored.")
        return await conferences.read(request.conference_record, organizer=organizer)
    except NeedsOperator as error:
        return SyncError.of(error, at=began)


async def _commit(
    request: Request,
    outcome: Reading | SyncError | None,
    loaded: Stored,
    *,
    store: AttendanceStore,
    rules: RecordingRules,
) -> Recorded:
    """Decide from what is stored and from what Meet said, and write it."""
    stored_conference, stored_sheet = loaded
    conference = _decide(request, stored_conference.value, outcome, rules)
    sheet = unscheduled_sheet(conference, time_zone=rules.time_zone)
    if sheet:
        conference = dataclasses.replace(conference, session_ids=(sheet.session.session_id,))
    await store.save(
        conference=Change(stored_conference, conference), sheet=Change(stored_sheet, sheet) if sheet else None
    )
    return Recorded(
        conference=conference,
        people=len(sheet.attendance) if sheet else 0,
        read=outcome is not None,
        refusal=outcome if isinstance(outcome, SyncError) else None,
    )


def _decide(
    request: Request, stored: Conference | None, outcome: Reading | SyncError | None, rules: RecordingRules
) -> Conference:
    match outcome:
        case Reading():
            return after_reading(
                stored,
                outcome,
                organizer=request.organizer,
                ended_event_at=request.ended_event_at,
                source=request.source,
                settle=rules.settle,
            )
        case SyncError():
            return after_failure(
                stored,
                outcome,
                conference_record=request.conference_record,
                organizer=request.organizer,
                ended_event_at=request.ended_event_at,
                source=request.source,
            )
        case None:
            if stored is None:
                raise StoreConflict("The conference was removed while it was being recorded.")
            return stored

"""Bring conferences and class meetings up to date: Meet -> snapshots -> attendance. The heart of the system.

Events, redeliveries, jobs and calls by hand all end here and converge on the same documents: what is stored is a
function of what Meet said and when, and everything is written in one commit or not at all.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from functions.domain.attendance import conference_time, unscheduled_session_id
from functions.domain.certainty import was_searched
from functions.domain.errors import (
    ConferenceRecordGone,
    NeedsOperator,
    NoConferenceRecord,
    NotFound,
    OrganizerUnknown,
    Permanent,
    Retryable,
    StoreConflict,
)
from functions.domain.intervals import Interval
from functions.domain.model import (
    Conference,
    Kind,
    Organizer,
    Reading,
    Snapshot,
    Sync,
    SyncError,
    SyncSource,
    is_reported,
)
from functions.domain.sessions import ClassSession
from functions.domain.syncing import LONGEST_CALL, after_failure, after_reading, is_unfinished, needs_reading
from functions.domain.timetable import MARGIN, Room, Span
from functions.domain.who import account_of
from functions.ports import Listing, SheetChange, Work
from functions.services.deps import Deps
from functions.services.marking import Attempt, accounts, mark, place, supersede
from functions.services.resolve_identities import resolve_identities


@dataclass(frozen=True, slots=True)
class Request:
    """One wish to have a conference recorded.

    Attributes:
        conference_record: `conferenceRecords/{id}`.
        organizer: As whom to read it; whoever is stored, or the class's teacher, if unknown.
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
        people: How many people have an attendance document by it.
        read: Whether Meet was asked; not for a message that came again.
        refusal: Why Meet refused, if it did; what was read before stands all the same.
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


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at a room's list of conference records: over which starts it reached, as whom, and what it gave."""

    reach: Interval
    organizer: Organizer
    listing: Listing | SyncError


@dataclass(slots=True)
class _Found:
    """What Meet said in one go.

    Attributes:
        outcomes: By conference record, what reading it gave.
        looks: By space, its conference records, or why they could not be listed.
        later: The first error that may pass by itself: raised once everything else is stored.
    """

    outcomes: dict[str, Reading | SyncError] = field(default_factory=dict)
    looks: dict[str, _Look] = field(default_factory=dict)
    later: Retryable | None = None
    tried_at: datetime | None = None


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
        stored, organizer = await _stored(request, deps)
        found = _Found(tried_at=deps.clock())
        if needs_reading(stored, asked_at=asked_at, ended_event_at=request.ended_event_at):
            found.outcomes[request.conference_record] = await _read(request.conference_record, organizer, deps)
        outcome = found.outcomes.get(request.conference_record)
        conference = _decided(stored, outcome, request, organizer, deps) if outcome else stored
        sessions: Mapping[str, ClassSession] = {}
        if conference and conference.snapshot:
            sessions = await _scheduled_with(conference, deps)
            for session in sessions.values():
                if outcome or not was_searched(session, [conference]):
                    await _look_around(session, found, beside=sessions.values(), strict=False, full=False, deps=deps)
        everybody_known = await _resolve(found, [conference] if conference else [], organizer, deps)

        async def decide(work: Work) -> tuple[Conference, int]:
            now = deps.clock()
            session_ids = sessions or [unscheduled_session_id(request.conference_record)]
            await _load(work, found, [conference] if conference else [], session_ids)
            touched = await _store(work, found, request, organizer, deps)
            if not outcome:
                again = await work.conference(request.conference_record)
                touched |= await place(work, again, now=now) if again else frozenset()
            attempts = await _attempts(work, found, sessions, everybody_known=everybody_known)
            if not everybody_known and not sessions:
                attempts = {
                    session_id: Attempt(now, listed=False, error=None, everybody_known=False) for session_id in touched
                }
            sheets = await mark(work, touched | set(sessions), rules=deps.rules, now=now, attempts=attempts)
            done = await work.conference(request.conference_record)
            if done is None:
                raise StoreConflict("The conference was removed while it was being recorded.")
            return done, sum(len(sheet.attendance) for sheet in sheets.values())

        (done, people), _ = await deps.store.transact(decide)
    if found.later:
        raise found.later
    return Recorded(
        conference=done,
        people=people,
        read=outcome is not None,
        refusal=outcome if isinstance(outcome, SyncError) else None,
    )


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
        found = _Found(tried_at=deps.clock())
        if session.plan.scheduled is None:
            request = Request(f"conferenceRecords/{session_id}", Organizer(), None, source)
            conference, organizer = await _stored(request, deps)
            if full or conference is None or is_unfinished(conference):
                await _read_all([request.conference_record], organizer, found, strict=strict, deps=deps)
        else:
            organizer = await _look_around(session, found, strict=strict, full=full, deps=deps)
        everybody_known = await _resolve(found, stored, organizer, deps)

        async def decide(work: Work) -> tuple[frozenset[str], Sync | None]:
            request = Request("", organizer, None, source)
            await _load(work, found, stored, [session_id])
            touched = await _store(work, found, request, organizer, deps)
            attempts = await _attempts(work, found, [session_id], everybody_known=everybody_known)
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

        (joined, sync), changes = await deps.store.transact(decide)
    if found.later:
        raise found.later
    change = changes.get(session_id, SheetChange())
    return SessionSynced(
        session_id=session_id,
        created=len(change.created & joined),
        updated=len(change.updated & joined),
        meet_calls=sum(o.meet_calls for o in found.outcomes.values() if isinstance(o, Reading)),
        sync=sync,
    )


async def remark_session(session_id: str, *, deps: Deps) -> None:
    """Mark a class meeting again from what is stored; Meet is not asked. One that is gone is no error."""

    async def decide(work: Work) -> None:
        await mark(work, [session_id], rules=deps.rules, now=deps.clock())

    await deps.store.transact(decide)


async def _session(session_id: str, deps: Deps) -> tuple[ClassSession, list[Conference]]:
    """A class meeting with its conferences that are stored."""

    async def load(work: Work) -> tuple[ClassSession, list[Conference]]:
        session = await work.session(session_id)
        if session is None:
            raise NotFound("There is no such class meeting.")
        conferences = [await work.conference(name) for name in session.conference_records]
        return session, [conference for conference in conferences if conference]

    loaded, _ = await deps.store.transact(load)
    return loaded


async def _stored(request: Request, deps: Deps) -> tuple[Conference | None, Organizer]:
    """A conference as it is stored, and as whom it is to be read."""

    async def load(work: Work) -> tuple[Conference | None, Organizer]:
        conference = await work.conference(request.conference_record)
        organizer = request.organizer
        if not organizer.known and conference:
            organizer = conference.organizer
        if not organizer.known:
            organizer = await _teacher(work, request.conference_record, conference, deps)
        if organizer.user and not organizer.email:
            tracked, people = await asyncio.gather(work.organizer(organizer.user), work.people([organizer.user]))
            person = people.get(organizer.user)
            known = tracked.email if tracked else person.identity.email if person and person.identity else None
            organizer = Organizer(organizer.user, known)
        return conference, organizer

    loaded, _ = await deps.store.transact(load)
    return loaded


async def _teacher(work: Work, conference_record: str, conference: Conference | None, deps: Deps) -> Organizer:
    """The teacher of the class that a conference belongs to, if that is known."""
    session_ids = conference.session_ids if conference else await deps.store.sessions_with(conference_record)
    for session_id in session_ids:
        session = await work.session(session_id)
        if session and session.plan.teachers:
            return await _account_of(session.plan.teachers[0], deps)
    return Organizer()


async def _account_of(email: str, deps: Deps) -> Organizer:
    """A teacher by address, with the account if the teacher is tracked."""
    tracked = await deps.store.organizer_with(email)
    return Organizer(tracked.user if tracked else None, email)


async def _scheduled_with(conference: Conference, deps: Deps) -> dict[str, ClassSession]:
    """The scheduled class meetings that a conference belongs to."""

    async def load(work: Work) -> dict[str, ClassSession]:
        time = conference_time(conference)
        if conference.snapshot is None or time is None:
            return {}
        room = await work.room(conference.snapshot.space.name)
        session_ids = conference.attached_to or room.sessions_of(time)
        sessions = {session_id: await work.session(session_id) for session_id in session_ids}
        return {session_id: session for session_id, session in sessions.items() if session and session.plan.takes_place}

    sessions, _ = await deps.store.transact(load)
    return sessions


async def _look_around(
    session: ClassSession,
    found: _Found,
    *,
    strict: bool,
    full: bool,
    deps: Deps,
    beside: Iterable[ClassSession] = (),
) -> Organizer:
    """List a scheduled class meeting's records and read those that are not read for good.

    Args:
        session: The class meeting.
        found: What Meet said so far; a room that was looked at is not looked at again.
        strict: Whether any error is raised.
        full: Whether records that were read for good are read again.
        deps: The outside world.
        beside: Further class meetings for which the same look is to do.

    Returns:
        As whom that was done.
    """
    space, scheduled = session.space.name, session.plan.takes_place
    room, attached = await _room_and_attached(session, deps)
    # Meet lists records only to the owner of their space.
    organizer = room.owner
    if organizer.user is None and (email := organizer.email or next(iter(session.plan.teachers), None)):
        organizer = await _account_of(email, deps)
    if scheduled is None:
        return organizer
    if space not in found.looks:
        began_at, reach = deps.clock(), _reach([session, *(other for other in beside if other.space.name == space)])
        listing: Listing | SyncError
        try:
            if not organizer.known:
                raise OrganizerUnknown("The class meeting has no teacher as whom its room could be looked at.")
            listing = await deps.conferences.list(space=space, since=reach.start, until=reach.end, organizer=organizer)
        except (NeedsOperator, Retryable, Permanent) as error:
            if strict:
                raise
            listing = SyncError.of(error, at=began_at)
            if isinstance(error, Retryable):
                found.later = found.later or error
        found.looks[space] = _Look(reach, organizer, listing)
    room = _with_listing(room, found.looks[space].listing)
    wanted = await _unfinished({*room.records_of(session.session_id), *attached}, full=full, deps=deps)
    await _read_all(wanted - found.outcomes.keys(), organizer, found, strict=strict, deps=deps)
    return organizer


def _reach(sessions: Iterable[ClassSession]) -> Interval:
    """When every record has begun that could be these classes', wherever their borders to other classes move."""
    times = [scheduled for session in sessions if (scheduled := session.plan.takes_place)]
    return Interval(min(t.start for t in times) - MARGIN - LONGEST_CALL, max(t.end for t in times) + MARGIN)


async def _room_and_attached(session: ClassSession, deps: Deps) -> tuple[Room, list[str]]:
    async def load(work: Work) -> Room:
        return await work.room(session.space.name)

    room, _ = await deps.store.transact(load)
    return room, [record.conference_record for record in session.plan.attached]


async def _unfinished(records: Collection[str], *, full: bool, deps: Deps) -> set[str]:
    """Those of some records that are to be read."""

    async def load(work: Work) -> set[str]:
        wanted = set()
        for record in records:
            if is_reported(record):
                continue
            conference = await work.conference(record)
            if full or conference is None or is_unfinished(conference):
                wanted.add(record)
        return wanted

    wanted, _ = await deps.store.transact(load)
    return wanted


async def _read_all(records: Iterable[str], organizer: Organizer, found: _Found, *, strict: bool, deps: Deps) -> None:
    async def read(record: str) -> None:
        began_at = deps.clock()
        try:
            stored, known = await _stored(Request(record, Organizer(), None, SyncSource.MANUAL), deps)
            found.outcomes[record] = await _read(
                record, known if stored and known.known else organizer, deps, strict=strict
            )
        except Retryable as error:
            if strict:
                raise
            found.later = found.later or error
        except Permanent as error:
            if strict:
                raise
            # Meet named it a moment ago; that it is gone now is no proof of anything.
            found.outcomes[record] = SyncError.of(error, at=began_at)

    await asyncio.gather(*(read(record) for record in sorted(records)))


async def _read(
    conference_record: str, organizer: Organizer, deps: Deps, *, strict: bool = False
) -> Reading | SyncError:
    """What Meet says, or why it will not say it before a person mends something."""
    began = deps.clock()
    if is_reported(conference_record):
        raise ConferenceRecordGone("This conference is known from Google's reports alone: Meet has no record of it.")
    try:
        if not organizer.known:
            raise OrganizerUnknown("Nobody says whose conference it is, and nothing of it is stored.")
        return await deps.conferences.read(conference_record, organizer=organizer)
    except NeedsOperator as error:
        if strict:
            raise
        return SyncError.of(error, at=began)


async def _resolve(found: _Found, stored: Iterable[Conference], organizer: Organizer, deps: Deps) -> bool:
    """Look up everybody who was in what was read or is stored."""
    users = set(accounts(stored))
    for outcome in found.outcomes.values():
        if isinstance(outcome, Reading):
            users |= _users_in(outcome.snapshot)
    if organizer.user:
        users.add(organizer.user)
    return await resolve_identities(users, acting_as=organizer, deps=deps)


def _users_in(snapshot: Snapshot) -> set[str]:
    """Every account, `users/{id}`, that was in a conference."""
    return {user for participant in snapshot.participants if (user := account_of(participant.user))}


async def _load(work: Work, found: _Found, known: Collection[Conference], session_ids: Iterable[str]) -> None:
    """Read what is stored of all that Meet spoke of, at one moment: where a conference belongs rests on its room."""
    snapshots = [conference.snapshot for conference in known if conference.snapshot]
    snapshots += [outcome.snapshot for outcome in found.outcomes.values() if isinstance(outcome, Reading)]
    await work.load(
        conferences={*(conference.conference_record for conference in known), *found.outcomes},
        sessions=session_ids,
        rooms={*found.looks, *(snapshot.space.name for snapshot in snapshots)},
        people={user for snapshot in snapshots for user in _users_in(snapshot)},
    )


async def _store(work: Work, found: _Found, request: Request, organizer: Organizer, deps: Deps) -> frozenset[str]:
    """Put everything that Meet said where it belongs; gives the class meetings to be marked."""
    now = deps.clock()
    touched: set[str] = set()
    for space, look in found.looks.items():
        before = await work.room(space)
        room = _with_listing(before, look.listing)
        for span in before.spans:
            if span not in room.spans and await _has_ended(work, span.conference_record):
                room = room.with_span(span)  # the list is older than what was read
        if isinstance(look.listing, Listing) and look.listing.records:
            room = _owned_by(room, look.organizer)
        if room is not before:
            work.put_room(room.since(now))
            touched |= await supersede(work, before, room, now=now)
    for record, outcome in found.outcomes.items():
        asked = request if record == request.conference_record else dataclasses.replace(request, ended_event_at=None)
        before_it = await work.conference(record)
        asked = dataclasses.replace(asked, conference_record=record)
        conference = _decided(before_it, outcome, asked, organizer, deps)
        touched |= await place(work, conference, now=now)
        await _learn_owner(work, conference, request)
    return frozenset(touched)


async def _has_ended(work: Work, conference_record: str) -> bool:
    """Whether the end of a conference was read, which no list changes any more."""
    conference = await work.conference(conference_record)
    return conference is not None and conference.snapshot is not None and bool(conference.snapshot.record.end_time)


async def _learn_owner(work: Work, conference: Conference, request: Request) -> None:
    """Learn from an event whose room it is: events come only for the owner's subscription."""
    owner = request.organizer
    if request.source is SyncSource.EVENT and owner.user and conference.snapshot:
        before = await work.room(conference.snapshot.space.name)
        room = _owned_by(before, conference.organizer)
        if room is not before:
            work.put_room(room)


def _owned_by(room: Room, owner: Organizer) -> Room:
    """A room with classes in it, once it is known whose it is: Meet lists records and tells events to nobody else."""
    knows_more = owner.user is not None or not room.owner.known
    return dataclasses.replace(room, owner=owner) if room.slots and knows_more and owner != room.owner else room


def _decided(
    stored: Conference | None, outcome: Reading | SyncError, request: Request, organizer: Organizer, deps: Deps
) -> Conference:
    match outcome:
        case Reading():
            conference = after_reading(
                stored,
                outcome,
                organizer=organizer,
                ended_event_at=request.ended_event_at,
                source=request.source,
                settle=deps.rules.settle,
            )
        case SyncError():
            conference = after_failure(
                stored,
                outcome,
                conference_record=request.conference_record,
                organizer=organizer,
                ended_event_at=request.ended_event_at,
                source=request.source,
            )
    return dataclasses.replace(conference, attached_to=stored.attached_to if stored else ())


def _with_listing(room: Room, listing: Listing | SyncError) -> Room:
    if isinstance(listing, Listing):
        known = {span.conference_record: span for span in room.spans}
        for record in listing.records:
            time = _time(record.start_time, record.end_time, listing.began_at)
            # What was read of a record is known better than what a list says of it, but that it went on since.
            span = known.get(record.name)
            if span is None or span.time.end < time.end:
                room = room.with_span(Span(record.name, time, read=span is not None and span.read))
    return room


def _time(start: datetime, end: datetime | None, listed_at: datetime) -> Interval:
    return Interval(start, end or max(start, listed_at))


async def _attempts(
    work: Work, found: _Found, session_ids: Iterable[str], *, everybody_known: bool
) -> dict[str, Attempt]:
    """What was tried for class meetings as they are planned now.

    One that was moved while Meet was asked was not looked for where it is now, so nothing was tried for it.
    """
    attempts = {}
    for session_id in session_ids:
        session = await work.session(session_id)
        look = found.looks.get(session.space.name) if session else None
        if session is None or look is None or session.plan.takes_place is None:
            continue
        needed, listing = _reach([session]), look.listing
        if not (look.reach.start <= needed.start and needed.end <= look.reach.end):
            continue
        if isinstance(listing, Listing):
            error = SyncError.of(found.later, at=listing.began_at) if found.later else None
            attempts[session_id] = Attempt(listing.began_at, listed=True, error=error, everybody_known=everybody_known)
        else:
            attempts[session_id] = Attempt(listing.at, listed=False, error=listing, everybody_known=everybody_known)
    return attempts

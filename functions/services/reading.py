"""Ask Meet for what the store does not hold yet: which conferences there are, and who was in them.

Nothing is written here: what Meet said is gathered, to be stored in one commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from functions.domain.attendance import conference_time
from functions.domain.errors import (
    AttendanceError,
    ConferenceRecordGone,
    MeetNotShown,
    MeetUnavailable,
    NeedsOperator,
    OrganizerUnknown,
    Permanent,
    Retryable,
)
from functions.domain.intervals import Interval
from functions.domain.model import (
    Conference,
    Organizer,
    Participant,
    Reading,
    Snapshot,
    SyncError,
    SyncSource,
    is_reported,
)
from functions.domain.rereading import NOTHING_KNOWN, after_interruption, is_deferred, known_of
from functions.domain.sessions import ClassSession, Person
from functions.domain.syncing import LONGEST_CALL, is_missing, is_over, is_unfinished, waits_after_refusal
from functions.domain.timetable import MARGIN, Room, Span
from functions.domain.who import account_of
from functions.ports import Listing, Work
from functions.services.deps import Deps
from functions.services.marking import accounts
from functions.services.resolve_identities import resolve_identities

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One wish to have a conference recorded.

    Attributes:
        conference_record: `conferenceRecords/{id}`.
        organizer: As whom to read it. If unknown, it is read as the organizer who is stored with it, as the teacher
            of the subscription, or as the teacher of the class.
        ended_event_at: When the event that made us look says that the conference ended.
        source: What made us look.
        subscription: The subscription that reported it, `subscriptions/{id}`.
    """

    conference_record: str
    organizer: Organizer
    ended_event_at: datetime | None
    source: SyncSource
    subscription: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """A look at a room's list of conference records: over which starts it reached, as whom, and what it gave."""

    reach: Interval
    organizer: Organizer
    listing: Listing | SyncError


@dataclass(slots=True)
class Found:
    """What Meet said in one go.

    Attributes:
        outcomes: By conference record, what reading it gave.
        looks: By space, its conference records, or why they could not be listed.
        later: The first error that may pass by itself: raised once everything else is stored.
        tried_at: When that began.
        at_once: Whether a person waits for it, so that conferences are read that wait because Meet kept failing.
        full: Whether everything is asked for, whatever is known of it.
    """

    outcomes: dict[str, Reading | SyncError] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)
    later: Retryable | None = None
    tried_at: datetime | None = None
    at_once: bool = False
    full: bool = False

    @property
    def meet_calls(self) -> int:
        """How many calls the conferences took that were read."""
        return sum(outcome.meet_calls for outcome in self.outcomes.values() if isinstance(outcome, Reading))


async def stored_conference(request: Request, deps: Deps) -> tuple[Conference | None, Organizer]:
    """A conference as it is stored, and as whom it is to be read."""

    async def load(work: Work) -> tuple[Conference | None, Organizer]:
        organizer = request.organizer
        if organizer.user and not organizer.email:  # whatever is stored: read all of it in one round trip
            conference, _, _ = await asyncio.gather(
                work.conference(request.conference_record),
                work.organizer(organizer.user),
                work.people([organizer.user]),
            )
        else:
            conference = await work.conference(request.conference_record)
        if not organizer.known and conference:
            organizer = conference.organizer
        if not organizer.known and request.subscription:
            # It reports the rooms of one teacher, and Google shows a conference to the owner of its room.
            subscribed = await deps.store.organizer_subscribed_by(request.subscription)
            organizer = Organizer(subscribed.user, subscribed.email) if subscribed else organizer
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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is stored around a conference, read in as few round trips as possible.

    Attributes:
        sessions: The scheduled class meetings that it belongs to.
        rooms: Its room.
        people: What is known of its accounts and of its teacher; None for those of whom nothing is.
    """

    sessions: Mapping[str, ClassSession] = field(default_factory=dict)
    rooms: Mapping[str, Room] = field(default_factory=dict)
    people: Mapping[str, Person | None] = field(default_factory=dict)


async def surroundings_of(conference: Conference, organizer: Organizer, deps: Deps) -> Surroundings:
    """What is stored around a conference."""

    async def load(work: Work) -> Surroundings:
        time = conference_time(conference)
        if conference.snapshot is None or time is None:
            return Surroundings()
        space = conference.snapshot.space.name
        users = {*accounts([conference]), *([organizer.user] if organizer.user else [])} if deps.identities else set()
        await work.load(rooms=[space], people=users)
        room, people = await work.room(space), await work.people(users)
        session_ids = conference.attached_to or room.sessions_of(time)
        await work.load(sessions=session_ids)
        sessions = {session_id: await work.session(session_id) for session_id in session_ids}
        return Surroundings(
            {name: session for name, session in sessions.items() if session and session.plan.takes_place},
            {space: room},
            {user: people.get(user) for user in users},
        )

    surroundings, _ = await deps.store.transact(load)
    return surroundings


async def look_around(
    session: ClassSession,
    found: Found,
    *,
    strict: bool,
    full: bool,
    deps: Deps,
    beside: Iterable[ClassSession] = (),
    rooms: Mapping[str, Room] | None = None,
) -> Organizer:
    """List a scheduled class meeting's records and read those that are not read for good.

    Args:
        session: The class meeting.
        found: What Meet said so far; a room that was looked at is not looked at again.
        strict: Whether any error is raised.
        full: Whether records that were read for good are read again.
        deps: The outside world.
        beside: Further class meetings for which the same look is to do.
        rooms: Rooms that were loaded already.

    Returns:
        As whom that was done.
    """
    space, scheduled = session.space.name, session.plan.takes_place
    room = (rooms or {}).get(space) or await _room(space, deps)
    attached = [record.conference_record for record in session.plan.attached]
    # Meet lists records only to the owner of their space.
    organizer = room.owner
    if organizer.user is None and (email := organizer.email or next(iter(session.plan.teachers), None)):
        organizer = await _account_of(email, deps)
    if scheduled is None:
        return organizer
    if space not in found.looks:
        began_at, reach = deps.clock(), reach_of([session, *(other for other in beside if other.space.name == space)])
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
        found.looks[space] = Look(reach, organizer, listing)
    room = with_listing(room, found.looks[space].listing)
    others = {*room.records_of(session.session_id), *attached} - found.outcomes.keys()
    wanted = await _unfinished(others, full=full, strict=strict, deps=deps)
    await read_all(wanted, organizer, found, strict=strict, deps=deps)
    return organizer


def reach_of(sessions: Iterable[ClassSession]) -> Interval:
    """When every record has begun that could be these classes', wherever their borders to other classes move."""
    times = [scheduled for session in sessions if (scheduled := session.plan.takes_place)]
    return Interval(min(t.start for t in times) - MARGIN - LONGEST_CALL, max(t.end for t in times) + MARGIN)


async def _room(space: str, deps: Deps) -> Room:
    async def load(work: Work) -> Room:
        return await work.room(space)

    room, _ = await deps.store.transact(load)
    return room


async def _unfinished(records: Collection[str], *, full: bool, strict: bool, deps: Deps) -> set[str]:
    """Those of some records that are to be read; if not `strict`, without those that the store refused lately."""

    async def load(work: Work) -> set[str]:
        await work.load(conferences=records)
        wanted = set()
        for record in records:
            if is_reported(record):
                continue
            conference = await work.conference(record)
            waits = not strict and waits_after_refusal(conference, now=deps.clock())
            if full or conference is None or (is_unfinished(conference) and not waits):
                wanted.add(record)
        return wanted

    wanted, _ = await deps.store.transact(load)
    return wanted


async def read_all(records: Iterable[str], organizer: Organizer, found: Found, *, strict: bool, deps: Deps) -> None:
    """Read conferences at once, each as whoever is stored for it, else as `organizer`, into `found`.

    What may pass by itself becomes `found.later`, so that the others are stored all the same; if `strict`, the first
    error is raised.
    """

    async def read(record: str) -> None:
        began_at = deps.clock()
        try:
            stored, known = await stored_conference(Request(record, Organizer(), None, SyncSource.MANUAL), deps)
            request = Request(record, known if stored and known.known else organizer, None, SyncSource.RECONCILE)
            found.outcomes[record] = await read_conference(request, stored, found, deps, strict=strict)
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


async def read_conference(
    request: Request, stored: Conference | None, found: Found, deps: Deps, *, strict: bool = False
) -> Reading | SyncError:
    """What Meet says, or why it does not say it before a person has done something.

    Args:
        request: Which conference, and as whom it is read.
        stored: The conference as it is stored.
        found: What is wanted: at once or when it is time, and whether everything.
        deps: The outside world.
        strict: Whether any error is raised, and nothing is stored about it.

    Raises:
        Retryable: Meet could not answer now. What it did answer is stored, so that the next read needs less.
        Permanent: Meet can never answer.
    """
    began = deps.clock()
    if is_reported(request.conference_record):
        raise ConferenceRecordGone("This conference is known from Google's reports alone: Meet has no record of it.")
    if not (strict or found.at_once) and is_deferred(stored, now=began):
        raise MeetUnavailable("Meet did not answer for this conference before; it is not asked again yet.")
    read: list[Participant] = []
    try:
        if not request.organizer.known:
            raise OrganizerUnknown("Nobody says whose conference it is, and nothing of it is stored.")
        known = NOTHING_KNOWN if found.full else known_of(stored)
        return await deps.conferences.read(
            request.conference_record, organizer=request.organizer, known=known, keep=read.append
        )
    except Retryable:
        if not strict:
            await _keep(read, began, request, deps)
        raise
    except NeedsOperator as error:
        if isinstance(error, MeetNotShown) and is_missing(stored, ended_event_at=request.ended_event_at, now=began):
            raise ConferenceRecordGone("Meet does not have the conference record yet, or not any more.") from error
        if strict:
            raise
        return SyncError.of(error, at=began)


async def _keep(read: Iterable[Participant], began: datetime, request: Request, deps: Deps) -> None:
    """Store what was read of a conference that could not be read to its end, and when it is read again."""

    async def decide(work: Work) -> None:
        interrupted = after_interruption(
            await work.conference(request.conference_record),
            read,
            began_at=began,
            conference_record=request.conference_record,
            organizer=request.organizer,
            ended_event_at=request.ended_event_at,
            source=request.source,
        )
        if interrupted:
            work.put_conference(interrupted)

    try:
        await deps.store.transact(decide)
    except AttendanceError as error:
        # It can all be read again; Meet's error says more about what is wrong.
        log.warning("interruption.not_kept", extra={"reason": error.reason})


async def look_up_everybody(
    found: Found,
    stored: Collection[Conference],
    sessions: Collection[ClassSession],
    organizer: Organizer,
    deps: Deps,
    *,
    people: Mapping[str, Person | None] | None = None,
) -> bool:
    """Look up everybody who was in what was read or is stored.

    Args:
        found: What Meet said.
        stored: Conferences that are stored.
        sessions: The scheduled class meetings that they belong to.
        organizer: The person as whom Google is asked.
        deps: The outside world.
        people: What is known of accounts, as far as it was loaded already.

    Returns:
        Whether everybody could be asked for.
    """
    users = people_in(found, stored)
    if organizer.user:
        users.add(organizer.user)
    plans = [session.plan for session in sessions if session.plan.scheduled]
    emails = {email for plan in plans for email in (*plan.teachers, *(e.email for e in plan.roster)) if email}
    return await resolve_identities(
        users,
        acting_as=organizer,
        deps=deps,
        since=_left_at(found, stored, sessions, now=deps.clock()),
        expected=emails if plans else None,
        loaded=people,
    )


def people_in(found: Found, stored: Iterable[Conference]) -> set[str]:
    """Every account that was in what was read or is stored."""
    read = (outcome for outcome in found.outcomes.values() if isinstance(outcome, Reading))
    return set(accounts(stored)).union(*(users_in(reading.snapshot) for reading in read))


def _left_at(
    found: Found, stored: Iterable[Conference], sessions: Iterable[ClassSession], *, now: datetime
) -> datetime | None:
    """When the people of the latest class left it that is over, or when it was said who they are; None if none is.

    As `functions.domain.attendance.people_left_at`, where a call without an end counts as one that goes on.
    """
    calls: list[datetime | None] = []
    for conference in stored:
        time, snapshot = conference_time(conference), conference.snapshot
        if conference.conference_record not in found.outcomes and snapshot and time:
            calls.append(time.end if is_over(snapshot, conference.sync) else None)
    calls += [o.snapshot.record.end_time for o in found.outcomes.values() if isinstance(o, Reading)]
    known = [end for end in calls if end]
    last = max(known) if known and len(known) == len(calls) else None
    scheduled = [session.plan.scheduled.end for session in sessions if session.plan.scheduled]
    moments = [min(end, last) if last else end for end in scheduled] if scheduled else [last] if last else []
    left = [moment for moment in moments if moment <= now]
    named = [session.plan.named_at for session in sessions if session.plan.named_at]
    return max([*left, *named]) if left else None


def users_in(snapshot: Snapshot) -> set[str]:
    """Every account, `users/{id}`, that was in a conference."""
    return {user for participant in snapshot.participants if (user := account_of(participant.user))}


def with_listing(room: Room, listing: Listing | SyncError) -> Room:
    """A room with the calls that a list names; as it was if there is no list."""
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

"""Read conferences from Meet, and hold the answers until one commit stores them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from functions.domain.classes.sessions import ClassSession
from functions.domain.classes.timetable import MARGIN, Room, Span
from functions.domain.conferences.model import (
    Conference,
    Organizer,
    Participant,
    Reading,
    Snapshot,
    SyncError,
    SyncSource,
    is_reported,
)
from functions.domain.conferences.rereading import NOTHING_KNOWN, after_interruption, is_deferred, known_of
from functions.domain.conferences.syncing import LONGEST_CALL, after_failure, after_reading, is_missing
from functions.domain.errors import (
    MEET_UNAVAILABLE,
    AttendanceError,
    ConferenceRecordGone,
    NeedsOperator,
    NotShown,
    OrganizerUnknown,
    Permanent,
    Retryable,
    Unavailable,
)
from functions.domain.intervals import Interval
from functions.domain.marking.attendance import unscheduled_session_id
from functions.domain.marking.who import account_of
from functions.hints import ORGANIZER_UNKNOWN
from functions.ports.google import Listing
from functions.ports.store import Reader, Work
from functions.services.deps import Deps
from functions.services.stored import account_with

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One request to record a conference.

    Attributes:
        conference_record: `conferenceRecords/{id}`.
        organizer: Whose account reads it. If unknown, it is read as the organizer who is stored with it, as the teacher
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
    """A listing of a room's conference records: its range of starts, the account used, and the result."""

    reach: Interval
    organizer: Organizer
    listing: Listing | SyncError


@dataclass(slots=True)
class Gathered:
    """What Meet said, and what was stored when Meet was asked.

    Attributes:
        source: What made us look.
        organizer: The account that Meet was asked as; conferences that are read keep it.
        tried_at: When that began.
        request: The wish to have a conference recorded; None if a class meeting is brought up to date.
        full: Whether everything is asked for, whatever is known of it.
        strict: Whether any error ends it with nothing changed.
        stored: The conferences that were stored, as they were.
        sessions: The class meetings to be marked, as they were planned.
        outcomes: By conference record, what reading it gave.
        looks: By space, its conference records, or why they could not be listed.
        later: The first error that may pass by itself: raised once everything else is stored.
    """

    source: SyncSource
    organizer: Organizer
    tried_at: datetime
    request: Request | None = None
    full: bool = False
    strict: bool = False
    stored: list[Conference] = field(default_factory=list)
    sessions: dict[str, ClassSession] = field(default_factory=dict)
    outcomes: dict[str, Reading | SyncError] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)
    later: Retryable | None = None
    _decided: dict[str, tuple[Conference | None, Conference]] = field(default_factory=dict)

    @property
    def at_once(self) -> bool:
        """Whether a person waits for it, so that conferences are read that wait because Meet kept failing."""
        return self.source is SyncSource.MANUAL

    @property
    def meet_calls(self) -> int:
        """How many calls to Meet it took to read the conferences."""
        return sum(outcome.meet_calls for outcome in self.outcomes.values() if isinstance(outcome, Reading))

    @property
    def session_ids(self) -> tuple[str, ...]:
        """The class meetings to be marked: the scheduled ones, or the one that the conference is by itself."""
        alone = [unscheduled_session_id(self.request.conference_record)] if self.request else []
        return tuple(self.sessions or alone)

    def decided(self, record: str, stored: Conference | None, *, settle: timedelta) -> Conference:
        """A conference after what reading it gave; that is worked out once for the same stored conference."""
        if record not in self._decided or self._decided[record][0] != stored:
            self._decided[record] = stored, self.after(record, stored, self.outcomes[record], settle=settle)
        return self._decided[record][1]

    def after(
        self, record: str, stored: Conference | None, outcome: Reading | SyncError, *, settle: timedelta
    ) -> Conference:
        """A conference after it was read, or after that failed: what was read before stays then."""
        asked = self.request if self.request and self.request.conference_record == record else None
        ended_event_at = asked.ended_event_at if asked else None
        match outcome:
            case Reading():
                conference = after_reading(
                    stored,
                    outcome,
                    organizer=self.organizer,
                    ended_event_at=ended_event_at,
                    source=self.source,
                    settle=settle,
                )
            case SyncError():
                conference = after_failure(
                    stored,
                    outcome,
                    conference_record=record,
                    organizer=self.organizer,
                    ended_event_at=ended_event_at,
                    source=self.source,
                    settle=settle,
                )
        return replace(conference, attached_to=stored.attached_to if stored else ())


async def stored_conference(request: Request, reader: Reader, deps: Deps) -> tuple[Conference | None, Organizer]:
    """A conference as it is stored, and the account to read it as."""
    organizer = request.organizer
    if organizer.user and not organizer.email:  # whatever is stored: both are needed, so in one round trip
        conference, _ = await asyncio.gather(
            reader.conference(request.conference_record), reader.organizer(organizer.user)
        )
    else:
        conference = await reader.conference(request.conference_record)
    if not organizer.known and conference:
        organizer = conference.organizer
    if not organizer.known and request.subscription:
        # It reports the rooms of one teacher, and Google shows a conference to the owner of its room.
        subscribed = await deps.store.organizer_subscribed_by(request.subscription)
        organizer = Organizer(subscribed.user, subscribed.email) if subscribed else organizer
    if not organizer.known:
        organizer = await _teacher(request.conference_record, conference, reader, deps)
    if organizer.user and not organizer.email:
        organizer = Organizer(organizer.user, await _address_of(organizer.user, reader))
    return conference, organizer


async def _address_of(user: str, reader: Reader) -> str | None:
    """The address of an account: the one that the teacher was enrolled with, else the one that is known."""
    tracked = await reader.organizer(user)
    if tracked:
        return tracked.email
    person = (await reader.people([user])).get(user)
    reader.forget(people=[user])  # people are read last, as nothing guards them: see `identify`
    return person.identity.email if person and person.identity else None


async def _teacher(conference_record: str, conference: Conference | None, reader: Reader, deps: Deps) -> Organizer:
    """The teacher of the class that a conference belongs to, if that is known."""
    session_ids = conference.session_ids if conference else await deps.store.sessions_with(conference_record)
    for session_id in session_ids:
        session = await reader.session(session_id)
        if session and session.plan.teachers:
            return await account_with(session.plan.teachers[0], deps.store)
    return Organizer()


def reach_of(sessions: Iterable[ClassSession]) -> Interval:
    """When every record has begun that could be these classes', wherever their borders to other classes move."""
    times = [scheduled for session in sessions if (scheduled := session.plan.takes_place)]
    return Interval(min(t.start for t in times) - MARGIN - LONGEST_CALL, max(t.end for t in times) + MARGIN)


async def read_all(
    records: Iterable[str], organizer: Organizer, gathered: Gathered, reader: Reader, deps: Deps
) -> None:
    """Read conferences at once, each as the account that is stored with it, else as `organizer`.

    What may pass by itself becomes `gathered.later`, so that the others are stored all the same; if `strict`, the
    first error is raised.
    """

    async def read(record: str) -> None:
        began_at = deps.clock()
        try:
            asked = Request(record, Organizer(), None, SyncSource.RECONCILE)
            stored, known = await stored_conference(asked, reader, deps)
            asked = replace(asked, organizer=known if stored and known.known else organizer)
            gathered.outcomes[record] = await read_conference(asked, stored, gathered, reader, deps)
        except Retryable as error:
            if gathered.strict:
                raise
            gathered.later = gathered.later or error
        except Permanent as error:
            if gathered.strict:
                raise
            # Meet named it a moment ago; that it is gone now is no proof of anything.
            gathered.outcomes[record] = SyncError.of(error, at=began_at)

    await asyncio.gather(*(read(record) for record in sorted(records)))


async def read_conference(
    request: Request, stored: Conference | None, gathered: Gathered, reader: Reader, deps: Deps
) -> Reading | SyncError:
    """What Meet says, or why a person must act before Meet answers.

    Args:
        request: Which conference, and the account to read it as.
        stored: The conference as it is stored.
        gathered: What is wanted: at once or when it is time, whether everything, and whether any error is raised.
        reader: What is stored.
        deps: The outside world.

    Raises:
        Retryable: Meet could not answer now. What it did answer is stored, so that the next read needs less.
        Permanent: Meet can never answer.
    """
    began = deps.clock()
    if is_reported(request.conference_record):
        raise ConferenceRecordGone("This conference is known from Google's reports alone: Meet has no record of it.")
    if not (gathered.strict or gathered.at_once) and is_deferred(stored, now=began):
        raise Unavailable(
            "Meet did not answer for this conference; the system asks again later.", reason=MEET_UNAVAILABLE
        )
    read: list[Participant] = []
    try:
        if not request.organizer.known:
            raise OrganizerUnknown("We do not know who organized this conference.", hint=ORGANIZER_UNKNOWN)
        known = NOTHING_KNOWN if gathered.full else known_of(stored)
        return await deps.conferences.read(
            request.conference_record, organizer=request.organizer, known=known, keep=read.append
        )
    except Retryable:
        if not gathered.strict:
            await _keep(read, began, request, reader, deps)
        raise
    except NeedsOperator as error:
        if isinstance(error, NotShown) and is_missing(stored, ended_event_at=request.ended_event_at, now=began):
            raise ConferenceRecordGone("Meet does not have the conference record yet, or no longer has it.") from error
        if gathered.strict:
            raise
        return SyncError.of(error, at=began)


async def _keep(read: Iterable[Participant], began: datetime, request: Request, reader: Reader, deps: Deps) -> None:
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
    reader.forget(conferences=[request.conference_record])


def users_in(snapshot: Snapshot) -> set[str]:
    """Every account, `users/{id}`, that was in a conference."""
    return {user for participant in snapshot.participants if (user := account_of(participant.user))}


def with_listing(room: Room, listing: Listing | SyncError) -> Room:
    """The room with the listed calls added; unchanged without a list."""
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

"""What Meet is asked for, and what Meet answered, until one commit stores it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from functions.domain.classes.sessions import ClassSession
from functions.domain.classes.timetable import MARGIN, Room, Span
from functions.domain.conferences.model import Conference, Organizer, Reading, Snapshot, SyncError, SyncSource
from functions.domain.conferences.syncing import LONGEST_CALL, after_failure, after_reading
from functions.domain.errors import Retryable
from functions.domain.intervals import Interval
from functions.domain.marking.attendance import unscheduled_session_id
from functions.domain.marking.who import account_of
from functions.ports.google import Listing


@dataclass(frozen=True, slots=True)
class Request:
    """One request to record a conference.

    Attributes:
        conference_record: `conferenceRecords/{id}`.
        organizer: The person whose account reads it. If unknown, it is read as the organizer who is stored with it, as
            the teacher of the subscription, or as the teacher of the class.
        ended_event_at: When the conference ended, according to the event that started this.
        source: What made us look.
        subscription: The subscription that reported it, `subscriptions/{id}`.
        full: Whether everybody's sessions are read, even if they are known.
    """

    conference_record: str
    organizer: Organizer
    ended_event_at: datetime | None
    source: SyncSource
    subscription: str | None = None
    full: bool = False


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
        request: The request to record a conference; None if a class meeting is updated.
        full: Whether everything is read, even if it is already known.
        strict: Whether any error ends it with nothing changed.
        stored: The conferences that were stored, as they were.
        sessions: The class meetings to be marked, as they were planned.
        outcomes: The result of each read, by conference record.
        looks: The conference records of each space, or why they could not be listed, by space.
        later: The first error that may pass by itself: raised once everything else is stored.
        people_read_at: When stored data about the participants, or who is erased, was first read, if that was while
            Meet was asked.
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
    people_read_at: datetime | None = None
    _decided: dict[str, tuple[Conference | None, Conference]] = field(default_factory=dict)

    @property
    def at_once(self) -> bool:
        """Whether a person waits for it, so that conferences are read that wait because Meet kept failing."""
        return self.source is SyncSource.MANUAL

    @property
    def meet_calls(self) -> int:
        """How many calls to Meet the reads took."""
        return sum(outcome.meet_calls for outcome in self.outcomes.values() if isinstance(outcome, Reading))

    @property
    def session_ids(self) -> tuple[str, ...]:
        """The class meetings to be marked: the scheduled ones, or the one that the conference is by itself."""
        alone = [unscheduled_session_id(self.request.conference_record)] if self.request else []
        return tuple(self.sessions or alone)

    def decided(self, record: str, stored: Conference | None, *, settle: timedelta) -> Conference:
        """A conference with the result of its read; computed only once for the same stored conference."""
        if record not in self._decided or self._decided[record][0] != stored:
            self._decided[record] = stored, self.after(record, stored, self.outcomes[record], settle=settle)
        return self._decided[record][1]

    def after(
        self, record: str, stored: Conference | None, outcome: Reading | SyncError, *, settle: timedelta
    ) -> Conference:
        """A conference after a read; if the read failed, what was read before stays."""
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


def reach_of(sessions: Iterable[ClassSession]) -> Interval:
    """The range of starts of records that could belong to these classes, even if borders to other classes move."""
    times = [scheduled for session in sessions if (scheduled := session.plan.takes_place)]
    return Interval(min(t.start for t in times) - MARGIN - LONGEST_CALL, max(t.end for t in times) + MARGIN)


def users_in(snapshot: Snapshot) -> set[str]:
    """Every account, `users/{id}`, that was in a conference."""
    return {user for participant in snapshot.participants if (user := account_of(participant.user))}


def with_listing(room: Room, listing: Listing | SyncError) -> Room:
    """The room with the listed calls added; unchanged without a list."""
    if isinstance(listing, Listing):
        known = {span.conference_record: span for span in room.spans}
        for record in listing.records:
            time = _time(record.start_time, record.end_time, listing.began_at)
            # What was read about a record is better than what a list says about it, except that it still goes on.
            span = known.get(record.name)
            if span is None or span.time.end < time.end:
                room = room.with_span(Span(record.name, time, read=span is not None and span.read))
    return room


def _time(start: datetime, end: datetime | None, listed_at: datetime) -> Interval:
    return Interval(start, end or max(start, listed_at))

"""What the use cases need from the world, in our words. Adapters fulfil it; nobody else knows how."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from functions.domain.calendar import Event, EventChange, EventRemoval, NewEvent
from functions.domain.model import (
    Conference,
    ConferenceRecord,
    Identity,
    Organizer,
    Participant,
    Reading,
    Space,
    Subscription,
)
from functions.domain.reported import Endpoint
from functions.domain.rereading import NOTHING_KNOWN, Known
from functions.domain.roster import Correction, RosterEntry
from functions.domain.sessions import (
    Answered,
    AttendanceSheet,
    AuditEntry,
    ClassSession,
    Person,
    Remark,
    TrackedOrganizer,
)
from functions.domain.timetable import Room

Clock = Callable[[], datetime]
"""The current time, aware UTC."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing:
    """Conference records, read to the last page; `began_at` is when the reading began. Oldest first."""

    began_at: datetime
    records: tuple[ConferenceRecord, ...]


class Conferences(Protocol):
    """Google Meet's conference records."""

    async def read(
        self,
        conference_record: str,
        *,
        organizer: Organizer,
        known: Known = NOTHING_KNOWN,
        keep: Callable[[Participant], None] = lambda _: None,
    ) -> Reading:
        """Read one conference whole: every participant with every session.

        All or nothing: a reading that misses a page is never returned. May be repeated; changes nothing.

        Args:
            conference_record: `conferenceRecords/{id}`.
            organizer: As whom it is read.
            known: What earlier reads know: sessions are asked for only where that may have changed.
            keep: Called with each participant whose sessions were asked for, so that what was read of a conference
                is not lost if the rest cannot be.

        Raises:
            Retryable: Meet could not answer now.
            NeedsOperator: Meet will not answer until a person mends something.
            Permanent: Meet can never answer.
        """

    async def list(
        self, *, space: str | None, since: datetime, until: datetime | None, organizer: Organizer
    ) -> Listing:
        """The organizer's conference records, to the last page; raises as `read` does.

        Args:
            space: Only those of this space, by when they started; None lists all, by when they ended.
            since: The earliest such time.
            until: The latest such time; None for no limit.
            organizer: Whose they are, and as whom they are listed.
        """


@dataclass(frozen=True, slots=True)
class LookUp:
    """What came of looking accounts up: every one is in exactly one of the three.

    Attributes:
        found: Who they are, by `users/{id}`.
        unknown: The services answered that they know nobody, or nobody with an address.
        unavailable: The services could not be asked now.
        reasons: The slugs of the errors behind that, for the log.
    """

    found: Mapping[str, Identity]
    unknown: frozenset[str]
    unavailable: frozenset[str]
    reasons: frozenset[str] = field(default_factory=frozenset)


class Identities(Protocol):
    """Who Google accounts are."""

    async def look_up(
        self,
        users: Collection[str],
        *,
        acting_as: Organizer,
        known_to_directory: Collection[str] = (),
        expected: Collection[str] | None = None,
    ) -> LookUp:
        """Look accounts up (`users/{id}`), within seconds; a service's failure is told, never raised.

        For accounts that the Directory knows, other services are used only if the Directory refuses access. Accounts
        without an address in `expected` (in its compared form) are asked for at the Directory too: it alone knows
        aliases. None asks it only for those whom no other service knows.
        """

    async def account(self, email: str) -> Identity | None:
        """The account with this address, asked for as that person; None if there is none.

        Raises:
            Retryable: The services could not answer now.
            NeedsOperator: They will not answer until a person mends something.
        """


class Spaces(Protocol):
    """Google Meet's rooms."""

    async def create(self, *, teacher: Organizer) -> Space:
        """A new room that belongs to the teacher; raises as `Conferences.read` does."""

    async def find(self, meeting_code: str, *, teacher: Organizer) -> Space | None:
        """The room with this meeting code or link, None if Meet has none or shows the teacher none; raises likewise."""


@dataclass(frozen=True, slots=True)
class Report:
    """Rows of a report, read to the last page.

    Attributes:
        began_at: When the reading began.
        endpoints: What the rows tell.
        left_out: How many rows lack what nobody may guess.
    """

    began_at: datetime
    endpoints: frozenset[Endpoint]
    left_out: int


class Reports(Protocol):
    """Google's reports of who was in which call. Rows may come a day late, and reach back 180 days."""

    async def read(self, *, meeting_code: str | None, since: datetime, until: datetime) -> Report:
        """The endpoints that left calls between two moments; all or nothing, and changes nothing.

        Args:
            meeting_code: Only those of this meeting, `abc-mnop-xyz`; None for all of the school.
            since: The earliest leave; it has to be past.
            until: The latest leave.

        Raises:
            Retryable: Reports could not be had now.
            NeedsOperator: They will not be had until a person mends something.
            Permanent: They can never be had.
        """


class Subscriptions(Protocol):
    """Workspace Events subscriptions: one for each organizer, for all their rooms."""

    async def ensure(self, *, organizer: Organizer) -> Subscription:
        """The organizer's subscription, made if there is none; may be repeated.

        One that is there already may publish elsewhere: its state says so.

        Raises:
            Retryable: The service could not answer now.
            NeedsOperator: It will not until a person mends something.
        """

    async def get(self, name: str, *, organizer: Organizer) -> Subscription | None:
        """A subscription as it is now, None if there is none of this name any more; raises as `ensure` does."""

    async def renew(self, name: str, *, organizer: Organizer) -> Subscription | None:
        """Give a subscription the longest life that there is, None if it is gone; raises as `ensure` does."""

    async def replace(self, name: str, *, organizer: Organizer) -> Subscription:
        """Have a subscription that publishes elsewhere report to us; raises as `ensure` does.

        Google changes neither topic nor target and allows one for each target: it is ended, and another one made.
        """

    async def reactivate(self, name: str, *, organizer: Organizer) -> Subscription | None:
        """Have a suspended subscription tell events again, None if it is gone. Its end stays where it was.

        Raises:
            SubscriptionRefused: What it was suspended for is not mended.
            Retryable, NeedsOperator: As `ensure` does.
        """

    async def remove(self, name: str, *, organizer: Organizer) -> None:
        """End a subscription; that it is gone already is fine."""


class Calendar(Protocol):
    """Google Calendar: events in a teacher's own calendar, made and changed as that teacher.

    Every method raises Retryable if Calendar could not answer now, NeedsOperator if it will not until a person mends
    something, and Permanent if it can never do what it was asked for.
    """

    async def add(self, event: NewEvent, *, organizer: Organizer) -> Event | None:
        """Add an event; None if its id is or was another one's, perhaps by an earlier attempt at the same."""

    async def find(self, event_id: str, *, organizer: Organizer) -> Event | None:
        """An event as it is now; None if there is none, or none any more."""

    async def occurrences(self, event_id: str, *, organizer: Organizer) -> Mapping[datetime, Event]:
        """All occurrences of an event that recurs, but those that were deleted, by when they would begin by its rule.

        None are there if the event is gone.
        """

    async def change(self, change: EventChange, *, organizer: Organizer) -> bool:
        """Have an event show something else; False, and nothing is done, if it is not any more what was seen."""

    async def remove(self, removal: EventRemoval, *, organizer: Organizer, anyway: bool = False) -> bool:
        """Delete an event; that it is gone already is fine.

        False, and nothing is done, if it is not any more what was seen, unless it is to go `anyway`.
        """


class IdTokens(Protocol):
    """Whose an ID token is that came with a request."""

    async def email(self, token: str) -> str:
        """The verified e-mail address of its account, lower case.

        Raises:
            TokenRefused: It is not valid here.
            CertificatesUnavailable: It cannot be checked at the moment.
            WrongSetting: It cannot be checked before a setting is made.
        """


@dataclass(frozen=True, slots=True)
class Job:
    """One message for the jobs' topic: its attribute `job`, and its data."""

    name: str
    data: Mapping[str, object] = field(default_factory=dict)


class Jobs(Protocol):
    """Work to be done by another call of the jobs' function."""

    async def publish(self, jobs: Sequence[Job]) -> None:
        """Hand work over. All of it is taken, or Retryable is raised and some may be done twice."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that Pub/Sub has given up on: `body` is what a trigger would have posted of it."""

    body: Mapping[str, object]
    receipt: str


class DeadLetters(Protocol):
    """The subscription that dead letters wait in."""

    async def pull(self) -> Sequence[DeadLetter]:
        """Some that wait; none if none does, or if there is no such subscription. Retryable if it does not answer."""

    async def acknowledge(self, letters: Sequence[DeadLetter]) -> None:
        """They wait no longer. Retryable if that is not sure; then some may be pulled again."""


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """A message that cannot be processed, kept for a person.

    Attributes:
        key: What the message is recognised by when it comes again; it derives from the message.
        message: The message as received, as text.
        encoding: How the text holds it: `json`, `text`, or `base64`.
        reason: The error's slug.
        hint: What to do about it.
    """

    key: str
    message: str
    encoding: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Parked:
    """A message that is kept and was not replayed since.

    Attributes:
        event: What was parked, its message perhaps cut.
        truncated: Whether it was cut, so that it can never be processed.
        parked_at: When it was parked for the last time.
    """

    event: ParkedEvent
    truncated: bool
    parked_at: datetime


@dataclass(frozen=True, slots=True)
class SheetChange:
    """What a commit changed of a class meeting's attendance, by attendee id."""

    created: frozenset[str] = frozenset()
    updated: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()


class Reader(Protocol):
    """What is stored, for looking at it: each document is read once and remembered, and nothing is ever written.

    A reader lives through one use case, so what it remembers may be old when the use case decides: a unit of work that
    begins with what a reader knows makes sure that it still holds. Reading raises StoreUnavailable and DocumentTooNew.
    """

    async def load(
        self,
        *,
        conferences: Iterable[str] = (),
        sessions: Iterable[str] = (),
        rooms: Iterable[str] = (),
        people: Iterable[str] = (),
    ) -> None:
        """Read all of these in one go, as they are at one moment; what was read before stays as it was."""

    async def conference(self, conference_record: str) -> Conference | None:
        """A conference with all its participants."""

    async def session(self, session_id: str) -> ClassSession | None:
        """A class meeting, without its attendance."""

    async def updated_at(self, session_id: str) -> datetime:
        """When a reader last saw a class meeting, that is stored, change."""

    async def corrections(self, session_id: str) -> tuple[Correction, ...]:
        """What people decided about a class meeting, including what a unit of work puts."""

    async def room(self, space: str) -> Room:
        """A room; an empty one if nothing is known of it."""

    async def people(self, users: Collection[str]) -> Mapping[str, Person]:
        """What is known of accounts; those of whom nothing is known are not in it."""

    async def people_known_by(self, emails: Collection[str]) -> Mapping[str, Person]:
        """The accounts that have or had one of these addresses, which are given in their compared form."""

    async def organizer(self, user: str) -> TrackedOrganizer | None:
        """A teacher who is tracked."""

    async def answered(self, key: str) -> Answered | None:
        """A request that was answered before and is still remembered; or what became of an event, by its id."""

    def forget(self, *, conferences: Iterable[str] = (), people: Iterable[str] | None = ()) -> None:
        """Read these again when they are asked for; None as people means everybody."""


class Work(Reader, Protocol):
    """One unit of work: a reader that also collects what is to be stored instead.

    Everything is read once, so that a decision and its guard rest on the same. Nothing is written before the whole
    work is done.
    """

    def put_conference(self, conference: Conference) -> None:
        """It is written with every sheet that is, so that no sheet is made of another one."""

    def put_sheet(self, sheet: AttendanceSheet) -> None:
        """A class meeting with all its attendance. Documents that would not change are not written."""

    def put_session(self, session: ClassSession) -> None:
        """A class meeting alone: its attendance stands as it is, and so do its counts. Not for one put as a sheet."""

    def drop_session(self, session_id: str) -> None:
        """Remove a class meeting with its attendance. Its corrections stay, for the case that it comes back."""

    def put_room(self, room: Room) -> None:
        """Written if it differs."""

    def put_correction(self, session_id: str, correction: Correction) -> None:
        """Replaces the one of the same kind about the same person. The class meeting's sheet must be put too."""

    def drop_correction(self, session_id: str, correction: Correction) -> None:
        """The class meeting's sheet must be put too."""

    def put_person(self, person: Person) -> None:
        """Written if it differs."""

    def put_organizer(self, organizer: TrackedOrganizer) -> None:
        """Written if it differs."""

    def drop_organizer(self, user: str) -> None:
        """Nothing happens if there is none."""

    def put_answered(self, answered: Answered) -> None:
        """Remember a request that was answered, or what became of an event."""

    def put_remark(self, remark: Remark) -> None:
        """Keep that class meetings are to be marked again, until `AttendanceStore.forget_remark`."""

    def note(self, entry: AuditEntry) -> None:
        """Keep who changed what, with every mark that this work changes."""


class AttendanceStore(Protocol):
    """Where conferences, classes and attendance stand."""

    def reader(self) -> Reader:
        """A reader that knows nothing yet."""

    async def transact(
        self, decide: Callable[[Work], Awaitable[T]], *, known: Reader | None = None
    ) -> tuple[T, Mapping[str, SheetChange]]:
        """Do a unit of work: all of it or nothing, for every reader at once.

        `decide` may be called several times, because others may write at the same moment: it must have no effect
        but on its work. An error that it raises ends it, and nothing is written.

        Args:
            decide: Reads what it needs, and puts what is to be stored.
            known: What was read before, so that it need not be read again. If others changed any of that since, but
                for people, nothing is written, and the next attempt reads everything again.

        Returns:
            What `decide` returned, and what changed of each class meeting that it put.

        Raises:
            StoreConflict: Others kept writing. Nothing was written.
            StoreUnavailable: The store did not answer. It may have written everything or nothing.
            DocumentsRefused: The store will never take them. Nothing was written.
        """

    async def due_sessions(self, now: datetime) -> Sequence[str]:
        """Ids of the class meetings whose time to be brought up to date has come, the longest due first."""

    async def sessions_to_follow(self, now: datetime) -> Sequence[str]:
        """Ids of class meetings that Calendar is to be brought up to date with, one of each event."""

    async def sessions_of_event(self, event_id: str) -> Sequence[str]:
        """Ids of the class meetings that are in Calendar as one event, in order of time."""

    async def sessions_with(self, conference_record: str) -> Sequence[str]:
        """Ids of the class meetings that a conference record is known to belong to."""

    async def sessions_of_class(self, class_id: str, *, since: datetime) -> Sequence[str]:
        """Ids of a class's meetings that begin at a moment or later, in order of time."""

    async def sessions_of_series(self, series_id: str) -> Sequence[str]:
        """Ids of a series' class meetings, in order of time."""

    async def sessions_of_external_id(self, external_id: str) -> Sequence[str]:
        """Ids of the class meetings that the LMS knows by an id of its own, in order of time."""

    async def sessions_of_person(self, person: RosterEntry, *, since: datetime | None = None) -> Sequence[str]:
        """Ids of the class meetings that somebody has attendance in: by account, id of the LMS, or address.

        Only those that begin at a moment or later, if one is given.
        """

    async def remarks(self) -> Sequence[Remark]:
        """What is still to be marked again; a part of it if that is much."""

    async def forget_remark(self, remark_id: str) -> None:
        """All jobs of a remark are handed out. Nothing happens if that is known already."""

    async def space_with_code(self, meeting_code: str, *, until: datetime) -> Space | None:
        """The room that had a meeting code in the last class meeting that began before a moment; None without one."""

    async def failing_sessions(self, teacher_email: str, *, since: datetime) -> Sequence[str]:
        """Ids of a teacher's class meetings that are due again because Meet does not list their room's records.

        Only those of which that is so since a moment or later; what else may be wrong with a class is left out.
        """

    async def rooms_to_reconcile(self, now: datetime, *, after: DueRoom | None, limit: int) -> Sequence[DueRoom]:
        """The rooms that are to be looked into by now, the longest due first.

        Args:
            now: The time.
            after: The last one of the part before; None for the first part.
            limit: How many at most.
        """

    async def unfinished_conferences(self, organizer: str, *, since: datetime) -> Sequence[str]:
        """Conference records of an account (`users/{id}`) that are stored as provisional or failed.

        Those that ended before a moment, or whose reading failed last before it, are left out.
        """

    async def organizers(self) -> Sequence[TrackedOrganizer]:
        """Every teacher who is tracked."""

    async def organizers_after(self, user: str, *, limit: int) -> Sequence[str]:
        """The accounts (`users/{id}`) of teachers who are tracked, in order, from behind one on."""

    async def organizer_subscribed_by(self, subscription: str) -> TrackedOrganizer | None:
        """The tracked teacher whose subscription has this name."""

    async def organizer_with(self, email: str) -> TrackedOrganizer | None:
        """The tracked teacher with this address: enrolled by it, or else known to have it now."""

    async def has_classes(self, teacher_email: str) -> bool:
        """Whether a class meeting is stored whose teacher this is; co-teachers do not count."""

    async def park(self, event: ParkedEvent) -> None:
        """Keep a message that cannot be processed.

        Parking the same one again changes nothing, unless it was replayed since: then it waits again.
        """

    def parked(self, *, reason: str | None = None) -> AsyncIterator[Parked]:
        """Every message that waits to be replayed, the longest parked first, read as one goes along.

        Marking those that came already is fine. One that is parked meanwhile comes last, or not at all.

        Args:
            reason: Only those parked for this reason, an error's slug.
        """

    async def parked_event(self, key: str) -> Parked | None:
        """A message that waits to be replayed; None if there is none of this key, or none that waits."""

    async def note_replayed(self, parked: Parked) -> None:
        """Let a message wait no longer. One that was parked again since goes on waiting."""


@dataclass(frozen=True, slots=True)
class DueRoom:
    """A room (`spaces/{space}`) that is to be looked into, and since when."""

    space: str
    due_at: datetime


PagePosition = tuple[datetime | str, ...]
"""Where in a list a page ends; only the views know how. Holds times and ids, nothing of a person."""


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is wanted.

    Attributes:
        size: How many documents at most.
        after: Where the part before ended; None for the first part.
        read_at: The moment that the part before was read at, so that all parts show the same moment.
    """

    size: int
    after: PagePosition | None = None
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, as it was at one moment; `next_after` is where it ends, None if nothing follows."""

    documents: tuple[Mapping[str, Any], ...]
    read_at: datetime
    next_after: PagePosition | None = None


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which class meetings are wanted; None for any. `since` is inclusive, `until` is not."""

    teacher_email: str | None = None
    class_id: str | None = None
    external_id: str | None = None
    state: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AttendanceFilter:
    """Whose attendance is wanted; None for anybody's. `since` is inclusive, `until` is not.

    Attributes:
        student: A `student_id`, a Google user id, or an e-mail.
    """

    student: str | None = None
    class_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Troubles:
    """What may need a person: documents of each kind, at least one more than asked for if there are more.

    Those of the same kind that have waited the longest are among them. All but the organizers have their id as `id`.

    Attributes:
        organizers: Every teacher who is tracked.
        failed_conferences: Those that Meet does not let us read.
        provisional_conferences: Those that are not read for good.
        overdue_sessions: Class meetings whose time to be brought up to date has passed.
        sessions_not_in_calendar: Class meetings that Calendar is not known to show as they are, the earliest first.
        parked_events: Messages that were not replayed.
        last_pulled_at: When the last reading of a conference began that succeeded; None if none did.
    """

    organizers: tuple[Mapping[str, Any], ...]
    failed_conferences: tuple[Mapping[str, Any], ...]
    provisional_conferences: tuple[Mapping[str, Any], ...]
    overdue_sessions: tuple[Mapping[str, Any], ...]
    sessions_not_in_calendar: tuple[Mapping[str, Any], ...]
    parked_events: tuple[Mapping[str, Any], ...]
    last_pulled_at: datetime | None


class Views(Protocol):
    """Documents as they stand, for showing them. A reader never sees half a change.

    Every method raises StoreUnavailable if the store does not answer, DocumentTooNew if a later version of this
    system wrote a document, and ReadTooOld if a moment that it is to read at has passed for too long.
    """

    async def session(self, session_id: str) -> Mapping[str, Any] | None:
        """A class meeting, or None."""

    async def sessions_with(self, session_ids: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
        """The class meetings with these ids that there are, in this order."""

    async def attendance(self, session_id: str) -> tuple[Mapping[str, Any], tuple[Mapping[str, Any], ...]] | None:
        """A class meeting with everybody's attendance by `attendee_id`, as of one moment, or None."""

    async def attendee(self, session_id: str, attendee_id: str) -> Mapping[str, Any] | None:
        """One person's attendance of a class meeting, or None."""

    async def sessions(self, wanted: SessionFilter, paging: Paging) -> Page:
        """Class meetings, oldest first, then by `session_id`."""

    async def attendances(self, wanted: AttendanceFilter, paging: Paging) -> Page:
        """Attendance over all class meetings, oldest class first, then by `attendee_id`."""

    async def register(self, class_id: str, month: str) -> Mapping[str, Any] | None:
        """A class's register of a month (`2026-11`), whole, or None."""

    async def organizers(self) -> tuple[Mapping[str, Any], ...]:
        """Every teacher who is tracked."""

    async def organizer(self, user: str) -> Mapping[str, Any] | None:
        """A teacher who is tracked, by `users/{id}`, or None."""

    async def troubles(self, *, due_before: datetime, ended_since: datetime, limit: int) -> Troubles:
        """What may need a person.

        Args:
            due_before: Class meetings that were due later may still wait.
            ended_since: Conferences that ended earlier, and events of classes that began earlier, may be left out.
            limit: How many of a kind are wanted; it bounds what is read, but for the organizers.
        """

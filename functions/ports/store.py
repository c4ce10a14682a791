"""The stored data: a `Reader` reads it, a unit of work (`Work`) also changes it, in one commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from functions.domain.classes.roster import Correction, RosterEntry
from functions.domain.classes.sessions import (
    Answered,
    AttendanceSheet,
    AuditEntry,
    ClassSession,
    Person,
    Remark,
    TrackedOrganizer,
)
from functions.domain.classes.timetable import Room
from functions.domain.conferences.model import Conference, Space
from functions.domain.live.calls import LiveClass
from functions.domain.live.room import RoomNow
from functions.ports.messages import Parked, ParkedEvent

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SheetChange:
    """The people whose attendance in a class meeting a commit created, changed or deleted, by attendee id."""

    created: frozenset[str] = frozenset()
    updated: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()


class Reader(Protocol):
    """Reads stored data: each document is read once and remembered, and nothing is ever written.

    A reader is used for one use case, so what it remembers may be old when the use case decides. A unit of work that
    begins with this data makes sure that it is still true. Reading raises StoreUnavailable and DocumentTooNew.
    """

    async def load(
        self,
        *,
        conferences: Iterable[str] = (),
        sessions: Iterable[str] = (),
        rooms: Iterable[str] = (),
        people: Iterable[str] = (),
        to_mark: Iterable[str] = (),
    ) -> None:
        """Read all of these at once; what was read before is not read again.

        The conferences, class meetings, rooms and people are as they are at one moment.

        Args:
            conferences: By resource name.
            sessions: Class meetings, by id.
            rooms: By resource name.
            people: By account.
            to_mark: Ids of class meetings that will be marked: their corrections are read, and who is erased.
        """

    async def conference(self, conference_record: str) -> Conference | None:
        """A conference with all its participants."""

    async def session(self, session_id: str) -> ClassSession | None:
        """A class meeting, without its attendance."""

    async def updated_at(self, session_id: str) -> datetime:
        """When a stored class meeting last changed in a way that readers can see."""

    async def corrections(self, session_id: str) -> tuple[Correction, ...]:
        """What people decided about a class meeting, including what a unit of work puts."""

    async def room(self, space: str) -> Room:
        """A room; an empty one if nothing is known about it."""

    async def people(self, users: Collection[str]) -> Mapping[str, Person]:
        """What is known about accounts; unknown accounts are left out."""

    async def people_known_by(self, emails: Collection[str]) -> Mapping[str, Person]:
        """The accounts that have or had one of these addresses (in their compared form)."""

    def expect_known_by(self, emails: Collection[str]) -> None:
        """Begin to look for these accounts now, so that a unit of work that continues this reader need not wait."""

    async def organizer(self, user: str) -> TrackedOrganizer | None:
        """A teacher who is tracked."""

    async def live(self, session_id: str) -> tuple[LiveClass, RoomNow] | None:
        """Who is in a class meeting's room now, and what this was computed from; None if no call is known to go on."""

    async def answered(self, key: str) -> Answered | None:
        """A request that was answered before and is still remembered; or the result for an event, by its id."""

    def forget(self, *, conferences: Iterable[str] = (), people: Iterable[str] | None = ()) -> None:
        """Forget these, so that they are read again when needed.

        None for people means everybody, after Google was asked who they are. Who is erased is forgotten too, because
        it may have turned out that an account is an erased person's.
        """


class Work(Reader, Protocol):
    """One unit of work: a reader that also collects what should be stored.

    Everything is read once, so that a decision and its guard use the same data. Nothing is written before the whole
    work is done.
    """

    def put_conference(self, conference: Conference) -> None:
        """It is written together with every sheet that uses it, so that no sheet is made from an older version."""

    def put_sheet(self, sheet: AttendanceSheet) -> None:
        """A class meeting with all its attendance. Documents that would not change are not written."""

    def put_session(self, session: ClassSession) -> None:
        """Only a class meeting: its attendance and its counts do not change.

        Not for a class meeting that is put as a sheet.
        """

    def drop_session(self, session_id: str) -> None:
        """Remove a class meeting with its attendance. Its corrections stay, in case it comes back."""

    def put_room(self, room: Room) -> None:
        """Written if it differs."""

    def put_correction(self, session_id: str, correction: Correction) -> None:
        """It replaces the correction of the same kind about the same person.

        The class meeting's sheet must be put too.
        """

    def drop_correction(self, session_id: str, correction: Correction) -> None:
        """The class meeting's sheet must be put too."""

    def put_live(self, session: ClassSession, live: LiveClass, room: RoomNow) -> None:
        """Who is in a class meeting's room now."""

    def drop_live(self, session_id: str) -> None:
        """Nobody is in a class meeting's room any more, and nobody asks."""

    def put_person(self, person: Person) -> None:
        """Written if it differs."""

    def put_organizer(self, organizer: TrackedOrganizer) -> None:
        """Written if it differs."""

    def drop_organizer(self, user: str) -> None:
        """Nothing happens without one."""

    def put_answered(self, answered: Answered) -> None:
        """Remember a request that was answered, or the result for an event."""

    def put_remark(self, remark: Remark) -> None:
        """Store that class meetings must be marked again, until `AttendanceStore.forget_remark`."""

    async def without_erased(self, session: ClassSession) -> ClassSession:
        """A class meeting as it may be put: without those of its roster who are erased.

        Whatever else a unit of work reads or puts is without them by itself.
        """

    async def not_erased(self, conference: Conference, people: Mapping[str, Person]) -> Conference:
        """A conference that is not put, as it may be shown: without participants who are or may be erased.

        Args:
            conference: What Meet said.
            people: What is known about the accounts in it.
        """

    def also_erase(self, attendees: Mapping[str, str]) -> None:
        """Treat those with these attendee ids as erased in this unit of work, each by the token of the person."""

    def note(self, entry: AuditEntry) -> None:
        """Store who changed what, with every mark that this work changes."""


class AttendanceStore(Protocol):
    """Stores conferences, classes and attendance."""

    def reader(self) -> Reader:
        """A reader that knows nothing yet."""

    async def transact(
        self, decide: Callable[[Work], Awaitable[T]], *, known: Reader | None = None
    ) -> tuple[T, Mapping[str, SheetChange]]:
        """Do a unit of work: all of it or nothing, for every reader at once.

        If changes are published, a commit that changes marks or times is published after it. A failure to publish
        raises no error: `publish_changes` does it later.

        `decide` may be called several times, because others may write at the same moment: it must change nothing except
        its work. If it raises an error, nothing is written.

        Args:
            decide: Reads what it needs, and puts what should be stored.
            known: What was read before, so that it need not be read again. If others have changed any of it since
                (except people), nothing is written, and the next attempt reads everything again.

        Returns:
            What `decide` returned, and what changed of each class meeting that it put.

        Raises:
            StoreConflict: Others kept writing. Nothing was written.
            StoreUnavailable: The store did not answer. It may have written everything or nothing.
            DocumentsRefused: The store will never accept the documents. Nothing was written.
        """

    async def publish_changes(self) -> int:
        """Publish the committed changes that were not published yet; some may be published twice.

        Returns:
            How many class meetings had changed; 0 if changes are not published.

        Raises:
            Retryable: The store or the topic did not answer; the next call publishes the rest.
        """

    async def due_sessions(self, now: datetime) -> Sequence[str]:
        """Ids of the class meetings that are due for an update, the longest due first."""

    async def sessions_to_follow(self, now: datetime) -> Sequence[str]:
        """Ids of class meetings that Calendar must be updated with, one of each event."""

    async def sessions_of_event(self, event_id: str) -> Sequence[str]:
        """Ids of the class meetings that are one event in Calendar, in order of time."""

    async def sessions_with(self, conference_record: str) -> Sequence[str]:
        """Ids of the class meetings that a conference record is known to belong to."""

    async def live_with(self, conference_record: str) -> Sequence[str]:
        """Ids of the class meetings in whose room a call is known to go on."""

    async def live_to_check(self, now: datetime) -> Sequence[str]:
        """Ids of the class meetings for which it is time to ask Meet who is in the room, the longest due first."""

    async def sessions_of_class(self, class_id: str, *, since: datetime) -> Sequence[str]:
        """Ids of a class's meetings that begin at a moment or later, in order of time."""

    async def sessions_of_series(self, series_id: str) -> Sequence[str]:
        """Ids of a series' class meetings, in order of time."""

    async def sessions_of_external_id(self, external_id: str) -> Sequence[str]:
        """Ids of the class meetings with this id of the LMS, in order of time."""

    async def sessions_of_person(self, person: RosterEntry, *, since: datetime | None = None) -> Sequence[str]:
        """Ids of the class meetings in which somebody has attendance: by account, id of the LMS, or address.

        Only those that begin at a moment or later, if one is given.
        """

    async def remarks(self) -> Sequence[Remark]:
        """What must still be marked again, or a part of it if there is much."""

    async def forget_remark(self, remark_id: str) -> None:
        """Record that all jobs of a remark are handed out. Nothing happens if this is already recorded."""

    async def space_with_code(self, meeting_code: str, *, until: datetime) -> Space | None:
        """The room that had a meeting code in the last class meeting before a moment; None if there was none."""

    async def failing_sessions(self, teacher_email: str, *, since: datetime) -> Sequence[str]:
        """Ids of a teacher's class meetings that are due again because Meet does not list their room's records.

        Only those with this problem since a moment or later; other problems of a class do not count.
        """

    async def rooms_to_reconcile(self, now: datetime, *, after: DueRoom | None, limit: int) -> Sequence[DueRoom]:
        """The rooms that are due for a check now, the longest due first.

        Args:
            now: The time.
            after: The last room of the previous part; None for the first part.
            limit: How many at most.
        """

    async def unfinished_conferences(self, organizer: str, *, since: datetime) -> Sequence[str]:
        """Conference records of an account (`users/{id}`) that are stored as provisional or failed.

        Conferences that ended before a moment, or whose last failed read was before it, are left out.
        """

    async def organizers(self) -> Sequence[TrackedOrganizer]:
        """All tracked teachers."""

    async def organizers_after(self, user: str, *, limit: int) -> Sequence[str]:
        """The accounts (`users/{id}`) of tracked teachers, in order, after the given one."""

    async def organizer_subscribed_by(self, subscription: str) -> TrackedOrganizer | None:
        """The tracked teacher whose subscription has this name."""

    async def organizer_with(self, email: str) -> TrackedOrganizer | None:
        """The tracked teacher with this address: enrolled with it, or otherwise known to have it now."""

    async def has_classes(self, teacher_email: str) -> bool:
        """Whether this person is the teacher of a stored class meeting; co-teachers do not count."""

    async def park(self, event: ParkedEvent) -> None:
        """Store a message that cannot be processed.

        Parking the same message again changes nothing, unless it was replayed since: then it waits again.
        """

    def parked(self, *, reason: str | None = None) -> AsyncIterator[Parked]:
        """Every message that waits to be replayed, the longest parked first, read step by step.

        Messages that already came may be marked meanwhile. A message that is parked meanwhile comes last, or not at
        all.

        Args:
            reason: Only those parked for this reason, an error's slug.
        """

    async def parked_event(self, key: str) -> Parked | None:
        """A message that waits to be replayed; None if no message of this key waits."""

    async def note_replayed(self, parked: Parked) -> None:
        """Mark a message as replayed. If it was parked again since then, it still waits."""


@dataclass(frozen=True, slots=True)
class DueRoom:
    """A room (`spaces/{space}`) that must be checked, and since when."""

    space: str
    due_at: datetime

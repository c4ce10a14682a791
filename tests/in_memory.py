"""The ports in memory: only those parts of the store, Meet and the Directory that the sync of a conference needs."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from functions.domain.classes.roster import Correction, RosterEntry
from functions.domain.classes.sessions import (
    Answered,
    Attendance,
    AttendanceSheet,
    ClassSession,
    Person,
    Remark,
    TrackedOrganizer,
)
from functions.domain.classes.timetable import Room
from functions.domain.conferences.model import (
    Conference,
    ConferenceRecord,
    Identity,
    Organizer,
    Participant,
    Reading,
    Snapshot,
    Subscription,
    SubscriptionState,
)
from functions.domain.conferences.rereading import NOTHING_KNOWN, Known, sessions_without_call
from functions.domain.conferences.seen import SeenSessions
from functions.domain.errors import AttendanceError, ConferenceRecordGone, Unavailable
from functions.domain.marking.addresses import mailboxes
from functions.ports.google import Listing, LookUp, no_events
from functions.ports.messages import Job
from functions.ports.store import SheetChange
from functions.services.deps import Deps, Rules
from functions.services.turns import Turns
from tests.builders import SETTLE, at

T = TypeVar("T")


@dataclass
class Documents:
    """All stored documents, by id."""

    conferences: dict[str, Conference] = field(default_factory=dict)
    sessions: dict[str, ClassSession] = field(default_factory=dict)
    attendance: dict[str, tuple[Attendance, ...]] = field(default_factory=dict)
    corrections: dict[str, tuple[Correction, ...]] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    organizers: dict[str, TrackedOrganizer] = field(default_factory=dict)
    remarks: dict[str, Remark] = field(default_factory=dict)


class ReaderInMemory:
    """Reads the stored documents."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    async def load(self, **_: Iterable[str]) -> None:
        """Do nothing: everything is already loaded."""

    async def conference(self, conference_record: str) -> Conference | None:
        return self.documents.conferences.get(conference_record)

    async def session(self, session_id: str) -> ClassSession | None:
        return self.documents.sessions.get(session_id)

    async def corrections(self, session_id: str) -> tuple[Correction, ...]:
        return self.documents.corrections.get(session_id, ())

    async def room(self, space: str) -> Room:
        return self.documents.rooms.get(space) or Room(space)

    async def people(self, users: Collection[str]) -> Mapping[str, Person]:
        return {user: person for user in users if (person := self.documents.people.get(user))}

    async def people_known_by(self, emails: Collection[str]) -> Mapping[str, Person]:
        wanted = set(emails)
        return {
            user: person
            for user, person in self.documents.people.items()
            if wanted & mailboxes(address.email for address in person.addresses)
        }

    def expect_known_by(self, _: Collection[str]) -> None:
        pass

    async def organizer(self, user: str) -> TrackedOrganizer | None:
        return self.documents.organizers.get(user)

    async def answered(self, _: str) -> Answered | None:
        return None

    def forget(self, **_: object) -> None:
        """Do nothing: this reader has no cache."""


class WorkInMemory(ReaderInMemory):
    """A unit of work on a copy of the stored documents."""

    def __init__(self, documents: Documents) -> None:
        super().__init__(Documents(**{name: dict(by_id) for name, by_id in vars(documents).items()}))
        self.sheets: set[str] = set()

    async def without_erased(self, session: ClassSession) -> ClassSession:
        return session

    def put_conference(self, conference: Conference) -> None:
        self.documents.conferences[conference.conference_record] = conference

    def put_sheet(self, sheet: AttendanceSheet) -> None:
        self.put_session(sheet.session)
        self.documents.attendance[sheet.session.session_id] = sheet.attendance
        self.sheets.add(sheet.session.session_id)

    def put_session(self, session: ClassSession) -> None:
        self.documents.sessions[session.session_id] = session

    def drop_session(self, session_id: str) -> None:
        self.documents.sessions.pop(session_id, None)
        self.documents.attendance.pop(session_id, None)

    def put_room(self, room: Room) -> None:
        self.documents.rooms[room.space] = room

    def put_person(self, person: Person) -> None:
        self.documents.people[person.user] = person

    def put_organizer(self, organizer: TrackedOrganizer) -> None:
        self.documents.organizers[organizer.user] = organizer

    def put_remark(self, remark: Remark) -> None:
        self.documents.remarks[remark.remark_id] = remark


class StoreInMemory:
    """A store for one task at a time, so that no commit ever conflicts."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self.refuses: AttendanceError | None = None
        """The action at the end of every commit of attendance."""

    def reader(self) -> ReaderInMemory:
        return ReaderInMemory(self.documents)

    async def transact(
        self, decide: Callable[[Any], Awaitable[T]], *, known: object = None
    ) -> tuple[T, Mapping[str, SheetChange]]:
        del known  # nothing changes between a read and the commit
        work = WorkInMemory(self.documents)
        result = await decide(work)
        if work.sheets and self.refuses:
            raise self.refuses
        changes = {
            session_id: _change(self.documents.attendance.get(session_id, ()), work.documents.attendance[session_id])
            for session_id in work.sheets
        }
        vars(self.documents).update(vars(work.documents))
        return result, changes

    def copied(self) -> Documents:
        """Return a copy of the stored documents, for a later comparison."""
        return copy.deepcopy(self.documents)

    async def organizer_with(self, email: str) -> TrackedOrganizer | None:
        return next((teacher for teacher in self.documents.organizers.values() if teacher.email == email), None)

    async def organizer_subscribed_by(self, _: str) -> TrackedOrganizer | None:
        return None

    async def sessions_with(self, conference_record: str) -> Sequence[str]:
        return [
            session_id
            for session_id, session in self.documents.sessions.items()
            if conference_record in session.conference_records
        ]

    async def sessions_of_person(self, _: RosterEntry, *, since: datetime | None = None) -> Sequence[str]:
        del since
        return sorted(self.documents.attendance)

    async def forget_remark(self, remark_id: str) -> None:
        self.documents.remarks.pop(remark_id, None)


def _change(before: Iterable[Attendance], after: Iterable[Attendance]) -> SheetChange:
    old, new = ({person.attendee_id: person for person in sheet} for sheet in (before, after))
    return SheetChange(
        created=frozenset(new.keys() - old.keys()),
        updated=frozenset(name for name in old.keys() & new.keys() if old[name] != new[name]),
    )


class ClockInMemory:
    """A clock that a test sets, in minutes after nine."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes

    def __call__(self) -> datetime:
        return at(self.minutes)


class MeetInMemory:
    """Meet with some calls.

    Attributes:
        refuses: The error of a call and the number of participants before it, by conference record, or by space for its
            list.
        read_records: The conference records that were requested, in order, including refused ones.
        asked_for: The participants whose sessions were requested.
        listed: The spaces whose records were listed.
        shown_first: Conference records as they are when participants are requested, if they differ from the end.
        waits_for_list: Whether participants are returned only after a list was requested.
        failing_lists: How many lists fail before the first succeeds.
        waits_for_people: What must happen before sessions are returned; None if nothing must.
        list_takes_forever: Whether no list is ever returned.
    """

    def __init__(self, clock: ClockInMemory) -> None:
        self._clock = clock
        self.calls: dict[str, Snapshot] = {}
        self.refuses: dict[str, tuple[AttendanceError, int]] = {}
        self.read_records: list[str] = []
        self.asked_for: list[str] = []
        self.listed: list[str | None] = []
        self.shown_first: dict[str, ConferenceRecord] = {}
        self.waits_for_list = False
        self.failing_lists = 0
        self.waits_for_people: asyncio.Event | None = None
        self.list_takes_forever = False
        self._list_was_requested = asyncio.Event()

    async def read(
        self,
        conference_record: str,
        *,
        organizer: Organizer,
        known: Known = NOTHING_KNOWN,
        keep: Callable[[Participant], None] = lambda _: None,
        events: Callable[[], Awaitable[SeenSessions]] = no_events,
        on_record: Callable[[ConferenceRecord], None] = lambda _: None,
        on_page: Callable[[Sequence[Participant]], None] = lambda _: None,
    ) -> Reading:
        seen = (await events()).by_participant()
        assert organizer.known
        self.read_records.append(conference_record)
        if conference_record not in self.calls:
            raise ConferenceRecordGone("Meet does not have it.")
        call, began_at = self.calls[conference_record], self._clock()
        on_record(self.shown_first.get(conference_record, call.record))
        on_page([replace(participant, sessions=()) for participant in call.participants])
        if self.waits_for_people:
            await self.waits_for_people.wait()
        if self.waits_for_list:
            await self._list_was_requested.wait()
        error, refused_after = self.refuses.get(conference_record, (None, 0))
        asked = 0
        for participant in call.participants:
            at_hand = sessions_without_call(
                participant, known, seen.get(participant.name, {}), ended_at=call.record.end_time
            )
            if at_hand and at_hand.sessions == participant.sessions:
                continue
            if error and asked == refused_after:
                break
            self.asked_for.append(participant.name)
            keep(participant)
            asked += 1
        if error:
            raise error
        return Reading(call, pulled_at=began_at, meet_calls=3 + asked)

    async def list(
        self, *, space: str | None, since: datetime, until: datetime | None, organizer: Organizer
    ) -> Listing:
        assert organizer.known
        self.listed.append(space)
        self._list_was_requested.set()
        if self.list_takes_forever:
            await asyncio.Event().wait()
        if self.failing_lists:
            self.failing_lists -= 1
            raise Unavailable("Meet does not answer.")
        if space in self.refuses:
            raise self.refuses[space][0]
        records = (call.record for call in self.calls.values() if space in {None, call.record.space})
        within = (r for r in records if since <= r.start_time and (until is None or r.start_time <= until))
        return Listing(self._clock(), tuple(sorted(within, key=lambda record: record.start_time)))


class DirectoryInMemory:
    """A Directory with some accounts.

    Attributes:
        unavailable: Whether it answers no calls now.
        asked_for: The accounts that were looked up, in order.
    """

    def __init__(self, accounts: Mapping[str, Identity]) -> None:
        self.accounts = dict(accounts)
        self.unavailable = False
        self.asked_for: list[str] = []

    async def look_up(self, users: Collection[str], **_: object) -> LookUp:
        self.asked_for += sorted(users)
        if self.unavailable:
            return LookUp({}, frozenset(), frozenset(users), frozenset({"directory-unavailable"}))
        found = {user: self.accounts[user] for user in users if user in self.accounts}
        return LookUp(found, frozenset(users) - found.keys(), frozenset())

    async def account(self, email: str) -> Identity | None:
        if self.unavailable:
            raise Unavailable("The Directory did not answer.")
        return next((account for account in self.accounts.values() if account.email == email), None)


class SubscriptionsInMemory:
    """A service for subscriptions.

    Attributes:
        unavailable: Whether it does not answer now.
    """

    def __init__(self) -> None:
        self.unavailable = False

    async def ensure(self, *, organizer: Organizer) -> Subscription:
        if self.unavailable:
            raise Unavailable("The Workspace Events API did not answer.")
        return Subscription(f"subscriptions/{organizer.user}", SubscriptionState.ACTIVE, at(60 * 24 * 7))


class JobsInMemory:
    """The jobs that were started."""

    def __init__(self) -> None:
        self.handed_out: list[Job] = []

    async def publish(self, jobs: Sequence[Job]) -> None:
        self.handed_out += jobs


async def _no_pause(_: float) -> None:
    """Do not wait: tests do not pause."""


@dataclass
class School:
    """A school in memory, and the use cases' view of it."""

    clock: ClockInMemory
    store: StoreInMemory
    meet: MeetInMemory
    directory: DirectoryInMemory
    jobs: JobsInMemory
    subscriptions: SubscriptionsInMemory = field(default_factory=SubscriptionsInMemory)
    settle: timedelta = SETTLE

    @property
    def deps(self) -> Deps:
        # The ports have more methods than these use cases call. A call of another method fails and names the method.
        store: Any = self.store
        meet: Any = self.meet
        directory: Any = self.directory
        subscriptions: Any = self.subscriptions
        not_in_use: Any = None
        return Deps(
            store=store,
            conferences=meet,
            spaces=not_in_use,
            identities=directory,
            subscriptions=subscriptions,
            calendar=None,
            jobs=self.jobs,
            dead_letters=None,
            clock=self.clock,
            pause=_no_pause,
            rules=Rules(settle=self.settle, time_zone="UTC", identities_in_use=True, anyone=True),
            turns=Turns(),
        )

"""One unit of work over a database of documents: what was read, and what should be stored."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from functions.adapters.store.changes.commit import Commit, Wanted
from functions.adapters.store.changes.register import registers_to_come
from functions.adapters.store.changes.unpublished import Unpublished
from functions.adapters.store.databases.database import ABSENT, Database, Write
from functions.adapters.store.documents.attendance import correction_id
from functions.adapters.store.erasing.names import ErasedNames
from functions.adapters.store.erasing.settling import Settling
from functions.adapters.store.erasing.writes import without_erased
from functions.adapters.store.paths import register_path, session_path
from functions.adapters.store.reader import DocumentReader
from functions.domain.classes.roster import Correction
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
from functions.domain.conferences.model import Conference
from functions.domain.erasure import Erased
from functions.domain.errors import StoreConflict
from functions.domain.live.calls import LiveClass
from functions.domain.live.room import RoomNow
from functions.domain.marking.who import account_of
from functions.ports.clock import Clock
from functions.ports.messages import AttendanceChange
from functions.ports.store import SheetChange


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit changed.

    Attributes:
        changes: Changes in the attendance of each class meeting that was put.
        told: The changes to publish.
        unpublished: The document that holds them until they are published; None without one.
    """

    changes: Mapping[str, SheetChange]
    told: Sequence[AttendanceChange] = ()
    unpublished: str | None = None


class DocumentWork(DocumentReader):
    """`functions.ports.store.Work` over a database of documents. Use it once.

    Args:
        database: Where the documents are stored.
        clock: The current time, for expiry times.
        retention: How long personal data is kept after the class; None keeps it.
        names: Everybody who is erased.
        before: A reader whose data is used. Of its documents, those that the work requests or replaces must still be
            the same when it is committed.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        retention: timedelta | None,
        names: ErasedNames,
        before: DocumentReader | None = None,
    ) -> None:
        super().__init__(database, clock=clock, names=names, before=before)
        self._retention = retention
        self._wanted = Wanted()
        self._attendees: Mapping[str, str] = {}

    # --- Who is erased ---

    async def erased(self) -> Erased:
        """Everybody who is erased; asked for once."""
        erased = await self._ask_for_erased()
        if not self._attendees:
            return erased
        return replace(erased, key=self._names.key or b"", attendees=self._attendees)

    async def not_erased(self, conference: Conference, people: Mapping[str, Person]) -> Conference:
        """See the port."""
        erased = await self.erased()
        in_question = {user for user, person in people.items() if erased.in_question(person)}
        kept = erased.conference(conference)
        if not in_question or kept.snapshot is None:
            return kept
        participants = tuple(p for p in kept.snapshot.participants if account_of(p.user) not in in_question)
        return replace(kept, snapshot=replace(kept.snapshot, participants=participants))

    def also_erase(self, attendees: Mapping[str, str]) -> None:
        """See the port."""
        self._attendees = attendees

    async def without_erased(self, session: ClassSession) -> ClassSession:
        """See the port."""
        erased = await self.erased()
        if erased.people:
            before = await super().session(session.session_id)
            await self._begin_again_after(await self._settling().roster(session, before, erased))
        return erased.session(session)

    async def load(
        self,
        *,
        conferences: Iterable[str] = (),
        sessions: Iterable[str] = (),
        rooms: Iterable[str] = (),
        people: Iterable[str] = (),
        to_mark: Iterable[str] = (),
    ) -> None:
        """See the port; who is erased is asked for at the same time."""
        await asyncio.gather(
            super().load(conferences=conferences, sessions=sessions, rooms=rooms, people=people, to_mark=to_mark),
            self.erased(),
        )

    # --- What is stored, or will be ---

    async def conference(self, conference_record: str) -> Conference | None:
        """See the port."""
        if conference_record in self._wanted.conferences:
            conference: Conference | None = self._wanted.conferences[conference_record]
        else:
            conference, _ = await asyncio.gather(self._conference(conference_record), self.erased())
        return (await self.erased()).conference(conference) if conference else None

    async def session(self, session_id: str) -> ClassSession | None:
        """See the port."""
        if session_id in self._wanted.sheets:
            return self._wanted.sheets[session_id].session
        session, erased = await asyncio.gather(super().session(session_id), self.erased())
        return None if session is None or session_id in self._wanted.dropped else erased.session(session)

    async def corrections(self, session_id: str) -> tuple[Correction, ...]:
        """See the port."""
        changes = self._wanted.corrections.setdefault(session_id, {})
        session = await self._stored.get(session_path(session_id))
        # The registers will certainly be written, so they are read now and nothing has to wait for them later. They
        # are not read earlier: every class meeting of the class writes them, and this must begin again if one did.
        registers = map(register_path, registers_to_come(session)) if session else ()
        stored, _, erased = await asyncio.gather(
            self._corrections(session_id), self._stored.load(registers), self.erased()
        )
        return tuple(kept for c in {**stored, **changes}.values() if c and (kept := erased.correction(c)))

    async def room(self, space: str) -> Room:
        """See the port."""
        return self._wanted.rooms[space] if space in self._wanted.rooms else await super().room(space)

    async def people(self, users: Collection[str]) -> Mapping[str, Person]:
        """See the port."""
        wanted = {user: self._wanted.people[user] for user in users if user in self._wanted.people}
        return {**await super().people([user for user in users if user not in wanted]), **wanted}

    async def organizer(self, user: str) -> TrackedOrganizer | None:
        """See the port."""
        return self._wanted.organizers[user] if user in self._wanted.organizers else await super().organizer(user)

    # --- What will be stored ---

    def put_conference(self, conference: Conference) -> None:
        """See the port."""
        self._wanted.conferences[conference.conference_record] = conference

    def put_sheet(self, sheet: AttendanceSheet) -> None:
        """See the port."""
        self._wanted.sheets[sheet.session.session_id] = sheet
        self._wanted.dropped.discard(sheet.session.session_id)

    def put_session(self, session: ClassSession) -> None:
        """See the port."""
        self._wanted.sessions[session.session_id] = session

    def drop_session(self, session_id: str) -> None:
        """See the port."""
        self._wanted.sheets.pop(session_id, None)
        self._wanted.corrections.pop(session_id, None)
        self._wanted.dropped.add(session_id)

    def put_room(self, room: Room) -> None:
        """See the port."""
        self._wanted.rooms[room.space] = room

    def put_correction(self, session_id: str, correction: Correction) -> None:
        """See the port."""
        self._wanted.corrections.setdefault(session_id, {})[correction_id(correction)] = correction

    def drop_correction(self, session_id: str, correction: Correction) -> None:
        """See the port."""
        self._wanted.corrections.setdefault(session_id, {})[correction_id(correction)] = None

    def put_person(self, person: Person) -> None:
        """See the port."""
        self._wanted.people[person.user] = person

    def put_organizer(self, organizer: TrackedOrganizer) -> None:
        """See the port."""
        self._wanted.organizers[organizer.user] = organizer

    def drop_organizer(self, user: str) -> None:
        """See the port."""
        self._wanted.organizers[user] = None

    def put_live(self, session: ClassSession, live: LiveClass, room: RoomNow) -> None:
        """See the port."""
        self._wanted.live[session.session_id] = (session, live, room)

    def drop_live(self, session_id: str) -> None:
        """See the port."""
        self._wanted.live[session_id] = None

    def put_answered(self, answered: Answered) -> None:
        """See the port."""
        self._wanted.answered.append(answered)

    def put_remark(self, remark: Remark) -> None:
        """See the port."""
        self._wanted.remarks.append(remark)

    def note(self, entry: AuditEntry) -> None:
        """See the port."""
        self._wanted.notes.append(entry)

    async def commit(self, *, telling: bool = False) -> Committed:
        """Write all differences at one moment, or nothing.

        Args:
            telling: Whether the commit also stores the changes to publish.
        """
        for session_id in self._wanted.corrections:
            await self._corrections(session_id)
        erased = await self.erased()
        if erased.people:
            await self._begin_again_after(await self._settling().of(self._wanted, erased))
        wanted = without_erased(self._wanted, erased)
        commit = Commit(wanted, self._stored, now=self._clock(), retention=self._retention, erased=erased)
        writes, changes = await commit.writes()
        unpublished = Unpublished(uuid.uuid4().hex, commit.told) if telling and commit.told else None
        told: list[AttendanceChange] = []
        if unpublished:
            writes.append(Write(unpublished.path, unpublished.to_document(), expecting=ABSENT))
        if writes:
            written = {write.path for write in writes}
            unchanged = [document for document in self._stored.relied_on() if document.path not in written]
            committed_at = await self._database.commit(writes, unchanged=unchanged)
            told = unpublished.at(committed_at) if unpublished else []
        return Committed(changes, told, unpublished.path if unpublished else None)

    def _settling(self) -> Settling:
        return Settling(self._database, self._names, now=self._clock(), retention=self._retention)

    async def _begin_again_after(self, settled: Sequence[Write]) -> None:
        """Commit whose names are that erased people had, before anything is stored with them."""
        if settled:
            await self._database.commit(settled)
            raise StoreConflict("It turned out whose some names are: the work begins again, knowing that.")

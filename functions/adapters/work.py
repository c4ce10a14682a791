"""One unit of work over a database of documents: what was read, and what shall stand in its place.

A class meeting's document is written with every change of its attendance and its corrections, so its version stands
for all of them; likewise a conference's for the rest of its snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from functions.adapters.attendance_documents import correction_from_document, correction_id
from functions.adapters.commit import Commit, Wanted
from functions.adapters.conference_documents import conference_from_document
from functions.adapters.database import MOST_IN_ANY, Database, Document, Query, Where
from functions.adapters.documents import check_schema
from functions.adapters.loaded import Loaded
from functions.adapters.paths import (
    answered_path,
    conference_path,
    corrections_path,
    organizer_path,
    person_path,
    register_path,
    room_path,
    session_path,
)
from functions.adapters.people_documents import organizer_from_document, person_from_document
from functions.adapters.register_writes import registers_to_come
from functions.adapters.room_documents import room_from_document
from functions.adapters.session_documents import session_from_document
from functions.domain.errors import StoreConflict
from functions.domain.model import Conference
from functions.domain.roster import Correction
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
from functions.ports import Clock, SheetChange


class DocumentWork:
    """`functions.ports.Work` over a database of documents. Use it once.

    Args:
        database: Where the documents stand.
        clock: The time, for what expires.
        retention: How long personal data is kept after the class; None keeps it.
    """

    def __init__(self, database: Database, *, clock: Clock, retention: timedelta | None) -> None:
        self._database = database
        self._stored = Loaded(database)
        self._clock = clock
        self._retention = retention
        self._wanted = Wanted()
        self._known_by: dict[str, set[str]] = {}

    # --- What is stored ---

    async def load(
        self,
        *,
        conferences: Iterable[str] = (),
        sessions: Iterable[str] = (),
        rooms: Iterable[str] = (),
        people: Iterable[str] = (),
    ) -> None:
        """See the port."""
        await self._stored.load(
            [
                *map(conference_path, conferences),
                *map(session_path, sessions),
                *map(room_path, rooms),
                *map(person_path, people),
            ]
        )

    async def conference(self, conference_record: str) -> Conference | None:
        """See the port."""
        if conference_record in self._wanted.conferences:
            return self._wanted.conferences[conference_record]
        path = conference_path(conference_record)
        document = await self._stored.get(path)
        if document is None:
            return None
        check_schema(document.fields)
        participants = list(document.fields["participants"])
        count = document.fields["participant_count"]
        interrupted = (document.fields.get("interruption") or {}).get("participant_count", 0)
        if document.fields["snapshot_documents"] or interrupted:
            parts = await self._stored.children(f"{path}/snapshot")
            for part in sorted(parts.values(), key=lambda part: int(part.path.rpartition("/")[2])):
                participants += part.fields["participants"]
        if len(participants) != count + interrupted:
            raise StoreConflict("The conference changed while it was being loaded.")
        return conference_from_document(document.fields, participants[:count], participants[count:])

    async def session(self, session_id: str) -> ClassSession | None:
        """See the port."""
        if session_id in self._wanted.sheets:
            return self._wanted.sheets[session_id].session
        document = await self._stored.get(session_path(session_id))
        return session_from_document(document.fields) if document and session_id not in self._wanted.dropped else None

    async def updated_at(self, session_id: str) -> datetime:
        """See the port."""
        document = await self._stored.get(session_path(session_id))
        if document is None:
            raise StoreConflict("The class meeting is gone.")
        moment: datetime = document.fields["updated_at"]
        return moment

    async def corrections(self, session_id: str) -> tuple[Correction, ...]:
        """See the port."""
        return tuple((await self._load_corrections(session_id)).values())

    async def room(self, space: str) -> Room:
        """See the port."""
        if space in self._wanted.rooms:
            return self._wanted.rooms[space]
        document = await self._stored.get(room_path(space))
        return room_from_document(document.fields) if document else Room(space)

    async def people(self, users: Collection[str]) -> Mapping[str, Person]:
        """See the port."""
        paths = {user: person_path(user) for user in users if user not in self._wanted.people}
        await self._stored.load(paths.values())
        found = {
            user: person_from_document(document.fields)
            for user, path in paths.items()
            if (document := self._stored.known(path))
        }
        return {**found, **{user: self._wanted.people[user] for user in users if user in self._wanted.people}}

    async def people_known_by(self, emails: Collection[str]) -> Mapping[str, Person]:
        """See the port."""
        wanted = sorted(set(emails) - self._known_by.keys())
        parts = [wanted[first : first + MOST_IN_ANY] for first in range(0, len(wanted), MOST_IN_ANY)]
        queries = [Query("people", where=(Where("emails", "contains_any", part),)) for part in parts]
        known_by: dict[str, set[str]] = {email: set() for email in wanted}
        for found in await asyncio.gather(*(self._database.find(query) for query in queries)):
            self._stored.learn(found.documents)
            for document in found.documents:
                for email in known_by.keys() & set(document.fields["emails"]):
                    known_by[email].add(document.fields["user"])
        self._known_by |= known_by
        return await self.people({user for email in emails for user in self._known_by[email]})

    async def organizer(self, user: str) -> TrackedOrganizer | None:
        """See the port."""
        if user in self._wanted.organizers:
            return self._wanted.organizers[user]
        document = await self._stored.get(organizer_path(user))
        return organizer_from_document(document.fields) if document else None

    async def answered(self, key: str) -> Answered | None:
        """See the port."""
        document = await self._stored.get(answered_path(key))
        if document is None:
            return None
        fields = document.fields
        check_schema(fields)
        if fields["expire_at"] <= self._clock():
            return None
        return Answered(key, fields["fingerprint"], tuple(fields["session_ids"]), fields["expire_at"])

    # --- What shall stand ---

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
        self._wanted.corrections[session_id][correction_id(correction)] = correction

    def drop_correction(self, session_id: str, correction: Correction) -> None:
        """See the port."""
        del self._wanted.corrections[session_id][correction_id(correction)]

    def put_person(self, person: Person) -> None:
        """See the port."""
        self._wanted.people[person.user] = person

    def put_organizer(self, organizer: TrackedOrganizer) -> None:
        """See the port."""
        self._wanted.organizers[organizer.user] = organizer

    def drop_organizer(self, user: str) -> None:
        """See the port."""
        self._wanted.organizers[user] = None

    def put_answered(self, answered: Answered) -> None:
        """See the port."""
        self._wanted.answered.append(answered)

    def put_remark(self, remark: Remark) -> None:
        """See the port."""
        self._wanted.remarks.append(remark)

    def note(self, entry: AuditEntry) -> None:
        """See the port."""
        self._wanted.notes.append(entry)

    async def commit(self) -> Mapping[str, SheetChange]:
        """Write what differs, all at one moment, or nothing.

        Returns:
            What changed of the attendance of each class meeting that was put.
        """
        commit = Commit(self._wanted, self._stored, now=self._clock(), retention=self._retention)
        writes, changes = await commit.writes()
        if writes:
            await self._database.commit(writes)
        return changes

    async def _known_corrections(self, session_id: str, known: Document | None) -> Mapping[str, Document]:
        return await self._stored.children(corrections_path(session_id)) if known else {}

    async def _load_corrections(self, session_id: str) -> dict[str, Correction]:
        if session_id not in self._wanted.corrections:
            # Read after the class meeting, whose version stands for them. Under one that does not exist there is
            # nothing, unless its conference belonged elsewhere for a while: what people decided is waiting then.
            known = await self._stored.get(session_path(session_id)) or self._stored.known(conference_path(session_id))
            session = self._stored.known(session_path(session_id))
            coming = map(register_path, registers_to_come(session)) if session else ()
            found, _ = await asyncio.gather(self._known_corrections(session_id, known), self._stored.load(coming))
            corrections = [correction_from_document(document.fields) for document in found.values()]
            self._wanted.corrections[session_id] = {correction_id(correction): correction for correction in corrections}
        return self._wanted.corrections[session_id]

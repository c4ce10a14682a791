"""Reads stored documents without changing them, and converts them to domain objects.

A class meeting's document is written with every change of its attendance and its corrections, so its version covers all
of them. In the same way a conference's version covers the rest of its snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from math import ceil

from functions.adapters.store.databases.database import MOST_IN_ANY, Database, Document, Query, Where
from functions.adapters.store.databases.loaded import Loaded
from functions.adapters.store.documents.attendance import correction_from_document, correction_id
from functions.adapters.store.documents.common import check_schema
from functions.adapters.store.documents.conference import conference_from_document
from functions.adapters.store.documents.live import live_from_document
from functions.adapters.store.documents.people import organizer_from_document, person_from_document
from functions.adapters.store.documents.session import session_from_document
from functions.adapters.store.documents.timetable import room_from_document
from functions.adapters.store.erasing.names import ErasedNames
from functions.adapters.store.paths import (
    answered_path,
    conference_path,
    corrections_path,
    live_path,
    organizer_path,
    person_path,
    room_path,
    session_path,
)
from functions.domain.classes.roster import Correction
from functions.domain.classes.sessions import Answered, ClassSession, Person, TrackedOrganizer
from functions.domain.classes.timetable import Room
from functions.domain.conferences.model import Conference
from functions.domain.erasure import Erased
from functions.domain.errors import StoreConflict
from functions.domain.live.calls import LiveClass
from functions.domain.live.room import RoomNow
from functions.ports.clock import Clock

READ_AGAIN = 5
"""How often a conference is read again if it changed while its parts were read."""

_PEOPLE = "people"


class DocumentReader:
    """`functions.ports.store.Reader` over a database of documents.

    Args:
        database: Where the documents are stored.
        clock: The current time, for expiry times.
        names: Everybody who is erased.
        before: A reader whose data is used.
    """

    def __init__(
        self, database: Database, *, clock: Clock, names: ErasedNames, before: DocumentReader | None = None
    ) -> None:
        self._database = database
        self._stored = before.documents.continued() if before else Loaded(database)
        self._erased = before.erased_people if before else None
        self._names = names
        self._clock = clock
        self._expected: dict[str, asyncio.Task[Sequence[Document]]] = {}
        self._known_by = dict(before.expected) if before else {}

    @property
    def documents(self) -> Loaded:
        """The documents that were read so far."""
        return self._stored

    @property
    def erased_people(self) -> asyncio.Task[Erased] | None:
        """Everybody who is erased, if this was asked for."""
        return self._erased

    @property
    def expected(self) -> Mapping[str, asyncio.Task[Sequence[Document]]]:
        """The accounts that are being looked for, by address."""
        return self._expected

    async def load(
        self,
        *,
        conferences: Iterable[str] = (),
        sessions: Iterable[str] = (),
        rooms: Iterable[str] = (),
        people: Iterable[str] = (),
        to_mark: Iterable[str] = (),
    ) -> None:
        """See the port."""
        to_mark = tuple(to_mark)
        known = [session_id for session_id in to_mark if self._stored.is_known(session_path(session_id))]
        await asyncio.gather(
            self._stored.load(
                [
                    *map(conference_path, conferences),
                    *map(session_path, [*sessions, *to_mark]),
                    *map(room_path, rooms),
                    *map(person_path, people),
                ]
            ),
            *(self._corrections(session_id) for session_id in known),
            *([self._ask_for_erased()] if to_mark else []),
        )
        await asyncio.gather(*(self._corrections(session_id) for session_id in to_mark))

    async def conference(self, conference_record: str) -> Conference | None:
        """See the port."""
        for _ in range(READ_AGAIN):
            try:
                return await self._conference(conference_record)
            except StoreConflict:
                self.forget(conferences=[conference_record])
        return await self._conference(conference_record)

    async def session(self, session_id: str) -> ClassSession | None:
        """See the port."""
        document = await self._stored.get(session_path(session_id))
        return session_from_document(document.fields) if document else None

    async def updated_at(self, session_id: str) -> datetime:
        """See the port."""
        document = await self._stored.get(session_path(session_id))
        if document is None:
            raise StoreConflict("The class meeting no longer exists.")
        moment: datetime = document.fields["updated_at"]
        return moment

    async def corrections(self, session_id: str) -> tuple[Correction, ...]:
        """See the port."""
        return tuple((await self._corrections(session_id)).values())

    async def room(self, space: str) -> Room:
        """See the port."""
        document = await self._stored.get(room_path(space))
        return room_from_document(document.fields) if document else Room(space)

    async def people(self, users: Collection[str]) -> Mapping[str, Person]:
        """See the port."""
        paths = {user: person_path(user) for user in users}
        await self._stored.load(paths.values())
        return {
            user: self._stored.read(document, person_from_document)
            for user, path in paths.items()
            if (document := self._stored.known(path))
        }

    async def people_known_by(self, emails: Collection[str]) -> Mapping[str, Person]:
        """See the port."""
        wanted = frozenset(emails)
        self._known_by |= self._look_for(wanted - self._known_by.keys())
        users = set()
        for found in await asyncio.gather(*{self._known_by[email] for email in wanted}):
            self._stored.learn(found)
            users |= {each.fields["user"] for each in found if not wanted.isdisjoint(each.fields["emails"])}
        return await self.people(users)

    def expect_known_by(self, emails: Collection[str]) -> None:
        """See the port."""
        self._known_by |= self._look_for(frozenset(emails) - self._known_by.keys())
        self._expected |= {email: self._known_by[email] for email in emails}

    def _look_for(self, emails: Collection[str]) -> dict[str, asyncio.Task[Sequence[Document]]]:
        """The people with these addresses, by address; the tasks run until somebody needs them."""
        found: dict[str, asyncio.Task[Sequence[Document]]] = {}
        wanted = sorted(emails)
        queries = ceil(len(wanted) / MOST_IN_ANY)
        for number in range(queries):
            part = wanted[number::queries]  # queries of the same size are all answered at the same time
            query = Query(_PEOPLE, where=(Where("emails", "contains_any", part),))
            looking = asyncio.create_task(self._found(query))
            looking.add_done_callback(_ask_for_error)
            found |= dict.fromkeys(part, looking)
        return found

    async def _found(self, query: Query) -> Sequence[Document]:
        return (await self._database.find(query)).documents

    async def organizer(self, user: str) -> TrackedOrganizer | None:
        """See the port."""
        document = await self._stored.get(organizer_path(user))
        return organizer_from_document(document.fields) if document else None

    async def live(self, session_id: str) -> tuple[LiveClass, RoomNow] | None:
        """See the port."""
        document = await self._stored.get(live_path(session_id))
        return live_from_document(document.fields) if document else None

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

    def forget(self, *, conferences: Iterable[str] = (), people: Iterable[str] | None = ()) -> None:
        """See the port."""
        self._stored.forget({conference_path(name) for name in conferences})
        self._known_by.clear()
        self._expected.clear()
        if people is None:
            self._stored.forget_all(_PEOPLE)
            self._erased = None
        else:
            self._stored.forget({person_path(user) for user in people})

    def _ask_for_erased(self) -> asyncio.Task[Erased]:
        """Everybody who is erased; asked for once."""
        if self._erased is None:
            self._erased = asyncio.ensure_future(self._names.load())
        return self._erased

    async def _conference(self, conference_record: str) -> Conference | None:
        """A conference as stored; raises StoreConflict if it changed while its parts were read."""
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

    async def _corrections(self, session_id: str) -> dict[str, Correction]:
        """What people decided about a class meeting, by id of the document."""
        # Read after the class meeting, whose version covers them. A class meeting that does not exist has no
        # corrections, unless its conference belonged elsewhere for a while: then the decisions are still there.
        known = await self._stored.get(session_path(session_id)) or self._stored.known(conference_path(session_id))
        return await self._corrections_under(session_id, known)

    async def _corrections_under(self, session_id: str, known: Document | None) -> dict[str, Correction]:
        found = await self._stored.children(corrections_path(session_id)) if known else {}
        corrections = [correction_from_document(document.fields) for document in found.values()]
        return {correction_id(correction): correction for correction in corrections}


def _ask_for_error(task: asyncio.Task[Sequence[Document]]) -> None:
    """Ask for a task's error. Otherwise asyncio logs the error if nobody awaits the task."""
    if not task.cancelled():
        task.exception()

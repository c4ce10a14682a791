"""Erases a person from the documents that units of work do not change, in pages. A crash may interrupt it anywhere.

Every page is searched by fingerprints alone. So the second look, when the names are no longer known, works like the
first.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from functions.adapters.store.changes.audit import audit_write
from functions.adapters.store.changes.sheet import StoredSheet
from functions.adapters.store.changes.telling import told_of
from functions.adapters.store.changes.unpublished import Unpublished
from functions.adapters.store.databases.database import ABSENT, Database, Document, Query, Where, Write
from functions.adapters.store.documents.attendance import correction_from_document, remembered_to_document
from functions.adapters.store.documents.people import person_from_document
from functions.adapters.store.documents.remark import remark_from_document
from functions.adapters.store.documents.session import roster_entry_to_document, session_from_document
from functions.adapters.store.documents.timetable import room_from_document
from functions.adapters.store.erasing.documents import (
    ERASURES,
    erasure_from_document,
    erasure_path,
    erasure_to_document,
    new_erasure,
)
from functions.adapters.store.erasing.names import OVERLAP, ErasedNames
from functions.adapters.store.erasing.settling import Settling
from functions.adapters.store.erasing.subjects import SubjectSearch
from functions.adapters.store.erasing.surgery import (
    conference_without,
    in_order,
    names_erased,
    register_without,
    session_without,
    shows_erased,
)
from functions.adapters.store.paths import (
    attendance_path,
    conference_path,
    copy_path,
    corrections_path,
    seen_path,
    session_path,
)
from functions.domain.classes.sessions import AuditEntry
from functions.domain.erasure import SOMEBODY, Erased, Name, NameKind
from functions.domain.errors import PersonNotUnique, StoreConflict
from functions.ports.clock import Clock
from functions.ports.erasures import Erasure, Part, Step, Subject

LARGE, SMALL = 20, 200
"""How many documents a part searches: conferences and registers have up to 1 MiB, others some kilobytes."""

AT_A_TIME = 100
"""How many names one commit blocks."""


class DocumentErasures:
    """`functions.ports.erasures.Erasures` over a database of documents.

    Args:
        database: Where the documents are stored.
        names: Everybody who is erased.
        clock: The time.
        retention: How long personal data is kept.
        telling: Whether changes of marks or times are published.
    """

    def __init__(
        self,
        database: Database,
        names: ErasedNames,
        *,
        clock: Clock,
        retention: timedelta | None,
        telling: bool = False,
    ) -> None:
        self._telling = telling
        self._database = database
        self._names = names
        self._clock = clock
        self._retention = retention

    @property
    def possible(self) -> bool:
        """See the port."""
        return self._names.key is not None

    async def find(self, name: str) -> Subject | None:
        """See the port."""
        if "@" in name and await self._names.is_freed(Name.of(NameKind.EMAIL, name)):
            raise PersonNotUnique("The address was an erased person's, and is somebody else's by now.")
        return await SubjectSearch(self._database).find(name)

    async def begin(self, subject: Subject, note: AuditEntry) -> Erasure:
        """See the port."""
        person = await self._token([n for n in subject.names if n.kind is not NameKind.EMAIL])
        erasure = new_erasure(
            person or uuid.uuid4().hex,
            subject.names,
            sessions=subject.sessions,
            attendees=subject.attendees,
            now=self._clock(),
        )
        path = erasure_path(erasure.erasure_id)
        fields = erasure_to_document(erasure, retention=self._retention)
        kept = [self._names.write(name, erasure.person) for name in sorted(subject.names)]
        noted = audit_write(note, {}, now=self._clock(), retention=self._retention)
        await self._database.commit([Write(path, fields, expecting=ABSENT), *kept, noted])
        return await self._required(erasure.erasure_id)

    async def get(self, erasure_id: str) -> Erasure | None:
        """See the port."""
        document = await self._database.get(erasure_path(erasure_id))
        return erasure_from_document(document) if document else None

    async def of(self, name: str) -> Erasure | None:
        """See the port."""
        await self._names.load()  # with another key, nothing would be found
        user = name if name.startswith("users/") else f"users/{name}"
        meant = [Name(NameKind.STUDENT_ID, name), Name(NameKind.USER, user), Name.of(NameKind.EMAIL, name)]
        person = await self._token(meant)
        if person is None:
            return None
        return next((erasure for erasure in await self.under_way() if erasure.person == person), None)

    async def under_way(self) -> Sequence[Erasure]:
        """See the port."""
        return [erasure_from_document(document) for document in await self._database.children(ERASURES)]

    async def everybody(self, erasure: Erasure) -> Erased:
        """See the port."""
        erased = await self._names.load()
        attendees = dict.fromkeys(erasure.attendees, erasure.person)
        return replace(erased, key=self._names.key or b"", attendees=attendees) if attendees else erased

    async def keep(self, erasure: Erasure, names: frozenset[Name]) -> None:
        """See the port."""
        writes = [self._names.write(name, erasure.person) for name in sorted(names)]
        for first in range(0, len(writes), AT_A_TIME):
            await self._database.commit(writes[first : first + AT_A_TIME])

    async def save(self, erasure: Erasure) -> Erasure:
        """See the port."""
        if erasure.step.settling:
            # From here on no stored document names the person, so this one must not either.
            erasure = replace(erasure, names=frozenset(), sessions=(), attendees=frozenset())
        return await self._save(erasure)

    async def take_out(self, session_id: str, erasure: Erasure) -> int:
        """See the port."""
        erased = await self.everybody(erasure)
        session = await self._database.get(session_path(session_id))
        if session is None:
            return 0
        people, corrections, copy = [
            await self._database.children(path)
            for path in (attendance_path(session_id), corrections_path(session_id), copy_path(session_id))
        ]
        writes = session_without(session, people, corrections, copy, erased)
        collection = f"{attendance_path(session_id)}/"
        gone = sum(write.path.startswith(collection) for write in writes)
        told = told_of(session_id, writes, StoredSheet(session, {d.path: d.fields for d in people}, {}))
        if told and self._telling:
            unpublished = Unpublished(uuid.uuid4().hex, [told])  # the next `reconcile` publishes it
            writes.append(Write(unpublished.path, unpublished.to_document(), expecting=ABSENT))
        if writes:
            await self._database.commit(writes)
        return gone

    async def take_out_of_conference(self, record: str, erasure: Erasure) -> bool:
        """See the port."""
        document = await self._database.get(conference_path(record))
        if document is None:
            return False
        writes = conference_without(document, await self._parts(document), await self.everybody(erasure))
        if writes:
            await self._database.commit(writes)
        return bool(writes)

    async def forget_events(self, records: Sequence[str]) -> None:
        """See the port."""
        for record in records:
            documents = await self._database.children(seen_path(record))
            if documents:
                await self._database.commit([Write(document.path, None) for document in documents])

    async def part(self, erasure: Erasure, *, only_look: bool) -> Part:
        """See the port."""
        erased = self._as_if(erasure) if only_look else await self.everybody(erasure)
        look: dict[Step, Callable[[Erasure, Erased], Awaitable[Part]]] = {
            Step.CONFERENCES: self._conferences,
            Step.SETTLE_SESSIONS: self._sessions_since,
        }
        step = erasure.step.seen_first
        if step in look:
            return await look[step](erasure, erased)
        change: Callable[[Document, Erased], Awaitable[list[Write] | str]]
        collection, size, change = {
            Step.CORRECTIONS: ("corrections", SMALL, self._correction),
            Step.PEOPLE: ("people", SMALL, self._person),
            Step.SPACES: ("spaces", LARGE, self._room),
            Step.REGISTERS: ("registers", LARGE, self._register),
            Step.PARKED_EVENTS: ("parked_events", LARGE, self._parked),
            Step.AUDIT: ("audit", SMALL, self._audit),
            Step.REMARKS: ("remarks", SMALL, self._remark),
            Step.LIVE: ("live", LARGE, self._live),
        }[step]
        documents, after = await self._page(collection, erasure.after, size)
        changed, sessions = 0, []
        for document in documents:
            todo = await change(document, erased)
            if isinstance(todo, str):
                sessions.append(todo)
            elif todo:
                changed += 1
                if not only_look:
                    await self._database.commit(todo)
        return Part(sessions=sorted(set(sessions)), changed=changed, after=after)

    def _as_if(self, erasure: Erasure) -> Erased:
        """Everybody who would be erased, for a dry run."""
        key, kinds = self._names.key or b"", frozenset(name.kind for name in erasure.names)
        people = {name.fingerprint(key): SOMEBODY for name in erasure.names}
        return Erased(key, people, {SOMEBODY: kinds}, dict.fromkeys(erasure.attendees, SOMEBODY))

    # --- Documents that are changed with others, by units of work ---

    async def _conferences(self, erasure: Erasure, erased: Erased) -> Part:
        documents, after = await self._page("conferences", erasure.after, LARGE)
        conferences, sessions = [], []
        for document in documents:
            if names_erased(document, await self._parts(document), erased):
                conferences.append(document.fields["conference_record"])
                sessions += document.fields["session_ids"]
        return Part(conferences=conferences, sessions=sessions, after=after)

    async def _sessions_since(self, erasure: Erasure, erased: Erased) -> Part:
        """Class meetings that were written since the erasure began and still name somebody who is erased."""
        since = Where("updated_at", ">=", erasure.begun_at - OVERLAP)
        query = Query("sessions", where=(since,), order=("updated_at",), limit=LARGE)
        if erasure.after:
            moment, _, path = erasure.after.partition(" ")
            query = replace(query, after=(datetime.fromisoformat(moment), path))
        found = await self._database.find(query)
        sessions = []
        for document in found.documents:
            session = session_from_document(document.fields)
            if erased.session(session) is not session:
                sessions.append(session.session_id)
        after = " ".join(map(str, found.next_after)).replace(" ", "T", 1) if found.next_after else None
        return Part(sessions=sessions, after=after)

    async def _correction(self, document: Document, erased: Erased) -> list[Write] | str:
        """Marking a class meeting again removes its corrections; those without one yet are removed here."""
        correction = correction_from_document(document.fields)
        kept = erased.correction(correction)
        if kept is correction:
            return []
        session_id = document.path.split("/")[1]
        if await self._database.get(session_path(session_id)):
            return session_id
        if kept is None:
            return [Write(document.path, None, expecting=document)]
        before = getattr(kept, "remembered_before", None)
        fields = {**document.fields, "by": kept.decision.by}
        fields |= {"remembered_before": remembered_to_document(before)} if "remembered_before" in fields else {}
        return [Write(document.path, fields, expecting=document)]

    # --- Documents that are changed one by one: the writes that take the person out ---

    async def _person(self, document: Document, erased: Erased) -> list[Write]:
        person = person_from_document(document.fields)
        if erased.user(person.user):
            return [Write(document.path, None, expecting=document)]
        if erased.in_question(person):
            settling = Settling(self._database, self._names, now=self._clock(), retention=self._retention)
            free: set[Name] = set()
            return [*await settling.account(person, erased, free=free), *map(self._names.freed, sorted(free))]
        student = erased.remembered(person.student)
        if student == person.student:
            return []
        # The account belongs to somebody else, who lent it to the erased student.
        fields = {**document.fields, "student": remembered_to_document(student)}
        return [Write(document.path, fields, expecting=document)]

    async def _room(self, document: Document, erased: Erased) -> list[Write]:
        room = room_from_document(document.fields)
        if erased.room(room) is room:
            return []
        owner = {"user": None, "email": None}
        return [Write(document.path, {**document.fields, "owner": owner}, expecting=document)]

    async def _register(self, register: Document, erased: Erased) -> list[Write]:
        parts = await self._database.children(f"{register.path}/parts") if register.fields["parts"] else ()
        return register_without(register, in_order(parts), erased)

    async def _parked(self, parked: Document, erased: Erased) -> list[Write]:
        message, is_cut = parked.fields["message"], parked.fields["truncated"]
        if erased.mentioned_in(message):
            return [Write(parked.path, None)]
        # A message that was cut can never be processed, and half a name may be left where it was cut.
        return [Write(parked.path, {**parked.fields, "message": ""}, expecting=parked)] if message and is_cut else []

    async def _audit(self, entry: Document, erased: Erased) -> list[Write]:
        fields = entry.fields
        marks = {name: mark for name, mark in fields["marks"].items() if name not in erased.attendees}
        references = {name: value for name, value in fields["references"].items() if value not in erased.attendees}
        people = {name: SOMEBODY if erased.email(fields[name]) else fields[name] for name in ("by", "caller")}
        after = {**fields, "marks": marks, "references": references, **people}
        return [Write(entry.path, after, expecting=entry)] if after != fields else []

    async def _remark(self, document: Document, erased: Erased) -> list[Write]:
        remark = remark_from_document(document.path.rpartition("/")[2], document.fields)
        left = erased.remark(remark)
        if left is remark:
            return []
        accounts = [roster_entry_to_document(account) for account in left.accounts] if left else []
        fields = {**document.fields, "accounts": accounts} if left else None
        return [Write(document.path, fields, expecting=document)]

    async def _live(self, document: Document, erased: Erased) -> list[Write]:
        """All of it is removed: the next event of the class makes it again, without the person."""
        return [Write(document.path, None)] if shows_erased(document, erased) else []

    async def _parts(self, conference: Document) -> list[Document]:
        """The documents with the rest of a conference."""
        if not (conference.fields["snapshot_documents"] or conference.fields.get("interruption")):
            return []
        return in_order(await self._database.children(f"{conference.path}/snapshot"))

    async def _page(self, collection: str, after: str | None, size: int) -> tuple[Sequence[Document], str | None]:
        """Documents of a collection in the order of their paths, and the last path if others follow."""
        query = Query(collection, limit=size, after=(after,) if after else None, group=collection == "corrections")
        found = await self._database.find(query)
        return found.documents, str(found.next_after[-1]) if found.next_after else None

    async def _token(self, names: Collection[Name]) -> str | None:
        for name in sorted(names):
            if token := await self._names.token(name):
                return token
        return None

    async def _save(self, erasure: Erasure) -> Erasure:
        path, stored = erasure_path(erasure.erasure_id), erasure.version
        if not isinstance(stored, Document):
            raise StoreConflict("The erasure was not read from the store.")
        kept = replace(erasure, updated_at=self._clock())
        fields = erasure_to_document(kept, retention=self._retention) if erasure.step is not Step.DONE else None
        await self._database.commit([Write(path, fields, expecting=stored)])
        return kept if fields is None else await self._required(erasure.erasure_id)

    async def _required(self, erasure_id: str) -> Erasure:
        erasure = await self.get(erasure_id)
        if erasure is None:
            raise StoreConflict("Somebody else has done the rest of the erasure.")
        return erasure

"""Erasing a person document by document: what no unit of work changes, in pages that a crash may break off."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from functions.adapters.store.databases.database import ABSENT, Database, Document, Query, Where, Write
from functions.adapters.store.documents.common import check_schema
from functions.adapters.store.documents.conference import participant_from_document
from functions.adapters.store.documents.people import person_from_document
from functions.adapters.store.documents.remark import remark_from_document
from functions.adapters.store.documents.session import roster_entry_to_document, session_from_document
from functions.adapters.store.erasing.documents import (
    ERASURES,
    erasure_from_document,
    erasure_path,
    erasure_to_document,
    new_erasure,
)
from functions.adapters.store.erasing.names import OVERLAP, ErasedNames
from functions.adapters.store.erasing.subjects import corrections_about, find_subject
from functions.adapters.store.paths import person_path, session_path
from functions.adapters.store.reader import DocumentReader
from functions.domain.erasure import SOMEBODY, Name, NameKind, names_in, names_of, names_of_entry
from functions.domain.errors import StoreConflict
from functions.ports.clock import Clock
from functions.ports.erasures import Erasure, Part, Step, Subject

LARGE, SMALL = 20, 200
"""How many documents a part looks through: conferences and registers have up to 1 MiB, others some kilobytes."""


class DocumentErasures:
    """`functions.ports.erasures.Erasures` over a database of documents.

    Args:
        database: Where the documents are.
        names: Everybody who is erased.
        clock: The time.
        retention: How long personal data is kept.
    """

    def __init__(self, database: Database, names: ErasedNames, *, clock: Clock, retention: timedelta | None) -> None:
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
        return await find_subject(name, self._database)

    async def complete(self, subject: Subject) -> Subject:
        """See the port."""
        names, sessions, attendees = set(subject.names), set(subject.sessions), set(subject.attendees)
        for name in subject.names:
            if name.kind is not NameKind.PARTICIPANT and (found := await self.find(name.value)):
                names |= found.names
                sessions |= set(found.sessions)
                attendees |= found.attendees
        return replace(
            subject, names=frozenset(names), sessions=tuple(sorted(sessions)), attendees=frozenset(attendees)
        )

    async def begin(self, subject: Subject) -> Erasure:
        """See the port."""
        person = await self._token(subject.names) or uuid.uuid4().hex
        begun = new_erasure(person, subject.names, now=self._clock())
        erasure = replace(begun, sessions=subject.sessions, attendees=subject.attendees, step=Step.SESSIONS)
        path = erasure_path(erasure.erasure_id)
        fields = erasure_to_document(erasure, retention=self._retention)
        kept = [self._names.write(name, person) for name in sorted(subject.names)]
        await self._database.commit([Write(path, fields, expecting=ABSENT), *kept])
        return await self._required(erasure.erasure_id)

    async def get(self, erasure_id: str) -> Erasure | None:
        """See the port."""
        document = await self._database.get(erasure_path(erasure_id))
        return erasure_from_document(document) if document else None

    async def of(self, name: str) -> Erasure | None:
        """See the port."""
        user = name if name.startswith("users/") else f"users/{name}"
        meant = [Name(NameKind.STUDENT_ID, name), Name(NameKind.USER, user), Name.of(NameKind.EMAIL, name)]
        person = await self._token(meant)
        if person is None:
            return None
        return next((erasure for erasure in await self.under_way() if erasure.person == person), None)

    async def under_way(self) -> Sequence[Erasure]:
        """See the port."""
        return [erasure_from_document(document) for document in await self._database.children(ERASURES)]

    async def also_known_by(self, erasure: Erasure, names: frozenset[Name]) -> Erasure:
        """See the port."""
        further = sorted(names - erasure.names)
        if not further:
            return erasure
        known = replace(erasure, names=erasure.names | names)
        return await self._save(known, [self._names.write(name, erasure.person) for name in further])

    async def save(self, erasure: Erasure) -> Erasure:
        """See the port."""
        if erasure.step.settling:
            # From here on nothing that is stored names the person, and neither does this.
            erasure = replace(erasure, names=frozenset(), sessions=(), attendees=frozenset())
        return await self._save(erasure, [])

    async def part(self, erasure: Erasure, *, only_look: bool) -> Part:
        """See the port."""
        match erasure.step:
            case Step.CONFERENCES:
                return await self._conferences(erasure)
            case Step.CORRECTIONS:
                return await self._corrections(erasure, only_look=only_look)
            case Step.PEOPLE:
                return await self._people(erasure, only_look=only_look)
            case Step.SETTLE_SESSIONS:
                return await self._sessions_since(erasure)
            case _:
                return await self._documents(erasure, only_look=only_look)

    async def _documents(self, erasure: Erasure, *, only_look: bool) -> Part:
        """A page of a collection whose documents are changed one by one."""
        change: Callable[[Document, Erasure], Awaitable[list[Write]]]
        collection, size, change = {
            Step.REGISTERS: ("registers", LARGE, self._register),
            Step.PARKED_EVENTS: ("parked_events", LARGE, self._parked),
            Step.AUDIT: ("audit", SMALL, self._audit),
            Step.REMARKS: ("remarks", SMALL, self._remark),
            Step.SETTLE_PEOPLE: ("people", SMALL, self._person),
        }[erasure.step]
        documents, after = await self._page(collection, erasure.after, size)
        writes = [await change(document, erasure) for document in documents]
        todo = [write for write in writes if write]
        for some in todo if not only_look else ():
            await self._database.commit(some)
        return Part(changed=len(todo), after=after)

    # --- Conferences and corrections ---

    async def _conferences(self, erasure: Erasure) -> Part:
        documents, after = await self._page("conferences", erasure.after, LARGE)
        conferences, sessions = [], []
        for document in documents:
            check_schema(document.fields)
            participants = list(document.fields["participants"])
            if document.fields["snapshot_documents"] or document.fields.get("interruption"):
                for part in await self._database.children(f"{document.path}/snapshot"):
                    participants += part.fields["participants"]
            if any(not erasure.names.isdisjoint(names_of(participant_from_document(p))) for p in participants):
                conferences.append(document.fields["conference_record"])
                sessions += document.fields["session_ids"]
        return Part(conferences=conferences, sessions=sessions, after=after)

    async def _corrections(self, erasure: Erasure, *, only_look: bool) -> Part:
        """Those of a class meeting go when it is marked again; those that wait for a class meeting go here."""
        found = await corrections_about(
            _of(erasure, NameKind.STUDENT_ID), _of(erasure, NameKind.EMAIL), _of(erasure, NameKind.USER), self._database
        )
        sessions, changed = [], 0
        for document in found:
            session_id = document.path.split("/")[1]
            if await self._database.get(session_path(session_id)):
                sessions.append(session_id)
                continue
            changed += 1
            if not only_look:
                await self._database.commit([Write(document.path, None)])
        return Part(sessions=sorted(set(sessions)), changed=changed)

    # --- One document after the other: the writes that take the person out of it ---

    async def _people(self, erasure: Erasure, *, only_look: bool) -> Part:
        paths = [person_path(user) for user in _of(erasure, NameKind.USER)]
        found = await self._database.get_many(paths) if paths else {}
        if found and not only_look:
            await self._database.commit([Write(path, None) for path in sorted(found)])
        return Part(changed=len(found))

    async def _register(self, register: Document, erasure: Erasure) -> list[Write]:
        check_schema(register.fields)
        parts = await self._database.children(f"{register.path}/parts") if register.fields["parts"] else ()
        writes = []
        for document in (register, *parts):
            left = {key: row for key, row in document.fields["students"].items() if not _is_theirs(row, erasure)}
            if len(left) < len(document.fields["students"]):
                writes.append(Write(document.path, {**document.fields, "students": left}, expecting=document))
        if writes and writes[0].path != register.path:
            # The register's version stands for its parts too.
            writes.append(Write(register.path, register.fields, expecting=register))
        return writes

    async def _parked(self, parked: Document, erasure: Erasure) -> list[Write]:
        is_theirs = not erasure.names.isdisjoint(names_in(parked.fields["message"]))
        return [Write(parked.path, None)] if is_theirs else []

    async def _audit(self, entry: Document, erasure: Erasure) -> list[Write]:
        fields = entry.fields
        marks = {name: mark for name, mark in fields["marks"].items() if name not in erasure.attendees}
        references = {name: value for name, value in fields["references"].items() if value not in erasure.attendees}
        people = {name: SOMEBODY if _is_address(fields[name], erasure) else fields[name] for name in ("by", "caller")}
        after = {**fields, "marks": marks, "references": references, **people}
        return [Write(entry.path, after, expecting=entry)] if after != fields else []

    async def _remark(self, document: Document, erasure: Erasure) -> list[Write]:
        remark = remark_from_document(document.path.rpartition("/")[2], document.fields)
        left = [account for account in remark.accounts if erasure.names.isdisjoint(names_of_entry(account))]
        if len(left) == len(remark.accounts):
            return []
        accounts = [roster_entry_to_document(account) for account in left]
        fields = {**document.fields, "accounts": accounts} if left else None
        return [Write(document.path, fields, expecting=document)]

    async def _person(self, document: Document, _: Erasure) -> list[Write]:
        erased = await self._names.load()
        is_theirs = erased.person(person_from_document(document.fields))
        return [Write(document.path, None, expecting=document)] if is_theirs else []

    # --- What was stored while the erasure began ---

    async def _sessions_since(self, erasure: Erasure) -> Part:
        """Class meetings that were written since an erasure began, and name somebody who is erased all the same."""
        since = Where("updated_at", ">=", erasure.begun_at - OVERLAP)
        query = Query("sessions", where=(since,), order=("updated_at",), limit=LARGE)
        if erasure.after:
            moment, _, path = erasure.after.partition(" ")
            query = replace(query, after=(datetime.fromisoformat(moment), path))
        found = await self._database.find(query)
        erased = await self._names.load()
        reader = DocumentReader(self._database, clock=self._clock)
        conferences, sessions = [], []
        for document in found.documents:
            session = session_from_document(document.fields)
            theirs = []
            for record in session.conference_records:
                conference = await reader.conference(record)
                if conference and erased.conference(conference) is not conference:
                    theirs.append(record)
            if theirs or erased.session(session) is not session:
                sessions.append(session.session_id)
            conferences += theirs
        after = " ".join(map(str, found.next_after)).replace(" ", "T", 1) if found.next_after else None
        return Part(conferences=conferences, sessions=sessions, after=after)

    async def _page(self, collection: str, after: str | None, size: int) -> tuple[Sequence[Document], str | None]:
        """Documents of a collection in the order of their paths, and the last one if others follow."""
        query = Query(collection, limit=size, after=(after,) if after else None)
        found = await self._database.find(query)
        return found.documents, str(found.next_after[-1]) if found.next_after else None

    async def _token(self, names: Collection[Name]) -> str | None:
        for name in sorted(names):
            if token := await self._names.token(name):
                return token
        return None

    async def _save(self, erasure: Erasure, further: list[Write]) -> Erasure:
        path, stored = erasure_path(erasure.erasure_id), erasure.version
        if not isinstance(stored, Document):
            raise StoreConflict("The erasure was not read from the store.")
        kept = replace(erasure, updated_at=self._clock())
        fields = erasure_to_document(kept, retention=self._retention) if erasure.step is not Step.DONE else None
        await self._database.commit([Write(path, fields, expecting=stored), *further])
        return kept if fields is None else await self._required(erasure.erasure_id)

    async def _required(self, erasure_id: str) -> Erasure:
        erasure = await self.get(erasure_id)
        if erasure is None:
            raise StoreConflict("Somebody else has done the rest of the erasure.")
        return erasure


def _of(erasure: Erasure, kind: NameKind) -> list[str]:
    """The person's names of a kind."""
    return [name.value for name in sorted(erasure.names) if name.kind is kind]


def _is_address(email: str | None, erasure: Erasure) -> bool:
    return email is not None and Name.of(NameKind.EMAIL, email) in erasure.names


def _is_theirs(row: Mapping[str, Any], erasure: Erasure) -> bool:
    """Whether a row of a register is the person's. Somebody with another id is somebody else."""
    ids = _of(erasure, NameKind.STUDENT_ID)
    for saying in (row, *row.get("otherwise", {}).values()):
        student_id = saying.get("student_id")
        if student_id and ids:
            if student_id in ids:
                return True
            continue
        user, emails = saying.get("user"), [saying.get("email"), *(saying.get("emails") or ())]
        if user and Name(NameKind.USER, user) in erasure.names:
            return True
        if any(_is_address(email, erasure) for email in emails):
            return True
    return False

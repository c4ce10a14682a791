"""One unit of work over a database of documents: what was read, and the writes that change it.

A class meeting's document is written with every change of its attendance and its corrections, so its version stands
for all of them; likewise a conference's for the rest of its snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from functions.adapters.attendance_documents import (
    attendance_to_document,
    correction_from_document,
    correction_id,
    correction_to_document,
)
from functions.adapters.conference_documents import (
    conference_from_document,
    conference_to_document,
    participant_to_document,
)
from functions.adapters.database import ABSENT, COMMIT_TIME, Database, Document, Write
from functions.adapters.documents import SCHEMA_VERSION, Fields, check_schema, expiry
from functions.adapters.people_documents import (
    organizer_from_document,
    organizer_to_document,
    person_from_document,
    person_to_document,
)
from functions.adapters.register_documents import register_id, register_keys, register_with
from functions.adapters.room_documents import room_from_document, room_to_document
from functions.adapters.session_documents import session_from_document, session_to_document
from functions.domain.errors import StoreConflict
from functions.domain.model import Conference
from functions.domain.roster import Correction
from functions.domain.sessions import (
    Answered,
    AttendanceSheet,
    AuditEntry,
    ClassSession,
    Person,
    Role,
    SessionState,
    TrackedOrganizer,
)
from functions.domain.timetable import Room
from functions.ports import Clock, SheetChange

MAX_PART_BYTES = 900_000
"""How much of something that may outgrow a document one document holds: below Firestore's 1 MiB with room for the
other fields. https://firebase.google.com/docs/firestore/quotas#limits
"""

_PROCESSING = ("pulled_at", "first_pulled_at", "ended_event_at", "attempts", "meet_calls", "source")
"""Fields of `sync` that tell how a result was come by: a reader sees no difference in attendance by them."""

_WORKINGS = ("progress", "due_at", "fingerprint", "calendar_due_at", "calendar_failures")
"""Fields of a class meeting that only this system reads."""


class DocumentWork:
    """`functions.ports.Work` over a database of documents. Use it once.

    Args:
        database: Where the documents stand.
        clock: The time, for what expires.
        retention: How long personal data is kept after the class; None keeps it.
    """

    def __init__(self, database: Database, *, clock: Clock, retention: timedelta | None) -> None:
        self._database = database
        self._clock = clock
        self._retention = retention
        self._read: dict[str, Document | None] = {}
        self._children: dict[str, Mapping[str, Document]] = {}
        self._conferences: dict[str, Conference] = {}
        self._sheets: dict[str, AttendanceSheet] = {}
        self._dropped: set[str] = set()
        self._rooms: dict[str, Room] = {}
        self._corrections: dict[str, dict[str, Correction]] = {}
        self._people: dict[str, Person] = {}
        self._organizers: dict[str, TrackedOrganizer | None] = {}
        self._answered: list[Answered] = []
        self._notes: list[AuditEntry] = []

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
        await self._get_many(
            [
                *map(_conference_path, conferences),
                *map(_session_path, sessions),
                *map(_room_path, rooms),
                *map(_person_path, people),
            ]
        )

    async def conference(self, conference_record: str) -> Conference | None:
        """See the port."""
        if conference_record in self._conferences:
            return self._conferences[conference_record]
        path = _conference_path(conference_record)
        document = await self._get(path)
        if document is None:
            return None
        check_schema(document.fields)
        participants = list(document.fields["participants"])
        if document.fields["snapshot_documents"]:
            parts = await self._get_children(f"{path}/snapshot")
            for part in sorted(parts.values(), key=lambda part: int(part.path.rpartition("/")[2])):
                participants += part.fields["participants"]
        if len(participants) != document.fields["participant_count"]:
            raise StoreConflict("The conference changed while it was being loaded.")
        return conference_from_document(document.fields, participants)

    async def session(self, session_id: str) -> ClassSession | None:
        """See the port."""
        if session_id in self._sheets:
            return self._sheets[session_id].session
        document = await self._get(_session_path(session_id))
        return session_from_document(document.fields) if document and session_id not in self._dropped else None

    async def updated_at(self, session_id: str) -> datetime:
        """See the port."""
        document = await self._get(_session_path(session_id))
        if document is None:
            raise StoreConflict("The class meeting is gone.")
        moment: datetime = document.fields["updated_at"]
        return moment

    async def corrections(self, session_id: str) -> tuple[Correction, ...]:
        """See the port."""
        return tuple((await self._load_corrections(session_id)).values())

    async def room(self, space: str) -> Room:
        """See the port."""
        if space in self._rooms:
            return self._rooms[space]
        document = await self._get(_room_path(space))
        return room_from_document(document.fields) if document else Room(space)

    async def people(self, users: Collection[str]) -> Mapping[str, Person]:
        """See the port."""
        paths = {user: _person_path(user) for user in users if user not in self._people}
        await self._get_many(paths.values())
        found = {
            user: person_from_document(document.fields)
            for user, path in paths.items()
            if (document := self._read.get(path))
        }
        return {**found, **{user: self._people[user] for user in users if user in self._people}}

    async def organizer(self, user: str) -> TrackedOrganizer | None:
        """See the port."""
        if user in self._organizers:
            return self._organizers[user]
        document = await self._get(_organizer_path(user))
        return organizer_from_document(document.fields) if document else None

    async def answered(self, key: str) -> Answered | None:
        """See the port."""
        document = await self._get(f"idempotency/{key}")
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
        self._conferences[conference.conference_record] = conference

    def put_sheet(self, sheet: AttendanceSheet) -> None:
        """See the port."""
        self._sheets[sheet.session.session_id] = sheet
        self._dropped.discard(sheet.session.session_id)

    def drop_session(self, session_id: str) -> None:
        """See the port."""
        self._sheets.pop(session_id, None)
        self._corrections.pop(session_id, None)
        self._dropped.add(session_id)

    def put_room(self, room: Room) -> None:
        """See the port."""
        self._rooms[room.space] = room

    def put_correction(self, session_id: str, correction: Correction) -> None:
        """See the port."""
        self._corrections[session_id][correction_id(correction)] = correction

    def drop_correction(self, session_id: str, correction: Correction) -> None:
        """See the port."""
        del self._corrections[session_id][correction_id(correction)]

    def put_person(self, person: Person) -> None:
        """See the port."""
        self._people[person.user] = person

    def put_organizer(self, organizer: TrackedOrganizer) -> None:
        """See the port."""
        self._organizers[organizer.user] = organizer

    def drop_organizer(self, user: str) -> None:
        """See the port."""
        self._organizers[user] = None

    def put_answered(self, answered: Answered) -> None:
        """See the port."""
        self._answered.append(answered)

    def note(self, entry: AuditEntry) -> None:
        """See the port."""
        self._notes.append(entry)

    async def commit(self) -> Mapping[str, SheetChange]:
        """Write what differs, all at one moment, or nothing.

        Returns:
            What changed of the attendance of each class meeting that was put.
        """
        await self._load_what_is_written()
        changes: dict[str, SheetChange] = {}
        marks: dict[str, dict[str, Any]] = {}
        writes: list[Write] = []
        written: dict[str, AttendanceSheet] = {}
        for session_id, sheet in self._sheets.items():
            on_sheet = list(self._sheet_writes(sheet))
            changes[session_id] = _sheet_change(session_id, on_sheet, self._people_of(session_id))
            marks |= _marks_changed(session_id, on_sheet, self._people_of(session_id))
            writes += on_sheet
            if on_sheet:
                written[session_id] = sheet
        for session_id in self._dropped:
            writes += self._drop_writes(session_id)
        on_sheets = bool(writes)
        writes += await self._register_writes(written)
        for conference in self._conferences.values():
            # A sheet is made of its conferences: the commit must fail if they are others by now.
            writes += self._conference_writes(conference, always=on_sheets)
        for room in self._rooms.values():
            writes += self._replace(_room_path(room.space), room_to_document(room))
        for person in self._people.values():
            known = None if person == Person(person.user) else person_to_document(person, retention=self._retention)
            writes += self._replace(_person_path(person.user), known)
        for user, organizer in self._organizers.items():
            writes += self._replace(_organizer_path(user), organizer_to_document(organizer) if organizer else None)
        writes += self._remembered_writes()
        writes += [Write(f"audit/{note.entry_id}", self._audit(note, marks)) for note in self._notes]
        if writes:
            await self._database.commit(writes)
        return changes

    # --- Reading, each document once ---

    async def _get(self, path: str) -> Document | None:
        if path not in self._read:
            self._read[path] = await self._database.get(path)
        return self._read[path]

    async def _get_many(self, paths: Iterable[str]) -> None:
        wanted = [path for path in paths if path not in self._read]
        if wanted:
            found = await self._database.get_many(wanted)
            self._read.update({path: found.get(path) for path in wanted})

    async def _get_children(self, collection: str) -> Mapping[str, Document]:
        if collection not in self._children:
            found = await self._database.children(collection)
            self._children[collection] = {document.path: document for document in found}
        return self._children[collection]

    async def _load_corrections(self, session_id: str) -> dict[str, Correction]:
        if session_id not in self._corrections:
            path = _session_path(session_id)
            # Read after the class meeting, whose version stands for them. Under one that does not exist there is
            # nothing, unless its conference belonged elsewhere for a while: what people decided is waiting then.
            known = await self._get(path) or self._read.get(_conference_path(session_id))
            found = await self._get_children(f"{path}/corrections") if known else {}
            corrections = [correction_from_document(document.fields) for document in found.values()]
            self._corrections[session_id] = {correction_id(correction): correction for correction in corrections}
        return self._corrections[session_id]

    async def _load_what_is_written(self) -> None:
        """Read whatever is to be replaced and was not read yet."""
        sessions = [*self._sheets, *self._dropped]
        await self._get_many(
            [
                *map(_session_path, sessions),
                *map(_conference_path, self._conferences),
                *map(_room_path, self._rooms),
                *map(_person_path, self._people),
                *map(_organizer_path, self._organizers),
            ]
        )
        spilled = [
            path
            for path in map(_conference_path, self._conferences)
            if (document := self._read[path]) and document.fields["snapshot_documents"]
        ]
        # Under a class meeting that does not exist there is nothing.
        there = [session_id for session_id in sessions if self._read[_session_path(session_id)]]
        await asyncio.gather(
            *(self._get_children(f"{path}/snapshot") for path in spilled),
            *(self._get_children(f"{_session_path(session_id)}/attendance") for session_id in there),
        )

    def _people_of(self, session_id: str) -> Mapping[str, Document]:
        return self._children.get(f"{_session_path(session_id)}/attendance", {})

    # --- Writing what differs ---

    def _replace(self, path: str, fields: Fields | None) -> list[Write]:
        """The write of a document that was read, if it differs."""
        before = self._read[path]
        if (before.fields if before else None) == fields:
            return []
        return [Write(path, fields, expecting=before or ABSENT)]

    def _conference_writes(self, conference: Conference, *, always: bool) -> list[Write]:
        path = _conference_path(conference.conference_record)
        snapshot = conference.snapshot
        documents = [participant_to_document(p) for p in snapshot.participants] if snapshot else []
        inline, *spilled = _chunks(documents)
        fields = {
            **conference_to_document(conference, retention=self._retention),
            "participants": inline,
            "snapshot_documents": len(spilled),
        }
        parts = {
            f"{path}/snapshot/{number}": {
                "schema_version": SCHEMA_VERSION,
                "expire_at": fields["expire_at"],
                "participants": chunk,
            }
            for number, chunk in enumerate(spilled, start=1)
        }
        changed = list(_changed(parts, self._children.get(f"{path}/snapshot", {})))
        before = self._read[path]
        if always or changed or before is None or before.fields != fields:
            return [Write(path, fields, expecting=before or ABSENT), *changed]
        return []

    def _sheet_writes(self, sheet: AttendanceSheet) -> Iterable[Write]:
        session = sheet.session
        path = _session_path(session.session_id)
        people = {
            f"{path}/attendance/{person.attendee_id}": attendance_to_document(
                person, session, retention=self._retention
            )
            for person in sheet.attendance
        }
        changed = [
            write if write.fields is None else Write(write.path, {**write.fields, "updated_at": COMMIT_TIME})
            for write in _changed(people, self._people_of(session.session_id), ignoring=("updated_at",))
        ]
        changed += self._correction_writes(session)
        fields = session_to_document(sheet, retention=self._retention)
        document = self._read[path]
        before = dict(document.fields) if document else {}
        created_at, updated_at = before.pop("created_at", COMMIT_TIME), before.pop("updated_at", COMMIT_TIME)
        if changed or _visible(fields) != _visible(before):
            updated_at = COMMIT_TIME
        if updated_at is COMMIT_TIME or fields != before:
            fields |= {"created_at": created_at, "updated_at": updated_at}
            yield Write(path, fields, expecting=document or ABSENT)
            yield from changed

    def _correction_writes(self, session: ClassSession) -> Iterable[Write]:
        if session.session_id not in self._corrections:
            return ()
        collection = f"{_session_path(session.session_id)}/corrections"
        wanted = {
            f"{collection}/{name}": correction_to_document(correction, session, retention=self._retention)
            for name, correction in self._corrections[session.session_id].items()
        }
        return _changed(wanted, self._children.get(collection, {}))

    def _drop_writes(self, session_id: str) -> list[Write]:
        path = _session_path(session_id)
        document = self._read[path]
        if document is None:
            return []
        return [Write(path, None, expecting=document), *(Write(child, None) for child in self._people_of(session_id))]

    async def _register_writes(self, written: Mapping[str, AttendanceSheet]) -> list[Write]:
        """The registers that class meetings stand in, stood in, or leave.

        Only those that are written count: the commit fails if they are others by now, so that no register is ever made
        of a class meeting as it was.
        """
        sheets_of: dict[str, list[AttendanceSheet]] = {}
        for session_id, sheet in written.items():
            for key in register_keys(sheet) | self._registers_before(session_id):
                sheets_of.setdefault(key, []).append(sheet)
        for session_id in self._dropped:
            document = self._read[_session_path(session_id)]
            if document:
                gone = AttendanceSheet(session_from_document(document.fields))
                for key in self._registers_before(session_id):
                    sheets_of.setdefault(key, []).append(gone)
        paths = {key: f"registers/{key}" for key in sorted(sheets_of)}
        await self._get_many(paths.values())
        writes: list[Write] = []
        for key, path in paths.items():
            parts = await self._get_children(f"{path}/parts") if (self._read[path] and self._parts(path)) else {}
            before = self._register_before(path, parts)
            after = before
            for sheet in sheets_of[key]:
                after = register_with(after, key, sheet, retention=self._retention)
            if after == before:
                continue
            inline, *spilled = _map_chunks(after["students"]) if after else [{}]
            wanted = {
                f"{path}/parts/{number}": {
                    "schema_version": SCHEMA_VERSION,
                    "expire_at": after["expire_at"] if after else None,
                    "students": chunk,
                }
                for number, chunk in enumerate(spilled, start=1)
            }
            fields = {**after, "students": inline, "parts": len(spilled)} if after else None
            writes += [Write(path, fields, expecting=self._read[path] or ABSENT), *_changed(wanted, parts)]
        return writes

    def _parts(self, path: str) -> int:
        document = self._read[path]
        return document.fields["parts"] if document else 0

    def _register_before(self, path: str, parts: Mapping[str, Document]) -> Fields | None:
        document = self._read[path]
        if document is None:
            return None
        check_schema(document.fields)
        students = {**document.fields["students"]}
        for part in parts.values():
            students |= part.fields["students"]
        fields = {**document.fields, "students": dict(sorted(students.items()))}
        del fields["parts"]
        return fields

    def _registers_before(self, session_id: str) -> frozenset[str]:
        document = self._read[_session_path(session_id)]
        people = self._people_of(session_id).values()
        if document is None or document.fields["state"] == SessionState.CANCELLED.value or not people:
            return frozenset()
        students = (person.fields for person in people if person.fields["role"] == Role.STUDENT.value)
        classes = {document.fields["class_id"], *(student["class_id"] for student in students)}
        month = document.fields["local_date"][:7]
        return frozenset(register_id(class_id, month) for class_id in classes if class_id)

    def _remembered_writes(self) -> list[Write]:
        return [
            Write(
                f"idempotency/{answered.key}",
                {
                    "schema_version": SCHEMA_VERSION,
                    "expire_at": answered.expire_at,
                    "fingerprint": answered.fingerprint,
                    "session_ids": list(answered.session_ids),
                },
                expecting=self._read.get(f"idempotency/{answered.key}") or ABSENT,
            )
            for answered in self._answered
        ]

    def _audit(self, note: AuditEntry, marks: Mapping[str, Mapping[str, Any]]) -> Fields:
        return {
            "schema_version": SCHEMA_VERSION,
            "expire_at": expiry(self._clock(), self._retention),
            "at": COMMIT_TIME,
            "by": note.by,
            "caller": note.caller,
            "what": note.what,
            "references": dict(note.references),
            "marks": dict(marks),
        }


def _conference_path(conference_record: str) -> str:
    return f"conferences/{conference_record.removeprefix('conferenceRecords/')}"


def _session_path(session_id: str) -> str:
    return f"sessions/{session_id}"


def _room_path(space: str) -> str:
    return f"spaces/{space.removeprefix('spaces/')}"


def _person_path(user: str) -> str:
    return f"people/{user.removeprefix('users/')}"


def _organizer_path(user: str) -> str:
    return f"organizers/{user.removeprefix('users/')}"


def _changed(
    wanted: Mapping[str, Fields], stored: Mapping[str, Document], *, ignoring: Sequence[str] = ()
) -> Iterable[Write]:
    """The writes that turn the stored documents into the wanted ones."""
    for path, fields in wanted.items():
        before = dict(stored[path].fields) if path in stored else None
        for name in ignoring:
            if before:
                before.pop(name, None)
        if before != fields:
            yield Write(path, fields)
    for path in stored.keys() - wanted.keys():
        yield Write(path, None)


def _sheet_change(session_id: str, writes: Sequence[Write], before: Mapping[str, Document]) -> SheetChange:
    prefix = f"{_session_path(session_id)}/attendance/"
    people = [write for write in writes if write.path.startswith(prefix)]
    return SheetChange(
        created=frozenset(w.path.removeprefix(prefix) for w in people if w.fields and w.path not in before),
        updated=frozenset(w.path.removeprefix(prefix) for w in people if w.fields and w.path in before),
        deleted=frozenset(w.path.removeprefix(prefix) for w in people if w.fields is None),
    )


def _marks_changed(
    session_id: str, writes: Sequence[Write], before: Mapping[str, Document]
) -> dict[str, dict[str, Any]]:
    """By attendee id, the mark before and after, where it changes."""
    prefix = f"{_session_path(session_id)}/attendance/"
    marks = {}
    for write in writes:
        if write.path.startswith(prefix):
            was = before[write.path].fields["mark"] if write.path in before else None
            now = write.fields["mark"] if write.fields else None
            if was != now:
                marks[write.path.removeprefix(prefix)] = {"before": was, "after": now}
    return marks


def _visible(session: Mapping[str, Any]) -> Fields:
    """What a reader can see of a class meeting that matters to attendance."""
    sync = {name: value for name, value in (session.get("sync") or {}).items() if name not in _PROCESSING}
    if sync.get("error"):
        sync["error"] = {**sync["error"], "at": None}
    return {**{name: value for name, value in session.items() if name not in _WORKINGS}, "sync": sync}


def _chunks(items: Sequence[Fields]) -> list[list[Fields]]:
    """The items in order, cut so that each part fits into one document; at least one part."""
    chunks: list[list[Fields]] = [[]]
    room = MAX_PART_BYTES
    for item in items:
        size = document_size(item)
        if size > room and chunks[-1]:
            chunks.append([])
            room = MAX_PART_BYTES
        chunks[-1].append(item)
        room -= size
    return chunks


def _map_chunks(items: Mapping[str, Fields]) -> list[Fields]:
    """The same for a map."""
    return [
        {name: value for item in chunk for name, value in item.items()}
        for chunk in _chunks([{name: value} for name, value in items.items()])
    ]


def document_size(value: object) -> int:
    """How many bytes Firestore counts for a value: https://firebase.google.com/docs/firestore/storage-size."""
    match value:
        case str():
            return len(value.encode()) + 1
        case dict():
            return sum(document_size(name) + document_size(item) for name, item in value.items())
        case list():
            return sum(map(document_size, value))
        case None | bool():
            return 1
        case int() | float() | datetime():
            return 8
    raise TypeError(f"A document cannot hold a {type(value).__name__}.")

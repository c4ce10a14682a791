"""The attendance store over any database of documents: what is written where, and what need not be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from functions.adapters.conference_documents import (
    conference_from_document,
    conference_to_document,
    participant_to_document,
)
from functions.adapters.database import ABSENT, COMMIT_TIME, Database, Document, Write
from functions.adapters.documents import SCHEMA_VERSION, Fields, check_schema, expiry
from functions.adapters.session_documents import (
    attendance_from_document,
    attendance_to_document,
    session_from_document,
    session_to_document,
)
from functions.domain.errors import StoreConflict
from functions.domain.model import AttendanceSheet, Conference
from functions.ports import Change, Clock, Loaded, ParkedEvent

MAX_PARTICIPANTS_BYTES = 900_000
"""How much of a snapshot one document holds: below Firestore's 1 MiB with room for the other fields.

https://firebase.google.com/docs/firestore/quotas#limits
"""

MAX_PARKED_BYTES = 256 * 1024

_PROCESSING = ("pulled_at", "first_pulled_at", "ended_event_at", "attempts", "meet_calls", "source")
"""Fields of `sync` that tell how a result was come by: a reader sees no difference in attendance by them."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """The documents that something was loaded from: its own one, and those that hang on it."""

    document: Document | None
    children: Mapping[str, Document] = field(default_factory=dict)


class DocumentAttendanceStore:
    """`functions.ports.AttendanceStore` over a database of documents.

    A class meeting's document is written with every change of its attendance, so its version stands for all of
    them; likewise a conference's for the rest of its snapshot.

    Args:
        database: Where the documents stand.
        clock: The time, for when a parked message expires.
        retention: How long personal data is kept after the class; None keeps it.
    """

    def __init__(self, database: Database, *, clock: Clock, retention: timedelta | None) -> None:
        self._database = database
        self._clock = clock
        self._retention = retention

    async def load_conference(self, conference_record: str) -> Loaded[Conference]:
        """See the port."""
        path = _conference_path(conference_record)
        for _ in range(3):
            document = await self._database.get(path)
            if document is None:
                return Loaded(None, _Origin(None))
            check_schema(document.fields)
            parts: Sequence[Document] = ()
            if document.fields["snapshot_documents"]:
                parts = await self._database.children(f"{path}/snapshot")
            participants = list(document.fields["participants"])
            for part in sorted(parts, key=lambda part: int(part.path.rpartition("/")[2])):
                participants += part.fields["participants"]
            if len(participants) == document.fields["participant_count"]:
                conference = conference_from_document(document.fields, participants)
                return Loaded(conference, _Origin(document, {part.path: part for part in parts}))
        raise StoreConflict("The conference changed while it was being loaded.")

    async def load_sheet(self, session_id: str) -> Loaded[AttendanceSheet]:
        """See the port."""
        path = _session_path(session_id)
        document = await self._database.get(path)
        if document is None:
            return Loaded(None, _Origin(None))
        attendance = await self._database.children(f"{path}/attendance")
        sheet = AttendanceSheet(
            session=session_from_document(document.fields),
            attendance=tuple(attendance_from_document(person.fields) for person in attendance),
        )
        return Loaded(sheet, _Origin(document, {person.path: person for person in attendance}))

    async def save(
        self, *, conference: Change[Conference] | None = None, sheet: Change[AttendanceSheet] | None = None
    ) -> None:
        """See the port."""
        on_sheet = list(self._sheet_writes(sheet.value, _origin(sheet.loaded))) if sheet else []
        on_conference: list[Write] = []
        if conference:
            # A sheet is made of its conference: the commit must fail if that is another one by now.
            on_conference = list(
                self._conference_writes(conference.value, _origin(conference.loaded), always=bool(on_sheet))
            )
        if on_conference or on_sheet:
            await self._database.commit([*on_conference, *on_sheet])

    async def park(self, event: ParkedEvent) -> None:
        """See the port."""
        path = f"parked_events/{event.key}"
        whole = event.message.encode()
        fields = {
            "schema_version": SCHEMA_VERSION,
            "expire_at": expiry(self._clock(), self._retention),
            "message": whole[:MAX_PARKED_BYTES].decode(errors="ignore"),
            "encoding": event.encoding,
            "truncated": len(whole) > MAX_PARKED_BYTES,
            "reason": event.reason,
            "hint": event.hint,
            "parked_at": COMMIT_TIME,
            "replayed_at": None,
        }
        try:
            await self._database.commit([Write(path, fields, expecting=ABSENT)])
        except StoreConflict:
            # It may be parked already, and looked at since. Believe it when it is seen.
            if await self._database.get(path) is None:
                raise

    def _conference_writes(self, conference: Conference, origin: _Origin, *, always: bool) -> Iterable[Write]:
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
        changed = list(_changed(parts, origin.children))
        if always or changed or origin.document is None or origin.document.fields != fields:
            yield Write(path, fields, expecting=origin.document or ABSENT)
            yield from changed

    def _sheet_writes(self, sheet: AttendanceSheet, origin: _Origin) -> Iterable[Write]:
        path = _session_path(sheet.session.session_id)
        people = {
            f"{path}/attendance/{person.attendee_id}": attendance_to_document(
                person, sheet.session, retention=self._retention
            )
            for person in sheet.attendance
        }
        changed = [
            write if write.fields is None else Write(write.path, {**write.fields, "updated_at": COMMIT_TIME})
            for write in _changed(people, origin.children, ignoring=("updated_at",))
        ]
        fields = session_to_document(sheet, retention=self._retention)
        before = dict(origin.document.fields) if origin.document else {}
        created_at, updated_at = before.pop("created_at", COMMIT_TIME), before.pop("updated_at", COMMIT_TIME)
        if changed or _visible(fields) != _visible(before):
            updated_at = COMMIT_TIME
        if updated_at is COMMIT_TIME or fields != before:
            fields |= {"created_at": created_at, "updated_at": updated_at}
            yield Write(path, fields, expecting=origin.document or ABSENT)
            yield from changed


def _conference_path(conference_record: str) -> str:
    return f"conferences/{conference_record.removeprefix('conferenceRecords/')}"


def _session_path(session_id: str) -> str:
    return f"sessions/{session_id}"


def _origin(loaded: Loaded[Any]) -> _Origin:
    if not isinstance(loaded.origin, _Origin):
        raise TypeError("A change must give back what this store loaded.")
    return loaded.origin


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


def _visible(session: Mapping[str, Any]) -> Fields:
    """What a reader can see of a class meeting that matters to attendance."""
    sync = {name: value for name, value in (session.get("sync") or {}).items() if name not in _PROCESSING}
    if sync.get("error"):
        sync["error"] = {**sync["error"], "at": None}
    return {**session, "sync": sync}


def _chunks(participants: Sequence[Fields]) -> list[list[Fields]]:
    """The participants in order, cut so that each part fits into one document; at least one part."""
    chunks: list[list[Fields]] = [[]]
    room = MAX_PARTICIPANTS_BYTES
    for participant in participants:
        size = document_size(participant)
        if size > room and chunks[-1]:
            chunks.append([])
            room = MAX_PARTICIPANTS_BYTES
        chunks[-1].append(participant)
        room -= size
    return chunks


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
        case int() | datetime():
            return 8
    raise TypeError(f"A document cannot hold a {type(value).__name__}.")

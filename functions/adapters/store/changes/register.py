"""Compares a class's register as it should be stored with what is stored, and returns the writes; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from functions.adapters.store.changes.differences import changed, contents
from functions.adapters.store.changes.sheet import StoredSheet
from functions.adapters.store.databases.database import ABSENT, Document, Write
from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema
from functions.adapters.store.documents.register import register_id, register_with
from functions.adapters.store.parts import digest, map_chunks
from functions.adapters.store.paths import register_path
from functions.domain.classes.sessions import AttendanceSheet, Role, SessionState


def registers_before(stored: StoredSheet) -> frozenset[str]:
    """The registers that contain a class meeting so far."""
    session = stored.session
    if session is None or session.fields["state"] == SessionState.CANCELLED.value or not stored.people:
        return frozenset()
    students = (person for person in stored.people.values() if person["role"] == Role.STUDENT.value)
    classes = {session.fields["class_id"], *(student["class_id"] for student in students)}
    month = session.fields["local_date"][:7]
    return frozenset(register_id(class_id, month) for class_id in classes if class_id)


def registers_to_come(session: Document) -> frozenset[str]:
    """The registers that will contain a class meeting, as far as its own document shows.

    They are read early to save time.
    """
    month = session.fields["local_date"][:7]
    return frozenset(register_id(class_id, month) for class_id in session.fields.get("class_ids", ()))


def has_parts(stored: Document | None) -> bool:
    """Whether a register's document says that further documents hold a part of the register."""
    return stored is not None and bool(stored.fields["parts"])


def register_writes(
    key: str,
    sheets: Iterable[AttendanceSheet],
    *,
    stored: Document | None,
    parts: Mapping[str, Document],
    retention: timedelta | None,
) -> list[Write]:
    """The writes of a register, if anything differs; it is deleted with its last class meeting.

    Args:
        key: Its id.
        sheets: The class meetings that it contains, or that leave it.
        stored: Its document.
        parts: The stored rest of it, by path.
        retention: How long personal data is kept.
    """
    path = register_path(key)
    before = _put_together(stored, parts)
    after = before
    for sheet in sheets:
        after = register_with(after, key, sheet, retention=retention)
    if after == before:
        return []
    inline, *spilled = map_chunks(after["students"]) if after else [{}]
    wanted = {
        f"{path}/parts/{number}": {
            "schema_version": SCHEMA_VERSION,
            "expire_at": after["expire_at"] if after else None,
            "students": chunk,
        }
        for number, chunk in enumerate(spilled, start=1)
    }
    fields = {**after, "students": inline, "parts": len(spilled), "parts_digest": digest(spilled)} if after else None
    return [Write(path, fields, expecting=stored or ABSENT), *changed(wanted, contents(parts))]


def _put_together(stored: Document | None, parts: Mapping[str, Document]) -> Fields | None:
    if stored is None:
        return None
    check_schema(stored.fields)
    students = {**stored.fields["students"]}
    for part in parts.values():
        students |= part.fields["students"]
    fields = {**stored.fields, "students": dict(sorted(students.items()))}
    for name in ("parts", "parts_digest"):
        fields.pop(name, None)
    return fields

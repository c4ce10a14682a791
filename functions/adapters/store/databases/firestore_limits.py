"""What Firestore accepts in one commit, estimated before the request: documents, and the index entries that they make.

Firestore counts both, and answers "Transaction too big" without a number (the exact limit is not published). We compare
the sum of both with the 10 MiB that a request may have. Sizes follow
https://firebase.google.com/docs/firestore/storage-size, limits https://firebase.google.com/docs/firestore/quotas.

The indexes are listed here again, because `infra/firestore.indexes.json` is not deployed with a function; a test checks
that the two agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Final, NamedTuple

from functions.adapters.store.databases.database import COMMIT_TIME, Write, field_value
from functions.adapters.store.parts import document_size
from functions.domain.errors import DocumentsRefused

MAX_COMMIT_BYTES: Final = 10 * 1024 * 1024
MAX_DOCUMENT_BYTES: Final = 1024 * 1024 - 4
"""The page of limits says 1 MiB, the comments of the message `Document` 4 bytes less:
https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#document"""
MAX_DOCUMENT_ENTRIES: Final = 40_000
_MAX_VALUE_BYTES: Final = 1500
_TIME_BYTES: Final = 8
_MISSING: Final = object()

HINT: Final = "Nothing was written. Split the class meeting: fewer people, or a shorter time, in one."


class Index(NamedTuple):
    """An index: the name of its collections, its fields, and whether it covers all collections of that name together.

    A field that ends in `[]` means the elements of a list. Directions do not change the size of an entry.
    """

    group: str
    fields: tuple[str, ...]
    is_group: bool = False


EXEMPT: Final = frozenset(
    {
        "attendance",
        "audit",
        "conferences",
        "corrections",
        "erasures",
        "live",
        "parked_events",
        "parts",
        "people",
        "quota",
        "registers",
        "remarks",
        "seen",
        "sessions",
        "sheet",
        "snapshot",
        "spaces",
        "unpublished_changes",
    }
)
"""Collection groups in which Firestore indexes only the fields that are listed below."""

_SEARCHED: Final = ("class_id", "external_id", "state", "teacher_emails[]")
_WHOSE: Final = ("emails[]", "student_id", "user")
_IN_ORDER: Final = ("session_start", "session_id")
_BY_START: Final = ("session_start", "attendee_id")

SINGLE: Final = (
    *(Index("attendance", (field,), is_group=True) for field in _WHOSE),
    Index("attendance", ("teacher_emails[]",)),
    *(Index("conferences", (field,)) for field in ("sync.pulled_at", "sync.state")),
    *(Index("corrections", (field,), is_group=True) for field in ("email", "student_id", "user")),
    *(Index("live", (field,)) for field in ("check_at", "conference_records[]", "teacher_emails[]")),
    Index("parked_events", ("replayed_at",)),
    *(Index("people", (field,)) for field in ("emails[]", "student.email", "student.student_id")),
    Index("registers", ("month",)),
    *(
        Index("sessions", (field,))
        for field in (
            "calendar.event_id",
            "calendar_due_at",
            "conference_records[]",
            "due_at",
            "teacher_email",
            "updated_at",
        )
    ),
    Index("spaces", ("reconcile_at",)),
)

COMPOSITE: Final = (
    *(
        Index("sessions", (*some, *_IN_ORDER))
        for number in range(len(_SEARCHED) + 1)
        for some in combinations(_SEARCHED, number)
    ),
    *(Index("sessions", (field, "updated_at")) for field in _SEARCHED),
    *(Index("sessions", (field, *_IN_ORDER)) for field in ("class_ids[]", "series_id", "meeting_code")),
    Index("sessions", ("calendar.state", "session_start")),
    Index("sessions", ("teacher_email", "progress.error.at")),
    Index("conferences", ("sync.state", "end_time")),
    Index("conferences", ("end_time", "sync.state", "sync.pulled_at")),
    Index("conferences", ("sync.sessions_source", "end_time")),
    Index("conferences", ("organizer.user", "sync.state")),
    Index("attendance", ("class_id", *_BY_START), is_group=True),
    *(Index("attendance", (field, *_BY_START), is_group=True) for field in _WHOSE),
    *(Index("attendance", ("class_id", field, *_BY_START), is_group=True) for field in _WHOSE),
    Index("parked_events", ("replayed_at", "parked_at")),
    Index("parked_events", ("reason", "replayed_at", "parked_at")),
)


class Size(NamedTuple):
    """The size of a document: its own bytes, the number of its index entries, and their bytes."""

    document: int
    entries: int
    entry_bytes: int


def check_commit(writes: Sequence[Write]) -> None:
    """Refuse a commit that Firestore would refuse.

    Raises:
        DocumentsRefused: It is too large, or one of its documents is.
    """
    total = 0
    for write in writes:
        if write.fields is None:
            continue
        size = size_of(write.path, write.fields)
        group = _group(write.path)
        if size.document > MAX_DOCUMENT_BYTES:
            raise DocumentsRefused(
                f"A document in {group} is {size.document:,} bytes; Firestore takes {MAX_DOCUMENT_BYTES:,}.", hint=HINT
            )
        if size.entries > MAX_DOCUMENT_ENTRIES:
            raise DocumentsRefused(
                f"A document in {group} has {size.entries:,} index entries; Firestore takes {MAX_DOCUMENT_ENTRIES:,}.",
                hint=HINT,
            )
        total += size.document + size.entry_bytes
    if total > MAX_COMMIT_BYTES:
        raise DocumentsRefused(
            f"{len(writes):,} documents at one moment are {total:,} bytes with their index entries; Firestore takes "
            f"{MAX_COMMIT_BYTES:,}.",
            hint=HINT,
        )


def size_of(path: str, fields: Mapping[str, Any]) -> Size:
    """The size of a document, as Firestore counts it."""
    name = _name_size(path)
    document = name + 32 + sum(len(field.encode()) + 1 + _value_size(value) for field, value in fields.items())
    entries = list(_entries(path, fields, name))
    return Size(document, len(entries), sum(entries))


def _entries(path: str, fields: Mapping[str, Any], name: int) -> Iterator[int]:
    """The size of each index entry of a document."""
    group, above = _group(path), path.rpartition("/")[0].rpartition("/")[0]
    parent = _name_size(above) if above else 0
    if group not in EXEMPT:
        for field, value in _flat(fields):
            size = name + parent + 32 + len(field.encode()) + 1
            yield from (size + min(_value_size(value), _MAX_VALUE_BYTES),) * 2
            if isinstance(value, list):
                yield from (size + one for one in _elements(value))
    for index in SINGLE:
        if index.group == group:
            field = index.fields[0].removesuffix("[]")
            fixed = name + len(field.encode()) + 1 + (48 if index.is_group else parent + 32)
            yield from (fixed + size for size in _combinations(index, fields))
    for index in COMPOSITE:
        if index.group == group:
            fixed = name + 32 + (0 if index.is_group else parent)
            yield from (fixed + size for size in _combinations(index, fields))


def _combinations(index: Index, fields: Mapping[str, Any]) -> Sequence[int]:
    """The size of the values of each entry: one entry, or one for each element of a list.

    No entry if a field is missing.
    """
    fixed, elements = 0, [0]
    for field in index.fields:
        value = field_value(fields, field.removesuffix("[]"), _MISSING)
        if value is _MISSING:
            return ()
        if field.endswith("[]"):
            elements = _elements(value)
        else:
            fixed += min(_value_size(value), _MAX_VALUE_BYTES)
    return [fixed + size for size in elements]


def _elements(value: object) -> list[int]:
    different = {repr(one): one for one in value}.values() if isinstance(value, list) else ()
    return [min(_value_size(one), _MAX_VALUE_BYTES) for one in different]


def _flat(fields: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every field by its path; a map itself and its fields."""
    for name, value in fields.items():
        yield above + name, value
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")


def _value_size(value: object) -> int:
    return _TIME_BYTES if value is COMMIT_TIME else document_size(value)


def _name_size(path: str) -> int:
    return sum(len(part.encode()) + 1 for part in path.split("/")) + 16


def _group(path: str) -> str:
    return path.split("/")[-2]

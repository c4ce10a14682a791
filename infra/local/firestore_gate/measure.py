"""One commit -> documents, index entries and bytes, as Firestore counts them; or why it is too large.

Sizes: https://firebase.google.com/docs/firestore/storage-size. Limits:
https://firebase.google.com/docs/firestore/quotas and the comments of the messages:
https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1. Documents and their index entries count
together towards the limit of a commit. This is known only from the answer "Transaction too big" (firebase-tools issues
1036, 1185, 3992); Google publishes no figure. We compare the sum of both with 10 MiB, the limit of a request, and do
not count the entries that a commit removes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from infra.local.firestore_gate.indexes import CONTAINS, GROUP, Index, Indexes

Message = Any  # protobuf makes its classes at run time

MOST_BYTES: Final = 10 * 1024 * 1024
MOST_DOCUMENT_BYTES: Final = 1024 * 1024 - 4
"""The limit from the comments of the message `Document`; the page of limits says 1 MiB."""

MOST_TEXT_BYTES: Final = 1024 * 1024 - 89
MOST_ENTRIES: Final = 40_000
MOST_ENTRY_BYTES: Final = 7_680
MOST_BYTES_OF_ENTRIES: Final = 8 * 1024 * 1024
MOST_NAME_BYTES: Final = 6 * 1024
MOST_ID_BYTES: Final = 1_500
MOST_VALUE_BYTES: Final = 1_500
MOST_TRANSFORMS: Final = 500
DEEPEST: Final = 20

_RESERVED: Final = re.compile(r"__.*__", re.DOTALL)
_SEGMENT: Final = r"(?:[A-Za-z_][A-Za-z0-9_]*|`(?:[^`\\]|\\.)+`)"
_FIELD_PATH: Final = re.compile(rf"{_SEGMENT}(?:\.{_SEGMENT})*", re.DOTALL)


class TooLarge(Exception):
    """Firestore always refuses this commit; `words` is its message."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True, slots=True)
class Measure:
    """The size of a commit.

    Attributes:
        writes: The number of documents that are written or deleted.
        request_bytes: The size of the sent message.
        document_bytes: The stored size of the written documents.
        entries: The number of index entries of the written documents.
        entry_bytes: The stored size of these index entries.
        most_entries: The largest number of index entries of one document.
    """

    writes: int
    request_bytes: int
    document_bytes: int
    entries: int
    entry_bytes: int
    most_entries: int

    @property
    def counted_bytes(self) -> int:
        """Return the size that is compared with the limit of a commit."""
        return self.document_bytes + self.entry_bytes


def measured(request: Message, indexes: Indexes, *, most_bytes: int = MOST_BYTES) -> Measure:
    """Return the size of a CommitRequest.

    Args:
        request: The request.
        indexes: The existing indexes.
        most_bytes: The maximum size of documents and index entries together.

    Raises:
        TooLarge: Firestore would refuse the commit.
    """
    request_bytes = request.ByteSize()
    if request_bytes > MOST_BYTES:
        raise TooLarge(f"Request payload size exceeds the limit: {MOST_BYTES} bytes.")
    documents = entries = entry_bytes = most = 0
    for write in request.writes:
        name = write.delete or write.update.name or write.transform.document
        check_name(name)
        check_moment(write.current_document, "update_time")
        if not write.HasField("update"):
            continue
        if len(write.update_transforms) > MOST_TRANSFORMS:
            raise TooLarge(f"A document has more than {MOST_TRANSFORMS} field transforms.")
        fields = {name: write.update.fields[name] for name in write.update.fields}
        times = [one.field_path for one in write.update_transforms]
        for path in (*times, *write.update_mask.field_paths):
            check_field_path(path)
        size = name_size(_path(name)) + 32 + _map_size(fields) + sum(len(one.encode()) + 1 + 8 for one in times)
        if size > MOST_DOCUMENT_BYTES:
            raise TooLarge(
                f"A document cannot be written because its size ({size:,} bytes) exceeds the maximum allowed size of "
                f"{MOST_DOCUMENT_BYTES:,} bytes."
            )
        _check_fields(fields, depth=1)
        sizes = list(entries_of(_path(name), fields, times, indexes))
        if len(sizes) > MOST_ENTRIES:
            raise TooLarge(f"too many index entries for entity: {len(sizes):,}, the limit is {MOST_ENTRIES:,}")
        if max(sizes, default=0) > MOST_ENTRY_BYTES:
            raise TooLarge(f"An index entry of {max(sizes):,} bytes exceeds the limit of {MOST_ENTRY_BYTES:,} bytes.")
        if sum(sizes) > MOST_BYTES_OF_ENTRIES:
            raise TooLarge(
                f"A document's index entries of {sum(sizes):,} bytes exceed {MOST_BYTES_OF_ENTRIES:,} bytes."
            )
        documents += size
        entries += len(sizes)
        entry_bytes += sum(sizes)
        most = max(most, len(sizes))
    if documents + entry_bytes > most_bytes:
        raise TooLarge("Transaction too big. Decrease transaction size.")
    return Measure(len(request.writes), request_bytes, documents, entries, entry_bytes, most)


def entries_of(path: str, fields: Mapping[str, Message], times: list[str], indexes: Indexes) -> Iterator[int]:
    """Return the size of each index entry of a document."""
    parts = path.split("/")
    group, named = parts[-2], name_size(path)
    parent = name_size("/".join(parts[:-2])) if parts[:-2] else 0
    for field, value in _flat(fields):
        for index in indexes.single(group, field):
            for size in _values(index.fields[0][1], value):
                yield named + len(field.encode()) + 1 + size + (48 if index.scope == GROUP else parent + 32)
    for field in times:
        for index in indexes.single(group, field):
            if index.fields[0][1] != CONTAINS:
                yield named + len(field.encode()) + 1 + 8 + (48 if index.scope == GROUP else parent + 32)
    for index in indexes.composite:
        if index.group == group:
            for size in _combinations(index, fields, times):
                yield named + size + 32 + (0 if index.scope == GROUP else parent)


def name_size(path: str) -> int:
    """Return the size of a document's name; `path` begins after `documents`."""
    return sum(len(part.encode()) + 1 for part in path.split("/")) + 16


def value_size(value: Message) -> int:
    """Return the size of a stored value."""
    match value.WhichOneof("value_type"):
        case "string_value":
            return len(value.string_value.encode()) + 1
        case "map_value":
            return _map_size(value.map_value.fields)
        case "array_value":
            return sum(map(value_size, value.array_value.values))
        case "bytes_value":
            return len(value.bytes_value)
        case "reference_value":
            return name_size(_path(value.reference_value))
        case "geo_point_value":
            return 16
        case "null_value" | "boolean_value" | None:
            return 1
        case _:
            return 8


def _map_size(fields: Mapping[str, Message]) -> int:
    return sum(len(name.encode()) + 1 + value_size(fields[name]) for name in fields)


def _flat(fields: Mapping[str, Message], above: str = "") -> Iterator[tuple[str, Message]]:
    """Return every field by its path, including maps and the fields in maps."""
    for name in fields:
        value = fields[name]
        yield above + name, value
        if value.WhichOneof("value_type") == "map_value":
            yield from _flat(value.map_value.fields, f"{above}{name}.")


def _values(mode: str, value: Message) -> Iterator[int]:
    """Return the size of each value of a field that an index of this mode contains."""
    is_list = value.WhichOneof("value_type") == "array_value"
    if mode != CONTAINS:
        yield min(value_size(value), MOST_VALUE_BYTES)
    elif is_list:
        different = {one.SerializeToString(deterministic=True): one for one in value.array_value.values}
        yield from (min(value_size(one), MOST_VALUE_BYTES) for one in different.values())


def _combinations(index: Index, fields: Mapping[str, Message], times: list[str]) -> Iterator[int]:
    """Return the sizes of a composite index's entries: one, or one per list element; none if a field is missing."""
    fixed, elements = 0, [0]
    for name, mode in index.fields:
        if name in times:
            fixed += 8
            continue
        value = _at(fields, name)
        if value is None:
            return
        sizes = list(_values(mode, value))
        if mode == CONTAINS:
            elements = sizes
        else:
            fixed += sizes[0]
    yield from (fixed + size for size in elements)


def _at(fields: Mapping[str, Message], path: str) -> Message | None:
    first, _, rest = path.partition(".")
    if first not in fields:
        return None
    value = fields[first]
    if not rest:
        return value
    return _at(value.map_value.fields, rest) if value.WhichOneof("value_type") == "map_value" else None


def _path(name: str) -> str:
    return name.partition("/documents/")[2]


def check_moment(holder: Message, field: str) -> None:
    """Refuse a time that is finer than Firestore's; an unset time is ignored.

    Raises:
        TooLarge: The time has nanoseconds.
    """
    if holder.HasField(field) and getattr(holder, field).nanos % 1000:
        raise TooLarge(f"Invalid value at '{field}': a timestamp must be microsecond aligned.")


def check_field_path(path: str) -> None:
    """Refuse a text that is not a field path: field names joined by dots, each of them simple or in backquotes.

    Raises:
        TooLarge: It is not a field path, or it is too long.
    """
    if not _FIELD_PATH.fullmatch(path):
        raise TooLarge("Invalid value at 'field_path': it is not a field path.")
    if len(path.encode()) > MOST_ID_BYTES:
        raise TooLarge(f"A field path is longer than {MOST_ID_BYTES:,} bytes.")


def check_name(name: str) -> None:
    """Refuse a name that no document can have.

    Raises:
        TooLarge: The name is too long, or one of its ids is empty, a dot or reserved.
    """
    path = _path(name)
    if len(path.encode()) > MOST_NAME_BYTES:
        raise TooLarge(f"A document's name is longer than {MOST_NAME_BYTES:,} bytes.")
    for part in path.split("/"):
        if not part or part in {".", ".."} or _RESERVED.fullmatch(part):
            raise TooLarge("A collection or document id is empty, a dot, or reserved.")
        if len(part.encode()) > MOST_ID_BYTES:
            raise TooLarge(f"A collection or document id is longer than {MOST_ID_BYTES:,} bytes.")


def _check_fields(fields: Mapping[str, Message], *, depth: int) -> None:
    for name in fields:
        if not name or _RESERVED.fullmatch(name) or len(name.encode()) > MOST_ID_BYTES:
            raise TooLarge(f"A field's name is empty, reserved, or longer than {MOST_ID_BYTES:,} bytes.")
        _check_value(fields[name], depth=depth)


def _check_value(value: Message, *, depth: int) -> None:
    kind = value.WhichOneof("value_type")
    if kind in {"map_value", "array_value"} and depth > DEEPEST:
        raise TooLarge(f"Maps and lists are more than {DEEPEST} levels deep.")
    if kind == "string_value" and len(value.string_value.encode()) > MOST_TEXT_BYTES:
        raise TooLarge(f"The value of a property is longer than {MOST_TEXT_BYTES:,} bytes.")
    if kind == "map_value":
        _check_fields(value.map_value.fields, depth=depth + 1)
    elif kind == "array_value":
        for one in value.array_value.values:
            if one.WhichOneof("value_type") == "array_value":
                raise TooLarge("A list directly in a list is not supported.")
            _check_value(one, depth=depth + 1)

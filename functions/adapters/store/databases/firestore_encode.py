"""Converts writes directly to Firestore's wire messages.

The client's own encoding makes an object for every value, which for a class of 500 takes longer than the rest of the
sync: docs/adr/0005-documents-are-encoded-directly.md.
https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#write
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.cloud.firestore_v1 import types

from functions.adapters.store.databases.database import ABSENT, COMMIT_TIME, Document, Write

Message = Any  # protobuf makes its classes at run time, so the type checker does not know them

_EPOCH = datetime.fromtimestamp(0, UTC)
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SERVER_TIME = types.DocumentTransform.FieldTransform.ServerValue.REQUEST_TIME


def commit_request(
    database: str, writes: Sequence[Write], *, unchanged: Sequence[Document] = ()
) -> types.CommitRequest:
    """The request that does all writes at one moment, or none.

    Args:
        database: `projects/{project}/databases/{database}`.
        writes: The writes to do. The version of an expected document is the time of its last update, in nanoseconds
            since 1970.
        unchanged: Documents that must still have their version. An update with an empty mask changes no field, so it
            only checks the version. The version stays the same, even if others check it at the same moment.
            https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#writeresult
    """
    request = types.CommitRequest(database=database)
    message = types.CommitRequest.pb(request)
    for write in writes:
        _encode_write(message.writes.add(), f"{database}/documents/{write.path}", write)
    for document in unchanged:
        target = message.writes.add()
        target.update.name = f"{database}/documents/{document.path}"
        target.update_mask.SetInParent()
        _expect(target, document)
    return request


def _expect(target: Message, document: Document) -> None:
    version: Any = document.version  # as `firestore_decode` returned it
    updated = target.current_document.update_time
    updated.seconds, updated.nanos = divmod(version, 10**9)


def _encode_write(target: Message, name: str, write: Write) -> None:
    if write.expecting is ABSENT:
        target.current_document.exists = False
    elif write.expecting is not None:
        _expect(target, write.expecting)
    if write.fields is None:
        target.delete = name
        return
    target.update.name = name
    if write.adding:
        target.update_mask.field_paths.extend(_field_paths(write.fields))
    fields = target.update.fields
    # Without an update mask the whole document is replaced, with one only what it names; transforms are applied then.
    for field, value in write.fields.items():
        if value is COMMIT_TIME:
            target.update_transforms.add(field_path=field, set_to_server_value=_SERVER_TIME)
        else:
            encode_value(fields[field], value)


def _field_paths(fields: Mapping[str, object], above: str = "") -> Iterator[str]:
    """The path of every value that is not a map, and of every empty map.

    Names are quoted unless they are simple: https://firebase.google.com/docs/firestore/quotas#collections_documents_and_fields.
    """
    for name, value in fields.items():
        path = above + (name if _SIMPLE.fullmatch(name) else f"`{_escaped(name)}`")
        if isinstance(value, dict) and value:
            yield from _field_paths(value, f"{path}.")
        elif value is not COMMIT_TIME:
            yield path


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("`", "\\`")


def encode_value(target: Message, value: object) -> None:
    """Write a value of a document into a Value message."""
    match value:
        case str():
            target.string_value = value
        case None:
            target.null_value = 0
        case datetime():
            encode_time(target.timestamp_value, value)
        case bool():  # must come before int, because a bool is also an int
            target.boolean_value = value
        case int():
            target.integer_value = value
        case float():
            target.double_value = value
        case bytes():
            target.bytes_value = value
        case dict():
            target.map_value.SetInParent()  # an empty map is a map
            fields = target.map_value.fields
            for name, item in value.items():
                encode_value(fields[name], item)
        case list():
            target.array_value.SetInParent()
            for item in value:
                encode_value(target.array_value.values.add(), item)
        case _:
            raise TypeError(f"A document cannot hold a {type(value).__name__}.")


def encode_time(target: Message, moment: datetime) -> None:
    """Write a time into a Timestamp message."""
    since = moment - _EPOCH
    target.seconds = since.days * 86_400 + since.seconds
    target.nanos = since.microseconds * 1000

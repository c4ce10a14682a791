"""Converts Firestore's wire messages directly to documents, and read requests to wire messages.

The counterpart of `firestore_encode`, for the same reason: docs/adr/0005-documents-are-encoded-directly.md.
https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#structuredquery
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.cloud.firestore_v1 import types

from functions.adapters.store.databases.database import Document, Query, Where
from functions.adapters.store.databases.firestore_encode import Message, encode_time, encode_value
from functions.adapters.store.documents.common import Fields
from functions.domain.errors import DocumentTooNew

_EPOCH = datetime.fromtimestamp(0, UTC)
_NAME = "__name__"  # Firestore's word for a document's path
_UPWARDS = types.StructuredQuery.Direction.ASCENDING
_DOWNWARDS = types.StructuredQuery.Direction.DESCENDING
_AND = types.StructuredQuery.CompositeFilter.Operator.AND
_IS_NULL = types.StructuredQuery.UnaryFilter.Operator.IS_NULL
_OPERATORS: Final = {
    "==": types.StructuredQuery.FieldFilter.Operator.EQUAL,
    "<": types.StructuredQuery.FieldFilter.Operator.LESS_THAN,
    "<=": types.StructuredQuery.FieldFilter.Operator.LESS_THAN_OR_EQUAL,
    ">": types.StructuredQuery.FieldFilter.Operator.GREATER_THAN,
    ">=": types.StructuredQuery.FieldFilter.Operator.GREATER_THAN_OR_EQUAL,
    "contains": types.StructuredQuery.FieldFilter.Operator.ARRAY_CONTAINS,
    "contains_any": types.StructuredQuery.FieldFilter.Operator.ARRAY_CONTAINS_ANY,
}


def get_request(database: str, paths: Sequence[str], *, at: datetime | None) -> types.BatchGetDocumentsRequest:
    """The request for documents by path, all at one moment.

    Args:
        database: `projects/{project}/databases/{database}`.
        paths: Which.
        at: When; now if None.
    """
    request = types.BatchGetDocumentsRequest(
        database=database, documents=[f"{database}/documents/{path}" for path in paths]
    )
    if at is not None:
        encode_time(types.BatchGetDocumentsRequest.pb(request).read_time, at)
    return request


def query_request(database: str, query: Query) -> types.RunQueryRequest:
    """The request for the documents that match, plus one more, which shows whether there are more."""
    root = f"{database}/documents"
    parent, _, collection = query.collection.rpartition("/")
    request = types.RunQueryRequest(parent=f"{root}/{parent}" if parent else root)
    message = types.RunQueryRequest.pb(request)
    if query.at is not None:
        encode_time(message.read_time, query.at)
    structured = message.structured_query
    structured.from_.add(collection_id=collection, all_descendants=query.group)
    if query.where:
        structured.where.composite_filter.op = _AND
        for where in query.where:
            _encode_where(structured.where.composite_filter.filters.add(), where)
    direction = _DOWNWARDS if query.downwards else _UPWARDS
    for name in (*query.sorting, _NAME):
        structured.order_by.add(field={"field_path": name}, direction=direction)
    if query.after is not None:
        *values, path = query.after
        structured.start_at.before = False
        for value in values:
            encode_value(structured.start_at.values.add(), value)
        structured.start_at.values.add(reference_value=f"{root}/{path}")
    if query.limit is not None:
        structured.limit.value = query.limit + 1
    return request


def _encode_where(target: Message, where: Where) -> None:
    if where.op == "==" and where.value is None:
        target.unary_filter.field.field_path = where.field
        target.unary_filter.op = _IS_NULL
        return
    target.field_filter.field.field_path = where.field
    target.field_filter.op = _OPERATORS[where.op]
    encode_value(target.field_filter.value, where.value)


def decode_document(message: Message, *, database: str, seen_at: datetime) -> Document:
    """Convert a Document message to a document, with the version in the form that `commit_request` expects."""
    updated = message.update_time
    return Document(
        path=message.name.removeprefix(f"{database}/documents/"),
        fields=_decode_fields(message.fields),
        version=updated.seconds * 10**9 + updated.nanos,
        seen_at=seen_at,
    )


def decode_value(message: Message) -> Any:  # noqa: ANN401 - whatever a document may hold
    """The value in a Value message."""
    match message.WhichOneof("value_type"):
        case "string_value" | "integer_value" | "boolean_value" | "double_value" | "bytes_value" as kind:
            return getattr(message, kind)
        case "null_value" | None:
            return None
        case "timestamp_value":
            return decode_time(message.timestamp_value)
        case "map_value":
            return _decode_fields(message.map_value.fields)
        case "array_value":
            return [decode_value(value) for value in message.array_value.values]
        case kind:
            raise DocumentTooNew(f"A stored document holds a {kind}, which this code cannot read.")


def _decode_fields(fields: Message) -> Fields:
    """The content of a document or a map.

    It loops over names, because protobuf's `items()` is written in Python and a third slower.
    """
    return {name: decode_value(fields[name]) for name in fields}


def decode_time(message: Message) -> datetime:
    """The time in a Timestamp message; Firestore keeps microseconds."""
    return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)

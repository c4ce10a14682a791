"""The documents in Firestore, read without the system's own code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import grpc.aio
import httpx
from google.cloud.firestore_v1 import types

Message = Any  # protobuf makes its classes at run time, so the type checker does not know them

OWNER = (("authorization", "Bearer owner"),)
"""The header that Google's client sends to the emulator.

Without it, the emulator checks each write against the security rules. This made a commit of 500 documents five times
slower than the same commit by that client.
"""


class Documents:
    """All documents of one project in the emulator. Create it in the event loop in which it runs.

    Args:
        firestore: `host:port` of the emulator.
        project: The project.
    """

    def __init__(self, firestore: str, project: str) -> None:
        self._database = f"projects/{project}/databases/(default)"
        self._root = f"{self._database}/documents"
        self._clear = f"http://{firestore}/emulator/v1/{self._root}"
        # One answer contains all documents of a large conference: gRPC's own limit would be 4 MiB.
        self._channel = grpc.aio.insecure_channel(firestore, options=[("grpc.max_receive_message_length", -1)])
        self._query = self._channel.unary_stream(
            "/google.firestore.v1.Firestore/RunQuery",
            request_serializer=types.RunQueryRequest.pb().SerializeToString,
            response_deserializer=types.RunQueryResponse.pb().FromString,
        )
        self._commit = self._channel.unary_unary(
            "/google.firestore.v1.Firestore/Commit",
            request_serializer=types.CommitRequest.pb().SerializeToString,
            response_deserializer=types.CommitResponse.pb().FromString,
        )

    def commit_of(self, documents: Iterable[Message]) -> Message:
        """Return a commit that writes copies of these documents."""
        write = types.Write.pb()
        writes = [write(update=copy_of(document)) for document in documents]
        return types.CommitRequest.pb()(database=self._database, writes=writes)

    async def put_back(self, documents: Iterable[Message]) -> None:
        """Restore these documents and remove all others."""
        await self.clear()
        await self._commit(self.commit_of(documents), metadata=OWNER)

    async def all(self) -> dict[str, Message]:
        """Return every document of any collection, by its name."""
        everything = types.StructuredQuery.CollectionSelector(all_descendants=True)
        request = types.RunQueryRequest(parent=self._root, structured_query=types.StructuredQuery(from_=[everything]))
        answers = self._query(types.RunQueryRequest.pb(request), metadata=OWNER)
        return {answer.document.name: answer.document async for answer in answers if answer.HasField("document")}

    async def clear(self) -> None:
        """Remove every document: https://cloud.google.com/firestore/docs/emulator#clear_your_database."""
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            (await client.delete(self._clear)).raise_for_status()

    async def close(self) -> None:
        """Close the connections to the emulator."""
        await self._channel.close()


def written(before: Mapping[str, Message], after: Mapping[str, Message]) -> list[str]:
    """Return the names of documents that were written or removed between two reads."""
    return [
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or before[name].update_time != after[name].update_time
    ]


def attendance(names: Mapping[str, Message] | list[str]) -> list[str]:
    """Return the names of attendance documents."""
    return [name for name in names if "/attendance/" in name]


OF_THE_READ = frozenset(
    {
        *("pulled_at", "first_pulled_at", "tried_at", "listed_at", "resolved_at", "created_at", "updated_at"),
        *("attempts", "meet_calls"),
    }
)
"""Fields that say when and how a conference was read, not who was there."""


def differing(one: Mapping[str, Message], other: Mapping[str, Message]) -> list[str]:
    """Return the names of documents that only one of the two has, or that differ in more than when they were read."""
    return [
        name
        for name in sorted(one.keys() | other.keys())
        if name not in one or name not in other or _plain(one[name].fields) != _plain(other[name].fields)
    ]


def _plain(fields: Mapping[str, Message]) -> dict[str, Any]:
    return {name: _value(value) for name, value in fields.items() if name not in OF_THE_READ}


def _value(value: Message) -> object:
    kind = value.WhichOneof("value_type")
    if kind == "map_value":
        return _plain(value.map_value.fields)
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return value.SerializeToString()


def copy_of(document: Message) -> Message:
    """Return a copy of a document for a write, without the fields that only Firestore sets."""
    copy = types.Document.pb()()
    copy.CopyFrom(document)
    copy.ClearField("create_time")
    copy.ClearField("update_time")
    return copy

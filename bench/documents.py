"""What is stored in Firestore, seen without the system's own code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import grpc.aio
import httpx
from google.cloud.firestore_v1 import types

Message = Any  # protobuf makes its classes at run time, so the type checker knows nothing of them

OWNER = (("authorization", "Bearer owner"),)
"""What Google's client sends to the emulator. Without it each write is held against security rules, which made a
commit of 500 documents five times slower than the same one by that client."""


class Documents:
    """All documents of one project in the emulator. Build it in the loop that it runs in.

    Args:
        firestore: `host:port` of the emulator.
        project: The project.
    """

    def __init__(self, firestore: str, project: str) -> None:
        self._database = f"projects/{project}/databases/(default)"
        self._root = f"{self._database}/documents"
        self._clear = f"http://{firestore}/emulator/v1/{self._root}"
        # Whole documents of a large conference in one answer: gRPC's own limit would be 4 MiB.
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
        """A commit that writes copies of these documents."""
        write = types.Write.pb()
        writes = [write(update=copy_of(document)) for document in documents]
        return types.CommitRequest.pb()(database=self._database, writes=writes)

    async def put_back(self, documents: Iterable[Message]) -> None:
        """Leave these documents in the database and no others."""
        await self.clear()
        await self._commit(self.commit_of(documents), metadata=OWNER)

    async def all(self) -> dict[str, Message]:
        """Every document of any collection, by its name."""
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
    """The names of the documents that were written or removed between two looks at them."""
    return [
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or before[name].update_time != after[name].update_time
    ]


def attendance(names: Mapping[str, Message] | list[str]) -> list[str]:
    """Those of the names that are attendance documents."""
    return [name for name in names if "/attendance/" in name]


def copy_of(document: Message) -> Message:
    """A document to be written again, without what only Firestore may say of it."""
    copy = types.Document.pb()()
    copy.CopyFrom(document)
    copy.ClearField("create_time")
    copy.ClearField("update_time")
    return copy

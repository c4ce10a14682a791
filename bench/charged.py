"""Counts in the calls what Google charges for: documents in Firestore, messages in Pub/Sub."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.cloud.firestore_v1 import types
from google.pubsub_v1 import types as pubsub

from infra.local.serving import GrpcStandIn

_FIRESTORE = "/google.firestore.v1.Firestore"
_OPTIONS = [("grpc.max_receive_message_length", -1)]

LEAST_BYTES = 1000
"""Charged for each publishing or delivery, however small: https://cloud.google.com/pubsub/pricing ."""

MESSAGE_ID_AND_TIME = 36
"""20 bytes for the time, and a message id of 16 digits."""


@dataclass(slots=True)
class Documents:
    """What was charged: https://cloud.google.com/firestore/pricing .

    Attributes:
        reads: Documents found, requested documents that do not exist, and one for a query that finds nothing.
        writes: Documents written.
        deletes: Documents deleted.
        written_bytes: The size of the written documents, without their index entries.
    """

    reads: int = 0
    writes: int = 0
    deletes: int = 0
    written_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Trip:
    """A call to Firestore: its method, and when it began and ended by `time.monotonic()`."""

    method: str
    began: float
    ended: float


def one_after_the_other(trips: Iterable[Trip]) -> list[Trip]:
    """Return the longest chain of calls of which each began after the one before it had ended."""
    chain: list[Trip] = []
    for trip in sorted(trips, key=lambda each: each.ended):
        if not chain or trip.began > chain[-1].ended:
            chain.append(trip)
    return chain


class ChargedFirestore(GrpcStandIn):
    """Passes every call on to the emulator unchanged, and counts.

    Args:
        firestore: `host:port` of the emulator.
        least: The minimum number of seconds that a call takes.
    """

    def __init__(self, firestore: str, *, least: float = 0) -> None:
        self._firestore = firestore
        self._least = least
        self.documents = Documents()
        self.trips: list[Trip] = []

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """See the base class; the channel belongs to its loop."""
        self._channel = grpc.aio.insecure_channel(self._firestore, options=_OPTIONS)
        await super().start(host, port)

    async def stop(self) -> None:
        """See the base class."""
        await super().stop()
        await self._channel.close()

    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        return [_Passing(self)]

    def pass_on(self, method: str) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Pass on any method."""
        as_they_are: Any = self._channel.stream_stream(method)  # gRPC has no type for messages that it does not read

        async def noted(requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            async for request in requests:
                if method == f"{_FIRESTORE}/Commit":
                    self._note_commit(request)
                yield request

        async def passed_on(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:  # noqa: ANN401 - gRPC's own
            metadata = [pair for pair in context.invocation_metadata() if not pair[0].startswith("user-agent")]
            before = self.documents.reads
            call = as_they_are(noted(requests), metadata=metadata, timeout=context.time_remaining())
            began = time.monotonic()
            try:
                async for answer in call:
                    self._note_read(method, answer)
                    yield answer
                await asyncio.sleep(began + self._least - time.monotonic())
            finally:
                self.trips.append(Trip(method.rpartition("/")[2], began, time.monotonic()))
            if method == f"{_FIRESTORE}/RunQuery" and self.documents.reads == before:
                self.documents.reads += 1

        return grpc.stream_stream_rpc_method_handler(passed_on)

    def _note_commit(self, request: bytes) -> None:
        for write in types.CommitRequest.pb().FromString(request).writes:
            if write.WhichOneof("operation") == "delete":
                self.documents.deletes += 1
            else:
                self.documents.writes += 1
                self.documents.written_bytes += write.update.ByteSize()

    def _note_read(self, method: str, answer: bytes) -> None:
        if method == f"{_FIRESTORE}/BatchGetDocuments":
            got = types.BatchGetDocumentsResponse.pb().FromString(answer)
            self.documents.reads += got.WhichOneof("result") is not None
        elif method == f"{_FIRESTORE}/RunQuery":
            self.documents.reads += types.RunQueryResponse.pb().FromString(answer).HasField("document")


class _Passing(grpc.GenericRpcHandler):
    def __init__(self, charged: ChargedFirestore) -> None:
        self._charged = charged

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        return self._charged.pass_on(str(handler_call_details.method))


@dataclass(slots=True)
class Messages:
    """The published messages: their number, and the charged bytes for publishing and one delivery of each.

    `to` is the number of messages of each topic.
    """

    published: int = 0
    to: Counter[str] = field(default_factory=Counter)
    charged_bytes: int = 0
    waiting: list[Any] = field(default_factory=list)

    def note(self, request: Any) -> None:  # noqa: ANN401 - protobuf makes its classes at run time
        """Count a publish request, and the delivery of each of its messages."""
        sizes = [size_of(dict(each.attributes), each.data) for each in request.messages]
        self.published += len(sizes)
        self.to[request.topic] += len(sizes)
        self.charged_bytes += max(LEAST_BYTES, sum(sizes)) + sum(max(LEAST_BYTES, size) for size in sizes)
        self.waiting.extend(request.messages)


def size_of(attributes: dict[str, str], data: bytes) -> int:
    """Return the charged size of a message: https://cloud.google.com/pubsub/pricing ."""
    texts = [text for pair in attributes.items() for text in pair]
    return len(data) + sum(len(text.encode()) for text in texts) + MESSAGE_ID_AND_TIME


class ChargedPubsub(GrpcStandIn):
    """Accepts messages, counts them and stores them."""

    def __init__(self) -> None:
        self.messages = Messages()

    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        async def publish(request: Any, _: Any) -> Any:  # noqa: ANN401 - as above
            self.messages.note(request)
            answer = pubsub.PublishResponse.pb()(message_ids=[f"{n:016}" for n, _ in enumerate(request.messages)])
            return answer.SerializeToString()

        publishing: Any = grpc.unary_unary_rpc_method_handler(publish, pubsub.PublishRequest.pb().FromString)
        return [grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", {"Publish": publishing})]


@contextlib.contextmanager
def charged(firestore: str, *, least: float = 0) -> Iterator[tuple[ChargedFirestore, ChargedPubsub]]:
    """Serve both counters; a call to Firestore takes at least the given number of seconds."""
    with ChargedFirestore(firestore, least=least).in_thread() as documents, ChargedPubsub().in_thread() as messages:
        yield documents, messages

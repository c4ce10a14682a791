"""Counts the documents that are read from Firestore, in the calls from a function to the emulator."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
from google.cloud.firestore_v1 import types

_SERVICE = "/google.firestore.v1.Firestore"
_GET, _QUERY = f"{_SERVICE}/BatchGetDocuments", f"{_SERVICE}/RunQuery"


class CountedReads(grpc.GenericRpcHandler):
    """Passes every call on unchanged, and counts documents: those found, and requested ones that do not exist.

    Firestore charges for each of them (https://cloud.google.com/firestore/pricing), and one for a query that finds
    nothing.

    Args:
        firestore: `host:port` of the emulator.
    """

    def __init__(self, firestore: str) -> None:
        self.documents = 0
        self._channel = grpc.aio.insecure_channel(firestore, options=[("grpc.max_receive_message_length", -1)])

    @classmethod
    @contextlib.asynccontextmanager
    async def serving(cls, firestore: str) -> AsyncIterator[tuple[CountedReads, str]]:
        """Give the counter, and the value of FIRESTORE_EMULATOR_HOST for the counted function."""
        counter = cls(firestore)
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
        server.add_generic_rpc_handlers((counter,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield counter, f"127.0.0.1:{port}"
        finally:
            await server.stop(grace=0)
            await counter._channel.close()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Pass on any method."""
        method = str(handler_call_details.method)
        as_they_are: Any = self._channel.stream_stream(method)  # gRPC has no type for messages that it does not read

        async def passed_on(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:  # noqa: ANN401 - gRPC's own
            metadata = [pair for pair in context.invocation_metadata() if not pair[0].startswith("user-agent")]
            call: AsyncIterator[bytes] = as_they_are(requests, metadata=metadata)
            count = _counting(method)
            async for answer in call:
                self.documents += count(answer)
                yield answer

        return grpc.stream_stream_rpc_method_handler(passed_on)


def _counting(method: str) -> Callable[[bytes], int]:
    """Return the number of documents in one answer of a call."""
    if method == _GET:
        got = types.BatchGetDocumentsResponse.pb()
        return lambda answer: int(got.FromString(answer).WhichOneof("result") is not None)
    if method == _QUERY:
        found = types.RunQueryResponse.pb()
        return lambda answer: int(found.FromString(answer).HasField("document"))
    return lambda _: 0

"""The gate as a proxy: it passes every call on to the emulator, except calls that Firestore would refuse.

A process that has its address in FIRESTORE_EMULATOR_HOST needs no change: neither a test nor a function served by
functions-framework.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
from google.cloud.firestore_v1 import types

from infra.local.firestore_gate.gate import UNIMPLEMENTED, Gate, Refused

_SERVICE: Final = "/google.firestore.v1.Firestore/"
_OPTIONS: Final = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_UNKNOWN: Final = frozenset({"BatchWrite", "Write", "Listen", "ExecutePipeline", "CreateDocument", "UpdateDocument"})
_AT_ONCE: Final = 128
"""The maximum number of calls that wait for the emulator at the same time."""


class GatedFirestore(grpc.GenericRpcHandler):
    """Passes calls on unchanged.

    Args:
        emulator: `host:port`.
        gate: The gate that checks the calls.
    """

    def __init__(self, emulator: str, gate: Gate) -> None:
        self._channel = grpc.insecure_channel(emulator, options=_OPTIONS)
        self._gate = gate

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Pass on any method: in gRPC, a single answer is sent like a stream of one answer."""
        method = str(handler_call_details.method)
        name = method.removeprefix(_SERVICE)
        as_they_are: Any = self._channel.unary_stream(method)

        def passed_on(request: bytes, context: Any) -> Iterator[bytes]:  # noqa: ANN401 - gRPC's own
            try:
                self._hold(name, request)
            except Refused as error:
                context.abort(getattr(grpc.StatusCode, error.refusal.status), error.refusal.words)
            metadata = [pair for pair in context.invocation_metadata() if not pair[0].startswith("user-agent")]
            call = as_they_are(request, metadata=metadata, timeout=context.time_remaining())
            context.add_callback(call.cancel)
            try:
                yield from call
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())

        return grpc.unary_stream_rpc_method_handler(passed_on)

    def _hold(self, name: str, request: bytes) -> None:
        if name == "BatchGetDocuments":
            self._gate.read(types.BatchGetDocumentsRequest.pb().FromString(request))
        elif name == "RunQuery":
            query = types.RunQueryRequest.pb().FromString(request)
            self._gate.read(query)
            self._gate.query(query.structured_query)
        elif name == "RunAggregationQuery":
            asked = types.RunAggregationQueryRequest.pb().FromString(request)
            self._gate.query(asked.structured_aggregation_query.structured_query)
        elif name == "Commit":
            self._gate.commit(types.CommitRequest.pb().FromString(request))
        elif name in _UNKNOWN:
            raise self._gate.refused(
                UNIMPLEMENTED, f"The gate does not support {name}.", "add the rules of Firestore for it"
            )


@contextlib.contextmanager
def gated(emulator: str, gate: Gate) -> Iterator[str]:
    """Give the value of FIRESTORE_EMULATOR_HOST for an emulator behind the gate.

    Args:
        emulator: `host:port`.
        gate: The gate that checks the calls.
    """
    server = grpc.server(ThreadPoolExecutor(_AT_ONCE), options=_OPTIONS)
    server.add_generic_rpc_handlers((GatedFirestore(emulator, gate),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=0).wait()

"""Pages of Meet's lists, requested and returned as plain protobuf messages.

A conference of 500 people takes a call for each of them. The client's methods build a dozen objects around every call,
and another one for each value that is read from its answer. For a whole read this is a fifth of the work. Here the same
calls use the client's own transport directly, without these objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from google.api_core import exceptions as gexc
from google.api_core.gapic_v1 import routing_header
from google.apps.meet_v2.services.conference_records_service.transports.base import DEFAULT_CLIENT_INFO

from functions.adapters.google.calls.repeating import Method
from functions.adapters.google.credentials.capabilities import Metadata

Message = Any  # protobuf makes its classes at run time, so the type checker knows nothing of them

_CLIENT_INFO: tuple[str, str] = DEFAULT_CLIENT_INFO.to_grpc_metadata()  # type: ignore[no-untyped-call]


def pages(stub: Callable[..., Any], request_type: Any) -> Method[Message, Message]:  # noqa: ANN401 - as above
    """A list method that takes a protobuf request and returns the requested page as a protobuf message.

    It raises the same errors as the client's own method.

    Args:
        stub: The method of the client's transport.
        request_type: The client's wrapper of the request.
    """

    async def page(
        request: Message,
        *,
        retry: None,  # noqa: ARG001 - a page is asked for once
        timeout: float,  # noqa: ASYNC109 - as in the client's methods
        metadata: Metadata,
    ) -> Message:
        routing = routing_header.to_grpc_metadata((("parent", request.parent),))  # type: ignore[no-untyped-call]
        try:
            answer = await stub(
                request_type.wrap(request), timeout=timeout, metadata=(*metadata, routing, _CLIENT_INFO)
            )
        except grpc.RpcError as error:
            raise gexc.from_grpc_error(error) from error  # type: ignore[no-untyped-call]
        return type(answer).pb(answer)

    return page

"""How one call to the Workspace Events API is made: limited in time (writes also in rate), retried, errors translated.

By default the client retries only get and list, and only after 503.
https://developers.google.com/workspace/events/guides/limits
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from google.api_core import exceptions as gexc
from google.api_core.operation_async import AsyncOperation
from google.longrunning import (  # type: ignore[import-untyped]  # the package has no py.typed
    operations_pb2,
)
from google.protobuf import any_pb2
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # the package ships stubs but no py.typed

from functions.adapters.google.calls.grpc import is_disabled, lacks_scope
from functions.adapters.google.calls.pacing import Pacing
from functions.adapters.google.calls.repeating import Method, repeated
from functions.adapters.google.calls.services import EVENTS
from functions.adapters.google.credentials.capabilities import Credentials, Metadata, accepted
from functions.adapters.patience import limit
from functions.domain.errors import AccessDenied, AttendanceError

ATTEMPT_TIMEOUT = 20.0
"""Seconds for one answer."""

ATTEMPTS = 5
"""How often one call is made at most, with some seconds of pauses: a caller may be waiting, and a scheduled job runs
again."""

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class TopicRefused(AccessDenied):
    """Google Meet may not publish to the topic, or the topic does not exist."""

    reason = EVENTS.reasons.denied
    default_hint = (
        "Let Meet publish to the topic: gcloud pubsub topics add-iam-policy-binding EVENTS_TOPIC "
        "--member=serviceAccount:meet-api-event-push@system.gserviceaccount.com --role=roles/pubsub.publisher. "
        "The topic must exist, in the same Google Cloud project as this system."
    )


class SubscriptionCalls:
    """The calls made as one person. They raise Google's errors; see `naming`.

    Args:
        organizer: The person whose limit of writes counts.
        credentials: Whose account the calls use.
        pacing: How fast writes may be made. Retries count too, as they do for Google.
        attempts: How often one call is made at most.
    """

    def __init__(self, organizer: str, credentials: Credentials, pacing: Pacing, attempts: int) -> None:
        self.organizer = organizer
        self._credentials = credentials
        self._pacing = pacing
        self._attempts = attempts

    async def read(self, method: Method[RequestT, ResponseT], request: RequestT) -> ResponseT:
        """Make a call that changes nothing."""
        return await self._repeated(method, request, is_write=False)

    async def write(self, method: Method[RequestT, ResponseT], request: RequestT) -> ResponseT:
        """Make a call that may change something, when the rate limit allows it."""
        return await self._repeated(method, request, is_write=True)

    async def _repeated(self, method: Method[RequestT, ResponseT], request: RequestT, *, is_write: bool) -> ResponseT:
        async def once(metadata: Metadata) -> ResponseT:
            return await method(request, retry=None, timeout=limit(ATTEMPT_TIMEOUT), metadata=metadata)

        async def attempt() -> ResponseT:
            if is_write:
                await self._pacing.turn(self.organizer)
            return await accepted(self._credentials, once, unless=gexc.Unauthorized)

        return await repeated(attempt, attempts=self._attempts)


async def begun(answer: AsyncOperation) -> operations_pb2.Operation:
    """The operation itself. Its state is requested as the organizer, which the client's own future would not do."""
    if answer.operation.done:
        # Without network. If nobody read the error from that future, it would be logged as never retrieved.
        await answer.exception()  # type: ignore[no-untyped-call]
    return answer.operation


def raise_failure(operation: operations_pb2.Operation) -> None:
    """Raise the error of a failed operation, as if the call itself had failed."""
    if operation.WhichOneof("result") == "error":
        details = [found for packed in operation.error.details if (found := _detail(packed)) is not None]
        failure: gexc.GoogleAPICallError = gexc.from_grpc_status(  # type: ignore[no-untyped-call]
            operation.error.code,
            operation.error.message,
            details=details,
            error_info=next((found for found in details if isinstance(found, error_details_pb2.ErrorInfo)), None),
        )
        raise failure


def _detail(packed: any_pb2.Any) -> error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo | None:
    """A detail of an error that we understand: its reason, or how long to wait."""
    for kind in (error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo):
        found = kind()
        if packed.Unpack(found):
            return found
    return None


@contextmanager
def naming() -> Iterator[None]:
    """Raise our errors in place of Google's."""
    try:
        yield
    except gexc.GoogleAPICallError as error:
        raise named(error) from error


def is_about_topic(error: gexc.GoogleAPICallError) -> bool:
    """Whether Google refuses the request because of the topic."""
    words = str(error.message or "").lower()
    return "topic" in words or "pubsub" in words


def named(error: gexc.GoogleAPICallError) -> AttendanceError:
    """Our error for an error of Google's; an unknown error counts as one that may pass by itself."""
    kind = type(error).__name__
    match error:
        case gexc.Forbidden() if is_disabled(error):
            return EVENTS.disabled(f"The Workspace Events API is not enabled ({kind}).")
        case gexc.Forbidden() if lacks_scope(error):
            return EVENTS.scope_missing(f"The organizer's token lacks a scope that subscribing needs ({kind}).")
        case gexc.Forbidden() | gexc.NotFound() | gexc.BadRequest() if is_about_topic(error):
            return TopicRefused(f"Meet may not publish to the topic ({kind}).")
        case gexc.Unauthorized():
            return EVENTS.denied(f"The Workspace Events API does not accept the credentials ({kind}).")
        case gexc.Forbidden() | gexc.NotFound() | gexc.BadRequest() | gexc.MethodNotImplemented():
            return EVENTS.denied(f"The Workspace Events API refuses the subscription ({kind}).")
        case _:
            return EVENTS.unavailable(f"The Workspace Events API does not answer ({kind}).")

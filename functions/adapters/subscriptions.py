"""Workspace Events subscriptions: one for each organizer, about every room that is theirs.

https://developers.google.com/workspace/events/guides/create-subscription
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from google.api_core import exceptions as gexc
from google.api_core.operation_async import AsyncOperation
from google.apps import events_subscriptions_v1 as events
from google.longrunning import (  # type: ignore[import-untyped]  # the package has no py.typed
    operations_pb2,
)
from google.protobuf import duration_pb2

from functions.adapters.credentials import Credentials, CredentialsPool
from functions.adapters.repeating import Method, repeated
from functions.domain.errors import (
    AttendanceError,
    OrganizerUnknown,
    SubscriptionRefused,
    SubscriptionsApiDisabled,
    SubscriptionScopeMissing,
    SubscriptionsUnavailable,
    SubscriptionTopicRefused,
)
from functions.domain.model import Organizer, Subscription, SubscriptionState

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

EVENT_TYPES = (
    "google.workspace.meet.conference.v2.started",
    "google.workspace.meet.conference.v2.ended",
    "google.workspace.meet.participant.v2.joined",
    "google.workspace.meet.participant.v2.left",
)

ATTEMPT_TIMEOUT = 20.0
"""Seconds for one answer."""

ATTEMPTS = 5
"""How often one call is made, some seconds of pauses: a caller may wait, and a scheduled job comes again."""

GRACE = 5.0
"""Seconds for a subscription to come into being; then it is pending, and found at the next call."""

PAGE_SIZE = 100

_EPOCH = datetime.fromtimestamp(0, UTC)

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class WorkspaceEventsSubscriptions:
    """`functions.ports.Subscriptions` on the Workspace Events API v1.

    A subscription is made and ended as the organizer whom it is about: Google takes nobody else's word.

    Args:
        client: The official asynchronous client.
        credentials: As whom calls are made.
        topic: Where events are published, `projects/{project}/topics/{topic}`.
        attempts: How often one call is made.
        grace: How many seconds a subscription has to come into being.
    """

    def __init__(
        self,
        client: events.SubscriptionsServiceAsyncClient,
        *,
        credentials: CredentialsPool,
        topic: str,
        attempts: int = ATTEMPTS,
        grace: float = GRACE,
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._topic = topic
        self._attempts = attempts
        self._grace = grace

    async def ensure(self, *, organizer: Organizer) -> Subscription:
        """See the port. One that exists is taken as it is, whatever topic and types of events it was made with."""
        target = _target(organizer)
        credentials = self._credentials.of(organizer)
        try:
            return await self._created(target, credentials)
        except gexc.AlreadyExists:
            return await self._adopted(target, credentials)
        except gexc.GoogleAPICallError as error:
            raise named(error) from error

    async def remove(self, name: str, *, organizer: Organizer) -> None:
        """See the port."""
        request = events.DeleteSubscriptionRequest(name=name, allow_missing=True)
        try:
            answer = await self._call(self._client.delete_subscription, request, self._credentials.of(organizer))
            _raise_failure(await _begun(answer))
        except gexc.NotFound:
            return
        except gexc.GoogleAPICallError as error:
            raise named(error) from error

    async def _created(self, target: str, credentials: Credentials) -> Subscription:
        """A new subscription, of the longest life that there is."""
        request = events.CreateSubscriptionRequest(
            subscription=events.Subscription(
                target_resource=target,
                event_types=EVENT_TYPES,
                notification_endpoint=events.NotificationEndpoint(pubsub_topic=self._topic),
                ttl=duration_pb2.Duration(),
            )
        )
        answer = await self._call(self._client.create_subscription, request, credentials)
        operation = await _begun(answer)

        async def done() -> Subscription | None:
            nonlocal operation
            if not operation.done:
                asked = operations_pb2.GetOperationRequest(name=operation.name)
                operation = await self._call(self._client.get_operation, asked, credentials)
            return _made(operation)

        return _made(operation) or await self._awaited(done)

    async def _adopted(self, target: str, credentials: Credentials) -> Subscription:
        """The subscription that is there already, which may be still in the making."""
        types = " OR ".join(f'event_types:"{each}"' for each in EVENT_TYPES)
        wanted = f'( {types} ) AND target_resource="{target}"'

        async def existing() -> Subscription | None:
            return await anext((_subscription(found) async for found in self._listed(wanted, credentials)), None)

        try:
            return await self._awaited(existing)
        except gexc.GoogleAPICallError as error:
            raise named(error) from error

    async def _listed(self, wanted: str, credentials: Credentials) -> AsyncIterator[events.Subscription]:
        token = ""
        while True:
            request = events.ListSubscriptionsRequest(filter=wanted, page_size=PAGE_SIZE, page_token=token)
            page = await self._call(self._client.list_subscriptions, request, credentials)
            for found in page.subscriptions:
                yield found
            if page.next_page_token in {"", token}:
                return
            token = page.next_page_token

    async def _awaited(self, look: Callable[[], Awaitable[Subscription | None]]) -> Subscription:
        """What a look finds within the grace; looks come ever more rarely."""
        pause = 0.05
        waited = 0.0
        while (found := await look()) is None:
            if waited + pause > self._grace:
                return Subscription(name=None, state=SubscriptionState.PENDING)
            await asyncio.sleep(pause)
            waited += pause
            pause *= 2
        return found

    async def _call(
        self, method: Method[RequestT, ResponseT], request: RequestT, credentials: Credentials
    ) -> ResponseT:
        async def attempt() -> ResponseT:
            metadata = await credentials.metadata()
            return await method(request, retry=None, timeout=ATTEMPT_TIMEOUT, metadata=metadata)

        return await repeated(attempt, attempts=self._attempts)


def _target(organizer: Organizer) -> str:
    """Whom the subscription is about; Google takes the id alone, not the address."""
    if organizer.user is None:
        raise OrganizerUnknown(
            "Nobody can be subscribed to without the account's id.",
            hint="Enrol the teacher again by e-mail, so that the id is looked up.",
        )
    return f"//cloudidentity.googleapis.com/{organizer.user}"


async def _begun(answer: AsyncOperation) -> operations_pb2.Operation:
    """The operation itself. It is asked about as the organizer, which the client's own future would not do."""
    if answer.operation.done:
        # Without network. A failure that nobody takes out of that future would be logged as a forgotten one.
        await answer.exception()  # type: ignore[no-untyped-call]
    return answer.operation


def _made(operation: operations_pb2.Operation) -> Subscription | None:
    """What a finished operation has made; None while it goes on."""
    if not operation.done:
        return None
    _raise_failure(operation)
    made = events.Subscription()
    operation.response.Unpack(events.Subscription.pb(made))
    return _subscription(made)


def _raise_failure(operation: operations_pb2.Operation) -> None:
    """Raise what the operation failed with, as if the call itself had."""
    if operation.WhichOneof("result") == "error":
        failure: gexc.GoogleAPICallError = gexc.from_grpc_status(  # type: ignore[no-untyped-call]
            operation.error.code, operation.error.message
        )
        raise failure


def _subscription(answer: events.Subscription) -> Subscription:
    message = events.Subscription.pb(answer)
    suspended = answer.state is events.Subscription.State.SUSPENDED
    return Subscription(
        name=message.name,
        state=SubscriptionState.SUSPENDED if suspended else SubscriptionState.ACTIVE,
        expire_time=_time(message.expire_time) if message.HasField("expire_time") else None,
        suspension_reason=answer.suspension_reason.name if suspended and message.suspension_reason else None,
    )


def _time(timestamp: Timestamp) -> datetime:
    """An aware UTC time, cut to whole microseconds."""
    return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)


def named(error: gexc.GoogleAPICallError) -> AttendanceError:
    """Our error for Google's; whatever we do not know may pass by itself."""
    kind = type(error).__name__
    words = str(error.message or "").lower()
    match error:
        case gexc.Forbidden() if error.reason == "SERVICE_DISABLED" or "has not been used in project" in words:
            return SubscriptionsApiDisabled(f"The Workspace Events API is not enabled ({kind}).")
        case gexc.Forbidden() if (
            error.reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT" or "insufficient authentication scopes" in words
        ):
            return SubscriptionScopeMissing(f"The organizer's token lacks a scope that subscribing needs ({kind}).")
        case gexc.Forbidden() | gexc.NotFound() | gexc.BadRequest() if "topic" in words or "pubsub" in words:
            return SubscriptionTopicRefused(f"Meet may not publish to the topic ({kind}).")
        case gexc.Unauthorized():
            return SubscriptionRefused(f"The Workspace Events API does not accept the credentials ({kind}).")
        case gexc.Forbidden() | gexc.NotFound() | gexc.BadRequest() | gexc.MethodNotImplemented():
            return SubscriptionRefused(f"The Workspace Events API refuses the subscription ({kind}).")
        case _:
            return SubscriptionsUnavailable(f"The Workspace Events API does not answer ({kind}).")

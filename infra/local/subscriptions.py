"""A stand-in for the Workspace Events API, for the official gRPC client over loopback without TLS.

Subscriptions to users as documented in https://developers.google.com/workspace/events/reference/rest: one for each
target, made by the user whom it is about, seven days of life by the school's clock. The caller is whoever the metadata
`x-acting-as` names.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import grpc
import grpc.aio
from google.apps import events_subscriptions_v1 as events
from google.longrunning import operations_pb2  # type: ignore[import-untyped] # comes without types
from google.protobuf import empty_pb2

from infra.local.callers import READ_MEETINGS, Tokens, caller_of, metadata_of
from infra.local.faults import Fault, Faults, Refusal, Request
from infra.local.quotas import Quotas
from infra.local.school import School
from infra.local.serving import GrpcStandIn
from infra.local.subscription_lives import LIFE, TARGET, Life, Lives
from infra.local.workspace_events import Message as Published

Message = Any  # protobuf makes its classes at run time, so the type checker knows nothing of them
Context = grpc.aio.ServicerContext[Message, Message]
Method = Callable[[Message, str | None], Message]

_UPDATABLE = {"ttl", "expire_time", "event_types"}


@dataclass(frozen=True)
class SubscriptionCall:
    """One call that arrived, and as whom."""

    method: str
    acting_as: str | None


class SubscriptionCalls(list[SubscriptionCall]):
    """Every call in the order of arrival."""

    def by_method(self) -> Counter[str]:
        """Count the calls of each method."""
        return Counter(call.method for call in self.copy())


class WorkspaceEventsSimulator(GrpcStandIn):
    """Serves subscriptions of a school's teachers. Any thread may use it while it runs.

    Args:
        school: Who there is, and what time it is.
        faults: Which calls fail.
        quotas: Whether calls are refused that are more than Google's quotas allow.
        tokens: Who issues tokens; without, a call is made as whom it says.
    """

    def __init__(
        self, school: School, *, faults: Faults | None = None, quotas: bool = False, tokens: Tokens | None = None
    ) -> None:
        self.school = school
        self._tokens = tokens
        self.faults = faults if faults is not None else Faults()
        self.calls = SubscriptionCalls()
        self._quotas = Quotas(school.clock) if quotas else None
        self._lives = Lives(school.clock)
        self._lock = threading.RLock()

    @property
    def subscriptions(self) -> list[Message]:
        """Those that are alive now."""
        with self._lock:
            return [life.subscription for life in self._lives.alive()]

    def is_active(self, user: str) -> bool:
        """Tell whether events of this user's rooms are being delivered now."""
        with self._lock:
            life = self._lives.of(user)
            return life is not None and not life.is_suspended

    def suspend(self, user: str, reason: str, *, is_told: bool = True) -> None:
        """Suspend this user's subscription for a cause that persists until it is mended.

        Until then none can be reactivated or made. Without `is_told` no lifecycle event comes either: "If your
        subscription is suspended due to an error with its endpoint, you might not receive a lifecycle event"
        (https://developers.google.com/workspace/events/guides/reactivate-subscription).

        Raises:
            LookupError: There is no subscription about this user.
            KeyError: Google knows no such reason.
        """
        with self._lock:
            self._lives.suspend(user, reason, is_told=is_told)

    def mend(self, user: str) -> None:
        """Mend what this user's subscription was suspended for; it stays so until it is reactivated."""
        with self._lock:
            self._lives.mend(user)

    def expire(self, user: str) -> None:
        """End this user's subscription now, and tell so; LookupError if there is none."""
        with self._lock:
            self._lives.expire(user)

    def due_events(self) -> list[Published]:
        """Return, and forget, the lifecycle events that have come since the last time, in order of time."""
        with self._lock:
            return self._lives.told()

    def _create(self, request: Message, caller: str | None) -> Message:
        wanted: Message = events.CreateSubscriptionRequest(request).subscription
        target = TARGET.fullmatch(wanted.target_resource)
        if target is None or not wanted.event_types or not wanted.notification_endpoint.pubsub_topic:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "A target, event types and a topic are needed")
        user = caller and self.school.user(caller)
        if caller is not None and target["user"] != user:
            raise Refusal(grpc.StatusCode.PERMISSION_DENIED, "The target is another user")
        if self._lives.of(target["user"]):
            raise Refusal(grpc.StatusCode.ALREADY_EXISTS, "There is a subscription to this target")
        if self._lives.has_cause(wanted):
            raise Refusal(grpc.StatusCode.PERMISSION_DENIED, "What suspended the last one is not mended")
        life = self._lives.begin(wanted, owner=user or None, end=self._end(wanted))
        return _done(events.Subscription.pb(life.subscription))

    def _update(self, request: Message, caller: str | None) -> Message:
        wanted: Message = events.Subscription(request.subscription)
        life = self._of(wanted.name, caller)
        paths = set(request.update_mask.paths)
        if not paths or paths - _UPDATABLE or {"ttl", "expire_time"} <= paths:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "The mask should name ttl, expire_time or event_types")
        if "event_types" in paths and not wanted.event_types:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "Event types are needed")
        if "expire_time" in paths and not request.subscription.HasField("expire_time"):
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "An expiration time is needed")
        if paths & {"ttl", "expire_time"}:
            self._lives.renew(life, end=self._end(wanted))
        if "event_types" in paths:
            life.subscription.event_types = wanted.event_types
        return _done(events.Subscription.pb(life.subscription))

    def _reactivate(self, request: Message, caller: str | None) -> Message:
        life = self._of(request.name, caller)
        if not life.is_suspended:
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, "The subscription is not suspended")
        if self._lives.has_cause(life.subscription):
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, "What it was suspended for is not mended")
        self._lives.reactivate(life)
        return _done(events.Subscription.pb(life.subscription))

    def _get(self, request: Message, caller: str | None) -> Message:
        return events.Subscription.pb(self._of(request.name, caller).subscription)

    def _list(self, request: Message, caller: str | None) -> Message:
        if "event_types" not in request.filter:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "The filter should name an event type")
        target = TARGET.search(request.filter)
        user = caller and self.school.user(caller)
        found = [
            life.subscription
            for life in self._lives.alive()
            if (caller is None or life.owner == user)
            and (target is None or life.subscription.target_resource == target[0])
            and any(f'"{kind}"' in request.filter for kind in life.subscription.event_types)
        ]
        return events.ListSubscriptionsResponse.pb(events.ListSubscriptionsResponse(subscriptions=found))

    def _delete(self, request: Message, caller: str | None) -> Message:
        try:
            self._lives.remove(self._of(request.name, caller))
        except Refusal:
            if not request.allow_missing:
                raise
        return _done(empty_pb2.Empty())

    def _of(self, name: str, caller: str | None) -> Life:
        life = self._lives.named(name)
        if life is None or (caller is not None and life.owner != self.school.user(caller)):
            raise Refusal(grpc.StatusCode.NOT_FOUND, "There is no such subscription")
        return life

    def _end(self, wanted: Message) -> datetime:
        """When a subscription that is asked for ends; without a word about it, as late as may be."""
        now = self.school.clock()
        end: datetime = wanted.expire_time or now + (wanted.ttl or LIFE)
        if not now < end <= now + LIFE:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "A subscription lives seven days at most")
        return end

    def _operation(self, _request: Message, _caller: str | None) -> Message:
        raise Refusal(grpc.StatusCode.NOT_FOUND, "Every operation was answered as done")

    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        service: dict[str, tuple[Method, Message]] = {
            "CreateSubscription": (self._create, events.CreateSubscriptionRequest.pb()),
            "UpdateSubscription": (self._update, events.UpdateSubscriptionRequest.pb()),
            "ReactivateSubscription": (self._reactivate, events.ReactivateSubscriptionRequest.pb()),
            "GetSubscription": (self._get, events.GetSubscriptionRequest.pb()),
            "ListSubscriptions": (self._list, events.ListSubscriptionsRequest.pb()),
            "DeleteSubscription": (self._delete, events.DeleteSubscriptionRequest.pb()),
        }
        operations: dict[str, tuple[Method, Message]] = {
            "GetOperation": (self._operation, operations_pb2.GetOperationRequest)
        }
        return [
            grpc.method_handlers_generic_handler(
                name, {method: self._handler(method, *about) for method, about in methods.items()}
            )
            for name, methods in (
                ("google.apps.events.subscriptions.v1.SubscriptionsService", service),
                ("google.longrunning.Operations", operations),
            )
        ]

    def _handler(
        self, name: str, method: Method, request_type: Message
    ) -> "grpc.RpcMethodHandler[Message, Message]":  # quoted: generic only in its stubs
        async def handle(request: Message, context: Context) -> Message:
            try:
                caller = caller_of(metadata_of(context), self._tokens, accepted=READ_MEETINGS)
                self.calls.append(SubscriptionCall(name, caller))
                self._count(name, caller)
                resource = request.subscription.name if name == "UpdateSubscription" else getattr(request, "name", "")
                await self._strike(Request(name, resource, 1, caller, ""))
                with self._lock:
                    return method(request, caller)
            except Refusal as refusal:
                await context.abort(refusal.status, refusal.message, refusal.trailing_metadata())

        handler: Callable[[Message, Context], Awaitable[Message]] = handle
        return grpc.unary_unary_rpc_method_handler(handler, request_type.FromString, lambda m: m.SerializeToString())

    def _count(self, name: str, caller: str | None) -> None:
        if self._quotas is not None:
            user = caller and self.school.user(caller)
            self._quotas.take(name, user or caller or "")

    async def _strike(self, request: Request) -> None:
        fault: Fault | None = self.faults.strike(request)
        if fault is None:
            return
        if fault.drop:
            await asyncio.Event().wait()
        if fault.delay is not None:
            await asyncio.sleep(fault.delay.total_seconds())
        if fault.status is not None:
            raise Refusal(fault.status, f"Planned fault: {fault.status.name}", fault.reason)


def _done(response: Message) -> Message:
    operation = operations_pb2.Operation(name="operations/done", done=True)
    operation.response.Pack(response)
    return operation

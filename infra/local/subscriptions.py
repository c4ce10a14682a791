"""A stand-in for the Workspace Events API, for the official gRPC client over loopback without TLS.

It has subscriptions to users as documented in https://developers.google.com/workspace/events/reference/rest: one for
each target, made by the user of the target, with a life of seven days by the school's clock. The metadata `x-acting-as`
names the caller. Requests that Google refuses are refused here too: see `subscription_rules`.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
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
from infra.local.subscription_lives import Life, Lives
from infra.local.subscription_rules import (
    Malformed,
    check_name,
    check_new,
    end_of,
    page_size,
    parsed_filter,
    updated_field,
)
from infra.local.workspace_events import Message as Published

Message = Any  # protobuf makes its classes at run time, so the type checker does not know them
Context = grpc.aio.ServicerContext[Message, Message]
Method = Callable[[Message, str], Message]


@dataclass
class _Begun:
    """An operation that takes time: it is done after this many further calls."""

    change: Callable[[], Message]
    calls_left: int
    target: str | None
    done: Message | None = None


@dataclass(frozen=True)
class SubscriptionCall:
    """One call that arrived, and the account that made it."""

    method: str
    acting_as: str | None


class SubscriptionCalls(list[SubscriptionCall]):
    """Every call in the order of arrival."""

    def by_method(self) -> Counter[str]:
        """Count the calls of each method."""
        return Counter(call.method for call in self.copy())


class WorkspaceEventsSimulator(GrpcStandIn):
    """Serves subscriptions for a school's teachers. Any thread may use it while it runs.

    Args:
        school: The accounts, and the current time.
        faults: Which calls fail.
        quotas: Whether calls above Google's quotas are refused.
        tokens: The service that issues tokens; without it, a call is made as the account that it names.
        project: The project of the application, which must also have its topic. If it is left out, any project is
            allowed.

    Attributes:
        calls_until_done: The number of further calls until an operation is done. Google's guide says that operations
            are complete immediately; its reference says that they may take time.
        violations: The reasons why malformed requests were refused. A test that expects none asserts that it is empty.
    """

    def __init__(
        self,
        school: School,
        *,
        faults: Faults | None = None,
        quotas: bool = False,
        tokens: Tokens | None = None,
        project: str | None = None,
    ) -> None:
        self.school = school
        self._tokens = tokens
        self.faults = faults if faults is not None else Faults()
        self.calls = SubscriptionCalls()
        self._quotas = Quotas(school.clock) if quotas else None
        self.calls_until_done = 0
        self.violations: list[str] = []
        self._project = project
        self._begun: dict[str, _Begun] = {}
        self._pages: dict[str, tuple[str, str | None, int]] = {}
        self._lives = Lives(school.clock)
        self._lock = threading.RLock()

    @property
    def subscriptions(self) -> list[Message]:
        """Return the living subscriptions."""
        with self._lock:
            return [life.subscription for life in self._lives.alive()]

    def is_active(self, user: str) -> bool:
        """Return whether events of this user's rooms are delivered now."""
        with self._lock:
            life = self._lives.of(user)
            return life is not None and not life.is_suspended

    def plant(self, user: str, *, topic: str, event_types: Sequence[str]) -> str:
        """Add a subscription that the application made for this user earlier, and return its name.

        There may be several.

        Nothing is checked: Google may still have a subscription that it would refuse today.
        """
        with self._lock:
            subscription = events.Subscription(
                target_resource=f"//cloudidentity.googleapis.com/{user}",
                event_types=event_types,
                notification_endpoint=events.NotificationEndpoint(pubsub_topic=topic),
            )
            end = end_of(subscription, now=self.school.clock())
            return self._lives.begin(subscription, owner=user, end=end).name

    def suspend(self, user: str, reason: str, *, is_told: bool = True) -> None:
        """Suspend this user's subscription for a cause that persists until it is fixed.

        Until then, none can be reactivated or made. Without `is_told`, no lifecycle event comes: "If your subscription
        is suspended due to an error with its endpoint, you might not receive a lifecycle event"
        (https://developers.google.com/workspace/events/guides/reactivate-subscription).

        Raises:
            LookupError: There is no subscription about this user.
            KeyError: Google does not have this reason.
        """
        with self._lock:
            self._lives.suspend(user, reason, is_told=is_told)

    def fix(self, user: str) -> None:
        """Fix the cause of this user's suspension; the subscription stays suspended until it is reactivated."""
        with self._lock:
            self._lives.fix(user)

    def expire(self, user: str) -> None:
        """End this user's subscription now, and report it; LookupError without one."""
        with self._lock:
            self._lives.expire(user)

    def due_events(self) -> list[Published]:
        """Return the lifecycle events since the last call, in order of time. Each event is returned only once."""
        with self._lock:
            return self._lives.told()

    def _create(self, request: Message, caller: str) -> Message:
        wanted: Message = events.CreateSubscriptionRequest(request).subscription
        check_new(wanted, project=self._project)
        user, target = self.school.user(caller), wanted.target_resource
        end = end_of(wanted, now=self.school.clock())
        if target != f"//cloudidentity.googleapis.com/{user}":
            raise Refusal(grpc.StatusCode.PERMISSION_DENIED, "The subscriber has to be the user of the target")
        is_begun = any(begun.target == target and begun.done is None for begun in self._begun.values())
        if is_begun or self._lives.about(target, owner=user):
            raise Refusal(
                grpc.StatusCode.ALREADY_EXISTS,
                "A user can only authorize your app to create one subscription for a given target resource",
            )
        if self._lives.has_cause(wanted):
            raise Refusal(grpc.StatusCode.PERMISSION_DENIED, "The cause of the last one's suspension is still there")
        if request.validate_only:
            return _done(events.Subscription.pb(wanted))
        return self._operation_of(
            lambda: events.Subscription.pb(self._lives.begin(wanted, owner=user, end=end).subscription), target=target
        )

    def _update(self, request: Message, caller: str) -> Message:
        wanted: Message = events.Subscription(request.subscription)
        check_name(wanted.name)
        path = updated_field(request, wanted)
        end = None if path == "event_types" else end_of(wanted, now=self.school.clock())
        life = self._of(wanted.name, caller)
        _check_etag(wanted.etag, life)

        def change() -> Message:
            if end:
                self._lives.renew(life, end=end)
            else:
                life.subscription.event_types = wanted.event_types
            self._lives.touch(life.subscription)
            return events.Subscription.pb(life.subscription)

        return _done(events.Subscription.pb(life.subscription)) if request.validate_only else self._operation_of(change)

    def _reactivate(self, request: Message, caller: str) -> Message:
        check_name(request.name)
        life = self._of(request.name, caller)
        if not life.is_suspended:
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, "The subscription is not suspended")
        if self._lives.has_cause(life.subscription):
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, "The cause of the suspension is still there")

        def change() -> Message:
            self._lives.reactivate(life)
            self._lives.touch(life.subscription)
            return events.Subscription.pb(life.subscription)

        return self._operation_of(change)

    def _get(self, request: Message, caller: str) -> Message:
        check_name(request.name)
        return events.Subscription.pb(self._of(request.name, caller).subscription)

    def _list(self, request: Message, caller: str) -> Message:
        wanted, size = parsed_filter(request.filter), page_size(request.page_size)
        start = 0
        if request.page_token:
            asked, of_caller, start = self._pages.get(request.page_token, ("", None, 0))
            if (asked, of_caller) != (request.filter, caller):
                raise Malformed("page_token", "The filter value should match the call that provided the page token.")
        user = self.school.user(caller)
        found = [
            life.subscription
            for life in self._lives.alive()
            if life.owner == user
            and wanted.target in (None, life.subscription.target_resource)
            and not wanted.event_types.isdisjoint(life.subscription.event_types)
        ]
        answer = events.ListSubscriptionsResponse(subscriptions=found[start : start + size])
        if len(found) > start + size:
            answer.next_page_token = f"page-{len(self._pages) + 1}"
            self._pages[answer.next_page_token] = (request.filter, caller, start + size)
        return events.ListSubscriptionsResponse.pb(answer)

    def _delete(self, request: Message, caller: str) -> Message:
        check_name(request.name)
        try:
            life = self._of(request.name, caller)
        except Refusal:
            if not request.allow_missing:
                raise
            return _done(empty_pb2.Empty())
        _check_etag(request.etag, life)

        def change() -> Message:
            if self._lives.named(life.name):
                self._lives.remove(life)
            return empty_pb2.Empty()

        return _done(empty_pb2.Empty()) if request.validate_only else self._operation_of(change)

    def _of(self, name: str, caller: str) -> Life:
        life = self._lives.named(name)
        if life is None or life.owner != self.school.user(caller):
            raise Refusal(grpc.StatusCode.NOT_FOUND, "There is no such subscription")
        return life

    def _operation_of(self, change: Callable[[], Message], *, target: str | None = None) -> Message:
        """Return the operation that makes a change: now, or after the configured number of further calls."""
        if self.calls_until_done == 0:
            return _done(change())
        name = f"operations/{len(self._begun) + 1}"
        self._begun[name] = _Begun(change, self.calls_until_done, target)
        return operations_pb2.Operation(name=name, done=False)

    def _go_on(self) -> None:
        """Count one more call: every operation that takes time moves one step further."""
        for name, begun in self._begun.items():
            begun.calls_left -= 1
            if begun.calls_left <= 0 and begun.done is None:
                begun.done = _done(begun.change(), name)

    def _operation(self, request: Message, _caller: str) -> Message:
        begun = self._begun.get(request.name)
        if begun is None:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "There is no such operation")
        return begun.done or operations_pb2.Operation(name=request.name, done=False)

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
    ) -> "grpc.RpcMethodHandler[Message, Message]":  # generic in stubs only
        async def handle(request: Message, context: Context) -> Message:
            try:
                caller = self._caller(context)
                self.calls.append(SubscriptionCall(name, caller))
                self._count(name, caller)
                resource = request.subscription.name if name == "UpdateSubscription" else getattr(request, "name", "")
                await self._strike(Request(name, resource, 1, caller, ""))
                with self._lock:
                    self._go_on()
                    return method(request, caller)
            except Refusal as refusal:
                if isinstance(refusal, Malformed):
                    self.violations.append(f"{name}: {refusal.message}")
                await context.abort(refusal.status, refusal.message, refusal.trailing_metadata())

        handler: Callable[[Message, Context], Awaitable[Message]] = handle
        return grpc.unary_unary_rpc_method_handler(handler, request_type.FromString, lambda m: m.SerializeToString())

    def _caller(self, context: Context) -> str:
        caller = caller_of(metadata_of(context), self._tokens, accepted=READ_MEETINGS)
        if caller is None:
            raise Refusal(grpc.StatusCode.UNAUTHENTICATED, "Only a user can subscribe, and the call names nobody")
        return caller

    def _count(self, name: str, caller: str) -> None:
        if self._quotas is not None:
            self._quotas.take(name, self.school.user(caller) or caller)

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


def _check_etag(etag: str, life: Life) -> None:
    """Refuse with `ABORTED` if an etag is present and differs from the server's etag."""
    if etag and etag != life.subscription.etag:
        raise Refusal(grpc.StatusCode.ABORTED, "The etag is not that of the subscription as it is now")


def _done(response: Message, name: str = "operations/done") -> Message:
    operation = operations_pb2.Operation(name=name, done=True)
    operation.response.Pack(response)
    return operation

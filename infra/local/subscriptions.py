"""A stand-in for the Workspace Events API, for the official gRPC client over loopback without TLS.

Subscriptions to users as documented in https://developers.google.com/workspace/events/reference/rest: one for each
target, made by the user whom it is about, seven days of life. The caller is whoever the metadata `x-acting-as` names.
"""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import grpc
import grpc.aio
from google.apps import events_subscriptions_v1 as events
from google.longrunning import operations_pb2  # type: ignore[import-untyped] # comes without types
from google.protobuf import empty_pb2

from infra.local.faults import Fault, Faults, Refusal, Request
from infra.local.school import School

LIFE = timedelta(days=7)
"""https://developers.google.com/workspace/events#lifetime: the most without resource data."""

Message = Any  # protobuf makes its classes at run time, so the type checker knows nothing of them
Context = grpc.aio.ServicerContext[Message, Message]
Method = Callable[[Message, str | None], Message]

_TARGET = re.compile(r"//cloudidentity\.googleapis\.com/(?P<user>users/[^/\"]+)")


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


class WorkspaceEventsSimulator:
    """Serves subscriptions of a school's teachers. `faults` and `calls` may be used from any thread."""

    def __init__(self, school: School, *, faults: Faults | None = None) -> None:
        self.school = school
        self.faults = faults if faults is not None else Faults()
        self.calls = SubscriptionCalls()
        self._subscriptions: dict[str, tuple[Message, str | None]] = {}
        self._server: grpc.aio.Server | None = None
        self._address: str | None = None
        self._made = 0

    @property
    def endpoint(self) -> str:
        """The address as a URL."""
        if self._address is None:
            raise RuntimeError("The simulator has no address before it has started")
        return f"http://{self._address}"

    @property
    def subscriptions(self) -> list[Message]:
        """Those that are alive now."""
        return [subscription for subscription, _ in self._alive().values()]

    async def start(self, port: int = 0) -> None:
        """Serve on this port, or on a free one; RuntimeError when the port is taken."""
        server = grpc.aio.server(handlers=self._handlers(), options=[("grpc.so_reuseport", 0)])
        self._address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """End; calls under way have a moment to finish."""
        if self._server is not None:
            await self._server.stop(grace=0.1)
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @contextmanager
    def in_thread(self, port: int = 0) -> Iterator[Self]:
        """Serve on a thread with an event loop of its own."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="workspace-events")
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(port), loop).result()
            try:
                yield self
            finally:
                asyncio.run_coroutine_threadsafe(self.stop(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _alive(self) -> dict[str, tuple[Message, str | None]]:
        """Expired subscriptions are deleted for good."""
        now = self.school.clock()
        self._subscriptions = {
            name: (subscription, owner)
            for name, (subscription, owner) in self._subscriptions.items()
            if subscription.expire_time > now
        }
        return self._subscriptions

    def _create(self, request: Message, caller: str | None) -> Message:
        wanted: Message = events.CreateSubscriptionRequest(request).subscription
        target = _TARGET.fullmatch(wanted.target_resource)
        if target is None or not wanted.event_types or not wanted.notification_endpoint.pubsub_topic:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "A target, event types and a topic are needed")
        user = caller and self.school.user(caller)
        if caller is not None and target["user"] != user:
            raise Refusal(grpc.StatusCode.PERMISSION_DENIED, "The target is another user")
        if any(one.target_resource == wanted.target_resource for one in self.subscriptions):
            raise Refusal(grpc.StatusCode.ALREADY_EXISTS, "There is a subscription to this target")
        self._made += 1
        wanted.name = f"subscriptions/meet-users-{self._made}"
        wanted.state = events.Subscription.State.ACTIVE
        wanted.expire_time = self.school.clock() + LIFE
        self._subscriptions[wanted.name] = (wanted, user or None)
        return _done(events.Subscription.pb(wanted))

    def _get(self, request: Message, caller: str | None) -> Message:
        return events.Subscription.pb(self._of(request.name, caller))

    def _list(self, request: Message, caller: str | None) -> Message:
        if "event_types" not in request.filter:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "The filter should name an event type")
        target = _TARGET.search(request.filter)
        user = caller and self.school.user(caller)
        found = [
            subscription
            for subscription, owner in self._alive().values()
            if (caller is None or owner == user)
            and (target is None or subscription.target_resource == target[0])
            and any(f'"{kind}"' in request.filter for kind in subscription.event_types)
        ]
        return events.ListSubscriptionsResponse.pb(events.ListSubscriptionsResponse(subscriptions=found))

    def _delete(self, request: Message, caller: str | None) -> Message:
        try:
            self._of(request.name, caller)
        except Refusal:
            if not request.allow_missing:
                raise
        self._subscriptions.pop(request.name, None)
        return _done(empty_pb2.Empty())

    def _of(self, name: str, caller: str | None) -> Message:
        subscription, owner = self._alive().get(name, (None, None))
        if subscription is None or (caller is not None and owner != self.school.user(caller)):
            raise Refusal(grpc.StatusCode.NOT_FOUND, "There is no such subscription")
        return subscription

    def _operation(self, _request: Message, _caller: str | None) -> Message:
        raise Refusal(grpc.StatusCode.NOT_FOUND, "Every operation was answered as done")

    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        service: dict[str, tuple[Method, Message]] = {
            "CreateSubscription": (self._create, events.CreateSubscriptionRequest.pb()),
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
            caller = next((str(v) for key, v in context.invocation_metadata() or () if key == "x-acting-as"), None)
            self.calls.append(SubscriptionCall(name, caller))
            try:
                await self._strike(Request(name, getattr(request, "name", ""), 1, caller, ""))
                return method(request, caller)
            except Refusal as refusal:
                await context.abort(refusal.status, refusal.message, refusal.trailing_metadata())

        handler: Callable[[Message, Context], Awaitable[Message]] = handle
        return grpc.unary_unary_rpc_method_handler(handler, request_type.FromString, lambda m: m.SerializeToString())

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

"""Workspace Events subscriptions: one for each organizer, about all rooms of this person.

https://developers.google.com/workspace/events/guides/create-subscription
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC
from typing import TypeVar

from google.api_core import exceptions as gexc
from google.api_core.operation_async import AsyncOperation
from google.apps import events_subscriptions_v1 as events
from google.longrunning import (  # type: ignore[import-untyped]  # the package has no py.typed
    operations_pb2,
)
from google.protobuf import duration_pb2, field_mask_pb2

from functions.adapters.google.calls.pacing import Pacing
from functions.adapters.google.calls.repeating import Method
from functions.adapters.google.calls.services import EVENTS
from functions.adapters.google.credentials.capabilities import Capability, CredentialsPool
from functions.adapters.google.workspace_events.calls import (
    ATTEMPTS,
    SubscriptionCalls,
    begun,
    is_about_topic,
    naming,
    raise_failure,
)
from functions.domain.conferences.model import Organizer, Subscription, SubscriptionState
from functions.domain.errors import AccessDenied, OrganizerUnknown
from functions.hints import suspension_hint

EVENT_TYPES = (
    "google.workspace.meet.conference.v2.started",
    "google.workspace.meet.conference.v2.ended",
    "google.workspace.meet.participant.v2.joined",
    "google.workspace.meet.participant.v2.left",
)

MEET_EVENT_TYPES = (
    *EVENT_TYPES,
    *(
        f"google.workspace.meet.{artifact}.v2.{what}"
        for artifact in ("recording", "transcript", "smartNote")
        for what in ("started", "ended", "fileGenerated")
    ),
)
"""All event types that a subscription to a user may report; a subscription that somebody else made may have none of
ours.
https://developers.google.com/workspace/events/guides/events-meet"""

GRACE = 5.0
"""How many seconds to wait until a change takes effect.

After that the present state is returned, and a later call finds the change done.
"""

PAGE_SIZE = 100

_ACCOUNTS = "//cloudidentity.googleapis.com/"

RequestT = TypeVar("RequestT")
FoundT = TypeVar("FoundT")


class WorkspaceEventsSubscriptions:
    """`functions.ports.google.Subscriptions` on the Workspace Events API v1.

    A subscription is made, changed and ended with the account of its organizer, because Google accepts no other
    account.

    Args:
        client: The official asynchronous client.
        credentials: Whose account the calls use.
        topic: Where events are published, `projects/{project}/topics/{topic}`.
        pacing: How fast writes may be made.
        attempts: How often one call is made at most.
        grace: How many seconds to wait until a change takes effect.
    """

    def __init__(
        self,
        client: events.SubscriptionsServiceAsyncClient,
        *,
        credentials: CredentialsPool,
        topic: str,
        pacing: Pacing,
        attempts: int = ATTEMPTS,
        grace: float = GRACE,
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._topic = topic
        self._pacing = pacing
        self._attempts = attempts
        self._grace = grace

    async def ensure(self, *, organizer: Organizer) -> Subscription:
        """See the port."""
        with naming():
            return await self._ensured(_target(organizer), self._calls(organizer))

    async def replace(self, name: str, *, organizer: Organizer) -> Subscription:
        """See the port. If only event types are missing they are added, so that events continue without a gap.

        https://developers.google.com/workspace/events/guides/update-subscription lets event types be changed; the
        comments of the released client call them immutable. If Google refuses the change, the subscription is made
        again.
        """
        target, call = _target(organizer), self._calls(organizer)
        with naming():
            before = await self._found(name, call)
            if before and before.target_resource == target and self._is_our_topic(before):
                request = events.UpdateSubscriptionRequest(
                    subscription=events.Subscription(name=name, event_types=EVENT_TYPES),
                    update_mask=field_mask_pb2.FieldMask(paths=["event_types"]),
                )
                try:
                    changed = await self._changed(name, self._client.update_subscription, request, call)
                    return changed or await self._ensured(target, call)
                except gexc.InvalidArgument as error:
                    if is_about_topic(error):  # Google would not make a new one either, and this one may still work
                        raise
            others = {found.name async for found in self._listed(target, call) if not self._fits(found, call)}
            for other in sorted({name, *others} if before else others):
                await self._removed(other, call)
            return await self._ensured(target, call)

    async def get(self, name: str, *, organizer: Organizer) -> Subscription | None:
        """See the port.

        https://developers.google.com/workspace/events/guides/get-subscription
        """
        with naming():
            return await self._shown(name, self._calls(organizer))

    async def renew(self, name: str, *, organizer: Organizer) -> Subscription | None:
        """See the port. If Google is slow, the returned subscription still has the old end.

        https://developers.google.com/workspace/events/guides/update-subscription#renew-subscription
        """
        request = events.UpdateSubscriptionRequest(
            # Zero means the longest possible life.
            subscription=events.Subscription(name=name, ttl=duration_pb2.Duration()),
            update_mask=field_mask_pb2.FieldMask(paths=["ttl"]),
        )
        with naming():
            return await self._changed(name, self._client.update_subscription, request, self._calls(organizer))

    async def reactivate(self, name: str, *, organizer: Organizer) -> Subscription | None:
        """See the port. If Google is slow, the returned subscription is still suspended.

        https://developers.google.com/workspace/events/guides/reactivate-subscription
        """
        request = events.ReactivateSubscriptionRequest(name=name)
        call = self._calls(organizer)
        with naming():
            try:
                return await self._changed(name, self._client.reactivate_subscription, request, call)
            except gexc.FailedPrecondition as error:
                # Another instance may have reactivated it, or our own attempt whose answer was lost: Google also
                # refuses this for a subscription that is not suspended.
                shown = await self._shown(name, call)
                if shown is None or shown.state is not SubscriptionState.SUSPENDED:
                    return shown
                raise AccessDenied(
                    f"The cause of the suspension is still there ({shown.suspension_reason}).",
                    reason=EVENTS.reasons.denied,
                    hint=suspension_hint(shown.suspension_reason),
                ) from error

    async def remove(self, name: str, *, organizer: Organizer) -> None:
        """See the port."""
        request = events.DeleteSubscriptionRequest(name=name, allow_missing=True)
        with naming():
            try:
                answer = await self._calls(organizer).write(self._client.delete_subscription, request)
                raise_failure(await begun(answer))
            except gexc.NotFound:
                return

    def _calls(self, organizer: Organizer) -> SubscriptionCalls:
        who = organizer.user or organizer.email or ""
        return SubscriptionCalls(
            who, self._credentials.of(organizer, Capability.MEETINGS), self._pacing, self._attempts
        )

    async def _ensured(self, target: str, call: SubscriptionCalls) -> Subscription:
        try:
            return await self._created(target, call)
        except gexc.AlreadyExists:
            return await self._adopted(target, call)

    async def _removed(self, name: str, call: SubscriptionCalls) -> None:
        """End a subscription, and wait (within the grace period) until it is deleted.

        Before that no other can be made.
        """
        request = events.DeleteSubscriptionRequest(name=name, allow_missing=True)
        try:
            await self._outcome(await call.write(self._client.delete_subscription, request), call)
        except gexc.NotFound:
            return

    async def _created(self, target: str, call: SubscriptionCalls) -> Subscription:
        """Make a new subscription with the longest possible life."""
        request = events.CreateSubscriptionRequest(
            subscription=events.Subscription(
                target_resource=target,
                event_types=EVENT_TYPES,
                notification_endpoint=events.NotificationEndpoint(pubsub_topic=self._topic),
                ttl=duration_pb2.Duration(),
            )
        )
        answer = await call.write(self._client.create_subscription, request)
        return await self._outcome(answer, call) or Subscription(name=None, state=SubscriptionState.PENDING)

    async def _adopted(self, target: str, call: SubscriptionCalls) -> Subscription:
        """The subscription that already exists, perhaps not completely made yet.

        If there are several, one that fits is preferred.
        """

        async def existing() -> Subscription | None:
            shown = [self._subscription(found, call) async for found in self._listed(target, call)]
            there = [subscription for subscription in shown if subscription]
            return min(there, key=lambda one: one.state is SubscriptionState.ELSEWHERE, default=None)

        return await self._awaited(existing) or Subscription(name=None, state=SubscriptionState.PENDING)

    async def _listed(self, target: str, call: SubscriptionCalls) -> AsyncIterator[events.Subscription]:
        """The subscriptions to a target that this application made for the caller, with any event types."""
        types = " OR ".join(f'event_types:"{each}"' for each in MEET_EVENT_TYPES)
        wanted = f'( {types} ) AND target_resource="{target}"'
        token = ""
        while True:
            request = events.ListSubscriptionsRequest(filter=wanted, page_size=PAGE_SIZE, page_token=token)
            try:
                page = await call.read(self._client.list_subscriptions, request)
            except gexc.BadRequest as error:
                if not token:
                    raise
                # A page token may expire: https://google.aip.dev/158#expiring-page-tokens
                raise EVENTS.unavailable("The Workspace Events API no longer accepts its own page token.") from error
            for found in page.subscriptions:
                yield found
            if not page.next_page_token:
                return
            if page.next_page_token == token:
                raise EVENTS.unavailable("The Workspace Events API keeps returning the same page.")
            token = page.next_page_token

    async def _shown(self, name: str, call: SubscriptionCalls) -> Subscription | None:
        found = await self._found(name, call)
        return self._subscription(found, call) if found else None

    async def _found(self, name: str, call: SubscriptionCalls) -> events.Subscription | None:
        try:
            return await call.read(self._client.get_subscription, events.GetSubscriptionRequest(name=name))
        except gexc.NotFound:
            return None

    def _subscription(self, answer: events.Subscription, call: SubscriptionCalls) -> Subscription | None:
        """A subscription in our words; None for a deleted one, which Google may still show for a while."""
        message = events.Subscription.pb(answer)
        if message.state == events.Subscription.State.DELETED:
            return None
        suspended = message.state == events.Subscription.State.SUSPENDED
        state = SubscriptionState.SUSPENDED if suspended else SubscriptionState.ACTIVE
        return Subscription(
            name=message.name,
            state=state if self._fits(answer, call) else SubscriptionState.ELSEWHERE,
            expire_time=message.expire_time.ToDatetime(UTC) if message.HasField("expire_time") else None,
            suspension_reason=_reason(message.suspension_reason) if suspended and message.suspension_reason else None,
        )

    def _fits(self, answer: events.Subscription, call: SubscriptionCalls) -> bool:
        """Whether a subscription reports to us everything that we need about the organizer; it may report more."""
        is_target = answer.target_resource == f"{_ACCOUNTS}{call.organizer}"
        return is_target and self._is_our_topic(answer) and set(EVENT_TYPES) <= set(answer.event_types)

    def _is_our_topic(self, answer: events.Subscription) -> bool:
        """Whether it publishes to our topic.

        Google may show the project by its number, so the project is not compared: it is always ours.
        """
        _, project, _, topic = _parts(answer.notification_endpoint.pubsub_topic)
        _, our_project, _, our_topic = _parts(self._topic)
        return topic == our_topic and (project == our_project or project.isdecimal())

    async def _changed(
        self,
        name: str,
        method: Method[RequestT, AsyncOperation],
        request: RequestT,
        call: SubscriptionCalls,
    ) -> Subscription | None:
        """A subscription after a change.

        If the change takes longer than the grace period, the subscription as Google shows it then.

        We do not assume that a change succeeded before we see it: callers decide by what Google shows, and check again
        later.
        """
        try:
            changed = await self._outcome(await call.write(method, request), call)
        except gexc.NotFound:
            # Perhaps only its topic is missing. If we treated the subscription as deleted, we would make it again
            # although it exists.
            if await self._shown(name, call) is None:
                return None
            raise
        return changed or await self._shown(name, call)

    async def _outcome(self, answer: AsyncOperation, call: SubscriptionCalls) -> Subscription | None:
        """The subscription that an operation returned; None if it does not finish within the grace period."""
        operation = await begun(answer)

        async def finished() -> operations_pb2.Operation | None:
            nonlocal operation
            if not operation.done:
                asked = operations_pb2.GetOperationRequest(name=operation.name)
                try:
                    operation = await call.read(self._client.get_operation, asked)
                except gexc.NotFound:
                    # Google does not know the operation, which says nothing about the subscription.
                    return None
            return operation if operation.done else None

        done = await self._awaited(finished)
        if done is None:
            return None
        raise_failure(done)
        made = events.Subscription()
        return self._subscription(made, call) if done.response.Unpack(events.Subscription.pb(made)) else None

    async def _awaited(self, look: Callable[[], Awaitable[FoundT | None]]) -> FoundT | None:
        """Look again and again, with growing pauses, until something is found or the grace period is over."""
        pause = 0.05
        waited = 0.0
        while (found := await look()) is None and waited + pause <= self._grace:
            await asyncio.sleep(pause)
            waited += pause
            pause *= 2
        return found


def _target(organizer: Organizer) -> str:
    """The target of the subscription; Google accepts only the id, not the address."""
    if organizer.user is None:
        raise OrganizerUnknown(
            "The account's id is not known, but a subscription needs it.",
            hint="Enrol the teacher again by e-mail, so that the id is looked up.",
        )
    return f"{_ACCOUNTS}{organizer.user}"


def _parts(topic: str) -> tuple[str, str, str, str]:
    """The four parts of `projects/{project}/topics/{topic}`; empty strings if the name has another form."""
    parts = topic.split("/")
    return (parts[0], parts[1], parts[2], parts[3]) if len(parts) == 4 else ("", "", "", "")  # noqa: PLR2004


def _reason(number: int) -> str:
    """Google's word for a reason. Its service knows more reasons than its client: those have only a number."""
    words = events.Subscription.pb().DESCRIPTOR.enum_types_by_name["ErrorType"].values_by_number
    return words[number].name if number in words else f"ERROR_TYPE_{number}"

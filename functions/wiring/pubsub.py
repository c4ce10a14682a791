"""What goes over Pub/Sub and what fills it: jobs, dead letters, and subscriptions to events."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from functions.adapters.google.calls.pacing import Pacing
from functions.adapters.google.credentials.capabilities import CredentialsPool
from functions.adapters.google.pubsub.changes import PubsubChanges
from functions.adapters.google.pubsub.dead_letters import PubsubDeadLetters
from functions.adapters.google.pubsub.jobs import PubsubJobs
from functions.domain.errors import AttendanceError
from functions.ports.clock import Clock
from functions.ports.google import Subscriptions
from functions.ports.messages import Job
from functions.services.deps import Deps
from functions.settings import Settings
from functions.wiring.channels import Channels

SUBSCRIPTION_WRITES_PER_ORGANIZER = 90
"""A minute, below Google's 100 for a user: https://developers.google.com/workspace/events/guides/limits."""

SUBSCRIPTION_WRITES = 300
"""A minute on one instance, half of Google's 600 for a project: two may be at it at once."""

log = logging.getLogger(__name__)


class InlineJobs:
    """`functions.ports.messages.Jobs` without Pub/Sub, for a system on one machine: each job is done at once, in order.

    One that fails is logged, and found again by the next `sync-due` or `reconcile`.
    """

    def __init__(self) -> None:
        self.deps: Deps | None = None

    async def publish(self, jobs: Sequence[Job]) -> None:
        """See the port."""
        from functions.services.operations.run_job import run_job  # noqa: PLC0415 - in the cloud, an event needs no job

        for job in jobs:
            if self.deps is None:
                raise RuntimeError("The application is not built yet.")
            try:
                await run_job(job, deps=self.deps)
            except AttendanceError as error:
                log.warning("job.failed", extra={"job": job.name, "reason": error.reason, "hint": error.hint})


def publisher(configured: Settings, channels: Channels) -> PublisherAsyncClient | None:
    """What publishes to every topic, if Pub/Sub is in use."""
    if not configured.pubsub_in_use:
        return None
    if configured.pubsub_emulator_host:
        transport = PublisherGrpcAsyncIOTransport(channel=channels.to(configured.pubsub_emulator_host))
        return PublisherAsyncClient(transport=transport)
    return PublisherAsyncClient()


def jobs(configured: Settings, client: PublisherAsyncClient | None) -> PubsubJobs | InlineJobs:
    """Where jobs are handed over."""
    return PubsubJobs(client, topic=configured.jobs_topic_name) if client else InlineJobs()


def changes(configured: Settings, client: PublisherAsyncClient | None) -> PubsubChanges | None:
    """Where changes are published; None if they are not."""
    topic = configured.changes_topic_name
    return PubsubChanges(client, topic=topic) if client and topic else None


def dead_letters(configured: Settings, channels: Channels) -> PubsubDeadLetters | None:
    """Where dead letters wait, if Pub/Sub is in use."""
    if not configured.pubsub_in_use:
        return None
    if configured.pubsub_emulator_host:
        transport = SubscriberGrpcAsyncIOTransport(channel=channels.to(configured.pubsub_emulator_host))
        client = SubscriberAsyncClient(transport=transport)
    else:
        client = SubscriberAsyncClient()
    return PubsubDeadLetters(client, subscription=configured.dead_letter_subscription)


def subscriptions(
    configured: Settings,
    channels: Channels,
    credentials: CredentialsPool,
    *,
    clock: Clock,
    pause: Callable[[float], Awaitable[None]],
) -> Subscriptions | None:
    """Subscriptions to events, if they are in use."""
    if not configured.workspace_events_in_use:
        return None
    # Events' own function needs none of it: it starts faster without.
    from google.apps import events_subscriptions_v1 as events  # noqa: PLC0415 - as said above
    from google.apps.events_subscriptions_v1.services.subscriptions_service.transports import (  # noqa: PLC0415
        SubscriptionsServiceGrpcAsyncIOTransport,
    )

    from functions.adapters.google.workspace_events.subscriptions import WorkspaceEventsSubscriptions  # noqa: PLC0415

    channel = channels.to(configured.workspace_events_api_endpoint)
    client = events.SubscriptionsServiceAsyncClient(transport=SubscriptionsServiceGrpcAsyncIOTransport(channel=channel))
    return WorkspaceEventsSubscriptions(
        client,
        credentials=credentials,
        topic=configured.events_topic_name,
        pacing=Pacing(
            per_organizer=SUBSCRIPTION_WRITES_PER_ORGANIZER,
            overall=SUBSCRIPTION_WRITES,
            clock=lambda: clock().timestamp(),
            sleep=pause,
        ),
    )

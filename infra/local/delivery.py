"""Delivery: what an Eventarc Pub/Sub trigger does with a message.

It posts the message as a CloudEvent in binary mode. An answer from 200 to 299 means success. After any other answer, it
tries again after a growing pause. After enough tries, the message becomes a dead letter.
https://cloud.google.com/eventarc/docs/cloudevents-json and https://cloud.google.com/eventarc/docs/retry-events

A Pub/Sub push subscription directly to the function is not enough: its requests lack the CloudEvent headers.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import grpc.aio
import httpx
from google.api_core import exceptions as gexc
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport
from google.pubsub_v1.types import (
    AcknowledgeRequest,
    DeadLetterPolicy,
    ModifyAckDeadlineRequest,
    PubsubMessage,
    PullRequest,
    ReceivedMessage,
    RetryPolicy,
    Subscription,
)

from infra.local.workspace_events import Message

FUNCTION_TIME = 540.0


@dataclass(frozen=True, slots=True)
class Trigger:
    """The settings of a trigger.

    Attributes:
        url: The address of the function.
        topic: `projects/{project}/topics/{topic}`.
        subscription: `projects/{project}/subscriptions/{subscription}`.
        backoff: The first and the longest wait before a message is delivered again; deployed: 10 s and 600 s.
        max_attempts: The number of deliveries after which a message becomes a dead letter; deployed: 100.
    """

    url: str
    topic: str
    subscription: str
    backoff: tuple[timedelta, timedelta] = (timedelta(seconds=10), timedelta(minutes=10))
    max_attempts: int = 100

    async def post(self, client: httpx.AsyncClient, message: Message) -> int:
        """Deliver a message once; return the HTTP status, or 599 if nothing answered."""
        try:
            answer = await client.post(self.url, headers=self.headers(message), json=self.body(message))
        except httpx.TransportError:
            return 599
        return answer.status_code

    def headers(self, message: Message) -> dict[str, str]:
        """Return the description of the event, as HTTP headers."""
        return {
            "content-type": "application/json",
            "ce-specversion": "1.0",
            "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
            "ce-source": f"//pubsub.googleapis.com/{self.topic}",
            "ce-id": message.message_id,
            "ce-time": _published(message),
        }

    def body(self, message: Message) -> dict[str, Any]:
        """Return the message, as JSON."""
        published = _published(message)
        body: dict[str, Any] = {
            "message": {
                "attributes": message.attributes,
                "data": base64.b64encode(message.data).decode(),
                "messageId": message.message_id,
                "message_id": message.message_id,
                "publishTime": published,
                "publish_time": published,
            },
            "subscription": self.subscription,
        }
        if message.ordering_key:
            body["message"]["orderingKey"] = message.ordering_key
        return body


def _published(message: Message) -> str:
    return message.publish_time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def http_client() -> httpx.AsyncClient:
    """Return a client that waits as long as a function may take, and sends messages without waiting for other answers.

    A function acknowledges a joined or left event only after a moment, together with others.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    return httpx.AsyncClient(timeout=FUNCTION_TIME, trust_env=False, limits=limits)


async def deliver(trigger: Trigger, message: Message, *, on_answer: Callable[[int], None] = lambda _: None) -> bool:
    """Deliver a message without Pub/Sub, until it is acknowledged.

    Args:
        trigger: The function, the pauses and the number of attempts.
        message: The published message.
        on_answer: Gets the HTTP status of every attempt.

    Returns:
        Whether it was acknowledged. If not, Pub/Sub would make it a dead letter.
    """
    wait, longest = trigger.backoff
    async with http_client() as client:
        for attempt in range(1, trigger.max_attempts + 1):
            status = await trigger.post(client, message)
            on_answer(status)
            if _acknowledged(status):
                return True
            if attempt < trigger.max_attempts:
                await asyncio.sleep(wait.total_seconds())
                wait = min(wait * 2, longest)
    return False


class Pubsub:
    """Topics and subscriptions in the Pub/Sub emulator, and the triggers on them.

    Args:
        address: The emulator, `127.0.0.1:PORT`.
    """

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=self._channel))
        self._subscriber = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=self._channel))

    async def close(self) -> None:
        """Close the connections to the emulator."""
        await self._channel.close()

    async def set_up(self, trigger: Trigger, *, dead_letter_topic: str, dead_letter_subscription: str) -> None:
        """Create the topics and subscriptions of the deployment, with dead-lettering and backoff."""
        for topic in (trigger.topic, dead_letter_topic):
            await self.create_topic(topic)
        shortest, longest = trigger.backoff
        for subscription in (
            Subscription(name=dead_letter_subscription, topic=dead_letter_topic),
            Subscription(
                name=trigger.subscription,
                topic=trigger.topic,
                ack_deadline_seconds=600,
                dead_letter_policy=DeadLetterPolicy(
                    dead_letter_topic=dead_letter_topic, max_delivery_attempts=trigger.max_attempts
                ),
                retry_policy=RetryPolicy(minimum_backoff=shortest, maximum_backoff=longest),
            ),
        ):
            with contextlib.suppress(gexc.AlreadyExists):
                await self._subscriber.create_subscription(subscription, timeout=10)

    async def create_topic(self, topic: str) -> None:
        """Create a topic, unless it exists."""
        with contextlib.suppress(gexc.AlreadyExists):
            await self._publisher.create_topic(name=topic, timeout=10)

    async def create_subscription(self, name: str, topic: str) -> None:
        """Create a pull subscription."""
        await self._subscriber.create_subscription(name=name, topic=topic, timeout=10)

    async def publish(self, topic: str, message: Message) -> None:
        """Publish a message; Pub/Sub gives it an id and a time."""
        published = PubsubMessage(data=message.data, attributes=message.attributes, ordering_key=message.ordering_key)
        await self._publisher.publish(topic=topic, messages=[published], timeout=10)

    async def pull(self, subscription: str) -> list[ReceivedMessage]:
        """Wait for at least one message in a subscription, and return the waiting messages."""
        while True:
            with contextlib.suppress(gexc.DeadlineExceeded):
                answer = await self._subscriber.pull(
                    PullRequest(subscription=subscription, max_messages=100), retry=None, timeout=5
                )
                if answer.received_messages:
                    return list(answer.received_messages)

    async def drained(self, subscription: str) -> list[dict[str, str]]:
        """Take all waiting messages of a subscription, until it is empty twice; return their attributes."""
        found: list[dict[str, str]] = []
        empty = 0
        while empty < 2:  # noqa: PLR2004 - an answer may be empty although messages wait
            with contextlib.suppress(gexc.DeadlineExceeded):
                answer = await self._subscriber.pull(
                    PullRequest(subscription=subscription, max_messages=1000), retry=None, timeout=3
                )
                if answer.received_messages:
                    found += [dict(received.message.attributes) for received in answer.received_messages]
                    ids = [received.ack_id for received in answer.received_messages]
                    await self._subscriber.acknowledge(
                        AcknowledgeRequest(subscription=subscription, ack_ids=ids), timeout=10
                    )
                    empty = 0
                    continue
            empty += 1
        return found

    async def run(self, trigger: Trigger) -> None:
        """Do what the trigger does, until cancelled."""
        async with http_client() as client, asyncio.TaskGroup() as tasks:
            while True:
                for received in await self.pull(trigger.subscription):
                    tasks.create_task(self._pass_on(trigger, client, received))

    async def _pass_on(self, trigger: Trigger, client: httpx.AsyncClient, received: ReceivedMessage) -> None:
        message = Message(
            attributes=dict(received.message.attributes),
            data=received.message.data,
            message_id=received.message.message_id,
            publish_time=cast("datetime", received.message.publish_time),  # the wrapper really returns this type
            ordering_key=received.message.ordering_key,
        )
        status = await trigger.post(client, message)
        if _acknowledged(status):
            done = AcknowledgeRequest(subscription=trigger.subscription, ack_ids=[received.ack_id])
            await self._subscriber.acknowledge(done, timeout=10)
        else:
            again = ModifyAckDeadlineRequest(
                subscription=trigger.subscription, ack_ids=[received.ack_id], ack_deadline_seconds=0
            )
            await self._subscriber.modify_ack_deadline(again, timeout=10)


def _acknowledged(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 - HTTP's own numbers

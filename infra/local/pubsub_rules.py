"""Limits of messages and subscriptions that Pub/Sub enforces and its emulator does not, so that tests can check them.

https://docs.cloud.google.com/pubsub/quotas#resource_limits and
https://docs.cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

Message = Any  # protobuf makes its classes at run time, so the type checker does not know them

REQUEST_BYTES = 10_000_000
REQUEST_MESSAGES = 1000
ATTRIBUTES, KEY_BYTES, VALUE_BYTES, ORDERING_KEY_BYTES = 100, 256, 1024, 1024
ACKNOWLEDGE_BYTES = 524_288

_NAME = re.compile(r"projects/[^/]+/(?:topics|subscriptions)/(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}", re.IGNORECASE)


def wrong_in_publish(request: Message) -> Iterator[str]:
    """Return each rule that a PublishRequest (its protobuf message) breaks."""
    if not _NAME.fullmatch(request.topic):
        yield "topic: 3 to 255 characters, begins with a letter, not with goog"
    if not 0 < len(request.messages) <= REQUEST_MESSAGES:
        yield f"messages: 1 to {REQUEST_MESSAGES} in a request"
    if request.ByteSize() > REQUEST_BYTES:
        yield f"a request has {REQUEST_BYTES} bytes at most"
    if len({message.ordering_key for message in request.messages}) > 1:
        yield "ordering_key: the same in all messages of a request"
    for message in request.messages:
        yield from _wrong_in_message(message)


def _wrong_in_message(message: Message) -> Iterator[str]:
    if message.message_id or message.HasField("publish_time"):
        yield "message_id and publish_time are Pub/Sub's own"
    if not message.data and not message.attributes:
        yield "a message has data or an attribute"
    if len(message.attributes) > ATTRIBUTES:
        yield f"attributes: {ATTRIBUTES} at most"
    for key, value in message.attributes.items():
        if not 0 < len(key.encode()) <= KEY_BYTES or key.startswith("goog"):
            yield f"an attribute's key has 1 to {KEY_BYTES} bytes and does not begin with goog"
        if len(value.encode()) > VALUE_BYTES:
            yield f"an attribute's value has {VALUE_BYTES} bytes at most"
    if len(message.ordering_key.encode()) > ORDERING_KEY_BYTES:
        yield f"ordering_key: {ORDERING_KEY_BYTES} bytes at most"


def wrong_in_acknowledge(request: Message) -> Iterator[str]:
    """Return each rule that an AcknowledgeRequest breaks."""
    if not request.ack_ids:
        yield "ack_ids: must not be empty"
    if request.ByteSize() > ACKNOWLEDGE_BYTES:
        yield f"a request has {ACKNOWLEDGE_BYTES} bytes at most"


def wrong_in_subscription(subscription: Message) -> Iterator[str]:
    """Return each rule that the settings of a Subscription (its protobuf message) break."""
    if not _NAME.fullmatch(subscription.name):
        yield "name: 3 to 255 characters, begins with a letter, not with goog"
    if subscription.ack_deadline_seconds and not 10 <= subscription.ack_deadline_seconds <= 600:  # noqa: PLR2004
        yield "ack_deadline_seconds: 10 to 600"
    within = (
        ("message_retention_duration", timedelta(minutes=10), timedelta(days=31)),
        ("retry_policy.minimum_backoff", timedelta(0), timedelta(seconds=600)),
        ("retry_policy.maximum_backoff", timedelta(0), timedelta(seconds=600)),
        ("expiration_policy.ttl", timedelta(days=1), timedelta.max),
    )
    for path, least, most in within:
        *parents, field = path.split(".")
        holder = subscription
        for parent in parents:
            holder = getattr(holder, parent)
        if holder.HasField(field) and not least <= getattr(holder, field).ToTimedelta() <= most:
            yield f"{path}: {least} to {most}"
    if subscription.HasField("dead_letter_policy"):
        attempts = subscription.dead_letter_policy.max_delivery_attempts
        if attempts and not 5 <= attempts <= 100:  # noqa: PLR2004
            yield "dead_letter_policy.max_delivery_attempts: 5 to 100"

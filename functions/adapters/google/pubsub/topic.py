"""Publishes messages to one Pub/Sub topic, in as few requests as possible.

https://cloud.google.com/pubsub/docs/publisher
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from google.api_core import exceptions as gexc
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherAsyncClient, PublishRequest, PublishResponse, PubsubMessage

from functions.adapters.google.calls.repeating import repeated
from functions.adapters.own_credentials import own_credentials_error
from functions.adapters.patience import limit
from functions.domain.errors import Retryable

ATTEMPT_TIMEOUT = 20.0
"""Seconds for one answer."""

MAX_MESSAGES = 1000
MAX_BYTES = 9_000_000
"""The limit of one request; Pub/Sub accepts 1,000 messages and 10 MB:
https://cloud.google.com/pubsub/quotas#resource_limits."""

_OVERHEAD = 100
"""How many bytes a message needs besides its attributes and data, estimated generously."""


class Topic:
    """One topic.

    Args:
        publisher: The official asynchronous client.
        name: `projects/{project}/topics/{topic}`.
        called: The name of the topic in errors.
        attempts: How often publishing a batch is tried at most, with some seconds of pauses.
        error: The error to raise if the topic does not accept messages.
    """

    def __init__(
        self, publisher: PublisherAsyncClient, name: str, *, called: str, attempts: int, error: type[Retryable]
    ) -> None:
        self._publisher = publisher
        self._name = name
        self._called = called
        self._attempts = attempts
        self._error = error

    async def publish(self, messages: Iterable[PubsubMessage]) -> None:
        """Publish all messages, or raise the error; in that case some may have arrived."""
        for batch in _batches(messages):
            await self._publish(PublishRequest(topic=self._name, messages=batch))

    async def _publish(self, request: PublishRequest) -> None:
        async def attempt() -> PublishResponse:
            return await self._publisher.publish(request, retry=None, timeout=limit(ATTEMPT_TIMEOUT))

        try:
            await repeated(attempt, attempts=self._attempts)
        except (gexc.GoogleAPICallError, GoogleAuthError) as error:
            kind = type(error).__name__
            lacking = own_credentials_error(error)
            if lacking:
                raise self._error(f"{lacking.message} Pub/Sub cannot be called.", hint=lacking.hint) from error
            if isinstance(error, gexc.NotFound | gexc.Forbidden):
                # A deployment fixes this; until then no message must be lost.
                hint = "Deploy again: this creates the topic and lets this system publish to it."
                raise self._error(
                    f"{self._called} is missing, or this system may not publish to it ({kind}).", hint=hint
                ) from error
            raise self._error(f"{self._called} does not accept messages ({kind}).") from error


def _batches(messages: Iterable[PubsubMessage]) -> Iterator[Sequence[PubsubMessage]]:
    """The messages in order, divided into as few requests as possible."""
    batch: list[PubsubMessage] = []
    size = 0
    for message in messages:
        attributes = sum(len(name.encode()) + len(value.encode()) for name, value in message.attributes.items())
        length = len(message.data) + attributes + _OVERHEAD
        if batch and (len(batch) == MAX_MESSAGES or size + length > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += length
    if batch:
        yield batch

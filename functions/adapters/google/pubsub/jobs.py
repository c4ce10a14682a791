"""Work handed over to another call of the jobs' function, by Pub/Sub.

https://cloud.google.com/pubsub/docs/publisher
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from google.api_core import exceptions as gexc
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherAsyncClient, PublishRequest, PublishResponse, PubsubMessage

from functions.adapters.google.calls.repeating import repeated
from functions.adapters.own_credentials import own_credentials_error
from functions.adapters.patience import limit
from functions.domain.errors import JobsUnavailable
from functions.ports.messages import Job

ATTEMPT_TIMEOUT = 20.0
"""Seconds for one answer."""

ATTEMPTS = 5
"""How often one batch is published, some seconds of pauses; then Pub/Sub's own repetition of our caller takes over."""

MAX_MESSAGES = 1000
MAX_BYTES = 9_000_000
"""Of one request; Pub/Sub takes 1,000 messages and 10 MB: https://cloud.google.com/pubsub/quotas#resource_limits."""

_OVERHEAD = 100
"""Bytes that a message takes in addition to its name and data, generously."""


class PubsubJobs:
    """`functions.ports.messages.Jobs` on a Pub/Sub topic: the job's name as the attribute `job`, its data as JSON.

    Args:
        publisher: The official asynchronous client.
        topic: `projects/{project}/topics/{topic}`.
        attempts: How often one batch is published.
    """

    def __init__(self, publisher: PublisherAsyncClient, *, topic: str, attempts: int = ATTEMPTS) -> None:
        self._publisher = publisher
        self._topic = topic
        self._attempts = attempts

    async def publish(self, jobs: Sequence[Job]) -> None:
        """See the port."""
        for batch in _batches(map(_message, jobs)):
            await self._publish(PublishRequest(topic=self._topic, messages=batch))

    async def _publish(self, request: PublishRequest) -> None:
        async def attempt() -> PublishResponse:
            return await self._publisher.publish(request, retry=None, timeout=limit(ATTEMPT_TIMEOUT))

        try:
            await repeated(attempt, attempts=self._attempts)
        except (gexc.GoogleAPICallError, GoogleAuthError) as error:
            kind = type(error).__name__
            lacking = own_credentials_error(error)
            if lacking:
                raise JobsUnavailable(f"{lacking.message} Pub/Sub cannot be called.", hint=lacking.hint) from error
            if isinstance(error, gexc.NotFound | gexc.Forbidden):
                # A deployment fixes it; until then the work must not be lost.
                hint = "Deploy again: this creates the topic and lets this system publish to it."
                raise JobsUnavailable(
                    f"The jobs' topic is missing, or this system may not publish to it ({kind}).", hint=hint
                ) from error
            raise JobsUnavailable(f"The jobs' topic does not accept messages ({kind}).") from error


def _message(job: Job) -> PubsubMessage:
    data = json.dumps(dict(job.data), ensure_ascii=False, separators=(",", ":")).encode()
    return PubsubMessage(data=data, attributes={"job": job.name})


def _batches(messages: Iterable[PubsubMessage]) -> Iterator[list[PubsubMessage]]:
    """The messages in order, in as few requests as take them."""
    batch: list[PubsubMessage] = []
    size = 0
    for message in messages:
        length = len(message.data) + len(message.attributes["job"].encode()) + _OVERHEAD
        if batch and (len(batch) == MAX_MESSAGES or size + length > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += length
    if batch:
        yield batch

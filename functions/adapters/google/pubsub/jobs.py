"""Work that is handed to another call of the jobs function, through Pub/Sub."""

from __future__ import annotations

import json
from collections.abc import Sequence

from google.pubsub_v1 import PublisherAsyncClient, PubsubMessage

from functions.adapters.google.pubsub.topic import Topic
from functions.domain.errors import JobsUnavailable
from functions.ports.messages import Job

ATTEMPTS = 5
"""How often publishing a batch is tried at most, with some seconds of pauses.

After that Pub/Sub delivers our own message again.
"""


class PubsubJobs:
    """`functions.ports.messages.Jobs` on a Pub/Sub topic: the job's name as the attribute `job`, its data as JSON.

    Args:
        publisher: The official asynchronous client.
        topic: `projects/{project}/topics/{topic}`.
        attempts: How often publishing a batch is tried at most.
    """

    def __init__(self, publisher: PublisherAsyncClient, *, topic: str, attempts: int = ATTEMPTS) -> None:
        self._topic = Topic(publisher, topic, called="The jobs' topic", attempts=attempts, error=JobsUnavailable)

    async def publish(self, jobs: Sequence[Job]) -> None:
        """See the port."""
        await self._topic.publish(map(_message, jobs))


def _message(job: Job) -> PubsubMessage:
    data = json.dumps(dict(job.data), ensure_ascii=False, separators=(",", ":")).encode()
    return PubsubMessage(data=data, attributes={"job": job.name})

"""Messages about changed attendance, on a Pub/Sub topic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC

from google.pubsub_v1 import PublisherAsyncClient, PubsubMessage

from functions.adapters.google.pubsub.topic import Topic
from functions.adapters.patience import Patience
from functions.domain.errors import ChangesUnavailable
from functions.ports.messages import AttendanceChange

TIME = 5.0
"""Seconds that a publication may take: a request of the API waits for it."""

REST = 10.0
"""Seconds after a failure in which nothing is published: a service that hangs is not waited for at every commit."""

ATTEMPTS = 3


class PubsubChanges:
    """`functions.ports.messages.Changes` on a Pub/Sub topic: attributes only, no data.

    Args:
        publisher: The official asynchronous client.
        topic: `projects/{project}/topics/{topic}`.
        within: Seconds that a publication may take.
        now: Seconds, monotonic.
    """

    def __init__(
        self,
        publisher: PublisherAsyncClient,
        *,
        topic: str,
        within: float = TIME,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topic = Topic(
            publisher, topic, called="The topic of changes", attempts=ATTEMPTS, error=ChangesUnavailable
        )
        self._within = within
        self._now = now
        self._rests_until = float("-inf")

    async def publish(self, changes: Sequence[AttendanceChange]) -> None:
        """See the port."""
        if self._now() < self._rests_until:
            raise ChangesUnavailable("The topic of changes did not accept messages a moment ago.")
        try:
            # A patience of its own: what is lost here is not lost for the message at hand.
            with Patience(self._within).started():
                async with asyncio.timeout(self._within):
                    await self._topic.publish(map(_message, changes))
        except ChangesUnavailable:
            self._rests_until = self._now() + REST
            raise
        except TimeoutError:
            self._rests_until = self._now() + REST
            raise ChangesUnavailable(f"The topic of changes did not answer within {self._within:g} seconds.") from None


def _message(change: AttendanceChange) -> PubsubMessage:
    updated_at = change.updated_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return PubsubMessage(
        attributes={
            "session_id": change.session_id,
            "class_id": change.class_id or "",
            "state": change.state,
            "sync_state": change.sync_state or "",
            "updated_at": updated_at,
        }
    )

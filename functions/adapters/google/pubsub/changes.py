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
"""How many seconds publishing may take: an API request waits for it."""

REST = 10.0
"""For how many seconds after a failure nothing is published, so that not every commit waits for a service that
hangs."""

ATTEMPTS = 3


class PubsubChanges:
    """`functions.ports.messages.Changes` on a Pub/Sub topic: attributes only, no data.

    Args:
        publisher: The official asynchronous client.
        topic: `projects/{project}/topics/{topic}`.
        within: How many seconds publishing may take.
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
            # It has its own time limit, so that time lost here does not count for the message that is being processed.
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
    updated_at = change.updated_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return PubsubMessage(
        attributes={
            "session_id": change.session_id,
            "class_id": change.class_id or "",
            "state": change.state,
            "sync_state": change.sync_state or "",
            "updated_at": updated_at,
        }
    )

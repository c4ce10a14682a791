"""Collects events for a moment, so that the events of a class that begins or ends make few writes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context

from functions.domain.conferences.seen import NOTHING_SEEN, SeenSessions, is_worth_waiting
from functions.domain.errors import AttendanceError, DocumentsRefused
from functions.ports.seen import SeenEvents

TOGETHER = 1.5
"""Seconds for which events of one conference are collected. Their messages are acknowledged after that."""

WAITS, PAUSE = 3, 1.0
"""If somebody ended a call for everybody, the read waits for its left events: how often at most, and for how many
seconds each time.

They come at the same moment as the event that the conference ended, and are stored `TOGETHER` seconds later.
"""

log = logging.getLogger(__name__)


class CollectedEvents:
    """What events said, stored together by this instance. Use it in one event loop.

    Args:
        events: Where it is stored.
        pause: Waits for the given number of seconds.
    """

    def __init__(self, events: SeenEvents, *, pause: Callable[[float], Awaitable[None]]) -> None:
        self.events = events
        self._pause = pause
        self._batches: dict[str, _Batch] = {}

    async def of(self, conference_record: str) -> SeenSessions:
        """Everything that is stored about a conference; raises StoreUnavailable."""
        return await self.events.of(conference_record)

    async def of_ended(self, conference_record: str) -> SeenSessions:
        """The same for a conference that ended a moment ago; waits for left events if many are missing."""
        seen = await self.of(conference_record)
        for _ in range(WAITS):
            if not is_worth_waiting(seen):
                break
            await self._pause(PAUSE)
            seen = await self.of(conference_record)
        return seen

    async def add(self, conference_record: str, seen: SeenSessions) -> bool:
        """Store what an event said, together with others that come within a moment.

        Returns:
            Whether this call is the one of all that were stored together that does what comes afterwards.

        Raises:
            Retryable: It is not certain that it is stored.
        """
        batch = self._batches.get(conference_record)
        is_first = batch is None
        if batch is None:
            batch = self._batches[conference_record] = _Batch()
            # Its own context: it outlives the message that began it, and belongs to all of them.
            batch.task = asyncio.create_task(self._store(conference_record, batch), context=Context())
        batch.seen = batch.seen.merged(seen)
        # One message that is given up must not take the others with it.
        error = await asyncio.shield(batch.task)
        if error:
            raise error
        return is_first

    async def _store(self, conference_record: str, batch: _Batch) -> AttendanceError | None:
        await self._pause(TOGETHER)
        del self._batches[conference_record]  # what comes from now on makes another batch
        try:
            await self.events.add(conference_record, batch.seen)
        except DocumentsRefused as refused:
            # Meet is asked for people if their events are missing.
            log.warning("events.refused", extra={"reason": refused.reason, "detail": refused.message})
        except AttendanceError as error:
            return error
        return None


class _Batch:
    """Events of one conference that are stored together."""

    def __init__(self) -> None:
        self.seen: SeenSessions = NOTHING_SEEN
        self.task: asyncio.Task[AttendanceError | None]

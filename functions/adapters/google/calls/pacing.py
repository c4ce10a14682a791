"""How fast we may call: a maximum of calls in any minute."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable

from functions.adapters.patience import patience

WINDOW = 60.0


class Ceiling:
    """At most `limit` calls in any 60 seconds; 0 means no limit.

    A strict sliding window, unlike a token bucket, which lets twice the limit through in its first minute:
    https://developers.google.com/workspace/meet/api/guides/limits counts calls a minute.
    """

    def __init__(self, limit: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._calls: deque[float] = deque(maxlen=limit)

    def wait(self) -> float:
        """In how many seconds a call may be made; 0 means now."""
        if len(self._calls) < self._limit or not self._limit:
            return 0.0
        return max(self._calls[0] + WINDOW - self._clock(), 0.0)

    def record(self) -> None:
        """Record that a call is made now."""
        self._calls.append(self._clock())

    @property
    def idle(self) -> bool:
        """Whether no call of the last minute is remembered any more."""
        return not self._calls or self._calls[-1] + WINDOW < self._clock()


class Pacing:
    """The limits of one instance: one for each organizer, and one for all of them together.

    Args:
        per_organizer: Calls a minute for one organizer; 0 means no limit.
        overall: Calls a minute for this instance; 0 means no limit.
        clock: Seconds, monotonic.
        sleep: Waits for the given number of seconds.
    """

    def __init__(
        self,
        *,
        per_organizer: int,
        overall: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._per_organizer = per_organizer
        self._clock = clock
        self._sleep = sleep
        self._overall = Ceiling(overall, clock=clock)
        self._organizers: OrderedDict[str, tuple[Ceiling, asyncio.Lock]] = OrderedDict()

    async def turn(self, organizer: str) -> None:
        """Wait until a call for this organizer may be made; it counts from that moment.

        An organizer's calls are made in the order in which they were requested. A caller that stops waiting does not
        count, and a caller that waits for its own limit uses up nothing of the common one.
        """
        ceiling, line = self._of(organizer)
        with patience().queueing():
            async with line:
                while (wait := max(ceiling.wait(), self._overall.wait())) > 0:
                    await self._sleep(wait)
                ceiling.record()
                self._overall.record()

    def _of(self, organizer: str) -> tuple[Ceiling, asyncio.Lock]:
        if organizer not in self._organizers:
            self._organizers[organizer] = (Ceiling(self._per_organizer, clock=self._clock), asyncio.Lock())
        self._organizers.move_to_end(organizer)
        # A window that is forgotten is empty, so a new one behaves the same.
        while len(self._organizers) > 1:
            ceiling, line = next(iter(self._organizers.values()))
            if line.locked() or not ceiling.idle:
                break
            self._organizers.popitem(last=False)
        return self._organizers[organizer]

"""How fast we may ask: a ceiling of calls in any minute."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable

WINDOW = 60.0


class Ceiling:
    """At most `limit` calls in any 60 seconds; 0 is no ceiling. First come, first served.

    A strict sliding window, unlike a token bucket, which lets twice the limit through in its first minute:
    https://developers.google.com/workspace/meet/api/guides/limits counts calls a minute.
    """

    def __init__(self, limit: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._slots: deque[float] = deque(maxlen=limit or None)

    def reserve(self) -> float:
        """Take the next free place and say how many seconds from now it is."""
        if not self._limit:
            return 0.0
        now = self._clock()
        slot = max(now, self._slots[0] + WINDOW) if len(self._slots) == self._limit else now
        self._slots.append(slot)
        return slot - now

    @property
    def idle(self) -> bool:
        """Whether nothing of the last minute is left to remember."""
        return not self._slots or self._slots[-1] + WINDOW < self._clock()


class Pacing:
    """The ceilings of one instance: one for each organizer, and one over all of them.

    Args:
        per_organizer: Calls a minute for one organizer; 0 is no ceiling.
        overall: Calls a minute for this instance; 0 is no ceiling.
        clock: Seconds, monotonic.
    """

    def __init__(self, *, per_organizer: int, overall: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_organizer = per_organizer
        self._clock = clock
        self._overall = Ceiling(overall, clock=clock)
        self._organizers: OrderedDict[str, Ceiling] = OrderedDict()

    async def turn(self, organizer: str) -> None:
        """Wait until a call for this organizer may go out."""
        for ceiling in (self._overall, self._of(organizer)):  # the stricter one last, so that it is exact
            wait = ceiling.reserve()
            if wait > 0:
                await asyncio.sleep(wait)

    def _of(self, organizer: str) -> Ceiling:
        ceiling = self._organizers.get(organizer)
        if ceiling is None:
            ceiling = self._organizers[organizer] = Ceiling(self._per_organizer, clock=self._clock)
        self._organizers.move_to_end(organizer)
        while len(self._organizers) > 1 and next(iter(self._organizers.values())).idle:
            self._organizers.popitem(last=False)
        return ceiling

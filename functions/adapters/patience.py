"""How long one message waits for services of Google's that keep failing: a minute in all, whichever they are.

Waiting is Pub/Sub's business, which costs nothing meanwhile; a billed instance gives the message back. What counts is
the time during which at least one call is in trouble: from the beginning of the attempt that failed to the attempt
that succeeds, pauses included. Work that goes well may take longer, up to the function's own limit; so may waiting
for a turn under our own ceiling, which is not a failure of anybody's.

The time belongs to a message and travels with its work in a context variable, into every task that it starts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PATIENCE = 45.0
"""Seconds of trouble after which nothing is tried again: the rest of the minute is for what was read to be stored."""

LAST = 5.0
"""Seconds that a call has at least, so that what was read can be stored once patience is over."""


class Patience:
    """The time that one message may lose to services that fail.

    Args:
        seconds: How much.
        clock: Seconds, monotonic.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        seconds: float = PATIENCE,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.sleep = sleep
        self._seconds = seconds
        self._clock = clock
        self._lost = 0.0
        self._counted_to = float("-inf")  # by `now`: up to when trouble is in `_lost`
        self._troubled = 0
        self._queueing = 0
        self._queueing_since = 0.0
        self._queued = 0.0

    def now(self) -> float:
        """Seconds, without the time during which a call waited for a turn."""
        until = self._queueing_since if self._queueing else self._clock()
        return until - self._queued

    @property
    def left(self) -> float:
        """How many seconds of trouble may still come."""
        self._count()
        return max(self._seconds - self._lost, 0.0)

    def limit(self, seconds: float) -> float:
        """How long a call may take that usually may take so many seconds."""
        return min(seconds, max(self.left, LAST))

    @contextmanager
    def started(self) -> Iterator[None]:
        """It is the patience of all that is done meanwhile."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)

    @contextmanager
    def queueing(self) -> Iterator[None]:
        """A call waits for its turn meanwhile; no time passes."""
        if not self._queueing:
            self._queueing_since = self._clock()
        self._queueing += 1
        try:
            yield
        finally:
            self._queueing -= 1
            if not self._queueing:
                self._queued += self._clock() - self._queueing_since

    @contextmanager
    def watching(self) -> Iterator[CallTrouble]:
        """One call with all its attempts; it is out of trouble in the end, whatever came of it."""
        trouble = CallTrouble(self)
        try:
            yield trouble
        finally:
            trouble.end()

    def begin(self, since: float) -> None:
        """A call is in trouble, and has been since then."""
        self._count()
        if not self._troubled:
            self._lost += self.now() - max(since, self._counted_to)
            self._counted_to = self.now()
        self._troubled += 1

    def end(self) -> None:
        """A call is in trouble no longer."""
        self._count()
        self._troubled -= 1

    def _count(self) -> None:
        if self._troubled:
            now = self.now()
            self._lost += now - self._counted_to
            self._counted_to = now


class CallTrouble:
    """Whether a call is in trouble."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._begun = False

    def failed(self, since: float) -> None:
        """An attempt failed that began then, by `Patience.now`."""
        if not self._begun:
            self._begun = True
            self._patience.begin(since)

    def end(self) -> None:
        """The call is over."""
        if self._begun:
            self._begun = False
            self._patience.end()


_CURRENT: ContextVar[Patience | None] = ContextVar("patience", default=None)


def patience() -> Patience:
    """That of the message at hand; one of its own for a call outside any."""
    return _CURRENT.get() or Patience()


def limit(seconds: float) -> float:
    """How long a call may take that usually may take so many seconds."""
    return patience().limit(seconds)


@contextmanager
def watched() -> Iterator[None]:
    """A call that repeats in a way of its own: if it fails, all the time that it took was trouble."""
    mine = patience()
    began = mine.now()
    with mine.watching() as trouble:
        try:
            yield
        except Exception:
            trouble.failed(began)
            raise

"""How long one message waits for Google services that keep failing: a minute in total, for all services together.

After that, Pub/Sub waits, which costs nothing; an instance, which is billed, gives the message back. The time counts
during which at least one call is in trouble: from the beginning of the attempt that failed to the attempt that
succeeds, including pauses. Work that goes well may take longer, up to the function's own limit. Waiting for our own
rate limit may also take longer, because it is not a failure.

The time belongs to a message. It is in a context variable, so every task that the message starts shares it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PATIENCE = 45.0
"""After this many seconds of trouble nothing is retried: the rest of the minute is for storing what was read."""

FOR_STORING = 60.0
"""How many of the seconds that a message has are left for storing: it waits for our own rate limit in the others."""

LAST = 5.0
"""How many seconds a call has at least, so that what was read can be stored after patience has run out."""


class Patience:
    """The time that one message may lose to services that fail.

    Args:
        seconds: How much.
        clock: Seconds, monotonic.
        sleep: Waits for the given number of seconds.
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
        self._counted_to = float("-inf")  # by `now`: the time up to which trouble is counted in `_lost`
        self._troubled = 0
        self._queueing = 0
        self._queueing_since = 0.0
        self._queued = 0.0
        self._within = float("inf")
        self._began = clock()
        self.age = 0.0
        """How many seconds ago the message was published when it was delivered."""

    def now(self) -> float:
        """The seconds so far, without the time during which a call waited for the rate limit."""
        until = self._queueing_since if self._queueing else self._clock()
        return until - self._queued

    @property
    def left(self) -> float:
        """How many seconds of trouble are left."""
        self._count()
        return max(self._seconds - self._lost, 0.0)

    def limit(self, seconds: float) -> float:
        """How long a call may take now if it may usually take `seconds`."""
        return min(seconds, max(self.left, LAST))

    @property
    def left_to_queue(self) -> float:
        """How many seconds this message may still wait for a rate limit."""
        return max(self._began + self._within - FOR_STORING - self._clock(), 0.0)

    @contextmanager
    def started(self, *, within: float = float("inf"), age: float = 0.0) -> Iterator[None]:
        """Make this the patience of everything that is done in this context.

        Args:
            within: How many seconds the message has for everything.
            age: How many seconds ago it was published: who waits longest for a rate limit comes first.
        """
        self._within, self._began, self.age = within, self._clock(), max(age, 0.0)
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)

    @contextmanager
    def queueing(self) -> Iterator[None]:
        """In this context a call waits for the rate limit, and no time counts."""
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
        """One call with all its attempts; at the end it is out of trouble, with any result."""
        trouble = CallTrouble(self)
        try:
            yield trouble
        finally:
            trouble.end()

    def begin(self, since: float) -> None:
        """Record that a call is in trouble, since the given time."""
        self._count()
        if not self._troubled:
            self._lost += self.now() - max(since, self._counted_to)
            self._counted_to = self.now()
        self._troubled += 1

    def end(self) -> None:
        """Record that a call is no longer in trouble."""
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
        """Record that an attempt failed; `began` is its start by `Patience.now`."""
        if not self._begun:
            self._begun = True
            self._patience.begin(since)

    def end(self) -> None:
        """Record that the call is over."""
        if self._begun:
            self._begun = False
            self._patience.end()


_CURRENT: ContextVar[Patience | None] = ContextVar("patience", default=None)


def patience() -> Patience:
    """The patience of the message that is being processed; a call outside any message gets its own."""
    return _CURRENT.get() or Patience()


def limit(seconds: float) -> float:
    """How long a call may take now if it may usually take `seconds`."""
    return patience().limit(seconds)


@contextmanager
def watched() -> Iterator[None]:
    """A call with its own way of retrying: if it fails, all the time that it took counts as trouble."""
    mine = patience()
    began = mine.now()
    with mine.watching() as trouble:
        try:
            yield
        except Exception:
            trouble.failed(began)
            raise

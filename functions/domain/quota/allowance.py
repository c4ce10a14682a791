"""How many calls may be made in a minute, and how this adapts when the service says that its quota is exhausted.

Times are seconds on any clock that never goes back.
"""

from __future__ import annotations

from collections import deque

WINDOW = 60.0
"""The length of the minute, in seconds."""

IN_A_ROW = 16
"""After so many refusals without a success between them, the quota counts as exhausted.

A service that refuses half of all calls at random does this once in 65,000 calls.
"""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 8.0
"""Seconds. While a quota is exhausted, one call is made after each pause; each pause is twice as long as the last."""

CUT, LEAST = 0.7, 1 / 16
"""The part of the calls of the last minute that may be made after a quota was exhausted, and the part of the limit that
always may."""

RECOVERY = 120.0
"""How many seconds it takes to come back from nothing to the limit. So half of it is back after a minute."""


class Allowance:
    """At most `limit` calls in any minute, fewer after the service refused them; 0 means no limit of our own.

    A strict sliding window, unlike a token bucket, which lets twice the limit through in its first minute.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """How many calls a minute may have if the service refuses none."""
        self._taken: deque[float] = deque()
        self._cut_to: float | None = None
        self._cut_at = 0.0
        self._refused = 0
        self._pause = 0.0
        self._closed_until = float("-inf")
        self.exhausted_since: float | None = None
        """Since when the service has refused every call; None if it does not."""

    def level(self, now: float) -> int:
        """How many calls a minute may have now; 0 means any number."""
        if self._cut_to is None:
            return self.limit
        recovered = self._cut_to + self.limit * (now - self._cut_at) / RECOVERY
        if recovered >= self.limit:
            self._cut_to = None
            return self.limit
        return max(int(recovered), 1)

    def taken(self, now: float) -> int:
        """How many calls were made in the last minute."""
        while self._taken and self._taken[0] + WINDOW <= now:
            self._taken.popleft()
        return len(self._taken)

    def has_room(self, now: float, *, reserved: int) -> bool:
        """Whether a call may be made besides those for which the quota of this minute is reserved."""
        level = self.level(now)
        return not level or self.taken(now) + reserved < level

    def ready_at(self, now: float) -> float:
        """When the next call may be made; `now` or earlier means now.

        The time holds if nothing is learned until then.
        """
        if self._closed_until > now:
            return self._closed_until
        level = self.level(now)
        if not level:
            return now
        excess = self.taken(now) - level
        return now if excess < 0 else self._taken[excess] + WINDOW

    def take(self, now: float) -> None:
        """Record that a call is made now."""
        if self.limit:
            self._taken.append(now)
        if self.exhausted_since is not None:
            self._closed_until = now + self._pause  # it finds out, and the others wait for its result

    def give_back(self) -> None:
        """Forget the call that was recorded last, because it was not made."""
        if self._taken:
            self._taken.pop()

    def refused(self, now: float) -> None:
        """Record that the service refused a call because this quota is exhausted."""
        self._refused += 1
        if self._refused < IN_A_ROW:
            return
        if self.exhausted_since is None:
            self.exhausted_since = now
            self._pause = FIRST_PAUSE
            self._closed_until = now + self._pause
            self._cut(now)
        elif now >= self._closed_until - self._pause:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            self._closed_until = max(self._closed_until, now + self._pause)

    def accepted(self) -> None:
        """Record that the service accepted a call."""
        self._refused = 0
        if self.exhausted_since is not None:
            self.exhausted_since = None
            self._closed_until = float("-inf")

    def is_idle(self, now: float) -> bool:
        """Whether a new allowance would behave the same."""
        return not self.taken(now) and not self._refused and self.level(now) == self.limit

    def _cut(self, now: float) -> None:
        if self.limit:
            used = min(self.taken(now), self.level(now))
            self._cut_to = max(CUT * used, LEAST * self.limit)
            self._cut_at = now

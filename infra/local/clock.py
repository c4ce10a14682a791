"""A clock that is turned by hand, so that a month passes in a moment."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class TurnableClock:
    """The time at which it was set, until it is turned; call it for the time. Never goes back. Any thread may use it.

    Args:
        start: An aware time.
    """

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """The time."""
        return self._now

    def turn(self, by: timedelta) -> None:
        """Let so much time pass; ValueError if it is negative."""
        self.turn_to(self._now + by)

    def turn_to(self, moment: datetime) -> None:
        """Let time pass until a moment; ValueError if that has passed already."""
        with self._lock:
            if moment < self._now:
                raise ValueError("A clock is never turned back")
            self._now = moment.astimezone(UTC)

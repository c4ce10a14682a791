"""A clock that tests turn, so that a week passes in a moment."""

import threading
from datetime import UTC, datetime, timedelta


class TurnableClock:
    """Stands still until it is turned, and never goes back. Any thread may read and turn it.

    Args:
        start: What it shows first; it needs a zone.
    """

    def __init__(self, start: datetime) -> None:
        self._now = _utc(start)
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """The time that it shows, aware UTC."""
        return self._now

    def turn(self, by: timedelta) -> None:
        """Let so much time pass; ValueError if it is negative."""
        with self._lock:
            self._show(self._now + by)

    def turn_to(self, moment: datetime) -> None:
        """Let time pass until this moment; ValueError if it is over or has no zone."""
        with self._lock:
            self._show(_utc(moment))

    def _show(self, moment: datetime) -> None:
        if moment < self._now:
            raise ValueError(f"It is {self._now} already: a clock that goes back tells nobody anything")
        self._now = moment


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("A time needs a zone, for example datetime(2026, 3, 2, 9, tzinfo=UTC)")
    return moment.astimezone(UTC)

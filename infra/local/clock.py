"""A clock that tests move forward, so that a week passes in a moment."""

import threading
from datetime import UTC, datetime, timedelta


class TurnableClock:
    """A clock that only moves when `turn` or `turn_to` is called, and never back. Any thread may read and turn it.

    Args:
        start: The first time that it shows; it needs a time zone.
    """

    def __init__(self, start: datetime) -> None:
        self._now = _utc(start)
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """Return the time that it shows, as an aware datetime in UTC."""
        return self._now

    def turn(self, by: timedelta) -> None:
        """Move the clock forward by this much; ValueError if it is negative."""
        with self._lock:
            self._show(self._now + by)

    def turn_to(self, moment: datetime) -> None:
        """Move the clock forward to this moment; ValueError if it is in the past or has no time zone."""
        with self._lock:
            self._show(_utc(moment))

    def _show(self, moment: datetime) -> None:
        if moment < self._now:
            raise ValueError(f"It is already {self._now}: this clock cannot go back")
        self._now = moment


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("A time needs a zone, for example datetime(2026, 3, 2, 9, tzinfo=UTC)")
    return moment.astimezone(UTC)

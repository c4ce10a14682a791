"""How long to wait before something that failed is tried again."""

from __future__ import annotations

from datetime import timedelta

FIRST, LONGEST = timedelta(minutes=2), timedelta(hours=6)


def wait_after(failures: int, *, first: timedelta = FIRST, longest: timedelta = LONGEST) -> timedelta:
    """How long to wait after some failures in a row: first 2 minutes, then twice as long each time, 6 hours at most."""
    doubled: int = 1 << min(max(failures, 1) - 1, 10)
    return min(first * doubled, longest)

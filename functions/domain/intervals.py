"""Half-open intervals of time: [start, end)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """The time from `start` until just before `end`; empty when `end` is not later than `start`."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is; never negative."""
        return max(self.end - self.start, timedelta(0))

    def clip(self, window: Interval) -> Self | None:
        """The part of it inside the window, or None if it is outside.

        A moment without length (somebody left at the instant of joining) is inside a window that contains this instant,
        so that the visit is not lost.
        """
        if self.end <= self.start:
            return type(self)(self.start, self.start) if window.start <= self.start < window.end else None
        if window.start <= self.start and self.end <= window.end:
            return self
        start, end = max(self.start, window.start), min(self.end, window.end)
        return type(self)(start, end) if start < end else None


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same moments as disjoint intervals with gaps between them, oldest first; without empty intervals."""
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if interval.end <= interval.start:
            continue
        if merged and interval.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, interval.end))
        else:
            merged.append(interval)
    return merged


def gaps(window: Interval, intervals: Iterable[Interval]) -> list[Interval]:
    """The parts of a window that the intervals do not cover, oldest first."""
    left, start = [], window.start
    for interval in union(intervals):
        left.append(Interval(start, min(interval.start, window.end)))
        start = max(start, interval.end)
    left.append(Interval(start, window.end))
    return [gap for gap in left if gap.length]


def covered(intervals: Iterable[Interval]) -> timedelta:
    """How much time the intervals cover together; time covered twice counts once."""
    apart = list(intervals)
    if len(apart) == 1:  # most people come once
        return apart[0].length
    return sum((interval.length for interval in union(apart)), timedelta(0))

"""The times at which somebody was there, as geometry.

Everything is drawn in one coordinate system: x goes from 0 to 100, in percent of the axis, from its start to its end.
SVG attributes contain percentages, so that text keeps its shape at any width of the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.domain.intervals import Interval, union
from functions.entrypoints.api.pages.wording import Clock
from functions.entrypoints.api.schemas.answers import PresenceAnswer

LEAST_WIDTH = 0.2
"""Percent: the minimum width of a visit, so that a visit of one second can be seen."""

_SHORTEST_AXIS = timedelta(minutes=1)
_MOST_TICKS = 6
_DAY = timedelta(days=1)
_STEPS = (
    *(timedelta(minutes=m) for m in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *(timedelta(days=d) for d in (1, 2, 7, 30, 90)),
)
_EDGE = 4
"""Percent: a centred label that is nearer than this to an end of the axis would be cut off."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A drawn time. `text` says in words what it shows."""

    start: str
    end: str
    x: str
    width: str
    text: str
    open: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on the axis; `anchor` is where its label begins or ends, so that the label stays inside."""

    x: str
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Axis:
    """The time that a timeline shows, `start` until `end`."""

    start: datetime
    end: datetime

    @classmethod
    def over(cls, moments: Iterable[datetime | None]) -> Axis | None:
        """The shortest axis that shows all of these moments; None without moments."""
        known = [moment for moment in moments if moment is not None]
        if not known:
            return None
        return cls(min(known), max(*known, min(known) + _SHORTEST_AXIS))

    def x(self, moment: datetime) -> float:
        """The place of a moment on the axis, in percent."""
        return (moment - self.start) / (self.end - self.start) * 100

    def bar(self, time: Interval, clock: Clock, *, open_end: str | None = None) -> Bar:
        """A bar from the start to the end of a time, with a minimum width.

        Args:
            time: What is drawn.
            clock: Writes its times.
            open_end: What to say about its end, if Meet did not report it.
        """
        x = self.x(time.start)
        width = max(self.x(time.end) - x, LEAST_WIDTH)
        text = clock.span(time.start, time.end)
        return Bar(
            start=time.start.isoformat(),
            end=time.end.isoformat(),
            x=percent(min(x, 100 - width)),
            width=percent(width),
            text=f"{text} ({open_end})" if open_end else text,
            open=bool(open_end),
        )

    def ticks(self, clock: Clock) -> tuple[Tick, ...]:
        """Round times of day, few enough to be read on a telephone; if the axis covers several days, the days.

        The first one after a change of the clocks says which clock it means.
        """
        length = self.end - self.start
        least = _DAY if length > 2 * _DAY else timedelta()
        step = next((step for step in _STEPS if length / step <= _MOST_TICKS and step >= least), _STEPS[-1])
        local = clock.local(self.start)
        since_midnight = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
        since_midnight += timedelta(microseconds=local.microsecond)
        moment = self.start + (-since_midnight) % step
        before = clock.local(moment)
        found = []
        while moment <= self.end:
            x = self.x(moment)
            anchor = "start" if x < _EDGE else "end" if x > 100 - _EDGE else "middle"
            local = clock.local(moment)
            label = f"{local.day} {local:%b}" if step >= _DAY else f"{local:%H:%M}"
            which = f" {local:%Z}" if local.utcoffset() != before.utcoffset() and step < _DAY else ""
            found.append(Tick(percent(x), label + which, anchor))
            moment, before = moment + step, local
        return tuple(found)


def percent(number: float) -> str:
    """`12.345%`, as SVG reads it."""
    return f"{number:.3f}".rstrip("0").rstrip(".") + "%"


def visits(presences: Sequence[PresenceAnswer]) -> list[Interval]:
    """The times at which somebody was there, on any device: gaps are time away. A visit without length is kept."""
    intervals = [Interval(one.start_time, one.end_time) for one in presences]
    there = union(intervals)
    moments = {one for one in intervals if not one.length and not any(one.clip(time) for time in there)}
    return sorted([*there, *(one for one in moments if all(one.start != time.end for time in there))])


def bars(presences: Sequence[PresenceAnswer], axis: Axis, clock: Clock, *, open_end: str) -> tuple[Bar, ...]:
    """The same as bars: each visit, divided if Meet reported an end for one part of it but not for another."""
    told = [Interval(one.start_time, one.end_time) for one in presences if not one.open]
    return tuple(
        axis.bar(part, clock, open_end=open_end if is_open else None)
        for visit in visits(presences)
        for part, is_open in _parts(visit, told)
    )


def _parts(visit: Interval, told: Sequence[Interval]) -> list[tuple[Interval, bool]]:
    """A visit divided into known and open parts, in order."""
    if not visit.length:
        return [(visit, visit not in told)]
    parts: list[tuple[Interval, bool]] = []
    reached = visit.start
    for part in union(clipped for time in told if (clipped := time.clip(visit))):
        if reached < part.start:
            parts.append((Interval(reached, part.start), True))
        parts.append((part, False))
        reached = part.end
    if reached < visit.end:
        parts.append((Interval(reached, visit.end), True))
    return parts

"""The time of a class meeting as its report shows it: the clock, the axis, and the times that are marked on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from functions.domain.classes.sessions import SessionState
from functions.domain.intervals import Interval
from functions.entrypoints.api.pages.parts.timeline import Axis, Bar, Tick
from functions.entrypoints.api.pages.wording import Clock
from functions.entrypoints.api.schemas.answers import AttendanceAnswer, SessionAnswer


@dataclass(frozen=True, slots=True)
class Timeline:
    """The timeline that all rows share: the axis, and the times that are marked on it."""

    start: str
    end: str
    ticks: tuple[Tick, ...]
    planned: Bar | None
    taught: Bar | None


@dataclass(frozen=True, slots=True)
class ClassTime:
    """How all times on a page are written and drawn.

    Attributes:
        clock: Tells them.
        axis: The axis, from the first drawn time to the last; None if nobody came.
        open_end: What to say about an end that Meet did not report.
    """

    clock: Clock
    axis: Axis | None
    open_end: str

    @classmethod
    def of(cls, session: SessionAnswer, people: Sequence[AttendanceAnswer]) -> Self:
        """The times of a class meeting."""
        axis = _axis(session, people)
        live = session.state is SessionState.LIVE
        return cls(
            clock=_clock(session, axis, people),
            axis=axis,
            open_end="still there when last asked" if live else "end not reported by Google Meet",
        )


def timeline_of(session: SessionAnswer, time: ClassTime) -> Timeline | None:
    """The timeline of a class meeting; None if nobody came."""
    axis = time.axis
    if axis is None:
        return None

    def band(start: datetime | None, end: datetime | None) -> Bar | None:
        return axis.bar(Interval(start, end), time.clock) if start and end else None

    return Timeline(
        start=axis.start.isoformat(),
        end=axis.end.isoformat(),
        ticks=axis.ticks(time.clock),
        planned=band(session.scheduled_start, session.scheduled_end),
        taught=band(session.held_start, session.held_end),
    )


def _axis(session: SessionAnswer, people: Sequence[AttendanceAnswer]) -> Axis | None:
    """The axis from the first shown time to the last; None if nobody came."""
    seen = [moment for person in people for one in person.sessions for moment in (one.start_time, one.end_time)]
    if not seen:
        return None
    planned = (session.scheduled_start, session.scheduled_end, session.held_start, session.held_end)
    return Axis.over([*seen, *planned])


def _clock(session: SessionAnswer, axis: Axis | None, people: Sequence[AttendanceAnswer]) -> Clock:
    shown = [session.session_start, session.scheduled_end, session.actual_start, session.actual_end]
    shown += [axis.start, axis.end] if axis else []
    shown += [person.first_joined_at for person in people]
    day = datetime.fromisoformat(session.local_date).date()
    return Clock.of(session.time_zone, day, (moment for moment in shown if moment is not None))

"""The measurements, compared with the goals. This module has no input or output."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

PAGE_SIZE = 250
"""The maximum number of participants on a page of Meet."""

TIMES_FASTER = 15
TIMES_FLOOR, TIMES_FLOOR_CPU = 2.2, 3.5
TIMES_BARE_START = 1.5
UNKNOWN_SECONDS = 1.0
"""The maximum time that 500 new accounts may add."""
TRIPS = 6
CROWD_BYTES = 256 << 20
PAGE_SECONDS = 0.5
"""The maximum time that a person should wait for a page: a few hundred milliseconds."""
DOCUMENTS_UNCHANGED = 2
"""The number of documents that a recording without news may write; none of them is attendance."""


@dataclass(frozen=True, slots=True)
class Samples:
    """The times of the runs of one way, in seconds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median time."""
        return statistics.median(self.seconds)

    @property
    def least(self) -> float:
        """Return the shortest time."""
        return min(self.seconds)

    @property
    def most(self) -> float:
        """Return the longest time."""
        return max(self.seconds)


@dataclass(frozen=True, slots=True)
class Pairs:
    """The times of the runs of one way, in order; they took turns with the runs of another way.

    Attributes:
        wall: Seconds on the clock.
        cpu: Seconds of the process's CPU.
    """

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    def times(self, other: Pairs) -> Ratios:
        """Return each run's time divided by the other run's time, pair by pair."""
        return Ratios(
            wall=tuple(mine / its for mine, its in zip(self.wall, other.wall, strict=True)),
            cpu=tuple(mine / its for mine, its in zip(self.cpu, other.cpu, strict=True)),
        )


@dataclass(frozen=True, slots=True)
class Ratios:
    """For pairs of runs: the first run's time divided by the second run's time."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """An event without news.

    Attributes:
        wall: Seconds.
        calls: Calls to Meet.
        documents: How many documents it wrote.
        attendance: How many of them are attendance documents.
    """

    wall: float
    calls: int
    documents: int
    attendance: int


@dataclass(frozen=True, slots=True)
class Trips:
    """The cost of one event at Firestore.

    Attributes:
        reads: Documents read.
        writes: Documents written.
        deletes: Documents deleted.
        one_after_the_other: Calls that began when no other call was running.
    """

    reads: int
    writes: int
    deletes: int
    one_after_the_other: int


@dataclass(frozen=True, slots=True)
class Conference:
    """One conference of a scheduled class with a roster, whose accounts are known.

    Attributes:
        people: The number of participants; the sessions of each must be requested.
        delay: Seconds that Meet takes for each call.
        calls: Calls to Meet.
        documents: The number of documents that the event stores.
        trips: Its cost at Firestore.
        ours: Our times, from the event to the committed documents.
        floor: The times of a minimal client that makes the same calls and the same commit.
        unknown: Our times if all accounts are new.
        baseline: The times of the plain loop, in seconds.
        same_event: The same event once more.
        later_event: An event with a later time, after which the unchanged conference is read again.
    """

    people: int
    delay: float
    calls: int
    documents: int
    trips: Trips
    ours: Pairs
    floor: Pairs
    unknown: Pairs
    baseline: tuple[float, ...]
    same_event: Repeat
    later_event: Repeat

    @property
    def times_floor(self) -> Ratios:
        """Return our time divided by the floor's, pair by pair."""
        return self.ours.times(self.floor)

    @property
    def times_faster(self) -> float:
        """Return how many times faster we are than the plain loop."""
        return statistics.median(self.baseline) / statistics.median(self.ours.wall)

    @property
    def paper_floor(self) -> float:
        """Return the seconds of the delays alone."""
        return round_trips(self.people) * self.delay


@dataclass(frozen=True, slots=True)
class Start:
    """The time from the start of a process to its first answered event.

    Attributes:
        ours: The function.
        bare: A bare function that imports the same clients and makes one call with each.
    """

    ours: Pairs
    bare: Pairs


@dataclass(frozen=True, slots=True)
class Crowd:
    """Conferences that end at the same time, in one instance.

    Attributes:
        conferences: The number of conferences.
        people: The number of people in all of them.
        seconds: Until the last was committed.
        started: Bytes of memory before the first event.
        memory: The maximum bytes of memory.
    """

    conferences: int
    people: int
    seconds: float
    started: int
    memory: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All results of one run of the benchmark, without the pages.

    Attributes:
        large: The conference for which the goals are defined.
        sizes: Other conferences, smaller and larger, by size.
        start: How long a process takes to start.
        crowds: Conferences that end at the same time.
    """

    large: Conference
    sizes: tuple[Conference, ...]
    start: Start
    crowds: tuple[Crowd, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page that people or the LMS read.

    Attributes:
        name: The page and its format.
        samples: The time from the request to the last byte of the answer.
        reads: The number of documents that it reads from Firestore.
        size: The size of the answer in bytes.
    """

    name: str
    samples: Samples
    reads: int
    size: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal, the measurement, and whether the goal is met."""

    name: str
    measured: str
    goal: str
    met: bool


def pages(people: int) -> int:
    """Return the number of pages for this many participants."""
    return max(1, math.ceil(people / PAGE_SIZE))


def round_trips(people: int) -> int:
    """Return the number of calls that must follow each other: each page (for its token), then the last page's sessions.

    The record, and then its space, are read at the same time and are never slower.
    """
    return pages(people) + 1


def verdicts(figures: Figures) -> list[Verdict]:
    """Return the goals one by one."""
    large, start = figures.large, figures.start.ours.times(figures.start.bare)
    floor, most_calls = large.times_floor, large.people + pages(large.people) + 3
    added = statistics.median(large.unknown.wall) - statistics.median(large.ours.wall)
    crowd = max(figures.crowds, key=lambda each: each.conferences)
    return [
        _at_most("time / floor", statistics.median(floor.wall), TIMES_FLOOR),
        _at_most("CPU / floor", statistics.median(floor.cpu), TIMES_FLOOR_CPU),
        Verdict(
            "plain loop / ours",
            f"{large.times_faster:.1f}",
            f"at least {TIMES_FASTER}",
            met=large.times_faster >= TIMES_FASTER,
        ),
        Verdict(
            "accounts never seen", f"+{added:.2f} s", f"at most +{UNKNOWN_SECONDS:g} s", met=added <= UNKNOWN_SECONDS
        ),
        Verdict("calls to Meet", str(large.calls), f"at most {most_calls}", met=large.calls <= most_calls),
        Verdict(
            "Firestore calls in a row",
            str(large.trips.one_after_the_other),
            f"at most {TRIPS}",
            met=large.trips.one_after_the_other <= TRIPS,
        ),
        _unchanged("writes, same event", large.same_event),
        _unchanged("writes, later event", large.later_event),
        _at_most("start, time / bare", statistics.median(start.wall), TIMES_BARE_START),
        _at_most("start, CPU / bare", statistics.median(start.cpu), TIMES_BARE_START),
        Verdict(
            f"memory, {crowd.conferences} at once",
            f"{crowd.memory / (1 << 20):.0f} MiB",
            f"under {CROWD_BYTES >> 20} MiB",
            met=crowd.memory < CROWD_BYTES,
        ),
    ]


def slower(figures: Figures, before: Figures | None) -> list[str]:
    """Return the ratios that are worse than in an earlier run by more than the usual difference between runs.

    A ratio is worse if three quarters of its pairs are above three quarters of the earlier pairs: noise changes single
    pairs, but seldom the better half of them.
    """
    if before is None:
        return []
    return [
        f"{name}: {statistics.median(new):.2f} instead of {statistics.median(old):.2f}"
        for name, new, old in zip(_RATIOS, _ratios(figures), _ratios(before), strict=True)
        if _quartile(new, 0) > _quartile(old, 2)
    ]


_RATIOS = ("time / floor", "CPU / floor", "start, time / bare", "start, CPU / bare")


def _ratios(figures: Figures) -> tuple[tuple[float, ...], ...]:
    floor, start = figures.large.times_floor, figures.start.ours.times(figures.start.bare)
    return floor.wall, floor.cpu, start.wall, start.cpu


def _quartile(values: Sequence[float], number: int) -> float:
    return statistics.quantiles(values, n=4)[number] if len(values) > 1 else values[0]


def page_verdicts(measured: Sequence[Page]) -> list[Verdict]:
    """Return the goal of each page."""
    return [
        Verdict(
            page.name,
            f"{page.samples.median * 1000:.0f} ms",
            f"a few hundred ms: at most {PAGE_SECONDS * 1000:.0f}",
            met=page.samples.median <= PAGE_SECONDS,
        )
        for page in measured
    ]


def _at_most(name: str, measured: float, goal: float) -> Verdict:
    return Verdict(name, f"{measured:.2f}", f"at most {goal:g}", met=measured <= goal)


def _unchanged(name: str, repeat: Repeat) -> Verdict:
    return Verdict(
        name,
        f"{repeat.documents}, of attendance {repeat.attendance}",
        f"at most {DOCUMENTS_UNCHANGED}, of attendance 0",
        met=repeat.documents <= DOCUMENTS_UNCHANGED and repeat.attendance == 0,
    )

"""What was measured, compared with the goals. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

PAGE_SIZE = 250
"""Participants on a page, the most that Meet gives."""

TIMES_FASTER, TIMES_FASTER_LATER = 20, 40
TIMES_FLOOR = 2
PAGE_SECONDS = 0.5
"""A few hundred milliseconds, the most that a person should wait for a page."""
DOCUMENTS_UNCHANGED = 2
"""What a recording that finds nothing new may write; none of it attendance."""


@dataclass(frozen=True, slots=True)
class Samples:
    """How long the runs of one way took, in seconds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)

    @property
    def least(self) -> float:
        """The fastest."""
        return min(self.seconds)

    @property
    def most(self) -> float:
        """The slowest."""
        return max(self.seconds)


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls that arrived at Meet, counted there, for one recording by each way.

    Attributes:
        baseline: The plain loop.
        ours: The first event.
        floor: The bare client.
        same_event: The same event once more.
        later_event: An event of a later time for the unchanged conference, which has it read again.
    """

    baseline: int
    ours: int
    floor: int
    same_event: int
    later_event: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """A recording that finds nothing new.

    Attributes:
        samples: How long it took.
        documents: The most documents that one run wrote.
        attendance: How many of them are attendance documents.
    """

    samples: Samples
    documents: int
    attendance: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All that one run of the benchmark found.

    Attributes:
        people: Participants of the conference.
        delay: Seconds that Meet takes for each call.
        documents: Documents that the first event leaves behind.
        attendance: How many of them are attendance documents.
    """

    people: int
    delay: float
    calls: Calls
    documents: int
    attendance: int
    baseline: Samples
    ours: Samples
    floor: Samples
    same_event: Repeat
    later_event: Repeat

    @property
    def times_faster(self) -> float:
        """How many times faster than the baseline we are."""
        return self.baseline.median / self.ours.median

    @property
    def times_floor(self) -> float:
        """How many times the floor we take."""
        return self.ours.median / self.floor.median

    @property
    def paper_floor(self) -> float:
        """Seconds that the delays alone take."""
        return round_trips(self.people) * self.delay


@dataclass(frozen=True, slots=True)
class Page:
    """What people or the LMS look at.

    Attributes:
        name: Which, in which format.
        samples: How long it took, from the request to the last byte of its answer.
        reads: Documents that were read from Firestore for it.
        size: Bytes of the answer.
    """

    name: str
    samples: Samples
    reads: int
    size: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal, what was measured, and whether it is met."""

    name: str
    measured: str
    goal: str
    met: bool


def pages(people: int) -> int:
    """Pages that so many participants fill."""
    return max(1, math.ceil(people / PAGE_SIZE))


def round_trips(people: int) -> int:
    """Calls that must follow each other: each page, for its token, and the last one's sessions.

    The record and then its space are read at the same time and are never slower.
    """
    return pages(people) + 1


def verdicts(figures: Figures) -> list[Verdict]:
    """The goals one by one."""
    most_calls = figures.people + pages(figures.people) + 3
    return [
        Verdict(
            "baseline / ours",
            f"{figures.times_faster:.1f}",
            f"more than {TIMES_FASTER} (later: {TIMES_FASTER_LATER})",
            met=figures.times_faster > TIMES_FASTER,
        ),
        Verdict(
            "ours / floor",
            f"{figures.times_floor:.2f}",
            f"at most {TIMES_FLOOR}",
            met=figures.times_floor <= TIMES_FLOOR,
        ),
        Verdict(
            "calls to Meet", str(figures.calls.ours), f"at most {most_calls}", met=figures.calls.ours <= most_calls
        ),
        _unchanged("writes, same event", figures.same_event),
        _unchanged("writes, later event", figures.later_event),
    ]


def page_verdicts(measured: Sequence[Page]) -> list[Verdict]:
    """The goal of each page."""
    return [
        Verdict(
            page.name,
            f"{page.samples.median * 1000:.0f} ms",
            f"a few hundred ms: at most {PAGE_SECONDS * 1000:.0f}",
            met=page.samples.median <= PAGE_SECONDS,
        )
        for page in measured
    ]


def _unchanged(name: str, repeat: Repeat) -> Verdict:
    return Verdict(
        name,
        f"{repeat.documents}, of attendance {repeat.attendance}",
        f"at most {DOCUMENTS_UNCHANGED}, of attendance 0",
        met=repeat.documents <= DOCUMENTS_UNCHANGED and repeat.attendance == 0,
    )

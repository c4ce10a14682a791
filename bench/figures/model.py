"""The measurements. This module has no input or output."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

PAGE_SIZE = 250
"""The maximum number of participants on a page of Meet."""


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
        before: Of the longest chain of calls of which each began after the one before it had ended: those that began
            before Meet was asked for anything.
        meanwhile: Those that began while Meet was asked.
        after: Those that began after Meet had answered everything.
    """

    reads: int
    writes: int
    deletes: int
    before: int
    meanwhile: int
    after: int

    @property
    def one_after_the_other(self) -> int:
        """Return the length of this chain."""
        return self.before + self.meanwhile + self.after


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
    same_event: Repeat
    later_event: Repeat

    @property
    def times_floor(self) -> Ratios:
        """Return our time divided by the floor's, pair by pair."""
        return self.ours.times(self.floor)

    @property
    def paper_floor(self) -> float:
        """Return the seconds of the delays alone."""
        return round_trips(self.people) * self.delay


@dataclass(frozen=True, slots=True)
class WithEvents:
    """A class in which nobody came back, and whose joined and left events were stored before.

    Attributes:
        people: The number of participants.
        events: The number of joined and left events.
        calls: Calls to Meet.
        ours: Our times; each run came after a pair of runs of the large conference and its floor.
    """

    people: int
    events: int
    calls: int
    ours: Pairs


@dataclass(frozen=True, slots=True)
class Fresh:
    """The first event of a new instance.

    Attributes:
        unknown: Its times if no account was ever seen.
        known: Its times if all accounts are known.
        people_calls: Calls to the People API for unknown accounts.
        directory_calls: The same for the Directory.
    """

    unknown: Pairs
    known: Pairs
    people_calls: int
    directory_calls: int

    @property
    def added(self) -> float:
        """Return how many seconds unknown accounts add: the median difference of a pair."""
        return statistics.median(slow - quick for slow, quick in zip(self.unknown.wall, self.known.wall, strict=True))


@dataclass(frozen=True, slots=True)
class Conferences:
    """Single conferences.

    Attributes:
        large: The conference for which the goals are defined.
        with_events: The same with joined and left events at hand.
        fresh: The first event of a new instance.
        baseline: The times of the plain loop over the large conference, in seconds.
        sizes: Other conferences, smaller and larger.
    """

    large: Conference
    with_events: WithEvents
    fresh: Fresh
    baseline: tuple[float, ...]
    sizes: tuple[Conference, ...]

    @property
    def times_faster(self) -> float:
        """Return how many times faster we are than the plain loop."""
        return statistics.median(self.baseline) / statistics.median(self.large.ours.wall)

    @property
    def times_faster_with_events(self) -> float:
        """Return the same with joined and left events at hand."""
        return statistics.median(self.baseline) / statistics.median(self.with_events.ours.wall)


@dataclass(frozen=True, slots=True)
class Count:
    """The calls to Meet of one read, counted where they arrive.

    Attributes:
        name: What is read.
        calls: How many calls there were.
        by_method: The same by method.
        most: How many there should be at most.
        because: The parts of this number.
    """

    name: str
    calls: int
    by_method: dict[str, int]
    most: int
    because: str


@dataclass(frozen=True, slots=True)
class Refusing:
    """A conference that is read from a Meet that refuses half of all calls, once for each seed.

    Attributes:
        people: The number of participants.
        undisturbed: Calls to a Meet that refuses none.
        calls: Calls of each run, with those that were refused.
        refused: How many of them were refused.
        failed: How many runs were not acknowledged, or stored that they failed.
        differing: How many documents differ in each run from those of the undisturbed run.
        seconds: The time of each run.
    """

    people: int
    undisturbed: int
    calls: tuple[int, ...]
    refused: tuple[int, ...]
    failed: int
    differing: tuple[int, ...]
    seconds: tuple[float, ...]

    @property
    def times(self) -> float:
        """Return how many times the calls of an undisturbed read the worst run made."""
        return max(self.calls) / self.undisturbed


@dataclass(frozen=True, slots=True)
class Import:
    """The time for which a package's modules run while they are imported, without what they import themselves.

    Attributes:
        package: Its name.
        ours: Seconds in our function.
        bare: Seconds in the bare function.
    """

    package: str
    ours: float
    bare: float


@dataclass(frozen=True, slots=True)
class Start:
    """The time from the start of a process to its first answered event.

    Attributes:
        ours: The function.
        bare: A bare function that imports the same clients and makes one call with each.
        imports: The packages that take longest to import in our function, the slowest first.
    """

    ours: Pairs
    bare: Pairs
    imports: tuple[Import, ...]


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
class ManyClasses:
    """Classes that end in the same minute, in simulation.

    Attributes:
        name: Of the scenario.
        classes: How many end.
        done: How many were read.
        last: Seconds until the last was read.
        times_dictated: How many times what the quota alone dictates this is.
        median_small: Seconds until half of the small classes were read.
        small_times_dictated: The same for them.
    """

    name: str
    classes: int
    done: int
    last: float
    times_dictated: float
    median_small: float
    small_times_dictated: float


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
class Figures:
    """All results. A part that was not measured is None."""

    conference: Conferences | None = None
    calls: tuple[Count, ...] | None = None
    refusals: Refusing | None = None
    start: Start | None = None
    crowds: tuple[Crowd, ...] | None = None
    quota: tuple[ManyClasses, ...] | None = None
    pages: tuple[Page, ...] | None = None


def pages(people: int) -> int:
    """Return the number of pages for this many participants."""
    return max(1, math.ceil(people / PAGE_SIZE))


def round_trips(people: int) -> int:
    """Return the number of calls that must follow each other: each page (for its token), then the last page's sessions.

    The record, and then its space, are read at the same time and are never slower.
    """
    return pages(people) + 1

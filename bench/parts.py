"""The parts of a run, one after the other: nothing else runs while something is timed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.conference.counting import count_calls
from bench.conference.crowd import measure_crowd
from bench.conference.refusing import measure_refusing
from bench.conference.school import Scheduling, scheduling, unscheduled
from bench.conference.services import PROJECT, Stack, people_and_directory, running_meet
from bench.conference.turns import measure_conferences
from bench.figures.model import Conferences, Count, Crowd, Figures, ManyClasses, Page, Refusing, Start
from bench.pages import measure_pages
from bench.quota import report
from bench.quota.scenarios import CLASSES, simulate
from bench.stack import running_firestore
from bench.start.process import measure_start
from infra.local.school import Conference

SIZES = (10, 100, 1000)
CROWDS = (1, 10, 80)
CROWD_OF = 30
READ_TWICE = 100
REFUSING_RUNS = 3
SIMULATED_AT_ONCE = 2

Step = Callable[[str], None]
"""Is called with what is measured next."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        people: Of the large conference.
        delay_ms: What each call to Meet takes.
        runs: Pairs of ours and the floor.
        baseline_runs: Runs of the plain loop.
        seed: Another seed is another class.
        sizes: Whether other sizes and the largest crowd are measured.
        keep: Whether the figures and the plot of the simulation are written.
    """

    people: int
    delay_ms: float
    runs: int
    baseline_runs: int
    seed: int
    sizes: bool
    keep: bool


async def measure(plan: Plan, only: Collection[str], *, step: Step) -> Figures:
    """Measure the named parts.

    Raises:
        StartError: A service did not start.
        WrongResult: The documents are not the expected ones, so the times would mean nothing.
    """
    found: dict[str, Any] = {}
    if _QUOTA in only:
        step(f"simulating {CLASSES:,} classes")
        found[_QUOTA] = await asyncio.to_thread(_quota, plan)
    if set(only) - {_QUOTA}:
        step("starting Firestore")
        with running_firestore() as firestore:
            run = _Run(plan, firestore, step)
            for name, part in _WITH_FIRESTORE.items():
                if name in only:
                    found[name] = await part(run)
    return Figures(**found)


class _Run:
    """The parts that need Firestore.

    Args:
        plan: How much is measured.
        firestore: `host:port` of the emulator.
        step: Is called with what is measured next.
    """

    def __init__(self, plan: Plan, firestore: str, step: Step) -> None:
        self._plan = plan
        self._firestore = firestore
        self._step = step

    async def conference(self) -> Conferences:
        """Single conferences of all sizes."""
        plan = self._plan
        async with self._scheduling() as lms:
            large = await lms.scheduled(plan.people)
            without_returns = await lms.scheduled(plan.people, returns=False)
            sizes = [await lms.scheduled(people) for people in SIZES if plan.sizes]
        with self._stack(large.conference, without_returns.conference, *(each.conference for each in sizes)) as stack:
            return await measure_conferences(
                large,
                without_returns,
                sizes,
                stack,
                delay=plan.delay_ms / 1000,
                runs=plan.runs,
                baseline_runs=plan.baseline_runs,
                step=self._step,
            )

    async def calls(self) -> tuple[Count, ...]:
        """Reads that ask Meet for little."""
        with self._stack() as stack:
            async with self._scheduling() as lms:
                return await count_calls(lms, stack, people=self._plan.people, small=READ_TWICE, step=self._step)

    async def refusals(self) -> Refusing:
        """A Meet that refuses half of all calls."""
        plan = self._plan
        async with self._scheduling() as lms:
            held = await lms.scheduled(plan.people)
        with self._stack(held.conference) as stack:
            return await measure_refusing(
                held, stack, delay_ms=plan.delay_ms, runs=REFUSING_RUNS, seed=plan.seed, step=self._step
            )

    async def start(self) -> Start:
        """The start of a process."""
        [small] = unscheduled(1, 10, seed=self._plan.seed + 1000)
        with self._stack(small) as stack:
            return await measure_start(small, stack, runs=self._plan.runs, step=self._step)

    async def crowds(self) -> tuple[Crowd, ...]:
        """Conferences that end at the same time."""
        crowds = [
            unscheduled(number, CROWD_OF, seed=self._plan.seed + 2000 + 100 * place)
            for place, number in enumerate(CROWDS if self._plan.sizes else CROWDS[:-1])
        ]
        with self._stack(*(each for crowd in crowds for each in crowd)) as stack:
            return tuple([await measure_crowd(crowd, stack, step=self._step) for crowd in crowds])

    async def pages(self) -> tuple[Page, ...]:
        """The pages that people read."""
        return await measure_pages(self._firestore, runs=self._plan.runs, step=self._step)

    def _scheduling(self) -> AbstractAsyncContextManager[Scheduling]:
        self._step("scheduling classes")
        return scheduling(self._firestore, PROJECT, seed=self._plan.seed)

    @contextmanager
    def _stack(self, *held: Conference) -> Iterator[Stack]:
        """Serve conferences, and the accounts of the largest of them."""
        most = max((len(conference.attendees) for conference in held), default=self._plan.people)
        with (
            people_and_directory(most) as apis,
            running_meet(held, delay_ms=self._plan.delay_ms) as meet,
        ):
            yield Stack(meet, apis, self._firestore)


def _quota(plan: Plan) -> tuple[ManyClasses, ...]:
    """Simulate the classes that end in the same minute."""
    outcomes = simulate(classes=CLASSES, seed=plan.seed, at_once=SIMULATED_AT_ONCE)
    if plan.keep:
        report.write(outcomes)
    return report.measured(outcomes)


_QUOTA = "quota"
_WITH_FIRESTORE: Mapping[str, Callable[[_Run], Awaitable[Any]]] = {
    "conference": _Run.conference,
    "calls": _Run.calls,
    "refusals": _Run.refusals,
    "start": _Run.start,
    "crowds": _Run.crowds,
    "pages": _Run.pages,
}
PARTS = (*_WITH_FIRESTORE, _QUOTA)
"""What can be measured alone."""

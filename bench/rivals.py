"""The three ways, counted call by call and then timed in turn."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cloudevents.http import CloudEvent

from bench.baseline import Baseline
from bench.documents import Documents, Message, attendance, copy_of, written
from bench.figures import Calls, Figures, Repeat, Samples
from bench.floor import Floor
from bench.ours import Ours, cloud_event
from bench.stack import Stack
from infra.local.classes import believable_class
from infra.local.meet import MeetSimulator
from infra.local.school import School
from infra.local.workspace_events import conference_ended


class WrongResult(RuntimeError):
    """Firestore does not hold what it should: its time would mean nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The requested options."""

    people: int
    delay_ms: float
    runs: int
    baseline_runs: int
    seed: int


@dataclass(frozen=True, slots=True)
class Round:
    """One run of each of the fast ways, in seconds, and what the repeated events wrote."""

    ours: float
    floor: float
    documents: int
    same_event: tuple[float, list[str]]
    later_event: tuple[float, list[str]]


class Rivals:
    """Ours and the floor on one project of their own, warm from round to round.

    Args:
        meet: `host:port` of a simulated Meet.
        firestore: `host:port` of the emulator.
        project: The Firestore project.
        conference_record: What to record.
        people: How many are in it.
    """

    def __init__(self, meet: str, firestore: str, project: str, *, conference_record: str, people: int) -> None:
        self._conference_record = conference_record
        self._people = people
        self._organizer = believable_class(0, people=0, start=datetime.now(UTC)).organizer
        self._event = self._ended()
        self._documents = Documents(firestore, project)
        self._ours = Ours(meet, firestore, project)
        self._floor = Floor(meet, firestore, project)
        self._written: dict[str, Message] = {}

    async def close(self) -> None:
        """Close the connections to Meet and Firestore."""
        await self._ours.close()
        await self._floor.close()
        await self._documents.close()

    async def round(self, *, floor_first: bool = False, between: Callable[[], None] = lambda: None) -> Round:
        """Run each once, from an empty database each; `between` is called after each.

        The floor commits copies of what ours wrote last, so that it cannot come first in the first round.

        Raises:
            WrongResult: Somebody's attendance was not written.
        """
        floor = await self._run_floor(between) if floor_first else 0.0
        await self._documents.clear()
        ours = await _timed(lambda: self._ours.handle(self._event))
        between()
        self._written = await self._documents.all()
        if len(attendance(self._written)) != self._people:
            raise WrongResult(f"{len(attendance(self._written))} attendance documents stand for {self._people} people.")
        same_event = await self._again(self._event)
        between()
        later_event = await self._again(self._ended())
        between()
        if not floor_first:
            floor = await self._run_floor(between)
        return Round(ours, floor, len(self._written), same_event, later_event)

    async def _run_floor(self, between: Callable[[], None]) -> float:
        copies = [copy_of(document) for document in self._written.values()]
        await self._documents.clear()
        seconds = await _timed(lambda: self._floor.record(self._conference_record, copies))
        between()
        if (await self._documents.all()).keys() != self._written.keys():
            raise WrongResult("The floor did not write the same documents.")
        return seconds

    async def _again(self, event: CloudEvent) -> tuple[float, list[str]]:
        before = await self._documents.all()
        seconds = await _timed(lambda: self._ours.handle(event))
        return seconds, written(before, await self._documents.all())

    def _ended(self) -> CloudEvent:
        """The event that says the conference ended, now."""
        return cloud_event(conference_ended(self._conference_record, organizer=self._organizer, at=datetime.now(UTC)))


async def measure(plan: Plan, stack: Stack, step: Callable[[str], None]) -> Figures:
    """Count calls, then time everything; `step` gets what comes next, once before each run."""
    step("counting calls")
    calls = await _count(plan, stack.firestore)
    baseline = []
    for run in range(1, plan.baseline_runs + 1):
        step(f"baseline {run} of {plan.baseline_runs}")
        baseline.append(_baseline(stack, f"demo-bench-baseline-{run}"))
    rivals = Rivals(
        stack.meet,
        stack.firestore,
        "demo-bench",
        conference_record=stack.conference_record,
        people=plan.people,
    )
    async with AsyncExitStack() as exits:
        exits.push_async_callback(rivals.close)
        step("warming up")
        await rivals.round()
        rounds = []
        for run in range(1, plan.runs + 1):
            step(f"ours and floor {run} of {plan.runs}")
            # In turn: the second may find the emulator in another state.
            rounds.append(await rivals.round(floor_first=run % 2 == 0))
    return Figures(
        people=plan.people,
        delay=plan.delay_ms / 1000,
        calls=calls,
        documents=max(one.documents for one in rounds),
        attendance=plan.people,
        baseline=Samples(tuple(baseline)),
        ours=Samples(tuple(one.ours for one in rounds)),
        floor=Samples(tuple(one.floor for one in rounds)),
        same_event=_repeat([one.same_event for one in rounds]),
        later_event=_repeat([one.later_event for one in rounds]),
    )


async def _count(plan: Plan, firestore: str) -> Calls:
    """Count where the calls arrive: a simulated Meet in this process, without delay. It also warms all code up."""
    length = timedelta(minutes=50)
    held = believable_class(plan.seed, people=plan.people, start=datetime.now(UTC) - length, length=length)
    school = School(lambda: datetime.now(UTC))
    school.hold(held)
    with MeetSimulator(school).in_thread() as meet:
        counted: list[int] = []

        def count() -> None:
            counted.append(len(meet.calls) - sum(counted))

        baseline = Baseline(meet.address, "demo-bench-counted-baseline")
        baseline.record(held.name)
        baseline.close()
        count()
        rivals = Rivals(meet.address, firestore, "demo-bench-counted", conference_record=held.name, people=plan.people)
        try:
            await rivals.round(between=count)
        finally:
            await rivals.close()
    of_baseline, of_ours, of_same_event, of_later_event, of_floor = counted
    return Calls(of_baseline, of_ours, of_floor, of_same_event, of_later_event)


def _baseline(stack: Stack, project: str) -> float:
    """One run of the baseline. It blocks the loop, in which nothing else is under way."""
    baseline = Baseline(stack.meet, project)
    try:
        gc.collect()
        began = time.perf_counter()
        baseline.record(stack.conference_record)
        return time.perf_counter() - began
    finally:
        baseline.close()


async def _timed(run: Callable[[], Awaitable[None]]) -> float:
    """How long a run takes, the rubbish of earlier ones not included."""
    gc.collect()
    began = time.perf_counter()
    await run()
    return time.perf_counter() - began


def _repeat(runs: Sequence[tuple[float, list[str]]]) -> Repeat:
    return Repeat(
        Samples(tuple(seconds for seconds, _ in runs)),
        documents=max(len(names) for _, names in runs),
        attendance=max(len(attendance(names)) for _, names in runs),
    )

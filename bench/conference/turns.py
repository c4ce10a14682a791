"""Measures conferences: ours, the floor and the slow plain loop take turns."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from bench.charged import charged, one_after_the_other
from bench.conference.baseline import Baseline
from bench.conference.function import Took, running_function
from bench.conference.measuring import Measuring, in_new_instance
from bench.conference.school import Class
from bench.conference.services import PROJECT, RunFloor, Stack, running_floor
from bench.figures.model import Conference, Conferences, Fresh, Pairs, Trips, WithEvents

FRESH_RUNS = 3
"""The number of new instances for each way."""

SLOW_CALL = 0.1
"""The seconds that a call to Firestore takes while the calls are counted: several times as long as one to Meet."""


async def measure_conferences(
    large: Class,
    without_returns: Class,
    sizes: Sequence[Class],
    stack: Stack,
    *,
    delay: float,
    runs: int,
    baseline_runs: int,
    step: Callable[[str], None],
) -> Conferences:
    """Measure the large class in every way, and classes of other sizes next to the floor.

    Args:
        large: The class for which the goals are defined.
        without_returns: As large, and nobody comes back or has a second device.
        sizes: The others.
        stack: The addresses of the services.
        delay: The seconds that each call to Meet takes.
        runs: The number of pairs of runs, ours and the floor.
        baseline_runs: The number of runs of the plain loop.
        step: Is called with the next step.

    Raises:
        WrongResult: Firestore does not contain the expected documents.
    """
    fresh = await _fresh(large, stack, step=step)
    step("calls to Firestore")
    trips = await _trips(large, stack, delay=delay)
    baseline: list[float] = []
    async with AsyncExitStack() as exits:
        floor = exits.enter_context(running_floor(stack))
        function = await exits.enter_async_context(running_function(stack.settings()))
        full, short = Measuring(large, stack, function), Measuring(without_returns, stack, function)
        exits.push_async_callback(full.close)
        exits.push_async_callback(short.close)
        step("joined and left events")
        events = await short.store_events()
        await short.first()
        await short.check_against_full_read()
        calls_with_events, with_events = await short.calls(), []

        async def in_turn(run: int) -> None:
            """Run the plain loop when it is due, and ours with events at hand."""
            if (run - 1) * baseline_runs // runs != run * baseline_runs // runs:
                step(f"plain loop, {len(baseline) + 1} of {baseline_runs}")
                baseline.extend(_baseline(large.conference.name, stack) for _ in range(max(1, baseline_runs // runs)))
            with_events.append(await short.ours())

        measured = await _beside_floor(full, floor, large, trips, delay=delay, runs=runs, step=step, in_turn=in_turn)
    return Conferences(
        large=measured,
        with_events=WithEvents(
            people=len(without_returns.conference.attendees),
            events=events,
            calls=calls_with_events,
            ours=_pairs(with_events),
        ),
        fresh=fresh,
        baseline=tuple(baseline),
        sizes=tuple([await _size(each, stack, delay=delay, runs=min(5, runs), step=step) for each in sizes]),
    )


async def _size(held: Class, stack: Stack, *, delay: float, runs: int, step: Callable[[str], None]) -> Conference:
    step(f"{len(held.conference.attendees)} people: calls to Firestore")
    trips = await _trips(held, stack, delay=delay)
    async with in_new_instance(held, stack) as measuring:
        with running_floor(stack) as floor:
            return await _beside_floor(measuring, floor, held, trips, delay=delay, runs=runs, step=step)


async def _nothing(_: int) -> None:
    """Nothing else takes turns."""


async def _beside_floor(
    measuring: Measuring,
    floor: RunFloor,
    held: Class,
    trips: Trips,
    *,
    delay: float,
    runs: int,
    step: Callable[[str], None],
    in_turn: Callable[[int], Awaitable[None]] = _nothing,
) -> Conference:
    """Measure ours and the floor in pairs; after each pair, `in_turn` measures something else."""
    people = len(held.conference.attendees)
    step(f"{people} people: warming up")
    await measuring.first()  # this opens connections and warms up the code
    calls = await measuring.calls()
    same, later = await measuring.again(later=False), await measuring.again(later=True)
    await measuring.ours()  # the floor commits what this wrote
    documents = measuring.documents
    await measuring.floor(floor)
    pairs = []
    for run in range(1, runs + 1):
        step(f"{people} people: ours and floor, {run} of {runs}")
        # They take turns, because the second one may find the emulator in another state.
        if run % 2:
            ours, bare = await measuring.ours(), await measuring.floor(floor)
        else:
            bare, ours = await measuring.floor(floor), await measuring.ours()
        pairs.append((ours, bare))
        await in_turn(run)
    return Conference(
        people=people,
        delay=delay,
        calls=calls,
        documents=documents,
        trips=trips,
        ours=_pairs([ours for ours, _ in pairs]),
        floor=_pairs([bare for _, bare in pairs]),
        same_event=same,
        later_event=later,
    )


async def _fresh(held: Class, stack: Stack, *, step: Callable[[str], None]) -> Fresh:
    """Measure the first event of new instances, with accounts that were never seen and with known ones in turn."""
    unknown, known = [], []
    for run in range(1, FRESH_RUNS + 1):
        step(f"first event of a new instance, {run} of {FRESH_RUNS}")
        async with in_new_instance(held, stack) as measuring:
            stack.apis.calls.clear()
            unknown.append(await measuring.first())
            asked = stack.apis.calls.by_method()
        async with in_new_instance(held, stack) as other:
            other.know(measuring)
            known.append(await other.ours())
    return Fresh(
        unknown=_pairs(unknown),
        known=_pairs(known),
        people_calls=sum(number for method, number in asked.items() if method.startswith("people.")),
        directory_calls=sum(number for method, number in asked.items() if method.startswith("users.")),
    )


async def _trips(held: Class, stack: Stack, *, delay: float) -> Trips:
    """Return what one event costs at Firestore, counted in the calls of a separate function.

    Its calls to Firestore are slow. So those that need not wait for another one begin together, and the chain has only
    calls that wait.
    """
    with charged(stack.firestore, least=SLOW_CALL) as (counted, _):
        async with in_new_instance(held, stack, firestore=counted.address) as measuring:
            await measuring.first()
            documents = counted.documents
            reads, writes, deletes = documents.reads, documents.writes, documents.deletes
            counted.trips.clear()
            stack.calls()
            await measuring.ours()
            asked = stack.asked().times
            chain = one_after_the_other(counted.trips)
            before = sum(trip.began < min(asked) for trip in chain)
            after = sum(trip.began > max(asked) + delay for trip in chain)
            return Trips(
                reads=documents.reads - reads,
                writes=documents.writes - writes,
                deletes=documents.deletes - deletes,
                before=before,
                meanwhile=len(chain) - before - after,
                after=after,
            )


def _baseline(conference_record: str, stack: Stack) -> float:
    """Run the plain loop once. It blocks this process, in which nothing else is running."""
    baseline = Baseline(stack.meet, f"{PROJECT}-baseline")
    try:
        gc.collect()
        began = time.perf_counter()
        baseline.record(conference_record)
        return time.perf_counter() - began
    finally:
        baseline.close()


def _pairs(runs: Sequence[Took]) -> Pairs:
    return Pairs(wall=tuple(each.wall for each in runs), cpu=tuple(each.cpu for each in runs))

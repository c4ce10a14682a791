"""One conference, from its event to committed documents: ours and the floor in turn, then the slow plain loop."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

from bench.baseline import Baseline
from bench.charged import charged
from bench.documents import Documents, Message, attendance, written
from bench.figures import Conference, Pairs, Repeat, Trips
from bench.function import Function, Took, WrongResult, running_function, settings
from bench.lean import CALLS
from bench.school import Class, accounts
from bench.stack import FOLDER, ROOT
from infra.local.google_apis import GoogleApis
from infra.local.school import School

PROJECT = "demo-bench"


@dataclass(frozen=True, slots=True)
class Stack:
    """The addresses of the services.

    Attributes:
        meet: `host:port` of the simulated Meet.
        apis: The address of the People and Directory APIs.
        firestore: `host:port` of the emulator.
    """

    meet: str
    apis: GoogleApis
    firestore: str

    def calls(self) -> Mapping[str, int]:
        """Return the calls to Meet since the last time."""
        with grpc.insecure_channel(self.meet) as channel:
            ask: Any = channel.unary_unary(CALLS)  # gRPC has no type for messages that it does not read
            told: bytes = ask(b"")
        return {str(method): int(number) for method, number in json.loads(told).items()}


class Measuring:
    """A class, and the function and the floor that read it from the same state of the database each time.

    Args:
        held: The class.
        stack: The addresses of the services.
        function: Our function, warm or not.
        floor: Runs the floor once with a commit.
    """

    def __init__(self, held: Class, stack: Stack, function: Function, floor: Callable[[str, Message], Took]) -> None:
        self._held = held
        self._stack = stack
        self._function = function
        self._floor = floor
        self._documents = Documents(stack.firestore, PROJECT)
        self._before: list[Message] = list(held.documents)
        self._wrote: list[Message] = []
        self._event = datetime.now(UTC)

    async def close(self) -> None:
        """Close the connections to the emulator."""
        await self._documents.close()

    async def first(self) -> Took:
        """Measure ours with accounts that were never seen; afterwards they are known.

        Raises:
            WrongResult: Somebody's attendance was not written.
        """
        self._before = list(self._held.documents)
        took = await self.ours()
        people = [document for document in await self._stored() if "/people/" in document.name]
        self._before = [*self._held.documents, *people]
        return took

    async def ours(self) -> Took:
        """Measure ours, from the event to the commit.

        Raises:
            WrongResult: Somebody's attendance was not written.
        """
        await self._documents.put_back(self._before)
        before = await self._documents.all()
        took = await self._function.ended(self._held.conference, at=self._event)
        after = await self._documents.all()
        self._wrote = [after[name] for name in written(before, after)]
        marked = sum("mark" in document.fields for document in self._wrote if "/attendance/" in document.name)
        people = len(accounts(len(self._held.conference.attendees))) - 1
        if marked < people:
            raise WrongResult(f"{marked} attendance documents have a mark, for {people} students.")
        return took

    async def floor(self) -> Took:
        """Measure the floor, which writes the same documents as ours."""
        await self._documents.put_back(self._before)
        return self._floor(self._held.conference.name, self._documents.commit_of(self._wrote))

    async def again(self, *, later: bool) -> Repeat:
        """Measure an event without news: the same event again, or one with a later time."""
        before = await self._documents.all()
        self._stack.calls()
        took = await self._function.ended(self._held.conference, at=None if later else self._event)
        wrote = written(before, await self._documents.all())
        return Repeat(
            took.wall, calls=sum(self._stack.calls().values()), documents=len(wrote), attendance=len(attendance(wrote))
        )

    async def _stored(self) -> list[Message]:
        return list((await self._documents.all()).values())

    @property
    def documents(self) -> int:
        """Return how many documents ours wrote."""
        return len(self._wrote)


async def measured(
    held: Class, stack: Stack, *, delay: float, runs: int, baseline_runs: int, step: Callable[[str], None]
) -> Conference:
    """Measure one class.

    Args:
        held: The class.
        stack: The addresses of the services.
        delay: The seconds that each call to Meet takes.
        runs: The number of pairs of runs, ours and the floor.
        baseline_runs: The number of runs of the plain loop.
        step: Is called with the next step.

    Raises:
        WrongResult: Firestore does not contain the expected documents.
    """
    people = len(held.conference.attendees)
    trips = await _trips(held, stack)
    async with AsyncExitStack() as exits:
        floor = exits.enter_context(running_floor(stack))
        env = settings(meet=stack.meet, apis=stack.apis.endpoint, firestore=stack.firestore, project=PROJECT)
        function = await exits.enter_async_context(running_function(env))
        measuring = Measuring(held, stack, function, floor)
        exits.push_async_callback(measuring.close)
        step(f"{people} people: accounts never seen")
        await measuring.first()  # this opens connections and warms up the code
        unknown = [await measuring.first() for _ in range(3)]
        asked = len(stack.apis.calls)
        stack.calls()
        await measuring.ours()
        calls = sum(stack.calls().values())
        if len(stack.apis.calls) != asked:
            raise WrongResult("Accounts that are known were asked for again.")
        same, later = await measuring.again(later=False), await measuring.again(later=True)
        await measuring.floor()
        pairs = []
        for run in range(1, runs + 1):
            step(f"{people} people: ours and floor, {run} of {runs}")
            # They take turns, because the second one may find the emulator in another state.
            if run % 2:
                ours, bare = await measuring.ours(), await measuring.floor()
            else:
                bare, ours = await measuring.floor(), await measuring.ours()
            pairs.append((ours, bare))
        baseline = []
        for run in range(1, baseline_runs + 1):
            step(f"{people} people: plain loop, {run} of {baseline_runs}")
            baseline.append(_baseline(held.conference.name, stack))
    return Conference(
        people=people,
        delay=delay,
        calls=calls,
        documents=measuring.documents,
        trips=trips,
        ours=_pairs([ours for ours, _ in pairs]),
        floor=_pairs([bare for _, bare in pairs]),
        unknown=_pairs(unknown),
        baseline=tuple(baseline),
        same_event=same,
        later_event=later,
    )


async def _trips(held: Class, stack: Stack) -> Trips:
    """Return what one event costs at Firestore, counted in the calls of a separate function."""
    async with AsyncExitStack() as exits:
        counted, _ = exits.enter_context(charged(stack.firestore))
        env = settings(meet=stack.meet, apis=stack.apis.endpoint, firestore=counted.address, project=PROJECT)
        function = await exits.enter_async_context(running_function(env, log="counted"))
        measuring = Measuring(held, stack, function, _no_floor)
        exits.push_async_callback(measuring.close)
        await measuring.first()
        documents = counted.documents
        reads, writes, deletes, trips = documents.reads, documents.writes, documents.deletes, counted.trips
        await measuring.ours()
        return Trips(
            reads=documents.reads - reads,
            writes=documents.writes - writes,
            deletes=documents.deletes - deletes,
            one_after_the_other=counted.trips - trips,
        )


def _no_floor(_: str, __: Message) -> Took:
    raise AssertionError


@contextmanager
def running_floor(stack: Stack) -> Iterator[Callable[[str, Message], Took]]:
    """Run the floor in its own process; give a function that runs it once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / "commit"
    with ExitStack() as exits:
        process = exits.enter_context(
            subprocess.Popen(  # noqa: S603 - a program of ours
                [sys.executable, "-m", "bench.floor", stack.meet, stack.firestore],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
        )
        orders, answers = process.stdin, process.stdout
        assert orders is not None  # noqa: S101 - for the type checker
        assert answers is not None  # noqa: S101 - likewise
        exits.callback(orders.close)

        def run(conference_record: str, commit: Message) -> Took:
            file.write_bytes(commit.SerializeToString())
            orders.write(json.dumps({"conference_record": conference_record, "commit": str(Path(file))}) + "\n")
            orders.flush()
            line = answers.readline()
            if not line:
                raise WrongResult("The floor ended.")
            return Took(*json.loads(line))

        yield run


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


def _pairs(runs: list[Took]) -> Pairs:
    return Pairs(wall=tuple(each.wall for each in runs), cpu=tuple(each.cpu for each in runs))


@contextmanager
def people_and_directory(people: int) -> Iterator[GoogleApis]:
    """Serve the stand-ins of the People and Directory APIs, with the accounts of the largest class."""
    school = School(lambda: datetime.now(UTC))
    school.enrol(*accounts(people))
    with GoogleApis(school).in_thread() as apis:
        yield apis

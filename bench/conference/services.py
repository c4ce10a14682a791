"""The services for the measurements: the simulated Meet, People and Directory, and the floor, which is measured."""

from __future__ import annotations

import contextlib
import json
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc

from bench.conference.documents import Message
from bench.conference.function import Took, WrongResult, settings
from bench.conference.lean import CALLS
from bench.conference.school import accounts
from bench.stack import FOLDER, ROOT
from infra.local.google_apis import GoogleApis
from infra.local.processes import StartError
from infra.local.school import Conference, School

PROJECT = "demo-bench"

RunFloor = Callable[[str, Message], Took]
"""Runs the floor once: reads a conference record, and makes a commit."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the simulated Meet was asked.

    Attributes:
        calls: The calls by method.
        refused: How many of them were refused.
        times: When each call came, by `time.monotonic()`, which is the same in all processes of this machine.
    """

    calls: Counter[str]
    refused: int
    times: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """The addresses of the services.

    Attributes:
        meet: `host:port` of the simulated Meet.
        apis: The People and Directory APIs.
        firestore: `host:port` of the emulator.
    """

    meet: str
    apis: GoogleApis
    firestore: str

    def calls(self) -> Counter[str]:
        """Return the calls to Meet since the last time, by method."""
        return self.asked().calls

    def asked(self) -> Asked:
        """Return what Meet was asked since the last time."""
        with grpc.insecure_channel(self.meet) as channel:
            ask: Any = channel.unary_unary(CALLS)  # gRPC has no type for messages that it does not read
            told = json.loads(ask(b""))
        return Asked(Counter(told["calls"]), int(told["refused"]), tuple(told["times"]))

    def settings(self, *, firestore: str | None = None) -> Mapping[str, str]:
        """Return the environment of a function on these services.

        Args:
            firestore: Another address of the emulator, which counts what passes.
        """
        address = firestore or self.firestore
        return settings(meet=self.meet, apis=self.apis.endpoint, firestore=address, project=PROJECT)


@contextlib.contextmanager
def people_and_directory(people: int) -> Iterator[GoogleApis]:
    """Serve the stand-ins of the People and Directory APIs, with the accounts of the largest class."""
    school = School(lambda: datetime.now(UTC))
    school.enrol(*accounts(people))
    with GoogleApis(school).in_thread() as apis:
        yield apis


@contextlib.contextmanager
def running_meet(
    conferences: Sequence[Conference], *, delay_ms: float, refuse: float = 0, seed: int = 0
) -> Iterator[str]:
    """Run the simulated Meet in its own process; give its `host:port`.

    Args:
        conferences: Everything that it knows; each has another name.
        delay_ms: What each call takes.
        refuse: The share of the calls that it refuses.
        seed: Another seed refuses other calls.

    Raises:
        StartError: It did not start.
    """
    if len({conference.name for conference in conferences}) != len(conferences):
        raise ValueError("Two conferences have the same name: Meet would mix up their participants.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / "conferences.pickle"
    file.write_bytes(pickle.dumps(list(conferences)))
    options = ["--delay-ms", str(delay_ms), "--refuse", str(refuse), "--seed", str(seed)]
    with subprocess.Popen(  # noqa: S603 - a program of ours
        [sys.executable, "-m", "bench.conference.lean", str(file), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as meet:
        assert meet.stdin is not None  # noqa: S101 - for the type checker
        assert meet.stdout is not None  # noqa: S101 - likewise
        try:
            address = meet.stdout.readline().strip()
            if not address:
                raise StartError("The simulated Meet did not come up; what it printed says why.")
            yield address
        finally:
            meet.stdin.close()


@contextlib.contextmanager
def running_floor(stack: Stack) -> Iterator[RunFloor]:
    """Run the floor in its own process; give a function that runs it once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / "commit"
    with contextlib.ExitStack() as exits:
        process = exits.enter_context(
            subprocess.Popen(  # noqa: S603 - a program of ours
                [sys.executable, "-m", "bench.conference.floor", stack.meet, stack.firestore],
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
            orders.write(json.dumps({"conference_record": conference_record, "commit": str(file)}) + "\n")
            orders.flush()
            line = answers.readline()
            if not line:
                raise WrongResult("The floor ended.")
            return Took(*json.loads(line))

        yield run

"""What is measured against: the simulated Meet in a process of its own, and the Firestore emulator."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.local.emulators import firestore_emulator
from infra.local.processes import Program, StartError

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".local" / "bench"


@dataclass(frozen=True, slots=True)
class Stack:
    """Where things are.

    Attributes:
        meet: `host:port` of the simulated Meet.
        conference_record: The conference in it.
        firestore: `host:port` of the emulator; FIRESTORE_EMULATOR_HOST says the same.
    """

    meet: str
    conference_record: str
    firestore: str


@contextlib.contextmanager
def running_stack(*, people: int, delay_ms: float, seed: int) -> Iterator[Stack]:
    """Start everything, and end it on leaving.

    Raises:
        StartError: Something did not come up; the message says what to install.
    """
    with running_firestore() as firestore, _simulator(people, delay_ms, seed) as (endpoint, record):
        yield Stack(endpoint.removeprefix("http://"), record, firestore)


@contextlib.contextmanager
def running_firestore() -> Iterator[str]:
    """The emulator alone: gives its `host:port`; FIRESTORE_EMULATOR_HOST says the same.

    Raises:
        StartError: It did not come up; the message says what to install.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with firestore_emulator(FOLDER) as firestore:
        before = os.environ.get("FIRESTORE_EMULATOR_HOST")
        os.environ["FIRESTORE_EMULATOR_HOST"] = firestore
        try:
            yield firestore
        finally:
            del os.environ["FIRESTORE_EMULATOR_HOST"]
            if before is not None:
                os.environ["FIRESTORE_EMULATOR_HOST"] = before


@contextlib.contextmanager
def _simulator(people: int, delay_ms: float, seed: int) -> Iterator[list[str]]:
    """The simulated Meet: gives its endpoint and the name of its conference record."""
    command = [sys.executable, "-m", "infra.local.meet", "--people", str(people), "--delay-ms", str(delay_ms)]
    program = Program([*command, "--seed", str(seed)], log=FOLDER / "meet.log", env={}, cwd=ROOT)
    try:
        deadline = time.monotonic() + 30
        while len(lines := program.tail().splitlines()) < 2:  # noqa: PLR2004 - the two lines that it prints
            if time.monotonic() > deadline:
                raise StartError(f"The simulated Meet did not come up:\n{program.tail()}")
            time.sleep(0.05)
        if not lines[0].startswith("http://"):
            raise StartError(f"The simulated Meet did not come up:\n{program.tail()}")
        yield lines[:2]
    finally:
        program.stop()

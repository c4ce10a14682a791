"""The services for the measurements: the simulated Meet in its own process, and the Firestore emulator."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from infra.local.emulators import firestore_emulator
from infra.local.processes import StartError
from infra.local.school import Conference

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".local" / "bench"


@contextlib.contextmanager
def running_firestore() -> Iterator[str]:
    """Run only the emulator; give its `host:port`, which is also in FIRESTORE_EMULATOR_HOST.

    Raises:
        StartError: It did not start; the message says what to install.
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
def running_meet(conferences: Sequence[Conference], *, delay_ms: float) -> Iterator[str]:
    """Run the simulated Meet in its own process; give its `host:port`.

    Raises:
        StartError: It did not start.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / "conferences.pickle"
    file.write_bytes(pickle.dumps(list(conferences)))
    command = [sys.executable, "-m", "bench.lean", str(file), "--delay-ms", str(delay_ms)]
    with subprocess.Popen(  # noqa: S603 - a program of ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
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

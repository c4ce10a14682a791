"""The Firestore emulator, and the folder for what the measurements write."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from infra.local.emulators import firestore_emulator

ROOT = Path(__file__).resolve().parents[1]
MEMORY = "-Xms1g -Xmn600m"
"""The memory of Firestore's emulator. With less, its garbage collector runs in the middle of what is measured, on the
same cores; the real Firestore has its own."""

FOLDER = ROOT / ".local" / "bench"


@contextlib.contextmanager
def running_firestore() -> Iterator[str]:
    """Run only the emulator; give its `host:port`, which is also in FIRESTORE_EMULATOR_HOST.

    Raises:
        StartError: It did not start; the message says what to install.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with firestore_emulator(FOLDER, java=MEMORY) as firestore:
        before = os.environ.get("FIRESTORE_EMULATOR_HOST")
        os.environ["FIRESTORE_EMULATOR_HOST"] = firestore
        try:
            yield firestore
        finally:
            del os.environ["FIRESTORE_EMULATOR_HOST"]
            if before is not None:
                os.environ["FIRESTORE_EMULATOR_HOST"] = before

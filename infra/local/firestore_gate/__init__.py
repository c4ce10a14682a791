"""Firestore's own refusals, in front of a store that does not refuse: the emulator or the embedded store.

The emulator and SQLite answer every query without an index, and accept commits that are too large for Firestore. The
gate checks each query against `infra/firestore.indexes.json`, measures each commit, and refuses as Firestore does. It
records its refusals: a test with a refusal fails even if the application handles the error.

    indexes.py   the file -> the existing indexes, including automatic ones
    planner.py   one query -> the indexes that serve it, or the missing index
    measure.py   one commit -> documents, index entries, bytes; or why it is too large for Firestore
    gate.py      all checks together, and a record of everything seen
    proxy.py     the gate as a gRPC proxy in front of the emulator
    embedded.py  the gate in front of the embedded store in this process
    in_processes/  the same for other started processes
"""

from pathlib import Path
from typing import Final

IN_PROCESSES: Final = Path(__file__).parent / "in_processes"
"""The folder that installs the gate in every Python process that has this folder in PYTHONPATH."""

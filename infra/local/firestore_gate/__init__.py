"""Firestore's own refusals, in front of a store that does not refuse: the emulator, or the embedded store.

The emulator answers every query without an index and takes commits that Firestore calls too big; so does SQLite. The
gate holds each query against `infra/firestore.indexes.json` and measures each commit, and answers as Firestore does.
It remembers what it refused: a test fails by it even if the application handles the error.

    indexes.py   the file -> which indexes there are, automatic ones included
    planner.py   one query -> the indexes that serve it, or the one that is missing
    measure.py   one commit -> documents, index entries, bytes; or what Firestore calls too large
    gate.py      all of it together, with what was seen
    proxy.py     the gate on the wire, in front of the emulator
    embedded.py  the gate before the embedded store of this process
    in_processes/  the same for processes that are started
"""

from pathlib import Path
from typing import Final

IN_PROCESSES: Final = Path(__file__).parent / "in_processes"
"""The folder that puts the gate into every Python process that has it in PYTHONPATH."""

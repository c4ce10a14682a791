# ruff: noqa: INP001 - Python itself looks for a module of this name
"""Puts the gate in front of the embedded store in every Python process that has this folder in PYTHONPATH.

Python imports a module of this name when it starts: https://docs.python.org/3/library/site.html. The gate is only
loaded when the store is used for the first time. Refusals are appended to the file in FIRESTORE_GATE_LOG.
"""

import os
import sys

_STORE = "attendance.store."


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith(_STORE) and not _installed:
        _installed.append(event)
        from infra.local.firestore_gate import embedded  # noqa: PLC0415 - only a process that uses the store
        from infra.local.firestore_gate.gate import Gate  # noqa: PLC0415 - likewise

        embedded.install(Gate(log=os.environ["FIRESTORE_GATE_LOG"]))
        sys.audit(event, *arguments)


_installed: list[str] = []
if "FIRESTORE_GATE_LOG" in os.environ:
    sys.addaudithook(_hook)

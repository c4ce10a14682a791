"""`make run` for a test: the whole local stack with the embedded store, on ports that nothing else uses."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.local.function_server import ROOT
from infra.local.processes import running
from infra.local.run import Place


@contextlib.contextmanager
def local_stack(folder: Path) -> Iterator[Place]:
    """Start the stack like `make run STORE=sqlite PORT=…`; its output goes into the folder."""
    place = free_place()
    command = [sys.executable, "-m", "infra.local.run", "--store", "sqlite", "--port", str(place.port)]
    try:
        with running(command, ready=f"http://127.0.0.1:{place.port}/", log=folder / "run.log", cwd=ROOT):
            yield place
    finally:
        shutil.rmtree(place.folder, ignore_errors=True)


def free_place() -> Place:
    """Return a place whose ports were all free a moment ago, below the ports that the system assigns itself."""
    dice = random.Random()  # two test workers may look at the same time
    while True:
        place = Place(dice.randrange(10_000, 30_000, 10))
        if all(_is_free(port) for port in place.ports):
            return place


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

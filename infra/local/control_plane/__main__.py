"""Serve an empty project until Ctrl-C, and print how a program reaches it."""

from __future__ import annotations

import signal
import tempfile
import threading
from pathlib import Path

from infra.local.control_plane.proxy import environment, make_certificate, serving
from infra.local.control_plane.world import World


def main() -> None:
    """Run the command that the module describes."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        world = World()
        with serving(world, certificate) as proxy:
            for name, value in environment(proxy, certificate, Path(folder)).items():
                print(f"export {name}={value}", flush=True)
            stop.wait()
        for line in world.mutated():
            print(f"# {line}")


if __name__ == "__main__":
    main()

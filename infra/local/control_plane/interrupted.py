"""A deployment that is broken off after every few changes and begun again, until it is whole.

`python -m infra.local.control_plane.interrupted` breaks it off after each single change (`make deploy-steps`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.local.control_plane import World, environment, make_certificate, serving

_ROOT = Path(__file__).parents[3]
_RUNS = 400


class NotFinished(RuntimeError):
    """A deployment that gets stuck: what it printed last."""


def deploy_in_steps(world: World, certificate: Path, folder: Path, *, changes: int, options: Sequence[str] = ()) -> int:
    """Deploy, breaking off after so many changes, until a deployment ends by itself.

    Returns:
        How often it was broken off.
    """
    where = (f"PROJECT={world.project}", "REGION=europe-west1")
    with serving(world, certificate) as proxy:
        variables = {**os.environ, **environment(proxy, certificate, folder), "DEPLOY_PAUSE_SECONDS": "0"}
        for run in range(_RUNS):
            world.mutations_left = changes
            before = len(world.mutations)
            done = subprocess.run(
                (str(_ROOT / "infra/deploy.sh"), *where, *options),
                env=variables,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                return run
            if len(world.mutations) == before or "it continues where it stopped" not in done.stderr:
                raise NotFinished(done.stdout + done.stderr)
    raise NotFinished(f"It was broken off {_RUNS} times.")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=1, help="break off after so many changes")
    arguments = parser.parse_args()
    world = World(settling=1)
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        try:
            times = deploy_in_steps(world, certificate, Path(folder), changes=arguments.changes)
        except NotFinished as stuck:
            sys.exit(str(stuck))
    print(f"Broken off {times} times, {len(world.mutations)} changes, and whole in the end.")


if __name__ == "__main__":
    main()

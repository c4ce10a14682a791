"""A deployment that is broken off again and again, and started again each time, until it is whole.

`python -m infra.local.control_plane.interrupted` breaks it off at every step (`make deploy-steps`). Changes of one kind
in a row that do not depend on each other, such as indexes, count as one step for every six.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from infra.local.control_plane import World, environment, make_certificate, serving

_ROOT = Path(__file__).parents[3]
_RUNS = 400
_SERIES = 6
_INDEPENDENT = {
    "firestore.projects.databases.collectionGroups.fields.patch",
    "firestore.projects.databases.collectionGroups.indexes.create",
    "logging.projects.metrics.create",
    "monitoring.projects.alertPolicies.create",
    "pubsub.projects.topics.create",
}


class NotFinished(RuntimeError):
    """A deployment that gets stuck: what it printed last."""


def deploy_in_steps(
    world: World, certificate: Path, folder: Path, *, steps: Iterable[int], options: Sequence[str] = ()
) -> int:
    """Deploy, breaking off after so many changes each time, until a deployment ends by itself.

    Args:
        world: Where.
        certificate: What the stand-in shows.
        folder: For gcloud's own files.
        steps: How many changes each run may make.
        options: What the deployment is asked for.

    Returns:
        How often it was broken off.
    """
    where = (f"PROJECT={world.project}", "REGION=europe-west1")
    with serving(world, certificate) as proxy:
        variables = {**os.environ, **environment(proxy, certificate, folder), "DEPLOY_PAUSE_SECONDS": "0"}
        for run, changes in enumerate(itertools.islice(steps, _RUNS)):
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


def every_step(methods: Sequence[str]) -> list[int]:
    """How many changes each run may make so that it ends after each step of an undisturbed deployment."""
    steps = []
    for method, changes in itertools.groupby(methods):
        left = len(list(changes))
        size = _SERIES if method in _INDEPENDENT else 1
        while left > 0:
            steps.append(min(size, left))
            left -= size
    return steps


def main() -> None:
    """See the module."""
    whole, broken = World(settling=1), World(settling=1)
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        try:
            deploy_in_steps(whole, certificate, Path(folder), steps=[1_000_000])
            steps = every_step([mutation.method for mutation in whole.mutations])
            times = deploy_in_steps(
                broken, certificate, Path(folder), steps=itertools.chain(steps, itertools.repeat(1))
            )
        except NotFinished as stuck:
            sys.exit(str(stuck))
    made, needed = len(broken.mutations), len(whole.mutations)
    print(f"Broken off {times} times, whole in the end ({made} changes; {needed} without being broken off).")


if __name__ == "__main__":
    main()

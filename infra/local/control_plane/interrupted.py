"""A deployment that is interrupted repeatedly, and restarted each time until it is complete.

`make deploy-steps` (`python -m infra.local.control_plane.interrupted`) interrupts it at every step. It runs two
deployments at the same time and interrupts each at every second step. Consecutive changes of one kind that do not
depend on each other, such as indexes, count as one step for every 25.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.local.control_plane import World, environment, make_certificate, serving
from infra.local.control_plane.warm_gcloud import warm_gcloud

_ROOT = Path(__file__).parents[3]
_RUNS = 400
_SERIES = 25
_LANES = 2
_INDEPENDENT = {
    "firestore.projects.databases.collectionGroups.fields.patch",
    "firestore.projects.databases.collectionGroups.indexes.create",
    "logging.projects.metrics.create",
    "monitoring.projects.alertPolicies.create",
    "pubsub.projects.topics.create",
}


class NotFinished(RuntimeError):
    """A deployment that does not progress; the text is its last output."""


def deploy_in_steps(
    world: World, certificate: Path, folder: Path, *, path: str, steps: Iterable[int], options: Sequence[str] = ()
) -> int:
    """Deploy, and interrupt each run after its number of changes, until a run ends by itself.

    Args:
        world: The world in which it is deployed.
        certificate: The certificate of the stand-in.
        folder: The folder for gcloud's own files.
        path: The PATH in which programs are looked up.
        steps: How many changes each run may make.
        options: The options of the deployment.

    Returns:
        The number of interruptions.
    """
    where = (f"PROJECT={world.project}", "REGION=europe-west1")
    with serving(world, certificate) as proxy:
        variables = {**os.environ, **environment(proxy, certificate, folder), "DEPLOY_PAUSE_SECONDS": "0", "PATH": path}
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
    raise NotFinished(f"It was interrupted {_RUNS} times and is not complete.")


def every_step(methods: Sequence[str]) -> list[int]:
    """Return how many changes each run may make, so that each run ends after one step of a whole deployment."""
    steps = []
    for method, changes in itertools.groupby(methods):
        left = len(list(changes))
        size = _SERIES if method in _INDEPENDENT else 1
        while left > 0:
            steps.append(min(size, left))
            left -= size
    return steps


def in_turns(steps: Sequence[int], lanes: int) -> list[list[int]]:
    """Divide the steps among several deployments, so that one of them is interrupted after each step.

    Args:
        steps: How many changes each run of a single deployment would make.
        lanes: How many deployments there are.

    Returns:
        For each deployment, how many changes each run makes.
    """
    ends = list(itertools.accumulate(steps))
    return [
        [end - begin for begin, end in itertools.pairwise([0, *ends[lane::lanes]])]
        for lane in range(min(lanes, len(ends)))
    ]


def main() -> None:
    """Run the command that the module describes."""
    whole = World(settling=1)
    with tempfile.TemporaryDirectory() as folder, warm_gcloud() as programs:
        certificate = make_certificate(Path(folder))
        path = f"{programs}:{os.environ['PATH']}"

        def broken_off(number: int, steps: Sequence[int]) -> tuple[int, int]:
            world = World(settling=1)
            # A run that continues may repeat changes, so more runs may be needed than there are steps.
            endless = itertools.chain(steps, itertools.repeat(4))
            times = deploy_in_steps(world, certificate, Path(folder) / str(number), path=path, steps=endless)
            print(f"Deployment {number}: interrupted {times} times, complete in the end.", flush=True)
            return times, len(world.mutations)

        try:
            deploy_in_steps(whole, certificate, Path(folder), path=path, steps=[1_000_000])
            lanes = in_turns(every_step([mutation.method for mutation in whole.mutations]), _LANES)
            print(f"{len(whole.mutations)} changes; {len(lanes)} deployments are interrupted in turns …", flush=True)
            with ThreadPoolExecutor(len(lanes)) as pool:
                results = list(pool.map(broken_off, itertools.count(1), lanes))
        except NotFinished as stuck:
            sys.exit(str(stuck))
    times = sum(times for times, _ in results)
    made = ", ".join(str(made) for _, made in results)
    print(f"Interrupted {times} times ({made} changes; {len(whole.mutations)} without interruptions).")


if __name__ == "__main__":
    main()

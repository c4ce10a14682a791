"""Deployments with the real gcloud against the stand-in of Google's control plane."""

from __future__ import annotations

import fcntl
import pickle
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.local.control_plane import World, environment, make_certificate, serving
from infra.local.control_plane.warm_gcloud import warm_gcloud
from tests.deploy.living import bring_to_life

ROOT = Path(__file__).parents[2]

OPTIONS = {
    "DOMAINS": "school.example",
    "LMS": "serviceAccount:lms@school-lms.iam.gserviceaccount.com",
    "TIME_ZONE": "Europe/Berlin",
    "RETENTION_DAYS": "365",
}


Typed = Callable[..., subprocess.CompletedProcess[str]]


class Operator:
    """A person who types commands, and a world that answers them."""

    def __init__(self, world: World, proxy: str, certificate: Path, folder: Path, search_path: str) -> None:
        self.world = world
        self.folder = folder
        self._environment = {
            "PATH": search_path,
            **environment(proxy, certificate, folder),
            "DEPLOY_PAUSE_SECONDS": "0",
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own commands
            command,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=580,
        )

    def deploy(self, **options: str) -> subprocess.CompletedProcess[str]:
        return self._script("infra/deploy.sh", options)

    def destroy(self, **options: str) -> subprocess.CompletedProcess[str]:
        return self._script("infra/destroy.sh", options)

    def _script(self, script: str, options: dict[str, str]) -> subprocess.CompletedProcess[str]:
        where = {"PROJECT": self.world.project, "REGION": "europe-west1"}
        return self.run(
            script, *(f"{name}={value}" for name, value in {**where, **options}.items() if value is not None)
        )


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("google"))


@pytest.fixture(scope="session")
def search_path() -> Iterator[str]:
    """Return the PATH of a terminal, with a gcloud that is loaded once for all commands."""
    with warm_gcloud() as folder:
        yield f"{folder}:{ROOT / '.venv/bin'}:/usr/local/bin:/usr/bin:/bin"


@pytest.fixture
def operator(certificate, search_path, tmp_path) -> Callable[[World], Operator]:
    """Return a function that makes an operator for a world."""
    with ExitStack() as running:

        def at(world: World) -> Operator:
            return Operator(
                world, running.enter_context(serving(world, certificate)), certificate, tmp_path, search_path
            )

        yield at


@pytest.fixture(scope="session")
def first(certificate, search_path, tmp_path_factory) -> tuple[World, str]:
    """Return a world after its first deployment, and the output. In this world, new things are not visible immediately.

    It is made once for all test processes.
    """
    shared = tmp_path_factory.getbasetemp()
    if shared.name.startswith("popen-"):
        shared = shared.parent
    stored = shared / "deployed.pickle"
    with (shared / "deployed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stored.exists():
            world = World(settling=1)
            with serving(world, certificate) as proxy:
                operator = Operator(world, proxy, certificate, tmp_path_factory.mktemp("first"), search_path)
                done = operator.deploy(**OPTIONS)
            assert done.returncode == 0, done.stdout + done.stderr
            stored.write_bytes(pickle.dumps((world, done.stdout)))
    return pickle.loads(stored.read_bytes())  # noqa: S301 - written a moment ago by this fixture


@pytest.fixture
def deployed(first) -> World:
    """Return a separate world after the first deployment."""
    world = first[0].copy()
    world.settling = 0
    return world


@pytest.fixture
def living(deployed) -> World:
    """Return a deployment in use."""
    return bring_to_life(deployed)


@pytest.fixture
def typed(certificate, search_path, tmp_path) -> Callable[[World], Typed]:
    """Return a terminal whose commands reach a world."""
    # Do not create the virtual environment again for a test, even if it is old.
    make = tmp_path / "bin/make"
    make.parent.mkdir()
    make.write_text('#!/bin/sh\nexec /usr/bin/make --old-file .venv/installed "$@"\n')
    make.chmod(0o755)
    with ExitStack() as running:

        def at(world: World) -> Typed:
            proxy = running.enter_context(serving(world, certificate))
            variables = {
                "PATH": f"{tmp_path / 'bin'}:{search_path}",
                **environment(proxy, certificate, tmp_path),
                "DEPLOYED_SETTINGS": str(tmp_path / "deployed"),
                "DOCTOR_SECONDS": "60",
                "DEPLOY_PAUSE_SECONDS": "0",
            }

            def run(*command: str, answers: str = "", **more: str) -> subprocess.CompletedProcess[str]:
                return subprocess.run(  # noqa: S603 - our own commands
                    command,
                    cwd=ROOT,
                    env={**variables, **more},
                    input=answers,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=580,
                )

            return run

        yield at

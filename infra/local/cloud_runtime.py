"""A function as Google builds and starts it: its uploaded source, only its own packages, the runtime's Python.

What Google's Python buildpacks do (https://github.com/GoogleCloudPlatform/buildpacks):

    pkg/python/python.go                          `pip install --requirement requirements.txt`, then `compileall`
                                                  (left out here: it saves time at a start, and costs more once)
    cmd/python/functions_framework/lib/lib.go     `python3 -m compileall -f -q .`; the process is `functions-framework`
                                                  (it calls gunicorn with one worker and an ASGI worker class)
    FUNCTION_TARGET, FUNCTION_SIGNATURE_TYPE      given to the process by the build

What Cloud Run adds, https://cloud.google.com/run/docs/container-contract : PORT, K_SERVICE, K_REVISION,
K_CONFIGURATION; 240 seconds to listen; SIGTERM, then 10 seconds, then SIGKILL. One difference: here it listens only on
loopback (HOST). An instance trusts the tokens that Cloud Run has checked, and nothing checks them here.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from infra.local.processes import StartError, free_port

ROOT = Path(__file__).resolve().parents[2]

LISTENS_WITHIN = 240.0
"""Seconds: the default startup probe, https://cloud.google.com/run/docs/configuring/healthchecks ."""

ENDS_WITHIN = 10.0
"""Seconds after SIGTERM: https://cloud.google.com/run/docs/container-contract#instance-shutdown ."""


def runtime_version() -> str:
    """Return the Python version that is deployed, such as 3.13."""
    runtime = re.search(r"^RUNTIME=python(\d)(\d+)$", (ROOT / "infra/deploy/names.sh").read_text(), re.MULTILINE)
    if runtime is None:
        raise StartError("infra/deploy/names.sh must set a runtime, for example RUNTIME=python313.")
    return f"{runtime[1]}.{runtime[2]}"


def runtime_python() -> str:
    """Return a Python of the version that is deployed.

    Raises:
        StartError: It is not installed; the message says how to install it.
    """
    version = runtime_version()
    variable = f"PYTHON{version.replace('.', '')}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    named = os.environ.get(variable)
    candidates = [named] if named else [f"python{version}", *map(str, sorted(pyenv.glob(f"{version}*/bin/python3")))]
    for candidate in candidates:
        found = shutil.which(candidate)
        # pyenv also has a shim for versions that it refuses to run, so this asks the program for its version.
        if found and _output([found, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]) == version:
            return found
    raise StartError(
        f"The functions run on Python {version} in the cloud, but {named or 'no such Python'} is installed here"
        f"{' as ' + variable if named else ''}. Install it and try again:\n"
        f"  pyenv install {version}\n"
        f"  (or: uv python install {version}; on Debian 13: sudo apt-get install python{version})\n"
        f"or name one: {variable}=/path/to/python{version} make test"
    )


def installed(requirements: Path, folder: Path) -> Path:
    """Install only the packages of a requirements file, for the runtime's Python.

    An environment that was installed for the same file before is used again.

    Args:
        requirements: The file, with a hash of every package.
        folder: The folder for environments.

    Returns:
        The folder of the programs, such as `functions-framework`.
    """
    python = runtime_python()
    told = f"{_output([python, '-VV'])}\n{python}\n{requirements.read_text()}"
    environment = folder.resolve() / hashlib.sha256(told.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with environment.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (environment / "installed").exists():
            _run([python, "-m", "venv", "--without-pip", "--clear", str(environment)])
            pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
            _run([*pip, "install", "--quiet", "--no-compile", "--require-hashes", "--requirement", str(requirements)])
            _run([*pip, "check"])
            (environment / "installed").touch()
    return environment / "bin"


class Instance:
    """One instance of a function. It gets only the environment variables that are given here.

    Args:
        name: The function's name.
        source: The folder of its uploaded source, `/workspace` in the cloud.
        programs: The folder that `installed` returned.
        target: The entry point.
        signature: The kind of request that the trigger sends.
        env: The environment variables that are deployed.
        log: The file for its output.
    """

    def __init__(
        self,
        name: str,
        *,
        source: Path,
        programs: Path,
        target: str,
        signature: Literal["cloudevent", "http"],
        env: Mapping[str, str],
        log: Path,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [programs / "functions-framework"],
                cwd=source,
                env={
                    **env,
                    "PATH": f"{programs}:/usr/bin:/bin",
                    "HOME": str(source),
                    "HOST": "127.0.0.1",
                    "PORT": str(self.port),
                    "K_SERVICE": name,
                    "K_REVISION": f"{name}-00001-abc",
                    "K_CONFIGURATION": name,
                    "FUNCTION_TARGET": target,
                    "FUNCTION_SIGNATURE_TYPE": signature,
                    "PYTHONUNBUFFERED": "TRUE",
                    "LOG_EXECUTION_ID": "true",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def await_listening(self) -> None:
        """Wait until something listens, like the startup probe."""
        deadline = time.monotonic() + LISTENS_WITHIN
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"It does not listen (exit code {self._process.poll()}):\n{self.printed()}")
            time.sleep(0.1)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def printed(self) -> str:
        """Return what it has printed."""
        return self.log.read_text(errors="replace")

    def terminate(self) -> None:
        """Ask the instance to end, as Cloud Run does: send SIGTERM to the started process."""
        self._process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Return its exit code; raise subprocess.TimeoutExpired when Cloud Run would kill it."""
        return self._process.wait(timeout=ENDS_WITHIN)

    def kill(self) -> None:
        """End it and its workers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def ending(instance: Instance) -> Iterator[Instance]:
    """Give an instance that listens; it is ended on exit."""
    try:
        instance.await_listening()
        yield instance
    finally:
        instance.kill()


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"[-4000:])

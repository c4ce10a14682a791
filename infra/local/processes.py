"""Other programs of the local stack: each is started in its own process group, awaited and ended."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_PORTS = range(20_000, 32_000)


class StartError(RuntimeError):
    """A program did not start; the message says why and what to do."""


def bypass_proxies() -> None:
    """Make this process and its children bypass the user's proxies for addresses on this machine."""
    for name in ("NO_PROXY", "no_proxy", "no_grpc_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1", "localhost"]))


def terminate_as_interrupt() -> None:
    """Handle SIGTERM like Ctrl-C, so that started programs are ended too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def free_port() -> int:
    """Return a port on loopback that was free a moment ago.

    The port is below the range from which a system assigns ports itself (Linux: from 32768, others: from 49152). So the
    system gives it to no client or server of another program before the intended program listens there.
    """
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise StartError("No port between 20000 and 32000 of 127.0.0.1 is free.")


class Program:
    """A running program with all its children.

    Args:
        command: The program and its arguments.
        env: Environment variables in addition to those of this process; None removes a variable.
        log: The file for its output.
        cwd: The folder in which it runs.
    """

    def __init__(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str | None], cwd: Path | None = None
    ) -> None:
        merged = {**os.environ, **env}
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={name: value for name, value in merged.items() if value is not None},
                cwd=cwd,
                start_new_session=True,
            )

    def await_http(self, url: str, *, within: float = 90.0) -> None:
        """Wait until the program answers HTTP with any status."""
        deadline = time.monotonic() + within
        while not _answers(url):
            if self._process.poll() is not None:
                raise StartError(f"It ended with code {self._process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"It did not answer within {within:.0f} s:\n{self.tail()}")
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """Return its process id, which is also the id of its group."""
        return self._process.pid

    def tail(self) -> str:
        """Return the end of its output."""
        return self.log.read_text(errors="replace")[-2000:]

    def pause(self) -> None:
        """Pause it and its children until `resume`, like an overloaded machine."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `pause`."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it and its children immediately, like a crash."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Ask it and its children to end, and kill them if they do not."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    ready: str,
    log: Path,
    env: Mapping[str, str | None] | None = None,
    cwd: Path | None = None,
) -> Iterator[Program]:
    """Give a program that answers at the URL `ready`; it is ended on exit."""
    program = Program(command, log=log, env=env or {}, cwd=cwd)
    try:
        program.await_http(ready)
        yield program
    finally:
        program.stop()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - a loopback address of our own making
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False

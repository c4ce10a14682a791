"""Other programs of the local stack: started in a process group of their own, awaited, ended."""

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
    """A program did not come up; the message says why and what to do."""


def bypass_proxies() -> None:
    """Let no proxy of the user's come between the programs on this machine, for this process and its children."""
    for name in ("NO_PROXY", "no_proxy", "no_grpc_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1", "localhost"]))


def terminate_as_interrupt() -> None:
    """Take SIGTERM as Ctrl-C, so that programs which were started are ended too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def free_port() -> int:
    """A port on loopback that was free a moment ago.

    It is below those that a system gives away by itself (Linux: from 32768, others: from 49152). So no client and no
    other program's server gets it before the program that it is meant for listens there.
    """
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise StartError("No port between 20000 and 32000 of 127.0.0.1 is free.")


class Program:
    """A running program, all its children included.

    Args:
        command: The program and its arguments.
        env: Variables on top of this process's; None takes one away.
        log: Where its output goes.
        cwd: Where it runs.
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
        """Its process id, which is its group's too."""
        return self._process.pid

    def tail(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-2000:]

    def pause(self) -> None:
        """Let it and its children stand still, as an overloaded machine would, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it and its children at once, as a crash would."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Ask it and its children to end, and see to it."""
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
    """A program that answers at the URL `ready`, ended on leaving."""
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

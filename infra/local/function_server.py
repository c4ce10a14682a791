"""The real functions-framework serves the real `main.py`, as in the cloud."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.local.processes import Program, free_port

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Served:
    """A running function, which answers at `url`."""

    url: str
    program: Program


@contextlib.contextmanager
def function_server(
    target: str,
    *,
    env: Mapping[str, str],
    log: Path,
    port: int = 0,
    signature: Literal["cloudevent", "http"] = "cloudevent",
) -> Iterator[Served]:
    """Serve a function of `main.py` on loopback.

    Args:
        target: The function's name in `main.py`.
        env: Its settings. It does not get the Google settings of this process.
        log: The file for its log lines.
        port: The port on which it listens; 0 takes a free port.
        signature: What the function accepts: CloudEvents, or any HTTP request.
    """
    started = start_function(target, env=env, log=log, port=port, signature=signature)
    try:
        started.program.await_http(started.url)
        yield started
    finally:
        started.program.stop()


def start_function(
    target: str,
    *,
    env: Mapping[str, str],
    log: Path,
    port: int = 0,
    signature: Literal["cloudevent", "http"] = "cloudevent",
) -> Served:
    """Start to serve a function and do not wait for it; the arguments are those of `function_server`."""
    port = port or free_port()
    command = [
        *(sys.executable, "-m", "functions_framework", "--source", str(ROOT / "main.py"), "--target", target),
        *("--signature-type", signature, "--host", "127.0.0.1", "--port", str(port)),
    ]
    inherited = dict.fromkeys(
        ("FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT", "K_SERVICE", "PORT", "DEBUG")
    )
    program = Program(command, log=log, env={**inherited, "PYTHONUNBUFFERED": "1", **env}, cwd=ROOT)
    return Served(f"http://127.0.0.1:{port}", program)

"""`make run`, as it is typed."""

import os
import socket
import subprocess
import sys

from infra.local import run
from infra.local.function_server import ROOT


def test_a_second_stack_is_refused_before_it_writes_over_the_settings_of_the_first():
    run.FOLDER.mkdir(parents=True, exist_ok=True)
    before = run.ENVIRONMENT.read_bytes() if run.ENVIRONMENT.exists() else None
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = str(first.getsockname()[1])
        refused = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "infra.local.run", "--store", "sqlite", "--port", port],
            cwd=ROOT,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert refused.returncode == 1
    assert f"cannot listen on port {port}" in refused.stderr
    assert "make run PORT=" in refused.stderr
    assert refused.stdout == ""
    assert (run.ENVIRONMENT.read_bytes() if run.ENVIRONMENT.exists() else None) == before

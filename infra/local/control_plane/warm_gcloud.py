"""The real gcloud, without the second that each command needs to load it.

A deployment runs about a hundred commands, and most of its time is used to load gcloud's code. `warm_gcloud` gives a
folder with a program `gcloud`. This program sends its command to a process that has already loaded gcloud. That process
forks for the command: gcloud's own code runs in its own process, with the caller's arguments, environment, folder and
streams. Put the folder first in PATH.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from infra.local.processes import StartError

_SERVER = Path(__file__).with_name("warm_gcloud_server.py")

_PROGRAM = """#!{python} -IS
import _socket, array, marshal, os, sys

server = _socket.socket(_socket.AF_UNIX)
server.connect({path!r})
order = marshal.dumps((sys.argv[1:], dict(os.environ), os.getcwd()))
streams = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
server.sendmsg([len(order).to_bytes(4, "big")], streams)
server.sendall(order)
answer = server.recv(1)
os._exit(answer[0] if answer else 1)
"""


@contextlib.contextmanager
def warm_gcloud() -> Iterator[Path]:
    """Keep gcloud loaded; give the folder of the program `gcloud`.

    Raises:
        StartError: gcloud is not installed, or it does not load.
    """
    found = shutil.which("gcloud")
    root = Path(found).resolve().parents[1] if found else Path()
    if not (root / "lib/gcloud.py").exists():
        raise StartError(
            "gcloud was not found. Install the Google Cloud CLI: https://cloud.google.com/sdk/docs/install"
        )
    bundled = root / "platform/bundledpythonunix/bin/python3"
    python = str(bundled) if bundled.exists() else shutil.which("python3") or "python3"
    with tempfile.TemporaryDirectory(prefix="gcloud-") as folder:
        path = f"{folder}/socket"
        program = Path(folder) / "bin/gcloud"
        program.parent.mkdir()
        program.write_text(_PROGRAM.format(python=python, path=path))
        program.chmod(0o755)
        with subprocess.Popen(
            [python, "-S", str(_SERVER), str(root / "lib"), path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"HOME": folder, "CLOUDSDK_CONFIG": f"{folder}/config", "PATH": "/usr/bin:/bin"},
        ) as server:
            assert server.stdin  # noqa: S101 - for the type checker
            assert server.stdout  # noqa: S101 - likewise
            if not server.stdout.readline():
                raise StartError("gcloud does not load. Look at what `gcloud version` says.")
            try:
                yield program.parent
            finally:
                server.stdin.close()

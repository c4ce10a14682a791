"""The gcloud that is loaded once for all commands answers like a gcloud that is started for each command."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

GOOD = ["config", "get", "core/project"]
BAD = ["config", "set", "core/no-such-property", "x"]


@pytest.mark.parametrize("command", [GOOD, BAD])
def test_a_warm_gcloud_prints_and_ends_as_the_cold_one(command, search_path, tmp_path):
    variables = {**os.environ, "CLOUDSDK_CONFIG": str(tmp_path), "CLOUDSDK_CORE_PROJECT": "my-school"}
    cold, warm = (
        subprocess.run(  # noqa: S603 - the real gcloud
            [shutil.which("gcloud", path=path), *command],
            env=variables,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        for path in (os.environ["PATH"], search_path)
    )
    assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr)
    assert (cold.returncode == 0) == (command == GOOD)
    assert ("my-school" in cold.stdout) == (command == GOOD)

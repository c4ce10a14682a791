"""The process's own Google credentials: where there are none, or none any more, a person is told what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from infra.local.function_server import ROOT
from tests.integration.credentials.conftest import SERVICE_ACCOUNT


@pytest.fixture
def status(tmp_path):
    """Runs `make status` as on a machine of its own, with delegation and the real Google."""

    def run():
        return subprocess.run(
            [sys.executable, "-m", "functions.entrypoints.operate", "status"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "NO_GCE_CHECK": "true",
                "AUTH_MODE": "delegation",
                "GOOGLE_CLOUD_PROJECT": "school-attendance",
                "SERVICE_ACCOUNT_EMAIL": SERVICE_ACCOUNT,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_a_command_without_credentials_says_how_to_get_them(status):
    ended = status()

    assert ended.returncode == 2
    assert "gcloud auth application-default login" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_credentials_that_cannot_be_read_are_told_likewise(status, tmp_path):
    folder = tmp_path / ".config" / "gcloud"
    folder.mkdir(parents=True)
    (folder / "application_default_credentials.json").write_text(json.dumps({"type": "something else"}))

    ended = status()

    assert ended.returncode == 2
    assert "gcloud auth application-default login" in ended.stderr

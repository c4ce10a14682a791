"""The process's own Google credentials: if they are missing or have ended, a person is told what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing

import httpx
import pytest

from functions.adapters.google.credentials.access_tokens import TokenRequests
from functions.adapters.google.credentials.capabilities import Capability
from functions.adapters.google.credentials.delegation import Delegation
from functions.domain.conferences.model import Organizer
from functions.domain.errors import CredentialsUnavailable, OwnCredentialsMissing
from infra.local.delivery import Trigger, http_client
from infra.local.function_server import ROOT, function_server
from infra.local.workspace_events import Message
from tests.integration.credentials.conftest import SERVICE_ACCOUNT
from tests.integration.credentials.googles_hosts import googles_hosts


@pytest.fixture
def status(tmp_path):
    """Return a function that runs `make status` like on a separate machine, with delegation and the real Google."""

    def run(**more):
        return subprocess.run(
            [sys.executable, "-m", "functions.entrypoints.commands.operate", "status"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "NO_GCE_CHECK": "true",
                "AUTH_MODE": "delegation",
                "GOOGLE_CLOUD_PROJECT": "school-attendance",
                "SERVICE_ACCOUNT_EMAIL": SERVICE_ACCOUNT,
                **more,
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


@pytest.fixture
def logged_in(tmp_path):
    """Return a function that writes the file of `gcloud auth application-default login`."""

    def log_in(credentials):
        folder = tmp_path / ".config" / "gcloud"
        folder.mkdir(parents=True)
        (folder / "application_default_credentials.json").write_text(json.dumps(credentials))

    return log_in


def test_credentials_that_cannot_be_read_are_reported_likewise(status, logged_in):
    logged_in({"type": "something else"})

    ended = status()

    assert ended.returncode == 2
    assert "gcloud auth application-default login" in ended.stderr


def test_a_variable_that_names_no_usable_file_is_named_itself(status, tmp_path):
    ended = status(GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "gone.json"))

    assert ended.returncode == 2
    assert "GOOGLE_APPLICATION_CREDENTIALS" in ended.stderr
    assert "gone.json" not in ended.stderr


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"error": "invalid_grant", "error_description": "Bad Request"}, "invalid_grant"),
        (
            {"error": "invalid_grant", "error_subtype": "invalid_rapt", "error_description": "reauth related error"},
            "reauthentication is needed",
        ),
    ],
)
def test_credentials_that_have_ended_are_reported_at_once_and_not_as_a_store_that_is_silent(
    status, logged_in, tmp_path, answer, told
):
    logged_in({"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "ended"})

    with googles_hosts(tmp_path, status=400, answer=answer) as google:
        ended = status(**google.env)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"no longer valid ({told})" in ended.stderr
    assert "gcloud auth application-default login" in ended.stderr
    assert len(ended.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (429, "rate_limit_exceeded", CredentialsUnavailable),
        (403, "rate_limit_exceeded", CredentialsUnavailable),
        (400, "internal_failure", CredentialsUnavailable),
        (400, "invalid_grant", OwnCredentialsMissing),
    ],
)
async def test_temporary_failures_are_distinguished_from_credentials_that_can_no_longer_sign(
    *, status, code, error, tmp_path, monkeypatch
):
    mine = tmp_path / "mine.json"
    mine.write_text(
        json.dumps({"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"})
    )
    requests = TokenRequests("oauth2.googleapis.com:443", "iamcredentials.googleapis.com:443")
    delegation = Delegation(SERVICE_ACCOUNT, client_id=None, requests=requests)

    with googles_hosts(tmp_path, status=status, answer={"error": code}) as google:
        for name, value in {**google.env, "GOOGLE_APPLICATION_CREDENTIALS": str(mine)}.items():
            monkeypatch.setenv(name, value)
        with closing(requests), pytest.raises(error):
            await delegation.token(Organizer(email="teacher@school.example"), Capability.MEETINGS)


@pytest.mark.parametrize("function", ["on_workspace_event", "on_job"])
async def test_a_message_is_kept_while_the_function_has_no_credentials(function, tmp_path):
    with function_server(function, env=nowhere(tmp_path), log=tmp_path / "log") as served:
        trigger = Trigger(served.url, topic="projects/p/topics/t", subscription="projects/p/subscriptions/s")
        async with http_client() as client:
            answered = await trigger.post(client, Message({"job": "sync-due"}, b"{}"))
        text = served.program.log.read_text()
    [line] = [json.loads(line) for line in text.splitlines() if line.startswith("{") and "message.again" in line]

    assert answered == 503
    assert (line["severity"], line["detail"]) == ("ERROR", "This process has no Google credentials.")
    assert "Traceback" not in text


def test_a_call_is_answered_with_what_to_do_while_the_function_has_no_credentials(tmp_path):
    with function_server("api", env=nowhere(tmp_path), log=tmp_path / "log", signature="http") as served:
        answer = httpx.get(f"{served.url}/api/status")
        text = served.program.log.read_text()

    assert (answer.status_code, answer.json()["cause"]) == (502, "own-credentials-missing")
    assert "service account of the function" in answer.json()["hint"]
    assert "Traceback" not in text


def nowhere(folder):
    """Return the environment of a function that finds no Google credentials."""
    return {
        "HOME": str(folder),
        "NO_GCE_CHECK": "true",
        "AUTH_MODE": "delegation",
        "GOOGLE_CLOUD_PROJECT": "school-attendance",
        "SERVICE_ACCOUNT_EMAIL": SERVICE_ACCOUNT,
    }

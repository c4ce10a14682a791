"""What an instance loads until it has answered: it starts as fast as that is little."""

import base64
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions import wiring
from functions.domain.errors import OwnCredentialsMissing
from functions.ports.messages import Job
from functions.settings import load
from infra.local.classes import believable_class
from infra.local.meet import MeetSimulator
from infra.local.workspace_events import conference_ended

ROOT = Path(__file__).parents[2]

NOT_FOR_EVENTS = {
    "fastapi",
    "functions.adapters.google.calendar",
    "functions.adapters.google.credentials.id_tokens",
    "functions.adapters.google.pubsub",
    "functions.adapters.google.reports",
    "functions.adapters.google.workspace_events",
    "functions.adapters.store.erasing.erasures",
    "functions.adapters.store.erasing.settling",
    "functions.adapters.store.views",
    "functions.domain.classes.calendar",
    "functions.domain.conferences.reported",
    "functions.entrypoints.api",
    "functions.entrypoints.commands",
    "functions.entrypoints.messages.jobs",
    "functions.ports.erasures",
    "functions.ports.views",
    "functions.services.classes",
    "functions.services.operations",
    "google.apps.events_subscriptions_v1",
    "google.cloud.secretmanager_v1",
    "google.pubsub_v1",
    "google_auth_oauthlib",
    "googleapiclient",
    "pydantic",
    "rich",
    "xlsxwriter",
}

SCRIPT = """
import asyncio, gc, json, sys
import main
from cloudevents.http import CloudEvent
from functions import wiring

async def answer(message):
    wiring.app()
    if message:
        event = {"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "test"}
        await main.on_workspace_event(CloudEvent(event, {"message": message}))

asyncio.run(answer(json.load(sys.stdin)))
print(json.dumps({"modules": sorted(sys.modules), "collects": gc.isenabled()}))
"""


def started(message=None, **settings):
    """Return what a fresh process has loaded after it has built the application, and answered a message."""
    own = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "PYTHONDONTWRITEBYTECODE"}}
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(message),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**own, **settings},
    )
    assert done.returncode == 0, done.stderr
    *logged, last = done.stdout.splitlines()
    return json.loads(last), [json.loads(line) for line in logged]


def among(modules):
    return {name for name in NOT_FOR_EVENTS if any(each == name or each.startswith(f"{name}.") for each in modules)}


def test_as_it_is_deployed_an_instance_starts_without_what_events_seldom_need():
    loaded, _ = started(
        SERVICE_ACCOUNT_EMAIL="meet-attendance@school-attendance.iam.gserviceaccount.com",
        GOOGLE_CLOUD_PROJECT="school-attendance",
        CHANGES_TOPIC="attendance-changed",
        REPORTS_ADMIN="head@school.example",
        SCHOOL_TIME_ZONE="Europe/Berlin",
        API_CALLERS="lms@school-attendance.iam.gserviceaccount.com=lms",
        FIRESTORE_EMULATOR_HOST="127.0.0.1:1",  # nothing is read from it; without it the client looks for credentials
        K_SERVICE="meet-attendance-events",
    )

    assert among(loaded["modules"]) == set()
    assert "sqlite3" not in loaded["modules"]
    assert loaded["collects"]


def test_a_conference_is_recorded_without_it_too(school, tmp_path):
    held = believable_class(1, people=3, start=datetime.now(UTC) - timedelta(hours=3), length=timedelta(minutes=50))
    school.hold(held)
    ended = conference_ended(held.name, organizer=held.organizer, at=held.end)
    message = {"attributes": ended.attributes, "data": base64.b64encode(ended.data).decode()}

    with MeetSimulator(school).in_thread() as meet:
        loaded, logged = started(
            message,
            AUTH_MODE="anonymous",
            MEET_API_ENDPOINT=meet.endpoint,
            ATTENDANCE_STORE=f"sqlite:///{tmp_path / 'attendance.db'}",
        )

    assert [line["people"] for line in logged if line["message"] == "conference.recorded"] == [len(held.attendees)]
    assert among(loaded["modules"]) == set()


async def test_who_uses_what_needs_credentials_learns_that_there_are_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    app = wiring.build(
        load(
            auth_mode="delegation",
            google_cloud_project="school-attendance",
            service_account_email="meet-attendance@school-attendance.iam.gserviceaccount.com",
            attendance_store=f"sqlite:///{tmp_path / 'attendance.db'}",
        )
    )

    with pytest.raises(OwnCredentialsMissing):
        await app.deps.jobs.publish([Job("sync-due")])
    await app.close()

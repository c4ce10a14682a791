"""`make status` for an operator: its output and its exit code."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from functions.adapters.store.databases.database import Write
from functions.adapters.store.databases.firestore import FirestoreDatabase
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.entrypoints.commands.operate.__main__ import operate
from tests.api import CALLERS, client

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
ERROR = {"reason": "meet-api-disabled", "message": "m", "hint": "Enable the Meet API.", "at": NOW}
TEACHER = {
    "user": "users/1",
    "email": "teacher@school.example",
    "enrolled_at": NOW - HOUR,
    "subscription": {"state": "active", "expire_time": NOW - HOUR},
    "reconciled_until": None,
}
TROUBLES: dict[str, Any] = {
    "organizers/1": TEACHER,
    "conferences/c1": {"sync": {"state": "failed", "error": ERROR, "pulled_at": None}},
    "conferences/c2": {"end_time": NOW - 2 * HOUR, "sync": {"state": "provisional", "pulled_at": NOW - HOUR}},
    "sessions/m1": {"session_id": "m1", "due_at": NOW - HOUR, "subject": "Maths"},
    "sessions/m2": {
        "session_id": "m2",
        "session_start": NOW,
        "calendar": {"state": "failed", "event_id": "e", "organizer": "teacher@school.example", "hint": "Enable it."},
        "calendar_due_at": NOW + HOUR,
        "calendar_failures": 1,
    },
    "parked_events/p1": {
        "reason": "unreadable-message",
        "hint": "Look at what publishes.",
        "parked_at": NOW,
        "message": "secret",
        "replayed_at": None,
    },
}
FIXES = {
    "users/1": "make enroll TEACHER=…",
    "conferenceRecords/c1": "Enable the Meet API.",
    "conferenceRecords/c2": "make backfill",
    "m1": "attendance-sync-due",
    "m2": "Enable it.",
    "p1": "make replay ID=p1",
}


@pytest.fixture
def environment(tmp_path):
    return {
        "AUTH_MODE": "anonymous",
        "MEET_API_ENDPOINT": "http://127.0.0.1:9",
        "ATTENDANCE_STORE": f"sqlite:///{tmp_path / 'attendance.db'}",
    }


@pytest.fixture
def typed(environment):
    """Return a function that runs a command with these arguments and returns the result."""

    async def typed(*arguments, **env):
        # A command runs its own event loop, so it needs a thread without one.
        return await asyncio.to_thread(CliRunner().invoke, operate, ["status", *arguments], env={**environment, **env})

    return typed


@pytest.fixture
def seeded(tmp_path):
    """Store a system with one problem of each kind."""

    async def seeded():
        database = SqliteDatabase(tmp_path / "attendance.db")
        await database.commit([Write(path, fields) for path, fields in TROUBLES.items()])

    return seeded


def fix_of(trouble, printed):
    """Return the line below the line that names a problem."""
    lines = printed.splitlines()
    (number,) = [n for n, line in enumerate(lines) if line.startswith(f"  {trouble}: ")]
    return lines[number + 1]


async def test_each_trouble_is_named_with_its_fix(typed, seeded):
    await seeded()
    result = await typed()

    assert result.exit_code == 0
    assert "Teachers: 1 tracked, 0 with an active subscription." in result.output
    assert f"Last sync: {NOW - HOUR:%Y-%m-%d %H:%M} UTC." in result.output
    for trouble, fix in FIXES.items():
        assert fix in fix_of(trouble, result.output)
    assert result.output.endswith("A person must act: see above.\n")


async def test_nobodys_name_or_address_is_printed(typed, seeded):
    await seeded()
    printed = (await typed()).output + (await typed("--json")).output

    assert "@" not in printed
    assert "secret" not in printed
    assert "Maths" not in printed


async def test_a_healthy_system_says_that_nothing_is_to_be_done(typed):
    result = await typed("--check")

    assert result.exit_code == 0
    assert "Last sync: none yet." in result.output
    assert "make enroll TEACHER=…" in result.output
    assert result.output.endswith("Nobody needs to act.\n")


async def test_only_a_check_fails_when_a_person_is_needed(typed, seeded):
    await seeded()

    assert (await typed("--check")).exit_code == 1
    assert (await typed("--json", "--check")).exit_code == 1
    assert (await typed("--json")).exit_code == 0


async def test_as_json_it_prints_what_the_api_answers(typed, seeded, instance, environment):
    await seeded()
    app = instance(api_callers=CALLERS, attendance_store=environment["ATTENDANCE_STORE"])
    async with client(app) as calls:
        answered = (await calls.get("/api/status")).json()
    printed = json.loads((await typed("--json")).output)

    # The two answers come from two different moments.
    passing = {"surveyed_at", "oldest_provisional_seconds", "most_overdue_seconds"}
    assert printed.keys() == answered.keys()
    assert {k: v for k, v in printed.items() if k not in passing} == {
        k: v for k, v in answered.items() if k not in passing
    }
    assert printed["oldest_provisional_seconds"] >= 7200


async def test_it_looks_into_firestore_too(typed, firestore_client, firestore_address, project):
    await FirestoreDatabase(firestore_client).commit([Write(path, fields) for path, fields in TROUBLES.items()])
    deployed = {"FIRESTORE_EMULATOR_HOST": firestore_address, "GOOGLE_CLOUD_PROJECT": project}
    result = await typed(ATTENDANCE_STORE="firestore", **deployed)

    assert all(fix in fix_of(trouble, result.output) for trouble, fix in FIXES.items())


async def test_a_wrong_setting_is_named_in_a_sentence(typed):
    result = await typed(SETTLE_SECONDS="soon")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("SETTLE_SECONDS: ")
    assert "docs/settings.md" in result.stderr
    assert "Traceback" not in result.stderr


async def test_a_document_of_a_later_version_is_reported_with_what_to_do(typed, tmp_path):
    await SqliteDatabase(tmp_path / "attendance.db").commit([Write("organizers/1", TEACHER | {"schema_version": 2})])
    result = await typed()

    assert (result.exit_code, result.stdout) == (2, "")
    assert "schema version 2" in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_the_possible_commands_are_listed():
    result = CliRunner().invoke(operate, ["--help"])

    assert result.exit_code == 0
    assert "status" in result.output

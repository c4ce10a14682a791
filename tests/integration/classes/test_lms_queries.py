"""The queries of docs/lms.md, run as written, on documents that the system stored."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.classroom import MARKS, NOW, PUPILS, at, held, job, pupil, scheduled, sheet, teacher, the_class

PAGE = Path(__file__).parents[3] / "docs/lms.md"
BEGIN, END = NOW - timedelta(days=30), NOW + timedelta(days=1)


@pytest.fixture
def home(project):
    return project


@pytest.fixture
def store_settings(firestore):
    return firestore


@pytest.fixture
def queries(firestore_address, project, monkeypatch):
    """Return the functions in the page's file; each is called in a thread, because its client blocks."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_address)
    [code] = [
        block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "# queries.py" in block
    ]
    defined: dict[str, Any] = {"__name__": "queries"}
    exec(code.replace("my-school", project), defined)  # noqa: S102 - our own page

    def ask(name, *arguments):
        return asyncio.to_thread(defined[name], *arguments)

    return ask


@pytest.fixture
async def made(app, api, school):
    """Hold two meetings of one class; three pupils miss the second."""
    students = [{"email": account.email, "student_id": f"S{n}"} for n, account in enumerate(PUPILS)]
    first = await scheduled(api, student_emails=None, students=students)
    school.hold(the_class(first["space"], first["meeting_code"]))
    await job(app, "sync-session", session_id=first["session_id"])
    earlier = {"start_time": at(-300).isoformat(), "meeting_code": first["meeting_code"]}
    second = await scheduled(api, student_emails=None, students=students, **earlier)
    people = [teacher((-300, -240)), *(pupil(number, (-300, -240)) for number in range(4))]
    school.hold(held(first["space"], first["meeting_code"], *people, record="rec-2", start=-300, end=-240))
    await job(app, "sync-session", session_id=second["session_id"])
    return first["session_id"], second["session_id"]


async def test_the_attendance_of_one_class_meeting(queries, made):
    people = await queries("of_session", made[0])
    by_name = {p["email"].split("@")[0]: p["mark"] for p in people if p["role"] == "student"}
    assert by_name == MARKS


async def test_a_student_over_a_term_oldest_first_and_a_class(queries, made):
    found = await queries("of_student", "S1", BEGIN, END)
    assert [(p["session_id"], p["mark"]) for p in found] == [(made[1], "present"), (made[0], "late")]
    assert await queries("of_student", "S1", BEGIN, NOW - timedelta(days=29)) == []

    found = await queries("of_class", "7b", BEGIN, END)
    assert {p["session_id"] for p in found} == set(made)
    assert sum(p["role"] == "student" for p in found) == 2 * len(PUPILS)


async def test_who_came_to_less_than_a_share_of_a_month(queries, made, api):
    months = {(await sheet(api, s))["session"]["local_date"][:7] for s in made}
    found = {}
    for month in months:
        for student in await queries("below", 0.8, month):
            found.setdefault(student["student_id"], []).append(student["class_id"])
    assert set(found) == {"S3", "S4", "S5", "S6"}
    assert {name for names in found.values() for name in names} == {"7b"}


async def test_what_changed_since_the_last_time(queries, made, api):
    changed, read_at = await queries("changed_since", datetime(2026, 1, 1, tzinfo=UTC))
    assert changed.keys() == set(made)
    assert len(changed[made[0]]) > len(PUPILS)
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert await queries("changed_since", later) == ({}, later)

    person = next(p for p in changed[made[1]] if p["student_id"] == "S6")
    override = {"overrides": [{"attendee_id": person["attendee_id"], "status": "excused", "reason": "ill"}], "by": "a"}
    answer = await api.put(f"/api/sessions/{made[1]}/overrides", json=override)
    assert answer.status_code == 200, answer.text

    changed, next_time = await queries("changed_since", read_at)
    assert made[1] in changed
    assert {p["mark"] for p in changed[made[1]] if p["student_id"] == "S6"} == {"excused"}
    assert next_time >= read_at


async def test_a_change_whose_storing_began_before_the_last_poll_is_found_by_the_next(queries, made, firestore_client):
    _, read_at = await queries("changed_since", datetime(2026, 1, 1, tzinfo=UTC))
    began = datetime.now(UTC) - timedelta(seconds=5)
    await firestore_client.document(f"sessions/{made[0]}").update({"updated_at": began})

    changed, _ = await queries("changed_since", read_at)

    assert made[0] in changed

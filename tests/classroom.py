"""A school: the real application schedules and marks its classes, which are held in the simulated Meet."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

from functions.adapters.store.databases.database import Query
from functions.domain.conferences.model import Organizer, SyncSource
from functions.entrypoints.messages.envelope import Message
from functions.entrypoints.messages.events import process
from functions.ports.messages import Job
from functions.services.operations.run_job import run_job
from functions.services.sync.conference import sync_conference
from functions.services.sync.meet.gathered import Request
from infra.local.school import Account, Attendee, Conference, Visit
from infra.local.workspace_events import presence_events

TEACHER = "users/1"
NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(minutes=120)
LENGTH = timedelta(minutes=60)

PUPILS = [
    Account(f"users/{number}", f"{name}@school.example", display_name=name.title())
    for number, name in enumerate(["punctual", "late", "early", "absent", "devices", "rejoining", "partial"], start=10)
]


def at(minutes, seconds=0):
    return START + timedelta(minutes=minutes, seconds=seconds)


def visits(*times):
    return tuple(Visit(at(start), None if end is None else at(end)) for start, end in times)


def pupil(number, *times, name=None):
    account = PUPILS[number]
    return Attendee(f"p{number}", "signed_in", name or account.display_name, account.user, visits(*times))


def teacher(*times):
    return Attendee("teacher", "signed_in", "The Teacher", TEACHER, visits(*times))


def guest(name="Someone", *times, key="guest"):
    return Attendee(key, "anonymous", name, None, visits(*times))


def held(space, code, *people, record="rec-1", start=0, end=60):
    return Conference(record, space, code, TEACHER, at(start), None if end is None else at(end), tuple(people))


def the_class(space, code):
    return held(
        space,
        code,
        teacher((0, 60)),
        pupil(0, (0, 60)),
        pupil(1, (12, 60)),
        pupil(2, (0, 50)),
        pupil(4, (0, 60), (20, 40)),
        pupil(5, (0, 20), (22, 60)),
        pupil(6, (0, 20)),
        guest("Punctual", (0, 60)),
        Attendee("phone", "phone", "+49 ••• 12", None, visits((3, 60))),
        Attendee("room", "signed_in", "Room 2.14", "users/999", visits((0, 60))),
    )


MARKS = {
    "punctual": "present",
    "late": "late",
    "early": "left_early",
    "absent": "absent",
    "devices": "present",
    "rejoining": "present",
    "partial": "partial",
}


async def scheduled(api, **changes):
    body = {
        "teacher_email": "teacher@school.example",
        "student_emails": [account.email for account in PUPILS],
        "subject": "Mathematics",
        "class_id": "7b",
        "start_time": START.isoformat(),
        "duration_minutes": 60,
        **changes,
    }
    answer = await api.post("/api/schedule/class", json={k: v for k, v in body.items() if v is not None})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def event(app, conference):
    return await sync_conference(
        Request(conference.name, Organizer(user=conference.organizer), conference.end, SyncSource.EVENT), deps=app.deps
    )


async def told(app, conference):
    """Everybody's joined and left events come to one instance at the same time."""
    messages = presence_events(conference)
    await asyncio.gather(*(process(Message(one.attributes, json.loads(one.data)), app) for one in messages))


async def job(app, name, **data):
    return await run_job(Job(name, data), deps=app.deps)


async def sheet(api, session_id):
    answer = await api.get(f"/api/sessions/{session_id}/attendance")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def marks(api, session_id):
    """Return the mark of each student, by the first part of the address."""
    people = (await sheet(api, session_id))["attendance"]
    return {person["email"].split("@")[0]: person["mark"] for person in people if person["role"] == "student"}


async def everything(database):
    """Return every document except those that describe the processing."""
    kept = {}
    for collection, group in [("sessions", False), ("attendance", True), ("registers", False), ("people", False)]:
        for document in (await database.find(Query(collection, group=group))).documents:
            kept[document.path] = _without_times_of_writing(document.fields)
    return kept


def _without_times_of_writing(fields):
    dropped = {
        "updated_at",
        "created_at",
        "progress",
        "due_at",
        "resolved_at",
        "pulled_at",
        "attempts",
        "meet_calls",
        "source",
    }
    return {
        name: _without_times_of_writing(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if name not in dropped
    }

"""The class of these tests, and its room."""

from __future__ import annotations

from datetime import timedelta

import pytest

from functions.adapters.patience import Patience
from infra.local.clock import TurnableClock
from infra.local.school import Conference
from tests.classroom import TEACHER
from tests.live_room import ADA, BOB, THE_TEACHER, Room, at, there


@pytest.fixture
def clock():
    return TurnableClock(at(-180))


@pytest.fixture
def app(instance, google, workspace_events, clock):
    async def pause(seconds):
        clock.turn(timedelta(seconds=seconds))

    return instance(
        clock=clock,
        pause=pause,
        patience=lambda: Patience(0),
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
        workspace_events_api_endpoint=workspace_events.endpoint,
        api_callers="*=admin",
        meet_full_reads=True,  # so that only live presence stores events
    )


@pytest.fixture
async def made(api):
    body = {
        "teacher_email": "teacher@school.example",
        "students": [{"email": ADA.email, "student_id": "S-1"}, {"email": BOB.email}],
        "subject": "Mathematics",
        "class_id": "7b",
        "start_time": at(0).isoformat(),
        "duration_minutes": 60,
    }
    answer = await api.post("/api/schedule/class", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def going(school, made):
    """A call in the class's room: the teacher stays, Ada comes for a while and comes back, Bob comes late."""

    def going(*people, record="rec", end=60):
        call = Conference(record, made["space"], made["meeting_code"], TEACHER, at(0), at(end), people)
        school.hold(call)
        return call

    return going


@pytest.fixture
def call(going):
    return going(there(THE_TEACHER, (0, 60)), there(ADA, (1, 20), (30, 60)), there(BOB, (10, 60)))


@pytest.fixture
def room(app, api, made):
    return Room(app, api, made["session_id"])


@pytest.fixture
def scheduled(api, made):
    """Schedule another class in the same room, an hour later."""

    async def scheduled(**changed):
        body = {
            "teacher_email": "teacher@school.example",
            "students": [{"email": ADA.email}],
            "subject": "Physics",
            "start_time": at(60).isoformat(),
            "duration_minutes": 60,
            "meeting_code": made["meeting_code"],
            **changed,
        }
        answer = await api.post("/api/schedule/class", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["session_id"]

    return scheduled


@pytest.fixture
def impatient():
    """What is done in this context gives up at once on a service that fails."""
    with Patience(0).started():
        yield

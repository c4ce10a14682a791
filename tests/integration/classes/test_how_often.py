"""How often scheduled jobs do their work: exactly as often as the growing pauses allow."""

from __future__ import annotations

import dataclasses
from collections import deque
from datetime import UTC, datetime, timedelta

import grpc
import httpx
import pytest

from functions.domain.backoff import wait_after
from functions.domain.errors import AccessDenied, AttendanceError, Retryable, Unavailable
from functions.entrypoints.api.function import guarded
from functions.ports.google import LookUp
from functions.ports.messages import Job
from functions.services.operations.run_job import run_job
from functions.services.teachers.organizers import enrol
from infra.local.clock import TurnableClock
from infra.local.school import Account, Attendee, Conference, School, Visit
from tests.classroom import PUPILS, TEACHER
from tests.integration.classes.test_nothing_lost import ADMIN, COLLEAGUE

START = datetime(2026, 11, 2, 6, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DENIED, INTERNAL = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INTERNAL
EVERY = {"sync-due": timedelta(minutes=5), "reconcile": timedelta(minutes=30), "renew-subscriptions": 6 * HOUR}
REDELIVERED = [10, 20, 40, 80, 160, 320]
"""Seconds between deliveries of a message that was not acknowledged, then 600, as in the trigger's subscription."""


@pytest.fixture
def clock():
    return TurnableClock(START)


@pytest.fixture
def school(clock):
    school = School(clock)
    school.enrol(Account(TEACHER, "teacher@school.example", display_name="The Teacher"), COLLEAGUE, *PUPILS)
    return school


@pytest.fixture
def settings(google, workspace_events):
    return {
        "people_api_endpoint": google.endpoint,
        "directory_api_endpoint": google.endpoint,
        "workspace_events_api_endpoint": workspace_events.endpoint,
        "api_callers": "*=admin",
    }


class Topic:
    """The jobs' topic and its subscription: messages that are not acknowledged come again, after growing pauses."""

    def __init__(self, clock):
        self._clock = clock
        self._waiting = deque()
        self.done = []

    async def publish(self, jobs):
        self._waiting.extend((self._clock(), 0, job) for job in jobs)

    async def deliver(self, deps):
        """Deliver due messages until nothing is due."""
        for _ in range(10_000):
            due = [entry for entry in self._waiting if entry[0] <= self._clock()]
            if not due:
                return
            self._waiting = deque(entry for entry in self._waiting if entry[0] > self._clock())
            for _, deliveries, job in due:
                try:
                    if await run_job(job, deps=deps) is None:
                        continue
                except Retryable:
                    if deliveries < 99:
                        seconds = REDELIVERED[deliveries] if deliveries < len(REDELIVERED) else 600
                        self._waiting.append((self._clock() + timedelta(seconds=seconds), deliveries + 1, job))
                except AttendanceError:
                    pass
                self.done.append((self._clock(), job))
        raise AssertionError("There is no end of jobs")


class Schedule:
    """The deployed schedule over some days, with a clock that moves from one moment to the next."""

    def __init__(self, app, clock):
        self.topic = Topic(clock)
        self._views = app.views
        self.deps = dataclasses.replace(app.deps, jobs=self.topic)
        self._clock = clock

    async def marks(self, session_id):
        _, people = await self._views.attendance(session_id)
        return [person["mark"] for person in people if person["role"] == "student"]

    async def run(self, length):
        end = self._clock() + length
        while self._clock() < end:
            for job, every in EVERY.items():
                if (self._clock() - START) % every == timedelta(0):
                    await self.topic.publish([Job(job)])
            await self.topic.deliver(self.deps)
            self._clock.turn(EVERY["sync-due"])


@pytest.fixture
def schedule(instance, settings, clock):
    return Schedule(instance(clock=clock, **settings), clock)


@pytest.fixture
async def lesson(instance, settings, clock, school):
    """Return a past class of one hour, with everybody there, that is not read yet."""
    app = instance(clock=clock, **settings)
    await enrol("teacher@school.example", caller=ADMIN, deps=app.deps)
    body = {
        "teacher_email": "teacher@school.example",
        "student_emails": [PUPILS[0].email],
        "subject": "Mathematics",
        "start_time": (START + HOUR).isoformat(),
        "duration_minutes": 60,
    }
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded(app)), base_url="http://api") as api:
        made = (await api.post("/api/schedule/class", json=body)).json()
    start, end = START + HOUR, START + 2 * HOUR
    people = [
        Attendee("t", "signed_in", "T", TEACHER, (Visit(start, end),)),
        Attendee("p", "signed_in", "P", PUPILS[0].user, (Visit(start, end),)),
    ]
    school.hold(Conference("lesson", made["space"], made["meeting_code"], TEACHER, start, end, tuple(people)))
    return made["session_id"]


class Failing:
    """Meet, with some failing methods."""

    def __init__(self, conferences, **errors):
        self._conferences = conferences
        self._errors = errors

    async def read(self, conference_record, **how):
        if error := self._errors.get("read"):
            raise error
        return await self._conferences.read(conference_record, **how)

    async def list(self, *, space, **wanted):
        if error := self._errors.get("list_of_room" if space else "list_of_teacher"):
            raise error
        return await self._conferences.list(space=space, **wanted)


class Silent:
    """The Directory and People APIs, which do not answer."""

    async def look_up(self, users, **_):
        return LookUp({}, frozenset(), frozenset(users))


REFUSED, UNAVAILABLE = AccessDenied("Refused."), Unavailable("Does not answer.")


def tries_of_backoff(length):
    """Return how often the growing pauses allow a try of something that always fails, from its first failure on."""
    tries, at = 1, timedelta(0)
    while (at := at + wait_after(tries)) < length:
        tries += 1
    return tries


def tries(schedule):
    """Return when the class was tried; a repeated message after a later try does not count."""
    return [moment for moment, job in schedule.topic.done if job.name in {"sync-session", "sync-conference"}]


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("lesson")
@pytest.mark.parametrize(
    ("days", "what"),
    [
        (12, {"identities": Silent()}),
        (5, {"read": REFUSED}),
        (5, {"read": UNAVAILABLE}),
        (5, {"list_of_room": REFUSED}),
        (5, {"list_of_room": UNAVAILABLE}),
    ],
    ids=["identities-silent", "record-refused", "record-unavailable", "room-refused", "room-unavailable"],
)
async def test_a_class_that_cannot_be_decided_is_tried_by_all_jobs_together_as_often_as_the_backoff_says(
    schedule, days, what
):
    """It runs the deployed schedule. Before, `reconcile` alone tried it 48 times a day."""
    if identities := what.get("identities"):
        schedule.deps = dataclasses.replace(schedule.deps, identities=identities)
    else:
        schedule.deps = dataclasses.replace(schedule.deps, conferences=Failing(schedule.deps.conferences, **what))
    await schedule.run(days * DAY)

    done, wanted = tries(schedule), tries_of_backoff(days * DAY)
    assert wanted == {12: 55, 5: 27}[days]
    # Two tries have nothing to do with failures: the one at the class's end, and the one when Meet's data is final.
    assert wanted - 4 <= len(done) <= wanted + 4
    for day in range(2, days):
        assert sum(day * DAY <= moment - START < (day + 1) * DAY for moment in done) <= 5


async def test_a_class_is_tried_at_once_when_meet_lists_for_its_teacher_again_and_no_more_often(
    schedule, clock, lesson
):
    working = schedule.deps
    refusing = Failing(working.conferences, list_of_room=REFUSED, list_of_teacher=REFUSED, read=REFUSED)
    schedule.deps = dataclasses.replace(working, conferences=refusing)
    await schedule.run(14 * HOUR)
    assert await schedule.marks(lesson) == ["unknown"]

    schedule.deps, began = working, clock()
    await schedule.run(HOUR / 2)
    assert await schedule.marks(lesson) == ["present"]
    assert len([moment for moment in tries(schedule) if moment >= began]) <= 2

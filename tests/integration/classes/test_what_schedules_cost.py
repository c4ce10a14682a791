"""How many documents scheduled jobs read: this depends on what is due, not on what is stored."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.databases.database import Write
from functions.adapters.store.documents.people import organizer_to_document
from functions.adapters.store.documents.timetable import room_to_document
from functions.adapters.store.views import DocumentViews
from functions.domain.classes.sessions import AttendanceSheet, TrackedOrganizer
from functions.domain.classes.timetable import Room, Slot
from functions.domain.conferences.model import Organizer
from functions.domain.intervals import Interval
from functions.ports.messages import Job
from functions.services.operations.run_job import run_job
from functions.services.operations.survey import survey
from functions.services.teachers.organizers import enrol
from infra.local.clock import TurnableClock
from infra.local.school import School
from tests.builders import lesson
from tests.counting import Counting
from tests.integration.classes.test_nothing_lost import ADMIN, COLLEAGUE

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
HOUR, DAY, HALF_AN_HOUR = timedelta(hours=1), timedelta(days=1), timedelta(minutes=30)
NO_TIME = timedelta(0)


class Handed:
    """Jobs that are only recorded."""

    def __init__(self):
        self.jobs = []

    async def publish(self, jobs):
        self.jobs.extend(jobs)


@pytest.fixture
def clock():
    return TurnableClock(NOW)


@pytest.fixture
def school(clock):
    school = School(clock)
    school.enrol(COLLEAGUE)
    return school


@pytest.fixture
def database(tmp_path):
    return Counting(tmp_path / "counted.db")


@pytest.fixture
def handed():
    return Handed()


@pytest.fixture
def deps(instance, google, workspace_events, *, database, clock, handed):
    async def pause(seconds):
        clock.turn(timedelta(seconds=seconds))

    app = instance(
        clock=clock,
        pause=pause,
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
        workspace_events_api_endpoint=workspace_events.endpoint,
        api_callers="*=admin",
    )
    store = DocumentAttendanceStore(database, clock=clock, retention=None)
    return dataclasses.replace(app.deps, store=store, jobs=handed)


def teachers(count):
    return [TrackedOrganizer(f"users/{n}", f"t{n}@school.example", enrolled_at=NOW) for n in range(1000, 1000 + count)]


def single_class(number, start, *, owner="users/2000"):
    """Return the room of one class of one hour, in its state after all checks of it until now."""
    slot = Slot(f"s{number}", Interval(start, start + HOUR), HALF_AN_HOUR, HALF_AN_HOUR)
    room = Room(f"spaces/r{number}", Organizer(owner), (slot,))
    for moment in looks(room, until=NOW - HALF_AN_HOUR):
        room = dataclasses.replace(room, looked_at=moment)
    return room


def looks(room, *, until):
    """Return the times at which a half-hourly job checks a room."""
    moments = []
    while room.reconcile_at and room.reconcile_at <= until:
        moment = room.reconcile_at + (NOW - room.reconcile_at) % HALF_AN_HOUR
        if moment > until:
            break
        moments.append(moment)
        room = dataclasses.replace(room, looked_at=moment)
    return moments


async def year(database, *, classes, tracked=0):
    """Store a year of single classes, evenly spread, half of them in the future; each has its own room."""
    step = 366 * DAY / classes
    rooms = [single_class(n, NOW - 183 * DAY + n * step) for n in range(classes)]
    writes = [Write(room.space, room_to_document(room)) for room in rooms]
    writes += [Write(f"organizers/{t.user[6:]}", organizer_to_document(t)) for t in teachers(tracked)]
    for start in range(0, len(writes), 5000):
        await database.commit(writes[start : start + 5000])
    database.reads = 0


async def reads_of(database, deps, job, **data):
    before = database.reads
    await run_job(Job(job, data), deps=deps)
    return database.reads - before


def test_a_single_class_has_its_room_looked_into_some_forty_times_in_thirty_days_and_never_after():
    start = NOW - 60 * DAY
    room = dataclasses.replace(single_class(1, start), looked_at=None)
    times = looks(room, until=NOW)

    assert times[0] == start
    assert times[-1] <= start + HOUR + 31 * DAY
    assert 35 <= len(times) <= 45
    assert all(after - before <= DAY + HALF_AN_HOUR for before, after in pairwise(times))


def test_the_room_of_a_teacher_who_is_tracked_is_looked_at_once_a_week():
    room = dataclasses.replace(single_class(1, NOW - DAY), looked_at=NOW, tracked_at=NOW)

    assert room.reconcile_at == NOW + 7 * DAY


@pytest.mark.parametrize("classes", [366, 3660])
async def test_reconcile_reads_each_teacher_once_and_of_the_rooms_only_those_that_are_due(
    database, deps, handed, classes
):
    await year(database, classes=classes, tracked=20)
    reads = await reads_of(database, deps, "reconcile")

    due = [job for job in handed.jobs if "space" in job.data]
    assert reads == 20 + max(len(due), 1)
    # With ten classes a day, today's classes are due. So are the few classes of each earlier day whose daily check is
    # due now.
    assert len(due) <= classes / 366 * 5


async def test_what_is_to_come_and_what_meet_has_forgotten_is_never_read(database, deps, handed):
    rooms = [single_class(n, NOW + timedelta(hours=1 + n)) for n in range(500)]
    rooms += [dataclasses.replace(single_class(1000 + n, NOW - 40 * DAY), looked_at=NOW - DAY) for n in range(500)]
    await database.commit([Write(room.space, room_to_document(room)) for room in rooms])
    database.reads = 0

    assert await reads_of(database, deps, "reconcile") == 2
    assert [job.name for job in handed.jobs] == ["park-dead-letters"]


async def test_pages_of_rooms_go_on_where_they_stopped_and_each_room_is_read_once(database, deps, handed):
    rooms = [single_class(n, NOW - timedelta(seconds=n)) for n in range(5000)]
    rooms = [dataclasses.replace(room, looked_at=None) for room in rooms]
    await database.commit([Write(room.space, room_to_document(room)) for room in rooms])
    database.reads = 0
    await run_job(Job("reconcile"), deps=deps)
    [goes_on] = [job for job in handed.jobs if "after" in job.data]
    handed.jobs.remove(goes_on)
    await run_job(goes_on, deps=deps)

    spaces = [job.data["space"] for job in handed.jobs if "space" in job.data]
    assert sorted(spaces) == sorted(room.space for room in rooms)
    assert database.reads <= 5000 * 1.01


async def test_a_look_for_a_room_of_a_tracked_teacher_reads_three_documents_and_is_put_off_for_a_week(
    database, deps, clock
):
    await enrol(COLLEAGUE.email, caller=ADMIN, deps=deps)
    room = dataclasses.replace(single_class(1, NOW - HOUR, owner=COLLEAGUE.user), looked_at=None)
    await database.commit([Write(room.space, room_to_document(room))])
    assert await reads_of(database, deps, "reconcile", space=room.space) <= 3

    [due] = await deps.store.rooms_to_reconcile(NOW + 7 * DAY, after=None, limit=5)
    assert due.due_at == clock() + 7 * DAY


async def test_other_jobs_read_what_is_due_and_each_teacher_once(database, deps, clock):
    await year(database, classes=366, tracked=20)
    sync_due = await reads_of(database, deps, "sync-due")
    renew = await reads_of(database, deps, "renew-subscriptions")
    before = database.reads
    await survey(views=DocumentViews(database), now=clock())

    assert (sync_due, renew, database.reads - before) == (4, 20, 20 + 8)


async def test_a_look_for_a_teacher_without_anything_new_reads_six_documents(database, deps):
    await enrol(COLLEAGUE.email, caller=ADMIN, deps=deps)

    assert await reads_of(database, deps, "reconcile", organizer=COLLEAGUE.user) <= 6
    assert await reads_of(database, deps, "renew-subscriptions", organizer=COLLEAGUE.user) <= 2


async def test_a_look_into_the_room_of_a_teacher_who_is_not_tracked_reads_seven_documents(database, deps):
    room = dataclasses.replace(single_class(1, NOW - 2 * HOUR, owner=COLLEAGUE.user), looked_at=None)
    planned = lesson(session_id="s1")
    plan = dataclasses.replace(planned.plan, scheduled=room.slots[0].scheduled, teachers=(COLLEAGUE.email,))

    async def put(work):
        work.put_sheet(AttendanceSheet(dataclasses.replace(planned, plan=plan)))
        work.put_room(room)

    await deps.store.transact(put)

    assert await reads_of(database, deps, "reconcile", space=room.space) <= 7

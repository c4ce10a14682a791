"""`make backfill SOURCE=reports` as a command: it reads from Google's reports what Meet has deleted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.entrypoints.commands.operate.__main__ import operate
from infra.local.classes import believable_class
from infra.local.google_apis import GoogleApis, RestFault
from infra.local.meet import MeetSimulator
from infra.local.reports import report_id, row
from infra.local.school import Account, School
from infra.local.subscriptions import WorkspaceEventsSimulator

TEACHER = Account("users/1", "teacher@school.example", display_name="The Teacher")
COLLEAGUE = Account("users/2", "colleague@school.example", display_name="A Colleague")
PUPILS = [Account(f"users/{n}", f"pupil{n}@school.example", display_name=f"Pupil {n}") for n in range(10, 15)]
ADMIN = "admin@school.example"
REPORTS = ("backfill", "--source", "reports", "--since")


@pytest.fixture
def school():
    school = School(lambda: datetime.now(UTC))
    school.enrol(TEACHER, COLLEAGUE, *PUPILS)
    return school


@pytest.fixture
def meet(school):
    with MeetSimulator(school).in_thread() as simulator:
        yield simulator


@pytest.fixture
def google(school):
    with GoogleApis(school).in_thread() as apis:
        apis.reports.admins = frozenset({ADMIN})
        yield apis


@pytest.fixture
def command(school, meet, google, tmp_path, monkeypatch):
    """Return a function that runs a command like an operator who has enrolled the teacher."""
    with WorkspaceEventsSimulator(school).in_thread() as subscriptions:
        variables = {
            "AUTH_MODE": "anonymous",
            "ATTENDANCE_STORE": f"sqlite:///{tmp_path / 'attendance.db'}",
            "MEET_API_ENDPOINT": meet.endpoint,
            "PEOPLE_API_ENDPOINT": google.endpoint,
            "DIRECTORY_API_ENDPOINT": google.endpoint,
            "REPORTS_API_ENDPOINT": google.endpoint,
            "REPORTS_ADMIN": ADMIN,
            "WORKSPACE_EVENTS_API_ENDPOINT": subscriptions.endpoint,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

        def typed(*arguments):
            result = CliRunner().invoke(operate, arguments)
            if result.exception and not isinstance(result.exception, SystemExit):
                raise result.exception
            return result

        assert typed("enroll", "--teacher", TEACHER.email).exit_code == 0
        yield typed


@pytest.fixture
def stored(tmp_path):
    database = SqliteDatabase(tmp_path / "attendance.db")

    def stored(collection):
        """Return the documents of a collection, by id."""
        return {
            document.path.rpartition("/")[2]: document.fields for document in asyncio.run(database.children(collection))
        }

    return stored


def a_class(seed, *, days, teacher=TEACHER, **more):
    start = datetime.now(UTC) - timedelta(days=days)
    return believable_class(
        seed, people=5, start=start, length=timedelta(minutes=50), organizer=teacher.user, pupils=PUPILS, **more
    )


def told(conference):
    return f"reports-{report_id(conference)}"


def test_what_meet_has_forgotten_is_read_of_tracked_teachers_alone_and_once(command, school, stored, google):
    forgotten, midnight, others = a_class(1, days=60), a_class(2, days=2.5), a_class(3, days=40, teacher=COLLEAGUE)
    for held in (forgotten, midnight, others):
        school.hold(held)
    google.reports.page_size = 7
    dry = command(*REPORTS, "90d", "--dry-run")
    nothing = stored("conferences")
    first = command(*REPORTS, "90d", "--teacher", TEACHER.email)
    [before] = [stored(f"sessions/{told(forgotten)}/attendance")]
    again = command(*REPORTS, "90d")

    assert (dry.exit_code, first.exit_code, again.exit_code) == (0, 0, 0)
    assert dry.stdout.splitlines()[-1] == "Calls in the reports: 2."
    assert nothing == {}
    assert first.stdout.splitlines()[-1] == "Calls in the reports: 2, 2 read, 0 failed."
    assert set(stored("conferences")) == {told(forgotten), told(midnight)}
    session = stored("sessions")[told(forgotten)]
    assert (session["teacher_email"], session["space"]) == (TEACHER.email, forgotten.space)
    assert {p["email"] for p in before.values()} == {TEACHER.email, *(pupil.email for pupil in PUPILS[:-1])}
    assert stored(f"sessions/{told(forgotten)}/attendance") == before


def test_a_teacher_is_found_by_every_address_that_the_directory_knows(command, school, stored):
    primary, alias = "third@school.example", "alias3@school.example"
    third = Account("users/3", primary, aliases=(alias,), display_name="A Third")
    school.enrol(third)
    assert command("enroll", "--teacher", alias).exit_code == 0
    held = a_class(4, days=60, teacher=third)
    school.hold(held)

    result = command(*REPORTS, "90d")

    assert result.stdout.splitlines()[-1] == "Calls in the reports: 1, 1 read, 0 failed."
    assert stored("sessions")[told(held)]["teacher_email"] == alias


def test_where_meet_shows_the_same_call_there_is_one_class_meeting(command, school, stored):
    held = a_class(1, days=3)
    school.hold(held)
    command(*REPORTS, "10d")
    alone = set(stored("sessions"))
    command("backfill", "--since", "10d")
    command(*REPORTS, "10d")

    assert alone == {told(held)}
    assert set(stored("sessions")) == {held.id}
    assert stored("conferences")[told(held)]["superseded_by"] == held.name


def test_a_call_of_no_known_room_and_one_that_fails_are_reported_and_stop_no_other(command, school, stored, google):
    school.hold(a_class(1, days=3))
    left_at = datetime.now(UTC) - timedelta(days=4)
    call = {"conference_id": "c1", "endpoint_id": "e1", "meeting_code": "ZZZZZZZZZZ", "organizer_email": TEACHER.email}
    google.reports.extra = [row(left_at, 60, call)]
    result = command(*REPORTS, "10d")

    assert result.exit_code == 0
    assert "  conferenceRecords/reports-c1: in an unknown room" in result.stdout
    assert "1 in unknown rooms." in result.stderr
    assert len(stored("conferences")) == 1


def test_a_period_longer_than_reports_keep_is_shortened_with_a_message(command):
    whole, more = command(*REPORTS, "180d"), command(*REPORTS, "200d")

    assert (whole.exit_code, more.exit_code) == (0, 0)
    assert "Reports go back 180 days" not in whole.stderr
    assert "Reports go back 180 days" in more.stderr


def test_reports_that_cannot_be_read_end_it_with_what_to_do(command, google, monkeypatch):
    google.fail(RestFault("activities.list", 403, "SERVICE_DISABLED"))
    disabled = command(*REPORTS, "1d")
    monkeypatch.delenv("REPORTS_ADMIN")
    unset = command(*REPORTS, "1d")

    assert (disabled.exit_code, unset.exit_code) == (2, 2)
    assert "gcloud services enable admin.googleapis.com" in disabled.stderr
    assert "REPORTS_ADMIN" in unset.stderr

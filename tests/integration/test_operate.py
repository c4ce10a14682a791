"""The commands of operators, run with all stand-ins of Google's services."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from click.testing import CliRunner
from cloudevents.http import CloudEvent

from functions import settings, wiring
from functions.adapters.store.databases.database import Write
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.entrypoints.commands.operate.__main__ import operate
from functions.entrypoints.commands.operate.backfill import with_half_of_the_quota
from functions.entrypoints.messages import events, jobs
from infra.local.classes import believable_class
from infra.local.faults import Fault
from infra.local.function_server import ROOT
from infra.local.google_apis import GoogleApis
from infra.local.meet import MeetSimulator
from infra.local.school import Account, School, Visit
from infra.local.subscriptions import WorkspaceEventsSimulator
from infra.local.workspace_events import Message, conference_ended

NOW = datetime.now(UTC)
LENGTH = timedelta(minutes=50)
TEACHER = Account("users/1", "teacher@school.example", display_name="The Teacher")
COLLEAGUE = Account("users/2", "colleague@school.example", display_name="A Colleague")
# The process must get Ctrl-C, even if the tests were started in a way that ignores it.
BACKFILL = [
    "env",
    "--default-signal=INT",
    sys.executable,
    "-u",
    "-m",
    "functions.entrypoints.commands.operate",
    "backfill",
    "--since",
    "30d",
]


@pytest.fixture
def school():
    school = School(lambda: datetime.now(UTC))
    school.enrol(TEACHER, COLLEAGUE)
    return school


@pytest.fixture
def meet(school):
    with MeetSimulator(school).in_thread() as simulator:
        simulator.hides_missing = False  # so that events are parked
        yield simulator


@pytest.fixture
def environment(school, meet, tmp_path, monkeypatch):
    """Return the environment variables of a command."""
    with GoogleApis(school).in_thread() as google, WorkspaceEventsSimulator(school).in_thread() as subscriptions:
        variables = {
            "AUTH_MODE": "anonymous",
            "ATTENDANCE_STORE": f"sqlite:///{tmp_path / 'attendance.db'}",
            "MEET_API_ENDPOINT": meet.endpoint,
            "PEOPLE_API_ENDPOINT": google.endpoint,
            "DIRECTORY_API_ENDPOINT": google.endpoint,
            "WORKSPACE_EVENTS_API_ENDPOINT": subscriptions.endpoint,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield
        assert subscriptions.violations == []


@pytest.fixture
def command(environment):  # noqa: ARG001 - a command needs it
    """Return a function that runs a command and returns its exit code and output."""

    def typed(*arguments):
        result = CliRunner().invoke(operate, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return typed


class Stored:
    """The stored documents."""

    def __init__(self, database):
        self.database = database

    def __call__(self, path):
        """Return the fields of a document, or None."""
        document = asyncio.run(self.database.get(path))
        return document.fields if document else None

    def parked(self):
        """Return the ids of messages that wait for a replay."""
        documents = asyncio.run(self.database.children("parked_events"))
        return [document.path.rpartition("/")[2] for document in documents if not document.fields["replayed_at"]]


@pytest.fixture
def stored(tmp_path):
    return Stored(SqliteDatabase(tmp_path / "attendance.db"))


@pytest.fixture
def tracked(command):
    assert command("enroll", "--teacher", TEACHER.email).exit_code == 0


@pytest.fixture
def delivered(environment):  # noqa: ARG001 - the function needs it
    """Return a function that delivers a message to its function, which acknowledges it."""

    def delivered(message, handle=events.handle):
        attributes, data = message.attributes, base64.b64encode(message.data).decode()
        body = {"message": {"attributes": attributes, "data": data}}
        event = CloudEvent({"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub"}, body)

        async def deliver():
            app = wiring.build(settings.load())
            await handle(event, lambda: app)
            await app.close()

        asyncio.run(deliver())

    return delivered


def a_class(seed, *, days=1, teacher=TEACHER):
    start = datetime.now(UTC) - timedelta(days=days)
    return believable_class(seed, people=4, start=start, length=LENGTH, organizer=teacher.user)


def a_class_that_ends_now(seed):
    """Return a class that ends now; Meet does not show yet that one person left."""
    now = datetime.now(UTC)
    held = believable_class(seed, people=4, start=now - LENGTH, length=LENGTH, organizer=TEACHER.user)
    first, *others = held.attendees
    still_there = dataclasses.replace(first, visits=(Visit(held.start),))
    return dataclasses.replace(held, attendees=(still_there, *others))


def ended(conference, *, ago=timedelta(0)):
    return conference_ended(conference.name, organizer=conference.organizer, at=conference.end - ago)


def state_of(fields):
    return fields and fields["sync"]["state"]


# --- enroll ----------------------------------------------------------------------------------------------------


def test_an_enrolled_teacher_is_tracked_and_may_be_enrolled_again(command, stored):
    first = command("enroll", "--teacher", "Teacher@School.example")
    second = command("enroll", "--teacher", TEACHER.email)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout.startswith("teacher@school.example: tracked as users/1, subscription active until 20")
    assert first.stdout.endswith("from now on.\n")
    assert second.stdout.endswith("as before.\n")
    assert stored("organizers/1")["subscription"]["state"] == "active"


def test_a_teacher_who_cannot_be_enrolled_is_reported_with_what_to_do_and_stops_no_other(command, stored):
    result = command("enroll", "--teacher", f"nobody@school.example, {TEACHER.email}")

    assert result.exit_code == 1
    assert result.stderr == (
        "nobody@school.example: failed. email is not an account that Google knows. "
        "Use the address of an account in your Google Workspace, such as ada@school.example.\n"
    )
    assert stored("organizers/1")


def test_nobody_is_enrolled_that_the_system_may_not_act_for(command, monkeypatch, stored):
    monkeypatch.setenv("ALLOWED_DOMAINS", "other.example")
    result = command("enroll", "--teacher", TEACHER.email)

    assert result.exit_code == 1
    assert "ALLOWED_DOMAINS" in result.stderr
    assert stored("organizers/1") is None


@pytest.mark.usefixtures("tracked")
def test_a_dry_run_of_enrolling_says_who_is_tracked_and_tracks_nobody(command, stored):
    result = command("enroll", "--teacher", f"{TEACHER.email},{COLLEAGUE.email}", "--dry-run")

    first, second = result.stdout.splitlines()
    assert result.exit_code == 0
    assert first.startswith("teacher@school.example: tracked as users/1, subscription active until 20")
    assert second == "colleague@school.example: is not tracked yet and may be."
    assert stored("organizers/2") is None


# --- backfill --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("tracked")
def test_what_meet_remembers_is_read_and_not_read_again(command, school, meet, stored, delivered):
    known, missed, older = a_class(1), a_class(2), a_class(3, days=20)
    for held in (known, missed, older):
        school.hold(held)
    delivered(ended(known))

    first = command("backfill", "--since", "30d")
    meet.calls.clear()
    second = command("backfill", "--since", "30d", "--teacher", TEACHER.email)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout.splitlines()[0] == "users/1: Meet knows 3 conferences, 2 to be read."
    assert sorted(first.stdout.splitlines()[1:-1]) == sorted(f"  {held.name}: read" for held in (missed, older))
    assert first.stdout.splitlines()[-1] == "users/1: 2 read."
    assert [state_of(stored(f"conferences/{held.id}")) for held in (missed, older)] == ["complete", "complete"]
    assert second.stdout == "users/1: Meet knows 3 conferences, 0 to be read.\n"
    assert set(meet.calls.by_method()) == {"ListConferenceRecords"}


@pytest.mark.usefixtures("tracked")
def test_only_what_ended_since_is_read(command, school, stored):
    new, old = a_class(1), a_class(2, days=20)
    school.hold(new)
    school.hold(old)
    result = command("backfill", "--since", (NOW - timedelta(days=10)).isoformat(), "--teacher", "users/1")

    assert result.exit_code == 0
    assert stored(f"conferences/{new.id}")
    assert stored(f"conferences/{old.id}") is None


@pytest.mark.usefixtures("tracked")
def test_what_failed_and_what_is_complete_without_an_end_is_read_again(command, delivered, school, meet, stored):
    failing, endless = a_class(1), dataclasses.replace(a_class(2), settles=NOW + timedelta(days=1))
    for held in (failing, endless):
        school.hold(held)
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.PERMISSION_DENIED, resource=failing.id))
    for held in (failing, endless):
        delivered(ended(held))
    before = [state_of(stored(f"conferences/{held.id}")) for held in (failing, endless)]
    meet.faults.clear()
    school.hold(dataclasses.replace(endless, settles=None))
    result = command("backfill", "--since", "2d")

    assert before == ["failed", "complete"]
    assert result.stdout.splitlines()[-1] == "users/1: 2 read."
    assert state_of(stored(f"conferences/{failing.id}")) == "complete"
    assert stored(f"conferences/{endless.id}")["end_time"] == endless.end


@pytest.mark.usefixtures("tracked")
def test_a_conference_that_cannot_be_read_stops_no_other_and_is_reported_at_the_end(command, school, meet, stored):
    held = [a_class(seed) for seed in range(3)]
    for one in held:
        school.hold(one)
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.PERMISSION_DENIED, resource=held[1].id))
    result = command("backfill", "--since", "30d")

    assert result.exit_code == 1
    assert f"  {held[1].name}: failed (insufficient-permissions)" in result.stdout
    assert result.stdout.splitlines()[-1] == "users/1: 2 read, 1 failed."
    assert result.stderr.startswith(f"{held[1].name}: failed. Meet does not show this conference to its organizer")
    assert "Check that the organizer's account is active" in result.stderr
    assert [state_of(stored(f"conferences/{one.id}")) for one in held] == ["complete", "failed", "complete"]


def test_a_teacher_whose_conferences_cannot_be_listed_stops_no_other(command, school, meet, stored):
    command("enroll", "--teacher", f"{TEACHER.email},{COLLEAGUE.email}")
    held = a_class(1, teacher=COLLEAGUE)
    school.hold(held)
    meet.faults.set(Fault("ListConferenceRecords", grpc.StatusCode.PERMISSION_DENIED, times=1))
    result = command("backfill", "--since", "30d")

    assert result.exit_code == 1
    assert result.stderr.startswith("users/1: failed. Meet does not show")
    assert stored(f"conferences/{held.id}")


@pytest.mark.usefixtures("tracked")
def test_what_is_not_settled_is_reported_and_is_not_a_failure(command, school, stored):
    school.hold(held := a_class_that_ends_now(1))
    result = command("backfill", "--since", "1d")

    assert result.exit_code == 0
    assert f"  {held.name}: read, not settled yet" in result.stdout
    assert result.stdout.endswith("users/1: 1 read, 1 of them not settled yet.\n")
    assert state_of(stored(f"conferences/{held.id}")) == "provisional"


@pytest.mark.usefixtures("tracked")
def test_a_dry_run_of_a_backfill_lists_what_would_be_read_and_reads_nothing(command, school, stored):
    school.hold(held := a_class(1))
    result = command("backfill", "--since", "30d", "--dry-run")

    assert result.exit_code == 0
    assert result.stdout == f"users/1: Meet knows 1 conferences, 1 to be read.\n  {held.name}\n"
    assert stored(f"conferences/{held.id}") is None


@pytest.mark.usefixtures("tracked")
def test_a_teacher_who_is_not_tracked_is_to_be_enrolled_first_and_stops_no_other(command, school, stored):
    school.hold(held := a_class(1))
    result = command("backfill", "--since", "30d", "--teacher", f"{COLLEAGUE.email},{TEACHER.email},users/3")

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{name}: failed. This teacher is not tracked. Enroll the teacher first: make enroll TEACHER=…"
        for name in (COLLEAGUE.email, "users/3")
    ]
    assert stored(f"conferences/{held.id}")


def test_without_any_tracked_teacher_a_backfill_says_what_to_do_first(command):
    result = command("backfill", "--since", "30d")

    assert result.exit_code == 2
    assert result.stderr == "No teacher is tracked.\nEnroll the teachers first: make enroll TEACHER=…\n"


@pytest.mark.usefixtures("tracked")
def test_a_period_longer_than_meet_keeps_is_shortened_with_a_message(command):
    cut, whole = command("backfill", "--since", "2000-01-01"), command("backfill", "--since", "720h")

    assert (cut.exit_code, whole.exit_code) == (0, 0)
    assert cut.stderr.startswith("Meet keeps data for 30 days")
    assert whole.stderr == ""


@pytest.mark.usefixtures("tracked")
def test_a_time_in_the_future_is_refused(command):
    result = command("backfill", "--since", (NOW + timedelta(days=1)).isoformat())

    assert result.exit_code == 2
    assert "should not be in the future" in result.stderr


@pytest.mark.usefixtures("environment")
def test_a_backfill_leaves_half_of_the_quota_to_live_traffic(monkeypatch):
    halves = {}
    for limit in (0, 1, 2, 600, 601):
        monkeypatch.setenv("MEET_READS_PER_MINUTE", str(limit))
        halves[limit] = with_half_of_the_quota(settings.load()).meet_reads_per_minute

    assert halves == {0: 0, 1: 1, 2: 1, 600: 300, 601: 300}


@pytest.mark.usefixtures("tracked")
def test_a_backfill_that_is_broken_off_goes_on_where_it_was(command, school, meet):
    held = [a_class(seed) for seed in range(6)]
    for one in held:
        school.hold(one)
    meet.faults.set(Fault("GetConferenceRecord", resource=held[0].id, drop=True))
    with subprocess.Popen(  # noqa: S603 - our own program
        BACKFILL, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        lines = [running.stdout.readline() for _ in range(len(held))]
        running.send_signal(signal.SIGINT)
        _, said = running.communicate()
    meet.faults.clear()
    again = command("backfill", "--since", "30d")

    assert lines[0] == "users/1: Meet knows 6 conferences, 6 to be read.\n"
    assert running.returncode == 130
    assert said.strip() == "Stopped. What was read is stored. Run the same command to continue."
    assert again.stdout.splitlines()[0] == "users/1: Meet knows 6 conferences, 1 to be read."


@pytest.mark.usefixtures("tracked")
def test_on_a_terminal_a_bar_shows_how_far_it_is(school):
    for seed in range(2):
        school.hold(a_class(seed))
    ours, its = os.openpty()
    done = subprocess.run(BACKFILL, cwd=ROOT, stdout=its, check=False)  # noqa: S603 - our own program
    os.close(its)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)

    assert done.returncode == 0
    assert [part in shown for part in ("0/2", "2/2", "users/1: 2 read.")] == [True] * 3
    assert "conferenceRecords/" not in shown


# --- replay ----------------------------------------------------------------------------------------------------


def test_a_replayed_event_is_processed_as_if_it_came_now_and_waits_no_longer(command, delivered, school, stored):
    held = a_class(1)
    delivered(ended(held))
    (waiting,) = stored.parked()
    school.hold(held)
    result = command("replay")

    assert result.exit_code == 0
    first, summary = result.stdout.splitlines()
    assert first.startswith(f"{waiting}  conference-record-gone, parked 20")
    assert first.endswith("UTC: replayed.")
    assert summary == "1 replayed, 0 still parked."
    assert state_of(stored(f"conferences/{held.id}")) == "complete"
    assert stored.parked() == []
    assert command("replay").stdout == "0 replayed, 0 still parked.\n"


def test_a_replayed_job_is_done_as_a_job(command, delivered, school, stored):
    held = a_class(1)
    data = f'{{"conference_record": "{held.name}", "organizer": "users/1"}}'.encode()
    delivered(Message({"job": "sync-conference"}, data), handle=jobs.handle)
    assert len(stored.parked()) == 1
    school.hold(held)
    result = command("replay")

    assert result.stdout.endswith("1 replayed, 0 still parked.\n")
    assert stored(f"conferences/{held.id}")["sync"]["source"] == "reconcile"


def test_what_fails_again_for_good_stays_parked_and_says_why(command, delivered, stored):
    delivered(ended(a_class(1)))
    delivered(Message({"neither": "job nor event"}, b"{}"))
    before = stored.parked()
    result = command("replay")

    assert result.exit_code == 1
    first, second, summary = result.stdout.splitlines()
    assert "stays parked. Meet does not know the resource (NotFound). Meet deletes conference records 30 days" in first
    assert "stays parked. The message's attributes name neither a job (job) nor an event (ce-type)." in second
    assert summary == "0 replayed, 2 still parked."
    assert stored.parked() == before


def test_a_message_of_which_only_a_part_was_kept_stays_parked(command, delivered, stored):
    delivered(Message({"ce-type": "t", "much": "x" * 300_000}, b"{}"))
    delivered(Message({"much": "x" * 300_000}, b"{}"))
    result = command("replay")

    assert result.exit_code == 1
    assert "stays parked. Only the first part of the message was kept." in result.stdout
    assert len(stored.parked()) == 1


def test_what_is_stored_but_not_settled_is_left_to_the_scheduled_jobs(command, delivered, school, stored):
    held = a_class_that_ends_now(1)
    delivered(ended(held, ago=timedelta(minutes=15)))  # a recent one is delivered again, and is not parked
    school.hold(held)
    result = command("replay")

    assert result.exit_code == 0
    assert "replayed; Meet may still change the conference, so the system reads it again by itself." in result.stdout
    assert state_of(stored(f"conferences/{held.id}")) == "provisional"
    assert stored.parked() == []


def test_what_meet_refuses_is_replayed_and_told(command, delivered, school, meet, stored):
    held = a_class(1)
    delivered(ended(held))
    school.hold(held)
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.PERMISSION_DENIED))
    result = command("replay")

    assert result.exit_code == 1
    assert "replayed, but Meet refuses. Meet does not show this conference to its organizer" in result.stdout
    assert state_of(stored(f"conferences/{held.id}")) == "failed"
    assert stored.parked() == []


def test_what_may_pass_by_itself_stays_parked_for_now(command, delivered, school, stored):
    held = a_class(1)
    delivered(ended(held))
    school.hold(held)
    of_later_version = Write(f"conferences/{held.id}", {"schema_version": 99})
    asyncio.run(stored.database.commit([of_later_version]))
    result = command("replay")

    assert result.exit_code == 1
    assert "stays parked for now." in result.stdout
    assert result.stdout.endswith("0 replayed, 1 still parked.\n")
    assert stored(f"conferences/{held.id}") == of_later_version.fields
    assert len(stored.parked()) == 1


def test_one_message_or_those_of_one_reason_are_replayed(command, delivered, school, stored):
    held = [a_class(1), a_class(2), a_class(3)]
    for one in held:
        delivered(ended(one))
        school.hold(one)
    delivered(Message({"neither": "job nor event"}, b"{}"))
    one, *_ = [
        key
        for key in stored.parked()
        if key in command("replay", "--reason", "conference-record-gone", "--dry-run").stdout
    ]

    alone = command("replay", "--id", one)
    assert alone.stdout.endswith("1 replayed, 0 still parked.\n")
    assert one not in stored.parked()
    alike = command("replay", "--reason", "conference-record-gone")
    assert (alike.exit_code, len(stored.parked())) == (0, 1)
    assert alike.stdout.endswith("2 replayed, 0 still parked.\n")


def test_a_message_that_does_not_wait_cannot_be_replayed(command, delivered, school, stored):
    held = a_class(1)
    delivered(ended(held))
    (replayed,) = stored.parked()
    school.hold(held)
    command("replay")

    for key in (replayed, "0" * 40):
        result = command("replay", "--id", key)
        assert result.exit_code == 2
        assert result.stderr.startswith("No parked message has this id.\n")


def test_a_dry_run_of_a_replay_lists_the_messages_and_processes_none(command, delivered, school, stored):
    held = a_class(1)
    delivered(ended(held))
    school.hold(held)
    before = stored.parked()
    result = command("replay", "--dry-run")

    assert result.exit_code == 0
    assert result.stdout.startswith(f"{before[0]}  conference-record-gone, parked 20")
    assert result.stdout.endswith("\n1 to replay.\n")
    assert stored.parked() == before
    assert stored(f"conferences/{held.id}") is None


# --- All of them -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["enroll"], "Missing option '--teacher'"),
        (["enroll", "--teacher", "users/1"], "should be a teacher's e-mail address"),
        (["enroll", "--teacher", ","], "should be a teacher's e-mail address"),
        (["backfill"], "Missing option '--since'"),
        (["backfill", "--since", "30d", "--teacher", "teacher"], "should be a teacher's e-mail address or users/ID"),
        *(
            (["backfill", "--since", since], "should be 30d, 12h")
            for since in ["", "30", "-1d", "2026-11-23T09:00", "x"]
        ),
        (["replay", "--id", "../sessions"], "should be the id of a parked message"),
    ],
)
def test_a_wrong_argument_is_answered_with_the_right_form(command, arguments, said):
    result = command(*arguments)

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "arguments", [["enroll", "--teacher", "a@b.example"], ["backfill", "--since", "1d"], ["replay"]]
)
def test_without_the_right_settings_a_command_names_the_variable(command, monkeypatch, arguments):
    monkeypatch.setenv("SETTLE_SECONDS", "soon")
    result = command(*arguments)

    assert result.exit_code == 2
    assert result.stderr.startswith("SETTLE_SECONDS: ")
    assert "make run" in result.stderr

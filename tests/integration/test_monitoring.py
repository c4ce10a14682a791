"""Alerts work: each metric is evaluated over the log lines that the real system writes for its problem."""

import base64
import contextlib
import io
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import yaml
from cloudevents.http import CloudEvent
from starlette.exceptions import HTTPException

from functions import logs
from functions.adapters.store.databases.database import Write
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.errors import WrongSetting
from functions.entrypoints.messages import events, jobs
from infra.local.classes import believable_class
from infra.local.faults import Fault
from infra.local.school import Space
from infra.local.workspace_events import Message, conference_ended
from tests.api import CALLERS, client
from tests.log_query import extract, query

MONITORING = Path(__file__).parents[2] / "infra" / "monitoring"
SAMPLES = Path(__file__).parents[1] / "samples"
NOW = datetime.now(UTC).replace(microsecond=0)
LENGTH = timedelta(minutes=50)
HOUR = timedelta(hours=1)
DENIED = grpc.StatusCode.PERMISSION_DENIED
TEACHER = "teacher@school.example"


def described(folder):
    """Return what is deployed from a folder, by file name."""
    return {path.stem: yaml.safe_load(path.read_text()) for path in sorted((MONITORING / folder).glob("*.yaml"))}


METRICS, POLICIES = described("metrics"), described("policies")


@pytest.fixture
def written():
    """Return the log entries since the last call, in the form of Cloud Logging.

    https://cloud.google.com/logging/docs/structured-logging#special-payload-fields
    """
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = []
    with contextlib.redirect_stdout(io.StringIO()) as lines:
        logs.configure("INFO", project="p")

    def entry(line):
        own = {name: value for name, value in line.items() if not name.startswith("logging.googleapis.com/")}
        del own["time"]
        return {
            "severity": own.pop("severity"),
            "resource": {"type": "cloud_run_revision", "labels": {"service_name": "meet-attendance-jobs"}},
            "jsonPayload": own,
        }

    def written():
        whole = lines.getvalue().splitlines()
        lines.seek(0)
        lines.truncate()
        return [entry(json.loads(line)) for line in whole]

    yield written
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def database(tmp_path):
    return SqliteDatabase(tmp_path / "attendance.db")


def as_cloud_event(message):
    body = {"message": {"data": base64.b64encode(message.data).decode(), "attributes": message.attributes}}
    return CloudEvent({"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub"}, body)


async def event(app, held):
    message = conference_ended(held.name, organizer=held.organizer, at=held.end)
    await events.handle(as_cloud_event(message), lambda: app)


async def job(app, name, **data):
    await jobs.handle(as_cloud_event(Message({"job": name}, json.dumps(data).encode())), lambda: app)


def a_class(**fields):
    return believable_class(5, people=4, start=NOW - HOUR - LENGTH, length=LENGTH, **fields)


def organizer(**subscription):
    return {
        "schema_version": 1,
        "user": "users/1",
        "email": TEACHER,
        "enrolled_at": NOW,
        "subscription": {
            "name": "subscriptions/1",
            "state": "active",
            "expire_time": NOW + timedelta(days=5),
            "suspension_reason": None,
            "renewed_at": NOW,
            "error": None,
            **subscription,
        },
        "reconciled_until": None,
    }


async def scheduled(app):
    """Schedule a class in its own room; return its id."""
    body = {"teacher_email": TEACHER, "student_emails": ["ada@school.example"], "subject": "Maths"}
    time = {"start_time": (NOW - HOUR - LENGTH).isoformat(), "duration_minutes": 50}
    async with client(app) as calls:
        answer = await calls.post("/api/schedule/class", json={**body, **time, "meeting_code": "abc-mnop-xyz"})
    assert answer.status_code == 201, answer.text
    return answer.json()["session_id"]


@pytest.fixture
def app(instance, school):
    school.open(Space("spaces/room", "abc-mnop-xyz"))
    school.know(TEACHER, "users/1")
    return instance(api_callers=CALLERS)


def found(entries):
    """Return the metrics that count the entries, and the values that they extract."""
    values = {}
    for name, metric in METRICS.items():
        fits = query(metric["filter"])
        for entry in filter(fits, entries):
            taken = extract(metric["valueExtractor"], entry) if "valueExtractor" in metric else 1
            values.setdefault(name, []).append(taken)
    return values


def messages(entries):
    return [entry["jsonPayload"]["message"] for entry in entries]


async def test_a_healthy_system_is_silent_but_for_its_surveys(app, school, database, written):
    held = a_class()
    school.hold(held)
    session_id = await scheduled(app)
    await database.commit([Write("organizers/1", organizer())])
    await event(app, held)
    await job(app, "sync-session", session_id=session_id)
    await job(app, "sync-due")
    await job(app, "reconcile")
    entries = written()

    assert {"conference.recorded", "session.synced", "job.done", "system.surveyed"} <= set(messages(entries))
    assert {entry["severity"] for entry in entries} == {"INFO"}
    assert found(entries) == {"attendance-surveys": [1]}


async def test_a_conference_that_meet_refuses_is_counted(app, school, meet, written):
    held = a_class()
    school.hold(held)
    meet.faults.set(Fault("GetConferenceRecord", status=DENIED))
    await event(app, held)
    entries = written()

    assert messages(entries) == ["conference.failed"]
    assert found(entries) == {"attendance-failed-syncs": [1]}
    reason = METRICS["attendance-failed-syncs"]["labelExtractors"]["reason"]
    assert extract(reason, entries[0]) == "insufficient-permissions"


async def test_a_class_meeting_that_meet_refuses_is_counted(app, meet, written):
    session_id = await scheduled(app)
    meet.faults.set(Fault("ListConferenceRecords", status=DENIED))
    written()
    await job(app, "sync-session", session_id=session_id)
    entries = written()

    assert messages(entries) == ["session.failed"]
    assert entries[0]["jsonPayload"]["outcome"] == "failed"
    assert {"reason", "hint", "new", "changed", "meet_calls", "seconds"} <= entries[0]["jsonPayload"].keys()
    assert found(entries) == {"attendance-failed-syncs": [1]}


async def test_a_job_that_a_person_must_fix_is_counted(app, meet, database, written):
    await database.commit([Write("organizers/1", organizer())])
    meet.faults.set(Fault("ListConferenceRecords", status=DENIED))
    await job(app, "reconcile", organizer="users/1")
    entries = written()

    assert messages(entries) == ["job.failed"]
    assert found(entries) == {"attendance-failed-syncs": [1]}


async def test_a_subscription_that_a_person_must_fix_is_counted(app, database, written):
    sample = json.loads((SAMPLES / "subscription-suspended.json").read_text())["envelope"]
    await database.commit([Write("organizers/1", organizer(name="subscriptions/SUBSCRIPTION_ID"))])
    body = CloudEvent({"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub"}, sample)
    await events.handle(body, lambda: app)
    entries = written()

    assert messages(entries) == ["subscription.failed"]
    assert found(entries) == {"attendance-failed-syncs": [1]}


async def test_a_wrong_setting_is_counted_and_what_passes_by_itself_is_not(app, school, meet, written):
    held = a_class()
    school.hold(held)

    def broken():
        raise WrongSetting("SETTLE_SECONDS is wrong.")

    with pytest.raises(HTTPException):
        await jobs.handle(as_cloud_event(Message({"job": "sync-due"}, b"{}")), broken)

    assert found(written()) == {"attendance-failed-syncs": [1]}

    meet.faults.set(Fault("GetConferenceRecord", drop=True))
    with pytest.raises(HTTPException):
        await events.handle(
            as_cloud_event(conference_ended(held.name, organizer=held.organizer, at=held.end)), lambda: app, within=0.5
        )
    entries = written()

    assert messages(entries) == ["message.again"]
    assert found(entries) == {}


async def test_a_message_is_counted_when_it_is_parked_and_until_it_is_replayed(app, written):
    await job(app, "no-such-job")
    parked = written()
    await job(app, "reconcile")
    later = written()

    assert messages(parked) == ["message.parked"]
    assert found(parked) == {"attendance-parked-events": [1]}
    assert found(later) == {"attendance-parked-events": [1], "attendance-surveys": [1]}


async def survey(app, database, written, documents):
    await database.commit([Write(path, fields) for path, fields in documents.items()])
    await job(app, "reconcile")
    entries = written()
    (surveyed,) = [entry for entry in entries if entry["jsonPayload"]["message"] == "system.surveyed"]
    assert surveyed["severity"] == "WARNING"
    return found(entries)


async def test_teachers_without_an_active_subscription_are_counted(app, database, written):
    documents = {
        "organizers/1": organizer(),
        "organizers/2": organizer(state="suspended") | {"user": "users/2"},
        "organizers/3": organizer(expire_time=NOW - HOUR) | {"user": "users/3"},
    }

    assert await survey(app, database, written, documents) == {
        "attendance-inactive-organizers": [2],
        "attendance-surveys": [1],
    }


async def test_the_age_of_a_conference_that_does_not_settle_is_measured(app, database, written):
    conference = {"end_time": NOW - 2 * HOUR, "sync": {"state": "provisional", "pulled_at": NOW - 2 * HOUR}}
    values = await survey(app, database, written, {"conferences/c1": conference})

    assert values.keys() == {"attendance-oldest-provisional", "attendance-surveys"}
    assert timedelta(seconds=values["attendance-oldest-provisional"][0]) // HOUR == 2


async def test_how_long_a_class_meeting_is_overdue_is_measured(app, database, written):
    values = await survey(app, database, written, {"sessions/m1": {"session_id": "m1", "due_at": NOW - HOUR}})

    assert values.keys() == {"attendance-most-overdue", "attendance-surveys"}
    assert timedelta(seconds=values["attendance-most-overdue"][0]) // HOUR == 1


async def test_a_survey_tells_numbers_and_nothing_else(app, written):
    await job(app, "reconcile")
    (entry,) = [one for one in written() if one["jsonPayload"]["message"] == "system.surveyed"]
    figures = {
        name: value
        for name, value in entry["jsonPayload"].items()
        if name not in {"message", "logger", "job", "message_id"}
    }

    assert figures == {
        "organizers": 0,
        "inactive_organizers": 0,
        "provisional_conferences": 0,
        "failed_conferences": 0,
        "overdue_sessions": 0,
        "calendar_failures": 0,
        "parked_events": 0,
        "oldest_provisional_seconds": 0,
        "most_overdue_seconds": 0,
    }


@pytest.mark.parametrize("service", ["meet-attendance-events", "meet-attendance-jobs", "another"])
def test_only_this_systems_functions_are_counted(service):
    entry = {
        "severity": "ERROR",
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
        "jsonPayload": {"message": "conference.failed", "reason": "x"},
    }

    assert bool(found([entry])) == (service != "another")


def conditions(policy):
    return [kind for one in policy["conditions"] for name, kind in one.items() if name.startswith("condition")]


def watched(policy):
    """Return the metrics in a policy's conditions."""
    names = set()
    for condition in conditions(policy):
        kind, resource = condition["filter"].split(" AND ")
        assert resource == 'resource.type="cloud_run_revision"'
        assert kind.startswith('metric.type="logging.googleapis.com/user/')
        names.add(kind.rpartition("/")[2].rstrip('"'))
    return names


def test_every_metric_has_an_alert_and_every_alert_a_metric():
    assert {name for policy in POLICIES.values() for name in watched(policy)} == METRICS.keys()
    assert all(metric["name"] == name for name, metric in METRICS.items())
    assert all(policy["userLabels"] == {"meet-attendance": name} for name, policy in POLICIES.items())


@pytest.mark.parametrize("name", POLICIES)
def test_every_alert_says_what_to_do(name):
    text = POLICIES[name]["documentation"]["content"]

    assert "1. " in text
    assert "`make " in text
    assert len(POLICIES[name]["displayName"]) < 100


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if "valueExtractor" in metric])
def test_an_alerts_threshold_is_a_border_of_its_metrics_buckets(name):
    bounds = METRICS[name]["bucketOptions"]["explicitBuckets"]["bounds"]
    thresholds = {c["thresholdValue"] for p in POLICIES.values() if name in watched(p) for c in conditions(p)}

    assert thresholds <= set(bounds)
    assert bounds == sorted(bounds)
    assert METRICS[name]["metricDescriptor"]["valueType"] == "DISTRIBUTION"

"""A rehearsal: the uploaded source of a deployment is built and started as in the cloud, and handles a whole class.

The real gcloud sent the source and the variables to the stand-in of Google's control plane. The functions call Google
at its own addresses, through a proxy. They fetch their tokens by domain-wide delegation, as in the cloud.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import json
import re
import subprocess
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import httpx
import pytest
from google.cloud import firestore
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import Subscription

from functions.adapters.google.credentials.capabilities import Capability
from infra.local.calendar import CalendarSimulator
from infra.local.cloud_runtime import Instance, ending, installed, runtime_python, runtime_version
from infra.local.delivery import Trigger
from infra.local.google_apis import GoogleApis
from infra.local.google_network import GoogleNetwork
from infra.local.meet import MeetSimulator
from infra.local.metadata_server import MetadataServer
from infra.local.oauth_server import OAuthServer
from infra.local.processes import StartError
from infra.local.school import Account, Attendee, Conference, School, Visit
from infra.local.subscriptions import WorkspaceEventsSimulator
from infra.local.workspace_events import Message, conference_ended
from tests.api import ISSUER, token
from tests.classroom import MARKS, PUPILS, START, TEACHER, marks, the_class
from tests.deploy.complete import PLACE, environment

pytestmark = pytest.mark.timeout(600)  # the first of them waits for a whole deployment with the real gcloud

ROOT = Path(__file__).parents[2]
ACCOUNT = "meet-attendance@my-school.iam.gserviceaccount.com"
LMS = "lms@school-lms.iam.gserviceaccount.com"
OPERATOR = "ada@school.example"
FUNCTIONS: dict[str, tuple[str, Any]] = {
    "meet-attendance-events": ("on_workspace_event", "cloudevent"),
    "meet-attendance-jobs": ("on_job", "cloudevent"),
    "meet-attendance-api": ("api", "http"),
}
JOBS = "projects/my-school/topics/attendance-jobs"
CHANGES = "projects/my-school/topics/attendance-changed"


def uploaded(world, function):
    """Return the archive that the real gcloud uploaded for a function."""
    source = world.resources[f"{PLACE}/functions/{function}"]["buildConfig"]["source"]["storageSource"]
    return zipfile.ZipFile(io.BytesIO(world.uploads[f"/{source['bucket']}/{source['object']}"]))


@pytest.fixture(scope="module")
def source(first, tmp_path_factory):
    """Unpack each function's source into an empty folder."""
    folders = {}
    for function in FUNCTIONS:
        folders[function] = tmp_path_factory.mktemp(function)
        uploaded(first[0], function).extractall(folders[function])
    return folders


@pytest.fixture(scope="module")
def programs(source):
    """Install only the packages of the uploaded `requirements.txt`, with the runtime's Python."""
    return installed(source["meet-attendance-api"] / "requirements.txt", ROOT / "build" / "rehearsal")


@dataclass
class Cloud:
    """Google's stand-ins, and the environment of a function that uses them."""

    school: School
    meet: MeetSimulator
    oauth: OAuthServer
    network: GoogleNetwork
    variables: dict[str, str]
    pubsub: str
    firestore: str


@pytest.fixture(scope="module")
def cloud(certificate, firestore_address, pubsub_address):
    """Serve Google's stand-ins at Google's addresses.

    The administrator has allowed the service account to act for the school.
    """
    school = School(lambda: datetime.now(UTC))
    school.enrol(Account(TEACHER, "teacher@school.example", display_name="The Teacher"), *PUPILS)
    with ExitStack() as running:
        oauth = running.enter_context(OAuthServer(school).in_thread())
        metadata = running.enter_context(MetadataServer(ACCOUNT, ISSUER, project="my-school").in_thread())
        oauth.signers.add(metadata.access_token)
        oauth.delegate(ACCOUNT, [scope for capability in Capability for scope in capability.scopes])
        meet = running.enter_context(MeetSimulator(school, tokens=oauth).in_thread())
        events = running.enter_context(WorkspaceEventsSimulator(school, tokens=oauth).in_thread())
        apis = running.enter_context(GoogleApis(school, tokens=oauth).in_thread())
        calendar = running.enter_context(CalendarSimulator(school, tokens=oauth).in_thread())
        network = GoogleNetwork(
            {
                "meet.googleapis.com": meet.address,
                "workspaceevents.googleapis.com": events.address,
                "people.googleapis.com": apis.endpoint.removeprefix("http://"),
                "admin.googleapis.com": apis.endpoint.removeprefix("http://"),
                "www.googleapis.com": calendar.endpoint.removeprefix("http://"),
                "oauth2.googleapis.com": oauth.endpoint.removeprefix("http://"),
                "iamcredentials.googleapis.com": oauth.endpoint.removeprefix("http://"),
            },
            grpc={"meet.googleapis.com", "workspaceevents.googleapis.com"},
            certificate=certificate,
        )
        variables = running.enter_context(network.in_thread())
        for topic in (JOBS, CHANGES):
            waiting(pubsub_address, topic)
        # httplib2, which calls the REST APIs, does not support the proxy: it is connected directly to the same TLS
        # server.
        straight = {
            "PEOPLE_API_ENDPOINT": network.tls["people.googleapis.com"],
            "DIRECTORY_API_ENDPOINT": network.tls["admin.googleapis.com"],
            "REPORTS_API_ENDPOINT": network.tls["admin.googleapis.com"],
            "CALENDAR_API_ENDPOINT": network.tls["www.googleapis.com"],
        }
        emulators = {"FIRESTORE_EMULATOR_HOST": firestore_address, "PUBSUB_EMULATOR_HOST": pubsub_address}
        yield Cloud(
            school,
            meet,
            oauth,
            network,
            {**variables, **straight, **metadata.environment, **emulators},
            pubsub_address,
            firestore_address,
        )


@contextlib.contextmanager
def started(function, cloud, *, world, source, programs, folder):
    """Start an instance of a function with the deployed variables."""
    target, signature = FUNCTIONS[function]
    with ending(
        Instance(
            function,
            source=source[function],
            programs=programs,
            target=target,
            signature=signature,
            env={**environment(world, function), **cloud.variables},
            log=folder / f"{function}.log",
        )
    ) as instance:
        yield instance


@pytest.fixture
def start(cloud, first, source, programs, tmp_path):
    """Return a function that starts instances; they end with the test."""
    with ExitStack() as running:

        def start(function):
            return running.enter_context(
                started(function, cloud, world=first[0], source=source, programs=programs, folder=tmp_path)
            )

        yield start


def checked(email):
    """Return a token as Cloud Run passes it on after its check: without the signature.

    https://cloud.google.com/run/docs/authenticating/service-to-service
    """
    return f"{token(email).rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"


def calling(instance, caller):
    """Call the API as Cloud Run passes a call on."""
    return httpx.AsyncClient(
        base_url=instance.url, headers={"authorization": checked(caller)}, trust_env=False, timeout=60
    )


async def deliver(instance, topic, message):
    """Deliver one message as an Eventarc trigger delivers it to a function and Cloud Run passes it on.

    Sources for the address: https://cloud.google.com/eventarc/docs/cloudevents , and Cloud Run's request logs.
    """
    trigger = Trigger(
        instance.url, topic, "projects/my-school/subscriptions/eventarc-europe-west1-meet-attendance-sub-1"
    )
    headers = {
        **trigger.headers(message),
        "accept": "application/json",
        "accept-encoding": "gzip, deflate, br",
        "authorization": checked("meet-attendance-trigger@my-school.iam.gserviceaccount.com"),
        "from": "noreply@google.com",
        "user-agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
        "host": "meet-attendance-events-abc123-ew.a.run.app",
        "forwarded": 'for="66.102.6.1";proto=https',
        "x-forwarded-for": "66.102.6.1",
        "x-forwarded-proto": "https",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "x-cloud-trace-context": "0af7651916cd43dd8448eb211c80319c/13235353014750950193;o=1",
    }
    address = f"/?__GCP_CloudEventsMode=CUSTOM_PUBSUB_{quote(topic, safe='')}"
    async with httpx.AsyncClient(base_url=instance.url, trust_env=False, timeout=60) as client:
        return await client.post(address, headers=headers, json=trigger.body(message))


async def ended(instance, conference):
    message = conference_ended(conference.name, organizer=conference.organizer, at=conference.end)
    return await deliver(instance, "projects/my-school/topics/workspace-events", message)


def waiting(address, topic, *, most=0):
    """Return at most `most` messages that wait in the emulator.

    Without a number, create the topic and a subscription.
    """
    with grpc.insecure_channel(address) as channel:
        subscription = f"projects/my-school/subscriptions/rehearsal-{topic.rpartition('/')[2]}"
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        if not most:
            PublisherClient(transport=PublisherGrpcTransport(channel=channel)).create_topic(name=topic, timeout=10)
            subscriber.create_subscription(Subscription(name=subscription, topic=topic), timeout=10)
            return []
        answer = subscriber.pull(subscription=subscription, max_messages=most, timeout=60)
        subscriber.acknowledge(
            subscription=subscription, ack_ids=[each.ack_id for each in answer.received_messages], timeout=10
        )
        return [
            Message(dict(each.message.attributes), each.message.data, each.message.message_id)
            for each in answer.received_messages
        ]


async def scheduled(lms, subject):
    answer = await lms.post(
        "/api/schedule/class",
        json={
            "teacher_email": "teacher@school.example",
            "student_emails": [pupil.email for pupil in PUPILS],
            "subject": subject,
            "class_id": "7b",
            "start_time": START.isoformat(),
            "duration_minutes": 60,
        },
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def logged(instance):
    """Return the log lines of an instance: each line is a JSON object, which Cloud Logging reads."""
    # With LOG_EXECUTION_ID, which Google sets, the framework writes an empty line after each.
    lines = list(filter(None, instance.printed().splitlines()))
    assert all(line.startswith("{") for line in lines), instance.printed()
    return [json.loads(line) for line in lines]


async def test_a_class_comes_from_the_event_to_the_attendance_that_the_lms_asks_for(cloud, start):
    api = start("meet-attendance-api")
    async with calling(api, OPERATOR) as operator:
        enrolled = await operator.post("/api/organizers", json={"email": "teacher@school.example"})
        assert enrolled.status_code == 201, enrolled.text
        assert enrolled.json()["subscription"]["state"] == "active"
    async with calling(api, LMS) as lms:
        session = await scheduled(lms, "Mathematics")
        assert session["tracking"] == "active"
        held = the_class(session["space"], session["meeting_code"])
        cloud.school.hold(held)

        events = start("meet-attendance-events")
        acknowledged = await ended(events, held)
        assert acknowledged.status_code == 200, events.printed()

        assert await marks(lms, session["session_id"]) == MARKS
        page = await lms.get(f"/api/sessions/{session['session_id']}/attendance?format=html")
        assert (page.status_code, page.text[:15].lower()) == (200, "<!doctype html>")

        jobs = start("meet-attendance-jobs")
        another = await scheduled(lms, "Physics")  # long over, so that it is due
        due = await deliver(jobs, JOBS, Message({"job": "sync-due"}, b"{}"))
        assert due.status_code == 200, jobs.printed()
        (job,) = waiting(cloud.pubsub, JOBS, most=10)
        assert json.loads(job.data)["session_id"] == another["session_id"]
        assert (await deliver(jobs, JOBS, job)).status_code == 200, jobs.printed()
        answer = await lms.get(f"/api/sessions/{another['session_id']}")
        assert answer.json()["state"] == "not_held"
        told = waiting(cloud.pubsub, CHANGES, most=100)
        assert session["session_id"] in {message.attributes["session_id"] for message in told}
        assert {message.data for message in told} == {b""}

    stored = await documents(cloud, f"sessions/{session['session_id']}/attendance")
    assert {document["mark"] for document in stored if document["role"] == "student"} == set(MARKS.values())
    assert {claims["sub"] for claims in cloud.oauth.grants.assertions} == {"teacher@school.example"}
    assert {claims["iss"] for claims in cloud.oauth.grants.assertions} == {ACCOUNT}
    assert cloud.network.refused == []
    for instance in (api, events, jobs):
        lines = logged(instance)
        assert {line["severity"] for line in lines} <= {"INFO", "WARNING"}, lines
        assert "school.example" not in instance.printed()


async def documents(cloud, collection):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FIRESTORE_EMULATOR_HOST", cloud.firestore)
        client = firestore.AsyncClient(project="my-school")
    return [document.to_dict() async for document in client.collection(collection).stream()]


async def test_the_commands_of_the_page_lead_to_the_first_attendance(cloud, start, tmp_path):
    cloud.school.enrol(Account("users/77", "student@school.example", display_name="The Student"))
    api = start("meet-attendance-api")
    host = "meet-attendance-api-abc123-ew.a.run.app"
    cloud.network.lead(host, api.url.removeprefix("http://"))
    # Only a person can sign in. Cloud Run has checked the person before a call reaches the function.
    (tmp_path / "gcloud").write_text(
        f"#!/bin/sh\n[ \"$*\" = 'auth print-identity-token' ] && echo {checked(OPERATOR)[7:]}\n"
    )
    (tmp_path / "gcloud").chmod(0o755)
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs/deploy.md").read_text(), re.MULTILINE | re.DOTALL)
    enrol, schedule, look = (block for block in blocks if '"$API/' in block)
    enrol = enrol.partition("\n")[2]  # the first line asks for the function's address; test_deploy_page.py runs it

    async def types(script):
        done = await asyncio.to_thread(
            subprocess.run,
            ["/bin/bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "API": f"https://{host}", **cloud.variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr + api.printed()
        return done.stdout

    assert json.loads(await types(enrol))["subscription"]["state"] == "active"
    link = await types(schedule)
    session = json.loads((tmp_path / "class.json").read_text())
    assert link.strip() == session["meeting_uri"]
    now = datetime.now(UTC)
    present = (Visit(now - timedelta(minutes=9), now),)
    people = [("teacher", "The Teacher", TEACHER), ("student", "The Student", "users/77")]
    held = Conference(
        "first-class",
        session["space"],
        session["meeting_code"],
        TEACHER,
        now - timedelta(minutes=9),
        now,
        tuple(Attendee(key, "signed_in", name, user, present) for key, name, user in people),
    )
    cloud.school.hold(held)
    events = start("meet-attendance-events")
    assert (await ended(events, held)).status_code == 200, events.printed()
    shown = await types(look)
    assert "The Student" in shown
    assert "total_duration_seconds" in shown


async def test_an_instance_that_is_told_to_end_finishes_its_running_classes(cloud, start):
    events = start("meet-attendance-events")
    classes = [
        dataclasses.replace(the_class(f"spaces/{name}", code), id=f"record-{name}")
        for name, code in [("first", "abc-defg-hij"), ("second", "klm-nopq-rst")]
    ]
    for one in classes:
        cloud.school.hold(one)
    before = len(cloud.meet.calls)
    cloud.meet.delay = timedelta(seconds=0.5)
    try:
        answers = [asyncio.create_task(ended(events, one)) for one in classes]
        while {call.resource for call in cloud.meet.calls[before:]} < {one.name for one in classes}:
            assert not any(answer.done() for answer in answers), events.printed()
            await asyncio.sleep(0.01)
        assert not any(answer.done() for answer in answers), "both are at work"
        events.terminate()
        done = await asyncio.gather(*answers)
    finally:
        cloud.meet.delay = timedelta(0)

    assert [answer.status_code for answer in done] == [200, 200], events.printed()
    assert await asyncio.to_thread(events.exit_code) == 0
    stored = await documents(cloud, "conferences")
    assert {f"conferenceRecords/{one.id}" for one in classes} <= {document["conference_record"] for document in stored}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_idle_instance_ends_cleanly_when_it_is_told_to(function, start):
    instance = start(function)

    instance.terminate()

    assert instance.exit_code() == 0
    assert "Traceback" not in instance.printed()


async def test_the_api_refuses_callers_that_are_not_named(start):
    async with calling(start("meet-attendance-api"), "stranger@elsewhere.example") as stranger:
        assert (await stranger.get("/api/sessions")).status_code == 403


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_uploaded_is_what_the_function_loads_and_nothing_else(function, first):
    names = [name for name in uploaded(first[0], function).namelist() if not name.endswith("/")]

    assert {name for name in names if "/" not in name} == {"main.py", "requirements.txt"}
    assert {name.partition("/")[0] for name in names if "/" in name} == {"functions"}
    assert {name.rpartition(".")[2] for name in names} == {"py", "html", "css", "txt"}
    kept = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "functions"],  # noqa: S607 - the git at hand
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert sorted(name for name in names if "/" in name) == sorted(kept), "every template, no file of the machine's"


def test_the_source_is_compiled_as_the_build_does_it(source, programs):
    for folder in source.values():
        done = subprocess.run(  # noqa: S603 - our own command
            [programs / "python", "-m", "compileall", "-f", "-q", "."], cwd=folder, capture_output=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, b"")


def test_only_the_packages_that_are_pinned_are_there(source, programs):
    requirements = (source["meet-attendance-api"] / "requirements.txt").read_text()
    pinned = set(re.findall(r"^([a-z0-9-]+==\S+)", requirements, re.MULTILINE))
    listed = subprocess.run(  # noqa: S603 - our own command
        [
            programs / "python",
            "-c",
            "import importlib.metadata as m; print(*(d.name + '==' + d.version for d in m.distributions()), sep='\\n')",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.lower()
    there = {re.sub(r"[-_.]+(?=.*==)", "-", line) for line in listed.split()}
    assert there <= pinned
    names = {line.partition("==")[0] for line in there}
    assert {"functions-framework", "gunicorn", "uvicorn-worker"} <= names
    assert not {"pytest", "httpx", "ruff", "pip"} & names


def test_a_missing_runtime_is_reported_with_the_command_that_installs_it(monkeypatch, tmp_path):
    variable = f"PYTHON{runtime_version().replace('.', '')}"
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    with pytest.raises(StartError, match=f"pyenv install {re.escape(runtime_version())}"):
        runtime_python()

    monkeypatch.setenv(variable, "/nowhere/python")
    with pytest.raises(StartError, match=f"/nowhere/python is installed here as {variable}|{variable}"):
        runtime_python()

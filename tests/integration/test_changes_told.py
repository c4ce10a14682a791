"""Changes are published to Pub/Sub: to the emulator, and to servers that do not answer."""

from __future__ import annotations

import asyncio
import dataclasses
import queue
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.pubsub_v1 import PublisherAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

from functions.adapters.google.pubsub.changes import REST, PubsubChanges
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.errors import ChangesUnavailable
from functions.ports.messages import AttendanceChange
from infra.local.delivery import Pubsub
from infra.local.processes import free_port
from infra.local.school import Space
from tests.api import client
from tests.classroom import job, scheduled, the_class

PAGE = Path(__file__).parents[2] / "docs/lms.md"
CODE = "abc-mnop-xyz"
CHANGE = AttendanceChange("s1", None, "ended", None, datetime(2026, 11, 30, 9, tzinfo=UTC))


@pytest.fixture
async def pubsub(pubsub_address, project):
    """Start Pub/Sub with the topic of jobs, without the topic of changes."""
    pubsub = Pubsub(pubsub_address)
    await pubsub.create_topic(f"projects/{project}/topics/attendance-jobs")
    yield pubsub
    await pubsub.close()


@pytest.fixture
def start(instance, pubsub_address, project):
    """Return a function that makes an instance of the deployed function, which publishes changes."""
    return lambda: instance(
        api_callers="*=admin",
        google_cloud_project=project,
        pubsub_emulator_host=pubsub_address,
        changes_topic="attendance-changed",
    )


@pytest.fixture
async def listening(pubsub, project):
    await pubsub.create_topic(f"projects/{project}/topics/attendance-changed")


@pytest.fixture
def heard(listening, project, pubsub_address, monkeypatch):  # noqa: ARG001 - there is a topic to listen to
    """Run the program from docs/lms.md unchanged; return what it was told to read again."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_address)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    [code] = [block for block in blocks if "# subscriber.py" in block]
    defined: dict[str, Any] = {"__name__": "subscriber"}
    exec(code.replace("my-school", project).replace("my-lms", project), defined)  # noqa: S102 - our own page
    read, running = queue.Queue(), []
    failing = ["the first time"]

    def read_again(session_id):
        if failing:
            raise ConnectionError(failing.pop())
        read.put(session_id)

    running.append(defined["subscribe"](read_again))
    yield lambda: asyncio.to_thread(read.get, timeout=60)
    running[0].cancel()
    running[0].result()


def unpublished(tmp_path):
    return SqliteDatabase(tmp_path / "attendance.db").children("unpublished_changes")


@pytest.fixture
def lesson(school):
    """Return a function that schedules a class whose conference Meet shows as ended."""
    school.open(Space("spaces/room", CODE))
    school.know("teacher@school.example", "users/1")

    async def schedule(api):
        made = await scheduled(api, meeting_code=CODE)
        school.hold(the_class(made["space"], made["meeting_code"]))
        return made["session_id"]

    return schedule


async def test_an_lms_is_told_of_a_sync_and_of_a_correction(start, lesson, heard, tmp_path):
    app = start()
    async with client(app) as api:
        session_id = await lesson(api)
        await job(app, "sync-session", session_id=session_id)
        assert await heard() == session_id

        overrides = [{"email": "absent@school.example", "status": "excused"}]
        answer = await api.put(f"/api/sessions/{session_id}/overrides", json={"overrides": overrides, "by": "office"})

        assert answer.status_code == 200, answer.text
        assert await heard() == session_id
    assert await unpublished(tmp_path) == []


async def test_without_the_topic_all_goes_on_and_the_next_reconcile_tells(start, lesson, pubsub, project, tmp_path):
    app, topic = start(), f"projects/{project}/topics/attendance-changed"
    async with client(app) as api:
        session_id = await lesson(api)
        await job(app, "sync-session", session_id=session_id)
        session = (await api.get(f"/api/sessions/{session_id}")).json()
    assert session["conference_records"] == ["conferenceRecords/rec-1"]
    assert len(await unpublished(tmp_path)) == 1
    await job(start(), "reconcile")
    assert len(await unpublished(tmp_path)) == 1

    await pubsub.create_topic(topic)
    subscription = f"projects/{project}/subscriptions/changes"
    await pubsub.create_subscription(subscription, topic)
    await job(start(), "reconcile")

    [received] = await pubsub.pull(subscription)
    assert dict(received.message.attributes) == {
        "session_id": session_id,
        "class_id": "7b",
        "state": session["state"],
        "sync_state": session["sync"]["state"],
        "updated_at": session["updated_at"],
    }
    assert received.message.data == b""
    assert await unpublished(tmp_path) == []


@pytest.mark.usefixtures("listening")
async def test_times_in_messages_have_one_length_so_that_they_can_be_compared_as_text(pubsub, pubsub_address, project):
    topic, subscription = f"projects/{project}/topics/attendance-changed", f"projects/{project}/subscriptions/changes"
    await pubsub.create_subscription(subscription, topic)
    later = dataclasses.replace(CHANGE, updated_at=CHANGE.updated_at.replace(microsecond=5))
    async with grpc.aio.insecure_channel(pubsub_address) as channel:
        publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
        await PubsubChanges(publisher, topic=topic).publish([CHANGE, later])

    told = [attributes["updated_at"] for attributes in await pubsub.drained(subscription)]
    assert sorted(told) == ["2026-11-30T09:00:00.000000Z", "2026-11-30T09:00:00.000005Z"]


@pytest.fixture
async def silent():
    """Return a publisher with a server that never answers, and the received requests."""
    requests = []

    async def publish(request, _):
        requests.append(request)
        await asyncio.Event().wait()

    handler = grpc.unary_unary_rpc_method_handler(publish)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", {"Publish": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel)), requests
    await server.stop(None)


async def test_a_topic_that_does_not_answer_is_not_waited_for_at_every_commit(silent):
    publisher, requests = silent
    now = [0.0]
    changes = PubsubChanges(publisher, topic="projects/p-1/topics/changes", within=0.2, now=lambda: now[0])

    for _ in range(3):
        with pytest.raises(ChangesUnavailable):
            await changes.publish([CHANGE])
    once = len(requests)
    now[0] += REST
    with pytest.raises(ChangesUnavailable):
        await changes.publish([CHANGE])

    assert (once, len(requests)) == (1, 2)


async def test_an_error_says_what_to_do_and_a_lost_connection_is_one():
    async with grpc.aio.insecure_channel(f"127.0.0.1:{free_port()}") as channel:
        publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
        with pytest.raises(ChangesUnavailable):
            await PubsubChanges(publisher, topic="projects/p-1/topics/changes", within=0.2).publish([CHANGE])

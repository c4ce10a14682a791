"""Any message in a topic: one that can succeed is never lost, and one that never can is never requested again.

Messages get random errors (`tests/messages.py`). `tests/verdicts.py` computes the expected result of each from only the
message.
"""

import asyncio
import io
import json
import logging
import shutil
import sqlite3
import string
from base64 import b64encode
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from functions import logs
from functions.adapters.store.databases.database import Query, Write
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.errors import UnreadableMessage
from functions.entrypoints.api.function import guarded
from functions.entrypoints.messages import events, jobs
from functions.entrypoints.messages.answer import TIME
from functions.services.operations.parking import restored
from functions.wiring import App
from infra.local.faults import Fault
from infra.local.function_server import function_server
from infra.local.google_apis import GoogleApis
from infra.local.school import Account, Attendee, Conference, School, Visit
from infra.local.subscriptions import WorkspaceEventsSimulator
from tests.classroom import PUPILS, TEACHER, held, pupil, scheduled, teacher
from tests.messages import HEADERS, bodies, encoded, ended, envelope, event_seeds, job_seeds, received
from tests.verdicts import COLLEAGUE, NOTHING, verdict

PERSONAL = ["school.example", "The Teacher", "A Colleague", PUPILS[0].display_name]
MAX_PARKED = 256 * 1024


@dataclass
class World:
    now: datetime
    app: App
    path: Path
    prepared: Path
    class_id: str
    class_space: str
    subscription: str
    log: io.StringIO
    delivered: int = 0

    @property
    def database(self):
        return SqliteDatabase(self.path)

    def class_of(self, record):
        """Return the class meeting in which a conference is marked."""
        return self.class_id if record == "lesson" else record

    def begin_anew(self):
        shutil.copyfile(self.prepared, self.path)

    async def names(self, collection):
        found = await self.database.find(Query(collection))
        return {document.path.rpartition("/")[2] for document in found.documents}

    async def deliver(self, function, event, *, within=TIME, app=None):
        """Return the answer to a message; any other exception is a bug."""
        handle = {"events": events.handle, "jobs": jobs.handle}[function]
        try:
            await handle(event, lambda: app or self.app, within=within)
        except HTTPException as answered:
            return "again" if answered.status_code == 503 else f"HTTP {answered.status_code}"
        return "done"

    def verdict(self, function, body):
        return verdict(function, body, class_id=self.class_id)

    def seeds(self, function):
        if function == "events":
            return event_seeds(now=self.now, subscription=self.subscription)
        return job_seeds(now=self.now, class_id=self.class_id, space=self.class_space)


@pytest.fixture
def school():
    now = datetime.now(UTC)
    school = School(lambda: datetime.now(UTC))
    school.enrol(
        Account(TEACHER, "teacher@school.example", display_name="The Teacher"),
        Account(COLLEAGUE, "colleague@school.example", display_name="A Colleague"),
        *PUPILS,
    )
    ended = now - timedelta(minutes=5)
    for name, owner, days, settled in [
        ("mine", TEACHER, 0, True),
        ("open", TEACHER, 0, False),
        ("theirs", COLLEAGUE, 0, True),
        ("old", TEACHER, 31, True),
    ]:
        start, end = now - timedelta(days=days, hours=1), ended - timedelta(days=days)
        people = [Attendee("t", "signed_in", "The Teacher", owner, (Visit(start, end),))]
        if owner == TEACHER:
            stay = Visit(start, end if settled else None)
            people.append(Attendee("p", "signed_in", PUPILS[0].display_name, PUPILS[0].user, (stay,)))
        school.hold(Conference(name, f"spaces/{name}", f"{name:x<6}-room", owner, start, end, tuple(people)))
    return school


@pytest.fixture
def log():
    """Return the log, in the deployed configuration."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    stream = io.StringIO()
    logs.configure("INFO", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
async def workspace_events(school):
    async with WorkspaceEventsSimulator(school) as simulator:
        yield simulator
        assert simulator.violations == []


@pytest.fixture
def google(school):
    with GoogleApis(school).in_thread() as apis:
        yield apis


@pytest.fixture
def start(instance, google, workspace_events):
    def start(**changed):
        return instance(
            people_api_endpoint=google.endpoint,
            directory_api_endpoint=google.endpoint,
            workspace_events_api_endpoint=workspace_events.endpoint,
            api_callers="*=admin",
            settle_seconds=3600,
            **changed,
        )

    return start


@pytest.fixture(autouse=True)
def says_missing(meet):
    """Make Meet answer NOT_FOUND for missing things, so that every kind of answer occurs."""
    meet.hides_missing = False


@pytest.fixture
async def world(start, school, workspace_events, tmp_path, log):
    """Return a tracked teacher with a past class that has not been read yet."""
    app = start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded(app)), base_url="http://api") as api:
        made = await scheduled(api)
    school.hold(held(made["space"], made["meeting_code"], teacher((0, 60)), pupil(0, (0, 60)), record="lesson"))
    path, prepared = tmp_path / "attendance.db", tmp_path / "prepared.db"
    shutil.copyfile(path, prepared)
    (subscription,) = workspace_events.subscriptions
    return World(datetime.now(UTC), app, path, prepared, made["session_id"], made["space"], subscription.name, log)


async def each_batch(world, function, check, *, examples, size):
    """Check batches of random messages in this event loop, each batch as one example."""
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # a failure names the message itself
    )
    @given(batch=st.lists(bodies(world.seeds(function)), min_size=size, max_size=size), anew=st.integers(0, 5))
    def every_batch(batch, anew):
        if anew == 0:
            world.begin_anew()
        asyncio.run_coroutine_threadsafe(check([event for raw in batch if (event := received(raw))]), loop).result()

    await asyncio.to_thread(every_batch)


# --- What is looked at ---


async def stands(world, wanted):
    """Check that conferences have at least the required state, and that failed ones say why and what to do."""
    paths = {name: (f"conferences/{name}", f"sessions/{world.class_of(name)}") for name in wanted}
    found = await world.database.get_many([path for both in paths.values() for path in both])
    for name, how in wanted.items():
        conference, session = (found.get(path) for path in paths[name])
        assert conference, f"{name} was acknowledged and is not stored"
        sync = conference.fields["sync"]
        if sync["state"] == "failed":
            assert sync["error"]["reason"]
            assert sync["error"]["hint"]
        assert (
            sync["state"]
            in {
                "complete": {"complete"},
                "told": {"complete", "failed"},
                "provisional": {"provisional"},
                "stored": {"complete", "failed", "provisional"} if name == "open" else {"complete", "failed"},
            }[how]
        ), name
        assert session or not conference.fields["start_time"], f"{name} is marked nowhere"


def identity(body):
    """Return the identity of a message: everything except Pub/Sub's data about one delivery.

    Cloud Scheduler sends a job in a new message each time; the same job has the same identity. The same is true for
    Pub/Sub's dead letters.
    """
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(message, dict):
        return text_of(body)
    attributes = message.get("attributes")
    if not isinstance(attributes, dict):
        return text_of(message)
    if "job" in attributes:
        return text_of({"job": attributes["job"], "data": message.get("data")})
    said_by_pubsub = {"messageId", "message_id", "publishTime", "publish_time"}
    return text_of({name: value for name, value in message.items() if name not in said_by_pubsub})


def text_of(body):
    return repr(body) if isinstance(body, bytes) else json.dumps(body, sort_keys=True)


async def is_parked(world, function, given_up):
    """Check the parked messages.

    Each message that can never succeed is parked exactly once and can be restored, and no other message is parked.
    """
    for deliveries in list(given_up.values())[:1]:
        event = deliveries[0]
        body = event.data
        if identity(body) != text_of(body):
            event.data = {**body, "deliveryAttempt": 2}
        assert await world.deliver(function, event) == "done"
        event.data = body
    bodies = {text_of(event.get_data()) for deliveries in given_up.values() for event in deliveries}
    found = set()
    documents = [parked async for parked in world.app.deps.store.parked()]
    for parked in documents:
        assert set(parked.event.key) <= set(string.hexdigits.lower())
        assert parked.event.reason
        assert parked.event.hint
        if parked.truncated:
            (whole,) = (body for body in bodies if body.startswith(parked.event.message))
            assert len(whole) > MAX_PARKED
            with pytest.raises(UnreadableMessage):
                restored(parked)
            found.add(whole)
        else:
            found.add(text_of(restored(parked)))
    assert len(documents) == len(found) == len(given_up)
    assert found <= bodies
    await world.database.commit([Write(f"parked_events/{parked.event.key}", None) for parked in documents])


def told_nothing_personal(world):
    text = world.log.getvalue()
    for line in text.splitlines():
        json.loads(line)
    for personal in PERSONAL:
        assert personal not in text
    world.log.seek(0)
    world.log.truncate()


# --- The tests ---


@pytest.mark.any_field
@pytest.mark.timeout(400)  # there are thousands of messages, and the machine may be shared
@pytest.mark.parametrize("function", ["events", "jobs"])
async def test_no_message_is_lost_and_none_is_asked_for_without_need(world, function):
    async def check(batch):
        stored_before, parked_before = await world.names("conferences"), await world.names("parked_events")
        assert not parked_before
        must, may, given_up = set(), set(), defaultdict(list)
        for event in batch:
            body = event.get_data()
            wanted = world.verdict(function, body)
            answer = await world.deliver(function, event)
            world.delivered += 1
            expected = {"parked": {"done"}, "either": {"done", "again"}}.get(wanted.answer, {wanted.answer})
            assert answer in expected, f"{body!a:.2000} should be: {wanted}"
            if wanted.stands:
                await stands(world, wanted.stands)
            must |= wanted.stands.keys()
            may |= wanted.may
            if wanted.answer == "parked":
                given_up[identity(body)].append(event)
        assert stored_before | must <= await world.names("conferences") <= stored_before | must | may
        await is_parked(world, function, given_up)
        told_nothing_personal(world)

    await each_batch(world, function, check, examples={"events": 160, "jobs": 60}[function], size=25)

    assert world.delivered >= {"events": 3_900, "jobs": 1_450}[function]


@pytest.mark.parametrize("function", ["events", "jobs"])
async def test_while_meet_does_not_answer_nothing_is_acknowledged_that_needs_it(world, meet, function):
    methods = [
        "GetConferenceRecord",
        "ListConferenceRecords",
        "ListParticipants",
        "ListParticipantSessions",
        "GetSpace",
    ]
    meet.faults.set(*(Fault(method, status=grpc.StatusCode.UNAVAILABLE) for method in methods))

    async def check(batch):
        world.begin_anew()
        must, given_up = set(), defaultdict(list)
        for event in batch:
            body = event.get_data()
            wanted = world.verdict(function, body)
            answer = await world.deliver(function, event, within=0.2 if wanted.asks_meet else TIME)
            assert answer == ("again" if wanted.asks_meet else "done"), f"{body!a:.2000} should be: {wanted}"
            if wanted.answer == "parked" and not wanted.asks_meet:
                given_up[identity(body)].append(event)
            must |= set() if wanted.asks_meet else wanted.stands.keys()
        assert await world.names("conferences") == must
        await is_parked(world, function, given_up)
        told_nothing_personal(world)

    await each_batch(world, function, check, examples=5, size=20)


@pytest.mark.parametrize("function", ["events", "jobs"])
async def test_while_nothing_can_be_stored_only_what_asks_for_nothing_is_acknowledged(world, start, tmp_path, function):
    storeless = start(attendance_store=f"sqlite:///{tmp_path / 'missing' / 'attendance.db'}")

    async def check(batch):
        for event in batch:
            body = event.get_data()
            asks_for_nothing = function == "events" and world.verdict(function, body) == NOTHING
            answer = await world.deliver(function, event, app=storeless)
            assert answer == ("done" if asks_for_nothing else "again"), f"{body!a:.2000}"
        told_nothing_personal(world)

    await each_batch(world, function, check, examples=10, size=25)


async def test_what_came_while_the_store_was_locked_is_done_once_it_comes_again(world):
    mine = received(encoded(ended("mine", TEACHER, at=world.now)))
    messages = [("events", mine), ("events", received(b"no json")), ("jobs", received(b"{}"))]
    with closing(sqlite3.connect(world.path, isolation_level=None)) as somebody:
        somebody.execute("BEGIN EXCLUSIVE")
        assert [await world.deliver(*message, within=0.2) for message in messages] == ["again"] * 3

    assert [await world.deliver(*message) for message in messages] == ["done"] * 3
    await stands(world, {"mine": "complete"})
    assert len(await world.names("parked_events")) == 2


ENDED_TYPE = "google.workspace.meet.conference.v2.ended"
WORST = {
    "an empty body": b"",
    "no text": b"\xff\xfe\x00",
    "NULs": b"\0" * 1000,
    "a list": b"[1, 2]",
    "a number": b"7",
    "a number that is none": b"NaN",
    "half a surrogate": b'"\\ud800"',
    "a message that is none": b'{"message": "x"}',
    "attributes that are none": b'{"message": {"attributes": [["ce-type", "x"]], "data": 7}}',
    "data that says nothing": encoded(envelope({"ce-type": ENDED_TYPE, "job": "sync-session"}, None)),
    "data that nobody can read": encoded(envelope({"ce-type": ENDED_TYPE, "job": "sync-session"}, None)).replace(
        b64encode(b"null"), b64encode(b"[" * 100_000)
    ),
    "an organizer that nobody can be": encoded(
        envelope({"job": "sync-conference"}, {"conference_record": "conferenceRecords/mine", "organizer": "\ud800@\0"})
    ),
    "half a megabyte": encoded(envelope({"ce-type": "", "job": "x" * 500_000}, None)),
}
"""Bodies that can never succeed in either function."""

REFUSED = {"deeper than can be read": b"[" * 100_000, "a number of 5,000 digits": b"9" * 5_000}
"""Bodies that the functions framework itself may refuse, with 400."""


@pytest.mark.parametrize("target", ["on_workspace_event", "on_job"])
async def test_what_is_deployed_answers_the_worst_messages_the_same(target, meet, tmp_path):
    path = tmp_path / "served.db"
    env = {"AUTH_MODE": "anonymous", "MEET_API_ENDPOINT": meet.endpoint, "ATTENDANCE_STORE": f"sqlite:///{path}"}
    near_the_limit = [b"[" * depth + b"]" * depth for depth in range(930, 960)]
    good = [
        encoded(
            envelope(
                {
                    "ce-type": ENDED_TYPE,
                    "ce-subject": f"//cloudidentity.googleapis.com/{TEACHER}",
                    "job": "sync-conference",
                },
                {
                    "conferenceRecord": {"name": f"conferenceRecords/{name}"},
                    "conference_record": f"conferenceRecords/{name}",
                    "organizer": TEACHER,
                },
            )
        )
        for name in ("mine", "open", "never")
    ]
    with function_server(target, env=env, log=tmp_path / "function.log") as served:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:

            async def statuses(bodies):
                return [(await client.post(served.url, content=body, headers=HEADERS)).status_code for body in bodies]

            assert dict(zip(WORST, await statuses(WORST.values()), strict=True)) == dict.fromkeys(WORST, 200)
            assert await statuses(good) == [200, 503, 200]
            database = SqliteDatabase(path)
            assert len((await database.find(Query("parked_events"))).documents) == len(WORST) + 1
            assert {*await statuses(REFUSED.values()), *await statuses(near_the_limit)} <= {200, 400}
    found = await database.find(Query("conferences"))
    states = {document.path: document.fields["sync"]["state"] for document in found.documents}
    assert states == {"conferences/mine": "complete", "conferences/open": "provisional"}
    assert "Traceback" not in served.program.log.read_text()

"""Whatever a topic carries: what can succeed is never lost, what never can is never asked for again.

Messages are Google's samples and our own jobs, spoiled at random. What has to become of each is told by `verdict`, naively
and from the message alone.
"""

import asyncio
import base64
import copy
import io
import json
import logging
import shutil
import string
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cloudevents.http import from_http
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from functions import logs
from functions.adapters.database import Query, Write
from functions.adapters.sqlite import SqliteDatabase
from functions.domain.errors import UnreadableMessage
from functions.entrypoints import events, jobs
from functions.entrypoints.api.http import guarded
from functions.entrypoints.handling import TIME
from functions.services.parking import restored
from infra.local.google_apis import GoogleApis
from infra.local.school import Account, Attendee, Conference, School, Visit
from infra.local.subscriptions import WorkspaceEventsSimulator
from tests.classroom import PUPILS, TEACHER, held, pupil, scheduled, teacher

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*.json"))
COLLEAGUE = Account("users/2", "colleague@school.example", display_name="A Colleague")
PUPIL = PUPILS[0]
ADDRESSES = {account.email: account.user for account in (COLLEAGUE, *PUPILS)} | {"teacher@school.example": TEACHER}
ADMITTED = {
    "mine": {TEACHER, PUPIL.user},
    "lesson": {TEACHER, PUPIL.user},
    "open": {TEACHER, PUPIL.user},
    "theirs": {COLLEAGUE.user},
}
"""Who may read a conference that Meet knows, by its id. `old` and `never` it does not know."""
TEACHERS_OWN = {"mine": "complete", "lesson": "complete", "open": "stored"}
PERSONAL = ["school.example", "The Teacher", COLLEAGUE.display_name, PUPIL.display_name]
MAX_PARKED = 256 * 1024

# --- What has to become of a message ---


@dataclass(frozen=True)
class Verdict:
    """`stands` are the conferences that are stored afterwards, each with how well; others `may` be stored as well."""

    answer: str
    stands: dict[str, str]
    may: frozenset[str] = frozenset()
    asks_meet: bool = False


NOTHING = Verdict("done", {})
PARKED = Verdict("parked", {})
RESOURCES = {
    "google.workspace.meet.conference.v2.started": ("conferenceRecord", "conferenceRecords/*"),
    "google.workspace.meet.conference.v2.ended": ("conferenceRecord", "conferenceRecords/*"),
    "google.workspace.meet.participant.v2.joined": (
        "participantSession",
        "conferenceRecords/*/participants/*/participantSessions/*",
    ),
    "google.workspace.meet.participant.v2.left": (
        "participantSession",
        "conferenceRecords/*/participants/*/participantSessions/*",
    ),
    "google.workspace.events.subscription.v1.suspended": ("subscription", "subscriptions/*"),
    "google.workspace.events.subscription.v1.expirationReminder": ("subscription", "subscriptions/*"),
    "google.workspace.events.subscription.v1.expired": ("subscription", "subscriptions/*"),
}
ARTIFACTS = {"recording": "recordings", "transcript": "transcripts", "smartNote": "smartNotes"}


def verdict(function, body, class_id, class_space):
    try:
        attributes = body["message"]["attributes"]
        message = body["message"]
        attributes.items()
        message.items()
    except (TypeError, KeyError, AttributeError):
        return PARKED
    try:
        payload = json.loads(base64.b64decode(message["data"].encode("ascii"), validate=True))
    except Exception:  # noqa: BLE001 - whatever keeps it from being read
        payload = None
    if function == "events":
        return _event_verdict(attributes, payload)
    return _job_verdict(attributes.get("job"), payload if isinstance(payload, dict) else {}, class_id, class_space)


def _event_verdict(attributes, payload):
    kind = attributes.get("ce-type")
    if not isinstance(kind, str) or not kind:
        return PARKED
    resource, shape = RESOURCES.get(kind, (None, None))
    for artifact, collection in ARTIFACTS.items():
        family, _, change = kind.rpartition(".")
        if family == f"google.workspace.meet.{artifact}.v2":
            resource, shape = artifact, f"conferenceRecords/*/{collection}/*"
    if resource is None:
        return NOTHING
    try:
        name = payload[resource]["name"]
    except (TypeError, KeyError, IndexError):
        return PARKED
    if not _has_shape(name, shape):
        return PARKED
    if kind.startswith("google.workspace.events."):
        return Verdict("done", {}, may=frozenset(TEACHERS_OWN))
    if resource == "conferenceRecord" and not _is_usable(name.split("/")[1]):
        return PARKED
    if not kind.endswith("conference.v2.ended"):
        return NOTHING
    subject = attributes.get("ce-subject")
    target = "//cloudidentity.googleapis.com/"
    user = subject.removeprefix(target) if isinstance(subject, str) and subject.startswith(target) else ""
    return _reading(name.split("/")[1], user if _is_named(user, "users/*") else None)


def _job_verdict(job, data, class_id, class_space):
    everybody = Verdict("done", TEACHERS_OWN, asks_meet=True)
    match job:
        case "sync-conference":
            organizer = data.get("organizer")
            if not _is_named(data.get("conference_record"), "conferenceRecords/*") or not _is_organizer(organizer):
                return PARKED
            return _reading(data["conference_record"].split("/")[1], organizer and _account(organizer))
        case "sync-session" | "remark-session":
            session_id = data.get("session_id")
            if not _is_named(session_id, "*"):
                return PARKED
            if job == "remark-session":
                return NOTHING
            if session_id == class_id:
                return Verdict("done", {"lesson": "told"}, asks_meet=True)
            return Verdict("done", {}, may=frozenset({session_id}), asks_meet=session_id in ADMITTED)
        case "sync-due":
            return Verdict("done", {"lesson": "told"}, may=frozenset(TEACHERS_OWN), asks_meet=True)
        case "reconcile" if "space" in data:
            return NOTHING if _is_named(data["space"], "spaces/*") else PARKED
        case "reconcile" | "renew-subscriptions":
            who = data.get("organizer")
            if not _is_organizer(who):
                return PARKED
            if job == "renew-subscriptions":
                goes_on = who is not None or _goes_on(data)
                return Verdict("done", {}, may=frozenset(TEACHERS_OWN)) if goes_on else PARKED
            if who is not None:
                return everybody if _account(who) == TEACHER else NOTHING
            if not _goes_on(data):
                return PARKED
            return everybody if data.get("after", "") < TEACHER else NOTHING
        case _:
            return PARKED


def _reading(record, user):
    """What becomes of a conference that is to be read as somebody."""
    if user is None:
        answer = "either" if record == "open" else "done"
        return Verdict(answer, {record: "stored"}, may=frozenset(TEACHERS_OWN), asks_meet=record in ADMITTED)
    if record not in ADMITTED:
        return Verdict("parked", {}, asks_meet=True)
    # With a conference of the class its room is looked at, which is the teacher's.
    others = frozenset(TEACHERS_OWN) if record == "lesson" else frozenset()
    if user not in ADMITTED[record]:
        return Verdict("done", {record: "told"}, may=others, asks_meet=True)
    if record == "open":
        return Verdict("again", {record: "provisional"}, asks_meet=True)
    return Verdict("done", {record: "complete"}, may=others, asks_meet=True)


def _account(organizer):
    return organizer if organizer.startswith("users/") else ADDRESSES.get(organizer.lower(), "nobody")


def _is_organizer(name):
    if name is None or _is_named(name, "users/*"):
        return True
    if not isinstance(name, str) or name.count("@") != 1:
        return False
    printable = set(string.ascii_letters + string.digits + string.punctuation) - {"/"}
    return all(0 < len(part) <= 128 and set(part) <= printable for part in name.split("@"))


def _goes_on(data):
    until = data.get("until")
    try:
        whole = until is None or datetime.fromisoformat(until).tzinfo is not None
    except (ValueError, TypeError):
        whole = False
    return whole and isinstance(data.get("after", ""), str)


def _is_named(name, shape):
    return _has_shape(name, shape) and _is_usable(name.split("/")[-1])


def _has_shape(name, shape):
    if not isinstance(name, str) or name.count("/") != shape.count("/"):
        return False
    letters = set(string.ascii_letters + string.digits + "._~-")
    return all(
        (0 < len(part) <= 256 and set(part) <= letters) if wanted == "*" else part == wanted
        for part, wanted in zip(name.split("/"), shape.split("/"), strict=True)
    )


def _is_usable(name):
    return name not in {".", ".."} and not (len(name) >= 4 and name.startswith("__") and name.endswith("__"))


# --- Messages ---

ODD = [
    None, True, 0, -1, 1.5, float("nan"), float("inf"), 10**400, "", " ", "\0", "mine", "\ud800", "é", "🎓", "\u202e",
    "conferenceRecords/\uff4dine", "conferenceRecords/mine\n", "conferenceRecords/mine\0", "conferenceRecords/..",
    "conferenceRecords/__x__", "conferenceRecords/a.b~c", "conferenceRecords/mine/participants/p0", "conferencerecords/mine",
    "spaces/own", "spaces/..", "users/1", "users/2", "users/404", "users/__x__", "users/", "subscriptions/x", "__x__", "..",
    "nobody@elsewhere.example", "m\u00fcller@elsewhere.example", "a\0@elsewhere.example", "a\ud800@elsewhere.example",
    "a@b@c", "K\u212aLVIN@elsewhere.example", "//cloudidentity.googleapis.com/users/2", "//meet.googleapis.com/spaces/own",
    "yesterday", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "2026-02-30T00:00:00Z",
    "2026-11-23T10:00:00", "2026-11-23T10:00:00.123456789Z", [], {}, [[]], ["conferenceRecords/mine"], {"name": []},
    "google.workspace.meet.conference.v2.ended", "google.workspace.meet.conference.v3.ended", "sync-everything", "sync-due",
    "x" * 257, "conferenceRecords/" + "x" * 300,
]  # fmt: skip
HUGE = ["x" * 300_000, "🎓" * 100_000, ["x"] * 50_000, {str(number): number for number in range(10_000)}]
KEYS = ["name", "Name", "conferenceRecord", "participantSession", "organizer", "session_id", "space", "after", "until"]
KEYS += ["job", "ce-type", "ce-subject", "data", "message", "attributes", "", "\0", "\ud800", "é", "a.b", "$time"]


def envelope(attributes, payload):
    return {"message": {"attributes": attributes, "data": payload, "messageId": "1"}, "subscription": "s"}


def event_seeds(world):
    """Envelopes whose data is not encoded yet: all samples, and ends of every conference, for all who may tell of them."""
    seeds = []
    for sample in SAMPLES:
        seed = json.loads(sample.read_text())["envelope"]
        if seed["message"]["data"] != "EVENT_DATA":
            seed["message"]["data"] = json.loads(base64.b64decode(seed["message"]["data"]))
        seeds.append(seed)
    ended = json.loads((SAMPLES[0].parent / "conference-ended.json").read_text())["envelope"]["message"]["attributes"]
    for record, user in [
        ("mine", TEACHER),
        ("mine", PUPIL.user),
        ("mine", None),
        ("lesson", TEACHER),
        ("lesson", "users/404"),
        ("open", TEACHER),
        ("open", None),
        ("theirs", COLLEAGUE.user),
        ("theirs", TEACHER),
        ("old", TEACHER),
        ("never", TEACHER),
        ("never", None),
    ]:
        subject = f"//cloudidentity.googleapis.com/{user}" if user else "//meet.googleapis.com/spaces/own"
        attributes = {**ended, "ce-subject": subject, "ce-time": world.now.isoformat()}
        seeds.append(envelope(attributes, {"conferenceRecord": {"name": f"conferenceRecords/{record}"}}))
    lifecycle = {**ended, "ce-type": "google.workspace.events.subscription.v1.expirationReminder"}
    seeds.append(envelope(lifecycle, {"subscription": {"name": world.subscription}}))
    return seeds


def job_seeds(world):
    soon = (world.now + timedelta(minutes=5)).isoformat()
    organizers = [{"organizer": name} for name in (TEACHER, "Teacher@school.example", "users/404")]
    going_on = [{}, {"after": TEACHER, "until": soon}, {"after": "users/0"}]
    sessions = [{"session_id": session_id} for session_id in (world.class_id, "mine", "nothing-of-ours")]
    conferences = [
        {"conference_record": f"conferenceRecords/{record}", **who}
        for record, who in [
            ("mine", organizers[0]),
            ("mine", {}),
            ("lesson", organizers[1]),
            ("open", organizers[0]),
            ("theirs", {"organizer": COLLEAGUE.email}),
            ("theirs", organizers[2]),
            ("old", organizers[0]),
            ("never", {"organizer": "somebody@elsewhere.example"}),
            ("never", {}),
        ]
    ]
    spaces = [{"space": world.class_space}, {"space": "spaces/none"}]
    return [
        envelope({"job": job}, data)
        for job, variants in {
            "sync-conference": conferences * 2,
            "sync-session": sessions,
            "remark-session": sessions,
            "sync-due": [{}],
            "reconcile": [*organizers, *spaces, *going_on],
            "renew-subscriptions": [*organizers, *going_on],
        }.items()
        for data in variants
    ]


ODD_VALUES = st.sampled_from(ODD * 12 + HUGE).map(copy.deepcopy)
PLACES = st.integers(0, 10**6)
LEVELS = ["payload"] * 3 + ["payload bytes", "data"] + ["envelope"] * 4 + ["body"]
CHANGES = st.lists(st.sampled_from(LEVELS), min_size=1, max_size=3) | st.sampled_from(
    [[level] for level in LEVELS] + [[]]
)
TREE_CHANGES = st.sampled_from(["drop", "rename", "odd", "odd", "odd", "wrap", "list", "number", "add", "add", "deep"])
BYTE_CHANGES = st.sampled_from(["flip", "flip", "cut", "insert", "utf-16", "utf-32", "bom", "twice", "nest", "replace"])
TEXT_CHANGES = st.sampled_from(["cut", "flip", "urlsafe", "unpadded", "lines", "unicode", "lower", "twice"])


@st.composite
def bodies(draw, seeds):
    """What is posted: a seed, spoiled up to three times, anywhere between the event's data and the request's body."""
    seed = copy.deepcopy(draw(st.sampled_from(seeds)))
    changes = draw(CHANGES)
    message, payload = seed["message"], seed["message"]["data"]
    for _ in range(changes.count("payload")):
        payload = _changed_tree(draw, payload)
    raw = payload.encode() if payload == "EVENT_DATA" else _dumped(draw, payload)
    for _ in range(changes.count("payload bytes")):
        raw = _changed_bytes(draw, raw)
    message["data"] = base64.b64encode(raw).decode()
    for _ in range(changes.count("data")):
        message["data"] = _changed_text(draw, message["data"])
    for _ in range(changes.count("envelope")):
        seed = _changed_tree(draw, seed)
    body = _dumped(draw, seed)
    for _ in range(changes.count("body")):
        body = _changed_bytes(draw, body)
    return body


def _dumped(draw, tree):
    """As JSON; sometimes with a key that comes twice."""
    text = json.dumps(tree)
    if isinstance(tree, dict) and tree and draw(PLACES) % 10 == 0:
        key = json.dumps(list(tree)[draw(PLACES) % len(tree)])
        other = json.dumps(draw(ODD_VALUES))
        first = draw(st.booleans())
        text = f"{{{key}: {other}, {text[1:]}" if first else f"{text[:-1]}, {key}: {other}}}"
    return text.encode()


def _changed_tree(draw, tree):
    places = list(_places(tree))
    if not places:
        return draw(ODD_VALUES)
    holder, key = places[draw(PLACES) % len(places)]
    value, keys = holder[key], st.sampled_from(KEYS)
    match draw(TREE_CHANGES):
        case "drop":
            del holder[key]
        case "rename" if isinstance(holder, dict):
            holder[draw(keys)] = holder.pop(key)
        case "wrap":
            holder[key] = {draw(keys): value}
        case "list":
            holder[key] = [value]
        case "number":
            holder[key] = len(str(value))
        case "add" if isinstance(holder, dict):
            holder[draw(keys)] = draw(ODD_VALUES)
        case "deep":
            for _ in range(draw(st.sampled_from([1, 30, 300]))):
                holder[key] = [holder[key]]
        case _:
            holder[key] = draw(ODD_VALUES)
    return tree


def _places(tree):
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        yield from _places(tree[key])


def _changed_bytes(draw, raw):
    place = draw(PLACES) % (len(raw) + 1)
    match draw(BYTE_CHANGES):
        case "flip" if place < len(raw):
            return raw[:place] + bytes([raw[place] ^ 1 << draw(PLACES) % 8]) + raw[place + 1 :]
        case "insert":
            return (
                raw[:place]
                + draw(st.sampled_from([b"\0", b"\xff", b"\xed\xa0\x80", b"{", b'"', b"9" * 5000]))
                + raw[place:]
            )
        case "utf-16" | "utf-32" as encoding:
            return raw.decode(errors="replace").encode(encoding)
        case "bom":
            return b"\xef\xbb\xbf" + raw
        case "twice":
            return raw + raw
        case "nest":
            depth = draw(st.sampled_from([1, 100, 5_000, 100_000]))
            return b"[" * depth + raw + b"]" * depth
        case "replace":
            return draw(st.binary(max_size=20) | st.sampled_from([b"", b"null", b"[]", b"{}", b"7", b'"x"', b"NaN"]))
        case _:
            return raw[:place]


def _changed_text(draw, text):
    place = draw(PLACES) % (len(text) + 1)
    match draw(TEXT_CHANGES):
        case "flip":
            return text[:place] + draw(st.sampled_from("Aa9+/=-_ \n%\0é")) + text[place + 1 :]
        case "urlsafe":
            return text.replace("+", "-").replace("/", "_")
        case "unpadded":
            return text.rstrip("=")
        case "lines":
            return text[:place] + "\n" + text[place:]
        case "unicode":
            return text + "\uff1d"
        case "lower":
            return text.lower()
        case "twice":
            return text + text
        case _:
            return text[:place]


HEADERS = {
    "ce-specversion": "1.0",
    "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
    "ce-source": "//pubsub.googleapis.com/projects/p/topics/t",
    "ce-id": "1096434104173400",
    "content-type": "application/json",
}


def received(raw):
    """The CloudEvent as the functions framework makes it of a request; None if it answers 400 itself."""
    try:
        return from_http(HEADERS, raw)
    except Exception:  # noqa: BLE001 - as the framework does
        return None


# --- The world ---


@dataclass
class World:
    now: datetime
    app: object
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
        """The class meeting that a conference is marked in."""
        return self.class_id if record == "lesson" else record

    def begin_anew(self):
        shutil.copyfile(self.prepared, self.path)

    async def names(self, collection):
        found = await self.database.find(Query(collection))
        return {document.path.rpartition("/")[2] for document in found.documents}

    async def deliver(self, function, event, *, within=TIME, app=None):
        """How a message is answered; whatever else is raised is a bug."""
        handle = {"events": events.handle, "jobs": jobs.handle}[function]
        try:
            await handle(event, lambda: app or self.app, within=within)
        except HTTPException as answer:
            assert answer.status_code == 503
            return "again"
        return "done"

    def verdict(self, function, body):
        return verdict(function, body, self.class_id, self.class_space)


@pytest.fixture
def school():
    now = datetime.now(UTC)
    school = School(lambda: datetime.now(UTC))
    school.enrol(Account(TEACHER, "teacher@school.example", display_name="The Teacher"), COLLEAGUE, *PUPILS)
    ended = now - timedelta(minutes=5)
    for name, owner, days, settled in [
        ("mine", TEACHER, 0, True),
        ("open", TEACHER, 0, False),
        ("theirs", COLLEAGUE.user, 0, True),
        ("old", TEACHER, 31, True),
    ]:
        start, end = now - timedelta(days=days, hours=1), ended - timedelta(days=days)
        people = [Attendee("t", "signed_in", "The Teacher", owner, (Visit(start, end),))]
        if owner == TEACHER:
            stay = Visit(start, end if settled else None)
            people.append(Attendee("p", "signed_in", PUPIL.display_name, PUPIL.user, (stay,)))
        school.hold(Conference(name, f"spaces/{name}", f"{name:x<6}-room", owner, start, end, tuple(people)))
    return school


@pytest.fixture
def log():
    """What is logged, as it is deployed."""
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


@pytest.fixture
async def world(start, school, workspace_events, tmp_path, log):
    """A teacher who is tracked, with a class that was held and has not been read yet."""
    app = start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded(app)), base_url="http://api") as api:
        made = await scheduled(api)
    school.hold(held(made["space"], made["meeting_code"], teacher((0, 60)), pupil(0, (0, 60)), record="lesson"))
    path, prepared = tmp_path / "attendance.db", tmp_path / "prepared.db"
    shutil.copyfile(path, prepared)
    (subscription,) = workspace_events.subscriptions
    return World(datetime.now(UTC), app, path, prepared, made["session_id"], made["space"], subscription.name, log)


async def each_batch(world, seeds, check, *, examples, size):
    """Have batches of random messages checked in this loop, each as one example."""
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # what fails names the message itself
    )
    @given(batch=st.lists(bodies(seeds), min_size=size, max_size=size), anew=st.integers(0, 5))
    def every_batch(batch, anew):
        if anew == 0:
            world.begin_anew()
        asyncio.run_coroutine_threadsafe(check([event for raw in batch if (event := received(raw))]), loop).result()

    await asyncio.to_thread(every_batch)


# --- What is looked at ---


async def stands(world, wanted):
    """Conferences are stored as well as they must be, and what failed says why and what to do."""
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
    """What makes two deliveries the same message: all but what Pub/Sub says about this delivery."""
    return text_of(body["message"] if isinstance(body, dict) and isinstance(body.get("message"), dict) else body)


def text_of(body):
    return repr(body) if isinstance(body, bytes) else json.dumps(body, sort_keys=True)


async def is_parked(world, function, given_up):
    """Each message that can never succeed is kept once, however often it comes, and can be had back; nothing else is."""
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


@pytest.mark.parametrize("function", ["events", "jobs"])
async def test_no_message_is_lost_and_none_is_asked_for_in_vain(world, function):
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

    await each_batch(world, {"events": event_seeds, "jobs": job_seeds}[function](world), check, examples=210, size=25)

    assert world.delivered >= 5_000

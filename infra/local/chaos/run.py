"""Run a day twice, once with everything going wrong and once undisturbed, and hold the documents together."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from functions import wiring
from functions.domain.model import Organizer, SyncSource
from functions.entrypoints.api.http import guarded
from functions.ports import Job
from functions.services.run_job import run_job
from functions.services.sync import Request, sync_conference
from functions.settings import Settings
from infra.local.chaos.compare import Documents, differences, documents
from infra.local.chaos.stack import BACKOFF, Instance, Traffic, WatchedTrigger, delivered, quiet
from infra.local.chaos.world import World, make_world
from infra.local.delivery import Pubsub
from infra.local.emulators import firestore_program, pubsub_emulator
from infra.local.faults import Fault
from infra.local.google_apis import GoogleApis, RestFault
from infra.local.meet import MeetSimulator
from infra.local.processes import Program
from infra.local.school import School
from infra.local.subscriptions import WorkspaceEventsSimulator
from infra.local.workspace_events import Message, conference_ended, meet_event

SETTLE = 8
"""SETTLE_SECONDS of both runs."""

STATUS = grpc.StatusCode

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Emulators:
    """The real emulators that both runs use, each with a project of its own."""

    firestore: str
    firestore_program: Program
    pubsub: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a day is, and for how long everything goes wrong."""

    seed: int
    conferences: int = 200
    seconds: float = 40.0
    instances: int = 2


@dataclass(slots=True)
class Outcome:
    """What came of it: what was injected, and every way in which the result is wrong."""

    injected: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    documents: int = 0
    seconds: float = 0.0


@contextlib.contextmanager
def emulators(folder: Path) -> Iterator[Emulators]:
    """Firestore and Pub/Sub of the Google Cloud SDK, for this alone: they are made to stand still."""
    with firestore_program(folder) as (address, program), pubsub_emulator(folder) as pubsub:
        yield Emulators(address, program, pubsub)


async def prove(plan: Plan, using: Emulators, *, folder: Path, say: Say = lambda _: None) -> Outcome:
    """Run a day twice and tell every difference."""
    began, outcome = time.monotonic(), Outcome()
    os.environ["FIRESTORE_EMULATOR_HOST"] = using.firestore  # Google's library looks there
    world = make_world(plan.seed, now=datetime.now(UTC).replace(microsecond=0), conferences=plan.conferences)
    say(f"{len(world.lessons)} classes, {len(world.conferences)} conferences, {len(world.teachers)} teachers")
    project = f"demo-{uuid.uuid4().hex[:12]}"
    async with _google(world) as google:
        shaken, seen = await _shaken(
            world, plan, using, google, project=project, folder=folder, outcome=outcome, say=say
        )
    async with _google(world) as google:
        say("the same day undisturbed")
        calm = await _calm(world, using, google, project=f"{project}-calm")
    outcome.wrong += differences(calm, shaken)
    outcome.wrong += _never(seen, calm)
    outcome.wrong += _partly_read(world, shaken)
    outcome.documents, outcome.seconds = len(calm), time.monotonic() - began
    return outcome


# --- The world of Google ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Google:
    school: School
    meet: MeetSimulator
    apis: GoogleApis
    events: WorkspaceEventsSimulator

    def settings(self, using: Emulators, project: str) -> dict[str, str]:
        """The environment of functions that use it."""
        return {
            "AUTH_MODE": "anonymous",
            "API_CALLERS": "*=admin",
            "GOOGLE_CLOUD_PROJECT": project,
            "FIRESTORE_EMULATOR_HOST": using.firestore,
            "MEET_API_ENDPOINT": self.meet.endpoint,
            "PEOPLE_API_ENDPOINT": self.apis.endpoint,
            "DIRECTORY_API_ENDPOINT": self.apis.endpoint,
            "WORKSPACE_EVENTS_API_ENDPOINT": self.events.endpoint,
            "MEET_READS_PER_MINUTE": "0",
            "MEET_PROJECT_READS_PER_MINUTE": "0",
            "SETTLE_SECONDS": str(SETTLE),
        }


@contextlib.asynccontextmanager
async def _google(world: World) -> AsyncIterator[_Google]:
    school = School(lambda: datetime.now(UTC))
    world.into(school)
    with contextlib.ExitStack() as stack:
        meet = stack.enter_context(MeetSimulator(school, page_size_cap=3).in_thread())
        apis = stack.enter_context(GoogleApis(school).in_thread())
        events = stack.enter_context(WorkspaceEventsSimulator(school).in_thread())
        yield _Google(school, meet, apis, events)


# --- The undisturbed day ----------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _application(settings: Mapping[str, str]) -> AsyncIterator[tuple[wiring.App, httpx.AsyncClient]]:
    """The application within this process, and a caller of its API."""
    configured = {name.lower(): value for name, value in settings.items() if name != "API_CALLERS"}
    app = wiring.build(Settings(**configured, api_callers="*=admin"))  # type: ignore[arg-type] # texts, as in the environment
    transport = httpx.ASGITransport(guarded(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://api", timeout=120) as api:
        yield app, api
    await app.close()


async def _calm(world: World, using: Emulators, google: _Google, *, project: str) -> Documents:
    async with _application(google.settings(using, project)) as (app, api):
        sessions = await _schedule(world, api)
        places = asyncio.Semaphore(8)

        async def record(name: str, organizer: str, end: datetime | None) -> None:
            async with places:
                await sync_conference(Request(name, Organizer(organizer), end, SyncSource.EVENT), deps=app.deps)

        await asyncio.gather(*(record(one.name, one.organizer, one.end) for one in world.conferences))
        await _decide(world, sessions, api)
        for job in ("sync-due", "reconcile"):
            await run_job(Job(job), deps=app.deps)
    return await documents(firestore.AsyncClient(project=project))


async def _schedule(world: World, api: httpx.AsyncClient) -> dict[str, str]:
    """Enrol every teacher and schedule every class; gives the classes' session ids by the LMS's own."""
    for teacher in world.teachers:
        await _insisting(functools.partial(api.post, "/api/organizers", json={"email": teacher.email}))
    found = {}
    for lesson in world.lessons:
        answer = await _insisting(functools.partial(api.post, "/api/schedule/class", json=lesson.request()))
        found[lesson.external_id] = str(answer["session_id"])
    return found


async def _decide(world: World, sessions: Mapping[str, str], api: httpx.AsyncClient, pause: float = 0.0) -> None:
    """Set marks by hand."""
    for decision in world.decisions:
        body = {"overrides": [{"student_id": decision.student_id, "status": decision.status}], "by": "Mrs Head"}
        url = f"/api/sessions/{sessions[decision.external_id]}/overrides"
        await _insisting(functools.partial(api.put, url, json=body))
        await asyncio.sleep(pause)


async def _insisting(call: Callable[[], Awaitable[httpx.Response]]) -> dict[str, Any]:
    """Call as an LMS does: again after a moment for what may pass."""
    while True:
        answer = await call()
        if answer.is_success:
            found: dict[str, Any] = answer.json() if answer.content else {}
            return found
        if answer.status_code not in {429, 503}:
            raise RuntimeError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
        await asyncio.sleep(0.5)


# --- The day on which everything goes wrong ----------------------------------------------------------------------


@dataclass(slots=True)
class _Seen:
    """What a reader saw at any moment: who was absent, and which class was not held."""

    absent: set[str] = field(default_factory=set)
    not_held: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Day:
    """All that a disturbance may touch."""

    world: World
    google: _Google
    pubsub: Pubsub
    using: Emulators
    instances: tuple[Instance, ...]
    topics: Mapping[str, str]
    dice: random.Random
    injected: Counter[str]
    unlucky: str
    """The teacher whose credentials die for a while."""

    async def publish(self, topic: str, message: Message) -> None:
        await self.pubsub.publish(self.topics[topic], message)

    async def job(self, name: str) -> None:
        await self.publish("attendance-jobs", Message({"job": name}, b"{}"))


async def _shaken(
    world: World,
    plan: Plan,
    using: Emulators,
    google: _Google,
    *,
    project: str,
    folder: Path,
    outcome: Outcome,
    say: Say,
) -> tuple[Documents, _Seen]:
    settings = google.settings(using, project) | {"PUBSUB_EMULATOR_HOST": using.pubsub}
    client = firestore.AsyncClient(project=project)
    topics = {name: f"projects/{project}/topics/{name}" for name in ("workspace-events", "attendance-jobs")}
    traffic, pubsub = Traffic(), Pubsub(using.pubsub)
    targets = {"workspace-events": "on_workspace_event", "attendance-jobs": "on_job"}
    instances = {
        topic: [Instance(target, env=settings, folder=folder, number=number) for number in range(plan.instances)]
        for topic, target in targets.items()
    }
    everyone = tuple(instance for some in instances.values() for instance in some)
    triggers = [
        WatchedTrigger(
            url="",
            topic=topics[name],
            subscription=f"projects/{project}/subscriptions/{name}",
            backoff=BACKOFF,
            instances=some,
            traffic=traffic,
        )
        for name, some in instances.items()
    ]
    dead = (f"projects/{project}/topics/dead", f"projects/{project}/subscriptions/attendance-dead-letter")
    day = _Day(
        world=world,
        google=google,
        pubsub=pubsub,
        using=using,
        instances=everyone,
        topics=topics,
        dice=random.Random(f"chaos {plan.seed}"),
        injected=outcome.injected,
        unlucky=world.teachers[0].user,
    )
    seen = _Seen()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(pubsub.close)
        for instance in everyone:
            stack.callback(instance.stop)
        await asyncio.gather(*(instance.start() for instance in everyone))
        _, api = await stack.enter_async_context(_application(settings))
        await stack.enter_async_context(delivered(pubsub, triggers, dead_letters=dead))
        sessions = await _schedule(world, api)
        async with asyncio.TaskGroup() as watching:
            watch = watching.create_task(_watch(client, seen))
            say(f"everything goes wrong for {plan.seconds:.0f} seconds")
            sent = await _break_everything(day, sessions, api, seconds=plan.seconds)
            say("the dust settles")
            await quiet(traffic, within=240)
            outcome.wrong += await _lost_without_jobs(day, client, sent)
            for job in ("sync-due", "reconcile"):
                await day.job(job)
                await asyncio.sleep(1.0)
                await quiet(traffic, within=240)
            watch.cancel()
    outcome.injected["deliveries that were asked for again"] = sum(
        number
        for status, number in traffic.answers.items()
        if status != 200  # noqa: PLR2004 - HTTP's own number
    )
    bugs = traffic.answers[500]
    if bugs:
        outcome.wrong.append(f"{bugs} deliveries were answered 500")
    return await documents(client), seen


async def _break_everything(
    day: _Day, sessions: Mapping[str, str], api: httpx.AsyncClient, *, seconds: float
) -> set[str]:
    """Let everything go wrong at once for a while, then mend it; gives the conferences whose events were sent."""
    sent: set[str] = set()
    _fail_google(day)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_events(day, sent, over=seconds * 0.7))
        tasks.create_task(_decide(day.world, sessions, api, pause=seconds * 0.6 / max(len(day.world.decisions), 1)))
        tasks.create_task(_credentials(day, begin=seconds * 0.1, last=seconds * 0.4))
        tasks.create_task(_identities(day, last=seconds * 0.5))
        tasks.create_task(_kill(day, seconds=seconds))
        tasks.create_task(_stand_still(day, seconds=seconds))
        tasks.create_task(_subscriptions(day, seconds=seconds))
        tasks.create_task(_jobs(day, seconds=seconds))
    day.google.meet.faults.clear()
    day.google.apis.fail()
    late = day.world.last_end + timedelta(seconds=SETTLE) - datetime.now(UTC)
    await asyncio.sleep(max(late.total_seconds(), 0.0))
    return sent


def _fail_google(day: _Day, *also: Fault) -> None:
    """What Google's services answer while everything goes wrong."""
    methods = (
        "GetConferenceRecord",
        "GetSpace",
        "ListConferenceRecords",
        "ListParticipants",
        "ListParticipantSessions",
    )
    day.google.meet.faults.set(
        *also,
        Fault("ListParticipants", status=STATUS.INTERNAL, page=2, share=0.3, at_most_in_a_row=4),
        *(Fault(method, delay=timedelta(seconds=2), share=0.02) for method in methods),
        *(
            Fault(method, status=status, share=share, at_most_in_a_row=4)
            for method in methods
            for status, share in (
                (STATUS.RESOURCE_EXHAUSTED, 0.10),
                (STATUS.UNAVAILABLE, 0.08),
                (STATUS.DEADLINE_EXCEEDED, 0.03),
            )
        ),
    )


async def _credentials(day: _Day, *, begin: float, last: float) -> None:
    """One teacher's credentials are dead for a while: 401 for that teacher's conferences."""
    await asyncio.sleep(begin)
    account = day.google.school.account(day.unlucky)
    names = [day.unlucky, account.email if account else ""]
    methods = (
        "GetConferenceRecord",
        "ListConferenceRecords",
        "ListParticipants",
        "ListParticipantSessions",
        "GetSpace",
    )
    _fail_google(day, *(Fault(m, status=STATUS.UNAUTHENTICATED, acting_as=name) for m in methods for name in names))
    await asyncio.sleep(last)
    _fail_google(day)
    day.injected["seconds of one teacher's dead credentials"] += int(last)


async def _identities(day: _Day, *, last: float) -> None:
    """Nobody can say who accounts are, from the beginning on: people stand as guests until somebody can."""
    day.google.apis.fail(RestFault("people.batchGet", 503), RestFault("users.get", 503))
    await asyncio.sleep(last)
    day.google.apis.fail(RestFault("people.batchGet", 503, times=5))
    day.injected["seconds without People and Directory"] += int(last)


async def _events(day: _Day, sent: set[str], *, over: float) -> None:
    """Everything that Google tells: twice, late, in any order, and one in twenty never."""
    began = asyncio.get_running_loop().time()
    plan: list[tuple[float, str, Message]] = []
    for conference in day.world.conferences:
        end = conference.end or conference.start
        earliest = max((end - datetime.now(UTC)).total_seconds(), 0.0)
        ended = conference_ended(conference.name, organizer=conference.organizer, at=end)
        if day.dice.random() < 0.05:  # noqa: PLR2004 - one in twenty
            day.injected["events that were never sent"] += 1
        else:
            copies = day.dice.choice((1, 1, 1, 2, 3))
            day.injected["events that came again"] += copies - 1
            # What ends only now is told at once, before Meet shows all of it.
            delays = [
                day.dice.uniform(0, 1 if earliest else over),
                *(day.dice.uniform(0, over) for _ in range(copies - 1)),
            ]
            plan += [(earliest + delay, conference.name, ended) for delay in delays]
        started = meet_event(
            "conference.v2.started",
            {"conferenceRecord": {"name": conference.name}},
            organizer=conference.organizer,
            at=conference.start,
        )
        plan.append((day.dice.uniform(0, over), "", started))
    organizers = {conference.name: conference.organizer for conference in day.world.conferences}
    for moment, name, message in sorted(plan, key=lambda one: one[0]):
        await asyncio.sleep(max(began + moment - asyncio.get_running_loop().time(), 0.0))
        if name and not day.google.events.is_active(organizers[name]):
            day.injected["events lost to a subscription that was suspended or had ended"] += 1
            continue
        await day.publish("workspace-events", message)
        if name:
            sent.add(name)


async def _kill(day: _Day, *, seconds: float) -> None:
    """Kill an instance now and then, and let it come up again."""
    until = asyncio.get_running_loop().time() + seconds
    while (now := asyncio.get_running_loop().time()) < until:
        await asyncio.sleep(min(day.dice.uniform(2, 6), until - now))
        instance = day.dice.choice(day.instances)
        instance.kill()
        day.injected["instances killed"] += 1
        await instance.start()


async def _stand_still(day: _Day, *, seconds: float) -> None:
    """Firestore answers nobody for some seconds, twice."""
    for _ in range(2):
        await asyncio.sleep(seconds * 0.3)
        day.using.firestore_program.pause()
        try:
            await asyncio.sleep(3.0)
        finally:
            day.using.firestore_program.resume()
        day.injected["times that Firestore stood still"] += 1


async def _subscriptions(day: _Day, *, seconds: float) -> None:
    """One teacher's subscription is suspended and mended later, another one's ends before its time."""
    _, suspended, ended, *_ = (teacher.user for teacher in day.world.teachers)
    await asyncio.sleep(seconds * 0.2)
    day.google.events.suspend(suspended, "ENDPOINT_PERMISSION_DENIED")
    day.google.events.expire(ended)
    day.injected["subscriptions suspended"] += 1
    day.injected["subscriptions that ended"] += 1
    await _tell(day)
    await asyncio.sleep(seconds * 0.3)
    day.google.events.mend(suspended)
    await day.job("renew-subscriptions")
    await _tell(day)


async def _tell(day: _Day) -> None:
    for message in day.google.events.due_events():
        await day.publish("workspace-events", message)


async def _jobs(day: _Day, *, seconds: float) -> None:
    """The clock's jobs, but for `reconcile`, whose turn comes when the dust settles."""
    until = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < until:
        await asyncio.sleep(seconds / 5)
        await day.job("sync-due")


# --- What must hold ----------------------------------------------------------------------------------------------


async def _watch(client: firestore.AsyncClient, seen: _Seen) -> None:
    """Look again and again for who is called absent and what not held."""
    while True:
        with contextlib.suppress(Exception):  # the store stands still now and then
            absent = client.collection_group("attendance").where(filter=FieldFilter("status", "==", "absent"))
            seen.absent |= {document.reference.path async for document in absent.stream(timeout=5)}
            not_held = client.collection("sessions").where(filter=FieldFilter("state", "==", "not_held"))
            seen.not_held |= {document.reference.path async for document in not_held.stream(timeout=5)}
        await asyncio.sleep(0.3)


def _never(seen: _Seen, calm: Documents) -> list[str]:
    """Who was called absent at any moment, and was there; and likewise classes."""
    return [
        *(f"{path} was called absent" for path in sorted(seen.absent) if calm.get(path, {}).get("status") != "absent"),
        *(f"{path} was called not held" for path in sorted(seen.not_held) if calm[path]["state"] != "not_held"),
    ]


def _partly_read(world: World, shaken: Documents) -> list[str]:
    """Conferences of which not everybody, with every session, is stored: an undisturbed run might lack the same."""
    wrong = []
    for conference in world.conferences:
        stored = shaken.get(f"conferences/{conference.id}", {})
        there = len(conference.attendees), sum(len(attendee.visits) for attendee in conference.attendees)
        found = stored.get("participant_count"), stored.get("participant_session_count")
        if found != there:
            wrong.append(f"{conference.name} had {there[0]} people with {there[1]} sessions, and {found} are stored")
    return wrong


async def _lost_without_jobs(day: _Day, client: firestore.AsyncClient, sent: set[str]) -> list[str]:
    """Conferences whose event came, and which nevertheless do not stand before any job has looked for them.

    Those of the teacher whose credentials were dead are marked failed, and wait for a job.
    """
    unlucky = {one.name for one in day.world.conferences if one.organizer == day.unlucky}
    wrong = []
    for name in sorted(sent - unlucky):
        document = await client.document(f"conferences/{name.removeprefix('conferenceRecords/')}").get()
        state = ((document.to_dict() or {}).get("sync") or {}).get("state")
        if state != "complete":
            wrong.append(f"the event of {name} was acknowledged, and it is {state or 'not stored'}")
    return wrong


def described(outcome: Outcome) -> str:
    """What was injected, as one line."""
    return json.dumps(dict(sorted(outcome.injected.items())))

"""Run a day twice, once with all failures and once undisturbed, and compare the documents."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from google.cloud import firestore

from functions import wiring
from functions.adapters.store.changes.unpublished import COLLECTION as UNPUBLISHED
from functions.domain.conferences.model import Organizer, SyncSource
from functions.entrypoints.api.function import guarded
from functions.ports.clock import Clock
from functions.ports.messages import Job
from functions.services.operations.run_job import run_job
from functions.services.sync.conference import sync_conference
from functions.services.sync.meet.gathered import Request
from functions.settings import load
from infra.local.chaos.compare import Documents, differences, documents
from infra.local.chaos.disturb import Day, break_everything, record_morning
from infra.local.chaos.google import Emulators, Google, serve
from infra.local.chaos.lms import decide, schedule, schedule_late
from infra.local.chaos.stack import BACKOFF, Instance, Traffic, WatchedTrigger, delivered, quiet
from infra.local.chaos.told import TOPIC, Listener
from infra.local.chaos.truth import against_the_truth
from infra.local.chaos.world import World, make_world
from infra.local.delivery import Pubsub

ENOUGH_LOOKS = 10
"""How often a reader must have read the documents of a day."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a day, and how long the failures last."""

    seed: int
    conferences: int = 200
    seconds: float = 40.0
    instances: int = 2

    def noon(self) -> datetime:
        """When the failures begin; before this, the functions start and all classes are scheduled."""
        return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=20 + self.conferences / 6)


@dataclass(slots=True)
class Outcome:
    """The result of a run: the injected faults, and everything that is wrong afterwards."""

    injected: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    documents: int = 0
    seconds: float = 0.0


async def prove(plan: Plan, using: Emulators, *, folder: Path, say: Say = lambda _: None) -> Outcome:
    """Run a day twice and return every difference."""
    began, outcome = time.monotonic(), Outcome()
    os.environ["FIRESTORE_EMULATOR_HOST"] = using.firestore  # Google's library reads it
    world = make_world(plan.seed, now=plan.noon(), conferences=plan.conferences, seconds=plan.seconds)
    say(f"{len(world.lessons)} classes, {len(world.conferences)} conferences, {len(world.teachers)} teachers")
    project = f"demo-{uuid.uuid4().hex[:12]}"
    async with serve(world) as google:
        shaken, seen = await _shaken(
            world, plan, using, google, project=project, folder=folder, outcome=outcome, say=say
        )
        outcome.wrong += google.refused()
    async with serve(world) as google:
        say("the same day undisturbed")
        calm = await _calm(world, using, google, project=f"{project}-calm")
        outcome.wrong += google.refused()
    outcome.wrong += against_the_truth(world, shaken)
    outcome.wrong += differences(calm, shaken, lost=world.lost)
    outcome.wrong += _never(seen, calm)
    outcome.wrong += _partly_read(world, shaken)
    outcome.wrong += [f"Firestore would have refused: {refusal}" for refusal in using.gate.take()]
    outcome.documents, outcome.seconds = len(calm), time.monotonic() - began
    return outcome


# --- The undisturbed day ----------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _application(
    settings: Mapping[str, str], *, clock: Clock = wiring.utc_now
) -> AsyncIterator[tuple[wiring.App, httpx.AsyncClient]]:
    """Return the application within this process, and a caller of its API."""
    configured = {name.lower(): value for name, value in settings.items() if name != "API_CALLERS"}
    app = wiring.build(load(**configured, api_callers="*=admin"), clock=clock)
    transport = httpx.ASGITransport(guarded(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://api", timeout=120) as api:
        yield app, api
    await app.close()


async def _calm(world: World, using: Emulators, google: Google, *, project: str) -> Documents:
    async with _application(google.settings(using, project)) as (app, api):
        sessions = await schedule(world, api)
        places = asyncio.Semaphore(8)

        async def record(name: str, organizer: str, end: datetime | None) -> None:
            async with places:
                await sync_conference(Request(name, Organizer(organizer), end, SyncSource.EVENT), deps=app.deps)

        morning = [one for one in world.conferences if one.name in world.morning]
        await asyncio.gather(*(record(one.name, one.organizer, one.end) for one in morning))
        world.rename(google.school)
        sessions |= await schedule_late(world, api)
        rest = [one for one in world.conferences if one.name not in world.morning]
        await asyncio.gather(*(record(one.name, one.organizer, one.end) for one in rest))
        await decide(world, sessions, api)
        for job in ("sync-due", "reconcile"):
            await run_job(Job(job), deps=app.deps)
    await _hours_later(using, google, project=project)
    return await documents(firestore.AsyncClient(project=project))


async def _hours_later(using: Emulators, google: Google, *, project: str) -> None:
    """Let hours pass: undecided results are tried again at their times."""
    for hours in (0.1, 0.5, 2, 9):
        google.clock.ahead = timedelta(hours=hours)
        async with _application(google.settings(using, project), clock=google.clock) as (app, _):
            await run_job(Job("sync-due"), deps=app.deps)
    google.clock.ahead = timedelta(0)


# --- The day on which everything goes wrong ----------------------------------------------------------------------


@dataclass(slots=True)
class _Seen:
    """Everything that a reader saw at any moment: who was absent, and which class was not held."""

    looks: int = 0
    absent: set[str] = field(default_factory=set)
    not_held: set[str] = field(default_factory=set)


async def _shaken(
    world: World,
    plan: Plan,
    using: Emulators,
    google: Google,
    *,
    project: str,
    folder: Path,
    outcome: Outcome,
    say: Say,
) -> tuple[Documents, _Seen]:
    settings = google.settings(using, project) | {"PUBSUB_EMULATOR_HOST": using.pubsub, "CHANGES_TOPIC": TOPIC}
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
    day = Day(
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
        listener = Listener(pubsub, project)
        await listener.subscribe()
        for instance in everyone:
            stack.callback(instance.stop)
        await asyncio.gather(*(instance.start() for instance in everyone))
        _, api = await stack.enter_async_context(_application(settings))
        await stack.enter_async_context(delivered(pubsub, triggers, dead_letters=dead))
        sessions = await schedule(world, api)
        await record_morning(day)
        await quiet(traffic, within=60, more_than=0)
        async with asyncio.TaskGroup() as watching:
            watch = watching.create_task(_watch(client, seen))
            await asyncio.sleep(max((world.noon - datetime.now(UTC)).total_seconds() - 1.0, 0.0))
            say(f"everything goes wrong for {plan.seconds:.0f} seconds")
            sent = await break_everything(day, sessions, api, seconds=plan.seconds)
            say("the failures end")
            await quiet(traffic, within=240)
            outcome.wrong += await _lost_without_jobs(day, client, sent)
            for job in ("sync-due", "reconcile"):
                before = sum(traffic.answers.values())
                await day.job(job)
                await quiet(traffic, within=240, more_than=before)
            outcome.wrong += _dead_subscriptions(google, world)
            waiting = [one.id async for one in client.collection(UNPUBLISHED).stream()]
            outcome.wrong += await listener.untold(await documents(client), waiting)
            await _hours_later(using, google, project=project)
            watch.cancel()
    outcome.injected["deliveries that were requested again"] = sum(
        number
        for status, number in traffic.answers.items()
        if status != 200  # noqa: PLR2004 - HTTP's own number
    )
    bugs = traffic.answers[500]
    if bugs:
        outcome.wrong.append(f"{bugs} deliveries were answered 500")
    return await documents(client), seen


# --- What must hold ----------------------------------------------------------------------------------------------


async def _watch(client: firestore.AsyncClient, seen: _Seen) -> None:
    """Read repeatedly who is called absent and which class is called not held."""
    while True:
        with contextlib.suppress(Exception):  # the store is paused from time to time
            people = client.collection_group("attendance").select(["status"])
            found = {one.reference.path: one.get("status") async for one in people.stream(timeout=5)}
            seen.absent |= {path for path, status in found.items() if status == "absent"}
            classes = client.collection("sessions").select(["state"])
            found = {one.reference.path: one.get("state") async for one in classes.stream(timeout=5)}
            seen.not_held |= {path for path, state in found.items() if state == "not_held"}
            seen.looks += 1
        await asyncio.sleep(0.3)


def _never(seen: _Seen, calm: Documents) -> list[str]:
    """Return students who were wrongly called absent at any moment, and classes that were wrongly called not held."""
    absent = [path for path in sorted(seen.absent) if calm.get(path, {}).get("status") != "absent"]
    not_held = [path for path in sorted(seen.not_held) if calm.get(path, {}).get("state") != "not_held"]
    return [
        *(["nobody could look for who was called absent"] if seen.looks < ENOUGH_LOOKS else []),
        *(f"{path} was called absent" for path in absent),
        *(f"{path} was called not held" for path in not_held),
    ]


def _dead_subscriptions(google: Google, world: World) -> list[str]:
    """Return teachers for whose conferences no events arrive any more."""
    return [f"{one.user} has no active subscription" for one in world.teachers if not google.events.is_active(one.user)]


def _partly_read(world: World, shaken: Documents) -> list[str]:
    """Return conferences that are not stored with all people and sessions.

    An undisturbed run might lack the same ones.
    """
    wrong = []
    for conference in world.conferences:
        stored = shaken.get(f"conferences/{conference.id}", {})
        there = len(conference.attendees), sum(len(attendee.visits) for attendee in conference.attendees)
        found = stored.get("participant_count"), stored.get("participant_session_count")
        if found != there:
            wrong.append(f"{conference.name} had {there[0]} people with {there[1]} sessions, and {found} are stored")
    return wrong


async def _lost_without_jobs(day: Day, client: firestore.AsyncClient, sent: set[str]) -> list[str]:
    """Return conferences whose event arrived but that are not stored, before any job has searched for them.

    Conferences of the teacher with invalid credentials are marked as failed and wait for a job.
    """
    unlucky = {one.name for one in day.world.conferences if one.organizer == day.unlucky}
    wrong = []
    for name in sorted(sent - unlucky):
        document = await client.document(f"conferences/{name.removeprefix('conferenceRecords/')}").get()
        state = ((document.to_dict() or {}).get("sync") or {}).get("state")
        if state != "complete":
            wrong.append(f"the event of {name} was acknowledged, and it is {state or 'not stored'}")
    return wrong

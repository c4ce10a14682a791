"""All failures of a day, at the same time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import grpc
import httpx

from infra.local.chaos.google import SETTLE, Emulators, Google
from infra.local.chaos.lms import decide, schedule_late
from infra.local.chaos.stack import Instance
from infra.local.chaos.world import World
from infra.local.delivery import Pubsub
from infra.local.event_faults import may_hide_a_session
from infra.local.faults import Fault
from infra.local.google_apis import RestFault
from infra.local.school import Conference
from infra.local.workspace_events import Message, conference_ended, meet_event, presence_events

STATUS = grpc.StatusCode

METHODS = ("GetConferenceRecord", "GetSpace", "ListConferenceRecords", "ListParticipants", "ListParticipantSessions")
"""All methods of Meet that a sync calls."""


@dataclass(frozen=True, slots=True)
class Day:
    """Everything that a failure may affect."""

    world: World
    google: Google
    pubsub: Pubsub
    using: Emulators
    instances: tuple[Instance, ...]
    topics: Mapping[str, str]
    dice: random.Random
    injected: Counter[str]
    unlucky: str
    """The teacher whose credentials are invalid for a while."""
    failing: dict[str, tuple[Fault, ...]] = field(default_factory=dict)
    """Faults that Meet has now in addition to its permanent faults, by their cause."""

    async def publish(self, topic: str, message: Message) -> None:
        """Publish a message to a topic; the topic's name has no project."""
        await self.pubsub.publish(self.topics[topic], message)

    async def job(self, name: str) -> None:
        """Publish a job about everybody."""
        await self.publish("attendance-jobs", Message({"job": name}, b"{}"))


async def break_everything(day: Day, sessions: dict[str, str], api: httpx.AsyncClient, *, seconds: float) -> set[str]:
    """Cause all failures at once for a while, then fix them; return the conferences whose events were sent.

    Classes that are entered during this time are added to `sessions`.
    """
    sent: set[str] = set()
    _fail_google(day)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_events(day, sent, over=seconds * 0.7))
        tasks.create_task(decide(day.world, sessions, api, pause=seconds * 0.6 / max(len(day.world.decisions), 1)))
        tasks.create_task(_credentials(day, begin=seconds * 0.1, last=max(seconds * 0.4, 20.0)))
        tasks.create_task(_rename(day, sessions, api))
        tasks.create_task(_pages(day, begin=seconds * 0.5, last=seconds * 0.3))
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


def _fail_google(day: Day) -> None:
    """Set the answers of Google's services during the failures."""
    day.google.meet.faults.set(
        *(fault for faults in day.failing.values() for fault in faults),
        Fault("ListParticipants", status=STATUS.INTERNAL, page=2, share=0.3, at_most_in_a_row=4),
        Fault("GetConferenceRecord", drop=True, times=2),
        *(Fault(method, delay=timedelta(seconds=2), share=0.02) for method in METHODS),
        *(
            Fault(method, status=status, share=share, at_most_in_a_row=4)
            for method in METHODS
            for status, share in (
                (STATUS.RESOURCE_EXHAUSTED, 0.10),
                (STATUS.UNAVAILABLE, 0.08),
                (STATUS.DEADLINE_EXCEEDED, 0.03),
            )
        ),
    )


async def _credentials(day: Day, *, begin: float, last: float) -> None:
    """Make one teacher's credentials invalid for a while: 401 for that teacher's conferences."""
    await asyncio.sleep(begin)
    account = day.google.school.account(day.unlucky)
    names = [day.unlucky, account.email if account else ""]
    day.failing["credentials"] = tuple(
        Fault(m, status=STATUS.UNAUTHENTICATED, acting_as=name) for m in METHODS for name in names
    )
    _fail_google(day)
    await asyncio.sleep(last)
    del day.failing["credentials"]
    _fail_google(day)
    day.injected["seconds of one teacher's dead credentials"] += int(last)


async def _pages(day: Day, *, begin: float, last: float) -> None:
    """Make Meet return no second page of any list for a while."""
    await asyncio.sleep(begin)
    lists = [method for method in METHODS if method.startswith("List")]
    day.failing["pages"] = tuple(
        Fault(method, status=STATUS.UNAVAILABLE, page=page) for method in lists for page in (2, 4)
    )
    _fail_google(day)
    await asyncio.sleep(last)
    del day.failing["pages"]
    _fail_google(day)
    day.injected["seconds without second pages"] += int(last)


async def _rename(day: Day, sessions: dict[str, str], api: httpx.AsyncClient) -> None:
    """Rename accounts at the same time; afterwards, the LMS enters classes with the new addresses."""
    moment = day.world.renamed_at or datetime.now(UTC)
    await asyncio.sleep(max((moment - datetime.now(UTC)).total_seconds(), 0.0))
    day.world.rename(day.google.school)
    day.injected["accounts renamed"] += len(day.world.renamed)
    sessions |= await schedule_late(day.world, api)


async def _identities(day: Day, *, last: float) -> None:
    """Make the identity services unavailable from the beginning: people are guests until a service answers."""
    day.google.apis.fail(RestFault("people.batchGet", 503), RestFault("users.get", 503))
    await asyncio.sleep(last)
    day.google.apis.fail(RestFault("people.batchGet", 503, times=5))
    day.injected["seconds without People and Directory"] += int(last)


async def record_morning(day: Day) -> None:
    """Publish the events of the conferences that are recorded before the failures begin."""
    for conference in day.world.conferences:
        if conference.name in day.world.morning:
            end = conference.end or conference.start
            ended = conference_ended(conference.name, organizer=conference.organizer, at=end)
            await day.publish("workspace-events", ended)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A message that Google sends.

    Attributes:
        at: When, in seconds from now.
        message: What is sent.
        organizer: Whose subscription sends it; None if it is sent in any case.
        ended: The conference whose end it tells.
    """

    at: float
    message: Message
    organizer: str | None
    ended: str | None = None


async def _events(day: Day, sent: set[str], *, over: float) -> None:
    """Send Google's events: twice, late, in any order, and one in twenty never."""
    began = asyncio.get_running_loop().time()
    plan: list[_Planned] = []
    for conference in day.world.conferences:
        if conference.name not in day.world.morning:
            plan += [*_presence(day, conference, over=over), *_beginning_and_end(day, conference, over=over)]
    async with asyncio.TaskGroup() as publishing:
        for planned in sorted(plan, key=lambda one: one.at):
            await asyncio.sleep(max(began + planned.at - asyncio.get_running_loop().time(), 0.0))
            if planned.organizer and not day.google.events.is_active(planned.organizer):
                day.injected["events lost to a subscription that was suspended or had ended"] += 1
                continue
            publishing.create_task(day.publish("workspace-events", planned.message))
            if planned.ended:
                sent.add(planned.ended)


def _beginning_and_end(day: Day, conference: Conference, *, over: float) -> Iterator[_Planned]:
    end = conference.end or conference.start
    earliest = max((end - datetime.now(UTC)).total_seconds(), 0.0)
    ended = conference_ended(conference.name, organizer=conference.organizer, at=end)
    if day.dice.random() < 0.05:  # noqa: PLR2004 - one in twenty
        day.injected["events that were never sent"] += 1
    else:
        copies = 1 if earliest else day.dice.choice((1, 1, 1, 2, 3))
        day.injected["events that came again"] += copies - 1
        # What ends only now is reported at once, before Meet shows all of it.
        delays = [
            day.dice.uniform(0, 1 if earliest else over),
            *(day.dice.uniform(0, over) for _ in range(copies - 1)),
        ]
        yield from (_Planned(earliest + delay, ended, conference.organizer, conference.name) for delay in delays)
    started = meet_event(
        "conference.v2.started",
        {"conferenceRecord": {"name": conference.name}},
        organizer=conference.organizer,
        at=conference.start,
    )
    yield _Planned(day.dice.uniform(0, over), started, conference.organizer)


def _presence(day: Day, conference: Conference, *, over: float) -> Iterator[_Planned]:
    """Joined and left events: one in twenty never, one in ten late, some again, most of them before the end is told.

    Those who may hide a session lose none: without its events nobody can see it, as ADR 30 says.
    """
    hiding = [f"{conference.name}/participants/{one.id}/" for one in conference.attendees if may_hide_a_session(one)]
    for message in presence_events(conference):
        organizer = None if any(name in message.data.decode() for name in hiding) else conference.organizer
        if organizer and day.dice.random() < 0.05:  # noqa: PLR2004 - one in twenty
            day.injected["joined and left events that were never sent"] += 1
            continue
        happened = datetime.fromisoformat(message.attributes["ce-time"])
        earliest = max((happened - datetime.now(UTC)).total_seconds(), 0.0)
        late = day.dice.random() < 0.1  # noqa: PLR2004 - one in ten
        again = day.dice.choice((0, 0, 0, 0, 1, 2))
        day.injected["joined and left events that came late"] += late
        day.injected["joined and left events that came again"] += again
        delays = [day.dice.uniform(0, over if late else 0.5), *(day.dice.uniform(0, over) for _ in range(again))]
        yield from (_Planned(earliest + delay, message, organizer) for delay in delays)


async def _kill(day: Day, *, seconds: float) -> None:
    """Kill an instance from time to time, and start it again."""
    until = asyncio.get_running_loop().time() + seconds
    while (now := asyncio.get_running_loop().time()) < until:
        await asyncio.sleep(min(day.dice.uniform(2, 6), until - now))
        instance = day.dice.choice(day.instances)
        instance.kill()
        day.injected["instances killed"] += 1
        await instance.start()


async def _stand_still(day: Day, *, seconds: float) -> None:
    """Make Firestore answer no calls for some seconds, twice."""
    for _ in range(2):
        await asyncio.sleep(seconds * 0.3)
        day.using.firestore_program.pause()
        try:
            await asyncio.sleep(3.0)
        finally:
            day.using.firestore_program.resume()
        day.injected["times that Firestore stood still"] += 1


async def _subscriptions(day: Day, *, seconds: float) -> None:
    """Suspend one teacher's subscription and fix it later; end another teacher's subscription early."""
    _, suspended, ended, *_ = (teacher.user for teacher in day.world.teachers)
    await asyncio.sleep(seconds * 0.2)
    day.google.events.suspend(suspended, "ENDPOINT_PERMISSION_DENIED")
    day.google.events.expire(ended)
    day.injected["subscriptions suspended"] += 1
    day.injected["subscriptions that ended"] += 1
    await _tell(day)
    await asyncio.sleep(seconds * 0.3)
    day.google.events.fix(suspended)
    await day.job("renew-subscriptions")
    await _tell(day)


async def _tell(day: Day) -> None:
    for message in day.google.events.due_events():
        await day.publish("workspace-events", message)


async def _jobs(day: Day, *, seconds: float) -> None:
    """Send the scheduled jobs, except `reconcile`, which runs after the failures."""
    until = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < until:
        await asyncio.sleep(seconds / 5)
        await day.job("sync-due")

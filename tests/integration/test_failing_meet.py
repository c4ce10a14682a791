"""A Meet that keeps failing: how long one message waits, what a day of failures costs, and that nothing is lost."""

import asyncio
import base64
import dataclasses
import heapq
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cloudevents.http import CloudEvent
from starlette.exceptions import HTTPException

from functions.adapters.patience import LAST, Patience
from functions.domain.conferences.model import SyncSource
from functions.entrypoints.messages import events, jobs
from functions.services.sync.session import sync_session
from infra.local.clock import TurnableClock
from infra.local.faults import Fault
from infra.local.meet import MeetSimulator
from infra.local.school import Attendee, Conference, School, Visit
from infra.local.workspace_events import Message, conference_ended

STATUS = grpc.StatusCode
START = datetime(2026, 11, 2, 9, tzinfo=UTC)
LENGTH = timedelta(minutes=50)
DAY, MINUTE, SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
TEACHER = "users/1"
MOST_STEPS = 50
"""Within this many steps of the event loop, a task that has an answer makes its next call, if it has one."""


class Waits:
    """Waiting with a turned clock: when every call waits, the clock moves to the next awaited moment.

    While a call is running or its answer is processed, no time passes, even on a slow machine.
    """

    def __init__(self, clock):
        self._clock = clock
        self._under_way = 0
        self._moments = {}
        self._turning = None

    def patience(self):
        return WatchedPatience(self)

    def seconds(self):
        return (self._clock() - START).total_seconds()

    @contextmanager
    def call(self):
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def sleep(self, seconds):
        woken = asyncio.Event()
        self._moments[woken] = self._clock() + timedelta(seconds=seconds)
        if self._turning is None or self._turning.done():
            self._turning = asyncio.create_task(self._turn())
        try:
            await woken.wait()
        finally:
            self._moments.pop(woken, None)

    async def _turn(self):
        turns = 0
        while self._moments:
            is_busy = self._under_way > len(self._moments)
            turns = 0 if is_busy else turns + 1
            if turns > MOST_STEPS:
                turns = 0
                woken = min(self._moments, key=self._moments.get)
                self._clock.turn_to(max(self._clock(), self._moments.pop(woken)))
                woken.set()
            await asyncio.sleep(0.001 if is_busy else 0)


class WatchedPatience(Patience):
    """A message's patience that reports the number of running calls, including those that wait for another attempt."""

    def __init__(self, waits):
        super().__init__(clock=waits.seconds, sleep=waits.sleep)
        self._waits = waits

    @contextmanager
    def watching(self):
        with self._waits.call(), super().watching() as trouble:
            yield trouble


@pytest.fixture
def clock():
    return TurnableClock(START)


@pytest.fixture
def school(clock):
    return School(clock)


@pytest.fixture
async def failing(instance, clock, school):
    """Return a function that makes an application with its own Meet; both wait with the turned clock."""
    started = []

    async def start(*faults, page_size_cap=None):
        meet = MeetSimulator(school, page_size_cap=page_size_cap)
        await meet.start()
        started.append(meet)
        meet.faults.set(*faults)
        app = instance(meet_api_endpoint=meet.endpoint, clock=clock, patience=Waits(clock).patience)
        return app, meet

    yield start
    for meet in started:
        await meet.stop()


def held(people, name="abc"):
    attendees = [Attendee("t", "signed_in", "T", TEACHER, (Visit(START, START + LENGTH),))]
    attendees += [
        Attendee(f"p{n:04}", "signed_in", "P", f"users/{n + 2}", (Visit(START + n * SECOND, START + LENGTH),))
        for n in range(people - 1)
    ]
    return Conference(name, f"spaces/{name}", "abc-mnop-xyz", TEACHER, START, START + LENGTH, tuple(attendees))


def as_cloud_event(message):
    body = {"message": {"data": base64.b64encode(message.data).decode(), "attributes": message.attributes}}
    return CloudEvent({"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub"}, body)


async def delivered(app, clock, message, *, handle=events.handle):
    """Return whether a message is acknowledged, and how long its answer took by the clock."""
    began = clock()
    try:
        await handle(as_cloud_event(message), lambda: app)
    except HTTPException as answered:
        status = answered.status_code
    else:
        status = 204
    assert status in {204, 503}
    return status == 204, clock() - began


async def redelivered_for_a_day(app, clock, held):
    """Deliver like Pub/Sub: 10 to 600 seconds between two deliveries of the event, and `reconcile` every half hour.

    Returns how long each answer took.
    """
    ended = conference_ended(held.name, organizer=held.organizer, at=held.end)
    queue, number, took = [(clock(), 0, "event", 0)], 0, []
    queue += [(clock() + half * 30 * MINUTE, half, "reconcile", 0) for half in range(1, 48)]
    ends_at = clock() + DAY
    heapq.heapify(queue)
    while queue and queue[0][0] < ends_at:
        moment, _, kind, attempt = heapq.heappop(queue)
        clock.turn_to(max(moment, clock()))
        if kind == "event":
            done, seconds = await delivered(app, clock, ended)
        else:
            records = await app.deps.store.unfinished_conferences(TEACHER, since=START)
            if kind == "reconcile":
                for _ in records:
                    number += 1
                    heapq.heappush(queue, (clock(), 1000 + number, "job", 0))
                continue
            job = Message({"job": "sync-conference"}, f'{{"conference_record": "{held.name}"}}'.encode())
            done, seconds = await delivered(app, clock, job, handle=jobs.handle)
        took.append(seconds)
        if not done:
            number += 1
            pause = min(10 * 2**attempt, 600) * SECOND
            heapq.heappush(queue, (clock() + pause, 1000 + number, kind, attempt + 1))
    clock.turn_to(max(clock(), ends_at))
    return took


async def conference_of(app, held):
    async def load(work):
        return await work.conference(held.name)

    conference, _ = await app.deps.store.transact(load)
    return conference


SECOND_PAGE = Fault("ListParticipants", STATUS.UNAVAILABLE, page=2)
HALF_OF_THE_PEOPLE = [
    Fault("ListParticipantSessions", STATUS.UNAVAILABLE, resource=f"/p{number:04}") for number in range(0, 300, 2)
]


@pytest.mark.parametrize(
    ("people", "cap", "faults"),
    [(300, None, [SECOND_PAGE]), (30, 10, [SECOND_PAGE]), (300, None, HALF_OF_THE_PEOPLE)],
    ids=["300 people", "30 people on pages of 10", "the sessions of every second person"],
)
async def test_a_day_of_failing_pages_costs_less_than_two_full_reads(failing, clock, school, *, people, cap, faults):
    """Each message is answered within a minute, and everybody is read after Meet recovers."""
    conference = held(people)
    school.hold(conference)
    clock.turn_to(conference.end + MINUTE)
    app, meet = await failing(*faults, page_size_cap=cap)
    took = await redelivered_for_a_day(app, clock, conference)
    full_read = people + 2 + -(-people // (cap or 250))

    assert max(took) < MINUTE
    assert len(meet.calls) < 2 * full_read

    meet.faults.clear()
    calls = len(meet.calls)
    await redelivered_for_a_day(app, clock, conference)
    stored = await conference_of(app, conference)
    assert (len(stored.snapshot.participants), stored.sync.state, stored.interruption) == (people, "complete", None)
    assert len(meet.calls) < calls + full_read


async def test_a_meet_that_fails_at_random_is_read_at_once(failing, clock, school):
    """Half of all pages fail.

    Each message is answered within a minute, nothing waits, and there are hardly more than twice the calls.
    """
    conference = held(300)
    school.hold(conference)
    clock.turn_to(conference.end + MINUTE)
    methods = ("GetConferenceRecord", "GetSpace", "ListParticipants", "ListParticipantSessions")
    app, meet = await failing(
        *(Fault(method, STATUS.RESOURCE_EXHAUSTED, share=0.5, at_most_in_a_row=6) for method in methods)
    )
    ended = conference_ended(conference.name, organizer=TEACHER, at=conference.end)

    done, took = await delivered(app, clock, ended)

    assert done
    assert took < MINUTE
    assert len(meet.calls) <= 2.5 * 304


async def test_half_of_all_calls_refused_changes_nothing_about_eighty_classes_at_once(failing, clock, school):
    """Each with a teacher of its own: same documents, no failed sync, and at most 2.5 times the calls."""
    classes = [dataclasses.replace(held(30, f"c{number:02}"), organizer=f"users/{number}") for number in range(80)]
    for conference in classes:
        school.hold(conference)
    clock.turn_to(START + LENGTH + DAY)
    methods = ("GetConferenceRecord", "GetSpace", "ListParticipants", "ListParticipantSessions")
    app, meet = await failing(
        *(Fault(method, STATUS.RESOURCE_EXHAUSTED, share=0.5, at_most_in_a_row=6) for method in methods)
    )

    async def all_read():
        events_of = (conference_ended(each.name, organizer=each.organizer, at=each.end) for each in classes)
        answers = await asyncio.gather(*(delivered(app, clock, event) for event in events_of))
        stored = [await conference_of(app, each) for each in classes]
        return answers, [conference.snapshot for conference in stored], {c.sync.state for c in stored}

    answers, snapshots, states = await all_read()
    assert ({done for done, _ in answers}, states) == ({True}, {"complete"})
    assert max(took for _, took in answers) < MINUTE
    assert len(meet.calls) <= 2.5 * 80 * 33
    meet.faults.clear()
    for conference in classes:
        await sync_session(conference.id, deps=app.deps, source=SyncSource.MANUAL, full=True)
    assert [(await conference_of(app, each)).snapshot for each in classes] == snapshots


async def test_a_meet_that_never_answers_costs_a_message_less_than_a_minute(failing, clock, school):
    conference = held(30)
    school.hold(conference)
    clock.turn_to(conference.end + MINUTE)
    app, meet = await failing(
        *(Fault(method, STATUS.UNAVAILABLE) for method in ("GetConferenceRecord", "ListParticipants"))
    )
    done, took = await delivered(app, clock, conference_ended(conference.name, organizer=TEACHER, at=conference.end))

    assert not done
    assert took < MINUTE
    assert len(meet.calls) < 30


async def test_a_message_that_comes_again_before_its_time_asks_meet_nothing(failing, clock, school):
    conference = held(30)
    school.hold(conference)
    clock.turn_to(conference.end + MINUTE)
    app, meet = await failing(Fault("ListParticipants", STATUS.UNAVAILABLE))
    ended = conference_ended(conference.name, organizer=TEACHER, at=conference.end)
    await delivered(app, clock, ended)
    calls = len(meet.calls)
    clock.turn(10 * SECOND)

    assert await delivered(app, clock, ended) == (False, timedelta(0))
    assert len(meet.calls) == calls


async def test_what_was_read_before_meet_failed_is_not_asked_for_again(failing, clock, school):
    """Another instance does not request it either, because it is stored."""
    conference = held(20)
    school.hold(conference)
    clock.turn_to(conference.end + MINUTE)
    app, meet = await failing(Fault("ListParticipantSessions", STATUS.UNAVAILABLE, resource="/p0007"))
    ended = conference_ended(conference.name, organizer=TEACHER, at=conference.end)
    await delivered(app, clock, ended)
    interruption = (await conference_of(app, conference)).interruption
    other, meet = await failing()
    clock.turn_to(interruption.again_at)

    assert len(interruption.participants) == 19
    assert await delivered(other, clock, ended) == (True, timedelta(0))
    assert meet.calls.by_method() == {
        "GetConferenceRecord": 1, "ListParticipants": 1, "ListParticipantSessions": 1, "GetSpace": 1,
    }  # fmt: skip


async def test_what_was_read_before_meet_failed_makes_no_mark(failing, clock, school):
    conference = held(20)
    school.hold(conference)
    clock.turn_to(conference.end + MINUTE)
    app, _ = await failing(Fault("ListParticipantSessions", STATUS.UNAVAILABLE, resource="/p0007"))
    await delivered(app, clock, conference_ended(conference.name, organizer=TEACHER, at=conference.end))

    assert await app.views.attendance(conference.id) is None


async def test_a_second_read_of_a_conference_asks_only_for_those_who_were_open(failing, clock, school):
    """It reads the record, the pages, and the sessions of the person whose end Meet did not know."""
    late = Attendee("late", "signed_in", "L", "users/999", (Visit(START, START + LENGTH, settles=START + 2 * LENGTH),))
    conference = held(20)
    conference = dataclasses.replace(conference, attendees=(*conference.attendees, late))
    school.hold(conference)
    clock.turn_to(conference.end + MINUTE)
    app, meet = await failing()
    ended = conference_ended(conference.name, organizer=TEACHER, at=conference.end)
    await delivered(app, clock, ended)
    assert len(meet.calls) == 21 + 3
    clock.turn_to(START + 2 * LENGTH)
    await delivered(app, clock, ended)

    assert len(meet.calls) == 21 + 3 + 3
    stored = await conference_of(app, conference)
    assert stored.sync.state == "complete"
    assert all(session.end_time for person in stored.snapshot.participants for session in person.sessions)


def test_a_message_may_lose_less_than_a_minute_with_time_left_to_store_what_was_read():
    assert Patience().left + 2 * LAST < MINUTE / SECOND


def test_waiting_for_our_own_ceiling_takes_no_patience():
    """Meet fails for ten seconds. At the same time, another call waits for its turn for ten minutes."""
    seconds = 0.0
    mine = Patience(60.0, clock=lambda: seconds)
    with mine.watching() as trouble:
        trouble.failed(mine.now())
        seconds += 4
        with mine.queueing():
            seconds += 600
        seconds += 6
        assert mine.left == pytest.approx(50.0)


def test_calls_that_are_in_trouble_at_once_take_their_time_together():
    seconds = 0.0
    mine = Patience(60.0, clock=lambda: seconds)
    with mine.watching() as one, mine.watching() as other:
        seconds += 20
        one.failed(0.0)
        other.failed(10.0)
        seconds += 5
        assert mine.left == pytest.approx(35.0)


def test_work_that_goes_well_takes_no_patience():
    seconds = 0.0
    mine = Patience(60.0, clock=lambda: seconds)
    with mine.watching():
        seconds += 300

    assert mine.left == pytest.approx(60.0)

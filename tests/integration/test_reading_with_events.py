"""Joined and left events spare calls to Meet, and change nothing that is stored."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.conferences.model import SessionsSource
from functions.domain.errors import StoreUnavailable
from functions.entrypoints.messages import events
from functions.entrypoints.messages.envelope import Message
from functions.ports.messages import Job
from functions.services.operations.run_job import run_job
from functions.services.operations.survey import survey
from functions.services.sync.seen import collect
from infra.local.clock import TurnableClock
from infra.local.school import Attendee, Conference, Visit
from infra.local.workspace_events import meet_event, presence_events
from tests.erasing import WatchedSqlite

TEACHER = "users/1"
END = datetime.now(UTC).replace(microsecond=123456) - timedelta(hours=3)
START = END - timedelta(minutes=50)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
WHOLE = Visit(START, END)
TWICE = (Visit(START, START + 20 * MINUTE), Visit(START + 21 * MINUTE, END))
ON_TWO_DEVICES = (WHOLE, Visit(START + 5 * MINUTE, START + 20 * MINUTE))


def held(people, *, rejoining=0, visits=TWICE, id_="class"):
    """A class that has ended, in which the first few came twice, after the teacher."""
    attendees = [
        Attendee(f"p{n}", "signed_in", f"Person {n}", f"users/{n}", visits if 1 < n <= 1 + rejoining else (WHOLE,))
        for n in range(1, people + 1)
    ]
    return Conference(id_, "spaces/room", "abc-mnop-xyz", TEACHER, START, END, tuple(attendees))


@pytest.fixture
def app(instance):
    """An instance that collects events without waiting."""
    return instance(pause=lambda _: asyncio.sleep(0))


async def deliver(app, *messages):
    """Messages come to one instance at the same time."""
    await asyncio.gather(
        *(events.process(Message(message.attributes, json.loads(message.data)), app) for message in messages)
    )


def about(held, attendee, session, kind, at):
    name = f"{held.name}/participants/{attendee}/participantSessions/{session}"
    return meet_event(f"participant.v2.{kind}", {"participantSession": {"name": name}}, organizer=TEACHER, at=at)


async def test_what_is_stored_is_what_a_full_read_stores(app, reading_all, lively, record, stored):
    await deliver(app, *presence_events(lively))

    await record(app, lively)
    await record(reading_all, lively)

    (short, _, people), (whole, _, everybody) = await stored(app, lively), await stored(reading_all, lively)
    assert short.snapshot == whole.snapshot
    assert [_but_times(one) for one in people] == [_but_times(one) for one in everybody]
    assert (short.sync.sessions_source, whole.sync.sessions_source) == (SessionsSource.EVENTS, SessionsSource.MEET)
    assert (short.sync.meet_calls, whole.sync.meet_calls) == (3 + 3, 3 + 12)


def _but_times(document):
    return {name: value for name, value in document.items() if name != "updated_at"}


async def test_without_events_everybody_is_asked_for(app, school, meet, record):
    conference = held(10)
    school.hold(conference)

    recorded = await record(app, conference)

    assert meet.calls.by_method()["ListParticipantSessions"] == 10
    assert recorded.conference.sync.sessions_source is SessionsSource.MEET


async def test_a_setting_makes_every_read_whole(instance, school, meet, record):
    conference = held(10)
    school.hold(conference)
    short, whole = instance(pause=lambda _: asyncio.sleep(0)), instance(meet_full_reads=True)
    await deliver(short, *presence_events(conference))
    await record(short, conference)
    assert meet.calls.by_method()["ListParticipantSessions"] == 0

    await run_job(Job("sync-conference", {"conference_record": conference.name}), deps=whole.deps)

    assert meet.calls.by_method()["ListParticipantSessions"] == 10
    await deliver(whole, about(conference, "p2", "other", "joined", START))
    assert len((await short.deps.seen.of(conference.name)).sessions) == 10


@pytest.fixture
def watched(tmp_path):
    return WatchedSqlite(tmp_path / "attendance.db")


async def test_events_that_come_at_once_are_one_write(instance, watched):
    app, conference = instance(documents=watched, pause=lambda _: asyncio.sleep(0)), held(30)

    await deliver(app, *presence_events(conference))

    assert [write.path for write in watched.written] == ["conferences/class/seen/0"]
    assert len((await app.deps.seen.of(conference.name)).sessions) == 30


async def test_no_event_is_acknowledged_before_it_is_stored(instance, watched):
    """If the write fails, all messages that it was for come again."""
    app, conference = instance(documents=watched, pause=lambda _: asyncio.sleep(0)), held(3)
    watched.commits_left = 0

    answers = await asyncio.gather(
        *(deliver(app, message) for message in presence_events(conference)), return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [StoreUnavailable] * 6
    watched.commits_left = None
    await deliver(app, *presence_events(conference))
    assert len((await app.deps.seen.of(conference.name)).sessions) == 3


async def test_a_message_that_is_given_up_takes_no_other_with_it(instance):
    """One delivery ends before the write, the others wait for it."""
    go = asyncio.Event()
    app, conference = instance(pause=lambda _: go.wait()), held(2)
    tasks = [asyncio.create_task(deliver(app, message)) for message in presence_events(conference)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    go.set()

    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert [isinstance(answer, asyncio.CancelledError) for answer in answers] == [True, False, False, False]
    assert len((await app.deps.seen.of(conference.name)).sessions) == 2


@pytest.fixture(params=[TWICE, ON_TWO_DEVICES])
def lively(request, school):
    """A class in which some came twice."""
    conference = held(12, rejoining=3, visits=request.param)
    school.hold(conference)
    return conference


@pytest.fixture
def reading_all(instance, tmp_path):
    """Another system on the same Meet, which reads everything."""
    return instance(attendance_store=f"sqlite:///{tmp_path / 'other.db'}", meet_full_reads=True)


async def test_junk_changes_no_mark_and_does_not_grow(app, reading_all, lively, record, stored):
    """Unknown conferences and participants, contradicting times, every event ten times, in any order."""
    conference = lively
    junk = [
        *presence_events(held(5, id_="unknown")),
        *(about(conference, "nobody", n, "joined", START) for n in range(3)),
        *(about(conference, f"p{n}", "1", "joined", START + n * MINUTE) for n in range(5, 9)),
        about(conference, "p10", "other", "left", END),
        about(conference, "p11", "__x__", "left", END),
        meet_event(
            "participant.v2.left",
            {"participantSession": {"name": "conferenceRecords/__x__/participants/p/participantSessions/1"}},
            organizer=TEACHER,
            at=END,
        ),
    ]
    messages = [*presence_events(conference), *junk] * 10
    random.Random(7).shuffle(messages)

    await deliver(app, *messages)
    once = await app.deps.seen.of(conference.name)
    await deliver(app, *messages)
    await record(app, conference)
    await record(reading_all, conference)

    assert await app.deps.seen.of(conference.name) == once
    short, everything = await stored(app, conference), await stored(reading_all, conference)
    assert short[0].snapshot == everything[0].snapshot
    assert [_but_times(one) for one in short[2]] == [_but_times(one) for one in everything[2]]


class Handed:
    """The jobs that were handed out."""

    def __init__(self):
        self.jobs = []

    async def publish(self, jobs):
        self.jobs += jobs

    async def do(self, app):
        jobs, self.jobs = self.jobs, []
        for one in jobs:
            await run_job(one, deps=app.deps)
        return len(jobs)


@pytest.fixture
def handed():
    return Handed()


@pytest.fixture
def watched_app(app, handed):
    """The same with jobs that wait until a test does them."""
    return dataclasses.replace(app, deps=dataclasses.replace(app.deps, jobs=handed))


def split(messages, *late):
    """The messages that came in time, and those about some participants' sessions, `p2/participantSessions/2`."""
    is_late = [any(f"participants/{name}" in message.data.decode() for name in late) for message in messages]
    return (
        [message for message, wrong in zip(messages, is_late, strict=True) if not wrong],
        [message for message, wrong in zip(messages, is_late, strict=True) if wrong],
    )


async def test_a_late_event_about_another_session_makes_meet_be_asked_for_that_person(  # noqa: PLR0917 - fixtures
    watched_app, handed, school, meet, record, stored
):
    """Of a second device nothing was known when the conference was read."""
    app, conference = watched_app, held(30, rejoining=1, visits=ON_TWO_DEVICES)
    school.hold(conference)
    in_time, late = split(presence_events(conference), "p2/participantSessions/2")
    await deliver(app, *in_time)
    await record(app, conference)
    assert (len(late), handed.jobs, meet.calls.by_method()["ListParticipantSessions"]) == (2, [], 0)

    await deliver(app, *late)
    meet.calls.clear()
    assert await handed.do(app) == 1

    assert meet.calls.by_method()["ListParticipantSessions"] == 1
    read, _, people = await stored(app, conference)
    assert sum(len(person.sessions) for person in read.snapshot.participants) == 31
    assert sorted(person["session_count"] for person in people)[-2:] == [1, 2]
    await deliver(app, *late, *in_time)
    assert handed.jobs == []


async def test_what_meet_does_not_confirm_causes_nothing_more(  # noqa: PLR0917 - fixtures
    watched_app, handed, school, meet, record, stored
):
    app, conference = watched_app, held(5)
    school.hold(conference)
    await deliver(app, *presence_events(conference))
    before = await record(app, conference)
    junk = [about(conference, "p3", "other", "joined", START), about(conference, "nobody", "1", "left", END)]

    await deliver(app, *junk)
    assert await handed.do(app) == 1
    after = await stored(app, conference)
    meet.calls.clear()
    for _ in range(10):
        await deliver(app, *junk)
        await deliver(app, junk[0])

    assert handed.jobs == []
    assert not meet.calls
    assert after[0].snapshot == before.conference.snapshot


async def test_the_same_contradiction_in_many_messages_is_read_once(watched_app, handed, school, meet, record):
    app, conference = watched_app, held(5)
    school.hold(conference)
    await deliver(app, *presence_events(conference))
    await record(app, conference)
    for _ in range(5):
        await deliver(app, about(conference, "p3", "other", "joined", START))
    assert len(handed.jobs) == 5
    meet.calls.clear()

    await handed.do(app)

    assert meet.calls.by_method()["GetConferenceRecord"] == 1


class Interrupted(SqliteDatabase):
    """A database in which something happens before the next commit of a conference."""

    async def commit(self, writes, **about):
        happens, self.happens = getattr(self, "happens", None), None
        if happens and any(write.path.count("/") == 1 for write in writes):
            await happens()
        else:
            self.happens = happens
        return await super().commit(writes, **about)


async def test_an_event_that_comes_while_meet_is_asked_is_not_missed(instance, tmp_path, handed, school, record):
    """It is stored after the read has loaded the events, and before the conference is stored."""
    interrupted, conference = Interrupted(tmp_path / "attendance.db"), held(5, rejoining=1, visits=ON_TWO_DEVICES)
    app = instance(documents=interrupted, pause=lambda _: asyncio.sleep(0))
    app = dataclasses.replace(app, deps=dataclasses.replace(app.deps, jobs=handed))
    school.hold(conference)
    in_time, late = split(presence_events(conference), "p2/participantSessions/2")
    await deliver(app, *in_time)
    interrupted.happens = lambda: deliver(app, *late)
    read = (await record(app, conference)).conference
    assert sum(len(person.sessions) for person in read.snapshot.participants) == 5

    assert len(handed.jobs) == 1
    await handed.do(app)

    read = await app.deps.store.reader().conference(conference.name)
    assert sum(len(person.sessions) for person in read.snapshot.participants) == 6


async def test_events_about_a_conference_that_meet_has_deleted_cause_nothing(instance, handed, school, record):
    clock = TurnableClock(datetime.now(UTC))
    app = instance(clock=clock, pause=lambda _: asyncio.sleep(0))
    app = dataclasses.replace(app, deps=dataclasses.replace(app.deps, jobs=handed))
    conference = held(3)
    school.hold(conference)
    await record(app, conference)

    clock.turn(timedelta(days=31))
    await deliver(app, about(conference, "p3", "other", "joined", START))

    assert handed.jobs == []


@pytest.fixture
def clock():
    return TurnableClock(datetime.now(UTC))


@pytest.fixture
def comparing(instance, clock, handed):
    """An instance whose jobs wait, and whose clock can be turned."""
    app = instance(clock=clock, pause=lambda _: asyncio.sleep(0))
    return dataclasses.replace(app, deps=dataclasses.replace(app.deps, jobs=handed))


async def reconciled(app, handed):
    """The jobs that one run of the schedule hands out to compare conferences."""
    handed.jobs.clear()
    await run_job(Job("reconcile"), deps=app.deps)
    handed.jobs[:] = [job for job in handed.jobs if job.data.get("because") == "sample"]
    return [job.data["conference_record"] for job in handed.jobs]


async def test_once_a_day_what_events_said_is_compared_with_full_reads(  # noqa: PLR0917 - fixtures
    comparing, clock, handed, school, meet, record
):
    """Of a second device no event ever came; the time away of another person was shorter than a minute."""
    hidden = (Visit(START, END - 30 * SECOND), Visit(END - 20 * SECOND, END))
    devices, away, alike = (
        held(3, rejoining=1, visits=ON_TWO_DEVICES, id_="devices"),
        held(3, rejoining=1, visits=hidden, id_="away"),
        held(3, id_="alike"),
    )
    for conference in (devices, away, alike):
        school.hold(conference)
        in_time, _ = split(presence_events(conference), "p2/participantSessions/2")
        if conference is away:  # the event that somebody left agrees with the list to a minute
            assert len(in_time) == 6
        await deliver(comparing, *in_time)
        await record(comparing, conference)
    assert meet.calls.by_method()["ListParticipantSessions"] == 0

    clock.turn(MINUTE)
    assert sorted(await reconciled(comparing, handed)) == sorted(one.name for one in (devices, away, alike))
    await handed.do(comparing)

    found = (await survey(views=comparing.views, now=clock())).sessions_check
    assert (found.conferences, found.differences) == (3, 1)
    read = await comparing.deps.store.reader().conference(away.name)
    assert [len(person.sessions) for person in read.snapshot.participants] == [1, 2, 1]
    assert read.sync.sessions_source is SessionsSource.MEET
    assert await reconciled(comparing, handed) == []
    clock.turn(timedelta(days=1))
    assert await reconciled(comparing, handed) == []  # all of them were read in full


def left_with(messages, conference):
    """The left events of people who stayed to the end, and all other events."""
    late = [m for m in messages if m.attributes["ce-type"].endswith("left") and at_end(m, conference)]
    return [message for message in messages if message not in late], late


def at_end(message, conference):
    return datetime.fromisoformat(message.attributes["ce-time"]) == conference.end


@pytest.mark.parametrize("seconds", [2, 3600])
async def test_left_events_of_a_call_that_was_ended_for_everybody_are_waited_for(
    instance, school, meet, record, seconds
):
    """They are on the way when the event of the end comes; an hour later nothing is on the way any more."""
    conference, waits = held(30), []

    async def pause(wanted):
        if wanted == collect.PAUSE:
            waits.append(wanted)
            if len(waits) == 2:
                await deliver(app, *late)

    app = instance(clock=TurnableClock(conference.end + seconds * SECOND), pause=pause)
    in_time, late = left_with(presence_events(conference), conference)
    school.hold(conference)
    await deliver(app, *in_time)
    meet.calls.clear()

    await record(app, conference)

    has_waited = seconds == 2
    assert len(late) == 30
    assert len(waits) == (2 if has_waited else 0)
    assert meet.calls.by_method()["ListParticipantSessions"] == (0 if has_waited else 30)


async def test_left_events_that_do_not_come_are_waited_for_three_seconds(instance, school, meet, record, stored):
    conference, waits = held(30), []

    async def pause(wanted):
        waits.append(wanted)

    app = instance(clock=TurnableClock(conference.end + SECOND), pause=pause)
    in_time, _ = left_with(presence_events(conference), conference)
    school.hold(conference)
    await deliver(app, *in_time)
    waits.clear()

    await record(app, conference)

    assert waits == [1, 1, 1]
    assert meet.calls.by_method()["ListParticipantSessions"] == 30
    read, _, _ = await stored(app, conference)
    assert read.sync.sessions_source is SessionsSource.MEET


async def test_no_more_than_twenty_conferences_of_the_last_day_are_compared(comparing, handed, school, record):
    for number in range(23):
        conference = held(2, id_=f"call{number}")
        school.hold(conference)
        await deliver(comparing, *presence_events(conference))
        await record(comparing, conference)

    assert len(set(await reconciled(comparing, handed))) == 20

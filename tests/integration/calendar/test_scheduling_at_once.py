"""Several instances schedule the same class at once: the class that is answered 201 keeps its event.

No other event stays.
"""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from tests.api import client, slug


class Stops:
    """Passes every call on, but holds back the first non-empty answer of one method until `goes_on` is set."""

    def __init__(self, inner, method):
        self._inner, self._method = inner, method
        self.stands, self.goes_on = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name):
        if name != self._method:
            return getattr(self._inner, name)

        async def held(*args, **kwargs):
            answer = await getattr(self._inner, name)(*args, **kwargs)
            if answer is not None:
                self.stands.set()
                await self.goes_on.wait()
            return answer

        return held


class StopsWithin:
    """A store in which one unit of work stops before its call of `name`, until `goes_on` is set."""

    def __init__(self, inner):
        self._inner, self.name = inner, None
        self.stands, self.goes_on = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def transact(self, decide, **begins):
        async def decide_slowly(work):
            return await decide(StopsWork(work, self))

        return await self._inner.transact(decide_slowly, **begins)


class StopsWork:
    """Passes every call on to a unit of work, but stops where its store says."""

    def __init__(self, inner, store):
        self._inner, self._store = inner, store

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def answered(self, name):
        if name == self._store.name:
            self._store.name = None
            self._store.stands.set()
            await self._store.goes_on.wait()
        return await self._inner.answered(name)


@pytest.fixture
def stopping(start):
    """Return an instance that stops at a call: by default, right after it has its room, before it stores its event."""

    def stopping(part="spaces", method="find"):
        app = start()
        stops = Stops(getattr(app.deps, part), method)
        return dataclasses.replace(app, deps=dataclasses.replace(app.deps, **{part: stops})), stops

    return stopping


@pytest.fixture
def asked():
    """Return a function that sends a request to an instance without waiting for the answer."""

    def asked(app, body, **headers):
        async def ask():
            async with client(app, caller=None) as api:
                return await api.post("/api/schedule/class", json=body, headers=headers)

        return asyncio.create_task(ask())

    return asked


SAME = pytest.mark.parametrize(
    ("changes", "headers"), [({"external_id": "lms-1"}, {}), ({}, {"Idempotency-Key": "k1"})], ids=["id", "key"]
)


@SAME
async def test_a_class_is_not_stored_with_an_event_that_another_attempt_took_back(
    lesson, stopping, asked, changes, headers
):
    body = lesson.body(**changes)
    (first, at_first), (other, at_other) = stopping(), stopping()
    storing, waiting = asked(first, body, **headers), asked(other, body, **headers)
    await asyncio.gather(at_first.stands.wait(), at_other.stands.wait())

    waiting.cancel()  # its time is over: it deletes the event that both have found
    await asyncio.wait([waiting])
    at_first.goes_on.set()
    answer = await storing

    assert (answer.status_code, slug(answer)) == (503, "calendar-unavailable")
    assert (await lesson.sessions(), lesson.shown()) == ([], [])
    again = await lesson.api.post("/api/schedule/class", json=body, headers=headers)
    assert again.status_code == 201
    assert await lesson.agrees()


@SAME
async def test_a_stored_class_keeps_its_event_in_every_outcome_of_other_attempts(
    lesson, stopping, asked, changes, headers
):
    body = lesson.body(**changes)
    (first, at_first), (other, at_other) = stopping(), stopping("store", "sessions_of_event")
    storing = asked(first, body, **headers)
    await at_first.stands.wait()
    failing, at_room = stopping()
    failing = dataclasses.replace(other, deps=dataclasses.replace(other.deps, spaces=failing.deps.spaces))
    waiting = asked(failing, body, **headers)
    # The other attempt finds the event, stops at its room, and is ended. It has seen that no class has the event …
    await at_other.stands.wait()
    at_other.goes_on.set()
    await at_room.stands.wait()
    at_other.stands.clear()
    at_other.goes_on.clear()
    waiting.cancel()
    await at_other.stands.wait()
    # … and the class is stored before the attempt deletes the event.
    at_first.goes_on.set()
    answer = await storing
    at_other.goes_on.set()
    await asyncio.wait([waiting])

    assert answer.status_code == 201
    assert await lesson.agrees()


async def test_a_series_whose_event_another_attempt_took_back_is_not_taken_for_one_that_calendar_misunderstands(
    lesson, stopping, asked
):
    body = lesson.body(external_id="lms-1", recurrence="FREQ=WEEKLY;COUNT=3")
    (first, at_first), (other, at_other) = stopping("calendar", "add"), stopping()
    storing = asked(first, body)
    await at_first.stands.wait()
    waiting = asked(other, body)
    await at_other.stands.wait()

    waiting.cancel()  # its time is over: it deletes the event that both have
    await asyncio.wait([waiting])
    at_first.goes_on.set()
    answer = await storing

    assert (answer.status_code, slug(answer)) == (503, "calendar-unavailable")
    assert (await lesson.sessions(), lesson.shown()) == ([], [])
    assert (await lesson.api.post("/api/schedule/class", json=body)).status_code == 201
    assert await lesson.agrees()


async def test_another_request_with_the_same_id_takes_no_event_from_a_class_that_is_being_stored(
    lesson, stopping, asked
):
    first, at_first = stopping()
    storing = asked(first, lesson.body(external_id="lms-1"))
    await at_first.stands.wait()

    other = await lesson.ask(external_id="lms-1", subject="Chemistry")
    at_first.goes_on.set()
    answer = await storing

    assert sorted([answer.status_code, other.status_code]) == [201, 409]
    assert await lesson.agrees()
    assert len(lesson.shown()) == 1


async def test_both_attempts_end_with_the_same_class_and_one_event(lesson, stopping, asked):
    body = lesson.body(external_id="lms-1")
    (first, at_first), (other, at_other) = stopping(), stopping()
    both = asked(first, body), asked(other, body)
    await asyncio.gather(at_first.stands.wait(), at_other.stands.wait())

    at_first.goes_on.set()
    at_other.goes_on.set()
    answers = await asyncio.gather(*both)

    assert sorted(answer.status_code for answer in answers) == [200, 201]
    assert len({answer.json()["session_id"] for answer in answers}) == 1
    assert len(lesson.shown()) == 1
    assert await lesson.agrees()


@SAME
async def test_an_attempt_that_finds_the_class_stored_while_it_decides_does_not_say_that_it_made_it(
    lesson, stopping, asked, changes, headers
):
    body = lesson.body(**changes)
    (first, at_first), (other, at_other) = stopping(), stopping()
    within = StopsWithin(other.deps.store)
    other = dataclasses.replace(other, deps=dataclasses.replace(other.deps, store=within))
    storing, waiting = asked(first, body, **headers), asked(other, body, **headers)
    await asyncio.gather(at_first.stands.wait(), at_other.stands.wait())

    [event] = lesson.shown()
    within.name = event["id"]
    at_other.goes_on.set()
    await within.stands.wait()  # it has seen that no class is stored …
    at_first.goes_on.set()
    answer = await storing
    within.goes_on.set()  # … and it continues after the class is stored
    again = await waiting

    assert (answer.status_code, again.status_code) == (201, 200)
    assert again.json()["session_id"] == answer.json()["session_id"]
    assert await lesson.agrees()

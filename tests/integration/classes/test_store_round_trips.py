"""How often an event waits for the store: consecutive round trips, and whether Meet is called during them."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta

import pytest

from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.databases.sqlite import SqliteDatabase
from infra.local.clock import TurnableClock
from infra.local.school import Visit
from tests.classroom import at, event, scheduled, the_class

MOST, DAY = 6, 24 * 60
TURNS = 20
"""The minimum number of steps of the event loop for a round trip, so that round trips that begin together overlap."""


class Watched(SqliteDatabase):
    """Records when each round trip begins and ends, in steps of a counter instead of a clock."""

    def __init__(self, path):
        super().__init__(path)
        self.steps = 0
        self.trips = []

    async def _trip(self, what, call):
        self.steps += 1
        began = self.steps
        for _ in range(TURNS):
            await asyncio.sleep(0)
        try:
            return await call
        finally:
            self.steps += 1
            self.trips.append((self.steps, began, what))

    async def get(self, path, **about):
        return await self._trip(f"get {path}", super().get(path, **about))

    async def get_many(self, paths):
        return await self._trip(f"get_many {sorted(paths)[:3]} {len(paths)}", super().get_many(paths))

    async def find(self, query):
        return await self._trip(f"find {query.collection} {query.where}"[:160], super().find(query))

    async def commit(self, writes, **about):
        return await self._trip(f"commit {[write.path for write in writes][:9]}", super().commit(writes, **about))

    def in_sequence(self):
        """Return the longest chain of round trips in which each began after the previous one ended."""
        chain, end = [], 0
        for ended, began, what in sorted(self.trips):
            if began > end:
                chain.append(what)
                end = ended
        return chain


class Listener:
    """Receives changes."""

    async def publish(self, changes):
        pass


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path / "attendance.db")


@pytest.fixture
def clock():
    return TurnableClock(at(-DAY + 61))


@pytest.fixture
def app(instance, google, workspace_events, watched, clock):
    app = instance(
        clock=clock,
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
        workspace_events_api_endpoint=workspace_events.endpoint,
        api_callers="*=admin",
    )
    return with_store(app, DocumentAttendanceStore(watched, clock=clock, retention=None))


def with_store(app, store):
    return dataclasses.replace(app, deps=dataclasses.replace(app.deps, store=store))


def moved(conference, record, minutes):
    """Return the same conference at another time, with another record."""
    by = timedelta(minutes=minutes)
    people = tuple(
        dataclasses.replace(one, visits=tuple(Visit(v.start + by, v.end + by) for v in one.visits))
        for one in conference.attendees
    )
    return dataclasses.replace(
        conference,
        id=record,
        start=conference.start + by,
        end=conference.end + by,
        attendees=people,
    )


async def hold(parts, record, start):
    """Return the consecutive round trips for the ended event of a new class."""
    api, app, school, watched = parts
    made = await scheduled(api, start_time=at(start).isoformat())
    conference = moved(the_class(made["space"], made["meeting_code"]), record, start)
    school.hold(conference)
    watched.trips.clear()
    await event(app, conference)
    return watched.in_sequence()


async def test_an_event_on_a_scheduled_class_of_known_people_waits_for_the_store_six_times_at_most(
    api, app, school, watched, clock
):
    await hold((api, app, school, watched), "before", -DAY)
    clock.turn(at(61) - clock())
    await hold((api, app, school, watched), "first", 0)
    trips = await hold((api, app, school, watched), "second", 0)

    assert len(trips) <= MOST, trips


async def test_to_tell_others_of_a_change_adds_one_round_trip_after_the_commit(api, app, school, watched, clock):
    app = with_store(app, DocumentAttendanceStore(watched, clock=clock, retention=None, listening=Listener()))
    await hold((api, app, school, watched), "before", -DAY)
    clock.turn(at(61) - clock())
    await hold((api, app, school, watched), "first", 0)
    trips = await hold((api, app, school, watched), "second", 0)

    assert [trip.startswith("commit ['unpublished_changes/") for trip in trips[-2:]] == [False, True]
    assert len(trips) <= MOST + 1, trips


async def test_people_who_are_asked_for_again_after_a_class_add_two_round_trips_at_most(
    api, app, school, watched, clock
):
    await hold((api, app, school, watched), "before", -DAY)
    clock.turn(at(61) - clock())
    trips = await hold((api, app, school, watched), "now", 0)

    assert len(trips) <= MOST + 2, trips


async def test_the_same_event_again_waits_for_the_store_six_times_at_most(api, app, school, watched):
    made = await scheduled(api, start_time=at(-DAY).isoformat())
    conference = moved(the_class(made["space"], made["meeting_code"]), "before", -DAY)
    school.hold(conference)
    await event(app, conference)
    watched.trips.clear()
    await event(app, conference)

    assert len(watched.in_sequence()) <= MOST, watched.in_sequence()

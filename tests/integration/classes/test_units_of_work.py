"""How often an event opens the store: a whole sync reads each document once and makes one commit."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.databases.sqlite import SqliteDatabase
from infra.local.clock import TurnableClock
from tests.classroom import MARKS, at, event, held, marks, scheduled, sheet, teacher, the_class

MOST_UNITS = 3


class CountedReads(SqliteDatabase):
    """Counts how often each version of a document is read, and each document that does not exist."""

    def __init__(self, path):
        super().__init__(path)
        self.reads = Counter()

    async def get(self, path, **about):
        found = await super().get(path, **about)
        self.reads[path, found and found.version] += 1
        return found

    async def get_many(self, paths):
        found = await super().get_many(paths)
        self.reads.update((path, found[path].version if path in found else None) for path in paths)
        return found

    async def children(self, collection, **about):
        found = await super().children(collection, **about)
        self.reads.update((document.path, document.version) for document in found)
        return found

    def more_than_once(self):
        return [path for (path, _), times in self.reads.items() if times > 1]


class CountedUnits:
    """A store that counts its readers and its units of work, and how often each work was decided."""

    def __init__(self, inner):
        self._inner = inner
        self.units = []
        self.decided = Counter()

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def reader(self):
        self.units.append("reader")
        return self._inner.reader()

    async def transact(self, decide, **about):
        self.units.append(decide.__qualname__)

        async def counted(work):
            self.decided[decide.__qualname__] += 1
            return await decide(work)

        return await self._inner.transact(counted, **about)


@pytest.fixture
def counted(tmp_path):
    return CountedReads(tmp_path / "attendance.db")


@pytest.fixture
def clock():
    return TurnableClock(at(30))


@pytest.fixture
def store(counted, clock):
    return CountedUnits(DocumentAttendanceStore(counted, clock=clock, retention=None))


@pytest.fixture
def app(instance, google, workspace_events, store, clock):
    app = instance(
        clock=clock,
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
        workspace_events_api_endpoint=workspace_events.endpoint,
        api_callers="*=admin",
        settle_seconds=600,
        room_device_names="Room *",
    )
    return dataclasses.replace(app, deps=dataclasses.replace(app.deps, store=store))


@pytest.fixture
async def lesson(api, school):
    """Return a scheduled class and its conference, which Meet shows as ended."""
    made = await scheduled(api)
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    return made["session_id"], conference


@pytest.fixture
def opened(app, store, counted):
    """Process an event; return the units of work that it opened, and the documents that it read twice."""

    async def process(conference):
        store.units.clear()
        counted.reads.clear()
        await event(app, conference)
        return store.units, counted.more_than_once()

    return process


async def test_the_first_event_of_a_class_whose_people_nobody_knows_yet(api, opened, lesson, clock):
    session_id, conference = lesson
    clock.turn(at(61) - clock())

    units, twice = await opened(conference)

    assert await marks(api, session_id) == MARKS
    assert len(units) <= MOST_UNITS, units
    assert twice == []


async def test_a_further_event_without_news_opens_a_reader_and_one_commit(opened, lesson, clock):
    _, conference = lesson
    clock.turn(at(61) - clock())
    await opened(conference)

    units, twice = await opened(conference)

    assert len(units) <= MOST_UNITS - 1, units
    assert twice == []


async def test_an_event_after_the_class_whose_people_were_asked_for_before_it_ended(api, opened, lesson, school, clock):
    session_id, whole = lesson
    school.hold(dataclasses.replace(whole, end=at(20)))
    await opened(whole)
    school.hold(whole)
    clock.turn(at(61) - clock())

    units, twice = await opened(whole)

    assert await marks(api, session_id) == MARKS
    assert len(units) <= MOST_UNITS, units
    assert twice == []


async def test_the_work_does_not_begin_again_if_a_register_changes_while_accounts_are_looked_up(  # noqa: PLR0917 - fixtures
    api, app, store, lesson, school, clock
):
    """The register of the month contains every class meeting of the class, so others write it often."""
    first, conference = lesson
    clock.turn(at(61) - clock())
    await event(app, conference)
    absent = next(p for p in (await sheet(api, first))["attendance"] if p["mark"] == "absent")
    override = f"/api/sessions/{first}/attendance/{absent['attendee_id']}/override"
    made = await scheduled(api, start_time=at(90).isoformat())
    second = held(made["space"], made["meeting_code"], teacher((90, 150)), record="rec-2", start=90, end=150)
    school.hold(second)
    clock.turn(at(151) - clock())

    class LookUpMeanwhile:
        async def look_up(self, users, **wanted):
            found = await app.deps.identities.look_up(users, **wanted)
            answer = await api.put(override, json={"status": "excused", "by": "Mrs Head"})
            assert answer.status_code == 200, answer.text
            store.decided.clear()
            return found

    await event(dataclasses.replace(app, deps=dataclasses.replace(app.deps, identities=LookUpMeanwhile())), second)

    assert set((await marks(api, made["session_id"])).values()) == {"absent"}
    assert set(store.decided.values()) == {1}, store.decided

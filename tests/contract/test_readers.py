"""The guarantees of a reader, and of a unit of work that starts from a reader's data, on each database."""

import dataclasses

import pytest

from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.domain.classes.roster import Mark, RosterEntry
from functions.domain.classes.timetable import Room, Span
from functions.domain.conferences.model import Organizer
from functions.domain.errors import StoreUnavailable
from functions.domain.intervals import Interval
from tests.builders import RECORD, TEACHING, at, call, known, lesson, override, sheet_of

ROOM = Room("spaces/room", owner=Organizer("users/1", "teacher@school.example"))
ADA = known("users/2", "ada@school.example")
SHEET = sheet_of(lesson(roster=[RosterEntry("ada@school.example")]), call((TEACHING, (0, 60))))


@pytest.fixture
def store(database):
    return DocumentAttendanceStore(database, clock=lambda: at(100), retention=None)


async def do(store, *changes, known=None):
    """Run one unit of work that only puts things."""

    async def decide(work):
        for change in changes:
            change(work)

    await store.transact(decide, known=known)


def with_span(minute):
    return ROOM.with_span(Span("conferenceRecords/other", Interval(at(0), at(minute))))


async def test_a_reader_sees_a_document_as_it_was_when_it_was_first_read(store):
    reader = store.reader()
    assert await reader.room("spaces/room") == Room("spaces/room")
    await do(store, lambda work: work.put_room(ROOM))

    assert await reader.room("spaces/room") == Room("spaces/room")
    assert await store.reader().room("spaces/room") == ROOM


async def test_a_reader_reads_again_what_it_forgot_and_nothing_else(store):
    reader = store.reader()
    await reader.load(people=["users/2", "users/3"], rooms=["spaces/room"])
    bob = known("users/3", "bob@school.example")
    await do(
        store,
        lambda work: work.put_person(ADA),
        lambda work: work.put_person(bob),
        lambda work: work.put_room(ROOM),
    )

    reader.forget(people=["users/2"])
    assert await reader.people(["users/2", "users/3"]) == {"users/2": ADA}
    reader.forget(people=None)
    assert await reader.people(["users/2", "users/3"]) == {"users/2": ADA, "users/3": bob}
    assert await reader.room("spaces/room") == Room("spaces/room")


async def test_a_unit_of_work_begins_with_what_its_reader_knows(store):
    await do(store, lambda work: work.put_room(ROOM), lambda work: work.put_sheet(SHEET))
    reader = store.reader()
    await reader.load(rooms=["spaces/room"], sessions=["maths"])
    seen = []

    async def decide(work):
        seen.append((await work.room("spaces/room"), (await work.session("maths")).plan))

    await do(store, lambda work: work.put_room(with_span(1)))
    await store.transact(decide, known=reader)

    assert seen == [(ROOM, SHEET.session.plan)]


# --- Accounts that are looked for early ---


class Finding:
    """A database that records for which addresses people are looked for, and may refuse."""

    def __init__(self, database):
        self._database = database
        self.asked = []
        self.refuses = False

    def __getattr__(self, name):
        return getattr(self._database, name)

    async def find(self, query):
        if query.collection == "people":
            self.asked += [sorted(where.value) for where in query.where]
            if self.refuses:
                raise StoreUnavailable("Down.")
        return await self._database.find(query)


@pytest.fixture
def finding(database):
    return Finding(database)


@pytest.fixture
def looking(finding):
    return DocumentAttendanceStore(finding, clock=lambda: at(100), retention=None)


def who_has(*emails):
    """Return a decision that reads who has these addresses."""
    return lambda work: work.people_known_by(emails)


async def test_a_unit_of_work_finds_the_accounts_that_its_reader_looked_for_and_looks_only_for_others(looking, finding):
    bob = known("users/3", "bob@school.example")
    await do(looking, lambda work: work.put_person(ADA), lambda work: work.put_person(bob))
    reader = looking.reader()
    reader.expect_known_by(["ada@school.example", "nobody@school.example"])

    asked_for = who_has("ada@school.example", "nobody@school.example", "bob@school.example")
    people, _ = await looking.transact(asked_for, known=reader)

    assert people == {"users/2": ADA, "users/3": bob}
    assert finding.asked == [["ada@school.example", "nobody@school.example"], ["bob@school.example"]]


async def test_addresses_that_are_looked_for_already_are_not_looked_for_again(looking, finding):
    reader = looking.reader()
    await reader.people_known_by(["ada@school.example"])
    reader.expect_known_by(["ada@school.example"])

    async def decide(work):
        work.expect_known_by(["ada@school.example", "bob@school.example"])
        await work.people_known_by(["ada@school.example", "bob@school.example"])

    await looking.transact(decide, known=reader)

    assert finding.asked == [["ada@school.example"], ["bob@school.example"]]


async def test_many_addresses_are_looked_for_in_few_queries_of_the_same_size(looking, finding):
    reader = looking.reader()
    await reader.people_known_by([f"s{number}@school.example" for number in range(37)])

    assert [len(part) for part in finding.asked] == [19, 18]


async def test_accounts_that_were_looked_for_are_looked_for_again_once_people_are_forgotten(looking):
    reader = looking.reader()
    reader.expect_known_by(["ada@school.example"])
    await looking.transact(who_has("ada@school.example"), known=reader)
    await do(looking, lambda work: work.put_person(ADA))

    reader.forget(people=None)
    people, _ = await looking.transact(who_has("ada@school.example"), known=reader)

    assert people == {"users/2": ADA}


async def test_only_who_needs_the_accounts_gets_the_error_of_looking_for_them(looking, finding):
    reader = looking.reader()
    finding.refuses = True
    reader.expect_known_by(["ada@school.example"])

    await do(looking, lambda work: work.put_room(ROOM), known=reader)
    with pytest.raises(StoreUnavailable):
        await looking.transact(who_has("ada@school.example"), known=reader)


# --- What must still be so when a unit of work is committed ---


@pytest.mark.parametrize(
    ("ask", "change"),
    [
        (lambda reader: reader.room("spaces/room"), lambda work: work.put_room(with_span(5))),
        (
            lambda reader: reader.conference(RECORD),
            lambda work: work.put_conference(dataclasses.replace(call((TEACHING, (0, 50))), attached_to=("maths",))),
        ),
        (
            lambda reader: reader.session("maths"),
            lambda work: work.put_session(lesson(cancelled=True)),
        ),
    ],
    ids=["room", "conference", "class meeting"],
)
async def test_what_a_decision_rests_on_must_be_unchanged_also_if_it_is_not_written(store, ask, change):
    await do(
        store,
        lambda work: work.put_room(ROOM),
        lambda work: work.put_conference(call((TEACHING, (0, 60)))),
        lambda work: work.put_sheet(SHEET),
    )
    reader = store.reader()
    before = await ask(reader)
    await do(store, change)
    seen = []

    async def decide(work):
        seen.append(await ask(work))
        work.put_person(ADA)

    await store.transact(decide, known=reader)

    assert len(seen) == 2
    assert seen[0] == before != seen[1]


async def test_documents_that_do_not_affect_a_decision_may_change_after_they_were_read(store):
    reader = store.reader()
    await do(store, lambda work: work.put_room(ROOM))
    await reader.room("spaces/room")
    await do(store, lambda work: work.put_room(with_span(1)))
    tried = []

    async def decide(work):
        tried.append(1)
        work.put_person(ADA)

    await store.transact(decide, known=reader)

    assert tried == [1]
    assert await store.reader().room("spaces/room") == with_span(1)


async def test_a_document_that_is_written_must_be_as_the_reader_knows_it(store):
    reader = store.reader()
    await reader.people(["users/2"])
    await do(store, lambda work: work.put_person(ADA))
    seen = []

    async def decide(work):
        person = (await work.people(["users/2"])).get("users/2")
        seen.append(person)
        work.put_person(dataclasses.replace(person or ADA, outdated=True))

    await store.transact(decide, known=reader)

    assert seen == [None, ADA]


async def test_a_correction_can_be_put_without_reading_the_others(store):
    first, second = override(Mark.EXCUSED, attendee="a"), override(Mark.EXCUSED, attendee="b")
    await do(store, lambda work: work.put_sheet(SHEET), lambda work: work.put_correction("maths", first))
    await do(store, lambda work: work.put_sheet(SHEET), lambda work: work.put_correction("maths", second))

    assert set(await store.reader().corrections("maths")) == {first, second}

    await do(store, lambda work: work.put_sheet(SHEET), lambda work: work.drop_correction("maths", first))
    assert await store.reader().corrections("maths") == (second,)

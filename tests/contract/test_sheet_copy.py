"""A class meeting's attendance is read from a copy, which agrees with its documents, on each database."""

import dataclasses
import random
from typing import Any

import pytest

from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.databases.database import Write
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.adapters.store.parts import document_size
from functions.adapters.store.views import DocumentViews
from functions.domain.classes.roster import Mark, RosterEntry
from functions.domain.conferences.model import SyncError, SyncState
from tests.builders import (
    ADA,
    BOB,
    CAT,
    EMAILS,
    TEACHING,
    at,
    call,
    expected,
    guest,
    lesson,
    override,
    participant,
    sheet_of,
    student,
)

ALL_HOUR = (0, 60)
FIRESTORES_LIMIT = 1_048_572


class Counting:
    """A database that counts the documents that it returns, as Firestore does for its bill.

    https://firebase.google.com/docs/firestore/pricing#operations
    """

    def __init__(self, database):
        self._database = database
        self.reads = 0

    async def get(self, path, **moment):
        found = await self._database.get(path, **moment)
        self.reads += 1
        return found

    async def get_many(self, paths):
        found = await self._database.get_many(paths)
        self.reads += len(paths)
        return found

    async def children(self, collection, **moment):
        found = await self._database.children(collection, **moment)
        self.reads += max(len(found), 1)
        return found

    async def commit(self, writes, **about):
        return await self._database.commit(writes, **about)


class Interrupted:
    """A database in which something happens right after a class meeting's document was read."""

    def __init__(self, database, meanwhile):
        self._database = database
        self._meanwhile = meanwhile

    async def get(self, path, **moment):
        found = await self._database.get(path, **moment)
        await self._meanwhile
        return found

    async def children(self, collection, **moment):
        return await self._database.children(collection, **moment)


@pytest.fixture
def store(database):
    return DocumentAttendanceStore(database, clock=lambda: at(100), retention=None)


def maths(*roster, subject="Maths", **about):
    """Return a class, with two sections if the roster has them."""
    session = lesson(roster=roster or expected(ADA, BOB), **about)
    return dataclasses.replace(session, plan=dataclasses.replace(session.plan, subject=subject, class_id="7b"))


def came(*who, **about):
    return call((TEACHING, ALL_HOUR), *who, **about)


async def hold(store, session, *conferences, overrides=(), undone=()):
    async def decide(work):
        await work.corrections(session.session_id)
        for one in overrides:
            work.put_correction(session.session_id, one)
        for one in undone:
            work.drop_correction(session.session_id, one)
        for one in conferences:
            work.put_conference(one)
        decided = await work.corrections(session.session_id)
        work.put_sheet(sheet_of(session, *conferences, corrections=decided))

    await store.transact(decide)


async def drop(store, session_id="maths"):
    async def decide(work):
        work.drop_session(session_id)

    await store.transact(decide)


async def shown(database):
    """Return all attendance as a reader gets it, and the number of documents that were read."""
    counting: Any = Counting(database)
    _, people = await DocumentViews(counting).attendance("maths")
    return people, counting.reads


async def stored(database):
    """Return the same, read document by document."""
    return tuple(document.fields for document in await database.children("sessions/maths/attendance"))


async def copy(database):
    return await database.children("sessions/maths/sheet")


EXCUSED = override(Mark.EXCUSED, email=EMAILS[BOB.user])
BEFORE = came((ADA, ALL_HOUR), (BOB, (0, 20)))
FAILED = dataclasses.replace(
    BEFORE, sync=dataclasses.replace(BEFORE.sync, state=SyncState.FAILED, error=SyncError("r", "m", "h", at(62)))
)
OTHER_SECTION = RosterEntry(email=EMAILS[CAT.user], student_id="s-4", class_id="7c")


@pytest.mark.parametrize(
    "change",
    [
        lambda store: hold(store, maths(), BEFORE),
        lambda store: hold(store, maths(), came((ADA, ALL_HOUR), (BOB, (0, 20)), pulled=62)),
        lambda store: hold(store, maths(), came((ADA, ALL_HOUR), (BOB, (0, 20), (30, 60)))),
        lambda store: hold(store, maths(), came((ADA, ALL_HOUR), (BOB, (0, 20)), (CAT, (9, 10)))),
        lambda store: hold(store, maths(), came((BOB, ALL_HOUR))),
        lambda store: hold(store, maths(), BEFORE, overrides=[EXCUSED]),
        lambda store: hold(store, maths(*expected(ADA), OTHER_SECTION), BEFORE),
        lambda store: hold(store, maths(subject="Arts"), BEFORE),
        lambda store: hold(store, maths(), FAILED),
        lambda store: hold(store, maths(cancelled=True)),
        lambda store: hold(store, maths(cancelled=True), BEFORE),
    ],
    ids=[
        "nothing",
        "read again",
        "one person's time",
        "somebody more",
        "somebody fewer",
        "a mark by hand",
        "a roster of two sections",
        "what all documents repeat",
        "a failure",
        "cancelled",
        "cancelled, yet held",
    ],
)
async def test_what_is_shown_is_what_the_documents_say_after_every_change(store, database, change):
    await hold(store, maths(), BEFORE)
    assert (await shown(database))[0] == await stored(database)

    await change(store)
    people, reads = await shown(database)
    assert people == await stored(database)
    assert reads == (2 if people else 1)

    await hold(store, maths(), came((ADA, ALL_HOUR), (BOB, (1, 20))))
    assert (await shown(database))[0] == await stored(database) != people


async def test_a_mark_that_is_undone_is_undone_in_the_copy(store, database):
    await hold(store, maths(), BEFORE, overrides=[EXCUSED])
    await hold(store, maths(), BEFORE, undone=[EXCUSED])

    people, _ = await shown(database)
    assert [person["override"] for person in people] == [None, None, None]
    assert people == await stored(database)


async def test_a_person_without_a_change_keeps_the_time_of_the_last_change(store, database):
    await hold(store, maths(), BEFORE)
    first = {person["email"]: person["updated_at"] for person in (await shown(database))[0]}
    await hold(store, maths(), came((ADA, ALL_HOUR), (BOB, (0, 30))))
    second = {person["email"]: person["updated_at"] for person in (await shown(database))[0]}

    assert {email for email in first if first[email] < second[email]} == {EMAILS[BOB.user]}
    assert {email for email in first if first[email] == second[email]} == {EMAILS[TEACHING.user], EMAILS[ADA.user]}


@pytest.mark.parametrize("size", [30, 500])
async def test_a_class_costs_two_reads_however_many_were_in_it(store, database, size):
    roster = [
        RosterEntry(email=f"student-{n}@school.example", student_id=f"s-{n}", display_name=f"Student {n}")
        for n in range(size)
    ]
    await hold(store, maths(*roster), came())

    people, reads = await shown(database)
    assert len(people) == size + 1
    assert people == await stored(database)
    assert reads == 1 + 1


@pytest.mark.parametrize("minutes", [20, 30])
async def test_a_class_is_brought_up_to_date_without_a_read_for_each_person(database, minutes):
    """One case has no change, in the other one person was there longer.

    Both only read the class meeting, the copy, the conference and people's decisions.
    """
    people = [(student(n), ALL_HOUR) for n in range(4, 64)]
    counting: Any = Counting(database)
    store = DocumentAttendanceStore(counting, clock=lambda: at(100), retention=None)
    await hold(store, maths(), came((BOB, (0, 20)), *people))

    counting.reads = 0
    await hold(store, maths(), came((BOB, (0, minutes)), *people))

    assert counting.reads < 10 < len(await stored(database))
    assert (await shown(database))[0] == await stored(database)


async def test_a_class_of_people_who_often_come_and_go_costs_two_reads_too(store, database):
    people = [participant(student(n), *((m / 4, m / 4 + 0.1) for m in range(80))) for n in range(2, 62)]
    await hold(store, maths(), came(*people))

    shown_people, reads = await shown(database)
    assert len(shown_people) == 61
    assert shown_people == await stored(database)
    assert reads == 2
    (document,) = await copy(database)
    assert document_size(document.fields) < FIRESTORES_LIMIT / 4


async def test_a_copy_too_large_for_a_document_is_not_kept(tmp_path):
    """Random names do not become shorter by compression; no real name has this length.

    It runs on one database: Firestore's emulator accepts smaller commits than Firestore.
    """
    database = SqliteDatabase(tmp_path / "attendance.db")
    store = DocumentAttendanceStore(database, clock=lambda: at(100), retention=None)
    await hold(store, maths(), BEFORE)
    chance = random.Random(1)
    crowd = [(guest(chance.randbytes(100_000).hex()), ALL_HOUR) for _ in range(10)]
    await hold(store, maths(), came(*crowd))

    assert await copy(database) == []
    assert await shown(database) == (await stored(database), 1 + 13)

    await hold(store, maths(), BEFORE)
    assert await shown(database) == (await stored(database), 2)


async def test_a_copy_in_its_first_form_is_not_used(store, database):
    await hold(store, maths(), BEFORE)
    people = await stored(database)
    first_form = {"schema_version": 1, "expire_at": None, "updated_at": at(100), "common": {}, "people": [*people]}
    await database.commit([Write("sessions/maths/sheet/1", first_form)])
    assert (await shown(database))[0] == people

    await hold(store, maths(), came((ADA, ALL_HOUR)))
    assert await shown(database) == (await stored(database), 2)


async def test_a_class_meeting_that_is_gone_leaves_no_copy(store, database):
    await hold(store, maths(), BEFORE)
    await drop(store)
    assert await copy(database) == []

    await hold(store, maths(), BEFORE)
    assert (await shown(database))[0] == await stored(database) != ()


async def test_a_class_meeting_in_which_nobody_is_has_no_copy_and_costs_one_read(store, database):
    await hold(store, maths(cancelled=True))

    assert await copy(database) == []
    assert await shown(database) == ((), 1)


async def test_a_reader_sees_one_moment_also_while_another_one_begins(store, database):
    await hold(store, maths(), BEFORE)
    before = await stored(database)
    interrupted: Any = Interrupted(database, hold(store, maths(), came((CAT, ALL_HOUR))))
    session, people = await DocumentViews(interrupted).attendance("maths")

    assert people == before != await stored(database)
    assert session["counts"]["present"] == 1


async def test_a_class_meeting_without_a_copy_is_shown_from_its_documents_until_it_changes(store, database):
    """The class meeting is like one that was stored before copies existed."""
    await hold(store, maths(), BEFORE)
    session = await database.get("sessions/maths")
    fields = {name: value for name, value in session.fields.items() if name != "sheet_parts"}
    await database.commit([Write("sessions/maths", fields), Write("sessions/maths/sheet/1", None)])
    before = await stored(database)
    assert await shown(database) == (before, 1 + 3)

    await hold(store, maths(), BEFORE)
    again = await database.get("sessions/maths")
    assert await shown(database) == (before, 1 + 3)
    assert again.fields["updated_at"] == session.fields["updated_at"]

    await hold(store, maths(), came((ADA, ALL_HOUR), (BOB, ALL_HOUR)))
    assert await shown(database) == (await stored(database), 2)


async def test_a_copy_that_has_partly_expired_is_not_used(store, database):
    await hold(store, maths(), BEFORE)
    await database.commit([Write("sessions/maths/sheet/1", None)])

    assert (await shown(database))[0] == await stored(database) != ()

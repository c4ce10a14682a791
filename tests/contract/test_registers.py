"""A class's register: every student's mark in every class meeting of a month, on each database."""

import dataclasses

import pytest

from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.databases.database import Query
from functions.adapters.store.parts import document_size
from functions.adapters.store.views import DocumentViews
from functions.domain.classes.roster import Mark, RosterEntry
from tests.builders import ADA, BOB, CAT, EMAILS, TEACHING, at, call, expected, lesson, override, sheet_of

DAY = 24 * 60
NO_MARKS = dict.fromkeys(("present", "late", "left_early", "partial", "absent", "excused", "unknown"), 0)
FIRESTORES_LIMIT = 1_048_572


@pytest.fixture
def store(database):
    return DocumentAttendanceStore(database, clock=lambda: at(100), retention=None)


@pytest.fixture
def views(database):
    return DocumentViews(database)


def maths(*roster, session_id="monday", start=0, class_id="maths-a", **about):
    """Return a class meeting of one hour, this many minutes after nine on 23 November 2026."""
    session = lesson(roster=roster, session_id=session_id, start=start, end=start + 60, **about)
    listed = dataclasses.replace(session.progress, listed_at=at(start + 70), tried_at=at(start + 70))
    plan = dataclasses.replace(session.plan, class_id=class_id, subject="Maths")
    return dataclasses.replace(session, plan=plan, progress=listed)


async def hold(store, session, *present, overrides=(), meanwhile=None):
    """Store a class meeting that its teacher and some students attended for its whole time."""
    start = session.plan.scheduled.start
    minute = (start - at(0)).total_seconds() / 60
    people = [(who, (minute, minute + 60)) for who in (TEACHING, *present)]
    held = call(*people, start=minute, end=minute + 60, pulled=minute + 61, name=session.session_id)
    todo = [meanwhile] if meanwhile else []

    async def decide(work):
        await work.session(session.session_id)
        for one in overrides:
            await work.corrections(session.session_id)
            work.put_correction(session.session_id, one)
        work.put_conference(held)
        corrections = await work.corrections(session.session_id)
        work.put_sheet(sheet_of(session, held, now=minute + 71, corrections=corrections))
        await work.room("spaces/room")
        while todo:
            await todo.pop()

    await store.transact(decide)


async def drop(store, session_id):
    async def decide(work):
        work.drop_session(session_id)

    await store.transact(decide)


def marks(register):
    """Return the marks by class meeting, for each e-mail address or id."""
    return {one["email"] or one["student_id"]: one["marks"] for one in register["students"].values()}


def ids(register):
    return [one["session_id"] for one in register["sessions"]]


async def test_a_register_holds_each_students_mark_of_each_class_meeting(store, views):
    await hold(store, maths(*expected(ADA, BOB), session_id="wednesday", start=2 * DAY), BOB)
    await hold(store, maths(*expected(ADA, BOB)), ADA)
    register = await views.register("maths-a", "2026-11")

    assert (register["class_id"], register["month"]) == ("maths-a", "2026-11")
    assert register["sessions"] == [
        {"session_id": "monday", "session_start": at(0), "time_zone": "UTC", "subject": "Maths", "state": "ended"},
        {
            "session_id": "wednesday",
            "session_start": at(2 * DAY),
            "time_zone": "UTC",
            "subject": "Maths",
            "state": "ended",
        },
    ]
    assert marks(register) == {
        EMAILS[ADA.user]: {"monday": "present", "wednesday": "absent"},
        EMAILS[BOB.user]: {"monday": "absent", "wednesday": "present"},
    }
    [ada] = [one for one in register["students"].values() if one["email"] == EMAILS[ADA.user]]
    assert ada["counts"] == {**NO_MARKS, "present": 1, "absent": 1}
    assert ada["share"] == 0.5


@pytest.mark.parametrize(
    ("given", "share"),
    [
        ([Mark.PRESENT, Mark.LATE, Mark.LEFT_EARLY], 1.0),
        ([Mark.PRESENT, Mark.PARTIAL, Mark.ABSENT], 0.333),
        ([Mark.PRESENT, Mark.EXCUSED], 1.0),
        ([Mark.ABSENT], 0.0),
        ([Mark.EXCUSED], None),
    ],
)
async def test_a_share_is_of_what_was_attended_or_missed_and_of_nothing_else(store, views, given, share):
    for number, mark in enumerate(given):
        session = maths(*expected(ADA), session_id=f"s{number}", start=number * DAY)
        await hold(store, session, overrides=[override(mark, email=EMAILS[ADA.user])])

    [ada] = (await views.register("maths-a", "2026-11"))["students"].values()
    assert ada["share"] == share
    assert sum(ada["counts"].values()) == len(given)


async def test_a_month_of_a_class_names_its_students_by_all_that_they_were_called_and_what_is_planned(store, views):
    await hold(store, maths(*expected(ADA, BOB)), ADA)
    await hold(store, maths(RosterEntry("new@school.example", "4711", user=ADA.user), session_id="later", start=DAY))
    await hold(store, maths(*expected(ADA), session_id="next month", start=40 * DAY))

    students, sessions = await views.month_of_class("maths-a", "2026-11")
    [ada] = [student for student in students if student.student_id == "4711"]

    assert ada.emails >= {EMAILS[ADA.user], "new@school.example"}
    assert (ada.marks, ada.share) == ({"monday": Mark.PRESENT, "later": Mark.ABSENT}, 0.5)
    assert [session.session_id for session in sessions] == ["monday", "later"]
    assert await views.month_of_class("nobody's", "2026-11") == ((), ())


async def test_what_is_not_known_yet_is_in_no_share(store, views):
    unsettled = maths(*expected(ADA))
    progress = dataclasses.replace(unsettled.progress, listed_at=None)
    await hold(store, dataclasses.replace(unsettled, progress=progress))

    [ada] = (await views.register("maths-a", "2026-11"))["students"].values()
    assert (ada["marks"], ada["share"]) == ({"monday": "unknown"}, None)


async def test_a_changed_class_meeting_replaces_all_that_a_register_said_of_it(store, views):
    await hold(store, maths(*expected(ADA, BOB)), ADA)
    await hold(store, maths(*expected(BOB), session_id="tuesday", start=DAY), BOB)
    await hold(store, maths(*expected(ADA, CAT)), CAT)

    assert marks(await views.register("maths-a", "2026-11")) == {
        EMAILS[ADA.user]: {"monday": "absent"},
        EMAILS[BOB.user]: {"tuesday": "present"},
        EMAILS[CAT.user]: {"monday": "present"},
    }


async def test_a_correction_is_in_the_register_at_once(store, views):
    await hold(store, maths(*expected(ADA)))
    await hold(store, maths(*expected(ADA)), overrides=[override(Mark.EXCUSED, email=EMAILS[ADA.user])])

    assert marks(await views.register("maths-a", "2026-11")) == {EMAILS[ADA.user]: {"monday": "excused"}}


async def test_a_student_is_in_the_register_of_their_own_class(store, views):
    theirs = RosterEntry(email=EMAILS[BOB.user], student_id="s-3", class_id="maths-b")
    await hold(store, maths(*expected(ADA), theirs), ADA, BOB)
    a, b = await views.register("maths-a", "2026-11"), await views.register("maths-b", "2026-11")

    assert marks(a) == {EMAILS[ADA.user]: {"monday": "present"}}
    assert marks(b) == {EMAILS[BOB.user]: {"monday": "present"}}
    assert (b["class_id"], ids(b)) == ("maths-b", ["monday"])

    await hold(store, maths(*expected(ADA, BOB)), ADA, BOB)
    assert await views.register("maths-b", "2026-11") is None
    assert len(marks(await views.register("maths-a", "2026-11"))) == 2


async def test_a_student_without_an_address_is_the_same_in_every_class_meeting(store, views):
    entry = RosterEntry(student_id="s-2", display_name="Ada")
    for day, name in enumerate(("monday", "tuesday")):
        await hold(store, maths(entry, session_id=name, start=day * DAY))

    [ada] = (await views.register("maths-a", "2026-11"))["students"].values()
    assert (ada["student_id"], ada["email"], ada["display_name"]) == ("s-2", None, "Ada")
    assert set(ada["marks"]) == {"monday", "tuesday"}


async def test_siblings_with_one_address_are_two_rows_by_their_ids(store, views):
    for day, student_id in enumerate(("s-1", "s-2", "s-1")):
        entry = RosterEntry(student_id=student_id, email="family@mail.example")
        await hold(store, maths(entry, session_id=f"day-{day}", start=day * DAY))

    rows = (await views.register("maths-a", "2026-11"))["students"].values()
    assert {row["student_id"]: set(row["marks"]) for row in rows} == {"s-1": {"day-0", "day-2"}, "s-2": {"day-1"}}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0, 2, 1)])
async def test_a_students_name_comes_from_the_latest_class_meeting(store, views, order):
    names = ("Ada", "Ada Lovelace", None)
    days = [
        maths(
            RosterEntry(student_id="s-2", display_name=name, email=f"ada{day}@school.example"),
            session_id=f"day-{day}",
            start=day * DAY,
        )
        for day, name in enumerate(names)
    ]
    for day in order:
        await hold(store, days[day])

    [ada] = (await views.register("maths-a", "2026-11"))["students"].values()
    assert (ada["display_name"], ada["email"]) == ("Ada Lovelace", "ada1@school.example")
    assert set(ada["marks"]) == {"day-0", "day-1", "day-2"}

    await drop(store, "day-1")
    [ada] = (await views.register("maths-a", "2026-11"))["students"].values()
    assert (ada["display_name"], ada["email"]) == ("Ada", "ada0@school.example")


async def test_a_class_meeting_that_moves_to_another_month_leaves_the_register_of_the_first(store, views):
    await hold(store, maths(*expected(ADA)), ADA)
    await hold(store, maths(*expected(ADA), session_id="tuesday", start=DAY), ADA)
    await hold(store, maths(*expected(ADA), start=14 * DAY), ADA)

    assert marks(await views.register("maths-a", "2026-11")) == {EMAILS[ADA.user]: {"tuesday": "present"}}
    assert ids(await views.register("maths-a", "2026-11")) == ["tuesday"]
    assert marks(await views.register("maths-a", "2026-12")) == {EMAILS[ADA.user]: {"monday": "present"}}


async def test_a_month_begins_where_the_class_is_held(store, views):
    """The start is 23:30 UTC on 30 November."""
    await hold(store, maths(*expected(ADA), start=7 * DAY + 14.5 * 60, time_zone="Europe/Berlin"), ADA)

    assert await views.register("maths-a", "2026-11") is None
    assert ids(await views.register("maths-a", "2026-12")) == ["monday"]


@pytest.mark.parametrize("how", ["cancelled", "dropped"])
async def test_a_class_meeting_that_is_gone_leaves_the_register(store, views, how):
    await hold(store, maths(*expected(ADA)), ADA)
    await hold(store, maths(*expected(ADA, BOB), session_id="tuesday", start=DAY), ADA)
    for session_id, start, left in (("tuesday", DAY, ["monday"]), ("monday", 0, None)):
        if how == "dropped":
            await drop(store, session_id)
        else:
            await hold(store, maths(*expected(ADA), session_id=session_id, start=start, cancelled=True))

        register = await views.register("maths-a", "2026-11")
        assert (ids(register) if register else None) == left
        assert not register or marks(register) == {EMAILS[ADA.user]: {"monday": "present"}}


async def test_a_class_meeting_of_no_class_is_in_no_register(store, database):
    await hold(store, maths(*expected(ADA), class_id=None), ADA)

    assert await database.children("registers") == []


async def test_a_change_that_changes_no_mark_does_not_write_the_register(store, database):
    await hold(store, maths(*expected(ADA)), ADA)
    [before] = await database.children("registers")
    moved = maths(*expected(ADA))
    await hold(store, dataclasses.replace(moved, progress=dataclasses.replace(moved.progress, failures=3)), ADA)

    assert await database.children("registers") == [before]


async def test_two_class_meetings_stored_at_once_are_both_in_the_register(store, views):
    other = hold(store, maths(*expected(BOB), session_id="tuesday", start=DAY), BOB)
    await hold(store, maths(*expected(ADA)), ADA, meanwhile=other)

    assert ids(await views.register("maths-a", "2026-11")) == ["monday", "tuesday"]


class Interrupted:
    """A database in which something happens just before a register is read."""

    def __init__(self, database, meanwhile):
        self._database = database
        self._meanwhile = meanwhile

    def __getattr__(self, name):
        return getattr(self._database, name)

    async def get_many(self, paths):
        if any(path.startswith("registers/") for path in paths) and self._meanwhile:
            meanwhile, self._meanwhile = self._meanwhile, None
            await meanwhile
        return await self._database.get_many(paths)


async def test_a_mark_set_during_a_sync_that_changes_nothing_stays_in_the_register(store, views, database):
    session = maths(*expected(ADA))
    await hold(store, session, ADA)
    excuse = hold(store, session, ADA, overrides=[override(Mark.EXCUSED, email=EMAILS[ADA.user])])
    interrupted = Interrupted(database, excuse)
    await hold(DocumentAttendanceStore(interrupted, clock=lambda: at(100), retention=None), session, ADA)
    if interrupted._meanwhile:  # the register did not have to be read
        await excuse

    assert marks(await views.register("maths-a", "2026-11")) == {EMAILS[ADA.user]: {"monday": "excused"}}


def crowd(first):
    """Return so many students that the register of two such classes needs a second document."""
    return [
        RosterEntry(email=f"{number}@school.example", display_name="🎓" * 200) for number in range(first, first + 450)
    ]


class Overtaken:
    """A database in which something happens just before a commit."""

    def __init__(self, database, meanwhile):
        self._database = database
        self._meanwhile = meanwhile

    def __getattr__(self, name):
        return getattr(self._database, name)

    async def commit(self, writes, **about):
        if self._meanwhile:
            meanwhile, self._meanwhile = self._meanwhile, None
            await meanwhile
        return await self._database.commit(writes, **about)


async def test_marks_that_change_at_once_in_the_second_document_of_a_register_all_stay(store, views, database):
    """The first document guards the whole register, even if nothing in it is changed."""
    rosters = {"monday": crowd(0), "tuesday": crowd(450)}
    begins = {"monday": 0, "tuesday": DAY}
    for day, roster in rosters.items():
        await hold(store, maths(*roster, session_id=day, start=begins[day]))
    [part] = (await database.find(Query("parts", group=True))).documents
    there = {student["email"] for student in part.fields["students"].values()}
    excused = {day: next(entry.email for entry in roster if entry.email in there) for day, roster in rosters.items()}

    def excuse(day, store):
        session = maths(*rosters[day], session_id=day, start=begins[day])
        return hold(store, session, overrides=[override(Mark.EXCUSED, email=excused[day])])

    overtaken = Overtaken(database, excuse("tuesday", store))
    await excuse("monday", DocumentAttendanceStore(overtaken, clock=lambda: at(100), retention=None))

    found = marks(await views.register("maths-a", "2026-11"))
    assert {day: found[email][day] for day, email in excused.items()} == dict.fromkeys(rosters, "excused")


async def test_a_register_too_large_for_one_document_is_whole_and_shrinks_again(store, views, database):
    await hold(store, maths(*crowd(0)))
    await hold(store, maths(*crowd(450), session_id="tuesday", start=DAY))
    await hold(store, maths(*crowd(0), *expected(ADA)), ADA)

    parts = (await database.find(Query("parts", group=True))).documents
    assert len(parts) == 1
    assert all(document_size(one.fields) < FIRESTORES_LIMIT for one in [*parts, *await database.children("registers")])
    register = await views.register("maths-a", "2026-11")
    assert len(register["students"]) == 901
    assert marks(register)["899@school.example"] == {"tuesday": "absent"}
    assert marks(register)[EMAILS[ADA.user]] == {"monday": "present"}

    await drop(store, "tuesday")
    assert not (await database.find(Query("parts", group=True))).documents
    assert len((await views.register("maths-a", "2026-11"))["students"]) == 451

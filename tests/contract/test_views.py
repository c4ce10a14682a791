"""The views of every store: pages show one moment, and everybody once and in order."""

from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest

from functions.adapters.store.databases.database import Write
from functions.adapters.store.documents.register import register_id
from functions.adapters.store.views import DocumentViews
from functions.domain.errors import DocumentTooNew, ReadTooOld
from functions.ports.views import AttendanceFilter, Paging, SessionFilter

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def views(database):
    return DocumentViews(database)


@pytest.fixture
def store(database):
    """Return a function that puts documents, by path."""

    async def store(documents):
        await database.commit([Write(path, fields) for path, fields in documents.items()])

    return store


def session(number, **fields):
    return {
        f"sessions/m{number}": {
            "schema_version": 1,
            "session_id": f"m{number}",
            "session_start": NINE + timedelta(hours=number // 2),
            "class_id": "7b",
            "state": "ended",
            "external_id": None,
            "teacher_emails": ["a@school.example", "b@school.example"],
            **fields,
        }
    }


def person(number, **fields):
    return {
        f"sessions/m{number}/attendance/a{number}": {
            "schema_version": 1,
            "attendee_id": f"a{number}",
            "session_start": NINE + timedelta(hours=number // 2),
            "class_id": "7b",
            "student_id": None,
            "user": None,
            "emails": [],
            **fields,
        }
    }


async def all_pages(ask, wanted, *, size):
    found, paging = [], Paging(size=size)
    while True:
        page = await ask(wanted, paging)
        assert len(page.documents) <= size
        found += page.documents
        if page.next_after is None:
            return found
        paging = Paging(size=size, after=page.next_after, read_at=page.read_at)


def ids(documents, name="session_id"):
    return [document[name] for document in documents]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100])
async def test_pages_hold_everything_once_and_in_order(views, store, size):
    for number in (3, 0, 4, 1, 2):
        await store(session(number))

    assert ids(await all_pages(views.sessions, SessionFilter(), size=size)) == ["m0", "m1", "m2", "m3", "m4"]


async def test_pages_show_the_moment_of_the_first_one(views, store):
    for number in range(4):
        await store(session(number))
    first = await views.sessions(SessionFilter(), Paging(size=2))
    await store({**session(3, state="live"), **session(9), "sessions/m2": None})
    rest = await views.sessions(SessionFilter(), Paging(size=9, after=first.next_after, read_at=first.read_at))

    assert ids(rest.documents) == ["m2", "m3"]
    assert rest.documents[1]["state"] == "ended"
    assert ids((await views.sessions(SessionFilter(), Paging(size=9))).documents) == ["m0", "m1", "m3", "m9"]


async def test_a_moment_too_long_ago_is_refused(views, store):
    await store(session(1))
    long_ago = datetime.now(UTC) - timedelta(hours=1, minutes=1)

    with pytest.raises(ReadTooOld):
        await views.sessions(SessionFilter(), Paging(size=1, after=(NINE, "m0", "sessions/m0"), read_at=long_ago))


async def test_class_meetings_are_found_by_what_is_known_of_them(views, store):
    await store({**session(0), **session(1, class_id="8a"), **session(2, state="live"), **session(3, external_id="x")})
    await store(session(4, teacher_emails=["c@school.example"]))

    async def found(**wanted):
        return ids(await all_pages(views.sessions, SessionFilter(**wanted), size=2))

    assert await found(class_id="8a") == ["m1"]
    assert await found(state="live") == ["m2"]
    assert await found(external_id="x") == ["m3"]
    assert await found(teacher_email="b@school.example", class_id="7b") == ["m0", "m2", "m3"]
    assert await found(since=NINE + timedelta(hours=1), until=NINE + timedelta(hours=2)) == ["m2", "m3"]


def changed(number, minute, **fields):
    """Return a class meeting that last changed at this minute after nine.

    The first one held is the last one changed.
    """
    return session(number, session_start=NINE - timedelta(days=number), updated_at=at(minute), **fields)


def at(minute):
    return NINE + timedelta(minutes=minute)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
async def test_what_changed_since_a_moment_comes_in_the_order_of_the_last_change_each_once(views, store, size):
    for number, minute in ((0, 3), (1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (6, 5)):
        await store(changed(number, minute))

    async def found(minute):
        return ids(await all_pages(views.sessions, SessionFilter(updated_since=at(minute)), size=size))

    assert await found(1) == ["m2", "m3", "m4", "m5", "m0", "m6"]
    assert await found(5) == ["m6"]
    assert await found(6) == []


async def test_what_changed_is_found_by_everything_else_that_class_meetings_are_found_by(views, store):
    alike: dict[str, Any] = {
        "class_id": "7b",
        "external_id": "x",
        "state": "live",
        "teacher_emails": ["a@school.example"],
    }
    others: tuple[dict[str, Any], ...] = (
        {"class_id": "8a"},
        {"external_id": "y"},
        {"state": "ended"},
        {"teacher_emails": ["c@school.example"]},
    )
    for number, other in enumerate(others):
        await store(changed(number, number, **{**alike, **other}))
    await store({**changed(4, 4, **alike), **changed(5, 5, **alike), **changed(6, -1, **alike)})
    wanted = {"class_id": "7b", "external_id": "x", "state": "live", "teacher_email": "a@school.example"}

    async def found(**wanted):
        return ids(await all_pages(views.sessions, SessionFilter(updated_since=at(0), **wanted), size=2))

    for size in range(5):
        for names in combinations(wanted, size):
            fitting = [f"m{n}" for n, name in enumerate(wanted) if name not in names]
            assert await found(**{name: wanted[name] for name in names}) == [*fitting, "m4", "m5"]
    assert await found(class_id="7b", since=NINE - timedelta(days=4), until=NINE - timedelta(days=1)) == [
        "m2",
        "m3",
        "m4",
    ]


async def test_a_page_ends_after_ten_reads_and_says_that_others_follow(views, store):
    for number in range(25):
        await store(changed(number, number))
    wanted = SessionFilter(updated_since=at(0), since=NINE - timedelta(days=24), until=NINE - timedelta(days=23))
    first = await views.sessions(wanted, Paging(size=1))

    assert first.documents == ()
    assert first.next_after == (at(9), "sessions/m9")
    assert ids(await all_pages(views.sessions, wanted, size=1)) == ["m24"]


async def test_pages_of_what_changed_show_the_moment_of_the_first_one(views, store):
    for number in range(4):
        await store(changed(number, number))
    wanted = SessionFilter(updated_since=at(0))
    first = await views.sessions(wanted, Paging(size=2))
    await store({**changed(2, 9), **changed(0, 10)})
    rest = await views.sessions(wanted, Paging(size=9, after=first.next_after, read_at=first.read_at))

    assert (ids(first.documents), ids(rest.documents)) == (["m0", "m1"], ["m2", "m3"])
    assert ids(await all_pages(views.sessions, wanted, size=2)) == ["m1", "m3", "m2", "m0"]


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_a_student_is_found_by_id_account_and_address_each_time_once(views, store, size):
    await store({**person(0, student_id="7"), **person(1, user="users/7"), **person(2, student_id="7", user="users/7")})
    await store({**person(3, emails=["old@school.example", "ada@school.example"]), **person(4, student_id="8")})
    await store(person(5, student_id="7", class_id="8a"))

    async def found(student, **wanted):
        documents = await all_pages(views.attendances, AttendanceFilter(student=student, **wanted), size=size)
        return ids(documents, "attendee_id")

    assert await found("7") == ["a0", "a1", "a2", "a5"]
    assert await found("7", class_id="7b") == ["a0", "a1", "a2"]
    assert await found("7", since=NINE + timedelta(hours=1)) == ["a2", "a5"]
    assert await found("ADA@school.example") == ["a3"]
    assert await found("nobody") == []


async def test_a_class_meeting_is_shown_with_everybody_in_it_and_nobody_else(views, store):
    await store({**session(1), **person(1), **session(2), **person(2)})
    found, people = await views.attendance("m1")

    assert (found["session_id"], ids(people, "attendee_id")) == ("m1", ["a1"])
    assert await views.attendance("m3") is None
    assert await views.session("m3") is None
    assert (await views.attendee("m1", "a1"))["attendee_id"] == "a1"
    assert await views.attendee("m1", "a2") is None
    assert ids(await views.sessions_with(["m2", "m9", "m1"])) == ["m2", "m1"]


async def test_a_register_is_put_together_from_its_parts(views, store):
    path = f"registers/{register_id('7b', '2026-11')}"
    await store(
        {
            path: {"schema_version": 1, "class_id": "7b", "students": {"a": {"marks": {}}}, "parts": 1},
            f"{path}/parts/1": {"schema_version": 1, "students": {"b": {"marks": {}}}},
        }
    )

    assert set((await views.register("7b", "2026-11"))["students"]) == {"a", "b"}
    assert await views.register("7b", "2026-12") is None


async def test_what_a_later_version_wrote_is_refused(views, store):
    await store(session(1, schema_version=2))

    with pytest.raises(DocumentTooNew):
        await views.session("m1")
    with pytest.raises(DocumentTooNew):
        await views.sessions(SessionFilter(), Paging(size=1))


async def test_what_needs_a_person_is_found(views, store):
    organizer = {"schema_version": 1, "email": "a@school.example"}
    await store(
        {
            "organizers/1": {**organizer, "user": "users/1", "subscription": {"state": "active"}},
            "organizers/2": {**organizer, "user": "users/2", "subscription": {"state": "suspended"}},
            "organizers/3": {**organizer, "user": "users/3", "subscription": None},
            "conferences/c1": {"sync": {"state": "failed", "pulled_at": None}},
            "conferences/c2": {"sync": {"state": "provisional", "pulled_at": NINE}},
            "conferences/c3": {"sync": {"state": "complete", "pulled_at": NINE + timedelta(minutes=1)}},
            "parked_events/p1": {"replayed_at": None},
            "parked_events/p2": {"replayed_at": NINE},
            **session(1, due_at=NINE),
            **session(2, due_at=NINE + timedelta(hours=2)),
            **session(3, due_at=None),
            **session(4, due_at=None, calendar={"state": "failed"}),
            **session(5, due_at=None, calendar={"state": "pending"}),
            **session(6, due_at=None, calendar={"state": "active"}),
            **session(7, due_at=None, calendar={"state": "failed"}, session_start=NINE - timedelta(minutes=1)),
        }
    )
    troubles = await views.troubles(due_before=NINE + timedelta(hours=1), ended_since=NINE, limit=5)

    assert ids(troubles.organizers, "user") == ["users/1", "users/2", "users/3"]
    assert ids(troubles.failed_conferences, "id") == ["c1"]
    assert ids(troubles.provisional_conferences, "id") == ["c2"]
    assert ids(troubles.overdue_sessions) == ["m1"]
    assert ids(troubles.sessions_not_in_calendar) == ["m4", "m5"]
    assert ids(troubles.parked_events, "id") == ["p1"]
    assert troubles.last_pulled_at == NINE + timedelta(minutes=1)


async def test_where_nothing_is_stored_nothing_needs_a_person(views):
    troubles = await views.troubles(due_before=NINE, ended_since=NINE, limit=5)

    assert (troubles.organizers, troubles.parked_events, troubles.last_pulled_at) == ((), (), None)


async def test_among_many_unfinished_conferences_the_longest_waiting_are_found(views, store):
    def unfinished(ended, pulled, state="provisional"):
        end_time = None if ended is None else NINE + timedelta(minutes=ended)
        return {"end_time": end_time, "sync": {"state": state, "pulled_at": NINE + timedelta(minutes=pulled)}}

    await store({f"conferences/c{n}": unfinished(90 - n, 99) for n in range(30)})
    await store({f"conferences/open{n}": unfinished(None, 70 - n) for n in range(5)})
    await store({"conferences/ancient": unfinished(-60, 0), "conferences/done": unfinished(0, 9, "complete")})
    troubles = await views.troubles(due_before=NINE, ended_since=NINE, limit=3)
    found = set(ids(troubles.provisional_conferences, "id"))

    assert {"c29", "c28", "c27", "open4", "open3", "open2"} <= found
    assert "done" not in found
    assert len(found) < 16

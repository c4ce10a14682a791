"""That Firestore gets the indexes which queries need: its emulator answers without them, the service does not."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

from functions.adapters.attendance_store import DocumentAttendanceStore
from functions.adapters.database import Query, Write
from functions.adapters.sqlite import SqliteDatabase
from functions.adapters.views import DocumentViews
from functions.domain.roster import RosterEntry
from functions.domain.sessions import AuditEntry
from tests.builders import TEACHING, at, call, lesson, sheet_of

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
_FILE = json.loads((Path(__file__).parents[2] / "infra" / "firestore.indexes.json").read_text())
DEPLOYED = _FILE["indexes"]
EXEMPT = {(one["collectionGroup"], one["fieldPath"]) for one in _FILE["fieldOverrides"] if not one["indexes"]}
MOST_ENTRIES = 40_000
"""Of one document: https://firebase.google.com/docs/firestore/quotas#indexes ."""


class Listening(SqliteDatabase):
    """A database that remembers what it was asked."""

    def __init__(self, path):
        super().__init__(path)
        self.queries = []

    async def find(self, query):
        self.queries.append(query)
        return await super().find(query)


def needs(query):
    """The fields of the composite index that a query needs: those of equality in any order, then the sorted ones.

    https://firebase.google.com/docs/firestore/query-data/index-overview
    """
    equal = {where.field for where in query.where if where.op in {"==", "contains"}}
    return (equal, list(query.sorting)) if len(equal) + len(query.sorting) > 1 else None


def has_index(query):
    equal, order = needs(query)
    indexes = [[one["fieldPath"] for one in i["fields"]] for i in DEPLOYED if i["collectionGroup"] == query.collection]
    return any(set(names[: len(equal)]) == equal and names[len(equal) :] == order for names in indexes)


async def test_the_search_for_what_needs_a_person_has_its_indexes(tmp_path):
    database = Listening(tmp_path / "attendance.db")
    for state in ("provisional", "failed"):
        many = [Write(f"conferences/{state}{n}", {"sync": {"state": state, "pulled_at": None}}) for n in range(3)]
        await database.commit(many)
    await DocumentViews(database).troubles(due_before=NINE, ended_since=NINE, limit=1)
    composite = [query for query in database.queries if needs(query)]

    assert len(composite) == 6
    assert [query for query in composite if not has_index(query)] == []


async def test_the_search_for_the_room_of_a_meeting_code_has_its_index(tmp_path):
    database = Listening(tmp_path / "attendance.db")
    store = DocumentAttendanceStore(database, clock=lambda: NINE, retention=None)
    await store.space_with_code("abc-mnop-xyz", until=NINE)
    [query] = database.queries

    assert has_index(query)


async def test_the_searches_of_the_scheduled_jobs_have_their_indexes(tmp_path):
    database = Listening(tmp_path / "attendance.db")
    store = DocumentAttendanceStore(database, clock=lambda: NINE, retention=None)
    await store.failing_sessions("teacher@school.example", since=NINE)
    [query] = database.queries
    assert has_index(query)

    await store.rooms_to_reconcile(NINE, after=None, limit=5)
    await store.organizers_after("users/1", limit=5)
    await store.due_sessions(NINE)
    # Each has one field, which is its range and its first order: an automatic index of the collection will do.
    assert [(needs(query), query.group) for query in database.queries[1:]] == [(None, False)] * 3


def entries(document):
    """How many entries Firestore makes of a document by itself: two for each value, one more for each in a list."""
    group = document.path.split("/")[-2]

    def count(value):
        if isinstance(value, dict):
            return sum(map(count, value.values()))
        return 2 + (len(value) if isinstance(value, list) else 0)

    return sum(count(value) for name, value in document.fields.items() if (group, name) not in EXEMPT)


async def test_no_document_of_a_large_class_has_more_index_entries_than_firestore_takes(tmp_path):
    database = SqliteDatabase(tmp_path / "attendance.db")
    store = DocumentAttendanceStore(database, clock=lambda: at(100), retention=None)
    students = [RosterEntry(email=f"student{number}@school.example") for number in range(600)]
    days = [lesson(roster=students, session_id=f"day-{day}", start=day * 1440, end=day * 1440 + 60) for day in range(3)]
    entry = AuditEntry("entry", "office", "lms@school.example", "marks.made", {}, {})

    async def decide(work):
        for day in days:
            planned = dataclasses.replace(day, plan=dataclasses.replace(day.plan, class_id="maths-a"))
            work.put_sheet(sheet_of(planned, call((TEACHING, (0, 60)))))
        work.note(entry)

    await store.transact(decide)

    collections = ("sessions", "attendance", "sheet", "registers", "parts", "audit")
    written = [d for name in collections for d in (await database.find(Query(name, group=True))).documents]
    assert len(written) > 1800
    assert max(map(entries, written)) < 500 < MOST_ENTRIES

"""Firestore has an index for every query and no unused index, and no document has too many index entries."""

import dataclasses
import inspect
import json
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from google.cloud.firestore_v1 import types

from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.databases import firestore_limits
from functions.adapters.store.databases.database import Query, Write
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.adapters.store.erasing.erasures import DocumentErasures
from functions.adapters.store.seen.events import DocumentSeenEvents
from functions.adapters.store.views import DocumentViews
from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.sessions import AuditEntry
from functions.domain.erasure import Name, NameKind
from functions.ports.erasures import Erasures, Step, Subject
from functions.ports.seen import SeenEvents
from functions.ports.store import AttendanceStore
from functions.ports.views import AttendanceFilter, Paging, SessionFilter, Views
from infra.local.firestore_gate.gate import Refused
from infra.local.firestore_gate.indexes import DEPLOYED, Indexes
from infra.local.firestore_gate.planner import NotServed, serving
from tests.builders import TEACHING, at, call, lesson, sheet_of

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
FILE = json.loads(DEPLOYED.read_text())
FIRST = Paging(size=1)

SESSION_FILTERS = [
    SessionFilter(**dict[str, Any](zip(("class_id", "external_id", "state", "teacher_email"), chosen, strict=True)))
    for chosen in product((None, "this"), repeat=4)
]
ATTENDANCE_FILTERS = [
    AttendanceFilter(class_id=class_id, student=student)
    for class_id, student in product((None, "7b"), ("4711", "ada@school.example"))
]

STORE = {
    "due_sessions": lambda store: store.due_sessions(NINE),
    "sessions_to_follow": lambda store: store.sessions_to_follow(NINE),
    "sessions_of_event": lambda store: store.sessions_of_event("event"),
    "sessions_with": lambda store: store.sessions_with("conferenceRecords/1"),
    "live_with": lambda store: store.live_with("conferenceRecords/1"),
    "live_to_check": lambda store: store.live_to_check(NINE),
    "sessions_of_class": lambda store: store.sessions_of_class("7b", since=NINE),
    "sessions_of_series": lambda store: store.sessions_of_series("series"),
    "sessions_of_external_id": lambda store: store.sessions_of_external_id("lesson"),
    "sessions_of_person": lambda store: store.sessions_of_person(RosterEntry("a@b.example", "4711", user="users/1")),
    "sessions_of_person since a moment": lambda store: store.sessions_of_person(
        RosterEntry("a@b.example", "4711", user="users/1"), since=NINE
    ),
    "people_known_by, of a unit of work": lambda store: store.transact(
        lambda work: work.people_known_by(["a@b.example"])
    ),
    "remarks": lambda store: store.remarks(),
    "publish_changes": lambda store: store.publish_changes(),
    "space_with_code": lambda store: store.space_with_code("abc-mnop-xyz", until=NINE),
    "failing_sessions": lambda store: store.failing_sessions("teacher@school.example", since=NINE),
    "rooms_to_reconcile": lambda store: store.rooms_to_reconcile(NINE, after=None, limit=5),
    "organizers_after": lambda store: store.organizers_after("users/1", limit=5),
    "unfinished_conferences": lambda store: store.unfinished_conferences("users/1", since=NINE),
    "organizers": lambda store: store.organizers(),
    "organizer_subscribed_by": lambda store: store.organizer_subscribed_by("subscriptions/1"),
    "organizer_with": lambda store: store.organizer_with("teacher@school.example"),
    "has_classes": lambda store: store.has_classes("teacher@school.example"),
    "parked": lambda store: all_of(store.parked(), store.parked(reason="unreadable-message")),
}
"""Every method of the store that searches for documents, with an argument of each kind that it accepts."""

SOMEBODY = frozenset(
    {Name(NameKind.STUDENT_ID, "4711"), Name(NameKind.EMAIL, "ada@school.example"), Name(NameKind.USER, "users/17")}
)


async def every_step(erasures):
    note = AuditEntry("erased", None, None, "student.erased", {})
    erasure = await erasures.begin(Subject(SOMEBODY), note)
    later = {
        Step.SETTLE_SESSIONS: f"{NINE.isoformat()} sessions/maths",
        Step.CORRECTIONS: "sessions/maths/corrections/1",
    }
    for step in set(Step) - {Step.SESSIONS, Step.DONE}:
        for after in (None, later.get(step.seen_first, f"{step.seen_first.value}/17")):
            await erasures.part(dataclasses.replace(erasure, step=step, after=after), only_look=True)
    await erasures.take_out("maths", erasure)
    await erasures.take_out_of_conference("conferenceRecords/maths", erasure)
    await erasures.forget_events(["conferenceRecords/maths"])


async def find_a_student(erasures):
    fields = {"schema_version": 1, "role": "student", "emails": ["ada@school.example"], "session_id": "maths"}
    who = {"student_id": "4711", "user": None, "attendee_id": "1", "session_start": NINE}
    await erasures._database.commit([Write("sessions/maths/attendance/1", {**fields, **who})])
    for name in ("4711", "ada@school.example", "users/17"):
        await erasures.find(name)
    await erasures._database.commit([Write("sessions/maths/attendance/1", None)])


ERASURES = {
    "find": find_a_student,
    "of": lambda erasures: erasures.of("4711"),
    "under_way": lambda erasures: erasures.under_way(),
    "part": every_step,
}
"""Every method of the erasures that searches for documents."""

SEEN = {
    "of": lambda seen: seen.of("conferenceRecords/maths"),
    "read_with_events": lambda seen: seen.read_with_events(since=NINE, limit=5),
}
"""Every method of what events said that looks for documents."""

VIEWS = {
    "sessions": lambda views: [views.sessions(wanted, FIRST) for wanted in SESSION_FILTERS],
    "sessions from and to": lambda views: [
        views.sessions(dataclasses.replace(wanted, since=NINE, until=NINE), FIRST) for wanted in SESSION_FILTERS
    ],
    "sessions updated since": lambda views: [
        views.sessions(dataclasses.replace(wanted, since=NINE, until=NINE, updated_since=NINE), FIRST)
        for wanted in SESSION_FILTERS
    ],
    "attendances": lambda views: [
        *(views.attendances(wanted, FIRST) for wanted in ATTENDANCE_FILTERS),
        views.attendances(AttendanceFilter(class_id="7b"), FIRST),
    ],
    "attendances from and to": lambda views: [
        views.attendances(dataclasses.replace(wanted, since=NINE, until=NINE), FIRST)
        for wanted in [*ATTENDANCE_FILTERS, AttendanceFilter(class_id="7b")]
    ],
    "month_of_class": lambda views: [views.month_of_class("7b", "2026-11")],
    "organizers": lambda views: [views.organizers()],
    "troubles": lambda views: [views.troubles(due_before=NINE, ended_since=NINE, limit=1)],
}
"""Every method of the views that searches for documents."""

BY_PATH = {
    "take_out",
    "take_out_of_conference",
    "forget_events",
    "everybody",
    "keep",
    "begin",
    "get",
    "save",
    "transact",
    "reader",
    "forget_remark",
    "park",
    "parked_event",
    "note_replayed",
} | {
    "session",
    "sessions_with",
    "attendance",
    "attendee",
    "register",
    "organizer",
}
"""Methods that read documents by their paths, and documents directly below these paths."""

MINE = {
    "fieldFilter": {
        "field": {"fieldPath": "teacher_emails"},
        "op": "ARRAY_CONTAINS",
        "value": {"stringValue": "teacher@school.example"},
    }
}
LMS = {
    "docs/lms.md: a listener on what has changed in class meetings": {
        "from": [{"collectionId": "sessions"}],
        "orderBy": [{"field": {"fieldPath": "updated_at"}, "direction": "ASCENDING"}],
        "where": {
            "fieldFilter": {
                "field": {"fieldPath": "updated_at"},
                "op": "GREATER_THAN",
                "value": {"timestampValue": "2026-11-23T09:00:00Z"},
            }
        },
    },
    "docs/lms.md: who is in a teacher's rooms now, in a page": {"from": [{"collectionId": "live"}], "where": MINE},
    "docs/lms.md: a teacher's class meetings, in a page": {
        "from": [{"collectionId": "sessions"}],
        "where": MINE,
        "orderBy": [
            {"field": {"fieldPath": name}, "direction": "ASCENDING"} for name in ("session_start", "session_id")
        ],
    },
    "docs/lms.md: the attendance in a teacher's class meeting, in a page": {
        "from": [{"collectionId": "attendance"}],
        "where": MINE,
    },
    "docs/lms.md: the registers of a month": {
        "from": [{"collectionId": "registers"}],
        "where": {"fieldFilter": {"field": {"fieldPath": "month"}, "op": "EQUAL", "value": {"stringValue": "2026-11"}}},
    },
    "docs/lms.md: a listener on a student's own attendance": {
        "from": [{"collectionId": "attendance", "allDescendants": True}],
        "where": {
            "fieldFilter": {
                "field": {"fieldPath": "student_id"},
                "op": "EQUAL",
                "value": {"stringValue": "4711"},
            }
        },
    },
}
"""The queries that the documentation offers to an LMS that reads Firestore itself."""


async def all_of(*several):
    for parked in several:
        async for _ in parked:
            pass


def structured(query):
    return types.StructuredQuery.pb(types.StructuredQuery.from_json(json.dumps(query)))


EMPTY = {"participants": [], "snapshot_documents": 0, "organizer": {"user": None, "email": None}}


async def ask_everything(database):
    """Make every query that the application can make."""
    for state in ("provisional", "failed"):  # several states, so that the query for the longest wait runs
        many = [
            Write(f"conferences/{state}{n}", {**EMPTY, "sync": {"state": state, "pulled_at": None}}) for n in range(3)
        ]
        await database.commit(many)
    store = DocumentAttendanceStore(
        database, clock=lambda: NINE, retention=None, erasure_key=b"key", listening=Listener()
    )
    for ask in STORE.values():
        await ask(store)
    erasures = DocumentErasures(database, store.erased, clock=lambda: NINE, retention=None)
    for ask in ERASURES.values():
        await ask(erasures)
    seen = DocumentSeenEvents(database, clock=lambda: NINE, retention=None)
    for ask in SEEN.values():
        await ask(seen)
    for asked in VIEWS.values():
        for one in asked(DocumentViews(database)):
            await one


class Listener:
    """Receives changes."""

    async def publish(self, changes):
        pass


def methods(protocol):
    return {name for name, member in inspect.getmembers(protocol, callable) if not name.startswith("_")}


@pytest.fixture
async def everything(tmp_path, firestore_gate):
    """Return a gate that has seen every query of the application and of an LMS."""
    firestore_gate.used.clear()
    firestore_gate.shapes.clear()
    await ask_everything(SqliteDatabase(tmp_path / "attendance.db"))
    for query in LMS.values():
        firestore_gate.query(structured(query))
    return firestore_gate


def test_every_method_that_looks_for_documents_is_asked_here():
    assert methods(AttendanceStore) - BY_PATH <= STORE.keys()
    assert methods(Erasures) - BY_PATH - {"possible"} <= ERASURES.keys()
    assert methods(SeenEvents) - {"add", "begin_check", "add_check"} <= SEEN.keys()
    assert methods(Views) - BY_PATH <= {name.partition(" ")[0] for name in VIEWS}


def test_no_index_is_deployed_that_no_query_needs(everything):
    deployed = Indexes(FILE)

    assert {*deployed.composite, *deployed.overridden()} - everything.used == set()


def test_without_any_one_index_some_query_is_not_answered(everything):
    composite, overrides = FILE["indexes"], FILE["fieldOverrides"]
    fewer = [{**FILE, "indexes": [o for o in composite if o is not one]} for one in composite]
    fewer += [{**FILE, "fieldOverrides": [o for o in overrides if o is not one]} for one in overrides if one["indexes"]]

    assert [definition for definition in fewer if all_served(everything.shapes, Indexes(definition))] == []


def all_served(shapes, indexes):
    try:
        for shape in shapes:
            serving(shape, indexes)
    except NotServed:
        return False
    return True


def test_the_function_knows_the_indexes_that_are_deployed():
    def known(index):
        fields = tuple(f"{name}[]" if mode == "CONTAINS" else name for name, mode in index.fields)
        return firestore_limits.Index(index.group, fields, index.scope == "COLLECTION_GROUP")

    deployed = Indexes(FILE)
    exempt = {one["collectionGroup"] for one in FILE["fieldOverrides"] if one["fieldPath"] == "*"}

    assert exempt == firestore_limits.EXEMPT
    assert sorted(map(known, deployed.composite)) == sorted(firestore_limits.COMPOSITE)
    assert sorted(map(known, deployed.overridden())) == sorted(firestore_limits.SINGLE)


def test_a_query_of_a_field_without_an_index_names_the_index_that_is_missing(firestore_gate):
    with pytest.raises(Refused):
        firestore_gate.query(
            structured(
                {
                    "from": [{"collectionId": "attendance", "allDescendants": True}],
                    "where": {
                        "fieldFilter": {"field": {"fieldPath": "mark"}, "op": "EQUAL", "value": {"stringValue": "late"}}
                    },
                }
            )
        )
    [refusal] = firestore_gate.take()

    assert json.loads(refusal.about.partition("\n")[2]) == {
        "collectionGroup": "attendance",
        "fieldPath": "mark",
        "indexes": [{"order": "ASCENDING", "queryScope": "COLLECTION_GROUP"}],
    }


GROUPS = ("sessions", "attendance", "sheet", "registers", "parts", "audit")


async def test_no_document_of_a_large_class_has_many_index_entries(tmp_path, firestore_gate):
    database = SqliteDatabase(tmp_path / "attendance.db")
    store = DocumentAttendanceStore(database, clock=lambda: at(100), retention=None)
    students = [RosterEntry(email=f"student{number}@school.example") for number in range(600)]
    days = [lesson(roster=students, session_id=f"day-{day}", start=day * 1440, end=day * 1440 + 60) for day in range(3)]
    entry = AuditEntry("entry", "office", "lms@school.example", "marks.made", {})

    async def decide(work, day):
        planned = dataclasses.replace(day, plan=dataclasses.replace(day.plan, class_id="maths-a"))
        work.put_sheet(sheet_of(planned, call((TEACHING, (0, 60)))))
        work.note(entry)

    firestore_gate.commits.clear()
    for day in days:
        await store.transact(lambda work, day=day: decide(work, day))

    documents = [d for name in GROUPS for d in (await database.find(Query(name, group=True))).documents]
    sizes = [firestore_limits.size_of(document.path, document.fields) for document in documents]
    assert [commit.writes > 600 for commit in firestore_gate.commits] == [True] * 3
    assert sum(size.entries for size in sizes if size.entries < 50) > 3 * 600 * 10
    assert max(size.entries for size in sizes) == max(commit.most_entries for commit in firestore_gate.commits)
    assert max(commit.most_entries for commit in firestore_gate.commits) < 50

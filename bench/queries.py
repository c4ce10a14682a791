"""How many documents each query of docs/lms.md reads, at 10,000 and at 100,000 attendance documents.

`.venv/bin/python -m bench.queries` counts, and puts the table into the page. Firestore charges for each document that a
query finds, and for one document if it finds nothing: https://cloud.google.com/firestore/pricing. This needs an index
for every query; the gate in front of the emulator refuses queries without one.

The functions of the page query the Firestore emulator, and their reads are counted in the calls. The reads of the API
are counted at its store, with the embedded store. Both stores answer a query with the same documents (the contract
tests). The emulator has no indexes, and needs longer for 100,000 documents than the API waits.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from bench.charged import ChargedFirestore
from bench.stack import ROOT, running_firestore
from functions.adapters.store.databases.database import Database, Document, Query, QueryResult, Write
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.adapters.store.documents.register import register_id
from functions.adapters.store.documents.session import session_to_document
from functions.adapters.store.sheet_copy import copy_of
from functions.adapters.store.views import DocumentViews
from functions.domain.classes.sessions import AttendanceSheet, ClassSession, Plan, SessionState
from functions.domain.conferences.model import Space
from functions.domain.intervals import Interval
from functions.domain.marking.shares import at_risk
from functions.ports.views import AttendanceFilter, Page, Paging, SessionFilter
from infra.local.firestore_gate.gate import Gate
from infra.local.firestore_gate.proxy import gated

PAGE = ROOT / "docs" / "lms.md"
MEASURED = ROOT / "bench" / "queries.json"
SIZES = (10_000, 100_000)
PROJECT = "demo-queries"
BATCH = 400
AT_ONCE = 4
CLASS = "class-0"
LENGTH = timedelta(minutes=45)


@dataclass(frozen=True, slots=True)
class SchoolYear:
    """A school year until yesterday: every class meets once a day, with the same students.

    Attributes:
        meetings: The number of meetings of each class.
        classes: The number of classes.
        students: The number of students in each class.
        lately: The number of last days that the queries are about.
        now: The current time. With this day, a month's first meetings are 20 days ago, so both sizes have as many of
            them.
    """

    meetings: int
    classes: int = 20
    students: int = 25
    lately: int = 20
    now: datetime = datetime(2026, 11, 20, tzinfo=UTC)

    @property
    def attendance(self) -> int:
        """Return the number of attendance documents."""
        return self.meetings * self.classes * self.students

    @property
    def begin(self) -> datetime:
        """Return the start of the period that the queries are about."""
        return self.now - timedelta(days=self.lately)

    @property
    def last_session(self) -> str:
        """Return the last meeting of the requested class."""
        return f"{CLASS}-meeting-{self.meetings - 1}"

    @property
    def month(self) -> str:
        """Return the month of the last meeting."""
        return f"{self._start(self.meetings - 1):%Y-%m}"

    def _start(self, number: int) -> datetime:
        return self.now - timedelta(days=self.meetings - number - 0.5)

    def documents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give every document with its path, with only the fields that queries use."""
        for class_id in (f"class-{n}" for n in range(self.classes)):
            teacher = f"teacher-{class_id}@school.example"
            students = [f"{class_id}-student-{n}" for n in range(self.students)]
            for number in range(self.meetings):
                session_id, start = f"{class_id}-meeting-{number}", self._start(number)
                common = {
                    "schema_version": 1,
                    "session_id": session_id,
                    "class_id": class_id,
                    "teacher_emails": [teacher],
                    "session_start": start,
                    "updated_at": start,
                }
                people = [
                    {
                        **common,
                        "attendee_id": name,
                        "student_id": name,
                        "user": None,
                        "emails": [f"{name}@school.example"],
                    }
                    for name in students
                ]
                copy = copy_of(people, expire_at=None)
                session = ClassSession(
                    session_id,
                    Space(f"spaces/{class_id}", "abc-mnop-xyz", None),
                    "UTC",
                    SessionState.ENDED,
                    owned=None,
                    plan=Plan(Interval(start, start + LENGTH), class_id=class_id, teachers=(teacher,)),
                )
                fields = session_to_document(AttendanceSheet(session), retention=None)
                yield f"sessions/{session_id}", {**fields, **common, "sheet_parts": len(copy)}
                for person in people:
                    yield f"sessions/{session_id}/attendance/{person['attendee_id']}", person
                for part, fields in enumerate(copy, start=1):
                    yield f"sessions/{session_id}/sheet/{part}", {**fields, "updated_at": start}
            for month in {f"{self._start(number):%Y-%m}" for number in range(self.meetings)}:
                register = {
                    "schema_version": 1,
                    "class_id": class_id,
                    "month": month,
                    "parts": 0,
                    "students": {name: _row(name) for name in students},
                }
                yield f"registers/{register_id(class_id, month)}", register


def _row(student: str) -> dict[str, Any]:
    """A student's row in a register."""
    names = {"student_id": student, "email": None, "display_name": None}
    return {**names, "marks": {}, "otherwise": {}, "share": 0.5}


def fill(year: SchoolYear, client: firestore.Client) -> None:
    """Store a school year in Firestore."""

    def commit(documents: list[tuple[str, dict[str, Any]]]) -> None:
        batch = client.batch()
        for path, fields in documents:
            batch.set(client.document(path), fields)
        batch.commit()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        for _ in threads.map(commit, _batches(year)):
            pass


def _batches(year: SchoolYear) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    documents = year.documents()
    while batch := list(itertools.islice(documents, BATCH)):
        yield batch


def client_of(address: str, project: str) -> firestore.Client:
    """Return a client for an emulator, independent of the environment."""
    with _emulator(address):
        return firestore.Client(project=project, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call] # the package has no types


def counted(year: SchoolYear, *, firestore_address: str, project: str) -> dict[str, dict[str, int]]:
    """Return the numbers of documents that each function of the page reads and returns, by its name.

    Args:
        year: The stored school year.
        firestore_address: `host:port` of the emulator, behind the gate.
        project: The project in it.
    """
    with ChargedFirestore(firestore_address).in_thread() as charged, _emulator(charged.address):
        found = {}
        for name, ask in _documented(year, project).items():
            before = charged.documents.reads
            answered = ask()
            found[name] = {"reads": charged.documents.reads - before, "answered": answered}
        return found


class CountedDatabase:
    """Answers like its database, and counts what Firestore would charge for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reads = 0

    async def get(self, path: str, *, at: datetime | None = None) -> Document | None:
        """Read one document; a missing one is also charged."""
        self.reads += 1
        return await self._database.get(path, at=at)

    async def get_many(self, paths: Sequence[str]) -> Mapping[str, Document]:
        """Read several documents; missing ones are also charged."""
        self.reads += len(paths)
        return await self._database.get_many(paths)

    async def children(self, collection: str, *, at: datetime | None = None) -> Sequence[Document]:
        """Read a collection."""
        found = await self._database.children(collection, at=at)
        self.reads += max(1, len(found))
        return found

    async def find(self, query: Query) -> QueryResult:
        """Run a query; it reads one document more than requested, to know whether there are more."""
        found = await self._database.find(query)
        self.reads += max(1, len(found.documents) + (found.next_after is not None))
        return found

    async def commit(self, writes: Sequence[Write], *, unchanged: Sequence[Document] = ()) -> datetime:
        """Pass a commit on: it reads nothing."""
        return await self._database.commit(writes, unchanged=unchanged)


async def counted_of_the_api(year: SchoolYear, database: Database) -> dict[str, dict[str, int]]:
    """Store a school year and return how many documents API calls read and return; for a list, only its first page."""
    for batch in _batches(year):
        await database.commit([Write(path, fields) for path, fields in batch])
    counting = CountedDatabase(database)
    views, some = DocumentViews(counting), Paging(size=100)
    lately: dict[str, Any] = {"since": year.begin, "until": year.now}
    student = AttendanceFilter(student=f"{CLASS}-student-1", **lately)
    calls: dict[str, tuple[Awaitable[Any], Callable[[Any], int]]] = {
        "GET /api/sessions": (views.sessions(SessionFilter(class_id=CLASS, **lately), some), _size),
        "GET /api/sessions?updated_since=": (
            views.sessions(SessionFilter(updated_since=year.now - timedelta(days=1)), some),
            _size,
        ),
        "GET /api/sessions/{session_id}/attendance": (
            views.attendance(year.last_session),
            lambda found: 1 + len(found[1]),
        ),
        "GET /api/students/{student}/attendance": (views.attendances(student, some), _size),
        "GET /api/classes/{class_id}/attendance": (
            views.attendances(AttendanceFilter(class_id=CLASS, **lately), some),
            _size,
        ),
        "GET /api/classes/{class_id}/register": (
            views.register(CLASS, year.month),
            lambda found: len(found["students"]),
        ),
        "GET /api/classes/{class_id}/at-risk": (
            views.month_of_class(CLASS, year.month),
            lambda found: len(at_risk(*found, class_id=CLASS, month=year.month, below=0.8)),
        ),
    }
    found = {}
    for name, (answer, size) in calls.items():
        before = counting.reads
        answered = size(await answer)
        found[name] = {"reads": counting.reads - before, "answered": answered}
    return found


def _size(page: Page) -> int:
    return len(page.documents)


def _documented(year: SchoolYear, project: str) -> dict[str, Callable[[], int]]:
    """Return the functions of the page's program; each returns the number of documents in its answer."""
    [code] = [
        block
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        if "# queries.py" in block
    ]
    defined: dict[str, Any] = {"__name__": "queries"}
    exec(code.replace("my-school", project), defined)  # noqa: S102 - our own page

    def changed() -> int:
        sessions, _ = defined["changed_since"](year.now - timedelta(days=1))
        return len(sessions) + sum(map(len, sessions.values()))

    return {
        "of_session": lambda: len(defined["of_session"](year.last_session)),
        "of_student": lambda: len(defined["of_student"](f"{CLASS}-student-1", year.begin, year.now)),
        "of_class": lambda: len(defined["of_class"](CLASS, year.begin, year.now)),
        "below": lambda: len({student["class_id"] for student in defined["below"](0.8, year.month)}),
        "changed_since": changed,
    }


@contextlib.contextmanager
def _emulator(address: str) -> Iterator[None]:
    """Make new clients use this address."""
    before = os.environ.get("FIRESTORE_EMULATOR_HOST")
    os.environ["FIRESTORE_EMULATOR_HOST"] = address
    try:
        yield
    finally:
        del os.environ["FIRESTORE_EMULATOR_HOST"]
        if before is not None:
            os.environ["FIRESTORE_EMULATOR_HOST"] = before


def table(measured: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    """Return the table of the page."""
    sizes = sorted(measured, key=int)
    heads = [f"read of {int(size):,}" for size in sizes]
    lines = [f"| query | documents in the answer | {' | '.join(heads)} |", f"| --- | ---: |{' ---: |' * len(sizes)}"]
    for name in measured[sizes[0]]:
        answered = {measured[size][name]["answered"] for size in sizes}
        reads = " | ".join(f"{measured[size][name]['reads']:,}" for size in sizes)
        lines.append(f"| `{name}` | {' or '.join(f'{number:,}' for number in sorted(answered))} | {reads} |")
    return "\n".join(lines)


def written(page: str, measured: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    """Return the page with the table of the measurements."""
    pattern = r"(<!-- reads: [^\n]*-->\n)\n.*?\n\n(<!-- /reads -->)"
    return re.sub(pattern, lambda found: f"{found[1]}\n{table(measured)}\n\n{found[2]}", page, flags=re.DOTALL)


def main() -> None:
    """Measure, and store the measurements."""
    parser = argparse.ArgumentParser(prog="python -m bench.queries", description=__doc__)
    parser.add_argument("--table", action="store_true", help="only write the table of what was measured before")
    parser.add_argument("--api", action="store_true", help="count the API's calls again, and keep the other figures")
    arguments = parser.parse_args()
    if not arguments.table:
        before = json.loads(MEASURED.read_text()) if arguments.api else {}
        measured = {}
        for size in SIZES:
            year = SchoolYear(meetings=size // 500)
            measured[str(size)] = before.get(str(size)) or _measured_in_firestore(year)
            with tempfile.TemporaryDirectory() as folder:
                database = SqliteDatabase(Path(folder) / "attendance.db")
                measured[str(size)] |= asyncio.run(counted_of_the_api(year, database))
        MEASURED.write_text(json.dumps(measured, indent=2) + "\n")
    measured = json.loads(MEASURED.read_text())
    PAGE.write_text(written(PAGE.read_text("utf-8"), measured), "utf-8")
    print(table(measured))


def _measured_in_firestore(year: SchoolYear) -> dict[str, dict[str, int]]:
    with running_firestore() as emulator, gated(emulator, gate := Gate()) as address:
        began = time.monotonic()
        fill(year, client_of(emulator, PROJECT))
        print(f"{year.attendance:,} attendance documents stored in {time.monotonic() - began:.0f} s", flush=True)
        found = counted(year, firestore_address=address, project=PROJECT)
        if refused := gate.take():
            sys.exit(f"Firestore would refuse a query: {refused}")
        return found


if __name__ == "__main__":
    main()

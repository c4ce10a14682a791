"""Queries for readers of the API: `functions.ports.views.Views` over a database of documents.

Everything that one answer shows, and every page of a list, is read at one moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import Any

from functions.adapters.store.databases.database import Database, Document, Query, Where
from functions.adapters.store.databases.sqlite_queries import fits
from functions.adapters.store.documents.common import Fields, check_schema
from functions.adapters.store.documents.register import register_id, student_from_document
from functions.adapters.store.documents.session import session_from_document
from functions.adapters.store.paths import CHECK_PATH
from functions.adapters.store.sheet_copy import people_from
from functions.adapters.store.students import find_student
from functions.domain.classes.sessions import CalendarState, ClassSession
from functions.domain.conferences.model import SyncState
from functions.domain.marking.addresses import mailbox
from functions.domain.marking.shares import MonthOfStudent
from functions.ports.views import AttendanceFilter, Page, Paging, SessionFilter, Troubles

_ATTENDANCE_ORDER = ("session_start", "attendee_id")

_SEARCHED = ("external_id", "class_id", "teacher_emails", "state")
"""The fields by which changed class meetings are searched, one at a time: the first one that is requested, because it
leaves the fewest."""

_LONGEST_MONTH, _ZONES = timedelta(days=31), timedelta(days=1)
"""A class meeting of a month lies between these, whatever its time zone."""

_MOST_READS = 10
"""How many documents a page of changed class meetings reads at most, as a multiple of its size."""


class DocumentViews:
    """`functions.ports.views.Views` over a database of documents.

    Args:
        database: Where the documents are stored.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def session(self, session_id: str) -> Mapping[str, Any] | None:
        """See the port."""
        return await self._fields(f"sessions/{session_id}")

    async def sessions_with(self, session_ids: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
        """See the port."""
        paths = [f"sessions/{session_id}" for session_id in session_ids]
        found = await self._database.get_many(paths)
        return tuple(_checked(found[path]) for path in paths if path in found)

    async def attendance(self, session_id: str) -> tuple[Mapping[str, Any], tuple[Mapping[str, Any], ...]] | None:
        """See the port."""
        session = await self._database.get(f"sessions/{session_id}")
        if session is None:
            return None
        return _checked(session), await self._people(session)

    async def attendee(self, session_id: str, attendee_id: str) -> Mapping[str, Any] | None:
        """See the port."""
        return await self._fields(f"sessions/{session_id}/attendance/{attendee_id}")

    async def sessions(self, wanted: SessionFilter, paging: Paging) -> Page:
        """See the port."""
        equal = {"class_id": wanted.class_id, "external_id": wanted.external_id, "state": wanted.state}
        where = [Where(name, "==", value) for name, value in equal.items() if value is not None]
        if wanted.teacher_email is not None:
            where.append(Where("teacher_emails", "contains", mailbox(wanted.teacher_email)))
        where += _between(wanted.since, wanted.until)
        if wanted.updated_since is not None:
            return await self._changed(wanted.updated_since, where, paging)
        return await self._page(Query("sessions", tuple(where), order=("session_start", "session_id")), paging)

    async def attendances(self, wanted: AttendanceFilter, paging: Paging) -> Page:
        """See the port."""
        where = tuple(_between(wanted.since, wanted.until))
        if wanted.class_id is not None:
            where = (Where("class_id", "==", wanted.class_id), *where)
        everybody = Query("attendance", where, order=_ATTENDANCE_ORDER, group=True)
        if wanted.student is None:
            return await self._page(everybody, paging)
        student = await find_student(wanted.student, self._database, at=paging.read_at)
        queries = [replace(everybody, where=(name, *where)) for name in student.names()]
        return await self._merged(queries, replace(paging, read_at=student.read_at), student.has)

    async def register(self, class_id: str, month: str) -> Mapping[str, Any] | None:
        """See the port."""
        return await self._register(class_id, month)

    async def month_of_class(
        self, class_id: str, month: str
    ) -> tuple[tuple[MonthOfStudent, ...], tuple[ClassSession, ...]]:
        """See the port."""
        where = (Where("class_ids", "contains", class_id), *_between(*_around(month)))
        found = await self._database.find(Query("sessions", where, order=("session_start", "session_id")))
        register = await self._register(class_id, month, at=found.read_at) or {}
        students = tuple(map(student_from_document, register.get("students", {}).values()))
        return students, tuple(session_from_document(document.fields) for document in found.documents)

    async def _register(self, class_id: str, month: str, *, at: datetime | None = None) -> Fields | None:
        document = await self._database.get(f"registers/{register_id(class_id, month)}", at=at)
        if document is None:
            return None
        fields = _checked(document)
        students = dict(fields.get("students", {}))
        if fields.get("parts"):
            for part in await self._database.children(f"{document.path}/parts", at=at or document.seen_at):
                students.update(_checked(part).get("students", {}))
        return {**fields, "students": students}

    async def organizers(self) -> tuple[Mapping[str, Any], ...]:
        """See the port."""
        return tuple(map(_checked, await self._database.children("organizers")))

    async def organizer(self, user: str) -> Mapping[str, Any] | None:
        """See the port."""
        return await self._fields(f"organizers/{user.removeprefix('users/')}")

    async def troubles(self, *, due_before: datetime, ended_since: datetime, limit: int) -> Troubles:
        """See the port."""
        last = await self._database.find(Query("conferences", order=("sync.pulled_at",), downwards=True, limit=1))
        return Troubles(
            organizers=await self.organizers(),
            failed_conferences=await self._unfinished(SyncState.FAILED, ended_since, limit),
            provisional_conferences=await self._unfinished(SyncState.PROVISIONAL, ended_since, limit),
            overdue_sessions=await self._first(Query("sessions", (Where("due_at", "<", due_before),)), limit),
            sessions_not_in_calendar=await self._not_in_calendar(ended_since, limit),
            parked_events=await self._first(Query("parked_events", (Where("replayed_at", "==", None),)), limit),
            last_pulled_at=last.documents[0].fields["sync"]["pulled_at"] if last.documents else None,
            sessions_check=await self._fields(CHECK_PATH),
        )

    async def _people(self, session: Document) -> tuple[Mapping[str, Any], ...]:
        """Everybody's attendance, from its copy if there is one: one read, not one for each person."""
        parts = session.fields.get("sheet_parts")
        if parts is not None:
            copy = await self._database.children(f"{session.path}/sheet", at=session.seen_at) if parts else ()
            people = people_from(copy, parts=parts)
            if people is not None:
                return people
        documents = await self._database.children(f"{session.path}/attendance", at=session.seen_at)
        return tuple(map(_checked, documents))

    async def _fields(self, path: str) -> Fields | None:
        document = await self._database.get(path)
        return _checked(document) if document else None

    async def _unfinished(self, state: SyncState, ended_since: datetime, limit: int) -> tuple[Mapping[str, Any], ...]:
        """Conferences in a state: all if there are few, otherwise a part with those that have waited the longest."""
        such = Where("sync.state", "==", state.value)
        found = await self._first(Query("conferences", (such,)), limit)
        if len(found) <= limit:
            return found
        ended = Query("conferences", (such, Where("end_time", ">=", ended_since)))
        open_ones = Query("conferences", (such, Where("end_time", "==", None)), order=("sync.pulled_at",))
        oldest = await self._first(ended, limit) + await self._first(open_ones, limit)
        return tuple({one["id"]: one for one in (*found, *oldest)}.values())

    async def _not_in_calendar(self, begun_since: datetime, limit: int) -> tuple[Mapping[str, Any], ...]:
        """Class meetings that Calendar may not show correctly: the earliest of each state."""
        since = Where("session_start", ">=", begun_since)
        states = (CalendarState.FAILED, CalendarState.PENDING)
        such = [Query("sessions", (Where("calendar.state", "==", state.value), since)) for state in states]
        return tuple([one for query in such for one in await self._first(query, limit)])

    async def _first(self, query: Query, limit: int) -> tuple[Mapping[str, Any], ...]:
        found = await self._database.find(replace(query, limit=limit + 1))
        return tuple({**_checked(document), "id": document.path.rpartition("/")[2]} for document in found.documents)

    async def _page(self, query: Query, paging: Paging) -> Page:
        found = await self._database.find(replace(query, limit=paging.size, after=paging.after, at=paging.read_at))
        return Page(tuple(map(_checked, found.documents)), found.read_at, _position(found.next_after))

    async def _changed(self, since: datetime, where: Sequence[Where], paging: Paging) -> Page:
        """Class meetings in the order of their last change.

        Firestore finds them by one of the conditions, and the others are checked here. An index for every combination
        would make each class meeting more expensive to write, and there are few changes since a poll.
        """
        by_field = {condition.field: condition for condition in where if condition.field in _SEARCHED}
        searched = next((by_field[name] for name in _SEARCHED if name in by_field), None)
        others = [condition for condition in where if condition is not searched]
        first = (searched,) if searched else ()
        query = Query(
            "sessions",
            (*first, Where("updated_at", ">=", since)),
            order=("updated_at",),
            after=paging.after,
            limit=paging.size,
            at=paging.read_at,
        )
        page: list[Document] = []
        for read in range(1, _MOST_READS + 1):
            found = await self._database.find(query)
            wanted = [document for document in found.documents if all(fits(document, other) for other in others)]
            room = paging.size - len(page)
            page += wanted[:room]
            after = _position(found.next_after)
            if len(wanted) > room or (len(page) == paging.size and after is not None):
                after = (page[-1].fields["updated_at"], page[-1].path)
            if len(page) == paging.size or after is None or read == _MOST_READS:
                break
            query = replace(query, after=after, at=found.read_at)
        return Page(tuple(map(_checked, page)), found.read_at, after)

    async def _merged(self, queries: Sequence[Query], paging: Paging, wanted: Callable[[Fields], bool]) -> Page:
        """The documents that match any of the queries, each once, up to the limit; the queries have the same order."""
        page: list[Document] = []
        after: tuple[object, ...] | None = paging.after
        while True:
            found = await asyncio.gather(
                *(
                    self._database.find(replace(query, limit=paging.size, after=after, at=paging.read_at))
                    for query in queries
                )
            )
            together = {document.path: document for part in found for document in part.documents}
            ordered = sorted(together.values(), key=_place)[: paging.size]
            more = len(together) > paging.size or any(part.next_after is not None for part in found)
            for number, document in enumerate(ordered):
                if wanted(document.fields):
                    page.append(document)
                if len(page) == paging.size:
                    rest = more or number + 1 < len(ordered)
                    return Page(tuple(map(_checked, page)), found[0].read_at, _place(document) if rest else None)
            if not more:
                return Page(tuple(map(_checked, page)), found[0].read_at, None)
            after = _place(ordered[-1])


def _between(since: datetime | None, until: datetime | None) -> list[Where]:
    bounds = ((">=", since), ("<", until))
    return [Where("session_start", op, moment) for op, moment in bounds if moment is not None]  # type: ignore[arg-type] # one of the two


def _around(month: str) -> tuple[datetime, datetime]:
    """Two moments between which a month lies in every time zone; both stay within the years that a date can have."""
    year, number = (int(part) for part in month.split("-"))
    first = datetime(min(max(year, MINYEAR + 1), MAXYEAR - 1), number, 1, tzinfo=UTC)
    return first - _ZONES, first + _LONGEST_MONTH + _ZONES


def _place(document: Document) -> tuple[datetime, str, str]:
    start, attendee_id = (document.fields[name] for name in _ATTENDANCE_ORDER)
    return start, attendee_id, document.path


def _position(after: tuple[object, ...] | None) -> tuple[datetime | str, ...] | None:
    return None if after is None else tuple(v if isinstance(v, datetime | str) else str(v) for v in after)


def _checked(document: Document) -> Fields:
    check_schema(document.fields)
    return document.fields

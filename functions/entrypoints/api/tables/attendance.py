"""Columns of attendance: one row for each person in each class meeting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from functions.domain.errors import InvalidRequest
from functions.entrypoints.api.schemas.answers import AttendanceAnswer
from functions.entrypoints.api.tables.cells import text_cell
from functions.ports.views import AttendanceFilter, Paging, Views

MAX_ROWS = 20_000
"""How many rows a file has at most, so that it is not larger than a function's answer may be."""

_PART = 500
"""How many documents are read at once."""

Cell = str | int
_Value = Callable[[AttendanceAnswer, ZoneInfo], Cell]


def attendance_head() -> list[str]:
    """The names of the columns. New ones are only ever added at the end."""
    return list(_COLUMNS)


def attendance_rows(documents: Iterable[Mapping[str, Any]], *, time_zone: str) -> list[list[Cell]]:
    """A row for each attendance document, in the same order, with only the fields of the answer.

    Args:
        documents: Attendance.
        time_zone: The school's time zone, for documents without their own.
    """
    return [_row(AttendanceAnswer.model_validate(document), time_zone) for document in documents]


async def whole_list(
    wanted: AttendanceFilter, *, views: Views, time_zone: str, limit: int = MAX_ROWS
) -> list[list[Cell]]:
    """The header row, then a row for each attendance document, oldest class first, all as of one moment.

    Args:
        wanted: Whose attendance.
        views: Reads one page of the list.
        time_zone: The school's time zone, for documents without their own.
        limit: The largest number of rows.

    Raises:
        InvalidRequest: There are more rows. A list is never cut.
    """
    rows: list[list[Cell]] = []
    part: Paging | None = Paging(size=_PART)
    while part:
        page = await views.attendances(wanted, part)
        rows += attendance_rows(page.documents, time_zone=time_zone)
        if len(rows) > limit:
            raise InvalidRequest.of("from", f"and to should cover a shorter time: there are more than {limit} rows")
        part = Paging(size=_PART, after=page.next_after, read_at=page.read_at) if page.next_after else None
    return [list(attendance_head()), *rows]


def _row(person: AttendanceAnswer, time_zone: str) -> list[Cell]:
    zone = ZoneInfo(person.time_zone or time_zone)
    return [value(person, zone) for value in _COLUMNS.values()]


def _day(moment: datetime | None, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).date().isoformat() if moment else ""


def _time(moment: datetime | None, zone: ZoneInfo) -> str:
    """Cut to the second."""
    return f"{moment.astimezone(zone):%H:%M:%S}" if moment else ""


def _flag(value: bool) -> str:  # noqa: FBT001 - a column's value
    return "true" if value else "false"


def _decided_at(person: AttendanceAnswer) -> datetime | None:
    return person.override.at if person.override else None


_COLUMNS: Mapping[str, _Value] = {
    "session_id": lambda one, _: text_cell(one.session_id),
    "class_id": lambda one, _: text_cell(one.class_id),
    "subject": lambda one, _: text_cell(one.subject),
    "teacher_email": lambda one, _: text_cell(one.teacher_email),
    "start_date": lambda one, zone: _day(one.session_start, zone),
    "start_time": lambda one, zone: _time(one.session_start, zone),
    "end_date": lambda one, zone: _day(one.scheduled_end, zone),
    "end_time": lambda one, zone: _time(one.scheduled_end, zone),
    "time_zone": lambda _, zone: zone.key,
    "session_state": lambda one, _: one.session_state.value,
    "sync_state": lambda one, _: one.sync_state.value if one.sync_state else "",
    "attendee_id": lambda one, _: one.attendee_id,
    "role": lambda one, _: one.role.value,
    "kind": lambda one, _: one.kind.value,
    "display_name": lambda one, _: text_cell(one.display_name),
    "email": lambda one, _: text_cell(one.email),
    "student_id": lambda one, _: text_cell(one.student_id),
    "mark": lambda one, _: one.mark.value if one.mark else "",
    "status": lambda one, _: one.status.value if one.status else "",
    "status_reason": lambda one, _: text_cell(one.status_reason),
    "is_late": lambda one, _: _flag(one.is_late),
    "is_left_early": lambda one, _: _flag(one.is_left_early),
    "override_reason": lambda one, _: text_cell(one.override.reason) if one.override else "",
    "override_by": lambda one, _: text_cell(one.override.by) if one.override else "",
    "override_date": lambda one, zone: _day(_decided_at(one), zone),
    "override_time": lambda one, zone: _time(_decided_at(one), zone),
    "first_joined_date": lambda one, zone: _day(one.first_joined_at, zone),
    "first_joined_time": lambda one, zone: _time(one.first_joined_at, zone),
    "last_left_date": lambda one, zone: _day(one.last_left_at, zone),
    "last_left_time": lambda one, zone: _time(one.last_left_at, zone),
    "total_duration_seconds": lambda one, _: one.total_duration_seconds,
    "in_class_seconds": lambda one, _: one.in_class_seconds,
    "session_count": lambda one, _: one.session_count,
}

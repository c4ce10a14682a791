"""Columns of attendance: one row for each person in each class meeting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from functions.entrypoints.api.tables.cells import text_cell

Cell = str | int
_Value = Callable[[Mapping[str, Any], ZoneInfo], Cell]


def attendance_head() -> list[str]:
    """The names of the columns. New ones are only ever added at the end."""
    return list(_COLUMNS)


def attendance_rows(people: Iterable[Mapping[str, Any]], *, time_zone: str) -> list[list[Cell]]:
    """A row for each attendance document, in their order.

    Args:
        people: Attendance documents.
        time_zone: The school's, where a document does not name its own.
    """
    return [
        [column(person, ZoneInfo(person.get("time_zone") or time_zone)) for column in _COLUMNS.values()]
        for person in people
    ]


def _text(name: str) -> _Value:
    return lambda person, _: text_cell(person[name])


def _number(name: str) -> _Value:
    return lambda person, _: person[name]


def _flag(name: str) -> _Value:
    return lambda person, _: "true" if person[name] else "false"


def _day(name: str) -> _Value:
    return lambda person, zone: _local(person[name], zone, "%Y-%m-%d")


def _time(name: str) -> _Value:
    return lambda person, zone: _local(person[name], zone, "%H:%M:%S")


def _of_override(name: str) -> _Value:
    return lambda person, _: text_cell((person["override"] or {}).get(name))


def _overridden(form: str) -> _Value:
    return lambda person, zone: _local((person["override"] or {}).get("at"), zone, form)


def _local(moment: datetime | None, zone: ZoneInfo, form: str) -> str:
    return f"{moment.astimezone(zone):{form}}" if moment else ""


_COLUMNS: Mapping[str, _Value] = {
    "session_id": _text("session_id"),
    "class_id": _text("class_id"),
    "subject": _text("subject"),
    "teacher_email": _text("teacher_email"),
    "start_date": _day("session_start"),
    "start_time": _time("session_start"),
    "end_date": _day("scheduled_end"),
    "end_time": _time("scheduled_end"),
    "time_zone": lambda _, zone: zone.key,
    "session_state": _text("session_state"),
    "sync_state": _text("sync_state"),
    "attendee_id": _text("attendee_id"),
    "role": _text("role"),
    "kind": _text("kind"),
    "display_name": _text("display_name"),
    "email": _text("email"),
    "student_id": _text("student_id"),
    "mark": _text("mark"),
    "status": _text("status"),
    "status_reason": _text("status_reason"),
    "is_late": _flag("is_late"),
    "is_left_early": _flag("is_left_early"),
    "override_reason": _of_override("reason"),
    "override_by": _of_override("by"),
    "override_date": _overridden("%Y-%m-%d"),
    "override_time": _overridden("%H:%M:%S"),
    "first_joined_date": _day("first_joined_at"),
    "first_joined_time": _time("first_joined_at"),
    "last_left_date": _day("last_left_at"),
    "last_left_time": _time("last_left_at"),
    "total_duration_seconds": _number("total_duration_seconds"),
    "in_class_seconds": _number("in_class_seconds"),
    "session_count": _number("session_count"),
}

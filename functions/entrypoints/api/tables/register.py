"""Columns of a register: one row for each student, one column for each class meeting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from functions.domain.classes.roster import Mark
from functions.domain.classes.sessions import SessionState
from functions.entrypoints.api.schemas.answers import Register, RegisterSession, RegisterStudent
from functions.entrypoints.api.tables.cells import text_cell

_WHO = ("class_id", "month", "time_zone", "display_name", "email", "student_id")


def register_rows(register: Register, *, time_zone: str) -> list[list[str | int | float]]:
    """The header row, then a row for each student.

    The title of a class meeting's column is its local start with offset, followed by its id if another one begins then
    too.

    Args:
        register: Students and class meetings in the order of the file.
        time_zone: The school's time zone, for class meetings without their own.
    """
    meetings = register.sessions
    zones = " ".join(dict.fromkeys(one.time_zone or time_zone for one in meetings)) or time_zone
    counts = [mark.value for mark in Mark]
    head = [*_WHO, *_starts(meetings, time_zone), *counts, "share"]
    rows: list[list[str | int | float]] = [
        [
            text_cell(register.class_id),
            register.month,
            zones,
            text_cell(student.display_name),
            text_cell(student.email),
            text_cell(student.student_id),
            *(_mark(student, meeting) for meeting in meetings),
            *(student.counts.get(name, 0) for name in counts),
            "" if student.share is None else student.share,
        ]
        for student in register.students
    ]
    return [list(head), *rows]


def _starts(meetings: Sequence[RegisterSession], time_zone: str) -> list[str]:
    starts = [one.session_start.astimezone(ZoneInfo(one.time_zone or time_zone)).isoformat() for one in meetings]
    often = Counter(starts)
    return [
        f"{start} {meeting.session_id}" if often[start] > 1 else start
        for start, meeting in zip(starts, meetings, strict=True)
    ]


def _mark(student: RegisterStudent, meeting: RegisterSession) -> str:
    """The mark; for a class meeting that was not held its state; empty for students who were not expected."""
    if meeting.session_id not in student.marks:
        return ""
    held = meeting.state is not SessionState.NOT_HELD
    return student.marks[meeting.session_id] or ("" if held else meeting.state.value)

"""Converts a class's register of a local month to everything that its page shows."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from functions.domain.classes.sessions import SessionState
from functions.domain.marking.shares import ATTENDED, COUNTED
from functions.entrypoints.api.pages.typed import isolated, seen, typed
from functions.entrypoints.api.pages.wording import MARKS, MarkWords, counted, day_in_words
from functions.entrypoints.api.schemas.answers import Register, RegisterSession, RegisterStudent

_NOT_EXPECTED = MarkWords("not-expected", "", "not expected", "")
_NO_MARK = MarkWords("no-mark", "-", "no mark", "the class was not held, or its marks are switched off")


@dataclass(frozen=True, slots=True)
class Meeting:
    """A column: a class meeting, by its local day and time.

    Attributes:
        attended: How many of the counted students were there, `18 of 20`; empty if nobody counts.
        remark: What the column's marks do not show.
    """

    session_id: str
    weekday: str
    day: str
    time: str
    in_words: str
    attended: str
    remark: str


@dataclass(frozen=True, slots=True)
class StudentRow:
    """A row: a student's marks, one for each column; `detail` distinguishes students with the same name."""

    name: str
    detail: str
    marks: tuple[MarkWords, ...]
    totals: tuple[int, ...]
    share: str


@dataclass(frozen=True, slots=True)
class RegisterPage:
    """Everything that the page of a register shows."""

    title: str
    class_id: str
    month: str
    zone: str
    summary: str
    meetings: tuple[Meeting, ...]
    students: tuple[StudentRow, ...]
    kinds: tuple[MarkWords, ...]
    has_no_marks: bool


def register_page(register: Register, *, time_zone: str) -> RegisterPage:
    """The page of a register.

    Args:
        register: Students and class meetings in the order of the page.
        time_zone: The school's time zone, for class meetings without their own.
    """
    month = month_in_words(register.month)
    zones = dict.fromkeys(meeting.time_zone or time_zone for meeting in register.sessions) or {time_zone: None}
    counts = counted(len(register.students), "student", "students")
    meetings = counted(len(register.sessions), "class meeting", "class meetings")
    shown = tuple(_student(student, register.sessions) for student in register.students)
    return RegisterPage(
        title=f"Register of {isolated(register.class_id)}, {month}",
        class_id=typed(register.class_id),
        month=month,
        zone=", ".join(zones),
        summary=f"{counts}, {meetings}",
        meetings=tuple(_meeting(one, register.students, one.time_zone or time_zone) for one in register.sessions),
        students=shown,
        kinds=tuple(MARKS.values()),
        has_no_marks=any(_NO_MARK in student.marks for student in shown),
    )


def month_in_words(month: str) -> str:
    """`2026-11` as `November 2026`."""
    year, number = month.split("-")
    return f"{calendar.month_name[int(number)]} {year}"


def local_start(meeting: RegisterSession, time_zone: str) -> datetime:
    """When a class meeting begins, in its own time zone."""
    return meeting.session_start.astimezone(ZoneInfo(meeting.time_zone or time_zone))


def _meeting(meeting: RegisterSession, students: Iterable[RegisterStudent], time_zone: str) -> Meeting:
    start = local_start(meeting, time_zone)
    given = [student.marks.get(meeting.session_id) for student in students]
    count = sum(mark in COUNTED for mark in given)
    subject = isolated(meeting.subject)
    about = f", {subject}" if subject else ""
    remark = "not held" if meeting.state is SessionState.NOT_HELD else ""
    return Meeting(
        session_id=meeting.session_id,
        weekday=f"{start:%a}",
        day=f"{start.day}",
        time=f"{start:%H:%M}",
        in_words=f"{start:%A} {day_in_words(start.date())}, {start:%H:%M}{about}{f', {remark}' if remark else ''}",
        attended=f"{sum(mark in ATTENDED for mark in given)} of {count}" if count else "",
        remark=remark,
    )


def _student(student: RegisterStudent, meetings: Iterable[RegisterSession]) -> StudentRow:
    student_id = seen(student.student_id)
    name = seen(student.display_name) or student.email or student_id or "Unknown student"
    return StudentRow(
        name=name,
        detail=next((known for known in (student_id, student.email) if known and known != name), ""),
        marks=tuple(_mark(student, meeting.session_id) for meeting in meetings),
        totals=tuple(student.counts.get(name, 0) for name in MARKS),
        share=share_in_percent(student.share),
    )


def _mark(student: RegisterStudent, session_id: str) -> MarkWords:
    if session_id not in student.marks:
        return _NOT_EXPECTED
    mark = student.marks[session_id]
    return MARKS[mark] if mark else _NO_MARK


def share_in_percent(share: float | None) -> str:
    """`93.3 %`; empty if nothing counts."""
    return "" if share is None else f"{share * 100:.1f}".removesuffix(".0") + " %"

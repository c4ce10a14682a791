"""CSV that Moodle's attendance plugin (`mod_attendance`) imports.

Two importers. The header rows are those that Moodle's forms choose by themselves:

- into one session (since August 2020, pull request 489): the student first, then `status`. There is no column for
  remarks. A column of scan times would override the status, so the file has none.
  https://github.com/danmarsden/moodle-mod_attendance/blob/34d14b212f09989b5f15cdf809db65d657c56d94/classes/import/marksessions.php
- into several sessions (`bulkmarksessions`), proposed in August 2026 on top of plugin version 2024072404:
  https://github.com/danmarsden/moodle-mod_attendance/pull/915
  https://github.com/danmarsden/moodle-mod_attendance/blob/1378891c2cead679a68cdadccda31ed353885fb6/classes/import/bulkmarksessions.php

How Moodle's CSV reader treats quotation marks and backslashes:
https://github.com/moodle/moodle/blob/0963d22572107fc418ca1a5c965e3249cfe762fb/public/lib/csvlib.class.php
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal
from zoneinfo import ZoneInfo

from functions.domain.classes.sessions import Role
from functions.domain.errors import InvalidRequest
from functions.entrypoints.api.schemas.answers import AttendanceAnswer, Register, RegisterSession
from functions.entrypoints.api.tables.cells import text_cell
from functions.entrypoints.api.tables.gradebooks.identifiers import By, identified
from functions.entrypoints.api.tables.gradebooks.remarks import Remarks

_STUDENT_COLUMN: Mapping[By, str] = {"student_id": "idnumber", "email": "email"}
_SESSION_COLUMN = {"start": "sessiondate", "external_id": "sessionid"}

_LONGEST_REMARK = 255
"""https://github.com/danmarsden/moodle-mod_attendance/blob/0fa523d0119004fa01460b7e5b42470fe93415b8/db/install.xml."""


def one_session(people: Iterable[AttendanceAnswer], acronyms: Mapping[str, str], *, by: By) -> list[list[str]]:
    """The header row, then each student of a class meeting whose mark is not `unknown`."""
    marked = [person for person in people if person.role is Role.STUDENT and person.mark in acronyms]
    rows = [[name, acronyms[person.mark or ""]] for name, person in identified(marked, by, moodle=True)]
    return [[_STUDENT_COLUMN[by], "status"], *rows]


def several_sessions(
    register: Register,
    remarks: Remarks,
    acronyms: Mapping[str, str],
    *,
    by: By,
    session_by: Literal["start", "external_id"],
    session_names: Mapping[str, str | None],
) -> list[list[str]]:
    """The header row, then for each class meeting every student whose mark is not `unknown`.

    Args:
        register: Students and class meetings in the order of the file.
        remarks: Returns why a student has a mark.
        acronyms: Moodle's acronym for each mark.
        by: The field that names students.
        session_by: The field that names class meetings.
        session_names: The names of class meetings, by `session_id`.
    """
    marked = [student for student in register.students if any(mark in acronyms for mark in student.marks.values())]
    students = identified(marked, by, moodle=True)
    rows = [
        [
            meeting.session_id,
            name,
            acronyms[student.marks[meeting.session_id] or ""],
            _remark(remarks.why(student, meeting.session_id)),
        ]
        for meeting in register.sessions
        for name, student in students
        if student.marks.get(meeting.session_id) in acronyms
    ]
    _check_sessions({row[0]: session_names.get(row[0]) for row in rows}, session_by)
    return [
        [_SESSION_COLUMN[session_by], _STUDENT_COLUMN[by], "status", "remarks"],
        *([text_cell(session_names[session_id]), *others] for session_id, *others in rows),
    ]


def starts(meetings: Sequence[RegisterSession], time_zone: str) -> Mapping[str, str | None]:
    """When each class meeting begins in its own time zone, by `session_id`: `2026-11-23 09:00`."""
    zones = {meeting.session_id: ZoneInfo(meeting.time_zone or time_zone) for meeting in meetings}
    return {
        meeting.session_id: f"{meeting.session_start.astimezone(zones[meeting.session_id]):%Y-%m-%d %H:%M}"
        for meeting in meetings
    }


def _check_sessions(names: Mapping[str, str | None], session_by: str) -> None:
    """Moodle would put marks into the wrong session, or none.

    Raises:
        InvalidRequest: A class meeting has no name, or two have the same.
    """
    if missing := sum(not name for name in names.values()):
        raise InvalidRequest.of(
            "session_by",
            f"cannot be external_id: {missing} of {len(names)} class meetings have none",
            hint="Ask for the file with session_by=start, or schedule each class with its external_id.",
        )
    [(_, most)] = Counter(names.values()).most_common(1) or [(None, 0)]
    if most > 1:
        raise InvalidRequest.of(
            "session_by",
            f"cannot be {session_by}: {most} class meetings have the same",
            hint="Schedule each class with the id of Moodle's session as its external_id and ask for "
            "session_by=external_id, or import each class meeting by itself.",
        )


def _remark(text: str) -> str:
    """The text in a form that Moodle accepts: one line, no backslash, no quotation mark, 255 characters."""
    plain = " ".join(text.split()).replace("\\", "/").replace('"', "'")
    return text_cell(plain)[:_LONGEST_REMARK]

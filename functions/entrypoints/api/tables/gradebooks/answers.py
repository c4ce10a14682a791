"""Files that a gradebook imports, of a class meeting and of a register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from functions.entrypoints.api.schemas.answers import Register, SessionAttendance
from functions.entrypoints.api.schemas.gradebook import acronyms_of
from functions.entrypoints.api.schemas.requests import FormatQuery, RegisterQuery
from functions.entrypoints.api.tables.file import csv_file
from functions.entrypoints.api.tables.gradebooks.grades import grades_of_register, grades_of_session
from functions.entrypoints.api.tables.gradebooks.moodle import one_session, several_sessions, starts
from functions.entrypoints.api.tables.gradebooks.remarks import remarks_of
from functions.ports.views import Views


def gradebook_of_session(shown: SessionAttendance, query: FormatQuery, *, etag: str) -> Response:
    """Marks for Moodle, or grade rows.

    Raises:
        InvalidRequest: A student cannot be named in the file.
    """
    rows: Sequence[Sequence[str | float]]
    if query.format == "moodle":
        rows = one_session(shown.attendance, acronyms_of(query.statuses), by=query.student_by)
    else:
        rows = grades_of_session(shown.attendance, by=query.student_by)
    name = f"{query.format}-{shown.session.local_date}-{shown.session.session_id}"
    return csv_file(rows, name=name, bom=query.bom, sep=query.sep, etag=etag)


async def gradebook_of_register(register: Register, query: RegisterQuery, *, views: Views, time_zone: str) -> Response:
    """Marks of a month for Moodle, or grade rows.

    Raises:
        InvalidRequest: A student or a class meeting cannot be named in the file.
    """
    rows: Sequence[Sequence[str | float]]
    if query.format == "moodle":
        rows = several_sessions(
            register,
            await remarks_of(register, views=views),
            acronyms_of(query.statuses),
            by=query.student_by,
            session_by=query.session_by,
            session_names=await _session_names(register, query, views=views, time_zone=time_zone),
        )
    else:
        rows = grades_of_register(register, by=query.student_by)
    return csv_file(rows, name=f"{query.format}-{query.month}", bom=query.bom, sep=query.sep)


async def _session_names(
    register: Register, query: RegisterQuery, *, views: Views, time_zone: str
) -> Mapping[str, str | None]:
    if query.session_by == "start":
        return starts(register.sessions, time_zone)
    sessions = await views.sessions_with([meeting.session_id for meeting in register.sessions])
    return {session["session_id"]: session.get("external_id") for session in sessions}

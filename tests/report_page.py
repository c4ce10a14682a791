"""The page of a class meeting as the API makes it of what is stored."""

from __future__ import annotations

from functions.adapters.attendance_documents import attendance_to_document
from functions.adapters.session_documents import session_to_document
from functions.domain.sessions import AttendanceSheet
from functions.entrypoints.api.answers import SessionAttendance
from functions.entrypoints.api.pages.report import Report, report_of
from tests.builders import at


def report_page(sheet: AttendanceSheet) -> Report:
    """All that the page of this class meeting shows."""
    session = {**session_to_document(sheet, retention=None), "updated_at": at(72)}
    people = [attendance_to_document(person, sheet.session, retention=None) for person in sheet.attendance]
    shown = SessionAttendance.model_validate({"session": session, "attendance": people})
    return report_of(shown.session, shown.attendance)

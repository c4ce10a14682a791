"""The page of a class meeting, as the API makes it from the stored documents."""

from __future__ import annotations

from functions.adapters.store.documents.attendance import attendance_to_documents
from functions.adapters.store.documents.session import session_to_document
from functions.domain.classes.sessions import AttendanceSheet
from functions.entrypoints.api.pages.report import ReportPage, report_of
from functions.entrypoints.api.schemas.answers import SessionAttendance
from tests.builders import at


def report_page(sheet: AttendanceSheet) -> ReportPage:
    """Return everything that the page of this class meeting shows."""
    session = {**session_to_document(sheet, retention=None), "updated_at": at(72)}
    people = [*attendance_to_documents(sheet, retention=None).values()]
    shown = SessionAttendance.model_validate({"session": session, "attendance": people})
    return report_of(shown.session, shown.attendance)

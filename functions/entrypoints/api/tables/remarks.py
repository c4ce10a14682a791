"""Why students have their marks: what a register does not hold, from the attendance of its class meetings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from functions.domain.classes.sessions import Role
from functions.entrypoints.api.schemas.answers import RegisterStudent, WholeRegister
from functions.entrypoints.api.tables.whole_list import whole_documents
from functions.ports.views import AttendanceFilter, Views


class Remarks:
    """The reason of each mark of a register."""

    def __init__(self, documents: Iterable[Mapping[str, Any]]) -> None:
        self._by_id: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._by_email: dict[tuple[str, str], Mapping[str, Any]] = {}
        for document in documents:
            if document["role"] != Role.STUDENT.value:
                continue
            session_id, student_id = document["session_id"], document.get("student_id")
            if student_id:
                self._by_id[session_id, student_id] = document
            else:  # several students may share an address; an id tells them apart
                self._by_email.update({(session_id, email): document for email in document.get("emails") or ()})

    def why(self, student: RegisterStudent, session_id: str) -> str:
        """Why a student has their mark; empty if it is not known of this mark."""
        found = self._by_id.get((session_id, student.student_id or ""))
        found = found or self._by_email.get((session_id, student.email or ""))
        if not found or found.get("mark") != student.marks.get(session_id):
            return ""
        override = found.get("override")
        return (override["reason"] if override else found.get("status_reason")) or ""


async def remarks_of(register: WholeRegister, *, views: Views) -> Remarks:
    """The reasons of all marks of a register.

    Raises:
        InvalidRequest: There are more marks than a file holds.
    """
    starts = [meeting.session_start for meeting in register.sessions]
    if not starts:
        return Remarks(())
    until = max(starts) + timedelta(microseconds=1)
    wanted = AttendanceFilter(class_id=register.class_id, since=min(starts), until=until)
    return Remarks(await whole_documents(wanted, views=views, field="month"))

"""Why students have their marks.

A register does not contain this, so it comes from the attendance of its class meetings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from functions.domain.classes.sessions import Role
from functions.entrypoints.api.schemas.answers import Register, RegisterStudent
from functions.ports.views import Views


class Remarks:
    """The reason of each mark of a register."""

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str], tuple[str, str]] = {}
        self._by_email: dict[tuple[str, str], tuple[str, str]] = {}

    def add(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Keep only the reasons of students from the attendance."""
        for document in documents:
            if document["role"] != Role.STUDENT.value or not document.get("mark"):
                continue
            session_id, student_id = document["session_id"], document.get("student_id")
            override = document.get("override")
            why = (override["reason"] if override else document.get("status_reason")) or ""
            found = (document["mark"], why)
            if student_id:
                self._by_id[session_id, student_id] = found
            else:  # several students may share an address; an id distinguishes them
                self._by_email.update({(session_id, email): found for email in document.get("emails") or ()})

    def why(self, student: RegisterStudent, session_id: str) -> str:
        """Why a student has a mark; empty if the reason for this mark is not known."""
        found = self._by_id.get((session_id, student.student_id or ""))
        mark, why = found or self._by_email.get((session_id, student.email or ""), ("", ""))
        return why if mark == student.marks.get(session_id) else ""


async def remarks_of(register: Register, *, views: Views) -> Remarks:
    """The reasons of all marks of a register.

    It reads one class meeting after the other, so that only one copy is in memory.
    """
    remarks = Remarks()
    for meeting in register.sessions:
        if found := await views.attendance(meeting.session_id):
            remarks.add(found[1])
    return remarks

"""Calls about attendance over many class meetings: a student's, a class's, a class's register."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from functions.entrypoints.api.answers import AttendanceList, Register
from functions.entrypoints.api.calls import ClassId, TheApp, can_end_in, span_of
from functions.entrypoints.api.fields import Student
from functions.entrypoints.api.paging import next_token, paging
from functions.entrypoints.api.requests import PagedQuery, RegisterQuery, StudentQuery
from functions.ports import AttendanceFilter
from functions.wiring import App

router = APIRouter(tags=["attendance"])


@router.get("/api/students/{student}/attendance", response_model=AttendanceList, responses=can_end_in(404, 410))
async def student_attendance(
    student: Annotated[Student, Path()], query: Annotated[StudentQuery, Query()], app: TheApp
) -> Mapping[str, Any]:
    """A student's attendance; the student is a `student_id`, a Google user id or an e-mail."""
    return await _list(query, {"student": student, "class_id": query.class_id}, app)


@router.get("/api/classes/{class_id:path}/attendance", response_model=AttendanceList, responses=can_end_in(404, 410))
async def class_attendance(class_id: ClassId, query: Annotated[PagedQuery, Query()], app: TheApp) -> Mapping[str, Any]:
    """Everybody's attendance in a class."""
    return await _list(query, {"class_id": class_id}, app)


@router.get("/api/classes/{class_id:path}/register", response_model=Register, responses=can_end_in(404))
async def register(class_id: ClassId, query: Annotated[RegisterQuery, Query()], app: TheApp) -> Mapping[str, Any]:
    """A class's register of a local month; empty where nothing was marked yet."""
    found = await app.views.register(class_id, query.month) or {}
    students = found.get("students", {})
    return {
        "class_id": class_id,
        "month": query.month,
        "students": sorted(students.values(), key=_by_name),
        "sessions": sorted(found.get("sessions", ()), key=lambda one: (one["session_start"], one["session_id"])),
    }


async def _list(query: PagedQuery, whose: Mapping[str, str | None], app: App) -> Mapping[str, Any]:
    wanted: dict[str, Any] = {**whose, **span_of(query, app)}
    named = {"list": "attendance", **wanted}
    part = paging(query.page_token, size=query.page_size, query=named, now=app.deps.clock())
    page = await app.views.attendances(AttendanceFilter(**wanted), part)
    return {"attendance": page.documents, "next_page_token": next_token(page, query=named)}


def _by_name(student: Mapping[str, Any]) -> tuple[str, str, str]:
    return student["display_name"] or "", student["email"] or "", student["student_id"] or ""

"""Calls about attendance over many class meetings: a student's, a class's, a class's register."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Response

from functions.domain.errors import InvalidRequest
from functions.domain.marking.shares import at_risk
from functions.entrypoints.api.lists.name_order import by_letters
from functions.entrypoints.api.lists.paging import next_token, paging
from functions.entrypoints.api.routes.common import ClassId, TheApp, also_as, can_end_in, span_of
from functions.entrypoints.api.schemas.answers import AtRiskList, AttendanceList, Register
from functions.entrypoints.api.schemas.fields import Student
from functions.entrypoints.api.schemas.requests import (
    MOST_OF_A_PAGE,
    AtRiskQuery,
    AttendanceQuery,
    RegisterQuery,
    StudentQuery,
)
from functions.entrypoints.api.tables.attendance import whole_list
from functions.entrypoints.api.tables.file import file_of
from functions.entrypoints.api.tables.gradebooks.answers import gradebook_of_register
from functions.entrypoints.api.tables.register import register_rows
from functions.entrypoints.api.tables.workbook import MEDIA_TYPE as XLSX
from functions.entrypoints.api.tables.workbook import attendance_sheet, register_sheet
from functions.ports.views import AttendanceFilter
from functions.wiring import App

router = APIRouter(tags=["attendance"])


@router.get(
    "/api/students/{student:path}/attendance",
    operation_id="list_student_attendance",
    response_model=AttendanceList,
    responses={**can_end_in(404, 410), **also_as("text/csv", XLSX)},
)
async def student_attendance(
    student: Annotated[Student, Path()], query: Annotated[StudentQuery, Query()], app: TheApp
) -> Mapping[str, Any] | Response:
    """A student's attendance; the student is a `student_id`, a Google user id or an e-mail."""
    return await _list(query, {"student": student, "class_id": query.class_id}, app, name="attendance-of-student")


@router.get(
    "/api/classes/{class_id:path}/attendance",
    operation_id="list_class_attendance",
    response_model=AttendanceList,
    responses={**can_end_in(404, 410), **also_as("text/csv", XLSX)},
)
async def class_attendance(
    class_id: ClassId, query: Annotated[AttendanceQuery, Query()], app: TheApp
) -> Mapping[str, Any] | Response:
    """Everybody's attendance in a class."""
    return await _list(query, {"class_id": class_id}, app, name="attendance-of-class")


@router.get(
    "/api/classes/{class_id:path}/register",
    operation_id="get_register",
    response_model=Register,
    responses={**can_end_in(404), **also_as("text/csv", XLSX, "text/html")},
)
async def register(
    class_id: ClassId, query: Annotated[RegisterQuery, Query()], app: TheApp
) -> Mapping[str, Any] | Response:
    """A class's register of a local month; empty if nothing was marked yet."""
    found = await app.views.register(class_id, query.month) or {}
    whole = {
        "class_id": class_id,
        "month": query.month,
        "students": sorted(found.get("students", {}).values(), key=_by_name),
        "sessions": sorted(found.get("sessions", ()), key=lambda one: (one["session_start"], one["session_id"])),
    }
    if query.format == "json":
        return whole
    shown, time_zone = Register.model_validate(whole), app.deps.rules.time_zone
    match query.format:
        case "html":
            # Imported here, so that only requests for a page wait for the import.
            from functions.entrypoints.api.pages.register import register_page  # noqa: PLC0415
            from functions.entrypoints.api.pages.rendering import register_html  # noqa: PLC0415

            return register_html(register_page(shown, time_zone=time_zone))
        case "csv" | "xlsx":
            rows = register_rows(shown, time_zone=time_zone)
            return await file_of(rows, query, sheet=register_sheet, name=f"register-{query.month}")
        case "moodle" | "grades":
            return await gradebook_of_register(shown, query, views=app.views, time_zone=time_zone)


@router.get(
    "/api/classes/{class_id:path}/at-risk",
    operation_id="list_students_at_risk",
    response_model=AtRiskList,
    responses=can_end_in(404),
)
async def students_at_risk(class_id: ClassId, query: Annotated[AtRiskQuery, Query()], app: TheApp) -> Mapping[str, Any]:
    """Students of a class who attended too small a share of a month, and the best share that they can still reach."""
    local_now = app.deps.clock().astimezone(ZoneInfo(app.deps.rules.time_zone))
    month = query.month or f"{local_now:%Y-%m}"
    students, sessions = await app.views.month_of_class(class_id, month)
    found = at_risk(students, sessions, class_id=class_id, month=month, below=query.below)
    return {
        "class_id": class_id,
        "month": month,
        "students": [
            {**dataclasses.asdict(risk.student), "share": risk.share, "best_possible_share": risk.best_possible}
            for risk in sorted(found, key=lambda risk: (risk.share, _by_name(dataclasses.asdict(risk.student))))
        ],
    }


async def _list(
    query: AttendanceQuery, whose: Mapping[str, str | None], app: App, *, name: str
) -> Mapping[str, Any] | Response:
    wanted: dict[str, Any] = {**whose, **span_of(query, app)}
    if query.format != "json":
        for field, value, default in (
            ("page_size", query.page_size, MOST_OF_A_PAGE),
            ("page_token", query.page_token, None),
        ):
            if value != default:
                raise InvalidRequest.of(field, f"cannot be used with format={query.format}, which contains all pages")
        rows = await whole_list(AttendanceFilter(**wanted), views=app.views, time_zone=app.deps.rules.time_zone)
        return await file_of(rows, query, sheet=attendance_sheet, name=name)
    named = {"list": "attendance", **wanted}
    part = paging(query.page_token, size=query.page_size, query=named, now=app.deps.clock())
    page = await app.views.attendances(AttendanceFilter(**wanted), part)
    return {"attendance": page.documents, "next_page_token": next_token(page, query=named)}


def _by_name(student: Mapping[str, Any]) -> tuple[tuple[str, str], str, str]:
    email, student_id = student["email"] or "", student["student_id"] or ""
    return by_letters(student["display_name"] or email or student_id), email, student_id

"""Calls about class meetings: find them, show who was there, ask Meet now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from functions.domain.conferences.model import Kind, SyncSource
from functions.entrypoints.api.lists.paging import next_token, paging
from functions.entrypoints.api.routes.common import (
    UNCHANGED,
    IfNoneMatch,
    SessionId,
    TheApp,
    also_as,
    can_end_in,
    found_session,
    moment_in,
    no_session,
    not_modified,
    span_of,
    tag,
    unchanged,
    weak,
)
from functions.entrypoints.api.schemas.answers import SessionAnswer, SessionAttendance, SessionList
from functions.entrypoints.api.schemas.requests import FormatQuery, NoQuery, SessionsQuery, SyncQuery
from functions.entrypoints.api.schemas.results import Live, Synced
from functions.entrypoints.api.tables.attendance import attendance_head, attendance_rows
from functions.entrypoints.api.tables.file import Rows, file_of
from functions.entrypoints.api.tables.gradebooks.answers import gradebook_of_session
from functions.entrypoints.api.tables.workbook import MEDIA_TYPE as XLSX
from functions.entrypoints.api.tables.workbook import attendance_sheet
from functions.ports.views import SessionFilter
from functions.services.live.look import look
from functions.services.sync.from_reports import sync_session_from_reports
from functions.services.sync.session import sync_session

router = APIRouter(tags=["sessions"])

NOBODY_YET = (
    "Either nobody has joined yet, or Meet does not show them yet. The system asks again by itself until the data is "
    "final. To ask sooner, repeat the call in a few minutes."
)

REPORTS_NOTICE = (
    "Reports can be up to a day late, so people may be missing here; nobody is marked absent because of them. They "
    "reach back 180 days. Data from Google Meet itself replaces them."
)


@router.get("/api/sessions", operation_id="list_sessions", response_model=SessionList, responses=can_end_in(410))
async def find_sessions(query: Annotated[SessionsQuery, Query()], app: TheApp) -> Mapping[str, Any]:
    """Find class meetings, unscheduled ones too: oldest first, or with `updated_since` by their last change."""
    wanted = {
        "teacher_email": query.teacher_email,
        "class_id": query.class_id,
        "external_id": query.external_id,
        "state": query.state.value if query.state else None,
        **span_of(query, app),
        "updated_since": moment_in("updated_since", query.updated_since, app),
    }
    named = {"list": "sessions", **wanted}
    part = paging(query.page_token, size=query.page_size, query=named, now=app.deps.clock())
    page = await app.views.sessions(SessionFilter(**wanted), part)
    return {"sessions": page.documents, "next_page_token": next_token(page, query=named)}


@router.get(
    "/api/sessions/{session_id}",
    operation_id="get_session",
    response_model=SessionAnswer,
    responses={**can_end_in(404, etag=True), **UNCHANGED},
)
async def session(
    session_id: SessionId,
    app: TheApp,
    response: Response,
    _: Annotated[NoQuery, Query()],
    if_none_match: IfNoneMatch = None,
) -> Mapping[str, Any] | Response:
    """One class meeting."""
    found = await found_session(session_id, app)
    if unchanged(tag(found), if_none_match):
        return not_modified(tag(found))
    response.headers["ETag"] = tag(found)
    return found


@router.get(
    "/api/sessions/{session_id}/live",
    operation_id="get_session_live",
    response_model=Live,
    responses=can_end_in(404),
)
async def session_live(session_id: SessionId, app: TheApp, _: Annotated[NoQuery, Query()]) -> Mapping[str, Any]:
    """Who is in a class meeting's room now, and which of its students are not."""
    return {"session_id": session_id, **asdict(await look(session_id, deps=app.deps))}


@router.get(
    "/api/sessions/{session_id}/attendance",
    operation_id="get_session_attendance",
    response_model=SessionAttendance,
    responses={**can_end_in(404), **also_as("text/csv", XLSX, "text/html", etag=True), **UNCHANGED},
)
async def session_attendance(
    session_id: SessionId,
    app: TheApp,
    response: Response,
    query: Annotated[FormatQuery, Query()],
    if_none_match: IfNoneMatch = None,
) -> Mapping[str, Any] | Response:
    """One class meeting with everybody's attendance."""
    found = await app.views.attendance(session_id)
    if found is None:
        raise no_session()
    session, people = found
    etag = weak(tag(session)) if query.format == "html" else tag(session)
    if unchanged(etag, if_none_match):
        return not_modified(etag)
    match query.format:
        case "html":
            # Imported here, so that only requests for a page wait for the import.
            from functions.entrypoints.api.pages.rendering import report_html  # noqa: PLC0415
            from functions.entrypoints.api.pages.report import report_of  # noqa: PLC0415

            shown = SessionAttendance.model_validate({"session": session, "attendance": people})
            return report_html(report_of(shown.session, shown.attendance), etag=etag)
        case "csv" | "xlsx":
            rows: Rows = [attendance_head(), *attendance_rows(people, time_zone=session["time_zone"])]
            name = f"attendance-{session['local_date']}-{session_id}"
            return await file_of(rows, query, sheet=attendance_sheet, name=name, etag=etag)
        case "moodle" | "grades":
            shown = SessionAttendance.model_validate({"session": session, "attendance": people})
            return gradebook_of_session(shown, query, etag=etag)
        case "json":
            response.headers["ETag"] = etag
            return {"session": session, "attendance": people}


@router.post(
    "/api/webhook/sessions/{session_id}/sync-participants",
    operation_id="sync_participants",
    response_model=Synced,
    responses=can_end_in(404, 409, 502, etag=True),
)
async def sync_participants(
    session_id: SessionId, app: TheApp, response: Response, query: Annotated[SyncQuery, Query()]
) -> Mapping[str, Any]:
    """Ask Meet now, or Google's reports. If a part of the class cannot be read, nothing is changed."""
    if query.source == "reports":
        synced = await sync_session_from_reports(session_id, deps=app.deps)
    else:
        synced = await sync_session(session_id, source=SyncSource.MANUAL, strict=True, full=query.full, deps=app.deps)
    found = await app.views.attendance(session_id)
    if found is None:  # an unscheduled class meeting, whose time now belongs to a class that was just entered
        raise no_session()
    session, people = found
    response.headers["ETag"] = tag(session)
    joined = sorted(
        (person for person in people if person["kind"] not in {Kind.EXPECTED.value, Kind.ROOM.value}),
        key=lambda person: (-person["total_duration_seconds"], person["attendee_id"]),
    )
    return {
        "message": f"Synced {len(joined)} participants" if joined else "Conference has no participants yet",
        "hint": None if joined or query.source == "reports" else NOBODY_YET,
        "updated": synced.updated,
        "created": synced.created,
        "participants": joined,
        "notice": REPORTS_NOTICE if query.source == "reports" else None,
    }

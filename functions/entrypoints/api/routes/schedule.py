"""Calls that plan classes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from functions.domain.errors import InvalidRequest
from functions.domain.marking.addresses import mailbox
from functions.entrypoints.api.routes.common import (
    COMMAND,
    WITH_BODY,
    IdempotencyKey,
    QueriedChange,
    SessionId,
    TheApp,
    TheCaller,
    can_end_in,
    no_session,
    tag,
)
from functions.entrypoints.api.schemas.requests import ChangeRequest, NoQuery, ScheduleRequest, ScopeQuery
from functions.entrypoints.api.schemas.results import Changed, ChangedClass, Scheduled, UnappliedAnswer
from functions.services.classes.change import ClassChange, cancel_class, change_class
from functions.services.classes.new_class import NewClass
from functions.services.classes.schedule import schedule_class

router = APIRouter(tags=["schedule"])

CANCELLED_SINCE = (
    "The class was cancelled after this request was answered the first time. To schedule it again, send the request "
    "with another Idempotency-Key."
)


@router.post(
    "/api/schedule/class",
    operation_id="schedule_class",
    status_code=201,
    response_model=Scheduled,
    response_model_exclude_unset=True,
    responses={
        **can_end_in(*WITH_BODY, *COMMAND),
        200: {
            "model": Scheduled,
            "description": "It was scheduled before; if it was cancelled since, it is scheduled again.",
        },
    },
)
async def schedule(
    body: ScheduleRequest,
    app: TheApp,
    caller: TheCaller,
    response: Response,
    _: Annotated[NoQuery, Query()],
    idempotency_key: IdempotencyKey = None,
) -> Mapping[str, Any]:
    """Schedule a class or a series, and make sure that the teacher is tracked."""
    new = NewClass(
        teacher_email=body.teacher_email,
        co_teacher_emails=_others(body.teacher_email, body.co_teacher_emails or []),
        students=body.roster,
        subject=body.subject,
        start_time=body.start_time,
        duration=timedelta(minutes=body.duration_minutes),
        class_id=body.class_id,
        external_id=body.external_id,
        meeting_code=body.meeting_code,
        policy=body.policy.wanted if body.policy else None,
        time_zone=body.time_zone,
        recurrence=body.recurrence,
        calendar=bool(body.calendar),
    )
    done = await schedule_class(new, caller=caller, idempotency_key=idempotency_key, deps=app.deps)
    if not done.created:
        response.status_code = 200
    sessions = await app.views.sessions_with(done.session_ids)
    if not sessions:  # only a repeated request can find its classes deleted
        raise no_session()
    first = sessions[0]
    response.headers["ETag"] = tag(first)
    told = {
        "status": "success",
        **_times(first),
        "space": first["space"],
        "tracking": first["tracking"],
        "hint": CANCELLED_SINCE if first["state"] == "cancelled" else first.get("tracking_hint"),
        "calendar": first.get("calendar"),
        "series_id": first["series_id"],
        "sessions": [_times(session) for session in sessions] if first["series_id"] else None,
        "unapplied_corrections": [UnappliedAnswer.of(one) for one in done.unapplied] or None,
    }
    return {name: value for name, value in told.items() if value is not None}


@router.patch(
    "/api/schedule/class/{session_id}",
    operation_id="change_class",
    response_model=ChangedClass,
    responses=can_end_in(*WITH_BODY, *COMMAND, etag=True),
)
async def change(
    session_id: SessionId, body: ChangeRequest, query: Annotated[ScopeQuery, Query()], call: QueriedChange
) -> Mapping[str, Any]:
    """Change a class's time, subject or teachers; on request also in the rest of its series."""
    if all(value is None for _, value in body):
        raise InvalidRequest.of("body", "should name something to change")
    changed, unapplied = await change_class(
        session_id,
        ClassChange(
            start_time=body.start_time,
            duration=None if body.duration_minutes is None else timedelta(minutes=body.duration_minutes),
            subject=body.subject,
            teacher_email=body.teacher_email,
            co_teacher_emails=None
            if body.co_teacher_emails is None
            else _others(body.teacher_email, body.co_teacher_emails),
        ),
        following=query.scope == "following",
        caller=call.caller,
        if_match=call.if_match,
        deps=call.deps,
    )
    return {
        "session_ids": changed,
        "session": await call.answer(session_id),
        "unapplied_corrections": [UnappliedAnswer.of(one) for one in unapplied],
    }


@router.delete(
    "/api/schedule/class/{session_id}",
    operation_id="cancel_class",
    response_model=Changed,
    responses=can_end_in(*COMMAND, etag=True),
)
async def cancel(
    session_id: SessionId, query: Annotated[ScopeQuery, Query()], call: QueriedChange
) -> Mapping[str, Any]:
    """Cancel a class; on request also the rest of its series."""
    changed = await cancel_class(
        session_id, following=query.scope == "following", caller=call.caller, if_match=call.if_match, deps=call.deps
    )
    return {"session_ids": changed, "session": await call.answer(session_id)}


def _others(teacher: str | None, emails: list[str]) -> tuple[str, ...]:
    """The co-teachers without duplicates and without the teacher: two spellings of one mailbox mean one person."""
    by_box = {mailbox(email): email for email in reversed(emails)}
    own = mailbox(teacher) if teacher else None
    return tuple(email for email in dict.fromkeys(emails) if by_box[mailbox(email)] == email and mailbox(email) != own)


def _times(session: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "session_id": session["session_id"],
        "state": session["state"],
        "meeting_code": session["meeting_code"],
        "meeting_uri": session["meeting_uri"],
        "start_time": session["scheduled_start"],
        "end_time": session["scheduled_end"],
        "time_zone": session["time_zone"],
    }

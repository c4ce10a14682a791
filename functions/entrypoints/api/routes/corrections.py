"""Calls with which people decide: marks, guests, attached records, rosters and policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from functions.domain.errors import InvalidRequest
from functions.entrypoints.api.routes.common import (
    COMMAND,
    WITH_BODY,
    AttendeeId,
    Change,
    ChangeCall,
    ClassId,
    ConferenceRecordId,
    QueriedChange,
    SessionId,
    TheApp,
    TheCaller,
    can_end_in,
    found_session,
    moment_in,
    tag,
)
from functions.entrypoints.api.schemas.answers import AttendanceAnswer, SessionAnswer
from functions.entrypoints.api.schemas.requests import (
    AssignRequest,
    ByQuery,
    ClassRosterRequest,
    NoQuery,
    OverrideItem,
    OverrideRequest,
    OverridesRequest,
    PolicyRequest,
    RecordRequest,
    RosterRequest,
    roster_of,
)
from functions.entrypoints.api.schemas.results import ChangedSessions, Overridden, SessionWithRoster, UnappliedAnswer
from functions.services.corrections.class_meeting import (
    attach_record,
    detach_record,
    set_class_roster,
    set_policy,
    set_roster,
)
from functions.services.corrections.decisions import DecidedBy
from functions.services.corrections.guests import assign, mark_as_room, unassign
from functions.services.corrections.marks import WantedMark, remove_override, set_overrides

router = APIRouter(tags=["corrections"])

_NOT_THERE: dict[int | str, dict[str, Any]] = {
    204: {"description": "Done. The person has no attendance to show yet, or no longer has any."}
}


@router.put(
    "/api/sessions/{session_id}/attendance/{attendee_id}/override",
    operation_id="set_override",
    response_model=AttendanceAnswer,
    responses={**can_end_in(*WITH_BODY, *COMMAND, etag=True), **_NOT_THERE},
)
async def override(
    session_id: SessionId, attendee_id: AttendeeId, body: OverrideRequest, call: Change
) -> Mapping[str, Any] | Response:
    """Decide one person's mark."""
    wanted = WantedMark(body.status, body.reason, attendee_id=attendee_id)
    [decided] = await set_overrides(session_id, [wanted], who=call.decided(body.by), deps=call.deps)
    return await _answer_attendee(session_id, decided, call)


@router.delete(
    "/api/sessions/{session_id}/attendance/{attendee_id}/override",
    operation_id="remove_override",
    response_model=AttendanceAnswer,
    responses={**can_end_in(*COMMAND, etag=True), **_NOT_THERE},
)
async def leave_to_the_rules(
    session_id: SessionId, attendee_id: AttendeeId, query: Annotated[ByQuery, Query()], call: QueriedChange
) -> Mapping[str, Any] | Response:
    """Remove a mark set by hand: the rules decide again."""
    await remove_override(session_id, attendee_id, who=call.decided(query.by), deps=call.deps)
    return await _answer_attendee(session_id, attendee_id, call)


@router.put(
    "/api/sessions/{session_id}/overrides",
    operation_id="set_overrides",
    response_model=Overridden,
    responses=can_end_in(*WITH_BODY, *COMMAND, etag=True),
)
async def override_many(session_id: SessionId, body: OverridesRequest, call: Change) -> Mapping[str, Any]:
    """Decide many students' marks, all or none; also before the class."""
    wanted = [_override(number, item) for number, item in enumerate(body.overrides)]
    decided = await set_overrides(session_id, wanted, who=call.decided(body.by), deps=call.deps)
    found = await call.app.views.attendance(session_id)
    session, people = found or (await found_session(session_id, call.app), ())
    call.response.headers["ETag"] = tag(session)
    theirs = set(decided)
    return {"attendee_ids": decided, "attendance": [one for one in people if one["attendee_id"] in theirs]}


@router.post(
    "/api/sessions/{session_id}/attendance/{attendee_id}/assign",
    operation_id="assign_guest",
    response_model=AttendanceAnswer,
    responses={**can_end_in(*WITH_BODY, *COMMAND, etag=True), **_NOT_THERE},
)
async def assign_guest(
    session_id: SessionId, attendee_id: AttendeeId, body: AssignRequest, call: Change
) -> Mapping[str, Any] | Response:
    """Say who a guest is: a student, a room device, or neither."""
    who, deps = call.decided(body.by), call.deps
    named = [name for name in ("email", "student_id", "kind") if getattr(body, name) is not None]
    result = attendee_id
    match named:
        case ["kind"]:
            await mark_as_room(session_id, attendee_id, who=who, deps=deps)
        case ["email"] | ["student_id"]:
            named_by = {"email": body.email, "student_id": body.student_id}
            result = await assign(session_id, attendee_id, **named_by, remember=body.remember, who=who, deps=deps)
        case [] if "email" in body.model_fields_set:
            await unassign(session_id, attendee_id, who=who, deps=deps)
        case _:
            raise InvalidRequest.of("email", "is required: send exactly one of email, student_id and kind")
    return await _answer_attendee(session_id, result, call)


@router.post(
    "/api/sessions/{session_id}/conference-records",
    operation_id="attach_conference_record",
    response_model=SessionAnswer,
    responses=can_end_in(*WITH_BODY, *COMMAND, etag=True),
)
async def attach(session_id: SessionId, body: RecordRequest, call: Change) -> Mapping[str, Any]:
    """Attach a conference record of any room to a class meeting."""
    if (body.conference_record is None) == (body.session_id is None):
        raise InvalidRequest.of(
            "conference_record", "is required: send exactly one of conference_record and session_id"
        )
    await attach_record(
        session_id,
        conference_record=body.conference_record,
        from_session_id=body.session_id,
        who=call.decided(body.by),
        deps=call.deps,
    )
    return await call.answer(session_id)


@router.delete(
    "/api/sessions/{session_id}/conference-records/{conference_record_id:path}",
    operation_id="detach_conference_record",
    response_model=SessionAnswer,
    responses=can_end_in(*COMMAND, etag=True),
)
async def detach(
    session_id: SessionId,
    conference_record_id: ConferenceRecordId,
    query: Annotated[ByQuery, Query()],
    call: QueriedChange,
) -> Mapping[str, Any]:
    """Detach a record: the timetable decides again where it belongs."""
    await detach_record(session_id, conference_record_id, who=call.decided(query.by), deps=call.deps)
    return await call.answer(session_id)


@router.put(
    "/api/sessions/{session_id}/roster",
    operation_id="set_roster",
    response_model=SessionWithRoster,
    responses=can_end_in(*WITH_BODY, *COMMAND, etag=True),
)
async def roster(session_id: SessionId, body: RosterRequest, call: Change) -> Mapping[str, Any]:
    """Set the expected students of a class meeting; marks are computed again. Corrections follow their students."""
    unapplied = await set_roster(session_id, roster_of(body.students), who=call.decided(body.by), deps=call.deps)
    session = await call.answer(session_id)
    return {**session, "unapplied_corrections": [UnappliedAnswer.of(one) for one in unapplied]}


@router.put(
    "/api/classes/{class_id:path}/roster",
    operation_id="set_class_roster",
    response_model=ChangedSessions,
    responses=can_end_in(*WITH_BODY, *COMMAND),
)
async def class_roster(
    class_id: ClassId, body: ClassRosterRequest, app: TheApp, caller: TheCaller, _: Annotated[NoQuery, Query()]
) -> Mapping[str, Any]:
    """Set the expected students of a class from some day on; marks are computed again.

    Corrections follow their students.
    """
    since = moment_in("from", body.since, app)
    changed, unapplied = await set_class_roster(
        class_id, roster_of(body.students), since=since, who=DecidedBy(body.by, caller), deps=app.deps
    )
    return {"session_ids": changed, "unapplied_corrections": [UnappliedAnswer.of(one) for one in unapplied]}


@router.put(
    "/api/sessions/{session_id}/policy",
    operation_id="set_policy",
    response_model=SessionAnswer,
    responses=can_end_in(*WITH_BODY, *COMMAND, etag=True),
)
async def policy(session_id: SessionId, body: PolicyRequest, call: Change) -> Mapping[str, Any]:
    """Set the rules for marks in a class meeting; marks are computed again."""
    by = body.by or call.caller.email or call.caller.role.value
    await set_policy(session_id, body.wanted, who=call.decided(by), deps=call.deps)
    return await call.answer(session_id)


def _override(number: int, item: OverrideItem) -> WantedMark:
    if sum(value is not None for value in (item.student_id, item.email, item.attendee_id)) != 1:
        raise InvalidRequest.of(
            f"overrides.{number}", "should name the student by one of student_id, email and attendee_id"
        )
    return WantedMark(**item.model_dump())


async def _answer_attendee(session_id: str, attendee_id: str, call: ChangeCall) -> Mapping[str, Any] | Response:
    """The person's document, with the class meeting's ETag; no content if the document does not exist."""
    session = await call.answer(session_id)
    person = await call.app.views.attendee(session_id, attendee_id)
    return Response(status_code=204, headers={"ETag": tag(session)}) if person is None else person

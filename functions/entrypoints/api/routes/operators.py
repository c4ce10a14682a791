"""Calls for operators: tracked teachers, and problems that need a person."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from functions.domain.errors import NotFound
from functions.entrypoints.api.routes.common import COMMAND, WITH_BODY, AnAdmin, TheApp, UserId, can_end_in
from functions.entrypoints.api.schemas.fields import StudentAsNamed
from functions.entrypoints.api.schemas.operators import ErasureAnswer, OrganizerAnswer, OrganizerList, Status
from functions.entrypoints.api.schemas.requests import ErasureQuery, NoQuery, OrganizerRequest
from functions.services.operations.erase_student import erase
from functions.services.operations.survey import survey
from functions.services.teachers.organizers import enrol, remove

router = APIRouter(tags=["operating"])


@router.post(
    "/api/organizers",
    operation_id="track_organizer",
    status_code=201,
    response_model=OrganizerAnswer,
    responses={
        **can_end_in(*WITH_BODY, *COMMAND),
        200: {"model": OrganizerAnswer, "description": "The teacher was tracked before."},
    },
)
async def track(
    body: OrganizerRequest, app: TheApp, admin: AnAdmin, response: Response, _: Annotated[NoQuery, Query()]
) -> Mapping[str, Any]:
    """Track a teacher: from now on an event reports each of their conferences."""
    enrolled = await enrol(body.email, caller=admin, deps=app.deps)
    if not enrolled.created:
        response.status_code = 200
    found = await app.views.organizer(enrolled.organizer.user)
    if found is None:
        raise NotFound("The teacher is no longer tracked.")
    return found


@router.get("/api/organizers", operation_id="list_organizers", response_model=OrganizerList, responses=can_end_in())
async def tracked(app: TheApp, _admin: AnAdmin, _: Annotated[NoQuery, Query()]) -> Mapping[str, Any]:
    """All tracked teachers."""
    return {"organizers": await app.views.organizers()}


@router.delete(
    "/api/organizers/{user_id:path}", operation_id="untrack_organizer", status_code=204, responses=can_end_in(*COMMAND)
)
async def untrack(user_id: UserId, app: TheApp, admin: AnAdmin, _: Annotated[NoQuery, Query()]) -> None:
    """Stop tracking a teacher; what is stored stays."""
    await remove(user_id, caller=admin, entry_id=uuid.uuid4().hex, deps=app.deps)


@router.delete(
    "/api/students/{student:path}",
    operation_id="erase_student",
    response_model=ErasureAnswer,
    responses={
        **can_end_in(*COMMAND),
        202: {"model": ErasureAnswer, "description": "From now on, the names are left out; a job erases the rest."},
    },
)
async def erase_student(
    student: Annotated[StudentAsNamed, Path()],
    query: Annotated[ErasureQuery, Query()],
    app: TheApp,
    admin: AnAdmin,
    response: Response,
) -> ErasureAnswer:
    """Erase a student everywhere, for good; the student is a `student_id`, a Google user id or an e-mail.

    Whatever is read later leaves the person out before anything is stored. With `dry_run` it only tells what would go.
    """
    outcome = await erase(student, dry_run=query.dry_run, caller=admin, entry_id=uuid.uuid4().hex, deps=app.deps)
    if not outcome.complete and not outcome.dry_run:
        response.status_code = 202
    return ErasureAnswer.of(outcome)


@router.get("/api/status", operation_id="get_status", response_model=Status, responses=can_end_in())
async def status(app: TheApp, _admin: AnAdmin, _: Annotated[NoQuery, Query()]) -> Status:
    """The state of the system, and what may need a person, by ids."""
    return Status.of(await survey(views=app.views, now=app.deps.clock()))

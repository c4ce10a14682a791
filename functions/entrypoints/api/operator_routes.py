"""Calls for those who operate it: who is tracked, what needs a person."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from functions.domain.errors import NotFound
from functions.entrypoints.api.answers import OrganizerAnswer, OrganizerList, Status
from functions.entrypoints.api.calls import COMMAND, WITH_BODY, AnAdmin, TheApp, UserId, can_end_in
from functions.entrypoints.api.requests import NoQuery, OrganizerRequest
from functions.services.organizers import enrol, remove

SHOWN = 20
"""How many of a kind `GET /api/status` shows."""

router = APIRouter(tags=["operating"])


@router.post(
    "/api/organizers",
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
    """Track a teacher: every conference of theirs is told by an event from now on."""
    enrolled = await enrol(body.email, caller=admin, deps=app.deps)
    if not enrolled.created:
        response.status_code = 200
    found = await app.views.organizer(enrolled.organizer.user)
    if found is None:
        raise NotFound("There is no such organizer any more.")
    return found


@router.get("/api/organizers", response_model=OrganizerList, responses=can_end_in())
async def tracked(app: TheApp, _admin: AnAdmin, _: Annotated[NoQuery, Query()]) -> Mapping[str, Any]:
    """Every teacher who is tracked."""
    return {"organizers": await app.views.organizers()}


@router.delete("/api/organizers/{user_id}", status_code=204, responses=can_end_in(*COMMAND))
async def untrack(user_id: UserId, app: TheApp, admin: AnAdmin, _: Annotated[NoQuery, Query()]) -> None:
    """Stop tracking a teacher; what is stored stays."""
    await remove(user_id, caller=admin, entry_id=uuid.uuid4().hex, deps=app.deps)


@router.get("/api/status", response_model=Status, responses=can_end_in())
async def status(app: TheApp, _admin: AnAdmin, _: Annotated[NoQuery, Query()]) -> Mapping[str, Any]:
    """What may need a person, by ids."""
    troubles = await app.views.troubles(now=app.deps.clock(), limit=SHOWN)
    return {
        "organizers_without_subscription": _shown(map(_organizer, troubles.organizers)),
        "failed_conferences": _shown(map(_conference, troubles.failed_conferences)),
        "provisional_conferences": _shown(map(_conference, troubles.provisional_conferences)),
        "overdue_sessions": _shown(map(_session, troubles.overdue_sessions)),
        "parked_events": _shown(map(_parked, troubles.parked_events)),
    }


def _shown(all_of_them: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    found = list(all_of_them)
    first = found[:SHOWN]
    return {"count": len(first), "more": len(found) > SHOWN, "first": first}


def _trouble(thing: object, error: Mapping[str, Any] | None, since: datetime | None) -> Mapping[str, Any]:
    known = error or {}
    return {"id": thing, "reason": known.get("reason"), "hint": known.get("hint"), "since": since}


def _organizer(organizer: Mapping[str, Any]) -> Mapping[str, Any]:
    subscription = organizer["subscription"] or {}
    error = subscription.get("error") or {"reason": subscription.get("suspension_reason") or subscription.get("state")}
    return _trouble(organizer["user"], error, subscription.get("renewed_at"))


def _conference(conference: Mapping[str, Any]) -> Mapping[str, Any]:
    sync = conference["sync"]
    return _trouble(conference["conference_record"], sync["error"], sync["pulled_at"])


def _session(session: Mapping[str, Any]) -> Mapping[str, Any]:
    return _trouble(session["session_id"], (session.get("progress") or {}).get("error"), session["due_at"])


def _parked(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return _trouble(event["id"], event, event["parked_at"])

"""The page of controls of the local stack: it holds classes in the simulated Meet, and shows stored documents."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from functions.adapters.store.databases.database import Database
from infra.local.classes import believable_class
from infra.local.demo import demo_accounts
from infra.local.roster_class import CannotHold, hold_class
from infra.local.school import Conference, School
from infra.local.workspace_events import Message, conference_ended

TOPIC = "projects/demo-meet-attendance/topics/workspace-events"
LENGTH = timedelta(minutes=50)

Publish = Callable[[str, Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stack:
    """The running stack: its addresses, how to publish an event, and the documents that it stores."""

    urls: dict[str, str]
    school: School
    publish: Publish
    documents: Database


def controls(stack: Stack) -> Starlette:
    """Return the controls of a stack, as an application."""
    own = _Controls(stack)
    return Starlette(
        routes=[
            Route("/", own.index),
            Route("/classes", own.hold, methods=["POST"]),
            Route("/request", own.request_body),
            Route("/conferences", own.conferences),
            Route("/documents/{path:path}", own.stored),
            Route("/api/{path:path}", own.elsewhere, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )


class _Controls:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def index(self, _: Request) -> PlainTextResponse:
        return PlainTextResponse(
            "POST /classes?session_id=…         hold a scheduled class at its own time, with its roster\n"
            "     /classes?meeting_code=…       the same, by its Meet link\n"
            "     /classes?people=30&seed=1     hold an unscheduled class of strangers that ends now\n"
            "GET  /request?people=30            show a body for POST /api/schedule/class: a class that ends now\n"
            "GET  /conferences                  show the conferences in the simulated Meet\n"
            "GET  /documents/{path}             show a stored document, or all documents of a collection\n"
        )

    async def hold(self, request: Request) -> JSONResponse:
        """Hold a class and publish its event."""
        seed, now = _number(request, "seed", random.randrange(10**6)), datetime.now(UTC)
        session = await self._scheduled(request)
        if session is None:
            held, session_id = self._strangers(_people(request), seed, now), None
        else:
            try:
                held, session_id = (
                    hold_class(session, school=self._stack.school, seed=seed, now=now),
                    session["session_id"],
                )
            except CannotHold as error:
                raise HTTPException(409, str(error)) from None
        ends_at = held.end or now
        if ends_at <= now:
            await self._stack.publish(TOPIC, conference_ended(held.name, organizer=held.organizer, at=now))
        session_id = session_id or held.id
        return JSONResponse(
            {
                "conference_record": held.name,
                "session_id": session_id,
                "people": len(held.attendees),
                "seed": seed,
                "ends_at": ends_at.isoformat(),
                "documents": [f"conferences/{held.id}", f"sessions/{session_id}", f"sessions/{session_id}/attendance"],
            },
            status_code=201,
        )

    def _strangers(self, people: int, seed: int, now: datetime) -> Conference:
        """Return a class that nobody scheduled."""
        teacher, *_ = demo_accounts(1)
        held = believable_class(
            seed, people=people, start=now - LENGTH, length=LENGTH, settled=False, organizer=teacher.user
        )
        self._stack.school.hold(held)
        return held

    async def _scheduled(self, request: Request) -> Mapping[str, Any] | None:
        """Return the class meeting that a request names by its id or its Meet link; None if it names none."""
        for name in ("session_id", "meeting_code"):
            if request.query_params.get(name) == "":
                raise HTTPException(
                    422,
                    f"{name} is empty. The answer of POST /api/schedule/class contains it. Without {name}, an "
                    "unscheduled class is held.",
                )
        session_id, code = request.query_params.get("session_id"), request.query_params.get("meeting_code")
        if session_id is None and code is None:
            return None
        sessions = [document.fields for document in await self._stack.documents.children("sessions")]
        wanted = [
            session
            for session in sessions
            if session["session_id"] == session_id or (session_id is None and session["meeting_code"] == code)
        ]
        if not wanted:
            raise HTTPException(
                404,
                f"No class has this {'session_id' if session_id else 'meeting_code'}. POST /api/schedule/class answers "
                "with the session_id and the meeting_code of the class; GET /api/sessions lists all classes.",
            )
        # If several class meetings use one room, take the first that was not held yet.
        return min(wanted, key=lambda session: (bool(session["conference_records"]), session["session_start"]))

    async def request_body(self, request: Request) -> JSONResponse:
        """Return a body for the API: a class that has just ended."""
        teacher, *pupils = demo_accounts(_people(request))
        self._stack.school.enrol(teacher, *pupils)
        now = datetime.now(UTC)
        return JSONResponse(
            {
                "teacher_email": teacher.email,
                "students": [{"email": pupil.email, "display_name": pupil.display_name} for pupil in pupils],
                "subject": "Mathematics",
                "class_id": "7b",
                "start_time": (now - LENGTH).isoformat(),
                "duration_minutes": int(LENGTH.total_seconds()) // 60,
            }
        )

    async def elsewhere(self, _: Request) -> PlainTextResponse:
        """Answer a call that was meant for the API."""
        return PlainTextResponse(f"The API is at {self._stack.urls['api'].rstrip('/')}/, not here.\n", status_code=404)

    async def conferences(self, _: Request) -> JSONResponse:
        """Return the conferences of which the simulated Meet has records."""
        held = self._stack.school.conferences()
        return JSONResponse({"conference_records": [conference.name for conference in held]})

    async def stored(self, request: Request) -> Response:
        """Return a document, or all documents of a collection."""
        path = request.path_params["path"].strip("/")
        if path.count("/") % 2 == 0:
            found = await self._stack.documents.children(path)
            return _json([document.fields for document in found])
        document = await self._stack.documents.get(path)
        if document is None:
            raise HTTPException(404, f"There is no document {path}")
        return _json(document.fields)


def _json(content: object) -> Response:
    return Response(
        json.dumps(content, default=datetime.isoformat, ensure_ascii=False, indent=2) + "\n",
        media_type="application/json",
    )


def _people(request: Request) -> int:
    people = _number(request, "people", 30)
    if not 1 <= people <= 1000:  # noqa: PLR2004 - Meet's own largest conference
        raise HTTPException(422, "people should be between 1 and 1000")
    return people


def _number(request: Request, name: str, default: int) -> int:
    try:
        return int(request.query_params.get(name, default))
    except ValueError:
        raise HTTPException(422, f"{name} should be a whole number") from None

"""What the routes have in common: their inputs, their answers, and their possible problems."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request, Response

from functions.domain.classes.sessions import Caller, CallerRole
from functions.domain.errors import AttendeeNotFound, InvalidRequest, NotFound, SessionNotFound
from functions.domain.etag import etag_of
from functions.entrypoints.api.middleware import CALLER
from functions.entrypoints.api.problems import MEDIA_TYPE, NotPermitted
from functions.entrypoints.api.schemas.fields import DOCUMENT_ID, Line, moment_of
from functions.entrypoints.api.schemas.requests import NoQuery, PagedQuery
from functions.entrypoints.api.tables.workbook import MEDIA_TYPE as XLSX
from functions.services.corrections.decisions import DecidedBy
from functions.services.deps import Deps
from functions.wiring import App

_ID = re.compile(DOCUMENT_ID)

_ORGANIZERS = "GET /api/organizers shows every teacher who is tracked, with the user of each."


def _app(request: Request) -> App:
    app: App = request.app.state.attendance
    return app


def _caller(request: Request) -> Caller:
    caller: Caller = request.scope[CALLER]
    return caller


def _admin(request: Request) -> Caller:
    caller = _caller(request)
    if caller.role is not CallerRole.ADMIN:
        raise NotPermitted(f"This call needs the role admin; the caller has the role {caller.role.value}.")
    return caller


def _id(value: str, error: NotFound) -> str:
    """An id that a document may have; anything else does not exist."""
    if not _ID.fullmatch(value):
        raise error
    return value


def _session_id(session_id: Annotated[str, Path()]) -> str:
    return _id(session_id, no_session())


def _attendee_id(attendee_id: Annotated[str, Path()]) -> str:
    return _id(attendee_id, AttendeeNotFound("Nobody in this class meeting has this attendee_id."))


def _conference_record_id(conference_record_id: Annotated[str, Path()]) -> str:
    record = conference_record_id.removeprefix("conferenceRecords/")
    return _id(record, NotFound("No conference record has this id."))


def _user_id(user_id: Annotated[str, Path()]) -> str:
    return _id(user_id.removeprefix("users/"), NotFound("No tracked teacher has this id.", hint=_ORGANIZERS))


TheApp = Annotated[App, Depends(_app)]
TheCaller = Annotated[Caller, Depends(_caller)]
AnAdmin = Annotated[Caller, Depends(_admin)]
SessionId = Annotated[str, Depends(_session_id)]
AttendeeId = Annotated[str, Depends(_attendee_id)]
ConferenceRecordId = Annotated[str, Depends(_conference_record_id)]
UserId = Annotated[str, Depends(_user_id)]
ClassId = Annotated[Line, Path()]
IfMatch = Annotated[str | None, Header(description="Only if the class meeting still has one of these ETags.")]
IfNoneMatch = Annotated[str | None, Header(description="An ETag that the caller already has.")]


@dataclass(frozen=True, slots=True)
class ChangeCall:
    """A call that changes a class meeting: who calls, and which version of it they know."""

    app: App
    caller: Caller
    if_match: str | None
    response: Response

    @property
    def deps(self) -> Deps:
        """The ports that use cases need."""
        return self.app.deps

    def decided(self, by: str) -> DecidedBy:
        """That this call decides something, and for which person."""
        return DecidedBy(by, self.caller, self.if_match)

    async def answer(self, session_id: str) -> Mapping[str, Any]:
        """The class meeting's document, its ETag set in the answer."""
        session = await found_session(session_id, self.app)
        self.response.headers["ETag"] = tag(session)
        return session


def _change_call(app: TheApp, caller: TheCaller, response: Response, if_match: IfMatch = None) -> ChangeCall:
    return ChangeCall(app, caller, if_match, response)


QueriedChange = Annotated[ChangeCall, Depends(_change_call)]
"""A call that reads its own query."""


def _plain_change(call: QueriedChange, _: Annotated[NoQuery, Query()]) -> ChangeCall:
    return call


Change = Annotated[ChangeCall, Depends(_plain_change)]
"""A call that takes no query."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        description="If the same key and body are sent again within a day, nothing more is done.",
    ),
]


# --- Answers -----------------------------------------------------------------------------------------------------


async def found_session(session_id: str, app: App) -> Mapping[str, Any]:
    """The class meeting's document; raises NotFound if it does not exist."""
    session = await app.views.session(session_id)
    if session is None:
        raise no_session()
    return session


def no_session() -> NotFound:
    """The error for a class meeting that does not exist."""
    return SessionNotFound("No class meeting has this session_id.")


def tag(session: Mapping[str, Any]) -> str:
    """The ETag of a class meeting with everything in it."""
    return etag_of(session["updated_at"])


def weak(etag: str) -> str:
    """The same tag as a weak one, for an answer whose bytes always differ, such as a page with its nonce.

    https://www.rfc-editor.org/rfc/rfc9110#name-weak-versus-strong
    """
    return f"W/{etag}"


def unchanged(etag: str, if_none_match: str | None) -> bool:
    """Whether the caller already has this version: https://www.rfc-editor.org/rfc/rfc9110#name-if-none-match."""
    known = [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]
    return "*" in known or etag.removeprefix("W/") in known


def not_modified(etag: str) -> Response:
    """The answer that the caller's version is still current."""
    return Response(status_code=304, headers={"ETag": etag})


def span_of(query: PagedQuery, app: App) -> dict[str, Any]:
    """`since` and `until` as moments.

    Raises:
        InvalidRequest: They are in the wrong order, or out of range.
    """
    named = (("since", "from", query.since), ("until", "to", query.until))
    moments: dict[str, Any] = {name: moment_in(field, when, app) for name, field, when in named}
    if query.since and query.until and moments["since"] >= moments["until"]:
        raise InvalidRequest.of("from", "should be before to")
    return moments


def moment_in(field: str, when: datetime | date | None, app: App) -> datetime | None:
    """A field of a request as a moment; raises InvalidRequest if it is out of range."""
    try:
        return moment_of(when, time_zone=app.deps.rules.time_zone)
    except OverflowError:
        raise InvalidRequest.of(field, "is out of range") from None


# --- For OpenAPI -------------------------------------------------------------------------------------------------

_PROBLEMS = {
    400: "The body is not JSON: `malformed-request`.",
    403: "No token, a token that is not valid, an account without the role: `not-permitted`; a teacher that this "
    "system may not act for: `domain-not-allowed`.",
    404: "Not found: `not-found`, `no-conference-record`.",
    409: "In conflict with what is stored: `overlapping-class`, `external-id-in-use`, `already-on-roster`.",
    410: "The page token is too old: `page-token-expired`.",
    412: "The class meeting has changed: `precondition-failed`.",
    413: "The body is too large: `too-large`.",
    415: "The content type is not JSON: `unsupported-media-type`.",
    422: "The request is not valid: `invalid-request`, with `errors`.",
    500: "An unexpected error: `internal-error`; or a wrong setting of the function: `wrong-setting`.",
    502: "Only an operator can fix it: `meet-api-disabled`, `insufficient-permissions`, and others.",
    503: "Try again after `Retry-After` seconds: `meet-unavailable`, `store-unavailable`, and others.",
}
ALWAYS = (403, 413, 415, 422, 500, 503)
"""Any call: bodies are checked before it is known whether the call has one."""


def can_end_in(*statuses: int, etag: bool = False) -> dict[int | str, dict[str, Any]]:
    """The problems of a call, and its ETag, as OpenAPI's responses."""
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    described: dict[int | str, dict[str, Any]] = {
        status: {"description": _PROBLEMS[status], "content": problem} for status in sorted({*ALWAYS, *statuses})
    }
    described[503]["headers"] = {"Retry-After": {"schema": {"type": "string"}}}
    if etag:
        described[200] = {"headers": {"ETag": {"schema": {"type": "string"}}}}
    return described


def also_as(*media_types: str, etag: bool = False) -> dict[int | str, dict[str, Any]]:
    """The other formats of an answer, as OpenAPI's response; it replaces the one that `can_end_in` describes."""
    formats = {
        "content": {
            media_type: {"schema": {"type": "string", **({"format": "binary"} if media_type == XLSX else {})}}
            for media_type in media_types
        }
    }
    return {200: {**can_end_in(etag=etag).get(200, {}), **formats}}


UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "The caller already has this version."}}
WITH_BODY = (400,)
COMMAND = (404, 409, 412, 502)

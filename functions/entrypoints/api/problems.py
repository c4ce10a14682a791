"""Every error as problem details (RFC 9457), by its class. What a caller sent is never repeated.

https://www.rfc-editor.org/rfc/rfc9457
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response

from functions.domain.errors import (
    AttendanceError,
    AttendeeNotFound,
    ConferenceRecordGone,
    DomainNotAllowed,
    ErasureNotSetUp,
    FieldError,
    InConflict,
    InvalidRequest,
    NeedsOperator,
    NoConferenceRecord,
    NotFound,
    Permanent,
    PreconditionFailed,
    ReadTooOld,
    Refused,
    Retryable,
    TeacherNotAllowed,
    TokenRefused,
    WrongSetting,
)
from functions.entrypoints.api.schemas.spelling import meant

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE = "tag:meet-attendance.example,2026:problems/"
"""The part before the slug. A tag is a name and not an address, as the RFC suggests for types without a page."""

RETRY_AFTER_SECONDS = 30
MAX_ERRORS = 100
"""How many fields are named at most: a list of two thousand wrong students does not help."""


class NotPermitted(Refused):
    """The caller's role does not allow this call."""

    reason = "not-permitted"
    default_hint = "Ask an operator: API_CALLERS lists the accounts that may call, with their roles."


class NoToken(Refused):
    """The request has no token."""

    reason = "not-permitted"
    default_hint = "Send the header Authorization: Bearer TOKEN, with an ID token from Google (docs/lms.md)."


@dataclass(frozen=True, slots=True)
class Problem:
    """Problem details, to be answered; the title is the slug in words."""

    status: int
    slug: str
    detail: str
    hint: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """The HTTP answer with this problem."""
        return JSONResponse(
            {
                "type": TYPE + self.slug,
                "title": self.slug.replace("-", " ").capitalize(),
                "status": self.status,
                "detail": self.detail,
                "hint": self.hint,
                **self.more,
            },
            status_code=self.status,
            headers=dict(self.headers),
            media_type=MEDIA_TYPE,
        )


UNKNOWN_PATH = Problem(404, "not-found", "Unknown path.", "/openapi.json describes every call.")
EMPTY_PART = Problem(
    404,
    "not-found",
    "A part of the path is empty.",
    "Between two slashes an id is missing, such as the session_id. /openapi.json describes every call.",
)
WRONG_METHOD = Problem(
    405,
    "method-not-allowed",
    "This path does not support this method.",
    "Use a method from the header Allow; /openapi.json describes every call.",
)
MALFORMED = Problem(400, "malformed-request", "The body is not JSON.", "Send one JSON object, encoded in UTF-8.")
WRONG_MEDIA_TYPE = Problem(
    415,
    "unsupported-media-type",
    "The content type of the body is not JSON.",
    "Send Content-Type: application/json.",
)
INTERNAL = Problem(
    500,
    "internal-error",
    "An unexpected error happened.",
    "Report it to the operator with the time of the request: the function's log has the details.",
)
WRONG_SETTINGS = Problem(
    500,
    "wrong-setting",
    "A setting of the function is missing or wrong.",
    "Ask the operator to correct it: the function's log names the variable.",
)


def too_large(limit: int) -> Problem:
    """The body is too large."""
    return Problem(413, "too-large", f"The body is larger than {limit:,} bytes.", "Split it into several requests.")


def of(error: AttendanceError) -> Problem:
    """The problem that a caller gets for an error."""
    if isinstance(error, WrongSetting) and not isinstance(error, ErasureNotSetUp):
        log.error("request.failed", extra={"reason": error.reason, "detail": error.message})
        return WRONG_SETTINGS
    status, slug = _status(error)
    return Problem(
        status=status,
        slug=slug,
        detail=error.message,
        hint=error.hint,
        more=_more(error),
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {},  # noqa: PLR2004 - an HTTP status
    )


def _status(error: AttendanceError) -> tuple[int, str]:  # noqa: PLR0911 - one line for each class
    match error:
        case ConferenceRecordGone() | NoConferenceRecord():
            return 404, NoConferenceRecord.reason
        case NotFound():
            return 404, error.reason
        case InvalidRequest():
            return 422, error.reason
        case NotPermitted() | NoToken() | TokenRefused() | DomainNotAllowed() | TeacherNotAllowed():
            return 403, error.reason
        case PreconditionFailed():
            return 412, error.reason
        case ReadTooOld():
            return 410, error.reason
        case Refused():
            return 409, error.reason
        case Retryable():
            return 503, error.reason
        case NeedsOperator() | Permanent() | ErasureNotSetUp():
            return 502, error.reason
        case _:
            return 500, INTERNAL.slug


def _more(error: AttendanceError) -> Mapping[str, Any]:
    match error:
        case InvalidRequest() | AttendeeNotFound() if error.errors:
            return {"errors": [{"field": one.field, "reason": one.reason} for one in error.errors[:MAX_ERRORS]]}
        case InConflict():
            return {"session_id": error.session_id}
        case _:
            return {"cause": error.cause} if error.cause else {}


# --- What pydantic says, in our words ----------------------------------------------------------------------------

_OWN_NAME = re.compile(r"[a-zA-Z][a-zA-Z_]{0,39}")
_REASONS = {
    "missing": "is required",
    "extra_forbidden": "is unknown",
    "model_attributes_type": "should be an object",
    "model_type": "should be an object",
    "dict_type": "should be an object",
    "string_type": "should be a string, in double quotes",
    "int_type": "should be a whole number, without quotes",
}


def malformed(errors: Sequence[Any]) -> bool:
    """Whether the body is not JSON at all."""
    return any(error["type"] == "json_invalid" for error in errors)


def invalid(errors: Sequence[Any], *, body: object = None, query: object = None) -> InvalidRequest:
    """The error for a request that is not valid, with pydantic's reasons.

    Args:
        errors: The errors from pydantic.
        body: The model that the body should have.
        query: The model that the query should have.
    """
    found = tuple(_field_errors(errors, {"body": body, "query": query}))
    return InvalidRequest(_in_one_line(found), errors=found)


def _in_one_line(errors: Sequence[FieldError]) -> str:
    """What is wrong, with the first misspelled field if there is one, otherwise with the first field."""
    if not errors:
        return "The request is not valid."
    shown = next((error for error in errors if error.reason.endswith("?")), errors[0])
    more = f" (and {len(errors) - 1} more in errors)" if len(errors) > 1 else ""
    text = f"{shown.field} {shown.reason}"
    return f"{text}{more}" if text.endswith("?") else f"{text}{more}."


def _field_errors(errors: Iterable[Any], models: Mapping[str, object]) -> Iterator[FieldError]:
    for error in errors:
        kind, where, path = error["type"], error["loc"][0], [str(part) for part in error["loc"][1:]]
        reason = _REASONS.get(kind) or _reason(error["msg"])
        if kind == "extra_forbidden":
            known = meant(error["loc"][1:], models.get(where))
            reason = f"{reason}: did you mean {known}?" if known else reason
            if not _OWN_NAME.fullmatch(path[-1]):
                path[-1] = "…"  # a name that the caller chose may contain anything, such as an address
        yield FieldError(".".join(path) or "body", reason)


def _reason(message: str) -> str:
    """Pydantic's sentence in a form that follows a field's name; it never repeats a value."""
    text = message.removeprefix("Value error, ")
    for whole in ("Input should", "Value should", "String should", "List should"):
        if text.startswith(whole):
            return f"should{text.removeprefix(whole)}"
    return text

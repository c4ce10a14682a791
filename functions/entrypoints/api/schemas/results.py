"""Bodies of answers to requests that change something: what was done, or why it was not."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from functions.domain.classes.roster import Mark, Override
from functions.domain.classes.sessions import Role, SessionState, Tracking
from functions.domain.conferences.model import Kind
from functions.entrypoints.api.schemas.answers import Answer, AttendanceAnswer, CalendarAnswer, SessionAnswer
from functions.services.corrections.follow_students import Unapplied


class Occurrence(Answer):
    """One class meeting of a series."""

    session_id: str
    state: SessionState
    start_time: datetime
    end_time: datetime
    time_zone: str
    meeting_code: str | None = None
    meeting_uri: str | None = None


class SyncedSession(Answer):
    """A participant session."""

    start_time: datetime
    end_time: datetime
    duration_seconds: int


class SyncedParticipant(Answer):
    """Somebody who joined."""

    email: str | None = None
    display_name: str | None = None
    total_duration_seconds: int
    session_count: int
    sessions: list[SyncedSession]
    attendee_id: str
    student_id: str | None = None
    role: Role
    mark: Mark | None = None


class Synced(Answer):
    """The result of a read of participants, the longest presence first."""

    status: Literal["success"] = "success"
    message: str
    hint: str | None = Field(None, description="What to do if nobody is in it.")
    updated: int
    created: int
    participants: list[SyncedParticipant]
    notice: str | None = Field(None, description="A remark about the source; null without a remark.")


class LivePerson(Answer):
    """Somebody who is in the room."""

    attendee_id: str
    display_name: str
    email: str | None = None
    student_id: str | None = None
    role: Role
    kind: Kind
    joined_at: datetime


class MissingStudent(Answer):
    """A student of the roster who is not in the room."""

    attendee_id: str
    display_name: str
    email: str | None = None
    student_id: str | None = None
    left_at: datetime | None = None


class Live(Answer):
    """Who is in a class meeting's room now."""

    session_id: str
    as_of: datetime
    participants: list[LivePerson]
    missing: list[MissingStudent]


class Overridden(Answer):
    """The students whose marks were set, and their attendance if there is any yet."""

    status: Literal["success"] = "success"
    attendee_ids: list[str]
    attendance: list[AttendanceAnswer]


class UnappliedAnswer(Answer):
    """A correction that does not apply to anybody on the roster of its class meeting."""

    session_id: str
    kind: Literal["override", "assignment"]
    attendee_id: str
    student_id: str | None = None
    email: str | None = None
    status: Mark | None = None
    reason: str | None = None
    by: str
    at: datetime
    hint: str = Field(description="What to do.")

    @classmethod
    def of(cls, unapplied: Unapplied) -> Self:
        """The same for the LMS."""
        told = unapplied.correction
        by_hand = isinstance(told, Override)
        return cls(
            session_id=unapplied.session_id,
            kind="override" if by_hand else "assignment",
            attendee_id=told.attendee_id,
            student_id=told.student_id,
            email=told.email,
            status=told.mark if isinstance(told, Override) else None,
            reason=told.reason if isinstance(told, Override) else None,
            by=told.decision.by,
            at=told.decision.at,
            hint=_OVERRIDE_UNAPPLIED if by_hand else _ASSIGNMENT_UNAPPLIED,
        )


_OVERRIDE_UNAPPLIED = (
    "The roster has no entry with the student_id, address or account of this mark's student. If the student is there "
    "under another address, set the mark again (PUT …/overrides). If the student left, do nothing: the mark is kept, "
    "and counts again if the student returns."
)
_ASSIGNMENT_UNAPPLIED = (
    "The roster has no entry with the student_id or address of the student that this guest was assigned to, so the "
    "guest is a guest again. If the student is there under another address, assign the guest again "
    "(POST …/attendance/{attendee_id}/assign)."
)


class Scheduled(Answer):
    """A scheduled class; for a series its first meeting, with all meetings in `sessions`.

    A field without a value is left out.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    status: Literal["success"]
    session_id: str
    state: SessionState
    meeting_code: str | SkipJsonSchema[None] = None
    meeting_uri: str | SkipJsonSchema[None] = None
    space: str | SkipJsonSchema[None] = None
    start_time: datetime
    end_time: datetime
    time_zone: str
    tracking: Tracking | SkipJsonSchema[None] = None
    hint: str | SkipJsonSchema[None] = None
    calendar: CalendarAnswer | SkipJsonSchema[None] = None
    series_id: str | SkipJsonSchema[None] = None
    sessions: list[Occurrence] | SkipJsonSchema[None] = None
    unapplied_corrections: list[UnappliedAnswer] | SkipJsonSchema[None] = None


class Changed(Answer):
    """Which class meetings were changed, and the one in the request."""

    status: Literal["success"] = "success"
    session_ids: list[str]
    session: SessionAnswer


class ChangedClass(Changed):
    """Which class meetings were moved, renamed or got other teachers."""

    unapplied_corrections: list[UnappliedAnswer] = Field([])


class SessionWithRoster(SessionAnswer):
    """A class meeting after its roster was replaced."""

    unapplied_corrections: list[UnappliedAnswer] = Field([])


class ChangedSessions(Answer):
    """Which class meetings were changed."""

    status: Literal["success"] = "success"
    session_ids: list[str]
    unapplied_corrections: list[UnappliedAnswer] = Field([])


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str
    reason: str


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="Ends with a slash and a slug: programs distinguish errors by the slug.")
    title: str
    status: int
    detail: str
    hint: str
    cause: str | SkipJsonSchema[None] = Field(
        None, description="Which cause it is, if one kind of problem has several causes."
    )
    errors: list[FieldProblem] | SkipJsonSchema[None] = None
    session_id: str | SkipJsonSchema[None] = None


def problem_schemas() -> dict[str, Any]:
    """The schemas of errors, as OpenAPI's components."""
    schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    for optional in ("cause", "errors", "session_id"):
        del schema["properties"][optional]["default"]  # it is left out, never null
    return {**schema.pop("$defs"), "ProblemDetails": schema}

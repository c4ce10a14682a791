"""Bodies of answers. Of a stored document only the fields that are listed here are answered.

Fields and their meaning: `docs/documents.md`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from functions.domain.classes.roster import Mark, Override
from functions.domain.classes.sessions import CalendarState, Role, SessionState, Tracking
from functions.domain.conferences.model import Kind, SyncState
from functions.hints import PERSON_LEFT
from functions.services.corrections.follow_students import Unapplied
from functions.services.operations.erase_student import Outcome
from functions.services.operations.survey import Survey


class Answer(BaseModel):
    """A body of an answer; other fields of a document are left out.

    Every field is in every answer, null if there is no value, and the description says so.
    """

    model_config = ConfigDict(extra="ignore", json_schema_serialization_defaults_required=True)


class SyncErrorAnswer(Answer):
    """Why a conference could not be read."""

    reason: str
    message: str
    hint: str


class SyncAnswer(Answer):
    """How much has been read."""

    state: SyncState
    source: str | None = None
    pulled_at: datetime | None = None
    attempts: int = 0
    meet_calls: int = 0
    error: SyncErrorAnswer | None = None


class RosterAnswer(Answer):
    """A student who is expected."""

    email: str | None = None
    student_id: str | None = None
    display_name: str | None = None
    user: str | None = None
    class_id: str | None = None


class PolicyAnswer(Answer):
    """How marks are made."""

    marks: bool | None = None
    window: str | None = None
    late_after_minutes: float | None = None
    left_early_minutes: float | None = None
    min_share: float | None = None
    min_held_minutes: float | None = None
    open_before_minutes: float | None = None
    open_after_minutes: float | None = None


class CountsAnswer(Answer):
    """How many students have each mark, and how many guests there were."""

    present: int = 0
    late: int = 0
    left_early: int = 0
    partial: int = 0
    absent: int = 0
    excused: int = 0
    unknown: int = 0
    guests: int = 0
    erased: int = 0


class CalendarAnswer(Answer):
    """The event of a class meeting in Calendar, and whether it shows the class correctly."""

    event_id: str
    state: CalendarState
    hint: str | None = Field(None, description="What to do if Calendar does not show it.")


class SessionAnswer(Answer):
    """A class meeting: `sessions/{session_id}`."""

    schema_version: int
    expire_at: datetime | None = None
    session_id: str
    external_id: str | None = None
    series_id: str | None = None
    class_id: str | None = None
    subject: str | None = None
    teacher_email: str | None = None
    teacher_emails: list[str] = []
    space: str | None = None
    meeting_code: str | None = None
    meeting_uri: str | None = None
    scheduled_start: datetime | None = None
    scheduled_end: datetime | None = None
    session_start: datetime
    time_zone: str
    local_date: str
    actual_start: datetime | None = None
    actual_end: datetime | None = None
    held_start: datetime | None = None
    held_end: datetime | None = None
    state: SessionState
    held_elsewhere: bool = False
    due_at: datetime | None = None
    conference_records: list[str] = []
    roster: list[RosterAnswer] = []
    policy: PolicyAnswer = PolicyAnswer()
    counts: CountsAnswer = CountsAnswer()
    tracking: Tracking | None = None
    tracking_hint: str | None = None
    calendar: CalendarAnswer | None = None
    sync: SyncAnswer | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class OverrideAnswer(Answer):
    """A mark that a person decided."""

    status: Mark
    reason: str | None = None
    by: str
    at: datetime


class MergedAnswer(Answer):
    """A guest who is counted as this student."""

    attendee_id: str
    display_name: str
    kind: Kind
    by: str
    at: datetime


class PresenceAnswer(Answer):
    """The part of a participant session that lies in the class's own time."""

    conference_record: str
    participant_session: str
    start_time: datetime
    end_time: datetime
    duration_seconds: int
    open: bool = False


class SuggestionAnswer(Answer):
    """A student with a similar name, who the guest may be; never assigned by the system itself."""

    attendee_id: str
    match: str


class AttendanceAnswer(Answer):
    """One person in one class meeting: `sessions/{session_id}/attendance/{attendee_id}`."""

    schema_version: int
    expire_at: datetime | None = None
    attendee_id: str
    session_id: str
    class_id: str | None = None
    subject: str | None = None
    teacher_email: str | None = None
    teacher_emails: list[str] = []
    session_start: datetime
    time_zone: str | None = None
    scheduled_start: datetime | None = None
    scheduled_end: datetime | None = None
    session_state: SessionState
    sync_state: SyncState | None = None
    kind: Kind
    user: str | None = None
    student_id: str | None = None
    email: str | None = None
    emails: list[str] = []
    email_source: str | None = None
    display_name: str | None = None
    role: Role
    status: Mark | None = None
    status_reason: str | None = None
    is_late: bool = False
    is_left_early: bool = False
    mark: Mark | None = None
    override: OverrideAnswer | None = None
    merged: list[MergedAnswer] = []
    suggestions: list[SuggestionAnswer] = []
    first_joined_at: datetime | None = None
    last_left_at: datetime | None = None
    total_duration_seconds: int = 0
    in_class_seconds: int = 0
    session_count: int = 0
    sessions: list[PresenceAnswer] = []
    updated_at: datetime | None = None


class SessionList(Answer):
    """Class meetings, oldest first."""

    sessions: list[SessionAnswer]
    next_page_token: str | None = None


class SessionAttendance(Answer):
    """A class meeting with everybody's attendance, as of one moment."""

    session: SessionAnswer
    attendance: list[AttendanceAnswer]


class AttendanceList(Answer):
    """Attendance over class meetings, oldest class first."""

    attendance: list[AttendanceAnswer]
    next_page_token: str | None = None


class RegisterStudent(Answer):
    """A student's marks of a month, by class meeting."""

    display_name: str | None = None
    email: str | None = None
    student_id: str | None = None
    share: float | None = None
    counts: dict[str, int] = {}
    marks: dict[str, Mark | None] = {}


class RegisterSession(Answer):
    """A class meeting in a register."""

    session_id: str
    session_start: datetime
    time_zone: str | None = None
    subject: str | None = None
    state: SessionState


class Register(Answer):
    """A class's register of a local month."""

    class_id: str
    month: str
    students: list[RegisterStudent]
    sessions: list[RegisterSession]


class AtRiskStudent(Answer):
    """A student whose share of a month is too low."""

    student_id: str | None = None
    email: str | None = None
    display_name: str | None = None
    share: float
    best_possible_share: float


class AtRiskList(Answer):
    """Students of a class whose share of a month is too low, the lowest share first."""

    class_id: str
    month: str
    students: list[AtRiskStudent]


# --- What commands answer ----------------------------------------------------------------------------------------


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

    unapplied_corrections: list[UnappliedAnswer] = []


class SessionWithRoster(SessionAnswer):
    """A class meeting after its roster was replaced."""

    unapplied_corrections: list[UnappliedAnswer] = []


class ChangedSessions(Answer):
    """Which class meetings were changed."""

    status: Literal["success"] = "success"
    session_ids: list[str]
    unapplied_corrections: list[UnappliedAnswer] = []


class SubscriptionAnswer(Answer):
    """A teacher's subscription to Workspace events."""

    name: str | None = None
    state: str | None = None
    expire_time: datetime | None = None
    suspension_reason: str | None = None
    renewed_at: datetime | None = None
    error: SyncErrorAnswer | None = None


class OrganizerAnswer(Answer):
    """A teacher who is tracked: `organizers/{user_id}`."""

    user: str
    email: str
    enrolled_at: datetime | None = None
    subscription: SubscriptionAnswer | None = None
    reconciled_until: datetime | None = None


class OrganizerList(Answer):
    """All tracked teachers."""

    organizers: list[OrganizerAnswer]


class ErasedAnswer(Answer):
    """How many documents of each kind were changed or deleted, or would be."""

    attendance: int = 0
    sessions: int = 0
    conferences: int = Field(0, description="In addition to those of the class meetings.")
    corrections: int = Field(0, description="Those not yet applied to a class meeting; others belong to theirs.")
    people: int = 0
    spaces: int = Field(0, description="The number of rooms that were the person's.")
    registers: int = 0
    parked_events: int = 0
    audit: int = 0
    remarks: int = 0


class ErasureAnswer(Answer):
    """What came of erasing a student."""

    status: Literal["success", "running"] = Field(
        description="`running`: time ran out before everything was erased; a job continues, and so does the same call."
    )
    dry_run: bool
    erased: ErasedAnswer
    left: int = Field(
        description="How many accounts and addresses go with the person and were left, because others have or had them "
        "too; 0 where an erasure that was interrupted is carried on."
    )
    hint: str | None = Field(description="What to do about what was left; null if nothing was.")

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """An outcome as it is answered."""
        status = "success" if outcome.complete else "running"
        erased, hint = ErasedAnswer(**outcome.counts), PERSON_LEFT if outcome.left else None
        return cls(status=status, dry_run=outcome.dry_run, erased=erased, left=outcome.left, hint=hint)


class Trouble(Answer):
    """One thing that may need a person, by its id; `hint` is what to do about it."""

    id: str
    reason: str
    hint: str
    since: datetime | None = None


class TroubleList(Answer):
    """Problems of one kind, those that have waited the longest first.

    `count` is at most what one answer shows, and `more` says whether there are others.
    """

    count: int
    more: bool
    first: list[Trouble]


class Status(Answer):
    """The state of the system, and what may need a person."""

    surveyed_at: datetime
    needs_a_person: bool
    organizers: int
    active_organizers: int
    last_sync_at: datetime | None = None
    oldest_provisional_seconds: int
    most_overdue_seconds: int
    organizers_without_subscription: TroubleList
    unreconciled_organizers: TroubleList
    failed_conferences: TroubleList
    provisional_conferences: TroubleList
    overdue_sessions: TroubleList
    sessions_not_in_calendar: TroubleList
    parked_events: TroubleList

    @classmethod
    def of(cls, survey: Survey) -> Self:
        """The answer for a survey."""
        return cls.model_validate(survey, from_attributes=True)


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

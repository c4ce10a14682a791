"""Bodies of answers. Of a stored document only the fields that are listed here are answered.

Fields and their meaning: `docs/documents.md`.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from functions.domain.classes.roster import Mark
from functions.domain.classes.sessions import CalendarState, Role, SessionState, Tracking
from functions.domain.conferences.model import Kind, SyncState


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

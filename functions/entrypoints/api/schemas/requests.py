"""Bodies and queries of requests: strict, so that a typing error is reported and not ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from functions.domain.classes.roster import RosterEntry, checked_roster
from functions.domain.classes.sessions import SessionState
from functions.domain.errors import FieldError, InvalidRequest
from functions.entrypoints.api.schemas.fields import (
    MAX_STUDENTS,
    ConferenceRecordName,
    DisplayName,
    Email,
    GoogleUser,
    Line,
    Minutes,
    Moment,
    MomentAsGiven,
    MomentOrDay,
    Month,
    Recurrence,
    StudentId,
    TimeZone,
    TypedMeetingCode,
)
from functions.entrypoints.api.schemas.gradebook import (
    DEFAULT_STATUSES,
    GRADEBOOK_FORMATS,
    SessionBy,
    Statuses,
    StudentBy,
)

T = TypeVar("T")

MOST_OF_A_PAGE = 100
"""How many documents a page has by default."""

CSV_FORMATS = frozenset({"csv", *GRADEBOOK_FORMATS})
"""Which formats are CSV files."""

StrictBool = Annotated[bool, Field(strict=True)]
Flag = Annotated[bool, BeforeValidator(lambda value: value if value in {"1", "0", "true", "false"} else None)]


def _only_of_a_file(value: T, of: ValidationInfo) -> T:
    """Generated clients send every default, so a default is accepted with any format."""
    if of.data.get("format", "csv") not in CSV_FORMATS and value not in {False, ","}:
        raise ValueError("is only for files in CSV, such as format=csv")
    return value


Bom = Annotated[
    Flag,
    AfterValidator(_only_of_a_file),
    Field(description="Only for CSV: the file begins with the byte order mark of UTF-8, which Excel needs."),
]
Separator = Annotated[
    Literal[",", ";"],
    AfterValidator(_only_of_a_file),
    Field(
        description="Only for CSV: the separator between cells. With ; shares have a decimal comma.",
        json_schema_extra={"x-enum-varnames": ["COMMA", "SEMICOLON"]},  # generated clients need names
    ),
]
MinutesOfRule = Annotated[float, Field(strict=True, ge=0, le=1440, allow_inf_nan=False)]


class Body(BaseModel):
    """A body that may contain only known fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StudentBody(Body):
    """An expected student; an `email` or a `student_id` is needed."""

    email: Email | None = None
    student_id: StudentId | None = None
    display_name: DisplayName | None = None
    user: GoogleUser | None = None
    class_id: Line | None = None

    @property
    def entry(self) -> RosterEntry:
        """The student as a domain object."""
        return RosterEntry(**self.model_dump())


Students = Annotated[list[StudentBody], Field(max_length=MAX_STUDENTS)]


class PolicyBody(Body):
    """How marks are made; for fields that are left out the school's values count."""

    marks: StrictBool | None = None
    window: Literal["held", "scheduled"] | None = None
    late_after_minutes: MinutesOfRule | None = None
    left_early_minutes: MinutesOfRule | None = None
    min_share: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] | None = None
    min_held_minutes: MinutesOfRule | None = None
    open_before_minutes: MinutesOfRule | None = None
    open_after_minutes: MinutesOfRule | None = None

    @property
    def wanted(self) -> Mapping[str, object]:
        """The fields of the policy that were sent."""
        return self.model_dump(include=set(PolicyBody.model_fields), exclude_none=True)


class PolicyRequest(PolicyBody):
    """A policy, and the person who sets it."""

    by: Line | None = None


class ScheduleRequest(Body):
    """A class to be scheduled; exactly one of `student_emails` and `students` is needed."""

    teacher_email: Email
    co_teacher_emails: Annotated[list[Email], Field(max_length=50)] | None = None
    student_emails: Annotated[list[Email], Field(max_length=MAX_STUDENTS)] | None = None
    students: Students | None = None
    subject: Line
    start_time: MomentAsGiven
    duration_minutes: Minutes
    class_id: Line | None = None
    external_id: Line | None = None
    meeting_code: TypedMeetingCode | None = None
    policy: PolicyBody | None = None
    time_zone: TimeZone | None = None
    recurrence: Recurrence | None = None
    calendar: StrictBool | None = None

    @property
    def roster(self) -> tuple[RosterEntry, ...]:
        """Everybody who is expected.

        Raises:
            InvalidRequest: The students are given twice or not at all, or a student is listed twice.
        """
        if (self.students is None) == (self.student_emails is None):
            raise InvalidRequest.of("students", "is required: send exactly one of students and student_emails")
        if self.students is not None:
            return roster_of(self.students)
        entries = [RosterEntry(email=email) for email in self.student_emails or ()]
        try:
            return checked_roster(entries)
        except InvalidRequest as error:
            renamed = [
                FieldError(
                    one.field.replace("students.", "student_emails.", 1),
                    one.reason.replace("students.", "student_emails."),
                )
                for one in error.errors
            ]
            raise InvalidRequest(f"{renamed[0].field} {renamed[0].reason}.", errors=renamed) from None


class ChangeRequest(Body):
    """Changes of a class; fields that are left out do not change."""

    start_time: Moment | None = None
    duration_minutes: Minutes | None = None
    subject: Line | None = None
    teacher_email: Email | None = None
    co_teacher_emails: Annotated[list[Email], Field(max_length=50)] | None = None


class OverrideRequest(Body):
    """A person's own mark for a student."""

    status: Literal["present", "late", "left_early", "partial", "absent", "excused"]
    reason: Line | None = None
    by: Line


class OverrideItem(Body):
    """A person's own mark for one of many students; the student is named in exactly one way."""

    student_id: StudentId | None = None
    email: Email | None = None
    attendee_id: Line | None = None
    status: Literal["present", "late", "left_early", "partial", "absent", "excused"]
    reason: Line | None = None


class OverridesRequest(Body):
    """Many marks at once: all of them or none."""

    overrides: Annotated[list[OverrideItem], Field(min_length=1, max_length=MAX_STUDENTS)]
    by: Line


class AssignRequest(Body):
    """Who a guest is: a student (`email` or `student_id`), a room device, or neither (`"email": null`)."""

    email: Email | None = None
    student_id: StudentId | None = None
    kind: Literal["room"] | None = None
    remember: StrictBool | None = None
    by: Line


class RecordRequest(Body):
    """A conference record, by its name or as the record of another class meeting."""

    conference_record: ConferenceRecordName | None = None
    session_id: Line | None = None
    by: Line


class RosterRequest(Body):
    """Everybody who is expected in a class meeting."""

    students: Students
    by: Line


class ClassRosterRequest(RosterRequest):
    """Everybody who is expected in a class, from some day on."""

    since: MomentOrDay | None = Field(default=None, alias="from")


class OrganizerRequest(Body):
    """A teacher to be tracked."""

    email: Email


def roster_of(students: list[StudentBody]) -> tuple[RosterEntry, ...]:
    """Convert students to domain objects; raises InvalidRequest if a student is listed twice."""
    return checked_roster(student.entry for student in students)


# --- Queries -----------------------------------------------------------------------------------------------------


class NoQuery(BaseModel):
    """A query without parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileQuery(NoQuery):
    """The form of a file; each call says which formats it has."""

    format: Literal["json", "csv", "xlsx", "html", "moodle", "grades"] = "json"
    bom: Bom = False
    sep: Separator = ","


class FormatQuery(FileQuery):
    """An answer as JSON, as a file for spreadsheets or gradebooks, or as a page for people."""

    student_by: StudentBy = "student_id"
    statuses: Statuses = DEFAULT_STATUSES


class PagedQuery(NoQuery):
    """A part of a list, between two moments: `from` inclusive, `to` exclusive."""

    since: MomentOrDay | None = Field(default=None, alias="from")
    until: MomentOrDay | None = Field(default=None, alias="to")
    page_size: Annotated[int, Field(ge=1, le=500)] = MOST_OF_A_PAGE
    page_token: Annotated[str, Field(max_length=4000)] | None = None


class SessionsQuery(PagedQuery):
    """Which class meetings."""

    teacher_email: Email | None = None
    class_id: Line | None = None
    state: SessionState | None = None
    external_id: Line | None = None
    updated_since: MomentOrDay | None = None


class AttendanceQuery(PagedQuery, FileQuery):
    """Attendance over class meetings: as JSON one page, as a file everything."""

    format: Literal["json", "csv", "xlsx"] = "json"


class StudentQuery(AttendanceQuery):
    """Which part of a student's attendance."""

    class_id: Line | None = None


class RegisterQuery(FormatQuery):
    """Which register of a class."""

    month: Month
    session_by: SessionBy = "start"


class AtRiskQuery(NoQuery):
    """The limit for shares, and the month; by default the current month."""

    below: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.8
    month: Month | None = None


class SyncQuery(NoQuery):
    """What to read: from Meet only data that is not final, or everything; or from Google's reports."""

    source: Literal["meet", "reports"] = "meet"
    full: Flag = False


class ErasureQuery(NoQuery):
    """Whether somebody is erased, or it is only told what would go."""

    dry_run: Flag = False


class ScopeQuery(NoQuery):
    """Which class meetings of a series."""

    scope: Literal["this", "following"] = "this"


class ByQuery(NoQuery):
    """The person who decides, as the LMS names them."""

    by: Line

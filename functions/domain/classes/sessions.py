"""The types of a class: a class meeting, the people who were in it, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from functions.domain.classes.policy import Policy
from functions.domain.classes.roster import Mark, Override, Remembered, RosterEntry
from functions.domain.conferences.model import Identity, Kind, Space, Subscription, Sync, SyncError
from functions.domain.intervals import Interval
from functions.domain.marking.addresses import EARLIEST, KnownAddress, mailboxes


class SessionState(StrEnum):
    """The state of a class meeting."""

    SCHEDULED = "scheduled"
    LIVE = "live"
    ENDED = "ended"
    NOT_HELD = "not_held"
    CANCELLED = "cancelled"


class Role(StrEnum):
    """The role of a person in one class meeting."""

    TEACHER = "teacher"
    STUDENT = "student"
    GUEST = "guest"


class EmailSource(StrEnum):
    """The source of an e-mail address."""

    DIRECTORY = "directory"
    PEOPLE = "people"
    ROSTER = "roster"
    REPORTS = "reports"
    ASSIGNED = "assigned"


class Tracking(StrEnum):
    """Whether events report the teacher's conferences to us."""

    ACTIVE = "active"
    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Person:
    """What is known about a Google account.

    Attributes:
        user: `users/{id}`.
        identity: Who it is; None if that is not known.
        unknown: Whether Directory and People answered that they do not know the account.
        resolved_at: When they were asked; None if never.
        student: The student that people assigned this account to.
        known_by: Every address that it has or had.
        outdated: Whether the newest answer is known to be wrong, because another account has one of its addresses.
        addresses: Every address that it has or had; if no history is stored, those of the newest answer.
    """

    user: str
    identity: Identity | None = None
    unknown: bool = False
    resolved_at: datetime | None = None
    student: Remembered | None = None
    known_by: tuple[KnownAddress, ...] = ()
    outdated: bool = False
    addresses: tuple[KnownAddress, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find the addresses once: each is compared with many others."""
        addresses = self.known_by
        if not addresses and self.identity:
            since = self.resolved_at or EARLIEST
            addresses = tuple(KnownAddress(email, since) for email in (self.identity.email, *self.identity.aliases))
        object.__setattr__(self, "addresses", addresses)


@dataclass(frozen=True, slots=True)
class AttachedRecord:
    """A conference record that people attached to a class meeting; it may be from any room."""

    conference_record: str
    by: str
    at: datetime


class CalendarState(StrEnum):
    """Whether Calendar shows a class meeting correctly; `gone`: people deleted its event."""

    ACTIVE = "active"
    PENDING = "pending"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """The state of a class meeting in Calendar.

    Attributes:
        event_id: The event; for a series the recurring event.
        organizer: The address of the person in whose calendar it is.
        occurrence: Which occurrence of a series it is: its start as first scheduled.
        hint: What to do if Calendar cannot show it correctly.
        failures: How many attempts in a row failed.
        due_at: When the system tries again; None once Calendar shows it.
    """

    event_id: str
    organizer: str
    occurrence: datetime | None = None
    state: CalendarState = CalendarState.PENDING
    hint: str | None = None
    failures: int = 0
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What the LMS decided about a class meeting; empty if it was not scheduled.

    Attributes:
        scheduled: The planned time; None if nobody scheduled it.
        teachers: Addresses of all its teachers, lower case, the class's own teacher first.
        tracking_hint: What to do about a teacher who could not be tracked.
        fingerprint: A hash of the request that scheduled it, to recognise the same request.
        calendar: Its state in Calendar; None if it is not in Calendar.
        named_at: When its teachers and students were last set.
        named_before: Addresses (in their compared form) that it already contained before that, each with the time at
            which it first did.
        erased: A token for each student who was on the roster and is erased.
    """

    scheduled: Interval | None = None
    cancelled: bool = False
    subject: str | None = None
    class_id: str | None = None
    external_id: str | None = None
    series_id: str | None = None
    teachers: tuple[str, ...] = ()
    roster: tuple[RosterEntry, ...] = ()
    policy: Policy = field(default_factory=Policy)
    attached: tuple[AttachedRecord, ...] = ()
    tracking: Tracking | None = None
    tracking_hint: str | None = None
    fingerprint: str | None = None
    calendar: CalendarEntry | None = None
    named_at: datetime | None = None
    named_before: tuple[tuple[str, datetime], ...] = ()
    erased: tuple[str, ...] = ()

    @property
    def named(self) -> frozenset[str]:
        """The addresses of its teachers and students in their compared form."""
        return mailboxes([*self.teachers, *(entry.email for entry in self.roster if entry.email)])

    @property
    def takes_place(self) -> Interval | None:
        """The planned time; None if it was cancelled or not scheduled."""
        return None if self.cancelled else self.scheduled


@dataclass(frozen=True, slots=True)
class Progress:
    """How certain it is what happened in a class meeting.

    Attributes:
        listed_at: When the last successful list of the room's conference records began, if it could still show all
            records of the class.
        error: Why the last attempt to update it failed; None if it did not fail.
        failures: How many attempts in a row did not bring certainty.
        tried_at: When the last attempt began.
        due_at: When it must be updated again; None once that is not needed.
    """

    listed_at: datetime | None = None
    error: SyncError | None = None
    failures: int = 0
    tried_at: datetime | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClassSession:
    """One class meeting. Without a schedule it is one conference, and owns exactly the time of this conference.

    Attributes:
        owned: The time in its room that belongs to it.
        held: The time that a teacher held the class, within the scheduled time; None if the scheduled time counts.
        held_elsewhere: For a class that was not held: whether people were there at another time that it owns.
        sync: How much of its conferences has been read; None before the first attempt.
        erased: How many people of its roster and its calls are erased.
    """

    session_id: str
    space: Space
    time_zone: str
    state: SessionState
    owned: Interval | None
    plan: Plan = field(default_factory=Plan)
    progress: Progress = field(default_factory=Progress)
    actual_start: datetime | None = None
    actual_end: datetime | None = None
    held: Interval | None = None
    held_elsewhere: bool = False
    conference_records: tuple[str, ...] = ()
    sync: Sync | None = None
    erased: int = 0

    @property
    def start(self) -> datetime:
        """The scheduled start, otherwise the actual start."""
        start = self.plan.scheduled.start if self.plan.scheduled else self.actual_start
        if start is None:
            raise ValueError("A class meeting is scheduled or was held.")
        return start

    @property
    def local_date(self) -> date:
        """The day of its start in its own time zone."""
        return self.start.astimezone(ZoneInfo(self.time_zone)).date()


@dataclass(frozen=True, slots=True)
class Presence:
    """The part of a participant session that lies in the class meeting's own time."""

    conference_record: str
    participant_session: str
    interval: Interval
    open: bool


@dataclass(frozen=True, slots=True)
class Merged:
    """A guest who is counted as a student."""

    attendee_id: str
    display_name: str
    kind: Kind
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A student with a name similar to this guest's: only suggested, never assigned. `match` is `same` or `similar`."""

    attendee_id: str
    match: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A student's mark by the rules, with its reason in a sentence."""

    status: Mark | None = None
    reason: str | None = None
    is_late: bool = False
    is_left_early: bool = False


@dataclass(frozen=True, slots=True)
class Attendance:
    """One person in one class meeting.

    `presences` are oldest first, and overlap if the person used several devices at once.

    Attributes:
        user: The account with which the person was there, otherwise the person's own.
        account: The person's own account; not one that people assigned to a student.
        not_users: Accounts that had the roster's address before it was given to another account: these are other
            people.
    """

    attendee_id: str
    kind: Kind
    user: str | None
    display_name: str
    role: Role
    presences: tuple[Presence, ...]
    total_duration: timedelta
    in_class: timedelta
    entry: RosterEntry | None = None
    email: str | None = None
    emails: tuple[str, ...] = ()
    email_source: EmailSource | None = None
    verdict: Verdict = field(default_factory=Verdict)
    override: Override | None = None
    merged: tuple[Merged, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    account: str | None = None
    not_users: tuple[str, ...] = ()

    @property
    def mark(self) -> Mark | None:
        """The mark that counts: the mark set by hand, otherwise the mark by the rules."""
        return self.override.mark if self.override else self.verdict.status

    @property
    def first_joined_at(self) -> datetime | None:
        """The first moment in the class meeting's own time."""
        return min((presence.interval.start for presence in self.presences), default=None)

    @property
    def last_left_at(self) -> datetime | None:
        """The last moment in the class meeting's own time."""
        return max((presence.interval.end for presence in self.presences), default=None)


@dataclass(frozen=True, slots=True)
class AttendanceSheet:
    """A class meeting with the attendance of everybody who was in it or was expected, ordered by attendee id."""

    session: ClassSession
    attendance: tuple[Attendance, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of students with each mark, and of guests; room devices do not count."""
        marks = [person.mark for person in self.attendance if person.role is Role.STUDENT]
        guests = sum(p.role is Role.GUEST and p.kind is not Kind.ROOM for p in self.attendance)
        return {**{mark.value: marks.count(mark) for mark in Mark}, "guests": guests, "erased": self.session.erased}


@dataclass(frozen=True, slots=True)
class TrackedOrganizer:
    """A teacher whose conferences a subscription reports to us.

    Attributes:
        user: `users/{id}`.
        email: Lower case.
        enrolled_at: Since when.
        subscription: The subscription as last seen; None if there never was one.
        renewed_at: When it was last made or renewed.
        error: Why it could not be made or renewed.
        reconciled_until: All conferences up to this time are known; None if they were never listed.
    """

    user: str
    email: str
    enrolled_at: datetime
    subscription: Subscription | None = None
    renewed_at: datetime | None = None
    error: SyncError | None = None
    reconciled_until: datetime | None = None


class CallerRole(StrEnum):
    """What a caller of the API may do."""

    LMS = "lms"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of the API; `email` is None where callers need not identify themselves."""

    email: str | None
    role: CallerRole


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What somebody changed by hand. It contains references and no names; the store adds the marks that changed.

    Attributes:
        entry_id: The same for every attempt at the same call.
        what: The change, as a verb with an object.
        references: Ids of what was changed.
    """

    entry_id: str
    by: str | None
    caller: str | None
    what: str
    references: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Remark:
    """Class meetings that must be marked again because of some people.

    This happens after a decision about one class meeting, or when accounts turn out to have other addresses.

    Attributes:
        remark_id: Its own id, or the id of the decision.
        accounts: The people, by account and by the students or addresses for which they count.
        session_id: The class meeting of the decision, which is already marked; None without a decision.
        since: Only class meetings that begin at this time or later; None for all.
    """

    remark_id: str
    accounts: tuple[RosterEntry, ...]
    session_id: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was already answered, by its idempotency key, with its result.

    Or an event that was added to Calendar for a request, by its id, with the class meetings that use it; without any it
    is deleted again.
    """

    key: str
    fingerprint: str
    session_ids: tuple[str, ...]
    expire_at: datetime

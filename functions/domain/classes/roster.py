"""The people who are expected in a class meeting, and what people decided by hand about its attendance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from functions.domain.errors import FieldError, InvalidRequest
from functions.domain.marking.addresses import mailbox


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """An expected student, with at least an `email` or a `student_id`.

    Attributes:
        email: Lower case.
        student_id: The LMS's own id.
        display_name: The LMS's name for the student, cleaned.
        user: The student's Google account, `users/{id}`, if the LMS knows it.
        class_id: The section, if several sections share a room.
    """

    email: str | None = None
    student_id: str | None = None
    display_name: str | None = None
    user: str | None = None
    class_id: str | None = None

    @property
    def key(self) -> str:
        """What identifies the student in every class meeting."""
        return self.student_id or self.email or ""

    def is_named_by(self, *, student_id: str | None, email: str | None) -> bool:
        """Whether a student id or an address names this student."""
        return self.student_id == student_id if student_id else _same_mailbox(self.email, email)

    def may_be(self, *, student_id: str | None, email: str | None) -> bool:
        """Whether somebody with this id and address is this student: different ids never mean the same student."""
        if student_id and self.student_id:
            return self.student_id == student_id
        return _same_mailbox(self.email, email)

    def is_same_as(self, other: RosterEntry) -> bool:
        """Whether two entries are the same student."""
        pairs = ((_compared(self, name), _compared(other, name)) for name in _IDENTIFYING)
        return any(one and one == another for one, another in pairs)


_IDENTIFYING = ("key", "student_id", "email", "user")


def _compared(entry: RosterEntry, attribute: str) -> str | None:
    """The values that identify a student, in the form in which they are compared."""
    value: str | None = getattr(entry, attribute)
    return mailbox(value) if value and value == entry.email else value


def _same_mailbox(one: str | None, other: str | None) -> bool:
    return bool(one and other) and mailbox(one or "") == mailbox(other or "")


def checked_roster(students: Iterable[RosterEntry]) -> tuple[RosterEntry, ...]:
    """Return the students if each is different from all others.

    Raises:
        InvalidRequest: A student is listed twice, or has neither an e-mail nor an id.
    """
    roster = tuple(students)
    problems: dict[int, str] = {}
    for attribute in _IDENTIFYING:
        seen: dict[str, int] = {}
        for number, entry in enumerate(roster):
            value = _compared(entry, attribute)
            if value and value in seen:
                problems.setdefault(number, _twice(attribute, seen[value]))
            elif value:
                seen[value] = number
    problems |= {number: "needs an email or a student_id" for number, entry in enumerate(roster) if not entry.key}
    if problems:
        errors = [FieldError(f"students.{number}", reason) for number, reason in sorted(problems.items())]
        raise InvalidRequest(
            f"{errors[0].field} {errors[0].reason}.", errors=errors, hint=_SHARED if _is_shared(roster) else None
        )
    return roster


_SHARED = (
    "Two students cannot share an e-mail or a user, because a person who joins with it could be either of them. Give "
    "each student a student_id, and keep the e-mail (or the user) for only one of them. After the class, assign the "
    "person who joined to the right student (POST /api/sessions/{session_id}/attendance/{attendee_id}/assign)."
)


_NAMES = {"email": "e-mail", "user": "user"}


def _twice(attribute: str, number: int) -> str:
    """Why an entry is a duplicate: what it has in common with an earlier one."""
    if attribute in _NAMES:
        return f"has the same {_NAMES[attribute]} as students.{number}: each student needs their own"
    return f"is the same student as students.{number}"


def _is_shared(roster: Sequence[RosterEntry]) -> bool:
    """Whether several entries have the same address or account."""
    values = [[value for entry in roster if (value := _compared(entry, name))] for name in _NAMES]
    return any(len(set(known)) < len(known) for known in values)


class Mark(StrEnum):
    """The mark that a student gets for a class meeting."""

    PRESENT = "present"
    LATE = "late"
    LEFT_EARLY = "left_early"
    PARTIAL = "partial"
    ABSENT = "absent"
    EXCUSED = "excused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided something by hand: `by` is the person that the LMS names, `caller` the account that called."""

    by: str
    caller: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Override:
    """A mark that a person set for one student; it replaces the computed mark."""

    attendee_id: str
    student_id: str | None
    email: str | None
    mark: Mark
    reason: str | None
    decision: Decision

    def concerns(self, entry: RosterEntry | None, attendee_id: str) -> bool:
        """Whether it is about this student, even if the student has another attendee id now."""
        if entry and (self.student_id or self.email):
            return entry.may_be(student_id=self.student_id, email=self.email)
        return self.attendee_id == attendee_id


@dataclass(frozen=True, slots=True)
class Remembered:
    """An account that was assigned to a student once, and has counted as that student since then."""

    student_id: str | None
    email: str | None
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Assignment:
    """This guest is that student.

    Attributes:
        attendee_id: The guest's own id in this class meeting.
        remembered_before: What was remembered about the guest's account before, so that it can be restored when the
            assignment is undone.
        remembered: Whether this assignment makes the system remember the account as this student's.
    """

    attendee_id: str
    student_id: str | None
    email: str | None
    decision: Decision
    user: str | None = None
    remembered: bool = False
    remembered_before: Remembered | None = None


@dataclass(frozen=True, slots=True)
class RoomDevice:
    """This guest is a device in a room, not a person."""

    attendee_id: str
    decision: Decision


Correction = Override | Assignment | RoomDevice

"""The share of class meetings that a student attended in a month, and whether it can still rise; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from functions.domain.classes.roster import Mark, RosterEntry
from functions.domain.classes.sessions import ClassSession, SessionState
from functions.domain.marking.addresses import mailbox, mailboxes

ATTENDED: Final = frozenset({Mark.PRESENT, Mark.LATE, Mark.LEFT_EARLY})
MISSED: Final = frozenset({Mark.PARTIAL, Mark.ABSENT})
COUNTED: Final = ATTENDED | MISSED
"""Marks that count in a share; excused and unknown do not."""

_STILL_TO_COME: Final = frozenset({SessionState.SCHEDULED, SessionState.LIVE})


def share_of(attended: int, missed: int) -> float | None:
    """The share of the counted class meetings that were attended, with three decimals; None if none counts."""
    counted = attended + missed
    return round(attended / counted, 3) if counted else None


@dataclass(frozen=True, slots=True)
class MonthOfStudent:
    """A student's row in a register.

    Attributes:
        student_ids: Every id of the student in class meetings of the month; the next two fields are similar.
        emails: Addresses in their compared form.
        marks: x: The share of the counted class meetings; None if none counts.
    """

    student_id: str | None
    email: str | None
    display_name: str | None
    student_ids: frozenset[str]
    users: frozenset[str]
    emails: frozenset[str]
    marks: Mapping[str, Mark | None]
    share: float | None

    def is_named_by(self, entry: RosterEntry) -> bool:
        """Whether a roster's entry is this student: by id, else by account, else by address, as in registers."""
        for own, value in ((self.student_ids, entry.student_id), (self.users, entry.user)):
            if own and value:
                return value in own
        return entry.email is not None and mailbox(entry.email) in self.emails


@dataclass(frozen=True, slots=True)
class AtRisk:
    """A student whose share is too low.

    Attributes:
        best_possible: The share if the student is present in every class meeting of the month that is still to come.
    """

    student: MonthOfStudent
    share: float
    best_possible: float


def at_risk(
    students: Iterable[MonthOfStudent], sessions: Iterable[ClassSession], *, class_id: str, month: str, below: float
) -> list[AtRisk]:
    """Students of a class whose share of a month is below a limit, the lowest share first.

    Args:
        students: The rows of the class's register of this month.
        sessions: The class's meetings around this month; those of other months are ignored.
        class_id: The class.
        month: The month, such as 2026-11.
        below: The limit; a share equal to it is not below it.
    """
    to_come = [session for session in sessions if _may_still_be_attended(session, month)]
    expected = {session.session_id: _expected(session, class_id) for session in to_come}
    found = []
    for student in students:
        if student.share is not None and student.share < below:
            attended, missed = (sum(mark in kind for mark in student.marks.values()) for kind in (ATTENDED, MISSED))
            upcoming = sum(_is_open(student, name, entries) for name, entries in expected.items())
            best = share_of(attended + upcoming, missed)
            found.append(AtRisk(student, student.share, student.share if best is None else best))
    return sorted(found, key=lambda risk: risk.share)


def _may_still_be_attended(session: ClassSession, month: str) -> bool:
    is_marked = session.plan.takes_place is not None and session.plan.policy.marks
    return is_marked and session.state in _STILL_TO_COME and f"{session.local_date:%Y-%m}" == month


def _expected(session: ClassSession, class_id: str) -> list[RosterEntry]:
    """The students of a class who are expected in a class meeting, without those who teach it."""
    teachers = mailboxes(session.plan.teachers)
    return [
        entry
        for entry in session.plan.roster
        if (entry.class_id or session.plan.class_id) == class_id
        and not (entry.email and mailbox(entry.email) in teachers)
    ]


def _is_open(student: MonthOfStudent, session_id: str, expected: Collection[RosterEntry]) -> bool:
    """Whether a student can still be present in a class meeting: expected, and without a mark that decides it."""
    if student.marks.get(session_id) not in {None, Mark.UNKNOWN}:
        return False
    return any(student.is_named_by(entry) for entry in expected)

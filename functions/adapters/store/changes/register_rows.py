"""One row for each student: decides which entries of class meetings are about the same student.

Pure. In this order: the same `student_id`; the same account; the same address. Entries with different ids are never the
same student (siblings may share an address or a device). If two accounts had an address, one after the other, the
address means two students.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from functions.domain.marking.addresses import mailbox

Row = dict[str, Mapping[str, Any]]
"""What class meetings say about one student, by class meeting, in order of time."""

_ID, _USER, _EMAIL = "student_id", "user", "email"


@dataclass(frozen=True, slots=True)
class Saying:
    """What one class meeting says about a student."""

    session_id: str
    fields: Mapping[str, Any]

    def names(self) -> list[tuple[str, str]]:
        """The names by which it identifies the student, the strongest first, each with its kind."""
        emails = dict.fromkeys(email for email in (self.fields[_EMAIL], *(self.fields.get("emails") or ())) if email)
        strong = [(kind, self.fields[kind]) for kind in (_ID, _USER) if self.fields.get(kind)]
        return [*strong, *((_EMAIL, mailbox(email)) for email in emails)]


def rows_of(sayings: Iterable[Saying], order: Sequence[str]) -> list[Row]:
    """The sayings about each student; the student who was named first comes first.

    Args:
        sayings: The sayings of all class meetings.
        order: The class meetings, in order of time.
    """
    place = {session_id: number for number, session_id in enumerate(order)}
    by_name: dict[tuple[str, str], list[_Student]] = {}
    students: dict[int, _Student] = {}
    for saying in sorted(sayings, key=lambda one: (place[one.session_id], _in_words(one.fields))):
        names = saying.names()
        student = _Student(saying, names)
        for name in names:
            for other in list(by_name.get(name, ())):
                if other is not student and student.may_be(other):
                    student.take(other)
                    del students[id(other)]
                    for taken in other.names:
                        by_name[taken] = [one for one in by_name[taken] if one is not other] + [student]
        students[id(student)] = student
        for name in names:
            if not any(one is student for one in by_name.setdefault(name, [])):
                by_name[name].append(student)
    found = [dict(sorted(student.row.items(), key=lambda item: place[item[0]])) for student in students.values()]
    return sorted(found, key=lambda row: [(place[name], _in_words(fields)) for name, fields in row.items()])


class _Student:
    """Sayings that are known to be about one student."""

    def __init__(self, saying: Saying, names: Iterable[tuple[str, str]]) -> None:
        self.row: Row = {saying.session_id: saying.fields}
        self.names = set(names)

    def may_be(self, other: _Student) -> bool:
        """Whether both can be the same student."""
        if not self.row.keys().isdisjoint(other.row):
            return False  # one class meeting names both
        for kind in (_ID, _USER):
            own, others = self._of(kind), other._of(kind)
            if own and others:
                return not own.isdisjoint(others)
        return True

    def take(self, other: _Student) -> None:
        """Take over the other student's row; the longer row is kept."""
        if len(other.row) > len(self.row):
            self.row, other.row = other.row, self.row
        self.row.update(other.row)
        self.names |= other.names

    def _of(self, kind: str) -> set[str]:
        return {value for own_kind, value in self.names if own_kind == kind}


def _in_words(fields: Mapping[str, Any]) -> tuple[str, str, str]:
    return (fields[_ID] or "", fields[_EMAIL] or "", fields.get(_USER) or "")

"""Rows for a gradebook: a student, and the share of class meetings that the student attended."""

from __future__ import annotations

from collections.abc import Iterable

from functions.domain.classes.sessions import Role
from functions.domain.marking.shares import ATTENDED, COUNTED
from functions.entrypoints.api.schemas.answers import AttendanceAnswer, Register
from functions.entrypoints.api.tables.gradebooks.identifiers import By, identified


def grades_of_session(people: Iterable[AttendanceAnswer], *, by: By) -> list[list[str | float]]:
    """The header row, then each student whose mark counts: 1 if the student attended the class meeting, otherwise 0."""
    counted = [person for person in people if person.role is Role.STUDENT and person.mark in COUNTED]
    rows: list[list[str | float]] = [[by, "share"]]
    rows += [[name, float(person.mark in ATTENDED)] for name, person in identified(counted, by)]
    return rows


def grades_of_register(register: Register, *, by: By) -> list[list[str | float]]:
    """The header row, then each student who has a share in the month."""
    counted = [student for student in register.students if student.share is not None]
    rows: list[list[str | float]] = [[by, "share"]]
    rows += [[name, float(student.share or 0)] for name, student in identified(counted, by)]
    return rows

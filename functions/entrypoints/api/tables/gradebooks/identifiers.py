"""How a file for another program names students, so that the program finds exactly the right one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

from functions.domain.errors import InvalidRequest
from functions.entrypoints.api.tables.cells import text_cell

By = Literal["student_id", "email"]


class _Named(Protocol):
    student_id: str | None
    email: str | None


S = TypeVar("S", bound=_Named)

_HINT = (
    "Give each student on the roster the id or e-mail that the file needs (PUT /api/sessions/{session_id}/roster), or "
    "ask for the file with student_by={other}."
)


def identified(students: Sequence[S], by: By, *, moodle: bool = False) -> list[tuple[str, S]]:
    """Each student with the name that the file uses.

    A file that leaves out a student, or gives a mark to somebody else, would be worse than no file.

    Args:
        students: The students that are in the file.
        by: The field that names them.
        moodle: Whether Moodle reads it: Moodle does not distinguish capitals, and treats a backslash as part of its
            syntax.

    Raises:
        InvalidRequest: A student has no such name, two students have the same, or the program would change a name.
    """
    named = [(student.student_id if by == "student_id" else student.email, student) for student in students]
    found = [(name, student) for name, student in named if name]
    hint = _HINT.replace("{other}", "email" if by == "student_id" else "student_id")
    if missing := len(named) - len(found):
        raise _refused(by, f"{missing} of {len(named)} students have none", hint)
    keys = {name.lower() if moodle else name for name, _ in found}
    if shared := len(found) - len(keys):
        raise _refused(by, f"{shared + 1} or more students have the same", hint)
    if unsafe := sum(text_cell(name) != name or (moodle and "\\" in name) for name, _ in found):
        raise _refused(by, f"{unsafe} of {len(found)} would be changed by the program that reads the file", hint)
    return found


def _refused(by: By, why: str, hint: str) -> InvalidRequest:
    return InvalidRequest.of("student_by", f"cannot be {by}: {why}", hint=hint)

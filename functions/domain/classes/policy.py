"""The rules for the marks of a class. The school may set them, and each class may change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self

from functions.domain.errors import FieldError, InvalidRequest

_WINDOWS = ("held", "scheduled")
_LONGEST_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Policy:
    """How marks are made.

    Attributes:
        marks: Whether there are marks, or only times.
        window: `held`: from the moment the teacher comes until the teacher leaves, unless a colleague took over;
            `scheduled`: as planned.
        late_after_minutes: How long after the start of the window a student may join without being late.
        left_early_minutes: How long before the end of the window a student may leave without having left early.
        min_share: For which share of the window somebody must be there so that the mark is not `partial`.
        min_held_minutes: How long a class must be held to count as held; a shorter class must be held for all of its
            time.
        open_before_minutes: How long before the class a call may end and still be part of it.
        open_after_minutes: How long after the class a call may begin and still be part of it.
    """

    marks: bool = True
    window: str = "held"
    late_after_minutes: float = 5
    left_early_minutes: float = 5
    min_share: float = 0.5
    min_held_minutes: float = 5
    open_before_minutes: float = 30
    open_after_minutes: float = 30

    def changed(self, wanted: Mapping[str, object]) -> Self:
        """This policy with some of its fields replaced.

        Raises:
            InvalidRequest: A field is unknown or cannot have its value; the error names each such field.
        """
        problems = [
            FieldError(f"policy.{name}", reason) for name, value in wanted.items() if (reason := _refusal(name, value))
        ]
        if problems:
            raise InvalidRequest("The policy cannot be used.", errors=tuple(problems))
        checked: dict[str, Any] = dict(wanted)
        return replace(self, **checked)

    @property
    def late_after(self) -> timedelta:
        """How long after the start of the window a student may join without being late."""
        return timedelta(minutes=self.late_after_minutes)

    @property
    def left_early(self) -> timedelta:
        """How long before the end of the window a student may leave without having left early."""
        return timedelta(minutes=self.left_early_minutes)

    @property
    def min_held(self) -> timedelta:
        """How long a class must be held to count as held."""
        return timedelta(minutes=self.min_held_minutes)

    @property
    def open_before(self) -> timedelta:
        """How long before the class a call may end and still be part of it."""
        return timedelta(minutes=self.open_before_minutes)

    @property
    def open_after(self) -> timedelta:
        """How long after the class a call may begin and still be part of it."""
        return timedelta(minutes=self.open_after_minutes)


def _refusal(name: str, value: object) -> str | None:
    """Why a field of a policy cannot have this value; None if it can."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    match name:
        case "marks":
            return None if isinstance(value, bool) else "should be true or false"
        case "window":
            return None if value in _WINDOWS else "should be 'held' or 'scheduled'"
        case "min_share":
            return None if 0 <= number <= 1 else "should be a share between 0 and 1"
        case _ if name in Policy.__dataclass_fields__:
            fits = 0 <= number <= _LONGEST_MINUTES
            return None if fits else f"should be a number of minutes between 0 and {_LONGEST_MINUTES}"
        case _:
            return "is not a field of a policy"

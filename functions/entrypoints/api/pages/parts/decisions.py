"""The table at the end of a report, with what people decided about students."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from functions.entrypoints.api.pages.parts.people import by_name, name_of, said_by_the_rules
from functions.entrypoints.api.pages.typed import typed
from functions.entrypoints.api.pages.wording import MARKS, Clock
from functions.entrypoints.api.schemas.answers import AttendanceAnswer


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """What a person decided about a student; `was` is what the rules say, `now` what counts."""

    name: str
    was: str
    now: str
    reason: str
    by: str
    at: str


def decisions_of(people: Sequence[AttendanceAnswer], clock: Clock) -> list[DecisionRow]:
    """Every mark that was set by hand, ordered by the students' names."""
    return [
        DecisionRow(
            name=name_of(person),
            was=said_by_the_rules(person),
            now=MARKS[person.override.status].word,
            reason=typed(person.override.reason),
            by=typed(person.override.by),
            at=clock.day_and_time(person.override.at),
        )
        for person in by_name(people)
        if person.override
    ]

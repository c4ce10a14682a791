"""Parameters of files that a gradebook imports: how students are named, and which words it uses for marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from functions.domain.classes.roster import Mark
from functions.entrypoints.api.tables.cells import text_cell

GRADEBOOK_FORMATS = ("moodle", "grades")

DEFAULT_STATUSES: Final = "present:P,late:L,left_early:P,partial:A,absent:A,excused:E"
"""The statuses that Moodle's attendance plugin installs in English, chosen so that marks count as in a share.

https://github.com/danmarsden/moodle-mod_attendance/blob/2ebcd2c17e1306a0c762024f35e0c0c808176da0/db/install.php
"""

_ACRONYM_LENGTH = 2
"""https://github.com/danmarsden/moodle-mod_attendance/blob/0fa523d0119004fa01460b7e5b42470fe93415b8/db/install.xml."""

_MARKS = tuple(mark.value for mark in Mark if mark is not Mark.UNKNOWN)


def acronyms_of(statuses: str) -> Mapping[str, str]:
    """The acronym of each mark; a mark that is not named keeps its default.

    Raises:
        ValueError: The text is not of the form `late:L,excused:E`.
    """
    found: dict[str, str] = {}
    for pair in f"{DEFAULT_STATUSES},{statuses}".split(","):
        mark, colon, acronym = pair.partition(":")
        if not colon or mark not in _MARKS:
            raise ValueError(f"should be pairs such as late:L,excused:E, with marks of {', '.join(_MARKS)}")
        if not 1 <= len(acronym) <= _ACRONYM_LENGTH or not _is_plain(acronym):
            raise ValueError("should give each mark an acronym of one or two characters, as in Moodle's status set")
        found[mark] = acronym
    return found


def _is_plain(acronym: str) -> bool:
    return acronym.isprintable() and not set(acronym) & set(' ",;:\\') and text_cell(acronym) == acronym


def _checked(statuses: str) -> str:
    acronyms_of(statuses)
    return statuses


def _only_for(default: str, *formats: str) -> Callable[[str, ValidationInfo], str]:
    def check(value: str, of: ValidationInfo) -> str:
        if value != default and of.data.get("format", formats[0]) not in formats:
            raise ValueError(f"is only for {' and '.join(f'format={name}' for name in formats)}")
        return value

    return check


StudentBy = Annotated[
    Literal["student_id", "email"],
    AfterValidator(_only_for("student_id", *GRADEBOOK_FORMATS)),
    Field(description="For a gradebook file: what names students. Moodle calls a student_id idnumber."),
]
SessionBy = Annotated[
    Literal["start", "external_id"],
    AfterValidator(_only_for("start", "moodle")),
    Field(
        description="For Moodle's file: what names class meetings. `start`: the local time of their start. "
        "`external_id`: if you gave each class the id of Moodle's session as its `external_id`."
    ),
]
Statuses = Annotated[
    str,
    Field(max_length=200, description="For Moodle's file: which acronym of Moodle's status set is used for each mark."),
    AfterValidator(_checked),
    AfterValidator(_only_for(DEFAULT_STATUSES, "moodle")),
]

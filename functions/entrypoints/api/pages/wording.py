"""Marks, times and durations as people say them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self
from zoneinfo import ZoneInfo

from functions.domain.classes.roster import Mark


@dataclass(frozen=True, slots=True)
class MarkWords:
    """A mark as pages show it.

    Attributes:
        name: The name in documents.
        letter: The form for places with room for only one character.
        word: Everywhere else.
        meaning: The explanation in a legend.
    """

    name: str
    letter: str
    word: str
    meaning: str


MARKS: Mapping[str, MarkWords] = {
    words.name: words
    for words in (
        MarkWords(Mark.PRESENT.value, "P", "present", "there for the whole class, or nearly"),
        MarkWords(Mark.LATE.value, "L", "late", "joined after the limit"),
        MarkWords(Mark.LEFT_EARLY.value, "E", "left early", "left before the limit"),
        MarkWords(Mark.PARTIAL.value, "½", "partial", "there for too little of the class"),
        MarkWords(Mark.ABSENT.value, "A", "absent", "not there during the class"),
        MarkWords(Mark.EXCUSED.value, "X", "excused", "excused by hand"),
        MarkWords(Mark.UNKNOWN.value, "?", "unknown", "not decided yet: missing data could still change it"),
    )
}
"""Marks by their name in documents, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Writes times of day in the time zone of a class.

    Attributes:
        zone: The time zone.
        day: The day that need not be named; times of other days name their day.
        offset_changes: Whether clocks change during the class, so that each time must say which clock it means.
    """

    zone: ZoneInfo
    day: date
    offset_changes: bool = False

    @classmethod
    def of(cls, time_zone: str, day: date, moments: Iterable[datetime]) -> Self:
        """A clock for all times between these moments."""
        zone = ZoneInfo(time_zone)
        offsets = {moment.astimezone(zone).utcoffset() for moment in moments}
        return cls(zone, day, len(offsets) > 1)

    def local(self, moment: datetime) -> datetime:
        """The moment there."""
        return moment.astimezone(self.zone)

    def time(self, moment: datetime) -> str:
        """`09:02:11`, cut to the second, with the day or the clock if needed."""
        return f"{self.local(moment):%H:%M:%S}{self._beside(moment)}"

    def minute(self, moment: datetime) -> str:
        """`09:02`, or with seconds if it has any."""
        local = self.local(moment)
        return f"{local:%H:%M:%S}{self._beside(moment)}" if local.second else f"{local:%H:%M}{self._beside(moment)}"

    def span(self, start: datetime, end: datetime) -> str:
        """`09:02:11 to 09:41:05`."""
        return f"{self.time(start)} to {self.time(end)}"

    def minutes(self, start: datetime, end: datetime) -> str:
        """`09:00 to 09:50`."""
        return f"{self.minute(start)} to {self.minute(end)}"

    def day_and_time(self, moment: datetime) -> str:
        """`24 November 2026, 09:02:11`."""
        local = self.local(moment)
        return f"{day_in_words(local.date())}, {local:%H:%M:%S}{self._which(local)}"

    def named(self, moment: datetime) -> str:
        """`Europe/Berlin, UTC+01:00`.

        Each time says which clock it means if one offset would be wrong for some times.
        """
        if self.offset_changes:
            return f"{self.zone.key}, where clocks change meanwhile"
        offset = f"{self.local(moment):%z}"
        return f"{self.zone.key}, UTC{offset[:3]}:{offset[3:5]}" if self.zone.key != "UTC" else "UTC"

    def _beside(self, moment: datetime) -> str:
        local = self.local(moment)
        clock = self._which(local)
        return clock if local.date() == self.day else f"{clock} on {local.day} {local:%B}"

    def _which(self, local: datetime) -> str:
        return f" {local:%Z}" if self.offset_changes else ""


def day_in_words(day: date) -> str:
    """`24 November 2026`."""
    return f"{day.day} {day:%B %Y}"


def length_in_words(seconds: int) -> str:
    """`1 h 2 min 5 s`."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def length_in_digits(seconds: int) -> str:
    """`1:02:05`."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def counted(number: int, one: str, many: str) -> str:
    """`1 guest`, `2 guests`."""
    return f"{number} {one if number == 1 else many}"


def listed(names: Iterable[str]) -> str:
    """`Ada, Bob and Cat`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last

"""People of a class meeting as rows, in groups: teachers, students, guests, devices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from functions.domain.classes.sessions import Role
from functions.domain.conferences.model import Kind
from functions.entrypoints.api.lists.name_order import by_letters
from functions.entrypoints.api.pages.parts.class_time import ClassTime
from functions.entrypoints.api.pages.parts.facts import number_expected
from functions.entrypoints.api.pages.parts.timeline import Bar, bars, visits
from functions.entrypoints.api.pages.typed import isolated, seen, typed
from functions.entrypoints.api.pages.wording import MARKS, MarkWords, length_in_digits
from functions.entrypoints.api.schemas.answers import AttendanceAnswer, SessionAnswer


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about a person that contains a name, which may be written in any direction."""

    before: str
    name: str
    after: str


@dataclass(frozen=True, slots=True)
class Row:
    """A person.

    Attributes:
        name: The name to show; `details` contain the section, and distinguish people with the same name.
        mark: The mark; None for people who get none.
        by_hand: What the rules say, if a person decided something else.
        notes: Further remarks, one sentence each.
        presence: How long the person was there, in digits; empty for people who never came.
        bars: The visits as geometry; `times` has them in words, one for each visit.
    """

    name: str
    details: tuple[str, ...]
    mark: MarkWords | None
    by_hand: str | None
    reason: str
    notes: tuple[Note, ...]
    presence: str
    bars: tuple[Bar, ...]
    times: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """People of one kind, under a heading."""

    anchor: str
    title: str
    note: str
    rows: tuple[Row, ...]
    has_marks: bool = False


def groups_of(session: SessionAnswer, people: Sequence[AttendanceAnswer], time: ClassTime) -> list[Group]:
    """Teachers, students, guests, devices; without empty groups."""
    make, ordered = _Rows(session, people, time), by_name(people)
    guests = [one for one in ordered if one.role is Role.GUEST and one.kind is not Kind.ROOM]
    if session.scheduled_start and not number_expected(session):
        title, note = "Guests", ""
    elif session.scheduled_start:
        title = "Guests who may be students"
        note = (
            "They were in the call, but their account or address does not belong to a student on the roster. A name "
            "alone is not enough. Their time counts for a student once a person assigns them."
        )
    else:
        title, note = "People in the call", ""
    students = [one for one in ordered if one.role is Role.STUDENT]
    marked = any(one.mark or one.override for one in students)
    found = [
        Group("teachers", "Teachers", "", tuple(make.row(one) for one in ordered if one.role is Role.TEACHER)),
        Group("students", "Students", "", tuple(map(make.row, students)), has_marks=marked),
        Group("guests", title, note, tuple(map(make.row, guests))),
        Group(
            "rooms",
            "Devices in rooms",
            "They do not count as people.",
            tuple(make.row(one) for one in ordered if one.role is Role.GUEST and one.kind is Kind.ROOM),
        ),
    ]
    return [group for group in found if group.rows]


def name_of(person: AttendanceAnswer) -> str:
    """The name to show for somebody, which is never empty."""
    nameless = _SHOWS_NOTHING if person.display_name else "Unknown account"
    return seen(person.display_name) or person.email or seen(person.student_id) or nameless


def said_by_the_rules(person: AttendanceAnswer) -> str:
    """What the rules say about a student whose mark a person decided."""
    return MARKS[person.status].word if person.status else "nothing"


def by_name(people: Iterable[AttendanceAnswer]) -> list[AttendanceAnswer]:
    """People in the order that every group uses."""
    return sorted(people, key=lambda one: (by_letters(name_of(one)), one.attendee_id))


class _Rows:
    """Makes the rows for the people of one class meeting."""

    def __init__(self, session: SessionAnswer, people: Sequence[AttendanceAnswer], time: ClassTime) -> None:
        self._session = session
        self._time = time
        self._clock = time.clock
        self._names = {person.attendee_id: name_of(person) for person in people}

    def row(self, person: AttendanceAnswer) -> Row:
        """A person as a row."""
        override = person.override
        return Row(
            name=name_of(person),
            details=tuple(_details(person, self._session)),
            mark=MARKS[person.mark] if person.mark else None,
            by_hand=said_by_the_rules(person) if override else None,
            reason=typed(override.reason if override else person.status_reason),
            notes=tuple(self._notes(person)),
            presence=self._presence(person),
            bars=self._bars(person),
            times=tuple(self._times(person)),
        )

    def _bars(self, person: AttendanceAnswer) -> tuple[Bar, ...]:
        if self._time.axis is None:
            return ()
        return bars(person.sessions, self._time.axis, self._clock, open_end=self._time.open_end)

    def _presence(self, person: AttendanceAnswer) -> str:
        seconds = person.in_class_seconds if self._session.scheduled_start else person.total_duration_seconds
        return length_in_digits(seconds) if person.sessions else ""

    def _times(self, person: AttendanceAnswer) -> list[str]:
        ends_open = {one.end_time for one in person.sessions if one.open}
        ends_told = {one.end_time for one in person.sessions if not one.open}
        return [
            self._clock.span(visit.start, visit.end)
            + (f" ({self._time.open_end})" if visit.end in ends_open - ends_told else "")
            for visit in visits(person.sessions)
        ]

    def _notes(self, person: AttendanceAnswer) -> list[Note]:
        found = [
            Note(
                "Includes the time of the guest",
                seen(merged.display_name) or _SHOWS_NOTHING,
                f", assigned by {isolated(merged.by)} on {self._clock.day_and_time(merged.at)}.",
            )
            for merged in person.merged
        ]
        found += [
            Note("Has the same name as" if suggestion.match == "same" else "Has a name like", name, ".")
            for suggestion in person.suggestions
            if (name := self._names.get(suggestion.attendee_id))
        ]
        return found


_SHOWS_NOTHING = "Name that shows nothing"
_KINDS = {
    Kind.ANONYMOUS: "not signed in",
    Kind.PHONE: "by telephone",
    Kind.ROOM: "device in a room",
    Kind.SIGNED_IN: "signed in",
}


def _details(person: AttendanceAnswer, session: SessionAnswer) -> list[str]:
    """The person's section, if it is not the class's own, and what distinguishes people with the same name.

    This is the address if the account is known, otherwise how the person joined.
    """
    name = name_of(person)
    known = [known for known in (typed(person.student_id), person.email) if known and known != name]
    kind = _KINDS.get(person.kind)
    section = [typed(person.class_id)] if person.class_id and person.class_id != session.class_id else []
    return [*section, *known, *([kind] if kind and (person.role is Role.GUEST or not known) else [])]

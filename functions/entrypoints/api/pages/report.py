"""A class meeting with everybody's attendance -> all that its page shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.domain.intervals import Interval
from functions.domain.model import Kind, SyncSource, SyncState, is_reported
from functions.domain.sessions import Role, SessionState
from functions.entrypoints.api.answers import AttendanceAnswer, SessionAnswer
from functions.entrypoints.api.pages.timeline import Axis, Bar, Tick, bars, visits
from functions.entrypoints.api.pages.wording import (
    MARKS,
    Clock,
    MarkWords,
    counted,
    day_in_words,
    length_in_digits,
    length_in_words,
)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know before anything is read; `kind` is `state`, or `warning` where the record may still change."""

    kind: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the summary: what is said under this term, and a word beside it."""

    term: str
    texts: tuple[str, ...]
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """How many students have a mark."""

    mark: MarkWords
    number: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """What all rows share: the axis, and the times that are marked on it."""

    start: str
    end: str
    ticks: tuple[Tick, ...]
    planned: Bar | None
    taught: Bar | None


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about a person in which somebody's name stands, which may be written in any direction."""

    before: str
    name: str
    after: str


@dataclass(frozen=True, slots=True)
class Row:
    """A person.

    Attributes:
        name: As people know them; `details` say their section, and tell people of one name apart.
        mark: None for whoever gets none.
        by_hand: What the rules had said, if a person decided otherwise.
        notes: What else to know, a sentence each.
        presence: How long they were there, in digits; empty for whoever never came.
        bars: When, as geometry; `times` in words, one for each visit.
    """

    name: str
    details: tuple[str, ...]
    mark: MarkWords | None
    by_hand: str | None
    reason: str | None
    notes: tuple[Note, ...]
    presence: str
    bars: tuple[Bar, ...]
    times: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """People of a kind, under a heading."""

    anchor: str
    title: str
    note: str
    rows: tuple[Row, ...]
    has_marks: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a student; `was` is what the rules say, `now` what counts."""

    name: str
    was: str
    now: str
    reason: str | None
    by: str
    at: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page of a class meeting shows."""

    title: str
    subject: str
    class_id: str | None
    day: str
    hours: str
    zone: str
    notices: tuple[Notice, ...]
    facts: tuple[Fact, ...]
    counts: tuple[Count, ...]
    guests: int
    timeline: Timeline | None
    open_end: str | None
    groups: tuple[Group, ...]
    decisions: tuple[Decision, ...]
    presence_head: str
    as_of: str
    session_id: str


def report_of(session: SessionAnswer, people: Sequence[AttendanceAnswer]) -> Report:
    """The page of a class meeting."""
    axis = _axis(session, people)
    start, end = (session.scheduled_start, session.scheduled_end) if session.scheduled_start else _actual(session)
    clock = _clock(session, axis, people)
    day = clock.local(session.session_start)
    subject = session.subject or ("Unnamed class" if session.scheduled_start else "Unscheduled meeting")
    return Report(
        title=f"{subject}, {day_in_words(day.date())}",
        subject=subject,
        class_id=session.class_id,
        day=f"{day:%A}, {day_in_words(day.date())}",
        hours=clock.minutes(start, end) if start and end else clock.minute(session.session_start),
        zone=clock.named(session.session_start),
        notices=tuple(_notices(session, people)),
        facts=tuple(_facts(session, people, clock)),
        counts=tuple(
            Count(words, number) for name, words in MARKS.items() if (number := getattr(session.counts, name))
        ),
        guests=session.counts.guests,
        timeline=_timeline(session, axis, clock) if axis else None,
        open_end=_open_end(session) if any(one.open for person in people for one in person.sessions) else None,
        groups=tuple(_groups(session, people, _People(axis, clock, people, session))),
        decisions=tuple(_decisions(people, clock)),
        presence_head="In class" if session.scheduled_start else "In the call",
        as_of=clock.day_and_time(session.updated_at) if session.updated_at else "",
        session_id=session.session_id,
    )


# --- The summary -------------------------------------------------------------------------------------------------

_STATES: Mapping[SessionState, tuple[str, str]] = {
    SessionState.LIVE: (
        "This class is not over",
        "Its call goes on, or may be opened again before the class ends. Times and marks can still change.",
    ),
    SessionState.NOT_HELD: (
        "This class was not held",
        "No teacher, and no two people at once, were there for long enough. Nobody gets a mark, unless by hand.",
    ),
    SessionState.CANCELLED: ("This class was cancelled", "It is kept here, and nobody gets a mark for it."),
}


def _notices(session: SessionAnswer, people: Sequence[AttendanceAnswer]) -> list[Notice]:
    """What state it is in and what is not complete, the most important first."""
    found = []
    if session.state in _STATES:
        title, text = _STATES[session.state]
        found.append(Notice("state", title, text + (_all_the_same(session, people) if session.held_elsewhere else "")))
    elif session.state is SessionState.SCHEDULED:
        found.append(_nobody_yet(session))
    elif not session.scheduled_start:
        found.append(
            Notice(
                "state",
                "Nobody planned this meeting",
                "It was held without a class in the timetable. There are times, and no marks.",
            )
        )
    found += _incomplete(session)
    if unknown := session.counts.unknown:
        are = counted(unknown, "student has no mark yet", "students have no mark yet")
        found.append(Notice("warning", f"{are[0].upper()}{are[1:]}", "The reason stands beside each of them."))
    if session.policy.marks is False and session.scheduled_start:
        found.append(Notice("state", "Marks are switched off for this class", "Only times are recorded."))
    if session.state is SessionState.ENDED and session.scheduled_start and not _expected(session):
        came = any(person.kind is not Kind.ROOM and person.role is not Role.TEACHER for person in people)
        text = "Whoever came stands here as a guest." if came else "No student can be marked, and no guest came."
        found.append(Notice("state", "No student is expected in this class", text))
    return found


def _nobody_yet(session: SessionAnswer) -> Notice:
    """True before the class and after it: a page says nothing that the time alone would change."""
    if session.due_at:
        text = (
            "It is still to come, or Google Meet has not been asked about it yet. That happens by itself once it ends; "
            "marks that were set by hand stand here from then on."
        )
    else:
        text = "Google Meet is not asked about it any more, because it forgets calls after 30 days."
    return Notice("state", "Nobody has been seen in this class yet", text)


def _all_the_same(session: SessionAnswer, people: Iterable[AttendanceAnswer]) -> str:
    """What to say of those who were in the call of a class that was not held."""
    start, end = session.scheduled_start, session.scheduled_end
    sessions = [one for person in people if person.kind is not Kind.ROOM for one in person.sessions]
    if start and end and any(one.start_time < end and start <= one.end_time for one in sessions):
        return " Whoever was in its call all the same stands below."
    return " People were in its call at another time near the class."


def _expected(session: SessionAnswer) -> int:
    """How many students are expected: a teacher who stands on the roster is none."""
    return sum(entry.email not in session.teacher_emails for entry in session.roster)


def _incomplete(session: SessionAnswer) -> list[Notice]:
    match session.sync:
        case None if session.state is SessionState.ENDED:
            text = "Google Meet has not been asked yet who was there. That happens by itself."
            return [Notice("warning", "This record is not complete", text)]
        case None:
            return []
        case sync if sync.state is not SyncState.FAILED and any(map(is_reported, session.conference_records)):
            text = (
                "A call of this class is known from Google's reports alone, in which people may be missing. Times and "
                "marks may follow if the reports are read again, or if Google Meet tells of the call."
            )
            return [Notice("warning", "This record is not final", text)]
        case sync if sync.state is SyncState.PROVISIONAL:
            text = "Google Meet's data can still change. It is read again by itself; times and marks may follow."
            return [Notice("warning", "This record is not final", text)]
        case sync if sync.state is SyncState.FAILED:
            words = [sync.error.message, sync.error.hint] if sync.error else []
            text = " ".join(["Google Meet could not be read, or not all of it.", *filter(None, words)])
            return [Notice("warning", "This record is not complete", text)]
        case _:
            return []


def _facts(session: SessionAnswer, people: Sequence[AttendanceAnswer], clock: Clock) -> list[Fact]:
    found = []
    if session.teacher_emails:
        names = {person.email: person.display_name for person in people if person.role is Role.TEACHER}
        teachers = [names.get(email) or email for email in session.teacher_emails]
        beside = ", ".join(email for email in session.teacher_emails if names.get(email))
        found.append(Fact("Teacher" if len(teachers) == 1 else "Teachers", tuple(teachers), beside))
    if session.scheduled_start and session.scheduled_end:
        planned = clock.minutes(session.scheduled_start, session.scheduled_end)
        found.append(Fact("Planned", (planned,), _length(session.scheduled_start, session.scheduled_end)))
    live = session.state is SessionState.LIVE
    if session.held_start and session.held_end:
        held, length = clock.span(session.held_start, session.held_end), _length(session.held_start, session.held_end)
        found.append(Fact("Held by the teacher", (held,), f"{length} so far" if live else length))
    elif session.scheduled_start and session.state is SessionState.ENDED and _is_complete(session):
        came = any(person.role is Role.TEACHER and person.sessions for person in people)
        not_seen = "not seen during the class" if came else "not seen in the call"
        beside = "" if session.policy.marks is False else "marks go by the planned time"
        found.append(Fact("Held by the teacher", (not_seen,), beside))
    found += _calls(session, clock)
    if expected := _expected(session):
        found.append(Fact("Expected", (counted(expected, "student", "students"),)))
    if session.meeting_code:
        found.append(Fact("Meeting code", (session.meeting_code,)))
    if session.sync and session.sync.pulled_at:
        source = "Google's reports" if session.sync.source == SyncSource.REPORTS else "Meet"
        failed = session.sync.state is SyncState.FAILED
        term = f"{source} last asked" if failed else f"Read from {source}"
        found.append(Fact(term, (clock.day_and_time(session.sync.pulled_at),)))
    return found


def _calls(session: SessionAnswer, clock: Clock) -> list[Fact]:
    if not session.actual_start:
        return []
    several = len(session.conference_records) > 1
    term = "Calls" if several else "Call"
    if not session.actual_end or session.state is SessionState.LIVE:
        return [Fact(term, (f"since {clock.time(session.actual_start)}",))]
    # Between several calls there may be hours without any, so no length is told of them.
    calls = f"{len(session.conference_records)} calls, from the start of the first to the last end"
    beside = calls if several else _length(*_actual(session))
    return [Fact(term, (clock.span(session.actual_start, session.actual_end),), beside)]


def _is_complete(session: SessionAnswer) -> bool:
    return session.sync is not None and session.sync.state is SyncState.COMPLETE


def _length(start: datetime | None, end: datetime | None) -> str:
    return length_in_words(int((end - start).total_seconds())) if start and end else ""


# --- People ------------------------------------------------------------------------------------------------------


class _People:
    """Makes rows of people of one class meeting."""

    def __init__(
        self, axis: Axis | None, clock: Clock, people: Sequence[AttendanceAnswer], session: SessionAnswer
    ) -> None:
        self._session = session
        self._axis = axis
        self._clock = clock
        self._scheduled = session.scheduled_start is not None
        self._open_end = _open_end(session)
        self._names = {person.attendee_id: _name(person) for person in people}

    def row(self, person: AttendanceAnswer) -> Row:
        """A person as a row."""
        override = person.override
        return Row(
            name=_name(person),
            details=tuple(_details(person, self._session)),
            mark=MARKS[person.mark] if person.mark else None,
            by_hand=_said(person) if override else None,
            reason=override.reason if override else person.status_reason,
            notes=tuple(self._notes(person)),
            presence=self._presence(person),
            bars=bars(person.sessions, self._axis, self._clock, open_end=self._open_end) if self._axis else (),
            times=tuple(self._times(person)),
        )

    def _presence(self, person: AttendanceAnswer) -> str:
        seconds = person.in_class_seconds if self._scheduled else person.total_duration_seconds
        return length_in_digits(seconds) if person.sessions else ""

    def _times(self, person: AttendanceAnswer) -> list[str]:
        ends_open = {one.end_time for one in person.sessions if one.open}
        ends_told = {one.end_time for one in person.sessions if not one.open}
        return [
            self._clock.span(visit.start, visit.end)
            + (f" ({self._open_end})" if visit.end in ends_open - ends_told else "")
            for visit in visits(person.sessions)
        ]

    def _notes(self, person: AttendanceAnswer) -> list[Note]:
        found = [
            Note(
                "Includes the time of the guest",
                merged.display_name,
                f", as {merged.by} said on {self._clock.day_and_time(merged.at)}.",
            )
            for merged in person.merged
        ]
        found += [
            Note("Has the same name as" if suggestion.match == "same" else "Has a name like", name, ".")
            for suggestion in person.suggestions
            if (name := self._names.get(suggestion.attendee_id))
        ]
        return found


def _open_end(session: SessionAnswer) -> str:
    """What to say of an end that Meet did not tell."""
    return "still there when last asked" if session.state is SessionState.LIVE else "end not told by Google Meet"


_KINDS = {
    Kind.ANONYMOUS: "not signed in",
    Kind.PHONE: "by telephone",
    Kind.ROOM: "device in a room",
    Kind.SIGNED_IN: "signed in",
}


def _name(person: AttendanceAnswer) -> str:
    return person.display_name or person.email or person.student_id or "Unknown account"


def _details(person: AttendanceAnswer, session: SessionAnswer) -> list[str]:
    """Whose section they are in, if not the class's, and what tells people of one name apart.

    That is where an account is known its address, else how they came.
    """
    name = _name(person)
    known = [known for known in (person.student_id, person.email) if known and known != name]
    kind = _KINDS.get(person.kind)
    section = [person.class_id] if person.class_id and person.class_id != session.class_id else []
    return [*section, *known, *([kind] if kind and (person.role is Role.GUEST or not known) else [])]


def _said(person: AttendanceAnswer) -> str:
    """What the rules say of somebody for whom a person decided."""
    return MARKS[person.status].word if person.status else "nothing"


def _groups(session: SessionAnswer, people: Sequence[AttendanceAnswer], make: _People) -> list[Group]:
    """Teachers, students, guests, devices; without those of which there are none."""
    by_name = sorted(people, key=lambda one: (_name(one).casefold(), one.attendee_id))
    guests = [one for one in by_name if one.role is Role.GUEST and one.kind is not Kind.ROOM]
    if session.scheduled_start:
        title = "Guests who may be students"
        note = (
            "They were in the call, and no account or address ties them to a student. A name alone never does. "
            "Their time counts for a student once a person says whose it is."
        )
    else:
        title, note = "People in the call", ""
    students = [one for one in by_name if one.role is Role.STUDENT]
    marked = any(one.mark or one.override for one in students)
    found = [
        Group("teachers", "Teachers", "", tuple(make.row(one) for one in by_name if one.role is Role.TEACHER)),
        Group("students", "Students", "", tuple(map(make.row, students)), has_marks=marked),
        Group("guests", title, note, tuple(map(make.row, guests))),
        Group(
            "rooms",
            "Devices in rooms",
            "They count for nothing.",
            tuple(make.row(one) for one in by_name if one.role is Role.GUEST and one.kind is Kind.ROOM),
        ),
    ]
    return [group for group in found if group.rows]


def _decisions(people: Sequence[AttendanceAnswer], clock: Clock) -> list[Decision]:
    return [
        Decision(
            name=_name(person),
            was=_said(person),
            now=MARKS[person.override.status].word,
            reason=person.override.reason,
            by=person.override.by,
            at=clock.day_and_time(person.override.at),
        )
        for person in sorted(people, key=lambda one: (_name(one).casefold(), one.attendee_id))
        if person.override
    ]


# --- Time --------------------------------------------------------------------------------------------------------


def _actual(session: SessionAnswer) -> tuple[datetime | None, datetime | None]:
    return session.actual_start, session.actual_end


def _axis(session: SessionAnswer, people: Sequence[AttendanceAnswer]) -> Axis | None:
    """From the first thing that is shown to the last; None if nobody came."""
    seen = [moment for person in people for one in person.sessions for moment in (one.start_time, one.end_time)]
    if not seen:
        return None
    planned = (session.scheduled_start, session.scheduled_end, session.held_start, session.held_end)
    return Axis.over([*seen, *planned])


def _clock(session: SessionAnswer, axis: Axis | None, people: Sequence[AttendanceAnswer]) -> Clock:
    shown = [session.session_start, session.scheduled_end, *_actual(session)]
    shown += [axis.start, axis.end] if axis else []
    shown += [person.first_joined_at for person in people]
    day = datetime.fromisoformat(session.local_date).date()
    return Clock.of(session.time_zone, day, (moment for moment in shown if moment is not None))


def _timeline(session: SessionAnswer, axis: Axis, clock: Clock) -> Timeline:
    def band(start: datetime | None, end: datetime | None) -> Bar | None:
        return axis.bar(Interval(start, end), clock) if start and end else None

    return Timeline(
        start=axis.start.isoformat(),
        end=axis.end.isoformat(),
        ticks=axis.ticks(clock),
        planned=band(session.scheduled_start, session.scheduled_end),
        taught=band(session.held_start, session.held_end),
    )

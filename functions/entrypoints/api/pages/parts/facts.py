"""The summary of a class meeting (who held it and when), as terms with their descriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.domain.classes.sessions import Role, SessionState
from functions.domain.conferences.model import SyncSource, SyncState
from functions.domain.marking.addresses import mailbox, mailboxes
from functions.entrypoints.api.pages.typed import seen
from functions.entrypoints.api.pages.wording import Clock, counted, length_in_words
from functions.entrypoints.api.schemas.answers import AttendanceAnswer, SessionAnswer


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the summary: a term, its description, and a note next to it."""

    term: str
    texts: tuple[str, ...]
    note: str = ""


def facts_of(session: SessionAnswer, people: Sequence[AttendanceAnswer], clock: Clock) -> list[Fact]:
    """The lines of the summary, in the order of the page."""
    found = []
    if session.teacher_emails:
        names = {person.email: seen(person.display_name) for person in people if person.role is Role.TEACHER}
        teachers = [names.get(email) or email for email in session.teacher_emails]
        note = ", ".join(email for email in session.teacher_emails if names.get(email))
        found.append(Fact("Teacher" if len(teachers) == 1 else "Teachers", tuple(teachers), note))
    if session.scheduled_start and session.scheduled_end:
        planned = clock.minutes(session.scheduled_start, session.scheduled_end)
        found.append(Fact("Planned", (planned,), _length(session.scheduled_start, session.scheduled_end)))
    live = session.state is SessionState.LIVE
    if session.held_start and session.held_end:
        held, length = clock.span(session.held_start, session.held_end), _length(session.held_start, session.held_end)
        found.append(Fact("Held by the teacher", (held,), f"{length} so far" if live else length))
    elif session.scheduled_start and session.state is SessionState.ENDED and _is_complete(session):
        note = "" if session.policy.marks is False else "marks use the planned time"
        found.append(Fact("Held by the teacher", (_not_held_by_teacher(people),), note))
    found += _calls(session, clock)
    if expected := number_expected(session):
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
    # Several calls may have hours between them, so their total length is not shown.
    calls = f"{len(session.conference_records)} calls, from the start of the first to the end of the last"
    note = calls if several else _length(session.actual_start, session.actual_end)
    return [Fact(term, (clock.span(session.actual_start, session.actual_end),), note)]


def _is_complete(session: SessionAnswer) -> bool:
    return session.sync is not None and session.sync.state is SyncState.COMPLETE


def _length(start: datetime | None, end: datetime | None) -> str:
    return length_in_words(int((end - start).total_seconds())) if start and end else ""


def number_expected(session: SessionAnswer) -> int:
    """How many students are expected; teachers on the roster do not count."""
    teaching = mailboxes(session.teacher_emails)
    return sum(entry.email is None or mailbox(entry.email) not in teaching for entry in session.roster)


def _not_held_by_teacher(people: Sequence[AttendanceAnswer]) -> str:
    """Why the planned time counts and not a teacher's time."""
    teachers = [person for person in people if person.role is Role.TEACHER and person.sessions]
    if any(person.in_class_seconds for person in teachers):
        return "there for too little of the class"
    return "not seen during the class" if teachers else "not seen in the call"

"""The state of a class meeting and what is not complete: what a reader must know first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from functions.domain.classes.sessions import Role, SessionState
from functions.domain.conferences.model import Kind, SyncState, is_reported
from functions.entrypoints.api.pages.parts.facts import number_expected
from functions.entrypoints.api.pages.wording import counted
from functions.entrypoints.api.schemas.answers import AttendanceAnswer, SessionAnswer


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a reader must know first; `kind` is `state`, or `warning` if the record may still change."""

    kind: str
    title: str
    text: str


_STATES: Mapping[SessionState, tuple[str, str]] = {
    SessionState.LIVE: (
        "This class is not over",
        "The call is still open, or people may join it again before the class ends. Times and marks can still change.",
    ),
    SessionState.NOT_HELD: (
        "This class was not held",
        "Neither a teacher nor two people at once were there for long enough. Only marks set by hand count.",
    ),
    SessionState.CANCELLED: ("This class was cancelled", "It is kept here. Students get no marks for it."),
}

_NO_CALL = (
    "Google Meet did not find a call for this class. Students get no marks, except marks set by hand. If the class "
    "was held with another link, that call can be added to it."
)


_ERASED = "Nothing that is shown here is about them: not who they were, and not whether they came."


def notices_of(session: SessionAnswer, people: Sequence[AttendanceAnswer]) -> list[Notice]:
    """Its state and what is not complete, the most important notice first."""
    found = []
    if session.state in _STATES:
        title, text = _STATES[session.state]
        if session.state is SessionState.NOT_HELD and not (session.conference_records or session.held_elsewhere):
            text = _NO_CALL
        found.append(Notice("state", title, text + (_all_the_same(session, people) if session.held_elsewhere else "")))
    elif session.state is SessionState.SCHEDULED:
        found.append(_nobody_yet(session))
    elif not session.scheduled_start:
        found.append(
            Notice(
                "state",
                "This meeting was not scheduled",
                "It does not belong to a class in the timetable. It has times but no marks.",
            )
        )
    found += _incomplete(session)
    if unknown := session.counts.unknown:
        are = counted(unknown, "student has no mark yet", "students have no mark yet")
        whose = "the name" if unknown == 1 else "each name"
        found.append(Notice("warning", f"{are[0].upper()}{are[1:]}", f"The reason is next to {whose}."))
    if erased := session.counts.erased:
        people_are = counted(erased, "person was erased from this record", "people were erased from this record")
        found.append(Notice("state", f"{people_are[0].upper()}{people_are[1:]}", _ERASED))
    if session.policy.marks is False and session.scheduled_start:
        found.append(Notice("state", "Marks are switched off for this class", "Only times are recorded."))
    if session.state is SessionState.ENDED and session.scheduled_start and not number_expected(session):
        came = any(person.kind is not Kind.ROOM and person.role is not Role.TEACHER for person in people)
        text = "People who came are listed as guests." if came else "There are no students to mark, and no guests came."
        found.append(Notice("state", "No student is expected in this class", text))
    return found


def _nobody_yet(session: SessionAnswer) -> Notice:
    """The text is true both before and after the class, because a page contains nothing that changes only with time."""
    if session.due_at:
        text = (
            "The class has not happened yet, or Google Meet has not been asked about it yet. The system asks by "
            "itself when the class ends; from then on, marks set by hand are shown here too."
        )
    else:
        text = "Google Meet is no longer asked about this class, because it deletes its data after 30 days."
    return Notice("state", "Nobody has been seen in this class yet", text)


def _all_the_same(session: SessionAnswer, people: Iterable[AttendanceAnswer]) -> str:
    """What to say about people who were in the call of a class that was not held."""
    start, end = session.scheduled_start, session.scheduled_end
    sessions = [one for person in people if person.kind is not Kind.ROOM for one in person.sessions]
    if start and end and any(one.start_time < end and start <= one.end_time for one in sessions):
        return " People who were in the call are listed below."
    return " People were in its call at another time, shortly before or after the class."


def _incomplete(session: SessionAnswer) -> list[Notice]:
    match session.sync:
        case None if session.state is SessionState.ENDED:
            text = "Google Meet has not been asked yet who was there. The system asks by itself."
            return [Notice("warning", "This record is not complete", text)]
        case None:
            return []
        case sync if sync.state is not SyncState.FAILED and any(map(is_reported, session.conference_records)):
            text = (
                "A call of this class is known only from Google's reports, and people may be missing in them. Times "
                "and marks may change if the reports are read again, or if Google Meet reports the call."
            )
            return [Notice("warning", "This record is not final", text)]
        case sync if sync.state is SyncState.PROVISIONAL:
            text = "Google Meet's data can still change. It is read again by itself; times and marks may change."
            return [Notice("warning", "This record is not final", text)]
        case sync if sync.state is SyncState.FAILED:
            text = "The data from Google Meet could not be read, or only a part of it."
            if sync.error:
                text += f" {sync.error.message} For those who run this system: {sync.error.hint}"
            return [Notice("warning", "This record is not complete", text)]
        case _:
            return []

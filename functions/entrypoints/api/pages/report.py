"""Converts a class meeting with everybody's attendance to everything that its page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from functions.entrypoints.api.pages.parts.class_time import ClassTime, Timeline, timeline_of
from functions.entrypoints.api.pages.parts.decisions import DecisionRow, decisions_of
from functions.entrypoints.api.pages.parts.facts import Fact, facts_of
from functions.entrypoints.api.pages.parts.notices import Notice, notices_of
from functions.entrypoints.api.pages.parts.people import Group, groups_of
from functions.entrypoints.api.pages.typed import isolated, seen, typed
from functions.entrypoints.api.pages.wording import MARKS, MarkWords, day_in_words
from functions.entrypoints.api.schemas.answers import AttendanceAnswer, SessionAnswer


@dataclass(frozen=True, slots=True)
class Count:
    """How many students have a mark."""

    mark: MarkWords
    number: int


@dataclass(frozen=True, slots=True)
class ReportPage:
    """Everything that the page of a class meeting shows."""

    title: str
    subject: str
    class_id: str
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
    decisions: tuple[DecisionRow, ...]
    presence_head: str
    as_of: str
    session_id: str


def report_of(session: SessionAnswer, people: Sequence[AttendanceAnswer]) -> ReportPage:
    """The page of a class meeting."""
    time = ClassTime.of(session, people)
    clock = time.clock
    planned = (session.scheduled_start, session.scheduled_end)
    start, end = planned if session.scheduled_start else (session.actual_start, session.actual_end)
    day = clock.local(session.session_start)
    subject = seen(session.subject) or ("Unnamed class" if session.scheduled_start else "Unscheduled meeting")
    named = (isolated(subject), isolated(session.class_id))
    return ReportPage(
        title=f"{' '.join(filter(None, named))}, {day_in_words(day.date())}",
        subject=subject,
        class_id=typed(session.class_id),
        day=f"{day:%A}, {day_in_words(day.date())}",
        hours=clock.minutes(start, end) if start and end else clock.minute(session.session_start),
        zone=clock.named(session.session_start),
        notices=tuple(notices_of(session, people)),
        facts=tuple(facts_of(session, people, clock)),
        counts=tuple(
            Count(words, number) for name, words in MARKS.items() if (number := getattr(session.counts, name))
        ),
        guests=session.counts.guests,
        timeline=timeline_of(session, time),
        open_end=time.open_end if any(one.open for person in people for one in person.sessions) else None,
        groups=tuple(groups_of(session, people, time)),
        decisions=tuple(decisions_of(people, clock)),
        presence_head="In class" if session.scheduled_start else "In the call",
        as_of=clock.day_and_time(session.updated_at) if session.updated_at else "",
        session_id=session.session_id,
    )

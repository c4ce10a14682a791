"""Make Calendar show class meetings as they are stored.

Every commit that changes what Calendar should show marks the class meeting as waiting for Calendar. Right afterwards,
and by `sync-due` until it succeeds, what is stored is compared with what Calendar shows. Calendar is read before the
store, and an event is changed only if it is still as it was read. So if two processes do this at once, the one with
older data writes nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from functions.domain.classes.calendar import (
    Details,
    Event,
    EventChange,
    EventRemoval,
    Step,
    details_of,
    is_there,
    not_shown,
    shown,
    steps,
    waits,
    with_entry,
)
from functions.domain.classes.sessions import CalendarEntry, ClassSession
from functions.domain.conferences.model import Organizer
from functions.domain.errors import CALENDAR_UNAVAILABLE, AttendanceError, Unavailable
from functions.ports.google import Calendar
from functions.ports.store import Work
from functions.services.classes.add_to_calendar import require_calendar
from functions.services.deps import Deps
from functions.services.sync.marking import mark

JOB = "follow-calendar"

AT_ONCE = 60.0
"""How many seconds a caller of the API waits for Calendar; after that the job continues."""

ROUNDS = 10
"""How often it is tried again if others change the same event or the same class meetings meanwhile."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What Calendar showed, and the class meetings that it was compared with."""

    event: Event | None
    occurrences: Mapping[datetime, Event]
    sessions: tuple[ClassSession, ...]


@dataclass(slots=True)
class _Done:
    """What was done so far: the last step of each event, the people who got an e-mail, and the number of steps.

    What Calendar accepted counts as done, even if it shows it in its own way.
    """

    last: dict[str, Step] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    number: int = 0

    def has(self, step: Step) -> bool:
        """Whether the last step brought the event to exactly this state."""
        last = self.last.get(step.event.event_id)
        return last is not None and _wanted(last) == _wanted(step)

    def as_given(self, event: Event, occurrences: Mapping[datetime, Event]) -> tuple[Event, Mapping[datetime, Event]]:
        """An event and its occurrences, with the values that we sent and Calendar accepted.

        Calendar may show it in its own way, such as a guest by another address, and its occurrences alike.
        """
        given, of_all = self._given(event), (event.details.subject, event.details.guests)

        def occurrence_given(occurrence: Event) -> Event:
            if (occurrence.details.subject, occurrence.details.guests) == of_all:
                subject, guests = given.details.subject, given.details.guests
                details = dataclasses.replace(occurrence.details, subject=subject, guests=guests)
                occurrence = dataclasses.replace(occurrence, details=details)
            return self._given(occurrence)

        return given, {begins: occurrence_given(occurrence) for begins, occurrence in occurrences.items()}

    def _given(self, event: Event) -> Event:
        last = self.last.get(event.event_id)
        return dataclasses.replace(event, details=last.details) if isinstance(last, EventChange) else event

    def add(self, step: Step) -> None:
        """Remember a step."""
        self.last[step.event.event_id] = step
        self.told |= step.people if step.announce else frozenset()
        self.number += 1


async def follow_now(session_ids: Iterable[str], *, deps: Deps) -> None:
    """Update Calendar after a change was stored; an error is stored with the class meetings.

    Nothing is raised: the change itself is done, and `sync-due` tries it again.
    """
    try:
        waiting = [session for session in await _loaded(session_ids, deps) if waits(session)]
        events = {entry.event_id: session.session_id for session in waiting if (entry := session.plan.calendar)}
        async with asyncio.timeout(AT_ONCE):
            for session_id in events.values():
                try:
                    await follow(session_id, deps=deps)
                except AttendanceError as error:
                    _log_waiting(error)
    except TimeoutError:
        _log_waiting(Unavailable("Calendar did not take everything in time.", reason=CALENDAR_UNAVAILABLE))
    except AttendanceError as error:
        _log_waiting(error)


async def follow(session_id: str, *, deps: Deps) -> int:
    """Make Calendar show a class meeting, and the others of its event, as stored. Can be repeated safely.

    Returns:
        How many events were changed or deleted.

    Raises:
        Retryable, NeedsOperator, Permanent: Calendar failed; this is stored with the class meetings, and the system
            tries again.
    """
    (session,) = await _loaded([session_id], deps) or (None,)
    entry = session.plan.calendar if session else None
    if session is None or entry is None or not waits(session):
        return 0
    async with deps.turns.of(f"calendar/{entry.event_id}"):
        try:
            return await _follow(entry, deps=deps)
        except AttendanceError as error:
            await _note_failure(entry, error, deps=deps)
            raise


async def _follow(entry: CalendarEntry, *, deps: Deps) -> int:
    calendar, organizer = require_calendar(deps), Organizer(email=entry.organizer)
    done, left = _Done(), ROUNDS
    while left:
        before = done.number
        event = await calendar.find(entry.event_id, organizer=organizer)
        recurs = event is not None and entry.occurrence is not None
        occurrences = await calendar.occurrences(entry.event_id, organizer=organizer) if recurs else {}
        sessions = await _loaded(await deps.store.sessions_of_event(entry.event_id), deps)
        todo = steps(sessions, *done.as_given(event, occurrences), told=done.told, now=deps.clock()) if event else []
        acted = await _take([step for step in todo if not done.has(step)], done, calendar=calendar, organizer=organizer)
        if not acted and await _note_shown(_Seen(event, occurrences, sessions), deps):
            return done.number
        if done.number == before:
            left -= 1
    raise Unavailable("The event or its class meetings kept changing.", reason=CALENDAR_UNAVAILABLE)


async def _take(todo: Iterable[Step], done: _Done, *, calendar: Calendar, organizer: Organizer) -> bool:
    """Do the next steps, until something has changed meanwhile; False if nothing is left to do."""
    acted = False
    for step in todo:
        acted = True
        if isinstance(step, EventRemoval):
            is_done = await calendar.remove(step, organizer=organizer)
        else:
            is_done = await calendar.change(step, organizer=organizer)
        if not is_done:
            break
        done.add(step)
    return acted


def _wanted(step: Step) -> Details | None:
    return step.details if isinstance(step, EventChange) else None


async def _note_shown(seen: _Seen, deps: Deps) -> bool:
    """Store that Calendar shows class meetings as they were read; False if one has changed and still waits."""
    compared = {session.session_id: details_of(session) for session in seen.sessions}

    async def decide(work: Work) -> bool:
        await work.load(sessions=compared)
        changed: dict[str, ClassSession] = {}
        everything = True
        for session_id, details in compared.items():
            session = await work.session(session_id)
            entry = session.plan.calendar if session else None
            if session is None or entry is None or not waits(session):
                continue
            if details_of(session) != details:
                everything = False
                continue
            there = is_there(session, seen.event, seen.occurrences)
            changed[session_id] = with_entry(session, shown(entry, there=there))
        await mark(work, (), rules=deps.rules, now=deps.clock(), changed=changed)
        return everything

    everything, _ = await deps.store.transact(decide)
    return everything


async def _note_failure(entry: CalendarEntry, error: AttendanceError, *, deps: Deps) -> None:
    session_ids = await deps.store.sessions_of_event(entry.event_id)

    async def decide(work: Work) -> None:
        now = deps.clock()
        await work.load(sessions=session_ids)
        changed: dict[str, ClassSession] = {}
        for session_id in session_ids:
            session = await work.session(session_id)
            if session and waits(session):
                changed[session_id] = not_shown(session, error, now=now)
        await mark(work, (), rules=deps.rules, now=now, changed=changed)

    await deps.store.transact(decide)


def _log_waiting(error: AttendanceError) -> None:
    log.warning("calendar.waits", extra={"reason": error.reason, "hint": error.hint})


async def _loaded(session_ids: Iterable[str], deps: Deps) -> tuple[ClassSession, ...]:
    """Class meetings as they are at one moment, in the given order; deleted ones are left out."""
    wanted: Collection[str] = tuple(session_ids)
    reader = deps.store.reader()
    await reader.load(sessions=wanted)
    return tuple([found for name in wanted if (found := await reader.session(name))])

"""Put a class or a series into its teacher's calendar before it is scheduled, and find the room of its link.

Nobody is invited yet: guests are added when the class is stored (`follow_calendar`), so that nobody sees a failed
attempt, and nothing of it remains.

Attempts at the same request share an event, on other instances too. Whether a class keeps it or somebody deletes it
again is decided in the store, once: a class is stored together with `keep`, and nothing is deleted before `_let_go`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.domain.classes.calendar import Event, EventRemoval, NewEvent, event_id_of
from functions.domain.classes.sessions import Answered
from functions.domain.conferences.model import Organizer, Space
from functions.domain.errors import (
    CALENDAR_REFUSED,
    CALENDAR_UNAVAILABLE,
    AttendanceError,
    CalendarLinkFailed,
    CalendarNotInUse,
    RequestRefused,
    Unavailable,
)
from functions.hints import LINK_FAILED
from functions.ports.google import Calendar
from functions.ports.store import Work
from functions.services.deps import Deps

IDS = 8
"""How many ids are tried in the search for an event of an earlier attempt; each failed attempt has used one."""

PAUSES = (0.5, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0, 8.0)
"""Seconds between looks at whether Calendar has made the Meet link, and then whether Meet shows its room."""

DECIDED = timedelta(days=1)
"""How long the result for an event is remembered: longer than any attempt takes."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Added:
    """An event with the room of its link."""

    event: Event
    space: Space


def require_calendar(deps: Deps) -> Calendar:
    """The calendar; raises CalendarNotInUse if the settings do not name one."""
    if deps.calendar is None:
        raise CalendarNotInUse("Calendar is not in use here.")
    return deps.calendar


async def add_to_calendar(
    wanted: NewEvent, *, seed: str, space: Space | None, starts: tuple[datetime, ...], teacher: Organizer, deps: Deps
) -> Added:
    """Add an event without guests, and wait for its Meet link.

    Args:
        wanted: The event; its id is chosen here.
        seed: The value from which its id is made: the same for every attempt at the same request.
        space: The room of an existing link; None has a link made.
        starts: When the class meetings of a series begin.
        teacher: The owner of the calendar.
        deps: The outside world.

    Raises:
        Retryable, NeedsOperator, Permanent: Calendar or Meet; the event is deleted again.
    """
    calendar = require_calendar(deps)
    event = await _added(wanted, seed, calendar=calendar, teacher=teacher, deps=deps)
    try:
        if wanted.recurrence:
            await _require_starts(event, starts, calendar=calendar, teacher=teacher)
        return Added(event, space or await _room(event, calendar=calendar, teacher=teacher, deps=deps))
    except (
        AttendanceError,
        asyncio.CancelledError,
    ):  # the caller already has an answer
        await take_back(event.event_id, teacher=teacher, deps=deps)
        raise


async def keep(work: Work, event_id: str, session_ids: tuple[str, ...], *, now: datetime) -> bool:
    """Keep an event for the classes that are being stored.

    False if another attempt at the same request has stored them.

    Raises:
        Unavailable: Another attempt at the same request has deleted it.
    """
    decided = await work.answered(event_id)
    if decided is None:
        work.put_answered(Answered(event_id, "", session_ids, now + DECIDED))
        return True
    if decided.session_ids:
        return False
    raise Unavailable(
        "Another attempt at the same request deleted the event.",
        hint="Send the request again.",
        reason=CALENDAR_UNAVAILABLE,
    )


async def _let_go(event_id: str, deps: Deps) -> bool:
    """Stop keeping an event, so that it can be deleted; false if a class is stored with it."""

    async def decide(work: Work) -> bool:
        decided = await work.answered(event_id)
        if decided is None:
            work.put_answered(Answered(event_id, "", (), deps.clock() + DECIDED))
        return decided is None or not decided.session_ids

    free, _ = await deps.store.transact(decide)
    return free


async def _is_let_go(event_id: str, deps: Deps) -> bool:
    """Whether an attempt is deleting an event, or has failed to delete it."""
    decided = await deps.store.reader().answered(event_id)
    return decided is not None and not decided.session_ids


async def take_back(event_id: str, *, teacher: Organizer, deps: Deps) -> None:
    """Delete an event again, unless a stored class uses it. Errors are only logged, because nobody was invited yet."""
    try:
        if await deps.store.sessions_of_event(event_id):
            return
        calendar = require_calendar(deps)
        event = await calendar.find(event_id, organizer=teacher)
        if event and await _let_go(event_id, deps):
            await calendar.remove(EventRemoval(event, announce=True), organizer=teacher, anyway=True)
    except AttendanceError as error:
        log.warning("calendar.left_behind", extra={"event": event_id, "reason": error.reason, "hint": error.hint})


async def _added(wanted: NewEvent, seed: str, *, calendar: Calendar, teacher: Organizer, deps: Deps) -> Event:
    """The event, added now or by an earlier attempt at the same request whose result was lost."""
    for attempt in range(IDS + 1):
        event_id = event_id_of(seed if attempt < IDS else uuid.uuid4().hex, attempt)
        added = await calendar.add(dataclasses.replace(wanted, event_id=event_id), organizer=teacher)
        if added:
            return added
        found = await calendar.find(event_id, organizer=teacher)
        if found is None or await deps.store.sessions_of_event(event_id):
            continue  # deleted events keep their ids
        if found.fingerprint == wanted.fingerprint and not await _is_let_go(event_id, deps):
            return found
        if await _let_go(event_id, deps):
            await calendar.remove(EventRemoval(found, announce=True), organizer=teacher, anyway=True)
    raise Unavailable(
        "Calendar already uses every event id that was tried for this class.", reason=CALENDAR_UNAVAILABLE
    )


async def _require_starts(
    event: Event, starts: tuple[datetime, ...], *, calendar: Calendar, teacher: Organizer
) -> None:
    """Make sure that Calendar understands the rule of a series as we do."""
    occurrences = await calendar.occurrences(event.event_id, organizer=teacher)
    if sorted(occurrences) == list(starts):
        return
    if await calendar.find(event.event_id, organizer=teacher) is None:
        raise Unavailable("The event was deleted while its series was being looked at.", reason=CALENDAR_UNAVAILABLE)
    raise RequestRefused(
        "Calendar reads the recurrence differently from this system.",
        hint="Schedule the series without calendar, or its class meetings one by one.",
        reason=CALENDAR_REFUSED,
    )


async def _room(event: Event, *, calendar: Calendar, teacher: Organizer, deps: Deps) -> Space:
    """The room of an event's own link, which Calendar makes a moment after the event.

    https://developers.google.com/workspace/calendar/api/guides/create-events#conferencing
    """
    seen: Event | None = event
    for seconds in (*PAUSES, 0.0):
        if seen is None:
            raise Unavailable("The event was deleted while its Meet link was being made.", reason=CALENDAR_UNAVAILABLE)
        if seen.link_failed:
            raise CalendarLinkFailed("Calendar could not make a Meet link.", hint=LINK_FAILED)
        space = await deps.spaces.find(seen.meeting_code, teacher=teacher) if seen.meeting_code else None
        if space:
            return space
        await deps.pause(seconds)
        seen = await calendar.find(event.event_id, organizer=teacher)
    raise Unavailable("Calendar did not make the event's Meet link in time.", reason=CALENDAR_UNAVAILABLE)

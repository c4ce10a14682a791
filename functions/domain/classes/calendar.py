"""What Calendar should show about class meetings, and the steps to get there.

The LMS leads and Calendar follows: nothing is read back from an event into a class. What Calendar should show is
compared with what it shows, so the result is the same if this happens late, twice or in any order.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from functions.domain.backoff import wait_after
from functions.domain.classes.sessions import CalendarEntry, CalendarState, ClassSession, Plan
from functions.domain.errors import AttendanceError, InvalidRequest, Permanent, Retryable
from functions.domain.intervals import Interval
from functions.domain.marking.addresses import mailbox

MOST_GUESTS = 200
"""Above this number, Calendar no longer shows guests each other's answers, and some editions allow no more guests.

https://developers.google.com/workspace/calendar/api/v3/reference/events#attendees.responseStatus
"""

GIVEN_UP_AFTER = timedelta(days=30)
"""How long after the end of a class its event is no longer updated."""


@dataclass(frozen=True, slots=True)
class Details:
    """What an event shows. `guests` are addresses in lower case, without the organizer's own."""

    subject: str
    time: Interval
    guests: frozenset[str]
    time_zone: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that will be added.

    Attributes:
        session_id: The class meeting, or the first one of a series.
        series_id: The time zone of a series; None for a single class.
        fingerprint: The fingerprint of the request for which it is made.
        recurrence: An RRULE, for a series.
        meeting_uri: An existing Meet link; with None Calendar makes one.
        event_id: An id that we choose, so that a repeated request does not make a second event.
    """

    session_id: str
    series_id: str | None
    fingerprint: str
    details: Details
    recurrence: str | None
    meeting_uri: str | None
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class Attendee:
    """A person or a room in an event, with everything that people may have entered.

    Attributes:
        reply: What they answered.
        name: The name in the event.
        comment: What they wrote with their answer.
        optional: Whether attendance is optional.
        additional: How many people they bring.
        is_room: Whether it is a room or a device.
        is_organizer: Whether the event is in this person's calendar.
    """

    reply: str = "needsAction"
    name: str | None = None
    comment: str | None = None
    optional: bool = False
    additional: int = 0
    is_room: bool = False
    is_organizer: bool = False

    @property
    def is_guest(self) -> bool:
        """Whether this attendee belongs to a class."""
        return not (self.is_room or self.is_organizer)


@dataclass(frozen=True, slots=True)
class Event:
    """An event, or one occurrence of one that recurs, as Calendar shows it.

    Attributes:
        version: The version, a new one after every change.
        fingerprint: The fingerprint of the request for which it was made, if the event has one.
        occurrence: When it would begin by the rule of its series; None if it is not an occurrence.
        meeting_code: The meeting code of the Meet link that was made; None until it is made.
        link_failed: Whether Calendar failed to make a Meet link.
        attendees: Everybody in it, by address: guests, and others that are not part of a class, such as rooms.
    """

    event_id: str
    version: str
    details: Details
    fingerprint: str | None = None
    occurrence: datetime | None = None
    meeting_code: str | None = None
    link_failed: bool = False
    attendees: Mapping[str, Attendee] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventChange:
    """An event should show something else. With `announce` every guest gets an e-mail; calendars are always updated."""

    event: Event
    details: Details
    announce: bool

    @property
    def people(self) -> frozenset[str]:
        """The people concerned: those who are or were invited."""
        return self.event.details.guests | self.details.guests


@dataclass(frozen=True, slots=True)
class EventRemoval:
    """An event should be deleted; `announce` as in `EventChange`."""

    event: Event
    announce: bool

    @property
    def people(self) -> frozenset[str]:
        """The people concerned: those who were invited."""
        return self.event.details.guests


Step = EventChange | EventRemoval


def event_id_of(seed: str, attempt: int) -> str:
    """An id that Calendar accepts (base32hex), the same for the same request; deleted events keep their ids."""
    return f"class{hashlib.sha256(f'{seed}/{attempt}'.encode()).hexdigest()[:32]}"


def guests_of(plan: Plan, *, organizer: str) -> frozenset[str]:
    """The people invited to a class: students with an address, and its teachers except the owner of the calendar."""
    students = (entry.email for entry in plan.roster if entry.email)
    invited = {mailbox(email): email for email in (*students, *reversed(plan.teachers))}
    return frozenset(email for box, email in invited.items() if box != mailbox(organizer))


def details_of(session: ClassSession) -> Details | None:
    """What Calendar should show for a class meeting; None for a cancelled one."""
    plan = session.plan
    time = plan.takes_place
    if time is None or plan.calendar is None:
        return None
    guests = guests_of(plan, organizer=plan.calendar.organizer)
    return Details(plan.subject or "", time, guests, session.time_zone)


def require_few(guests: frozenset[str]) -> None:
    """Refuse more guests than an event allows.

    Raises:
        InvalidRequest: They are too many; the field is `students`.
    """
    if len(guests) > MOST_GUESTS:
        raise InvalidRequest.of(
            "students", f"are more than the {MOST_GUESTS} guests that a Calendar event allows, including teachers"
        )


def to_follow(before: ClassSession, after: ClassSession, *, now: datetime) -> ClassSession:
    """The changed class meeting, marked as waiting for Calendar if Calendar should now show something else.

    Raises:
        InvalidRequest: There would be too many guests.
    """
    entry, details = after.plan.calendar, details_of(after)
    if entry is None or details_of(before) == details:
        return after
    require_few(details.guests if details else frozenset())
    waiting = dataclasses.replace(entry, state=CalendarState.PENDING, hint=None, failures=0, due_at=now + wait_after(1))
    return with_entry(after, waiting)


def with_entry(session: ClassSession, entry: CalendarEntry) -> ClassSession:
    """The class meeting with another entry."""
    return dataclasses.replace(session, plan=dataclasses.replace(session.plan, calendar=entry))


def shown(entry: CalendarEntry, *, there: bool) -> CalendarEntry:
    """The entry of a class meeting that Calendar shows correctly, or whose event people deleted (`there` is false)."""
    state = CalendarState.ACTIVE if there else CalendarState.GONE
    return dataclasses.replace(entry, state=state, hint=None, failures=0, due_at=None)


def not_shown(session: ClassSession, error: AttendanceError, *, now: datetime) -> ClassSession:
    """A waiting class meeting after a failed attempt: it says when the next attempt is, and what to do meanwhile."""
    entry, scheduled = session.plan.calendar, session.plan.scheduled
    if entry is None or scheduled is None:
        return session
    given_up = isinstance(error, Permanent) or now >= scheduled.end + GIVEN_UP_AFTER
    failed = dataclasses.replace(
        entry,
        state=CalendarState.PENDING if isinstance(error, Retryable) else CalendarState.FAILED,
        hint=error.hint or error.message,
        failures=entry.failures + 1,
        due_at=None if given_up else now + wait_after(entry.failures + 1),
    )
    return with_entry(session, failed)


def waits(session: ClassSession) -> bool:
    """Whether Calendar still shows a class meeting incorrectly, as far as we know."""
    entry = session.plan.calendar
    return entry is not None and entry.state in {CalendarState.PENDING, CalendarState.FAILED}


def is_there(session: ClassSession, event: Event | None, occurrences: Mapping[datetime, Event]) -> bool:
    """Whether Calendar shows a class meeting, or does not have to show it."""
    entry = session.plan.calendar
    if entry is None or details_of(session) is None:
        return True
    return event is not None if entry.occurrence is None else entry.occurrence in occurrences


def steps(
    sessions: Sequence[ClassSession],
    event: Event,
    occurrences: Mapping[datetime, Event],
    *,
    told: frozenset[str],
    now: datetime,
) -> list[Step]:
    """The next steps so that an event shows its class meetings correctly; none if it already does.

    Events that people deleted stay deleted. Each guest gets one e-mail, even if many class meetings change, and none
    about past class meetings: these change only in the calendars.

    Args:
        sessions: All class meetings of the event, in order of time.
        event: The event; for a series the recurring event.
        occurrences: The occurrences of a series, by when they would begin by its rule.
        told: The people who already got an e-mail.
        now: The time.
    """
    live = [details for session in sessions if (details := details_of(session))]
    coming = [session for session in sessions if session.plan.scheduled and session.plan.scheduled.end > now]
    if not live:
        return _announced([EventRemoval(event, announce=bool(coming))], told)
    whole = dataclasses.replace(event.details, subject=live[0].subject, guests=live[0].guests)
    alike = all((details.subject, details.guests) == (whole.subject, whole.guests) for details in live)
    found: list[Step] = []
    for session in sessions:
        entry, details = session.plan.calendar, details_of(session)
        if entry is None or entry.occurrence is None or (alike and event.details != whole):
            wanted = live[0] if entry is None or entry.occurrence is None else whole
            change = EventChange(event, wanted, announce=bool(coming))
            return _announced([change] if event.details != wanted else [], told)
        occurrence = occurrences.get(entry.occurrence)
        if occurrence is None:
            continue
        if details is None:
            found.append(EventRemoval(occurrence, announce=session in coming))
        elif occurrence.details != details:
            found.append(EventChange(occurrence, details, announce=session in coming))
    return _announced(found, told)


def _announced(wanted: Sequence[Step], told: frozenset[str]) -> list[Step]:
    """The steps; a step is not announced if all its people already got an e-mail."""
    found: list[Step] = []
    for step in wanted:
        announce = step.announce and not step.people <= told
        found.append(dataclasses.replace(step, announce=announce))
        told |= step.people if announce else frozenset()
    return found

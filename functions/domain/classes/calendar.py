"""What Calendar should show of class meetings, and the steps to get there.

The LMS leads and Calendar follows: nothing is read back from an event into a class. What is to be shown is compared
with what is shown, so that doing it late, twice or in any order ends in the same.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from functions.domain.classes.sessions import CalendarEntry, CalendarState, ClassSession, Plan
from functions.domain.errors import AttendanceError, InvalidRequest, Permanent, Retryable
from functions.domain.intervals import Interval
from functions.domain.marking.addresses import mailbox

MOST_GUESTS = 200
"""Beyond, Calendar tells guests nothing of each other's answers any more, and some editions take none.

https://developers.google.com/workspace/calendar/api/v3/reference/events#attendees.responseStatus
"""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=2), timedelta(hours=6)
"""How long after a failure it is tried again; each pause is twice as long as the one before."""

GIVEN_UP_AFTER = timedelta(days=30)
"""How long after a class's end nobody looks at its event any more."""


@dataclass(frozen=True, slots=True)
class Details:
    """What an event shows. `guests` are addresses in lower case, without the organizer's own."""

    subject: str
    time: Interval
    guests: frozenset[str]
    time_zone: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be added.

    Attributes:
        session_id: The class meeting, or the first one of a series.
        series_id: None for a single class.
        fingerprint: Of the request that it is made for.
        recurrence: An RRULE, for a series.
        meeting_uri: An existing Meet link; None has one made.
        event_id: Chosen by us, so that a repeated request makes no second one.
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
    """Somebody, or a room, that an event names; all that people may have entered.

    Attributes:
        reply: What they answered.
        name: How the event calls them.
        comment: What they wrote with their answer.
        optional: Whether they need not come.
        additional: How many people they bring.
        is_room: Whether it is a room or a device.
        is_organizer: Whether it is the one in whose calendar the event is.
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
        version: Another one after every change.
        fingerprint: Of the request that it was made for, as far as it says.
        occurrence: When it would begin by the rule of its series; None for what is not an occurrence.
        meeting_code: Of the Meet link that was made; None until it is made.
        link_failed: Whether Calendar could make no Meet link.
        attendees: Everybody in it, by address: guests, and others that no class names, such as rooms.
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
    """What Calendar should show of a class meeting; None for a cancelled one, which it should not show."""
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
    waiting = dataclasses.replace(entry, state=CalendarState.PENDING, hint=None, failures=0, due_at=now + FIRST_PAUSE)
    return with_entry(after, waiting)


def with_entry(session: ClassSession, entry: CalendarEntry) -> ClassSession:
    """The class meeting with another entry."""
    return dataclasses.replace(session, plan=dataclasses.replace(session.plan, calendar=entry))


def shown(entry: CalendarEntry, *, there: bool) -> CalendarEntry:
    """The entry of a class meeting that Calendar shows as it is, or whose event (`there` is false) people deleted."""
    state = CalendarState.ACTIVE if there else CalendarState.GONE
    return dataclasses.replace(entry, state=state, hint=None, failures=0, due_at=None)


def not_shown(session: ClassSession, error: AttendanceError, *, now: datetime) -> ClassSession:
    """A class meeting that waits, after an attempt that failed: when it is tried again, and what to do meanwhile."""
    entry, scheduled = session.plan.calendar, session.plan.scheduled
    if entry is None or scheduled is None:
        return session
    pause = min(FIRST_PAUSE * 2 ** min(entry.failures, 10), LONGEST_PAUSE)
    given_up = isinstance(error, Permanent) or now >= scheduled.end + GIVEN_UP_AFTER
    failed = dataclasses.replace(
        entry,
        state=CalendarState.PENDING if isinstance(error, Retryable) else CalendarState.FAILED,
        hint=error.hint or error.message,
        failures=entry.failures + 1,
        due_at=None if given_up else now + pause,
    )
    return with_entry(session, failed)


def waits(session: ClassSession) -> bool:
    """Whether Calendar still shows a class meeting wrongly, as far as is known."""
    entry = session.plan.calendar
    return entry is not None and entry.state in {CalendarState.PENDING, CalendarState.FAILED}


def is_there(session: ClassSession, event: Event | None, occurrences: Mapping[datetime, Event]) -> bool:
    """Whether Calendar shows a class meeting at all, or need not."""
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

    What people deleted is left so. Everybody is written to once, however many class meetings change, and not about
    those that are over: the others change in their calendars.

    Args:
        sessions: All class meetings of the event, in order of time.
        event: The event; of a series the one that recurs.
        occurrences: The occurrences of a series, by when they would begin by its rule.
        told: Who was written to already.
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
    """Steps of which none is announced whose people were all written to before."""
    found: list[Step] = []
    for step in wanted:
        announce = step.announce and not step.people <= told
        found.append(dataclasses.replace(step, announce=announce))
        told |= step.people if announce else frozenset()
    return found

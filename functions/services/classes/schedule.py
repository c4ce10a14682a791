"""Schedule class meetings, alone or as a series."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from functions.domain.backoff import wait_after
from functions.domain.classes.calendar import (
    Details,
    NewEvent,
    guests_of,
    require_few,
    shown,
    to_follow,
    waits,
)
from functions.domain.classes.policy import Policy
from functions.domain.classes.roster import RosterEntry, checked_roster
from functions.domain.classes.series import counted_rule, occurrences, require_known_clock
from functions.domain.classes.sessions import (
    Answered,
    AuditEntry,
    CalendarEntry,
    Caller,
    ClassSession,
    Plan,
    SessionState,
    Tracking,
)
from functions.domain.classes.timetable import Room, Slot
from functions.domain.conferences.model import Organizer, Space
from functions.domain.errors import (
    CalendarNotInUse,
    ExternalIdInUse,
    FieldError,
    InvalidRequest,
    OverlappingClass,
    StoreConflict,
)
from functions.domain.intervals import Interval
from functions.ports.store import Reader, Work
from functions.services.classes.add_to_calendar import Added, add_to_calendar, keep, take_back
from functions.services.classes.follow_calendar import follow_now
from functions.services.classes.new_class import NewClass, fingerprint_of, is_same_request
from functions.services.corrections.follow_students import Unapplied, follow_students
from functions.services.deps import Deps
from functions.services.stored import account_with
from functions.services.sync.marking import mark
from functions.services.sync.placing import rearrange
from functions.services.teachers.impersonation import require_allowed
from functions.services.teachers.organizers import track

PAST, AHEAD = timedelta(days=180), timedelta(days=366)
"""How far from now a class may begin."""

LONGEST = timedelta(minutes=1440)

MOST_ROSTER_BYTES = 6_000_000
"""The limit for the rosters of all classes of a series, which are stored in one commit of 10 MiB at most."""

_ENTRY_BYTES = 20
"""How many bytes a field of a roster entry needs besides its value, estimated generously."""

EVENT_DELETED = (
    "The event was deleted from Calendar when the class was cancelled. Invite people to the Meet link by hand, or "
    "cancel the whole series and schedule it again."
)
"""What to do about a cancelled class of a series that takes place again."""

REMEMBERED = timedelta(hours=24)
"""How long an idempotency key is remembered."""


@dataclass(frozen=True, slots=True)
class Scheduling:
    """The result of scheduling.

    Attributes:
        session_ids: The class meetings.
        created: False for those that had been scheduled before, by the same request or before they were cancelled.
        repeated: Whether nothing was done, because the same request had been answered before.
        unapplied: Corrections, made before classes were cancelled, that apply to nobody who is expected in them now.
    """

    session_ids: tuple[str, ...]
    created: bool
    repeated: bool = False
    unapplied: tuple[Unapplied, ...] = ()


@dataclass(frozen=True, slots=True)
class _Request:
    """A request to schedule, with what is known so far; `plan` lacks only what is different in each class meeting.

    Attributes:
        others: Class meetings of the same `external_id` that the request no longer contains.
    """

    new: NewClass
    plan: Plan
    session_ids: tuple[str, ...]
    times: tuple[Interval, ...]
    time_zone: str
    key: str | None
    fingerprint: str
    caller: Caller
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Before:
    """What earlier requests with the same key or `external_id` made.

    Attributes:
        scheduled: The answer if nothing has to be done; None if something has to be done.
        cancelled: The cancelled class meetings that should take place again.
        kept: The class meetings that are already as requested.
    """

    scheduled: Scheduling | None = None
    cancelled: Mapping[str, ClassSession] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()

    @property
    def space(self) -> Space | None:
        """The room that the class had."""
        return next((session.space for session in self.cancelled.values()), None)

    @property
    def event_id(self) -> str | None:
        """The event that it had in Calendar."""
        entries = (session.plan.calendar for session in self.cancelled.values())
        return next((entry.event_id for entry in entries if entry), None)

    @property
    def needs_event(self) -> bool:
        """Whether a new event can replace everything: nothing of an old event is left in Calendar."""
        return not self.kept and not any(map(waits, self.cancelled.values()))


async def schedule_class(new: NewClass, *, caller: Caller, idempotency_key: str | None, deps: Deps) -> Scheduling:
    """Schedule a class or a series, and make sure that its teacher is tracked.

    Records that are stored already are assigned at once. A cancelled class that is requested again with its
    `external_id` takes place again as requested now: in its old room, with what people decided about it.

    Args:
        new: The class.
        caller: Who asks.
        idempotency_key: If the same request comes again with the same key within a day, nothing is done.
        deps: The outside world.

    Raises:
        InvalidRequest: A field cannot be used.
        DomainNotAllowed: The system may not act as this teacher.
        OverlappingClass: Another class has the room at that time.
        ExternalIdInUse: Another request has used this `external_id`.
        Retryable, NeedsOperator, Permanent: Google, asked for a room or an event. Nothing is stored or left behind.
    """
    time_zone = new.time_zone or deps.rules.time_zone
    # It may take long to find out that a rule is impossible, and other requests should not wait for it.
    times = await asyncio.to_thread(_times, new, time_zone)
    roster, policy = checked_roster(new.students), deps.rules.policy.changed(new.policy or {})
    session_ids = _session_ids(new, len(times))
    fingerprint = fingerprint_of(new, policy=deps.rules.policy, time_zone=deps.rules.time_zone)
    key = hashlib.sha256(f"{caller.email}\0{idempotency_key}".encode()).hexdigest()[:40] if idempotency_key else None
    plan = Plan(
        subject=new.subject,
        class_id=new.class_id,
        external_id=new.external_id,
        series_id=_series_id(session_ids) if new.recurrence else None,
        teachers=tuple(dict.fromkeys([new.teacher_email, *new.co_teacher_emails])),
        roster=roster,
        policy=policy,
        fingerprint=fingerprint,
    )
    request = _Request(new, plan, session_ids, times, time_zone, key, fingerprint, caller)
    # If a caller repeats the request before it is answered, both get the same result, at least in this process.
    async with deps.turns.of(f"scheduling/{key or session_ids[0]}"):
        request, before = await _look_before(request, deps)
        scheduled = before.scheduled or await _schedule(request, before, deps)
    if not scheduled.repeated and (new.calendar or not scheduled.created):
        await follow_now(session_ids, deps=deps)
    return scheduled


async def _schedule(request: _Request, before: _Before, deps: Deps) -> Scheduling:
    new = request.new
    require_near(new.start_time, now=deps.clock())
    _require_storable(request.plan.roster, len(request.times))
    if new.calendar:
        _require_calendar(request, deps)
    tracked = await require_allowed(new.teacher_email, caller=request.caller, deps=deps)
    teacher = Organizer(tracked.user if tracked else None, new.teacher_email)
    space = None if new.meeting_code else before.space
    if not new.calendar or not before.needs_event:
        return await _store(request, space or await _space(new, teacher, deps), teacher, event_id=None, deps=deps)
    added = await _add_to_calendar(request, before, teacher, deps)
    try:
        return await _store(request, added.space, teacher, event_id=added.event.event_id, deps=deps)
    finally:
        # This does not delete the event of a stored class.
        await take_back(added.event.event_id, teacher=teacher, deps=deps)


async def _store(
    request: _Request, space: Space, teacher: Organizer, *, event_id: str | None, deps: Deps
) -> Scheduling:
    """Store the classes of a request, and enter each in its room's timetable."""
    new, key = request.new, request.key
    tracking, hint = await track(new.teacher_email, caller=request.caller, deps=deps)
    if teacher.user is None and tracking is not Tracking.FAILED:
        # The room still belongs to the account when somebody else gets the address.
        teacher = await account_with(new.teacher_email, deps.store)
    plan = dataclasses.replace(request.plan, tracking=tracking, tracking_hint=hint)
    entry_id = uuid.uuid4().hex

    async def decide(work: Work) -> Scheduling:
        now = deps.clock()
        before = await _found_before(work, request)
        if before.scheduled:
            return before.scheduled
        if event_id and not await keep(work, event_id, request.session_ids, now=now):
            if key or new.external_id:
                raise StoreConflict("The same request was stored in the meantime; the next attempt finds it.")
            return Scheduling(request.session_ids, created=True)  # by a commit whose answer was lost
        rooms: dict[str, Room] = {}
        sessions = {}
        for session_id, scheduled in zip(request.session_ids, request.times, strict=True):
            if session_id in before.kept:
                continue
            old = before.cancelled.get(session_id)
            entry = _entry(new, old, event_id, scheduled, now=now)
            session = ClassSession(
                session_id=session_id,
                space=old.space if old and not new.meeting_code else space,
                time_zone=request.time_zone,
                state=SessionState.SCHEDULED,
                owned=None,
                plan=dataclasses.replace(plan, scheduled=scheduled, calendar=entry),
            )
            sessions[session_id] = to_follow(old, session, now=now) if old and entry and waits(old) else session
            room = rooms.get(session.space.name) or await work.room(session.space.name)
            if not room.owner.known and not new.meeting_code:
                room = dataclasses.replace(room, owner=teacher)
            rooms[session.space.name] = with_class(room, session_id, scheduled, plan.policy)
        touched = {name for room in rooms.values() for name in await rearrange(work, room, now=now)}
        unapplied = await _follow_students(work, before, sessions, deps=deps, now=now)
        await mark(work, touched, rules=deps.rules, now=now, changed=sessions)
        if key:
            work.put_answered(Answered(key, request.fingerprint, request.session_ids, now + REMEMBERED))
        references = {"session_id": request.session_ids[0], "sessions": str(len(sessions))}
        what = "class.restored" if before.cancelled else "class.scheduled"
        work.note(AuditEntry(entry_id, None, request.caller.email, what, references))
        return Scheduling(request.session_ids, created=not before.cancelled, unapplied=unapplied)

    scheduled, _ = await deps.store.transact(decide)
    return scheduled


async def _follow_students(
    work: Work, before: _Before, sessions: Mapping[str, ClassSession], *, deps: Deps, now: datetime
) -> tuple[Unapplied, ...]:
    """Keep corrections of classes that take place again with their students.

    Returns those that no longer apply to anybody.
    """
    unapplied: list[Unapplied] = []
    for session_id, session in sessions.items():
        if old := before.cancelled.get(session_id):
            unapplied += (await follow_students(work, old, session, rules=deps.rules, now=now)).unapplied
    return tuple(unapplied)


def _entry(
    new: NewClass, old: ClassSession | None, event_id: str | None, scheduled: Interval, *, now: datetime
) -> CalendarEntry | None:
    """The Calendar entry of a class meeting after it is stored."""
    if event_id:
        occurrence = scheduled.start if new.recurrence else None
        return CalendarEntry(event_id, new.teacher_email, occurrence=occurrence, due_at=now + wait_after(1))
    entry = old.plan.calendar if old else None
    if old is None or entry is None or waits(old):
        return entry  # the event still exists, so Calendar shows the class again
    return dataclasses.replace(shown(entry, there=False), hint=EVENT_DELETED) if new.calendar else None


def _require_calendar(request: _Request, deps: Deps) -> None:
    if deps.calendar is None:
        raise InvalidRequest(
            "calendar cannot be true here: Calendar is not in use.",
            errors=[FieldError("calendar", "cannot be true: Calendar is not in use here")],
            hint=CalendarNotInUse.default_hint,
        )
    require_few(guests_of(request.plan, organizer=request.new.teacher_email))


async def _add_to_calendar(request: _Request, before: _Before, teacher: Organizer, deps: Deps) -> Added:
    """The event of a request, with its room; nobody is invited yet."""
    new, first = request.new, request.times[0]
    space = await _space(new, teacher, deps) if new.meeting_code else before.space
    event = NewEvent(
        session_id=request.session_ids[0],
        series_id=request.plan.series_id,
        fingerprint=request.fingerprint,
        details=Details(new.subject, first, frozenset(), request.time_zone),
        recurrence=counted_rule(new.recurrence, len(request.times)) if new.recurrence else None,
        meeting_uri=space.meeting_uri if space else None,
    )
    # Without an id of the LMS and without a key, every request is a new one.
    same = f"{request.key}/{request.fingerprint}" if request.key and not new.external_id else request.session_ids[0]
    if before.cancelled:  # deleted events keep their ids
        same = f"{same}/after/{before.event_id}"
    starts = tuple(time.start for time in request.times)
    return await add_to_calendar(event, seed=same, space=space, starts=starts, teacher=teacher, deps=deps)


def _times(new: NewClass, time_zone: str) -> tuple[Interval, ...]:
    if not timedelta(minutes=1) <= new.duration <= LONGEST:
        raise InvalidRequest.of("duration_minutes", "should be between 1 and 1440")
    try:
        start = new.start_time.astimezone(UTC)
        starts: tuple[datetime, ...] = (start,)
        if new.recurrence:
            if new.time_zone is None:
                require_known_clock(new.start_time, time_zone=time_zone)
            starts = occurrences(start, new.recurrence, time_zone=time_zone)
        return tuple(Interval(start, start + new.duration) for start in starts)
    except OverflowError:
        raise _too_far() from None


def require_near(start: datetime, *, now: datetime) -> None:
    """Refuse a class that begins too far from now.

    Raises:
        InvalidRequest: It does; the field is `start_time`.
    """
    if not now - PAST <= start <= now + AHEAD:
        raise _too_far()


def _too_far() -> InvalidRequest:
    return InvalidRequest.of("start_time", f"should be at most {PAST.days} days back and {AHEAD.days} days ahead")


def _require_storable(roster: Sequence[RosterEntry], classes: int) -> None:
    """Refuse a series whose rosters together are too large for one commit, before a room is made for it."""
    entries = (value for entry in roster for value in dataclasses.astuple(entry))
    size = sum(len(value.encode()) + _ENTRY_BYTES for value in entries if value)
    if size * classes > MOST_ROSTER_BYTES:
        raise InvalidRequest.of(
            "recurrence", "makes too many roster entries to store at once: schedule the series in several parts"
        )


def _session_ids(new: NewClass, number: int) -> tuple[str, ...]:
    """Ids of class meetings.

    With an id of the LMS every attempt gets the same ids, so that no class meeting is made twice.
    """
    seed = f"external_id/{new.external_id}" if new.external_id else uuid.uuid4().hex
    return tuple(hashlib.sha256(f"{seed}/{n}".encode()).hexdigest()[:20] for n in range(number))


def _series_id(session_ids: Sequence[str]) -> str:
    return hashlib.sha256(f"series/{session_ids[0]}".encode()).hexdigest()[:20]


async def _look_before(request: _Request, deps: Deps) -> tuple[_Request, _Before]:
    """Find what was made before; afterwards the request knows all class meetings of its `external_id`."""
    reader = deps.store.reader()
    session = await reader.session(request.session_ids[0]) if request.new.external_id else None
    of_another = (
        session and session.plan.cancelled and not is_same_request(request.fingerprint, session.plan.fingerprint)
    )
    if not of_another:
        return request, await _found_before(reader, request)
    # The other class meetings of that other request may take place.
    stored = await deps.store.sessions_of_external_id(request.new.external_id or "")
    others = tuple(session_id for session_id in stored if session_id not in request.session_ids)
    knowing = dataclasses.replace(request, others=others)
    return knowing, await _found_before(deps.store.reader(), knowing)


async def _found_before(reader: Reader, request: _Request) -> _Before:
    answered = await reader.answered(request.key) if request.key else None
    if answered:
        if not is_same_request(request.fingerprint, answered.fingerprint):
            raise InvalidRequest.of("Idempotency-Key", "was used for another request within the last 24 hours")
        return _Before(Scheduling(answered.session_ids, created=False, repeated=True))
    if not request.new.external_id or await reader.session(request.session_ids[0]) is None:
        return _Before()
    await reader.load(sessions=(*request.session_ids, *request.others))
    found = [await reader.session(session_id) for session_id in (*request.session_ids, *request.others)]
    taking_place = [session for session in found if session and not session.plan.cancelled]
    for session in taking_place:
        if not is_same_request(request.fingerprint, session.plan.fingerprint):
            raise ExternalIdInUse(
                "This external_id belongs to a class that was scheduled with another request.",
                session_id=session.session_id,
            )
    wanted = [session for session in found if session and session.session_id in request.session_ids]
    cancelled = {session.session_id: session for session in wanted if session.plan.cancelled}
    kept = frozenset(session.session_id for session in taking_place)
    if kept.issuperset(request.session_ids):
        return _Before(Scheduling(request.session_ids, created=False, repeated=True))
    return _Before(cancelled=cancelled, kept=kept)


async def _space(new: NewClass, teacher: Organizer, deps: Deps) -> Space:
    if new.meeting_code is None:
        return await deps.spaces.create(teacher=teacher)
    space = await deps.spaces.find(new.meeting_code, teacher=teacher)
    if space is None:
        raise InvalidRequest.of("meeting_code", "is not a Meet link that Google shows to this teacher")
    return space


def with_class(room: Room, session_id: str, scheduled: Interval, policy: Policy) -> Room:
    """The room with a class in it.

    Raises:
        OverlappingClass: Another one has it at that time.
    """
    other = room.overlapping(scheduled, but=[session_id])
    if other:
        raise OverlappingClass("Another class has this room at that time.", session_id=other.session_id)
    return room.with_slot(Slot(session_id, scheduled, policy.open_before, policy.open_after))

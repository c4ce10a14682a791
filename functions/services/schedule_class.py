"""Schedule class meetings, move them, call them off."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from functions.domain.errors import ExternalIdInUse, InvalidRequest, NotFound, OverlappingClass
from functions.domain.etag import require_match
from functions.domain.intervals import Interval
from functions.domain.model import Organizer, Space
from functions.domain.policy import Policy
from functions.domain.roster import RosterEntry, checked_roster
from functions.domain.series import occurrences
from functions.domain.sessions import (
    Answered,
    AuditEntry,
    Caller,
    ClassSession,
    Plan,
    Progress,
    SessionState,
    Tracking,
)
from functions.domain.timetable import Room, Slot
from functions.ports import Work
from functions.services.deps import Deps
from functions.services.impersonation import require_allowed
from functions.services.marking import mark, place, rearrange
from functions.services.organizers import track

PAST, AHEAD = timedelta(days=180), timedelta(days=366)
"""How far from now a class may begin."""

LONGEST = timedelta(minutes=1440)

MOST_ROSTER_BYTES = 6_000_000
"""Of the rosters of all classes of a series, which are stored in one commit of 10 MiB at most."""

_ENTRY_BYTES = 20
"""What a field of a roster entry takes beside its value, generously."""

REMEMBERED = timedelta(hours=24)
"""How long an idempotency key is remembered."""


@dataclass(frozen=True, slots=True)
class NewClass:
    """A class to be scheduled; addresses are lower case, times aware UTC.

    Attributes:
        meeting_code: An existing Meet link to use; None has a room made.
        policy: What differs from the school's own policy.
        time_zone: Where its clock times are told; the school's if None.
        recurrence: An RRULE, for a series that begins with this class.
    """

    teacher_email: str
    students: tuple[RosterEntry, ...]
    subject: str
    start_time: datetime
    duration: timedelta
    co_teacher_emails: tuple[str, ...] = ()
    class_id: str | None = None
    external_id: str | None = None
    meeting_code: str | None = None
    policy: Mapping[str, object] | None = None
    time_zone: str | None = None
    recurrence: str | None = None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What came of scheduling; `created` is false for a class that had been scheduled by the same request."""

    session_ids: tuple[str, ...]
    created: bool


@dataclass(frozen=True, slots=True)
class ClassChange:
    """What is to be another way; None stays."""

    start_time: datetime | None = None
    duration: timedelta | None = None
    subject: str | None = None
    teacher_email: str | None = None
    co_teacher_emails: tuple[str, ...] | None = None


async def schedule_class(
    new: NewClass, *, caller: Caller, idempotency_key: str | None, fingerprint: str, deps: Deps
) -> Scheduled:
    """Schedule a class or a series, and make sure that its teacher is tracked.

    Records that are stored already are assigned at once.

    Args:
        new: The class.
        caller: Who asks.
        idempotency_key: With the same key and request again, for a day, nothing new is made.
        fingerprint: Of the request's content.
        deps: The outside world.

    Raises:
        InvalidRequest: A field cannot be used.
        DomainNotAllowed: Nothing may be done as this teacher.
        OverlappingClass: Another class has the room at that time.
        ExternalIdInUse: Another request has used this `external_id`.
        Retryable, NeedsOperator: Google, asked for a room.
    """
    time_zone = new.time_zone or deps.rules.time_zone
    # A rule may take its time to be found impossible, and other requests should not wait for it.
    times = await asyncio.to_thread(_times, new, time_zone)
    roster, policy = checked_roster(new.students), deps.rules.policy.changed(new.policy or {})
    session_ids = _session_ids(new, len(times))
    key = hashlib.sha256(f"{caller.email}\0{idempotency_key}".encode()).hexdigest()[:40] if idempotency_key else None
    before = await _scheduled_before(session_ids, new, key, fingerprint, deps)
    if before:
        return before
    _require_near(new.start_time, now=deps.clock())
    _require_storable(roster, len(times))
    tracked = await require_allowed(new.teacher_email, caller=caller, deps=deps)
    teacher = Organizer(tracked.user if tracked else None, new.teacher_email)
    space = await _space(new, teacher, deps)
    tracking, hint = await track(new.teacher_email, caller=caller, deps=deps)
    plan = Plan(
        subject=new.subject,
        class_id=new.class_id,
        external_id=new.external_id,
        series_id=_series_id(session_ids) if new.recurrence else None,
        teachers=tuple(dict.fromkeys([new.teacher_email, *new.co_teacher_emails])),
        roster=roster,
        policy=policy,
        tracking=tracking,
        tracking_hint=hint,
        fingerprint=fingerprint,
    )
    entry_id = uuid.uuid4().hex

    async def decide(work: Work) -> Scheduled:
        now = deps.clock()
        again = await _found_before(work, session_ids, new, key, fingerprint)
        if again:
            return again
        room = await work.room(space.name)
        if not room.owner.known and not new.meeting_code:
            room = dataclasses.replace(room, owner=teacher)
        sessions = {}
        for session_id, scheduled in zip(session_ids, times, strict=True):
            sessions[session_id] = ClassSession(
                session_id=session_id,
                space=space,
                time_zone=time_zone,
                state=SessionState.SCHEDULED,
                owned=None,
                plan=dataclasses.replace(plan, scheduled=scheduled),
            )
            room = _with(room, session_id, scheduled, policy)
        touched = await rearrange(work, room, now=now)
        await mark(work, touched, rules=deps.rules, now=now, changed=sessions)
        if key:
            work.put_answered(Answered(key, fingerprint, session_ids, now + REMEMBERED))
        references = {"session_id": session_ids[0], "sessions": str(len(session_ids))}
        work.note(AuditEntry(entry_id, None, caller.email, "class.scheduled", references, {}))
        return Scheduled(session_ids, created=True)

    scheduled, _ = await deps.store.transact(decide)
    return scheduled


async def change_class(
    session_id: str, change: ClassChange, *, following: bool, caller: Caller, if_match: str | None, deps: Deps
) -> tuple[str, ...]:
    """Move or rename a class, or give it other teachers; with `following` all later ones of its series as well.

    Those move by as much local clock time as this one.

    Raises:
        NotFound, PreconditionFailed, OverlappingClass, InvalidRequest, DomainNotAllowed: Nothing was changed.
    """
    tracking: tuple[Tracking, str | None] | None = None
    if change.teacher_email:
        await require_allowed(change.teacher_email, caller=caller, deps=deps)
        tracking = await track(change.teacher_email, caller=caller, deps=deps)
    if change.start_time:
        _require_near(change.start_time, now=deps.clock())
    entry_id = uuid.uuid4().hex
    candidates = await _candidates(session_id, following=following, deps=deps)

    async def decide(work: Work) -> tuple[str, ...]:
        now = deps.clock()
        first, sessions = await _planned(work, session_id, candidates, if_match=if_match)
        changed: dict[str, ClassSession] = {}
        rooms: dict[str, Room] = {}
        for session in sessions:
            moved = _changed(session, change, first=first, tracking=tracking)
            changed[session.session_id] = moved
            room = rooms.get(session.space.name) or await work.room(session.space.name)
            rooms[session.space.name] = room.without_slot(session.session_id)
        for moved in changed.values():
            scheduled = moved.plan.takes_place
            if scheduled:
                room = rooms[moved.space.name]
                rooms[moved.space.name] = _with(room, moved.session_id, scheduled, moved.plan.policy)
        touched = {name for room in rooms.values() for name in await rearrange(work, room, now=now)}
        await mark(work, touched, rules=deps.rules, now=now, changed=changed)
        references = {"session_id": session_id, "sessions": str(len(changed))}
        work.note(AuditEntry(entry_id, None, caller.email, "class.changed", references, {}))
        return tuple(changed)

    changed_ids, _ = await deps.store.transact(decide)
    return changed_ids


async def cancel_class(
    session_id: str, *, following: bool, caller: Caller, if_match: str | None, deps: Deps
) -> tuple[str, ...]:
    """Call a class off; with `following` all later ones of its series as well. Again changes nothing.

    Its conferences, if there were any, become class meetings that nobody scheduled.

    Raises:
        NotFound, PreconditionFailed, InvalidRequest: Nothing was changed.
    """
    entry_id = uuid.uuid4().hex
    candidates = await _candidates(session_id, following=following, deps=deps)

    async def decide(work: Work) -> tuple[str, ...]:
        now = deps.clock()
        first = await _required(work, session_id, if_match=if_match)
        if first.plan.cancelled and not following:
            return ()
        _, sessions = await _planned(work, session_id, candidates, if_match=None, cancelled_too=True)
        changed: dict[str, ClassSession] = {}
        rooms: dict[str, Room] = {}
        touched: set[str] = set()
        for session in sessions:
            if session.plan.cancelled:
                continue
            touched |= await _let_go(work, session, now=now)
            plan = dataclasses.replace(session.plan, cancelled=True, attached=())
            changed[session.session_id] = dataclasses.replace(session, owned=None, plan=plan, progress=Progress())
            room = rooms.get(session.space.name) or await work.room(session.space.name)
            rooms[session.space.name] = room.without_slot(session.session_id)
        for room in rooms.values():
            touched |= await rearrange(work, room, now=now)
        await mark(work, touched, rules=deps.rules, now=now, changed=changed)
        references = {"session_id": session_id, "sessions": str(len(changed))}
        work.note(AuditEntry(entry_id, None, caller.email, "class.cancelled", references, {}))
        return tuple(changed)

    changed_ids, _ = await deps.store.transact(decide)
    return changed_ids


async def _let_go(work: Work, session: ClassSession, *, now: datetime) -> frozenset[str]:
    """Let the records that people attached to a class meeting belong where their time says again."""
    touched: set[str] = set()
    for attached in session.plan.attached:
        conference = await work.conference(attached.conference_record)
        if conference:
            others = tuple(other for other in conference.attached_to if other != session.session_id)
            touched |= await place(work, dataclasses.replace(conference, attached_to=others), now=now)
    return frozenset(touched)


def _times(new: NewClass, time_zone: str) -> tuple[Interval, ...]:
    if not timedelta(minutes=1) <= new.duration <= LONGEST:
        raise InvalidRequest.of("duration_minutes", "should be between 1 and 1440")
    starts: tuple[datetime, ...] = (new.start_time,)
    try:
        if new.recurrence:
            starts = occurrences(new.start_time, new.recurrence, time_zone=time_zone)
        return tuple(Interval(start, start + new.duration) for start in starts)
    except OverflowError:
        raise _too_far() from None


def _require_near(start: datetime, *, now: datetime) -> None:
    if not now - PAST <= start <= now + AHEAD:
        raise _too_far()


def _too_far() -> InvalidRequest:
    return InvalidRequest.of("start_time", f"should be at most {PAST.days} days back and {AHEAD.days} days ahead")


def _require_storable(roster: Sequence[RosterEntry], classes: int) -> None:
    """Refuse a series whose rosters together are more than one commit takes, before a room is made for it."""
    entries = (value for entry in roster for value in dataclasses.astuple(entry))
    size = sum(len(value.encode()) + _ENTRY_BYTES for value in entries if value)
    if size * classes > MOST_ROSTER_BYTES:
        raise InvalidRequest.of(
            "recurrence", "makes too many roster entries to be stored at once: schedule the series in several parts"
        )


def _session_ids(new: NewClass, number: int) -> tuple[str, ...]:
    """Ids of class meetings: with an id of the LMS the same for every attempt, so that none is made twice."""
    seed = f"external_id/{new.external_id}" if new.external_id else uuid.uuid4().hex
    return tuple(hashlib.sha256(f"{seed}/{n}".encode()).hexdigest()[:20] for n in range(number))


def _series_id(session_ids: Sequence[str]) -> str:
    return hashlib.sha256(f"series/{session_ids[0]}".encode()).hexdigest()[:20]


async def _scheduled_before(
    session_ids: tuple[str, ...], new: NewClass, key: str | None, fingerprint: str, deps: Deps
) -> Scheduled | None:
    async def look(work: Work) -> Scheduled | None:
        return await _found_before(work, session_ids, new, key, fingerprint)

    found, _ = await deps.store.transact(look)
    return found


async def _found_before(
    work: Work, session_ids: tuple[str, ...], new: NewClass, key: str | None, fingerprint: str
) -> Scheduled | None:
    """What an earlier request of the same key or `external_id` made."""
    answered = await work.answered(key) if key else None
    if answered:
        if answered.fingerprint != fingerprint:
            raise InvalidRequest.of("Idempotency-Key", "was used for another request within the last 24 hours")
        return Scheduled(answered.session_ids, created=False)
    if new.external_id:
        session = await work.session(session_ids[0])
        if session is None:
            return None
        if session.plan.fingerprint != fingerprint:
            raise ExternalIdInUse("This external_id belongs to a class that was scheduled with another request.")
        return Scheduled(session_ids, created=False)
    return None


async def _space(new: NewClass, teacher: Organizer, deps: Deps) -> Space:
    if new.meeting_code is None:
        return await deps.spaces.create(teacher=teacher)
    space = await deps.spaces.find(new.meeting_code, teacher=teacher)
    if space is None:
        raise InvalidRequest.of("meeting_code", "is no Meet link that Google shows to this teacher")
    return space


def _with(room: Room, session_id: str, scheduled: Interval, policy: Policy) -> Room:
    """The room with a class in it.

    Raises:
        OverlappingClass: Another one has it at that time.
    """
    other = room.overlapping(scheduled, but=[session_id])
    if other:
        raise OverlappingClass("Another class has this room at that time.", session_id=other.session_id)
    return room.with_slot(Slot(session_id, scheduled, policy.open_before, policy.open_after))


async def _candidates(session_id: str, *, following: bool, deps: Deps) -> Sequence[str]:
    """The class meetings that a change may be about."""
    if not following:
        return [session_id]

    async def load(work: Work) -> str | None:
        session = await work.session(session_id)
        return session.plan.series_id if session else None

    series_id, _ = await deps.store.transact(load)
    return await deps.store.sessions_of_series(series_id) if series_id else [session_id]


async def _required(work: Work, session_id: str, *, if_match: str | None) -> ClassSession:
    session = await work.session(session_id)
    if session is None:
        raise NotFound("There is no such class meeting.")
    require_match(if_match, await work.updated_at(session_id))
    if session.plan.scheduled is None:
        raise InvalidRequest.of("session_id", "is of a meeting that nobody scheduled")
    return session


async def _planned(
    work: Work, session_id: str, candidates: Sequence[str], *, if_match: str | None, cancelled_too: bool = False
) -> tuple[ClassSession, list[ClassSession]]:
    """A class meeting with those that a change is about: itself and later ones that are not cancelled."""
    first = await _required(work, session_id, if_match=if_match)
    if first.plan.cancelled and not cancelled_too:
        raise InvalidRequest.of("session_id", "is of a class that is cancelled")
    others = [await work.session(other) for other in candidates if other != session_id]
    later = [o for o in others if o and o.start > first.start and not o.plan.cancelled]
    return first, [first, *later]


def _changed(
    session: ClassSession, change: ClassChange, *, first: ClassSession, tracking: tuple[Tracking, str | None] | None
) -> ClassSession:
    plan = session.plan
    scheduled = plan.scheduled
    if scheduled is None:
        return session
    start = scheduled.start
    if change.start_time:
        start = _moved(start, first.start, change.start_time, session.time_zone)
    length = scheduled.length if change.duration is None else change.duration
    if not timedelta(minutes=1) <= length <= LONGEST:
        raise InvalidRequest.of("duration_minutes", "should be between 1 and 1440")
    after = Interval(start, start + length)
    teacher = change.teacher_email or (plan.teachers[0] if plan.teachers else None)
    others = plan.teachers[1:] if change.co_teacher_emails is None else change.co_teacher_emails
    plan = dataclasses.replace(
        plan,
        scheduled=after,
        subject=plan.subject if change.subject is None else change.subject,
        teachers=tuple(dict.fromkeys([*([teacher] if teacher else []), *others])),
        tracking=tracking[0] if tracking else plan.tracking,
        tracking_hint=tracking[1] if tracking else plan.tracking_hint,
    )
    # What was looked at for another time is no evidence for this one.
    progress = session.progress if after == scheduled else Progress()
    return dataclasses.replace(session, plan=plan, progress=progress)


def _moved(start: datetime, first: datetime, wanted: datetime, time_zone: str) -> datetime:
    """A start moved by as much local clock time as the first one is."""
    if start == first:
        return wanted
    zone = ZoneInfo(time_zone)
    by = wanted.astimezone(zone).replace(tzinfo=None) - first.astimezone(zone).replace(tzinfo=None)
    return (start.astimezone(zone).replace(tzinfo=None) + by).replace(tzinfo=zone).astimezone(first.tzinfo)

"""Move, rename and cancel class meetings, or give them other teachers."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from functions.domain.classes.calendar import to_follow
from functions.domain.classes.sessions import AuditEntry, Caller, ClassSession, Progress, Tracking
from functions.domain.classes.timetable import Room
from functions.domain.errors import InvalidRequest
from functions.domain.etag import require_match
from functions.domain.intervals import Interval
from functions.ports.store import Work
from functions.services.classes.follow_calendar import follow_now
from functions.services.classes.schedule import LONGEST, require_near, with_class
from functions.services.corrections.class_meeting import let_go
from functions.services.corrections.follow_students import Unapplied, follow_students
from functions.services.deps import Deps
from functions.services.stored import required_session
from functions.services.sync.marking import mark
from functions.services.sync.placing import rearrange
from functions.services.teachers.impersonation import require_allowed
from functions.services.teachers.organizers import track


@dataclass(frozen=True, slots=True)
class ClassChange:
    """What to change; None leaves a field as it is."""

    start_time: datetime | None = None
    duration: timedelta | None = None
    subject: str | None = None
    teacher_email: str | None = None
    co_teacher_emails: tuple[str, ...] | None = None


async def change_class(
    session_id: str, change: ClassChange, *, following: bool, caller: Caller, if_match: str | None, deps: Deps
) -> tuple[tuple[str, ...], tuple[Unapplied, ...]]:
    """Move or rename a class, or give it other teachers; with `following` all later ones of its series as well.

    Those move by as much local clock time as this one.

    Returns:
        The class meetings. If their teachers changed, also the corrections that no longer apply to any expected
        student.

    Raises:
        NotFound, PreconditionFailed, OverlappingClass, InvalidRequest, DomainNotAllowed: Nothing was changed.
    """
    tracking: tuple[Tracking, str | None] | None = None
    if change.teacher_email:
        await require_allowed(change.teacher_email, caller=caller, deps=deps)
        tracking = await track(change.teacher_email, caller=caller, deps=deps)
    if change.start_time:
        require_near(change.start_time, now=deps.clock())
    entry_id = uuid.uuid4().hex
    candidates = await _candidates(session_id, following=following, deps=deps)

    async def decide(work: Work) -> tuple[tuple[str, ...], tuple[Unapplied, ...]]:
        now = deps.clock()
        first, sessions = await _planned(work, session_id, candidates, if_match=if_match)
        unapplied: list[Unapplied] = []
        changed = {
            session.session_id: to_follow(session, _changed(session, change, first=first, tracking=tracking), now=now)
            for session in sessions
        }
        rooms = await _rooms_without(work, sessions)
        for moved in changed.values():
            scheduled = moved.plan.takes_place
            if scheduled:
                room = rooms[moved.space.name]
                rooms[moved.space.name] = with_class(room, moved.session_id, scheduled, moved.plan.policy)
        touched = {name for room in rooms.values() for name in await rearrange(work, room, now=now)}
        for session in sessions:
            after = changed[session.session_id]
            if after.plan.teachers != session.plan.teachers:
                followed = await follow_students(work, session, after, rules=deps.rules, now=now)
                unapplied += followed.unapplied
        await mark(work, touched, rules=deps.rules, now=now, changed=changed)
        references = {"session_id": session_id, "sessions": str(len(changed))}
        work.note(AuditEntry(entry_id, None, caller.email, "class.changed", references))
        return tuple(changed), tuple(unapplied)

    (changed_ids, unapplied), _ = await deps.store.transact(decide)
    await follow_now(changed_ids, deps=deps)
    return changed_ids, unapplied


async def cancel_class(
    session_id: str, *, following: bool, caller: Caller, if_match: str | None, deps: Deps
) -> tuple[str, ...]:
    """Cancel a class; with `following` all later ones of its series too. A second call changes nothing.

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
        sessions = [session for session in sessions if not session.plan.cancelled]
        changed: dict[str, ClassSession] = {}
        touched: set[str] = set()
        for session in sessions:
            for attached in session.plan.attached:
                touched |= await let_go(work, attached.conference_record, session.session_id, now=now)
            plan = dataclasses.replace(session.plan, cancelled=True, attached=())
            cancelled = dataclasses.replace(session, owned=None, plan=plan, progress=Progress())
            changed[session.session_id] = to_follow(session, cancelled, now=now)
        for room in (await _rooms_without(work, sessions)).values():
            touched |= await rearrange(work, room, now=now)
        await mark(work, touched, rules=deps.rules, now=now, changed=changed)
        references = {"session_id": session_id, "sessions": str(len(changed))}
        work.note(AuditEntry(entry_id, None, caller.email, "class.cancelled", references))
        return tuple(changed)

    changed_ids, _ = await deps.store.transact(decide)
    await follow_now(changed_ids, deps=deps)
    return changed_ids


async def _rooms_without(work: Work, sessions: Iterable[ClassSession]) -> dict[str, Room]:
    """The rooms of some class meetings without them, by name."""
    rooms: dict[str, Room] = {}
    for session in sessions:
        room = rooms.get(session.space.name) or await work.room(session.space.name)
        rooms[session.space.name] = room.without_slot(session.session_id)
    return rooms


async def _candidates(session_id: str, *, following: bool, deps: Deps) -> Sequence[str]:
    """The class meetings that a change may affect."""
    if not following:
        return [session_id]
    session = await deps.store.reader().session(session_id)
    series_id = session.plan.series_id if session else None
    return await deps.store.sessions_of_series(series_id) if series_id else [session_id]


async def _required(work: Work, session_id: str, *, if_match: str | None) -> ClassSession:
    session = await required_session(work, session_id)
    require_match(if_match, await work.updated_at(session_id))
    if session.plan.scheduled is None:
        raise InvalidRequest.of("session_id", "belongs to a meeting that was not scheduled")
    return session


async def _planned(
    work: Work, session_id: str, candidates: Sequence[str], *, if_match: str | None, cancelled_too: bool = False
) -> tuple[ClassSession, list[ClassSession]]:
    """A class meeting with all that a change affects: itself and later ones that are not cancelled."""
    first = await _required(work, session_id, if_match=if_match)
    if first.plan.cancelled and not cancelled_too:
        raise InvalidRequest.of("session_id", "belongs to a cancelled class")
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
    # Results for another time prove nothing for the new one.
    progress = session.progress if after == scheduled else Progress()
    return dataclasses.replace(session, plan=plan, progress=progress)


def _moved(start: datetime, first: datetime, wanted: datetime, time_zone: str) -> datetime:
    """A start, moved by as much local clock time as the first one."""
    if start == first:
        return wanted
    zone = ZoneInfo(time_zone)
    by = wanted.astimezone(zone).replace(tzinfo=None) - first.astimezone(zone).replace(tzinfo=None)
    if not by:
        return start
    return (start.astimezone(zone).replace(tzinfo=None) + by).replace(tzinfo=zone).astimezone(first.tzinfo)

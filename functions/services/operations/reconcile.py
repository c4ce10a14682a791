"""Find conferences that events did not report, and hand them out as jobs.

Events make attendance fast; due times of classes and this job make it complete.
https://developers.google.com/workspace/events/guides/events-meet asks for this, because events are not repeated.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from functions.domain.classes.sessions import ClassSession, TrackedOrganizer
from functions.domain.classes.timetable import RETENTION, Room
from functions.domain.conferences.events import moment_in
from functions.domain.conferences.model import Conference, ConferenceRecord, Organizer, SyncSource, is_reported
from functions.domain.conferences.rereading import is_deferred
from functions.domain.conferences.syncing import LONGEST_CALL, is_unfinished, read_again_at, waits_after_refusal
from functions.domain.errors import AttendanceError, NeedsOperator, NotFound, UnreadableMessage
from functions.domain.intervals import Interval
from functions.domain.marking.addresses import current_of
from functions.ports.google import Listing
from functions.ports.messages import Job
from functions.ports.store import DueRoom, Reader, Work
from functions.services.classes.follow_calendar import JOB as FOLLOW
from functions.services.deps import Deps
from functions.services.operations.fan_out import Item, Pace, fan_out
from functions.services.sync.mark_elsewhere import mark_all_elsewhere
from functions.services.sync.session import SessionSynced, sync_session
from functions.services.teachers.tracked import tracked_organizer

LOOK_BACK = timedelta(days=1)
"""How far before the last time conferences are looked at again: Meet may report their end late."""

LOADED_AT_ONCE = 25
"""How many stored conferences are read at once: each may be a megabyte."""

ROOMS_AT_ONCE = 300
"""How many rooms are read at once: each may be some kilobytes."""

PACE = Pace(slowest=5, fastest=20)
"""With some calls for each, 20 a second are a quarter of what Meet takes of a project: 6,000 reads a minute.
https://developers.google.com/workspace/meet/api/guides/limits"""

OVERDUE = timedelta(minutes=30)
"""How long after its time a class still waits for `sync-due`, which runs every five minutes."""

SILENCE = timedelta(hours=1)
"""If there was no list for so long, Meet has refused at least one, because the job runs every half hour."""

JOB = "reconcile"

_ROOM = " "
"""Parts the time at which a room was due from the room, in its place; no account holds it."""

log = logging.getLogger(__name__)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


async def sync_due(*, deps: Deps) -> int:
    """Hand out one `sync-session` for every due class meeting, and other waiting work.

    This other work is what Calendar waits for, and what must still be marked again.

    Returns:
        How many jobs.
    """
    now = deps.clock()
    session_ids = await deps.store.due_sessions(now)
    waiting = await deps.store.sessions_to_follow(now)
    await deps.jobs.publish([*_syncs(session_ids, now), *(Job(FOLLOW, {"session_id": name}) for name in waiting)])
    await mark_all_elsewhere(deps=deps)
    return len(session_ids) + len(waiting)


async def sync_unless_tried(session_id: str, *, since: datetime | None, deps: Deps) -> SessionSynced | None:
    """Do a `sync-session`, unless another run tried it since it was handed out: then it is due again at its own time.

    A message is delivered again for as long as Meet does not answer. Without this rule, each due time would add another
    such message.

    Args:
        session_id: The class meeting.
        since: When a scheduled job handed it out; None does it in any case.
        deps: The outside world.

    Returns:
        The result; None if it was tried since then.
    """
    if since:
        session = await deps.store.reader().session(session_id)
        progress = session.progress if session else None
        is_due = progress and progress.due_at and progress.due_at <= deps.clock()
        if progress and progress.tried_at and progress.tried_at >= since and not is_due:
            return None
    return await sync_session(session_id, source=SyncSource.RECONCILE, deps=deps)


async def publish_changes(*, deps: Deps) -> None:
    """Publish changes that could not be published before; a failure is logged, and the rest of the job goes on."""
    try:
        published = await deps.store.publish_changes()
    except AttendanceError as error:
        log.warning("changes.not_published", extra={"reason": error.reason, "hint": error.hint})
        return
    if published:
        log.info("changes.published", extra={"class_meetings": published})


async def reconcile_all(*, after: str = "", deps: Deps) -> int:
    """Hand out one `reconcile` for every tracked teacher, and for every room that is due.

    Args:
        after: The place where an earlier call stopped: a teacher, or a room with the time at which it was due.
        deps: The outside world.

    Returns:
        How many.
    """
    now = deps.clock()

    async def everybody(after: str, limit: int) -> Sequence[Item]:
        items: list[Item] = []
        if _ROOM not in after:
            users = await deps.store.organizers_after(after, limit=limit)
            items += [Item(user, Job(JOB, {"organizer": user})) for user in users]
        last = _room_at(after)
        while len(items) < limit:
            page = min(limit - len(items), ROOMS_AT_ONCE)
            rooms = await deps.store.rooms_to_reconcile(now, after=last, limit=page)
            items += [Item(_place(room), Job(JOB, {"space": room.space})) for room in rooms]
            if len(rooms) < page:
                break
            last = rooms[-1]
        return items

    return await fan_out(everybody, job=JOB, after=after, pace=PACE, deps=deps)


async def reconcile(organizer: str, *, deps: Deps) -> int:
    """Hand out one `sync-conference` for every conference of a teacher that is missing or not final.

    Missing conferences are found in Meet's list since the last run; stored conferences that are not final are known at
    any age. Each is tried again with growing pauses. Also one `sync-session` for every class of theirs whose room Meet
    has not listed since the last time: now that Meet answers for this teacher, it need not wait longer.
    `reconciled_until` moves to the time at which the list began, but only after everything was handed out.

    Args:
        organizer: `users/{id}` or an e-mail address.
        deps: The outside world.

    Returns:
        How many.

    Raises:
        NotFound: No teacher of this name is tracked.
        Retryable: Google or the store did not answer.
        NeedsOperator: Meet refuses to list this teacher's conferences until a person fixes the cause.
    """
    tracked = await tracked_organizer(organizer, deps=deps)
    acting_as, before = Organizer(tracked.user, tracked.email), tracked.reconciled_until
    since = _since(before, now=deps.clock())
    listing = await deps.conferences.list(space=None, since=since, until=None, organizer=acting_as)
    known = await deps.store.unfinished_conferences(tracked.user, since=deps.clock() - RETENTION)
    wanted = await _due_reads(listing.records, known, is_back=_is_back(before, listing), deps=deps)
    failing = await _failing_sessions(tracked, since=before or _LONG_AGO, deps=deps)
    await deps.jobs.publish([*_reads(wanted, tracked.user), *_syncs(failing, deps.clock())])

    async def decide(work: Work) -> None:
        current = await work.organizer(tracked.user)
        if current and (current.reconciled_until is None or current.reconciled_until < listing.began_at):
            work.put_organizer(dataclasses.replace(current, reconciled_until=listing.began_at))

    await deps.store.transact(decide)
    return len(wanted) + len(failing)


async def _failing_sessions(tracked: TrackedOrganizer, *, since: datetime, deps: Deps) -> list[str]:
    """The teacher's failing class meetings, by every address of the account: a class may name any of them."""
    person = (await deps.store.reader().people([tracked.user])).get(tracked.user)
    emails = {tracked.email, *(current_of(person) if person else ())}
    found = await asyncio.gather(*(deps.store.failing_sessions(email, since=since) for email in sorted(emails)))
    return sorted({session_id for part in found for session_id in part})


async def reconcile_room(space: str, *, deps: Deps) -> int:
    """The same for a room whose teacher is not tracked, as that teacher. Nothing is done for one who is tracked.

    After any result, the room stores when it must be checked again.

    Args:
        space: `spaces/{space}`.
        deps: The outside world.

    Raises:
        NotFound: The room is not known, or it had no class in the time that Meet remembers. Retryable, NeedsOperator:
            As in `reconcile`.
    """
    now = deps.clock()
    room = await deps.store.reader().room(space)
    if not room.slots:
        raise _no_class()
    if room.owner.known and await _is_tracked(room.owner, deps):
        await _note_look(space, at=now, is_tracked=True, deps=deps)
        return 0
    sessions = await _recent_classes(room, now=now, deps=deps)
    if not sessions:
        await _note_look(space, at=now, deps=deps)
        raise _no_class()
    organizer = room.owner if room.owner.known else _teacher(sessions)
    if not room.owner.known and await _is_tracked(organizer, deps):
        await _note_look(space, at=now, is_tracked=True, deps=deps)
        return 0
    # Meet filters a room's records by when they began.
    since = _since(room.reconciled_until, now=now) - LONGEST_CALL
    try:
        listing = await deps.conferences.list(space=space, since=since, until=None, organizer=organizer)
    except NeedsOperator:
        await _note_look(space, at=now, deps=deps)
        raise
    # A conference that goes on is read when it has ended; the room knows what was read before.
    ended = [record for record in listing.records if record.end_time]
    before = [span.conference_record for span in room.spans if now - RETENTION < span.time.end]
    wanted = await _due_reads(ended, before, is_back=_is_back(room.reconciled_until, listing), deps=deps)
    failing = [session.session_id for session in sessions if _was_not_listed(session, since=room.reconciled_until)]
    await deps.jobs.publish([*_reads(wanted, organizer.user or organizer.email), *_syncs(failing, now)])
    await _note_look(space, at=now, listed_at=listing.began_at, deps=deps)
    return len(wanted) + len(failing)


async def _note_look(
    space: str, *, at: datetime, deps: Deps, listed_at: datetime | None = None, is_tracked: bool = False
) -> None:
    """Store with a room that it was checked, so that the time of the next check is known."""

    async def decide(work: Work) -> None:
        room = await work.room(space)
        seen = max((moment for moment in (room.reconciled_until, listed_at) if moment), default=None)
        work.put_room(
            dataclasses.replace(
                room,
                looked_at=max(at, room.looked_at or at),
                tracked_at=at if is_tracked else None,
                reconciled_until=seen,
            )
        )

    await deps.store.transact(decide)


def _no_class() -> NotFound:
    return NotFound("This room had no class in the 30 days that Meet remembers.")


async def _recent_classes(room: Room, *, now: datetime, deps: Deps) -> list[ClassSession]:
    """The classes in a room that have begun and that Meet may still know of, the latest last."""
    recent = [s.session_id for s in room.slots if s.scheduled.start <= now and now - RETENTION < s.scheduled.end]
    reader = deps.store.reader()
    await reader.load(sessions=recent)
    return [session for name in recent if (session := await reader.session(name))]


def _was_not_listed(session: ClassSession, *, since: datetime | None) -> bool:
    """Whether Meet has not listed a class's room from a moment on, so that a list that it gives now is news."""
    error = session.progress.error
    return error is not None and session.progress.due_at is not None and (since is None or error.at >= since)


def _is_back(before: datetime | None, listing: Listing) -> bool:
    """Whether Meet did not list anything for a while before this list: what it refused then may succeed now."""
    return before is None or listing.began_at - before > SILENCE


async def _due_reads(
    listed: Sequence[ConferenceRecord], stored: Sequence[str], *, is_back: bool, deps: Deps
) -> tuple[str, ...]:
    """The conference records that must be read now.

    They are not stored, or another read may show more and its time has come. Records that will be read together with
    their class are left out.

    Args:
        listed: What Meet lists.
        stored: The stored conferences, final or not.
        is_back: Whether all unfinished conferences are read, even if they were tried just now.
        deps: The outside world.
    """
    now, records = deps.clock(), {record.name: record for record in listed}
    names = [name for name in dict.fromkeys([*records, *stored]) if not is_reported(name)]
    wanted: list[str] = []

    async def waits_with_its_class(reader: Reader, record: ConferenceRecord) -> bool:
        end = record.end_time or now
        session_ids = (await reader.room(record.space)).sessions_of(Interval(record.start_time, end))
        tried = [session.progress for session_id in session_ids if (session := await reader.session(session_id))]
        # If a class is overdue, `sync-due` does not hand it out, so waiting for it makes no sense.
        waiting = (p for p in tried if p.failures and p.due_at and p.due_at > now - OVERDUE)
        return any(p.tried_at and p.tried_at >= end for p in waiting)

    for start in range(0, len(names), LOADED_AT_ONCE):
        reader, some = deps.store.reader(), names[start : start + LOADED_AT_ONCE]
        await reader.load(conferences=some)
        for name in some:
            conference, record = await reader.conference(name), records.get(name)
            if conference is None or (conference.snapshot is None and conference.interruption):
                alone = conference is not None and is_left_alone(conference, now=now)
                if is_back or not (alone or (record is not None and await waits_with_its_class(reader, record))):
                    wanted.append(name)
            elif is_unfinished(conference) and not is_left_alone(conference, now=now):
                end = record.end_time if record else None
                again_at = read_again_at(conference, listed_end=end, settle=deps.rules.settle)
                if is_back or again_at is None or again_at <= now:
                    wanted.append(name)
    return tuple(wanted)


def _place(room: DueRoom) -> str:
    return f"{room.due_at.isoformat()}{_ROOM}{room.space}"


def _room_at(place: str) -> DueRoom | None:
    """The room at a place in the order of all; None if the place is a teacher's."""
    if _ROOM not in place:
        return None
    due_at, _, space = place.partition(_ROOM)
    moment = moment_in(due_at)
    if moment is None or not space.startswith("spaces/"):
        raise UnreadableMessage("The job's data lacks the place to continue from ({after: …}).")
    return DueRoom(space, moment)


async def _is_tracked(organizer: Organizer, deps: Deps) -> bool:
    if organizer.user and await deps.store.reader().organizer(organizer.user):
        return True
    return bool(organizer.email and await deps.store.organizer_with(organizer.email))


def _teacher(sessions: Sequence[ClassSession]) -> Organizer:
    teachers = (session.plan.teachers[0] for session in reversed(sessions) if session.plan.teachers)
    return Organizer(email=next(teachers, None))


def _since(reconciled_until: datetime | None, *, now: datetime) -> datetime:
    """The time from which conferences are looked for: at first as far back as Meet remembers."""
    return max(reconciled_until - LOOK_BACK, now - RETENTION) if reconciled_until else now - RETENTION


def _reads(records: Iterable[str], organizer: str | None) -> list[Job]:
    return [Job("sync-conference", {"conference_record": name, "organizer": organizer}) for name in records]


def _syncs(session_ids: Iterable[str], now: datetime) -> list[Job]:
    return [
        Job("sync-session", {"session_id": session_id, "handed_out_at": now.isoformat()}) for session_id in session_ids
    ]


def is_left_alone(conference: Conference, *, now: datetime) -> bool:
    """Whether no job reads a conference before its time: Meet kept failing, or the store refused what was read."""
    return is_deferred(conference, now=now) or waits_after_refusal(conference, now=now)


async def unfinished(records: Sequence[str], deps: Deps) -> tuple[str, ...]:
    """The conference records that are not stored, or about which another read may show more, in their order.

    Also those that wait for their next read, because Meet kept failing or the store refused them.
    """
    wanted: list[str] = []
    for start in range(0, len(records), LOADED_AT_ONCE):
        names = list(dict.fromkeys(records[start : start + LOADED_AT_ONCE]))
        reader = deps.store.reader()
        await reader.load(conferences=names)
        stored = {name: await reader.conference(name) for name in names if not is_reported(name)}
        wanted += [name for name, found in stored.items() if found is None or is_unfinished(found)]
    return tuple(wanted)

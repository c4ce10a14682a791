"""Make certain: find what events did not bring, and hand it out as jobs of its own.

Events make attendance immediate, the times at which classes are due and this make it certain.
https://developers.google.com/workspace/events/guides/events-meet asks for it: no event is repeated.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from functions.domain.certainty import RETENTION
from functions.domain.errors import NotFound
from functions.domain.model import Organizer, is_reported
from functions.domain.sessions import ClassSession
from functions.domain.syncing import LONGEST_CALL, is_unfinished, waits_after_refusal
from functions.domain.timetable import Room
from functions.ports import Job, Work
from functions.services.deps import Deps
from functions.services.fan_out import OVER, Continuation, fan_out
from functions.services.follow_calendar import JOB as FOLLOW
from functions.services.mark_elsewhere import mark_all_elsewhere
from functions.services.tracked import tracked_organizer

LOOK_BACK = timedelta(days=1)
"""How far before the last time conferences are looked at again: Meet may tell of their end late."""

LOADED_AT_ONCE = 25
"""How many stored conferences are looked at in one go: each may be a megabyte."""

JOB = "reconcile"


async def sync_due(*, deps: Deps) -> int:
    """Hand out one `sync-session` for every class meeting whose time has come, and what else waits.

    That is what Calendar waits for, and what is still to be marked again after people's decisions.

    Returns:
        How many jobs.
    """
    now = deps.clock()
    session_ids = await deps.store.due_sessions(now)
    waiting = await deps.store.sessions_to_follow(now)
    await deps.jobs.publish([*_syncs(session_ids), *(Job(FOLLOW, {"session_id": name}) for name in waiting)])
    await mark_all_elsewhere(deps=deps)
    return len(session_ids) + len(waiting)


async def reconcile_all(*, going_on: Continuation, deps: Deps) -> int:
    """Hand out one `reconcile` for every teacher who is tracked, and for every room of one who is not.

    They are spread over ten minutes if they are many.

    Returns:
        How many.
    """
    organizers, rooms = await asyncio.gather(
        deps.store.organizers(), deps.store.rooms_in_use(since=deps.clock() - RETENTION)
    )
    tracked = {name for organizer in organizers for name in (organizer.user, organizer.email)}
    untracked = [room.space for room in rooms if tracked.isdisjoint({room.owner.user, room.owner.email})]
    names = [*(organizer.user for organizer in organizers), *untracked]

    def job(name: str) -> Job:
        return Job(JOB, {"space" if name.startswith("spaces/") else "organizer": name})

    def again(data: Mapping[str, object]) -> Job:
        return Job(JOB, data)

    return await fan_out(names, job, again=again, going_on=going_on, over=OVER, deps=deps)


async def reconcile(organizer: str, *, deps: Deps) -> int:
    """Hand out one `sync-conference` for every conference of a teacher that is missing or not read for good.

    Missing is what Meet lists since the last time; what is stored and not read for good is known however old it is.
    Also one `sync-session` for every class of theirs that could not be brought up to date before: now that Meet
    answers for this teacher, it need not wait longer. The mark up to which all is seen moves to when the list began,
    and only once everything was handed out.

    Args:
        organizer: `users/{id}` or an e-mail address.
        deps: The outside world.

    Returns:
        How many.

    Raises:
        NotFound: Nobody of this name is tracked.
        Retryable: Google or the store did not answer.
        NeedsOperator: Meet does not let this teacher's conferences be listed before a person mends something.
    """
    tracked = await tracked_organizer(organizer, deps=deps)
    acting_as = Organizer(tracked.user, tracked.email)
    since = _since(tracked.reconciled_until, now=deps.clock())
    listing = await deps.conferences.list(space=None, since=since, until=None, organizer=acting_as)
    known = await deps.store.unfinished_conferences(tracked.user, since=deps.clock() - RETENTION)
    wanted = tuple(dict.fromkeys([*await unfinished([record.name for record in listing.records], deps), *known]))
    failing = await deps.store.failing_sessions(tracked.email)
    await deps.jobs.publish([*_reads(wanted, tracked.user), *_syncs(failing)])

    async def decide(work: Work) -> None:
        current = await work.organizer(tracked.user)
        if current and (current.reconciled_until is None or current.reconciled_until < listing.began_at):
            work.put_organizer(dataclasses.replace(current, reconciled_until=listing.began_at))

    await deps.store.transact(decide)
    return len(wanted) + len(failing)


async def reconcile_room(space: str, *, deps: Deps) -> int:
    """The same for a room whose teacher nobody tracks, as that teacher. Nothing is done for one who is tracked.

    Args:
        space: `spaces/{space}`.
        deps: The outside world.

    Raises:
        NotFound: Nobody knows this room, or there was no class in it for as long as Meet remembers.
        Retryable, NeedsOperator: As `reconcile` does.
    """
    now = deps.clock()
    room, sessions = await _room(space, now=now, deps=deps)
    organizer = room.owner if room.owner.known else _teacher(sessions)
    if await _is_tracked(organizer, deps):
        return 0
    # Meet filters a room's records by when they began.
    since = _since(room.reconciled_until, now=now) - LONGEST_CALL
    listing = await deps.conferences.list(space=space, since=since, until=None, organizer=organizer)
    # What goes on is read when it has ended; what was read before is known by the room.
    ended = [record for record in listing.records if record.end_time]
    before = [span.conference_record for span in room.spans if now - RETENTION < span.time.end]
    wanted = await unfinished([*(record.name for record in ended), *before], deps)
    failing = [session.session_id for session in sessions if session.progress.failures and session.progress.due_at]
    await deps.jobs.publish([*_reads(wanted, organizer.user or organizer.email), *_syncs(failing)])

    async def decide(work: Work) -> None:
        current = await work.room(space)
        if current.reconciled_until is None or current.reconciled_until < listing.began_at:
            work.put_room(dataclasses.replace(current, reconciled_until=listing.began_at))

    await deps.store.transact(decide)
    return len(wanted) + len(failing)


async def _room(space: str, *, now: datetime, deps: Deps) -> tuple[Room, list[ClassSession]]:
    """A room with the classes in it that Meet may still tell of, the latest last."""

    async def load(work: Work) -> tuple[Room, list[ClassSession]]:
        room = await work.room(space)
        recent = [slot.session_id for slot in room.slots if now - RETENTION < slot.scheduled.end]
        await work.load(sessions=recent)
        return room, [session for name in recent if (session := await work.session(name))]

    (room, sessions), _ = await deps.store.transact(load)
    if not sessions:
        raise NotFound("There was no class in this room for as long as Meet remembers.")
    return room, sessions


async def _is_tracked(organizer: Organizer, deps: Deps) -> bool:
    async def load(work: Work) -> bool:
        return organizer.user is not None and await work.organizer(organizer.user) is not None

    tracked, _ = await deps.store.transact(load)
    return tracked or bool(organizer.email and await deps.store.organizer_with(organizer.email))


def _teacher(sessions: Sequence[ClassSession]) -> Organizer:
    teachers = (session.plan.teachers[0] for session in reversed(sessions) if session.plan.teachers)
    return Organizer(email=next(teachers, None))


def _since(reconciled_until: datetime | None, *, now: datetime) -> datetime:
    """From when on conferences are looked for: at first as far as Meet remembers."""
    return max(reconciled_until - LOOK_BACK, now - RETENTION) if reconciled_until else now - RETENTION


def _reads(records: Iterable[str], organizer: str | None) -> list[Job]:
    return [Job("sync-conference", {"conference_record": name, "organizer": organizer}) for name in records]


def _syncs(session_ids: Iterable[str]) -> list[Job]:
    return [Job("sync-session", {"session_id": session_id}) for session_id in session_ids]


async def unfinished(records: Sequence[str], deps: Deps, *, at_once: bool = False) -> tuple[str, ...]:
    """Those of some conference records that are not stored, or of which another read may say more, in their order.

    Those that the store refused lately are left out, unless a person wants them `at_once`.
    """
    wanted: list[str] = []
    for start in range(0, len(records), LOADED_AT_ONCE):
        names = list(dict.fromkeys(records[start : start + LOADED_AT_ONCE]))

        async def load(work: Work, names: Sequence[str] = names) -> list[str]:
            await work.load(conferences=names)
            stored = {name: await work.conference(name) for name in names if not is_reported(name)}
            now = deps.clock()
            return [
                name
                for name, conference in stored.items()
                if conference is None
                or (is_unfinished(conference) and (at_once or not waits_after_refusal(conference, now=now)))
            ]

        some, _ = await deps.store.transact(load)
        wanted += some
    return tuple(wanted)

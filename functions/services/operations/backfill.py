"""Read past conferences that Meet still has: those without an event, or that could not be read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.domain.classes.sessions import TrackedOrganizer
from functions.domain.classes.timetable import RETENTION
from functions.domain.conferences.model import Organizer, SyncError, SyncSource, SyncState
from functions.domain.errors import AttendanceError
from functions.services.deps import Deps
from functions.services.operations.reconcile import unfinished
from functions.services.sync.conference import sync_conference
from functions.services.sync.meet.gathered import Request

AT_ONCE = 4
"""How many conferences of one teacher are read at once, so that one that waits for names does not delay the others."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A teacher's conferences are listed.

    Attributes:
        user: The teacher, `users/{id}`.
        found: How many conferences Meet knows.
        wanted: Those that will be read, oldest first.
    """

    user: str
    found: int
    wanted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """A conference was read and stored; unless it is settled, the scheduled jobs read it again."""

    conference_record: str
    settled: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """A conference could not be read, or a teacher's (`users/{id}`) not be listed. A later run tries it again."""

    what: str
    trouble: AttendanceError | SyncError


Step = Listed | Read | Failed
Tell = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back to look; `cut` says that the request went back further than data is kept."""

    since: datetime
    cut: bool


def reach(since: datetime, *, now: datetime, kept: timedelta = RETENTION) -> Reach:
    """As far back as requested, within the time for which Google keeps data: Meet's 30 days, or another time."""
    earliest = now - kept
    return Reach(max(since, earliest), cut=since < earliest)


async def backfill(
    organizer: TrackedOrganizer, *, since: datetime, tell: Tell, deps: Deps, dry_run: bool = False
) -> None:
    """Read every conference of a teacher that is missing, failed, or not final; failures are reported, not raised.

    Final data is not read again, so a backfill that was interrupted continues where it stopped.

    Args:
        organizer: Whose.
        since: Only conferences that ended at this moment or later; Meet does not list conferences that it thinks still
            go on.
        tell: Called with each step as it is done.
        deps: The outside world.
        dry_run: Whether to report only what would be read.
    """
    try:
        listing = await deps.conferences.list(
            space=None, since=since, until=None, organizer=Organizer(organizer.user, organizer.email)
        )
        wanted = await unfinished([record.name for record in listing.records], deps)
    except AttendanceError as error:
        tell(Failed(organizer.user, error))
        return
    tell(Listed(organizer.user, len(listing.records), wanted))
    if not dry_run:
        await _read_all(wanted, organizer, tell, deps)


async def _read_all(records: Iterable[str], organizer: TrackedOrganizer, tell: Tell, deps: Deps) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def read(record: str) -> None:
        request = Request(record, Organizer(organizer.user, organizer.email), None, SyncSource.MANUAL)
        async with places:
            try:
                recorded = await sync_conference(request, deps=deps)
            except AttendanceError as error:
                tell(Failed(record, error))
                return
        if recorded.refusal:
            tell(Failed(record, recorded.refusal))
        else:
            tell(Read(record, settled=recorded.conference.sync.state is SyncState.COMPLETE))

    async with asyncio.TaskGroup() as tasks:
        for record in records:
            tasks.create_task(read(record))

"""Once a day, read some conferences in full whose sessions are known from events, and count what was different.

It shows whether events can be trusted. A difference also corrects the documents, because the full read is stored.
"""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from datetime import timedelta

from functions.domain.conferences.model import SessionsSource, SyncState
from functions.domain.conferences.seen import differing_people
from functions.domain.errors import AttendanceError
from functions.ports.messages import Job
from functions.services.deps import Deps
from functions.services.sync.conference import Recorded, sync_conference
from functions.services.sync.meet.gathered import Request

BECAUSE = "sample"
"""Why a conference is read again, in the data of the job."""

EVERY = timedelta(days=1)
SAMPLE = 20
"""How many conferences of the last day are read in full."""

log = logging.getLogger(__name__)


async def take_sample(*, deps: Deps) -> int:
    """Hand out a full read of some conferences, unless this was done within the last day; a failure is logged.

    Returns:
        How many.
    """
    try:
        return await _take_sample(deps)
    except AttendanceError as error:
        log.warning("events.not_checked", extra={"reason": error.reason, "hint": error.hint})
        return 0


async def _take_sample(deps: Deps) -> int:
    now = deps.clock()
    if deps.seen is None or not await deps.seen.events.begin_check(now, every=EVERY):
        return 0
    since = now - EVERY
    middle = since + EVERY * random.random()  # noqa: S311 - no secret: which ones does not matter
    found = await deps.seen.events.read_with_events(since=middle, limit=SAMPLE)
    if len(found) < SAMPLE:
        found = [*found, *await deps.seen.events.read_with_events(since=since, limit=SAMPLE)]
    records = list(dict.fromkeys(found))[:SAMPLE]
    await deps.jobs.publish([Job("sync-conference", {"conference_record": r, "because": BECAUSE}) for r in records])
    return len(records)


async def check(request: Request, *, deps: Deps) -> Recorded | None:
    """Read a conference in full and count the people whose time was different; None if it was read in full before.

    Raises the same errors as `sync_conference`.
    """
    before = await deps.store.reader().conference(request.conference_record)
    if deps.seen is None or before is None or before.snapshot is None:
        return None
    if before.sync.sessions_source is SessionsSource.MEET or before.sync.state is not SyncState.COMPLETE:
        return None
    recorded = await sync_conference(replace(request, full=True), deps=deps)
    after = recorded.conference
    if recorded.read and after.snapshot and after.sync.sessions_source is SessionsSource.MEET:
        differences = len(differing_people(before.snapshot, after.snapshot))
        await deps.seen.events.add_check(conferences=1, differences=differences)
        level = logging.WARNING if differences else logging.INFO
        log.log(level, "events.checked", extra={"differences": differences})
    return recorded

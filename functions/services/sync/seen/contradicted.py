"""Read a conference again if an event names a participant session that was not read.

Events may come after the conference was read. If one names a session that the stored conference lacks, a person had one
more session than was known, or Meet listed a session late. Then Meet is asked once more: for that person, as
for everybody whose data may have changed. What Meet does not confirm then is remembered by a hash of all names, so the
same events cause nothing more.
"""

from __future__ import annotations

import logging

from functions.domain.conferences.model import Reading, SessionsSource
from functions.domain.conferences.seen import unanswered
from functions.domain.errors import AttendanceError
from functions.ports.messages import Job
from functions.services.deps import Deps
from functions.services.sync.meet.gathered import Gathered

BECAUSE = "events"
"""Why a conference is read again, in the data of the job."""

log = logging.getLogger(__name__)


async def look_again(conference_record: str, *, deps: Deps) -> None:
    """Hand out a read of a conference if events contradict it; they must be stored before.

    Raises:
        Retryable: The store did not answer, or the jobs' topic did not accept the job.
    """
    if await is_contradicted(conference_record, deps=deps):
        await _hand_out(conference_record, deps)


async def is_contradicted(conference_record: str, *, deps: Deps) -> bool:
    """Whether events name sessions that were not there, or not known, when a finished conference was read."""
    conference = await deps.store.reader().conference(conference_record)
    if conference is None or deps.seen is None:
        return False
    seen = await deps.seen.of(conference_record)
    return bool(unanswered(conference, seen, now=deps.clock()))


async def look_back(gathered: Gathered, *, deps: Deps) -> None:
    """Look, after conferences were stored, for events that came while Meet was asked.

    After an event is stored, the system looks for its conference. After a conference is stored, it looks for events. So
    one of the two looks always finds the other. What was read is stored, so an error here is only logged.
    """
    for record, outcome in gathered.outcomes.items():
        if deps.seen is None or not isinstance(outcome, Reading) or outcome.sessions_source is SessionsSource.MEET:
            continue
        try:
            seen = await deps.seen.of(record)
            read = {session.name for person in outcome.snapshot.participants for session in person.sessions}
            if seen.names - outcome.seen - read:
                await _hand_out(record, deps)
        except AttendanceError as error:
            log.warning("events.not_compared", extra={"reason": error.reason, "hint": error.hint})


async def _hand_out(conference_record: str, deps: Deps) -> None:
    log.info("events.contradict", extra={"conference_record": conference_record})
    await deps.jobs.publish([Job("sync-conference", {"conference_record": conference_record, "because": BECAUSE})])

"""Read past calls of tracked teachers from Google's reports, after Meet has deleted them."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.domain.classes.sessions import TrackedOrganizer
from functions.domain.conferences.model import Organizer, Space
from functions.domain.conferences.reported import REACH, Endpoint, ReportedConference, conferences_of
from functions.domain.conferences.syncing import LONGEST_CALL
from functions.domain.errors import AttendanceError
from functions.services.deps import Deps
from functions.services.operations.backfill import Failed, Read
from functions.services.sync.from_reports import record_reported, require_reports

AT_ONCE = timedelta(days=1)
"""How much time one request for reports covers: a school's day has some thousand rows."""

_ROOM_KEPT = timedelta(days=1)
"""How long after a call a class meeting may begin and still show to which room the call's meeting code belonged."""


@dataclass(frozen=True, slots=True)
class ReportedCall:
    """A call of a tracked teacher is in reports; it is read, except in a dry run."""

    conference_record: str


@dataclass(frozen=True, slots=True)
class Unplaced:
    """The room of a call's meeting code is not known, so the call is not stored."""

    conference_record: str


Step = ReportedCall | Read | Failed | Unplaced
Tell = Callable[[Step], None]


async def backfill_from_reports(
    organizers: Collection[TrackedOrganizer], *, since: datetime, tell: Tell, deps: Deps, dry_run: bool = False
) -> None:
    """Store every call of some teachers in reports; a failed call is reported and does not stop the others.

    A call's room is the one that had its meeting code in a class meeting, otherwise the one that Meet finds for its
    teacher. May be interrupted and repeated, because data is only added.

    Args:
        organizers: The teachers. A report of the whole school is read, but nothing is kept about other people's calls.
        since: Only calls that ended at this moment or later.
        tell: Called with each step as it is done.
        deps: The outside world.
        dry_run: Whether to report only what would be stored.

    Raises:
        Retryable, NeedsOperator, Permanent: Reports cannot be read; what was stored before stays.
    """
    teachers = await _by_address(organizers, deps)
    rooms = _Rooms(deps)
    async for conference, pulled_at in _conferences(since, frozenset(teachers), deps):
        tell(ReportedCall(conference.conference_record))
        if dry_run:
            continue
        teacher = teachers[conference.organizer_email or ""]
        conference = dataclasses.replace(conference, organizer_email=teacher.email)  # noqa: PLW2901 - the same call
        try:
            space = await rooms.of(conference, Organizer(teacher.user, teacher.email))
            if space is None:
                tell(Unplaced(conference.conference_record))
                continue
            await record_reported(conference, space, pulled_at=pulled_at, deps=deps)
        except AttendanceError as error:
            tell(Failed(conference.conference_record, error))
            continue
        tell(Read(conference.conference_record, settled=True))


async def _by_address(organizers: Collection[TrackedOrganizer], deps: Deps) -> Mapping[str, TrackedOrganizer]:
    """Teachers by all their addresses, because reports may name another address than the enrolled one."""
    people = await deps.store.reader().people([organizer.user for organizer in organizers])
    identities = {user: person.identity for user, person in people.items() if person.identity}
    found: dict[str, TrackedOrganizer] = {}
    for organizer in organizers:
        identity = identities.get(organizer.user)
        for address in (identity.email, *identity.aliases) if identity else ():
            found.setdefault(address, organizer)
    return found | {organizer.email: organizer for organizer in organizers}


async def _conferences(
    since: datetime, emails: Collection[str], deps: Deps
) -> AsyncIterator[tuple[ReportedConference, datetime]]:
    """The calls of these organizers that ended since a moment, each once and whole, with when they were asked for."""
    reports, now = require_reports(deps), deps.clock()
    begin = max(since - LONGEST_CALL, now - REACH)
    waiting: set[Endpoint] = set()
    while begin < now:
        end = min(begin + AT_ONCE, now)
        report = await reports.read(meeting_code=None, since=begin, until=end)
        waiting |= report.endpoints
        # People who are still in a call have no row yet.
        over = [one for one in conferences_of(waiting) if end == now or one.time.start + LONGEST_CALL <= end]
        for conference in over:
            if conference.time.end >= since and conference.organizer_email in emails:
                yield conference, report.began_at
        waiting = _without(waiting, over)
        begin = end


def _without(endpoints: Iterable[Endpoint], conferences: Iterable[ReportedConference]) -> set[Endpoint]:
    """The endpoints of other calls than these."""
    done = {conference.conference_record for conference in conferences}
    return {one for one in endpoints if one.conference_record not in done}


class _Rooms:
    """The room of a meeting code; looked up only once."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._found: dict[str, Space | None] = {}

    async def of(self, conference: ReportedConference, teacher: Organizer) -> Space | None:
        """The room of a call; raises the same errors as `Spaces.find`."""
        code = conference.meeting_code
        known = await self._deps.store.space_with_code(code, until=conference.time.end + _ROOM_KEPT)
        if known:
            return known
        if code not in self._found:
            self._found[code] = await self._deps.spaces.find(code, teacher=teacher)
        return self._found[code]

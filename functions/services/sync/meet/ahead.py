"""Look at a conference's class meetings while Meet is still asked for its participants.

The conference record comes early and names the room and the time. So the class meetings are loaded, and the room's
conference records are listed, while participants and sessions are read. Each page of participants names accounts, so
what is stored about them is read while their sessions are read. People's decisions about the class meetings, and who is
erased, are read too. This only saves time: what does not fit what was read in the end is requested again, and so is
what failed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable
from datetime import datetime

from functions.domain.classes.sessions import ClassSession
from functions.domain.conferences.model import ConferenceRecord, Organizer, Participant
from functions.domain.errors import AttendanceError, OrganizerUnknown
from functions.domain.intervals import Interval
from functions.domain.marking.who import account_of
from functions.hints import ORGANIZER_UNKNOWN
from functions.ports.google import Listing
from functions.ports.store import Reader
from functions.services.deps import Deps
from functions.services.stored import owner_of
from functions.services.sync.meet.gathered import Look, reach_of


@contextlib.asynccontextmanager
async def looking_ahead(attached_to: Collection[str], reader: Reader, deps: Deps) -> AsyncIterator[LookAhead]:
    """Look ahead in this context; a look that has not finished at the end of the context is cancelled.

    Args:
        attached_to: The class meetings to which people attached the conference.
        reader: What is stored.
        deps: The outside world.
    """
    ahead = LookAhead(attached_to, reader, deps)
    try:
        yield ahead
    finally:
        await ahead.give_up()


class LookAhead:
    """One look ahead: use `looking_ahead`, and `finish` before its results."""

    def __init__(self, attached_to: Collection[str], reader: Reader, deps: Deps) -> None:
        self._attached_to = attached_to
        self._reader = reader
        self._deps = deps
        self._looking: asyncio.Task[dict[str, Look]] | None = None
        self._loading: list[asyncio.Task[None]] = []
        self._users: set[str] = set()
        self._people_read_at: datetime | None = None

    def begin(self, record: ConferenceRecord) -> None:
        """Begin when Meet has returned the conference record."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(record))

    async def finish(self) -> None:
        """Wait until everything that was begun is done, so that nothing is read or requested twice."""
        if self._looking:
            await self._looking
        await asyncio.gather(*self._loading)

    def looks(self, sessions: Collection[ClassSession]) -> dict[str, Look]:
        """The lists that need not be requested again, by space: those of exactly the time that is needed now.

        Args:
            sessions: The class meetings that the conference belongs to, after it was read.
        """
        found = self._looking.result() if self._looking else {}
        needed = {space: reach_of(here) for space, here in _by_space(sessions).items()}
        return {space: look for space, look in found.items() if needed.get(space) == look.reach}

    def load_people(self, page: Iterable[Participant]) -> None:
        """Begin to read what is stored about the accounts of a page of participants."""
        new = {user for participant in page if (user := account_of(participant.user))} - self._users
        if new:
            self._users |= new
            self._begin_to_load(people=new)

    @property
    def people_read_at(self) -> datetime | None:
        """When stored data about people, or who is erased, was first read; None if neither was read."""
        return self._people_read_at

    async def give_up(self) -> None:
        """Cancel what has not finished."""
        # `cancel` on a task that has failed would hide its error: asyncio logs it if nobody asks for it.
        unfinished = [task for task in (self._looking, *self._loading) if task and not task.done()]
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)

    def _begin_to_load(self, *, people: Collection[str] = (), to_mark: Collection[str] = ()) -> None:
        self._people_read_at = self._people_read_at or self._deps.clock()
        self._loading.append(asyncio.create_task(self._load(people=people, to_mark=to_mark)))

    async def _load(self, *, people: Collection[str], to_mark: Collection[str]) -> None:
        # If the store does not answer, it is asked again, and then the error counts.
        with contextlib.suppress(AttendanceError):
            await self._reader.load(people=people, to_mark=to_mark)
            await self._reader.people(people)  # so that they are converted while Meet is asked, too

    async def _look(self, record: ConferenceRecord) -> dict[str, Look]:
        time = Interval(record.start_time, record.end_time or self._deps.clock())
        looks = {}
        try:
            sessions = await sessions_around(record.space, time, self._attached_to, self._reader)
            self._begin_to_load(to_mark=sessions)
            for space, here in _by_space(sessions.values()).items():
                organizer = await owner_of(await self._reader.room(space), here[0], self._deps.store)
                reach = reach_of(here)
                looks[space] = Look(reach, organizer, await list_calls(space, reach, organizer, self._deps))
        except AttendanceError:
            pass  # it is requested again, and then the error counts
        return looks


async def sessions_around(
    space: str, time: Interval, attached_to: Collection[str], reader: Reader
) -> dict[str, ClassSession]:
    """The scheduled class meetings that a conference in a room belongs to."""
    room = await reader.room(space)
    session_ids = attached_to or room.sessions_of(time)
    await reader.load(sessions=session_ids)
    sessions = {session_id: await reader.session(session_id) for session_id in session_ids}
    return {name: session for name, session in sessions.items() if session and session.plan.takes_place}


async def list_calls(space: str, reach: Interval, organizer: Organizer, deps: Deps) -> Listing:
    """The conference records of a room.

    Raises:
        OrganizerUnknown: Nobody is known who could ask.
        Retryable, NeedsOperator, Permanent: Meet did not answer.
    """
    if not organizer.known:
        raise OrganizerUnknown(
            "The teacher of the class meeting is not known, so the calls in its room cannot be listed.",
            hint=ORGANIZER_UNKNOWN,
        )
    return await deps.conferences.list(space=space, since=reach.start, until=reach.end, organizer=organizer)


def _by_space(sessions: Iterable[ClassSession]) -> dict[str, list[ClassSession]]:
    found: dict[str, list[ClassSession]] = {}
    for session in sessions:
        found.setdefault(session.space.name, []).append(session)
    return found

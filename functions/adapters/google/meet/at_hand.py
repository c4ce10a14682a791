"""What is known of participants without a call for their sessions, while a conference is read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from functions.domain.conferences.model import Participant, ParticipantSession, SessionsSource
from functions.domain.conferences.rereading import Known, sessions_without_call
from functions.domain.conferences.seen import SeenSession, SeenSessions


class AtHand:
    """What earlier reads and events showed about the participants of one conference.

    Args:
        known: What earlier reads showed.
        seen: What events said; it is loaded while Meet is asked for the first page of participants.
        keep: Called with each participant whose sessions were read.
        on_page: Called with each page of participants.

    Attributes:
        source: Where the sessions are known from that were not asked for.
    """

    def __init__(
        self,
        known: Known,
        seen: asyncio.Task[SeenSessions],
        keep: Callable[[Participant], None],
        on_page: Callable[[Sequence[Participant]], None],
    ) -> None:
        self.known = known
        self.keep = keep
        self.on_page = on_page
        self.source = SessionsSource.MEET
        self._seen = seen
        self._by_participant: Mapping[str, Mapping[str, SeenSession]] | None = None

    async def sessions_of(
        self, listed: Participant, *, ended_at: datetime | None
    ) -> tuple[ParticipantSession, ...] | None:
        """The sessions of a participant; None if Meet must be asked."""
        if self._by_participant is None:
            self._by_participant = (await self._seen).by_participant()
        seen = self._by_participant.get(listed.name, {})
        found = sessions_without_call(listed, self.known, seen, ended_at=ended_at)
        if found is None:
            return None
        if found.source is SessionsSource.EVENTS:
            self.source = SessionsSource.EVENTS
        return found.sessions


async def awaited(events: Callable[[], Awaitable[SeenSessions]]) -> SeenSessions:
    """What events said, as a coroutine that a task can run."""
    return await events()

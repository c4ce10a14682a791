"""What joined and left events said, until the conferences are read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from functions.domain.conferences.seen import SeenSessions


class SeenEvents(Protocol):
    """What events said about participant sessions. It expires after two days, even if the conference is never read."""

    async def add(self, conference_record: str, seen: SeenSessions) -> None:
        """Store what further events said; nothing is lost if several processes do it at once.

        Args:
            conference_record: `conferenceRecords/{id}`.
            seen: What they said about it.

        Raises:
            StoreUnavailable: The store did not answer. It may have stored everything, a part or nothing.
            DocumentsRefused: There is no room for more events about this conference.
        """

    async def read_with_events(self, *, since: datetime, limit: int) -> Sequence[str]:
        """Conference records that ended at a moment or later and whose sessions are known from events, by their end."""

    async def begin_check(self, now: datetime, *, every: timedelta) -> bool:
        """Begin a new check of such conferences, with nothing counted; False if one began within some time."""

    async def add_check(self, *, conferences: int, differences: int) -> None:
        """Add to the check that began last: conferences that were compared, and people whose time was different."""

    async def of(self, conference_record: str) -> SeenSessions:
        """Everything that events said about a conference, as far as it is stored; raises StoreUnavailable."""

"""What joined and left events said, until the conferences are read."""

from __future__ import annotations

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

    async def of(self, conference_record: str) -> SeenSessions:
        """Everything that events said about a conference, as far as it is stored; raises StoreUnavailable."""

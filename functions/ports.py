"""What the use cases need from the world, in our words. Adapters fulfil it; nobody else knows how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from functions.domain.model import AttendanceSheet, Conference, Organizer, Reading

Clock = Callable[[], datetime]
"""The current time, aware UTC."""

T = TypeVar("T")


class Conferences(Protocol):
    """Google Meet's conference records."""

    async def read(self, conference_record: str, *, organizer: Organizer) -> Reading:
        """Read one conference whole: every participant with every session.

        All or nothing: a reading that misses a page is never returned. May be repeated; changes nothing.

        Args:
            conference_record: `conferenceRecords/{id}`.
            organizer: As whom it is read.

        Raises:
            Retryable: Meet could not answer now.
            NeedsOperator: Meet will not answer until a person mends something.
            Permanent: Meet can never answer.
        """


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """Something as it was stored when it was loaded; `value` is None where there was nothing.

    Attributes:
        value: What was stored.
        origin: The store's own note of what it saw, given back to it with a change.
    """

    value: T | None
    origin: object


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What is to stand in the place of something loaded."""

    loaded: Loaded[T]
    value: T


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """A message that cannot be processed, kept for a person.

    Attributes:
        key: What the message is recognised by when it comes again; it derives from the message.
        message: The message as received, as text.
        encoding: How the text holds it: `json`, `text`, or `base64`.
        reason: The error's slug.
        hint: What to do about it.
    """

    key: str
    message: str
    encoding: str
    reason: str
    hint: str


class AttendanceStore(Protocol):
    """Where conferences and attendance stand."""

    async def load_conference(self, conference_record: str) -> Loaded[Conference]:
        """The stored conference.

        Raises:
            StoreUnavailable: The store did not answer.
            DocumentTooNew: A later version of this system wrote it.
        """

    async def load_sheet(self, session_id: str) -> Loaded[AttendanceSheet]:
        """The stored class meeting with everybody's attendance; raises as `load_conference` does."""

    async def save(
        self, *, conference: Change[Conference] | None = None, sheet: Change[AttendanceSheet] | None = None
    ) -> None:
        """Put all changes in the place of what was loaded: all of them or none, for every reader at once.

        Only documents that differ from the loaded ones are written, and `updated_at` moves only where a reader
        can see a difference, so that saving the same again writes nothing.

        Raises:
            StoreConflict: Something changed since it was loaded. Nothing was written.
            StoreUnavailable: The store did not answer. It may have written everything or nothing.
            DocumentsRefused: The store will never take them. Nothing was written.
        """

    async def park(self, event: ParkedEvent) -> None:
        """Keep a message that cannot be processed. Parking the same one again changes nothing."""

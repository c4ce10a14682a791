"""What one instance remembers about calls that go on. Correctness never depends on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from functions.domain.errors import Retryable
from functions.domain.live.calls import LiveCall, Sighting
from functions.domain.recent import Recent

MOST = 2_000
"""How many calls, or classes, one instance remembers."""


@dataclass(frozen=True, slots=True)
class Going:
    """A call that goes on, and the class meetings whose time it is.

    Attributes:
        found_at: When Meet said so.
        call: None if the call is over, or if Meet does not show it.
        session_ids: The class meetings whose time it is.
        until: When the time of another class meeting begins, or the time of one of these ends.
    """

    found_at: datetime
    call: LiveCall | None = None
    session_ids: tuple[str, ...] = ()
    until: datetime | None = None


@dataclass(slots=True)
class Calls:
    """The latest answers about calls."""

    _known: Recent[Going] = field(default_factory=partial(Recent, MOST))
    _failures: Recent[tuple[datetime, Retryable]] = field(default_factory=partial(Recent, MOST))

    def known(self, conference_record: str, *, now: datetime, kept: timedelta) -> Going | None:
        """The answer about a call, if it is new enough."""
        found = self._known.get(conference_record)
        if found is None or now >= found.found_at + kept or (found.until and now >= found.until):
            return None
        return found

    def remember(self, conference_record: str, going: Going) -> Going:
        """Remember an answer, in place of an earlier one."""
        self._known[conference_record] = going
        return going

    def failed(self, conference_record: str, error: Retryable, *, now: datetime) -> None:
        """Remember that a question about a call failed."""
        self._failures[conference_record] = now, error

    def failure(self, conference_record: str, *, now: datetime, kept: timedelta) -> Retryable | None:
        """Why a question about a call failed a moment ago; None if none did."""
        failed = self._failures.get(conference_record)
        return failed[1] if failed and now < failed[0] + kept else None


@dataclass(frozen=True, slots=True, eq=False)
class UnstoredEvent:
    """What an event says, its call, and what its sender waits for."""

    note: Sighting
    found: Going
    done: asyncio.Future[None]

    def succeed(self) -> None:
        """Tell the sender that it is stored."""
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Tell the sender why it is not stored, or must come again."""
        if not self.done.done():
            self.done.set_exception(error)


@dataclass(slots=True)
class Unstored:
    """The events of one class that are not stored yet.

    Attributes:
        notes: What they say.
        pause: How long after `stored_at` the next ones may be stored.
        stored_at: When the last ones were stored.
    """

    notes: list[UnstoredEvent] = field(default_factory=list)
    pause: timedelta = timedelta(0)
    stored_at: datetime | None = None

    def take(self) -> list[UnstoredEvent]:
        """All events that wait."""
        taken, self.notes = self.notes, []
        return taken

    def put_back(self, taken: list[UnstoredEvent]) -> None:
        """Events that were taken wait again, if their senders do."""
        self.notes = [note for note in taken if not note.done.done()] + self.notes

    def leave(self, note: UnstoredEvent) -> None:
        """The sender of an event no longer waits."""
        self.notes = [other for other in self.notes if other is not note]
        if not note.done.cancel() and not note.done.cancelled():
            note.done.exception()  # nobody else will ask for it

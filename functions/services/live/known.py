"""What one instance remembers about calls that go on. Correctness never depends on it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from functions.domain.errors import AttendanceError, Retryable
from functions.domain.live.calls import LiveCall, Sighting

T = TypeVar("T")

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

    _known: OrderedDict[str, Going] = field(default_factory=OrderedDict)
    _failures: OrderedDict[str, tuple[datetime, Retryable]] = field(default_factory=OrderedDict)

    def known(self, conference_record: str, *, now: datetime, kept: timedelta) -> Going | None:
        """The answer about a call, if it is new enough."""
        found = self._known.get(conference_record)
        if found is None or now >= found.found_at + kept or (found.until and now >= found.until):
            return None
        return found

    def remember(self, conference_record: str, going: Going) -> Going:
        """Remember an answer, in place of an earlier one."""
        return _remember(self._known, conference_record, going)

    def failed(self, conference_record: str, error: Retryable, *, now: datetime) -> None:
        """Remember that a question about a call failed."""
        _remember(self._failures, conference_record, (now, error))

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


@dataclass(slots=True)
class Waiting:
    """The events that wait, by class meeting."""

    _pending: OrderedDict[str, Unstored] = field(default_factory=OrderedDict)

    def of(self, session_id: str) -> Unstored:
        """Those of a class meeting."""
        return _remember(self._pending, session_id, self._pending.get(session_id) or Unstored())


@dataclass(slots=True)
class Looks:
    """When this instance last asked Meet for somebody who looks at a class meeting, and the error, if any."""

    _asked: OrderedDict[str, tuple[datetime, AttendanceError | None]] = field(default_factory=OrderedDict)

    def last(self, session_id: str) -> tuple[datetime, AttendanceError | None] | None:
        """The last time; None if there is none that is remembered."""
        return self._asked.get(session_id)

    def remember(self, session_id: str, error: AttendanceError | None, *, now: datetime) -> None:
        """Remember that Meet was asked now."""
        _remember(self._asked, session_id, (now, error))


def _remember(known: OrderedDict[str, T], key: str, value: T) -> T:
    known[key] = value
    known.move_to_end(key)
    while len(known) > MOST:
        known.popitem(last=False)
    return value

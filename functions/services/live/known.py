"""What one instance remembers about calls that go on. Correctness never depends on it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from functions.domain.live.calls import LiveCall, Sighting

T = TypeVar("T")

MOST = 2_000
"""How many calls, or classes, one instance remembers."""


@dataclass(frozen=True, slots=True)
class Going:
    """A call that goes on, and the class meetings whose time it is.

    `call` is None if the call is over, or if Meet does not show it.
    """

    found_at: datetime
    call: LiveCall | None = None
    session_ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Calls:
    """The latest answers about calls."""

    _known: OrderedDict[str, Going] = field(default_factory=OrderedDict)

    def known(self, conference_record: str, *, now: datetime, kept: timedelta) -> Going | None:
        """The answer about a call, if it is new enough."""
        found = self._known.get(conference_record)
        return found if found and now < found.found_at + kept else None

    def remember(self, conference_record: str, going: Going) -> Going:
        """Remember an answer, in place of an earlier one."""
        return _remember(self._known, conference_record, going)


@dataclass(slots=True)
class Unstored:
    """The events of one class that are not stored yet.

    Attributes:
        notes: What they say, with the call of each, and what its sender waits for.
        pause: How long after `stored_at` the next ones may be stored.
        stored_at: When the last ones were stored.
    """

    notes: list[tuple[Sighting, Going, asyncio.Future[None]]] = field(default_factory=list)
    pause: timedelta = timedelta(0)
    stored_at: datetime | None = None

    def take(self) -> list[tuple[Sighting, Going, asyncio.Future[None]]]:
        """All events that wait."""
        taken, self.notes = self.notes, []
        return taken


@dataclass(slots=True)
class Waiting:
    """The events that wait, by class meeting."""

    _pending: OrderedDict[str, Unstored] = field(default_factory=OrderedDict)

    def of(self, session_id: str) -> Unstored:
        """Those of a class meeting."""
        return _remember(self._pending, session_id, self._pending.get(session_id) or Unstored())


def _remember(known: OrderedDict[str, T], key: str, value: T) -> T:
    known[key] = value
    known.move_to_end(key)
    while len(known) > MOST:
        known.popitem(last=False)
    return value

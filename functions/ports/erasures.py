"""Erasing a person: who is meant, the progress, and the documents that are changed one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from functions.domain.classes.sessions import AuditEntry
from functions.domain.erasure import Erased, Name


class Step(StrEnum):
    """What an erasure does next, in this order. Each step may be interrupted and done again."""

    SESSIONS = "sessions"
    CONFERENCES = "conferences"
    CORRECTIONS = "corrections"
    PEOPLE = "people"
    SPACES = "spaces"
    REGISTERS = "registers"
    PARKED_EVENTS = "parked_events"
    AUDIT = "audit"
    REMARKS = "remarks"
    LIVE = "live"
    SETTLE_SESSIONS = "settle_sessions"
    """From here on the names are no longer known. What was stored meanwhile is searched by fingerprints."""
    SETTLE_CONFERENCES = "settle_conferences"
    SETTLE_CORRECTIONS = "settle_corrections"
    SETTLE_PEOPLE = "settle_people"
    SETTLE_SPACES = "settle_spaces"
    SETTLE_REGISTERS = "settle_registers"
    SETTLE_PARKED_EVENTS = "settle_parked_events"
    SETTLE_AUDIT = "settle_audit"
    SETTLE_REMARKS = "settle_remarks"
    SETTLE_LIVE = "settle_live"
    DONE = "done"

    @property
    def following(self) -> Step:
        """The step after this one."""
        steps = list(Step)
        return steps[steps.index(self) + 1]

    @property
    def settling(self) -> bool:
        """Whether everything stored before the erasure is erased."""
        return self is Step.DONE or self.value.startswith("settle_")

    @property
    def seen_first(self) -> Step:
        """The step that this one repeats; the step itself if it repeats nothing."""
        again = self.value.removeprefix("settle_")
        return Step(again) if self.settling and again != Step.SESSIONS.value else self


@dataclass(frozen=True, slots=True)
class Subject:
    """The person who will be erased, as the stored documents show.

    Attributes:
        names: Every name that the person alone has.
        sessions: Ids of the class meetings in which the person has attendance or is on the roster.
        attendees: The ids of that attendance.
        attendance: How many attendance documents there are.
        left: How many accounts and addresses of the person stay, because other people have or had them too.
        guests: The class meetings in which a guest without an account was assigned to the person, each with the id of
            the guest's own attendance.
    """

    names: frozenset[Name]
    sessions: tuple[str, ...] = ()
    attendees: frozenset[str] = frozenset()
    attendance: int = 0
    left: int = 0
    guests: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure that is not finished.

    Attributes:
        erasure_id: Its own id.
        person: The token of the person.
        names: The names of the person; empty once everything stored is erased.
        sessions: Class meetings that must still be marked again.
        attendees: The ids of the person's attendance.
        step: What it does next.
        after: The document after which the step continues; None at its beginning.
        begun_at: When it began.
        updated_at: When it last made progress.
        done: How many documents were changed or deleted, by kind.
        version: The stored state that this was read from; only the store uses it.
    """

    erasure_id: str
    person: str
    names: frozenset[Name]
    sessions: tuple[str, ...]
    attendees: frozenset[str]
    step: Step
    after: str | None
    begun_at: datetime
    updated_at: datetime
    done: Mapping[str, int] = field(default_factory=dict)
    version: object = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Part:
    """A limited part of a step, after some documents were searched.

    Attributes:
        conferences: Conference records that name the person.
        sessions: Class meetings that name the person.
        changed: How many other documents named the person. Unless this was a dry run, they no longer do.
        after: The document after which the step continues; None if it is complete.
    """

    conferences: Sequence[str] = ()
    sessions: Sequence[str] = ()
    changed: int = 0
    after: str | None = None


class Erasures(Protocol):
    """What an erasure needs from the store besides units of work. Every method may raise StoreUnavailable."""

    @property
    def possible(self) -> bool:
        """Whether there is a key. Without it, nobody can be erased for good."""

    async def find(self, name: str) -> Subject | None:
        """The person with a `student_id`, an account (`123`, `users/123`) or an address (former ones too), or None.

        Raises:
            PersonNotUnique: The name may mean several people.
            PersonTeaches: The name is a teacher's.
            AccountAssigned: Another student was in a class meeting with an account of the person.
        """

    async def begin(self, subject: Subject, note: AuditEntry) -> Erasure:
        """Block the names from being stored again, and store the erasure and who asked for it, in one commit."""

    async def get(self, erasure_id: str) -> Erasure | None:
        """An erasure that is not finished; None if it does not exist."""

    async def of(self, name: str) -> Erasure | None:
        """The unfinished erasure of the person with a name; None if that person is not being erased."""

    async def under_way(self) -> Sequence[Erasure]:
        """Every unfinished erasure."""

    async def everybody(self, erasure: Erasure) -> Erased:
        """Everybody who is erased so far, and the attendance that an erasure removes."""

    async def keep(self, erasure: Erasure, names: frozenset[Name]) -> None:
        """Block further names of the person from being stored again; the erasure does not store them."""

    async def take_out(self, session_id: str, erasure: Erasure) -> int:
        """Remove the person from a class meeting that is too large to be marked again, with a few small writes.

        Returns:
            How many attendance documents were deleted.
        """

    async def take_out_of_conference(self, record: str, erasure: Erasure) -> bool:
        """Remove the person from a conference; returns whether the person was in it."""

    async def forget_events(self, records: Sequence[str]) -> None:
        """Delete what joined and left events said about some conferences, about everybody who was in them."""

    async def part(self, erasure: Erasure, *, only_look: bool) -> Part:
        """Do a limited part of the erasure's step, from CONFERENCES on, for documents that are changed one by one.

        The result names the conferences and class meetings that units of work must change.
        """

    async def save(self, erasure: Erasure) -> Erasure:
        """Store the progress of an erasure; one that is DONE is deleted.

        Raises:
            StoreConflict: Another process works on it too, and stored its progress first.
        """

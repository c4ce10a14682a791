"""Erasing a person: who is meant, how far it is, and what is changed document by document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from functions.domain.classes.sessions import AuditEntry
from functions.domain.erasure import Erased, Name


class Step(StrEnum):
    """What an erasure does next; the steps come in this order. Each may be broken off and done again."""

    SESSIONS = "sessions"
    CONFERENCES = "conferences"
    CORRECTIONS = "corrections"
    PEOPLE = "people"
    SPACES = "spaces"
    REGISTERS = "registers"
    PARKED_EVENTS = "parked_events"
    AUDIT = "audit"
    REMARKS = "remarks"
    SETTLE_SESSIONS = "settle_sessions"
    """From here on the names are not known any more: what was stored meanwhile is looked through by fingerprints."""
    SETTLE_CONFERENCES = "settle_conferences"
    SETTLE_CORRECTIONS = "settle_corrections"
    SETTLE_PEOPLE = "settle_people"
    SETTLE_SPACES = "settle_spaces"
    SETTLE_REGISTERS = "settle_registers"
    SETTLE_PARKED_EVENTS = "settle_parked_events"
    SETTLE_AUDIT = "settle_audit"
    SETTLE_REMARKS = "settle_remarks"
    DONE = "done"

    @property
    def following(self) -> Step:
        """The step after this one."""
        steps = list(Step)
        return steps[steps.index(self) + 1]

    @property
    def settling(self) -> bool:
        """Whether everything that was stored is erased."""
        return self is Step.DONE or self.value.startswith("settle_")

    @property
    def seen_first(self) -> Step:
        """The step that this one does a second time; itself if it does nothing again."""
        again = self.value.removeprefix("settle_")
        return Step(again) if self.settling and again != Step.SESSIONS.value else self


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is to be erased, as far as stored documents tell.

    Attributes:
        names: Every name that the person alone has.
        sessions: Ids of the class meetings in which the person has attendance, or stands on the roster.
        attendees: The ids of that attendance.
        attendance: How many attendance documents there are.
        left: How many accounts and addresses go with the person and are left, because others have or had them too.
    """

    names: frozenset[Name]
    sessions: tuple[str, ...] = ()
    attendees: frozenset[str] = frozenset()
    attendance: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure that is not done yet.

    Attributes:
        erasure_id: Its own id.
        person: The token of the person.
        names: What the person is known by; empty once everything that was stored is erased.
        sessions: Class meetings that are still to be marked again.
        attendees: The ids of the person's attendance.
        step: What is done next.
        after: The document after which the step goes on; None at its beginning.
        begun_at: When it began.
        updated_at: When it last got on.
        done: How many documents were changed or deleted, by kind.
        version: Which state of it this is; only the store understands it.
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
    """A bounded part of a step: some documents were looked through.

    Attributes:
        conferences: Conference records that name the person.
        sessions: Class meetings that name the person.
        changed: How many other documents name the person; unless it was only looked, they do not any more.
        after: The document after which the step goes on; None if it is complete.
    """

    conferences: Sequence[str] = ()
    sessions: Sequence[str] = ()
    changed: int = 0
    after: str | None = None


class Erasures(Protocol):
    """What an erasure needs of the store besides units of work. Every method raises StoreUnavailable."""

    @property
    def possible(self) -> bool:
        """Whether there is a key, without which nobody can be erased for good."""

    async def find(self, name: str) -> Subject | None:
        """Who has a `student_id`, an account (`123`, `users/123`) or an address, a former one too; None for nobody.

        Raises:
            PersonNotUnique: It cannot be told which one person is meant.
            PersonTeaches: The name is a teacher's.
            AccountAssigned: Another student was in a class meeting with an account of the person.
        """

    async def begin(self, subject: Subject, note: AuditEntry) -> Erasure:
        """Keep the names from being stored again, and note the erasure and who asked for it, all in one commit."""

    async def get(self, erasure_id: str) -> Erasure | None:
        """An erasure that is not done; None if there is no such one."""

    async def of(self, name: str) -> Erasure | None:
        """The erasure of the person with a name that is under way; None if there is none."""

    async def under_way(self) -> Sequence[Erasure]:
        """Every erasure that is not done."""

    async def everybody(self, erasure: Erasure) -> Erased:
        """Everybody who is erased by now, with the attendance that an erasure takes out."""

    async def keep(self, erasure: Erasure, names: frozenset[Name]) -> None:
        """Keep further names of the person from being stored again; the erasure does not have to remember them."""

    async def take_out(self, session_id: str, erasure: Erasure) -> int:
        """Take the person out of a class meeting that is too large to be marked again, with a few small writes.

        Returns:
            How many attendance documents went.
        """

    async def take_out_of_conference(self, record: str, erasure: Erasure) -> bool:
        """The same for a conference; whether anything was in it."""

    async def part(self, erasure: Erasure, *, only_look: bool) -> Part:
        """Do a bounded part of the erasure's step, from CONFERENCES on, as far as documents are changed one by one.

        What it leaves to units of work is named: conferences and class meetings.
        """

    async def save(self, erasure: Erasure) -> Erasure:
        """Note how far an erasure is; one that is DONE is forgotten.

        Raises:
            StoreConflict: Somebody else carries it out too, and noted it first.
        """

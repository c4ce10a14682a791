"""Erasing a person: who is meant, how far it is, and what is changed document by document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from functions.domain.erasure import Name


class Step(StrEnum):
    """What an erasure does next; the steps come in this order. Each may be broken off and done again."""

    FIND = "find"
    SESSIONS = "sessions"
    CONFERENCES = "conferences"
    CORRECTIONS = "corrections"
    PEOPLE = "people"
    REGISTERS = "registers"
    PARKED_EVENTS = "parked_events"
    AUDIT = "audit"
    REMARKS = "remarks"
    SETTLE_SESSIONS = "settle_sessions"
    """From here on the names are not known any more: what was stored meanwhile is looked through by fingerprints."""
    SETTLE_PEOPLE = "settle_people"
    DONE = "done"

    @property
    def following(self) -> Step:
        """The step after this one."""
        steps = list(Step)
        return steps[steps.index(self) + 1]

    @property
    def settling(self) -> bool:
        """Whether everything that was stored is erased."""
        return self in {Step.SETTLE_SESSIONS, Step.SETTLE_PEOPLE, Step.DONE}


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is to be erased, as far as stored documents tell.

    Attributes:
        names: Every name that the person alone has.
        sessions: Ids of the class meetings in which the person has attendance, or stands on the roster.
        attendees: The ids of that attendance.
        attendance: How many attendance documents there are.
        teaches: Whether the person is tracked as a teacher, teaches a class meeting or organized a call.
    """

    names: frozenset[Name]
    sessions: tuple[str, ...] = ()
    attendees: frozenset[str] = frozenset()
    attendance: int = 0
    teaches: bool = False


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
        """Who has a `student_id`, an account (`123`, `users/123`) or an address, a former one too; None for nobody."""

    async def complete(self, subject: Subject) -> Subject:
        """The same person with every name and class meeting that can be found by the names."""

    async def begin(self, subject: Subject) -> Erasure:
        """Keep the names from being stored again, and note that the person is to be erased, in one commit."""

    async def get(self, erasure_id: str) -> Erasure | None:
        """An erasure that is not done; None if there is no such one."""

    async def of(self, name: str) -> Erasure | None:
        """The erasure of the person with a name that is under way; None if there is none."""

    async def under_way(self) -> Sequence[Erasure]:
        """Every erasure that is not done."""

    async def also_known_by(self, erasure: Erasure, names: frozenset[Name]) -> Erasure:
        """Erase further names with the others."""

    async def part(self, erasure: Erasure, *, only_look: bool) -> Part:
        """Do a bounded part of the erasure's step, from CONFERENCES on, as far as documents are changed one by one.

        What it leaves to units of work is named: conferences and class meetings.
        """

    async def save(self, erasure: Erasure) -> Erasure:
        """Note how far an erasure is; one that is DONE is forgotten.

        Raises:
            StoreConflict: Somebody else carries it out too, and noted it first.
        """

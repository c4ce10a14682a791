"""The dependencies of the use cases, which are always passed as arguments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from functions.domain.classes.policy import Policy
from functions.domain.errors import AttendanceError
from functions.domain.recent import Recent
from functions.ports.clock import Clock
from functions.ports.google import Calendar, Conferences, Identities, Reports, Spaces, Subscriptions
from functions.ports.messages import DeadLetters, Jobs
from functions.ports.store import AttendanceStore
from functions.services.live.known import MOST, Calls, Unstored
from functions.services.sync.seen.collect import CollectedEvents
from functions.services.turns import Turns

if TYPE_CHECKING:  # an instance for events starts sooner without it
    from functions.ports.erasures import Erasures


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of a school.

    Attributes:
        settle: How long after its end a conference may still change.
        time_zone: The school's time zone, an IANA name.
        policy: How marks are made for classes without their own rules.
        room_names: Shell patterns of room devices' names.
        allowed_domains: Domains whose teachers an administrator may enrol.
        allowed_teachers: Addresses of teachers whose classes any caller may schedule.
        anyone: Whether every teacher is allowed: only if no real accounts are used.
        identities_in_use: Whether accounts are looked up.
        live_presence: Whether events keep up to date who is in the room of a class.
    """

    settle: timedelta
    time_zone: str
    policy: Policy = field(default_factory=Policy)
    room_names: tuple[str, ...] = ()
    allowed_domains: frozenset[str] = frozenset()
    allowed_teachers: frozenset[str] = frozenset()
    anyone: bool = False
    identities_in_use: bool = False
    live_presence: bool = True


@dataclass(frozen=True, slots=True)
class Deps:
    """The outside world of the use cases; a service that is not in use is None.

    Attributes:
        pause: Waits for the given number of seconds: use cases wait only through this.
        calls: What this instance knows about calls that go on.
        waiting: Events of this instance about who is in the room, which are not stored yet, by class meeting.
        looks: When this instance last asked Meet for somebody who looks at a class meeting, and the error, if any.
        seen: What joined and left events said; None if Meet is always asked for everybody's sessions.
    """

    store: AttendanceStore
    conferences: Conferences
    spaces: Spaces
    identities: Identities | None
    subscriptions: Subscriptions | None
    calendar: Calendar | None
    jobs: Jobs
    dead_letters: DeadLetters | None
    clock: Clock
    pause: Callable[[float], Awaitable[None]]
    rules: Rules
    turns: Turns
    reports: Reports | None = None
    erasures: Erasures | None = None
    calls: Calls = field(default_factory=Calls)
    waiting: Recent[Unstored] = field(default_factory=partial(Recent, MOST))
    looks: Recent[tuple[datetime, AttendanceError | None]] = field(default_factory=partial(Recent, MOST))
    seen: CollectedEvents | None = None

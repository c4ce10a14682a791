"""A month of an invented school: the real application schedules, holds and marks its classes, day by day.

All people in it are invented, and the days are always the same.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from functions import wiring
from functions.domain.conferences.model import Organizer, SyncSource
from functions.entrypoints.api.function import guarded
from functions.entrypoints.messages.envelope import Message as Envelope
from functions.entrypoints.messages.events import process
from functions.services.sync.conference import sync_conference
from functions.services.sync.meet.gathered import Request
from functions.settings import load
from infra.local.clock import TurnableClock
from infra.local.google_apis import GoogleApis
from infra.local.meet import MeetSimulator
from infra.local.school import Account, Attendee, Conference, School, Visit

ZONE = ZoneInfo("Europe/Berlin")
MONTH = "2026-11"
FIRST_DAY, LAST_DAY = date(2026, 11, 2), date(2026, 11, 23)
LENGTH = 45
"""The length of each class, in minutes."""

_SETTLE = timedelta(minutes=10)
_TEACHER = Account("users/100", "petra.lindner@school.example", display_name="Petra Lindner")

_GIVEN = (
    *("Amelie", "Anton", "Ben", "Carla", "Deniz", "Elif", "Emil", "Finn", "Frieda", "Greta", "Hanna", "Henry"),
    *("Ida", "Jakob", "Jonas", "Klara", "Lena", "Leon", "Lina", "Louis", "Mara", "Matteo", "Mila", "Moritz"),
    *("Nele", "Noah", "Oskar", "Paula", "Romy", "Samir"),
)
_FAMILY = (
    *("Albers", "Bachmann", "Conrad", "Demir", "Ebert", "Fiedler", "Gruber", "Hartwig", "Iversen", "Jansen"),
    *("Kaya", "Lorenz", "Marquardt", "Nowak", "Ostermann", "Petrov", "Quandt", "Reimann", "Seidel", "Thomsen"),
    *("Unger", "Vogt", "Wieland", "Çelik", "Zander", "Bruns", "Carstens", "Dreyer", "Engel", "Frank"),
)

Minutes = tuple[float, float | None]
"""A visit, in minutes after the start of the class; None is an end that Meet never learns."""


class Month:
    """The school, its application, and the LMS that calls it. `opened` creates one."""

    def __init__(self, school: School, clock: TurnableClock, app: wiring.App, lms: httpx.AsyncClient) -> None:
        self._school = school
        self._clock = clock
        self._app = app
        self._lms = lms
        self._dice = random.Random(11)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, **store: str) -> AsyncIterator[Month]:
        """Give a month in which nothing has happened yet; the settings say where its documents are stored."""
        clock = TurnableClock(at(date(2026, 11, 1), 0))
        school = School(clock)
        school.enrol(_TEACHER)
        with MeetSimulator(school).in_thread() as meet, GoogleApis(school).in_thread() as apis:
            settings: dict[str, Any] = {
                "auth_mode": "anonymous",
                "meet_api_endpoint": meet.endpoint,
                "people_api_endpoint": apis.endpoint,
                "directory_api_endpoint": apis.endpoint,
                "school_time_zone": str(ZONE),
                "api_callers": "*=admin",
                "room_device_names": "Room *",
                "settle_seconds": int(_SETTLE.total_seconds()),
                "meet_reads_per_minute": 0,
                "meet_project_reads_per_minute": 0,
                **store,
            }
            app = wiring.build(load(**settings), clock=clock)
            try:
                transport = httpx.ASGITransport(guarded(app))
                async with httpx.AsyncClient(transport=transport, base_url="http://api", timeout=60) as lms:
                    yield cls(school, clock, app, lms)
            finally:
                await app.close()

    def enrol(self, names: Sequence[str], *, first_id: int) -> list[Account]:
        """Add pupils with these names to the school."""
        accounts = [
            Account(f"users/{number}", f"pupil.{number}@school.example", display_name=name)
            for number, name in enumerate(names, first_id)
        ]
        self._school.enrol(*accounts)
        return accounts

    async def schedule(
        self, subject: str, class_id: str, pupils: Sequence[Account], day: date, *, hour: int = 9, **more: str
    ) -> Mapping[str, Any]:
        """Schedule a class or, with a `recurrence`, several classes; return the API's answer."""
        students = [
            {
                "student_id": one.user.removeprefix("users/"),
                "email": one.email,
                "display_name": one.display_name,
                "user": one.user,
            }
            for one in pupils
        ]
        return await self.call(
            "POST",
            "/api/schedule/class",
            teacher_email=_TEACHER.email,
            students=students,
            subject=subject,
            class_id=class_id,
            start_time=at(day, 0, hour=hour).isoformat(),
            duration_minutes=LENGTH,
            **more,
        )

    async def hold(self, room: Mapping[str, Any], day: date, people: Sequence[Attendee], *, hour: int = 9) -> None:
        """Hold a class, and deliver its event when Meet's data is final."""
        moved = [_moved(one, at(day, 0, hour=hour) - at(FIRST_DAY, 0)) for one in people]
        begun = min(visit.start for one in moved for visit in one.visits)
        end = at(day, LENGTH, hour=hour)
        code = str(room["meeting_code"])
        held = Conference(f"{code}-{day}", room["space"], code, _TEACHER.user, begun, end, tuple(moved))
        self._school.hold(held)
        settled = end + _SETTLE + timedelta(minutes=1)
        if self._clock() < settled:
            self._clock.turn_to(settled)
        asked = Request(held.name, Organizer(user=_TEACHER.user), end, SyncSource.EVENT)
        await sync_conference(asked, deps=self._app.deps)

    def begin(self, room: Mapping[str, Any], day: date, people: Sequence[Attendee], *, hour: int = 9) -> Conference:
        """Begin a call that goes on for the length of the class; nobody is told yet."""
        moved = [_moved(one, at(day, 0, hour=hour) - at(FIRST_DAY, 0)) for one in people]
        code = str(room["meeting_code"])
        begun, end = at(day, 0, hour=hour), at(day, LENGTH, hour=hour)
        held = Conference(f"{code}-{day}", room["space"], code, _TEACHER.user, begun, end, tuple(moved))
        self._school.hold(held)
        return held

    async def comes_and_goes(self, held: Conference, attendee: str, minute: float, *, left: bool = False) -> None:
        """Let time pass until somebody joins or leaves, and let the event of it come."""
        moment = held.start + timedelta(minutes=minute)
        self._clock.turn_to(max(self._clock(), moment))
        one = held.attendees_by_id[attendee]
        session = next(name for name, visit in one.sessions if (visit.end if left else visit.start) == moment)
        name = f"{held.name}/participants/{attendee}/participantSessions/{session}"
        attributes = {
            "ce-type": f"google.workspace.meet.participant.v2.{'left' if left else 'joined'}",
            "ce-subject": f"//cloudidentity.googleapis.com/{held.organizer}",
            "ce-time": moment.isoformat(),
        }
        await process(Envelope(attributes, {"participantSession": {"name": name}}), self._app)

    async def call(self, method: str, path: str, **body: object) -> Mapping[str, Any]:
        """Call the API as the LMS does."""
        answer = await self._lms.request(method, path, json=body or None)
        answer.raise_for_status()
        found: Mapping[str, Any] = answer.json()
        return found

    def ordinary(self, pupils: Sequence[Account]) -> list[Attendee]:
        """Return the teacher and the pupils of an ordinary day: most are on time; some are late or disconnect."""
        habits: tuple[tuple[Minutes, ...], ...] = ((), ((9, 45),), ((0, 30),), ((1, 14), (16, 45)), ((0, 45),))
        chosen = self._dice.choices(habits, weights=(4, 5, 3, 8, 80), k=len(pupils))
        there = [
            signed_in(pupil, *((start + self._dice.uniform(-1, 1), end) for start, end in visits))
            for pupil, visits in zip(pupils, chosen, strict=True)
            if visits
        ]
        return [the_teacher((-4, LENGTH)), *there]


def names(number: int) -> list[str]:
    """Return this many ordinary names, always the same; up to 30 names, no two share a first or family name."""
    dice = random.Random(7)
    if number <= len(_GIVEN):
        return [f"{given} {family}" for given, family in zip(_GIVEN, dice.sample(_FAMILY, number), strict=False)]
    return [f"{given} {family}" for given, family in dice.sample(list(product(_GIVEN, _FAMILY)), number)]


def the_teacher(*visits_: Minutes) -> Attendee:
    """Return the teacher of all classes."""
    return Attendee("teacher", "signed_in", _TEACHER.display_name, _TEACHER.user, visits(*visits_))


def signed_in(account: Account, *visits_: Minutes) -> Attendee:
    """Return a pupil with an account."""
    return Attendee(account.user.replace("/", "-"), "signed_in", account.display_name, account.user, visits(*visits_))


def visits(*times: Minutes) -> tuple[Visit, ...]:
    """Return visits to a class on the first day of the month; `hold` moves them to the day of the class."""
    return tuple(Visit(at(FIRST_DAY, start), None if end is None else at(FIRST_DAY, end)) for start, end in times)


def at(day: date, minutes: float, *, hour: int = 9) -> datetime:
    """Return the moment this many minutes after an hour of a day, in the school's time zone."""
    began = datetime(day.year, day.month, day.day, hour, tzinfo=ZONE).astimezone(UTC)
    return began + timedelta(minutes=minutes)


def _moved(attendee: Attendee, by: timedelta) -> Attendee:
    moved = tuple(Visit(one.start + by, one.end + by if one.end else None) for one in attendee.visits)
    return Attendee(attendee.id, attendee.kind, attendee.display_name, attendee.user, moved)

"""The measured conferences: a class with a roster, scheduled through the API, and conferences that nobody scheduled."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import httpx

from bench.conference.documents import Documents, Message
from bench.conference.function import settings
from functions import wiring
from functions.entrypoints.api.function import guarded
from functions.settings import load
from infra.local.classes import believable_class
from infra.local.demo import demo_accounts
from infra.local.google_apis import GoogleApis
from infra.local.meet import MeetSimulator
from infra.local.school import Account, Attendee, Conference, School
from infra.local.subscriptions import WorkspaceEventsSimulator

LENGTH = timedelta(minutes=50)
AGO = timedelta(hours=3)
"""The start of the classes. They are over, and Meet's data is final."""


@dataclass(frozen=True, slots=True)
class Class:
    """A past class of a school.

    Attributes:
        conference: The conference.
        documents: The documents before the conference is read, which scheduling wrote.
    """

    conference: Conference
    documents: Sequence[Message]


def accounts(people: int) -> list[Account]:
    """Return the teacher and the pupils of a class in which this many people are present.

    One in twenty pupils stays away.
    """
    return demo_accounts(people + people // 20)


@contextlib.asynccontextmanager
async def scheduling(firestore: str, project: str, *, seed: int) -> AsyncIterator[Scheduling]:
    """Give an LMS that schedules classes in this process."""
    school = School(lambda: datetime.now(UTC))
    school.enrol(*accounts(1))
    with (
        MeetSimulator(school).in_thread() as meet,
        GoogleApis(school).in_thread() as apis,
        WorkspaceEventsSimulator(school).in_thread() as events,
    ):
        env = {
            **settings(meet=meet.address, apis=apis.endpoint, firestore=firestore, project=project),
            "WORKSPACE_EVENTS_API_ENDPOINT": events.endpoint,
            "API_CALLERS": "*=admin",
        }
        app = wiring.build(load(**{name.lower(): value for name, value in env.items()}))
        documents = Documents(firestore, project)
        try:
            transport = httpx.ASGITransport(guarded(app))
            async with httpx.AsyncClient(transport=transport, base_url="http://api", timeout=120) as lms:
                yield Scheduling(lms, documents, seed)
        finally:
            await documents.close()
            await app.close()


class Scheduling:
    """See `scheduling`."""

    def __init__(self, lms: httpx.AsyncClient, documents: Documents, seed: int) -> None:
        self._lms = lms
        self._documents = documents
        self._seed = seed

    async def scheduled(self, people: int, *, returns: bool = True, ago: timedelta = AGO) -> Class:
        """Return a past class of an enrolled teacher with this many people, in an empty database.

        Args:
            people: How many are there.
            returns: Whether some come back or use a second device; if not, everybody has one session.
            ago: When it began.
        """
        await self._documents.clear()
        teacher, *pupils = accounts(people)
        (await self._lms.post("/api/organizers", json={"email": teacher.email})).raise_for_status()
        start = datetime.now(UTC) - ago
        body = {
            "teacher_email": teacher.email,
            "student_emails": [pupil.email for pupil in pupils],
            "subject": "Mathematics",
            "class_id": f"class-of-{people}",
            "start_time": start.isoformat(),
            "duration_minutes": int(LENGTH.total_seconds()) // 60,
        }
        answer = await self._lms.post("/api/schedule/class", json=body)
        answer.raise_for_status()
        made = answer.json()
        conference = believable_class(
            self._seed,
            people=people,
            start=start,
            length=LENGTH,
            organizer=teacher.user,
            space=made["space"],
            meeting_code=made["meeting_code"],
            pupils=pupils,
            away=people // 20,
        )
        # The seed alone would give classes of every size the same name, and Meet would mix up their participants.
        conference = replace(conference, id=f"{conference.id[:24]}-{made['session_id']}")
        if not returns:
            conference = replace(conference, attendees=tuple(map(_once, conference.attendees)))
        return Class(conference, list((await self._documents.all()).values()))


def _once(attendee: Attendee) -> Attendee:
    """Return somebody who is there from the first join to the last leave, with one device."""
    ends = [visit.end for visit in attendee.visits]
    whole = replace(
        attendee.visits[0],
        start=min(visit.start for visit in attendee.visits),
        end=max(end for end in ends if end) if all(ends) else None,
    )
    return replace(attendee, visits=(whole,))


def unscheduled(number: int, people: int, *, seed: int) -> list[Conference]:
    """Return this many unscheduled conferences at the same time, each with a different organizer."""
    start = datetime.now(UTC) - AGO
    return [
        believable_class(seed + each, people=people, start=start, length=LENGTH, organizer=f"users/2{each:020}")
        for each in range(number)
    ]

"""The real application against a simulated Meet."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from functions import wiring
from functions.adapters.patience import Patience
from functions.domain.conferences.model import Organizer, SyncSource
from functions.services.sync.conference import sync_conference
from functions.services.sync.meet.gathered import Request
from functions.settings import load
from infra.local.meet import MeetSimulator
from infra.local.school import School


@pytest.fixture
def school():
    return School(lambda: datetime.now(UTC))


@pytest.fixture
async def meet(school):
    """Start a simulated Meet in the test's own event loop."""
    async with MeetSimulator(school) as simulator:
        yield simulator


@pytest.fixture
async def instance(meet, tmp_path, checking):
    """Return a function that makes separate applications on one store, like instances of the deployed function."""
    started = []

    def start(
        *, clock=wiring.utc_now, pause=asyncio.sleep, patience=Patience, documents=None, **settings
    ) -> wiring.App:
        configured = load(
            **{
                "auth_mode": "anonymous",
                "meet_api_endpoint": meet.endpoint,
                "attendance_store": f"sqlite:///{tmp_path / 'attendance.db'}",
                "meet_reads_per_minute": 0,
                "meet_project_reads_per_minute": 0,
                **{name.lower(): value for name, value in checking.items()},
                **settings,
            }
        )
        app = wiring.build(configured, clock=clock, pause=pause, patience=patience, documents=documents)
        started.append(app)
        return app

    yield start
    for app in started:
        await app.close()


@pytest.fixture
def app(instance):
    return instance()


@pytest.fixture
def record():
    """Return a function that makes an application record a conference, like its ended event."""

    async def record(app, held, *, organizer=None, ended_event_at=None):
        return await sync_conference(
            Request(
                conference_record=held.name,
                organizer=Organizer(user=held.organizer) if organizer is None else organizer,
                ended_event_at=ended_event_at or held.end,
                source=SyncSource.EVENT,
            ),
            deps=app.deps,
        )

    return record


@pytest.fixture
def stored():
    """Return a function that reads a stored conference with its class meeting and all attendance."""

    async def stored(app, held):
        async def load(work):
            return await work.conference(held.name)

        conference, _ = await app.deps.store.transact(load)
        session, people = await app.views.attendance(held.id) or (None, ())
        return conference, session, people

    return stored

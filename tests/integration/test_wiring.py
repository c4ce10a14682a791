"""How the application is assembled."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from functions import wiring
from functions.domain.conferences.model import Organizer
from functions.ports.messages import ParkedEvent
from functions.settings import load
from infra.local.classes import believable_class
from infra.local.clock import TurnableClock
from infra.local.meet import MeetSimulator
from infra.local.school import School

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def clock():
    return TurnableClock(NINE)


@pytest.fixture
def school(clock):
    """Return a school in the clock's time, instead of today's."""
    return School(clock)


@pytest.fixture
async def app(meet: MeetSimulator, clock, tmp_path):
    """Return an application in the clock's time, which keeps everything for a day."""
    app = wiring.build(
        load(
            auth_mode="anonymous",
            meet_api_endpoint=meet.endpoint,
            attendance_store=f"sqlite:///{tmp_path / 'attendance.db'}",
            retention_days=1,
        ),
        clock=clock,
    )
    yield app
    await app.close()


async def test_everything_in_an_application_goes_by_the_clock_that_it_was_given(app, clock, school, record, stored):
    held = believable_class(1, people=3, start=NINE, length=timedelta(minutes=50))
    school.hold(held)
    clock.turn(timedelta(hours=2))

    await record(app, held)
    conference, _, _ = await stored(app, held)
    listing = await app.deps.conferences.list(
        space=held.space, since=NINE, until=None, organizer=Organizer(user=held.organizer)
    )
    await app.deps.store.park(ParkedEvent("k", "{}", "json", reason="unreadable-message", hint="none"))
    (parked,) = (await app.views.troubles(due_before=clock(), ended_since=NINE, limit=1)).parked_events

    assert app.deps.clock() == clock()
    assert conference.sync.pulled_at == clock()
    assert listing.began_at == clock()
    assert parked["expire_at"] == clock() + timedelta(days=1)


async def test_use_cases_wait_as_the_application_was_told_to(tmp_path):
    waited = []

    async def pause(seconds):
        waited.append(seconds)

    app = wiring.build(
        load(
            auth_mode="anonymous",
            meet_api_endpoint="http://127.0.0.1:1",
            attendance_store=f"sqlite:///{tmp_path / 'attendance.db'}",
        ),
        pause=pause,
    )
    await app.deps.pause(3600)
    await app.close()

    assert waited == [3600]


async def test_no_data_from_meet_is_logged_at_any_log_level(app, clock, school, record, caplog):
    """Google's own loggers do not propagate, so the test listens to them directly."""
    held = believable_class(1, people=3, start=NINE, length=timedelta(minutes=50))
    school.hold(held)
    clock.turn(timedelta(hours=2))
    google = logging.getLogger("google")
    google.addHandler(caplog.handler)

    try:
        with caplog.at_level(logging.DEBUG, logger="google"):
            await record(app, held)
    finally:
        google.removeHandler(caplog.handler)

    told = json.dumps([entry.__dict__ for entry in caplog.records], default=str)
    assert not [attendee.id for attendee in held.attendees if attendee.display_name in told]
    assert "participantSessions" not in told

"""The application with a calendar, on a clock that tests move forward."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from functions.adapters.store.databases.sqlite import SqliteDatabase
from infra.local.calendar import CalendarSimulator
from infra.local.clock import TurnableClock
from infra.local.school import Account, School
from tests.api import client
from tests.classroom import PUPILS, TEACHER
from tests.integration.calendar.class_in_calendar import MRS_TEACHER, OTHER_TEACHER, ClassInCalendar

NOW = datetime(2026, 9, 28, 6, tzinfo=UTC)


@pytest.fixture
def clock():
    return TurnableClock(NOW)


@pytest.fixture
def school(clock):
    school = School(clock)
    teachers = Account(TEACHER, MRS_TEACHER, display_name="The Teacher"), Account("users/2", OTHER_TEACHER)
    school.enrol(*teachers, *PUPILS)
    return school


@pytest.fixture
def calendar(school):
    with CalendarSimulator(school).in_thread() as simulator:
        yield simulator


@pytest.fixture
def pauses():
    """Record how long the application would have waited, in seconds; the tests do not wait."""
    return []


@pytest.fixture
def start(instance, calendar, clock, pauses):
    """Return a function that starts an instance of the application."""

    async def pause(seconds):
        pauses.append(seconds)

    def start(*, calendar_in_use=True):
        used = {"calendar_api_endpoint": calendar.endpoint} if calendar_in_use else {}
        return instance(
            clock=clock,
            pause=pause,
            api_callers="*=admin",
            school_time_zone="Europe/Berlin",
            **used,
        )

    return start


@pytest.fixture
def app(start):
    return start()


@pytest.fixture
async def api(app):
    async with client(app, caller=None) as calls:
        yield calls


@pytest.fixture
def database(tmp_path):
    return SqliteDatabase(tmp_path / "attendance.db")


@pytest.fixture
def lesson(api, app, calendar, clock):
    return ClassInCalendar(api, app, calendar, clock, first=NOW + timedelta(days=7, hours=1))

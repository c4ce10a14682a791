"""The application with all stand-ins of Google's services."""

from __future__ import annotations

import httpx
import pytest

from functions import wiring
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.entrypoints.api.function import guarded
from infra.local.google_apis import GoogleApis
from infra.local.school import Account, School
from infra.local.subscriptions import WorkspaceEventsSimulator
from tests.classroom import PUPILS, TEACHER


@pytest.fixture
def clock():
    """Return the clock of Google and of the application: this machine's clock, unless a module has its own."""
    return wiring.utc_now


@pytest.fixture
def enrolled():
    """Return the pupils who have an account."""
    return PUPILS


@pytest.fixture
def school(clock, enrolled):
    """Return a school with a teacher and pupils, instead of the empty one."""
    school = School(clock)
    school.enrol(Account(TEACHER, "teacher@school.example", display_name="The Teacher"), *enrolled)
    return school


@pytest.fixture
def google(school):
    with GoogleApis(school).in_thread() as apis:
        yield apis


@pytest.fixture
def home():
    """Return the Google Cloud project of the application and its topics."""
    return "local"


@pytest.fixture
async def workspace_events(school, home):
    async with WorkspaceEventsSimulator(school, project=home) as simulator:
        yield simulator
        assert simulator.violations == []


@pytest.fixture
def firestore(firestore_address, project, monkeypatch):
    """Return settings that name the emulator."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_address)  # the client's own variable
    return {
        "attendance_store": "firestore",
        "firestore_emulator_host": firestore_address,
        "google_cloud_project": project,
    }


@pytest.fixture
def store_settings():
    """Return the settings of the store: the embedded store, unless a module uses `firestore`."""
    return {}


@pytest.fixture
def app(instance, google, workspace_events, store_settings, clock):
    return instance(
        clock=clock,
        **store_settings,
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
        workspace_events_api_endpoint=workspace_events.endpoint,
        api_callers="*=admin",
        room_device_names="Room *",
        settle_seconds=600,
    )


@pytest.fixture
async def api(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded(app)), base_url="http://api") as client:
        yield client


@pytest.fixture
def database(tmp_path):
    return SqliteDatabase(tmp_path / "attendance.db")

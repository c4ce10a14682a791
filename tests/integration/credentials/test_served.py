"""`main.py` as it is deployed, with delegation: two teachers' classes end at once."""

from __future__ import annotations

import asyncio
import dataclasses

from functions.adapters.google.credentials.capabilities import Capability
from functions.adapters.store.databases.firestore import FirestoreDatabase
from functions.services.teachers.organizers import enrol
from infra.local.delivery import Trigger, http_client
from infra.local.function_server import function_server
from infra.local.workspace_events import conference_ended
from tests.classroom import the_class
from tests.integration.credentials.conftest import ADMIN, SERVICE_ACCOUNT

TEACHERS = {"users/1": "teacher@school.example", "users/2": "colleague@school.example"}


async def test_two_teachers_classes_are_read_as_each_of_them_and_nothing_is_written_to_disk(
    *, delegated, stand_ins, meet, oauth, school, firestore_address, firestore_client, project, tmp_path
):
    store = {
        "attendance_store": "firestore",
        "firestore_emulator_host": firestore_address,
        "google_cloud_project": project,
    }
    app = delegated(**store)
    for email in TEACHERS.values():
        await enrol(email, caller=ADMIN, deps=app.deps)
    first = the_class("spaces/first", "abc-defg-hij")
    second = dataclasses.replace(
        first, id="rec-2", space="spaces/second", meeting_code="klm-nopq-rst", organizer="users/2"
    )
    folders = [tmp_path / name for name in ("home", "scratch")]
    for folder in folders:
        folder.mkdir()
    environment = {
        **stand_ins,
        **store,
        "auth_mode": "delegation",
        "service_account_email": SERVICE_ACCOUNT,
        "iam_credentials_api_endpoint": oauth.endpoint,
        "meet_api_endpoint": meet.endpoint,
        "home": str(folders[0]),
        "tmpdir": str(folders[1]),
    }
    oauth.grants.assertions.clear()
    for conference in (first, second):
        school.hold(conference)

    env = {name.upper(): value for name, value in environment.items()}
    with function_server("on_workspace_event", env=env, log=tmp_path / "function.log") as served:
        trigger = Trigger(served.url, topic="projects/p/topics/t", subscription="projects/p/subscriptions/s")
        ended = [conference_ended(c.name, organizer=c.organizer, at=c.end) for c in (first, second)]
        async with http_client() as client:
            statuses = await asyncio.gather(*(trigger.post(client, message) for message in ended))

    assert statuses == [200, 200]
    read = [c["sub"] for c in oauth.grants.assertions if c["scope"] == Capability.MEETINGS.scopes[0]]
    assert sorted(read) == sorted(TEACHERS.values())
    conferences = [await FirestoreDatabase(firestore_client).get(f"conferences/{c.id}") for c in (first, second)]
    assert [c.fields["organizer"]["email"] for c in conferences] == list(TEACHERS.values())
    assert [c.fields["participant_count"] for c in conferences] == [10, 10]
    assert [path for folder in folders for path in folder.rglob("*") if path.is_file()] == []

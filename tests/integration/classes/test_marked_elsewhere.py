"""A decision about one class meeting also affects others.

They are marked again, even if something fails after it was stored.
"""

import dataclasses
import json

import httpx
import pytest

from functions.domain.errors import JobsUnavailable, StoreUnavailable
from functions.entrypoints.api.function import guarded
from infra.local.firestore_gate.indexes import DEPLOYED, Indexes
from infra.local.school import Attendee
from tests.classroom import held, job, marks, scheduled, sheet, teacher, visits

GRANDMA = Attendee("g", "signed_in", "Oma", "users/77", visits((0, 60)))


class Broken:
    """Jobs that Pub/Sub does not accept."""

    async def publish(self, jobs):
        if jobs:
            raise JobsUnavailable("The jobs' topic does not take messages.")


@pytest.fixture
async def two_classes(api, app, school):
    """Hold two class meetings with the same account, which is on no roster."""
    made = []
    for number, class_id in enumerate(("8a", "9c")):
        one = await scheduled(api, class_id=class_id)
        school.hold(held(one["space"], one["meeting_code"], teacher((0, 60)), GRANDMA, record=f"record-{number}"))
        await job(app, "sync-session", session_id=one["session_id"])
        made.append(one["session_id"])
    return made


@pytest.fixture
async def without_jobs(app):
    """Return the API of an instance that cannot start jobs."""
    cut_off = dataclasses.replace(app, deps=dataclasses.replace(app.deps, jobs=Broken()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded(cut_off)), base_url="http://api") as client:
        yield client


async def decide(api, session_id, body):
    people = (await sheet(api, session_id))["attendance"]
    ids = [one["attendee_id"] for one in people if one["user"] == "users/77" or one["merged"]]
    return await api.post(f"/api/sessions/{session_id}/attendance/{ids[0]}/assign", json={"by": "office", **body})


ASSIGNED = {"email": "absent@school.example"}


async def test_an_assignment_marks_the_other_class_at_once(api, two_classes):
    here, elsewhere = two_classes
    assert (await decide(api, here, ASSIGNED)).status_code == 200

    assert (await marks(api, elsewhere))["absent"] == "present"


async def test_an_assignment_that_is_stored_is_answered_so_and_the_other_class_is_marked_by_a_later_job(
    api, app, two_classes, without_jobs, database
):
    here, elsewhere = two_classes
    answer = await decide(without_jobs, here, ASSIGNED)
    assert (answer.status_code, (await marks(api, here))["absent"]) == (200, "present")
    assert (await marks(api, elsewhere))["absent"] != "present"
    assert len(await database.children("remarks")) == 1

    await job(app, "sync-due")
    assert (await marks(api, elsewhere))["absent"] == "present"
    assert await database.children("remarks") == []


async def test_the_same_holds_when_it_is_undone(api, app, two_classes, without_jobs):
    here, elsewhere = two_classes
    await decide(api, here, ASSIGNED)
    assert (await decide(without_jobs, here, {"email": None})).is_success
    assert (await marks(api, elsewhere))["absent"] == "present"

    await job(app, "sync-due")
    assert (await marks(api, elsewhere))["absent"] != "present"


async def test_a_search_for_the_other_classes_that_fails_loses_nothing(api, app, two_classes, database, firestore_gate):
    here, elsewhere = two_classes
    deployed, definition = firestore_gate.indexes, json.loads(DEPLOYED.read_text())
    kept = [
        one for one in definition["fieldOverrides"] if one["collectionGroup"] != "attendance" or one["fieldPath"] == "*"
    ]
    firestore_gate.indexes = Indexes({**definition, "fieldOverrides": kept})
    assert (await decide(api, here, ASSIGNED)).status_code == 200
    with pytest.raises(StoreUnavailable):
        await job(app, "sync-due")
    assert len(firestore_gate.take()) == 2

    firestore_gate.indexes = deployed
    await job(app, "sync-due")
    assert (await marks(api, elsewhere))["absent"] == "present"
    assert await database.children("remarks") == []

"""The answers of the entrypoints, without a server."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cloudevents.http import CloudEvent
from starlette.exceptions import HTTPException

from functions.entrypoints.messages import events, jobs
from infra.local.classes import believable_class
from infra.local.faults import Fault
from infra.local.workspace_events import Message, conference_ended

LENGTH = timedelta(minutes=50)


def as_cloud_event(message):
    body = {"message": {"data": base64.b64encode(message.data).decode(), "attributes": message.attributes}}
    return CloudEvent({"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub"}, body)


async def test_a_meet_that_hangs_is_given_up_in_time_and_asked_again(instance, school, meet, stored):
    held = believable_class(3, people=5, start=datetime.now(UTC) - 2 * LENGTH, length=LENGTH)
    school.hold(held)
    meet.faults.set(Fault("ListParticipantSessions", drop=True))
    event = as_cloud_event(conference_ended(held.name, organizer=held.organizer, at=held.end))
    app = instance()

    with pytest.raises(HTTPException) as answered:
        await events.handle(event, lambda: app, within=0.5)

    assert (answered.value.status_code, answered.value.detail) == (503, "out-of-time")
    assert await stored(app, held) == (None, None, ())


@pytest.mark.parametrize(
    "name", ["m\u00fcller@school.example", "a\0@school.example", "a\ud800@school.example", "a\x7f@b"]
)
async def test_an_organizer_that_no_call_can_be_made_as_is_parked(instance, name):
    assert await parked_of_job(instance(), "sync-conference", conference_record="conferenceRecords/abc", organizer=name)


@pytest.mark.parametrize("id_", [".", "..", "__x__", "____"])
async def test_an_id_that_no_document_can_have_is_parked(instance, id_):
    """Firestore always refuses to search for it."""
    app = instance()

    assert await parked_of_job(app, "sync-session", session_id=id_)
    assert await parked_of_job(app, "reconcile", space=f"spaces/{id_}")
    assert await parked_of_job(app, "renew-subscriptions", organizer=f"users/{id_}")


async def parked_of_job(app, name, **data):
    """Process a job that must be acknowledged; return the parked messages."""
    before = {parked.event.key async for parked in app.deps.store.parked()}
    await jobs.handle(as_cloud_event(Message({"job": name}, json.dumps(data).encode())), lambda: app)
    return {parked.event.key async for parked in app.deps.store.parked()} - before

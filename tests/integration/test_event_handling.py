"""What the entrypoint answers, without a server around it."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cloudevents.http import CloudEvent
from starlette.exceptions import HTTPException

from functions.entrypoints import events
from infra.local.classes import believable_class
from infra.local.faults import Fault
from infra.local.workspace_events import conference_ended

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

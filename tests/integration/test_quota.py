"""Meet's quota is too small for a class: what was read is kept, and the reading continues where it stopped."""

import base64
from collections import Counter
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cloudevents.http import CloudEvent
from starlette.exceptions import HTTPException

from functions.adapters.patience import FOR_STORING
from functions.entrypoints.messages import events
from infra.local.quotas import meet_quotas
from infra.local.school import Attendee, Conference, Visit
from infra.local.workspace_events import conference_ended

END = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
START = END - timedelta(hours=1)
SOON = FOR_STORING + 3
"""Seconds for a message that may wait three seconds for a quota: a slow machine makes a hundred calls in less."""


def held(people, name="abc", teacher="users/1"):
    attendees = [Attendee("t", "signed_in", "T", teacher, (Visit(START, END),))]
    attendees += [
        Attendee(f"p{n:04}", "signed_in", "P", f"users/{name}{n}", (Visit(START, END),)) for n in range(people - 1)
    ]
    return Conference(name, f"spaces/{name}", "abc-mnop-xyz", teacher, START, END, tuple(attendees))


async def deliver(app, conference, *, within=500.0):
    ended = conference_ended(conference.name, organizer=conference.organizer, at=conference.end)
    body = {"message": {"data": base64.b64encode(ended.data).decode(), "attributes": ended.attributes}}
    event = CloudEvent({"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub"}, body)
    try:
        await events.handle(event, lambda: app, within=within)
    except HTTPException as answered:
        return answered.status_code
    return 204


async def stored(app, conference):
    async def load(work):
        return await work.conference(conference.name)

    return (await app.deps.store.transact(load))[0]


async def test_a_message_without_time_for_the_quota_is_given_back_and_the_next_continues_where_it_stopped(
    instance, school, meet
):
    conference = held(120)
    school.hold(conference)

    assert await deliver(instance(meet_reads_per_minute=100), conference, within=SOON) == 503
    assert len(meet.calls) == 100
    other = instance(meet_reads_per_minute=100)
    assert await deliver(other, conference, within=SOON) == 204

    sessions = Counter(call.resource for call in meet.calls if call.method == "ListParticipantSessions")
    assert len(sessions) == 120
    # Only what was under way when the message was given back may be asked for twice.
    assert sum(sessions.values()) <= 120 + 5
    assert len((await stored(other, conference)).snapshot.participants) == 120


async def test_a_quota_that_is_used_up_is_no_failure_so_the_next_message_need_not_wait(instance, school):
    conference = held(120)
    school.hold(conference)
    app = instance(meet_reads_per_minute=100)
    await deliver(app, conference, within=SOON)

    interruption = (await stored(app, conference)).interruption
    assert interruption.failures == 0
    assert interruption.again_at <= datetime.now(UTC)
    assert len(interruption.participants) > 90


async def test_a_message_that_got_no_turn_asks_nothing_and_stores_nothing(instance, school, meet):
    first, second = held(120), held(5, "second")
    school.hold(first)
    school.hold(second)
    app = instance(meet_project_reads_per_minute=100)
    await deliver(app, first, within=SOON)
    calls = len(meet.calls)

    assert await deliver(app, second, within=SOON) == 503
    assert len(meet.calls) == calls
    assert await stored(app, second) is None


@pytest.mark.parametrize("limits", [{"per_user": 100}, {"overall": 100}], ids=["of the teacher", "of the project"])
async def test_a_quota_that_others_use_up_is_waited_for(instance, school, meet, limits):
    """No limit of our own keeps us below it, and Meet's minute takes three seconds here."""
    conference = held(140)
    school.hold(conference)
    began = datetime.now(UTC)
    meet.quotas = meet_quotas(lambda: began + 20 * (datetime.now(UTC) - began), **limits)
    app = instance()

    assert await deliver(app, conference) == 204
    answers = Counter(call.status for call in meet.calls)
    assert answers[grpc.StatusCode.OK] == 140 + 3
    # Those under way at once whenever the quota ended, and then one now and then.
    assert answers[grpc.StatusCode.RESOURCE_EXHAUSTED] <= 140

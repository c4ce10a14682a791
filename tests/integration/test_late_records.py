"""A conference record that Meet shows late, or only after its event was parked."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cloudevents.http import CloudEvent
from starlette.exceptions import HTTPException

from functions.domain.errors import Undelivered
from functions.entrypoints.messages import events, jobs
from functions.services.operations.parking import parked as as_parked
from functions.services.operations.survey import survey
from infra.local.clock import TurnableClock
from infra.local.school import Attendee, Conference, School, Visit
from infra.local.workspace_events import Message, conference_ended

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
END = START + timedelta(minutes=50)
MINUTE = timedelta(minutes=1)
HELD = Conference(
    "abc",
    "spaces/room",
    "abc-mnop-xyz",
    "users/1",
    START,
    END,
    (Attendee("t", "signed_in", "T", "users/1", (Visit(START, END),)),),
)


@pytest.fixture
def clock():
    return TurnableClock(END)


@pytest.fixture
def school(clock):
    return School(clock)


@pytest.fixture
def app(instance, clock):
    return instance(clock=clock)


@pytest.fixture
def says_missing(meet):
    """Make Meet answer NOT_FOUND for missing things."""
    meet.hides_missing = False


async def answer(app, message, *, handle=events.handle):
    body = {"message": {"data": base64.b64encode(message.data).decode(), "attributes": message.attributes}}
    event = CloudEvent({"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub"}, body)
    try:
        await handle(event, lambda: app)
    except HTTPException as answered:
        return answered.status_code
    return 204


def job(name, **data):
    return Message({"job": name}, json.dumps(data).encode())


async def parked(app):
    return [parked.event.reason async for parked in app.deps.store.parked()]


@pytest.mark.parametrize("hides", [True, False], ids=["hidden", "not found"])
async def test_a_record_that_meet_shows_late_is_read_when_its_event_comes_again(app, school, meet, clock, hides):
    meet.hides_missing = hides
    ended = conference_ended(HELD.name, organizer="users/1", at=END)
    clock.turn_to(END + 3 * MINUTE)
    first = await answer(app, ended)
    school.hold(HELD)
    second = await answer(app, ended)

    assert (first, second, await parked(app)) == (503, 204, [])


async def test_an_event_whose_record_meet_does_not_show_fails_after_minutes_until_reconcile_finds_it(
    app, school, clock, stored
):
    clock.turn_to(END + 20 * MINUTE)
    status = await answer(app, conference_ended(HELD.name, organizer="users/1", at=END))
    failed, _, _ = await stored(app, HELD)
    school.hold(HELD)
    clock.turn_to(END + 120 * MINUTE)
    await answer(app, job("sync-conference", conference_record=HELD.name, organizer="users/1"), handle=jobs.handle)
    read, _, _ = await stored(app, HELD)

    assert (status, await parked(app)) == (204, [])
    assert (failed.sync.state, failed.sync.error.reason) == ("failed", "insufficient-permissions")
    assert "30 days" in failed.sync.error.hint
    assert (read.sync.state, read.sync.error) == ("complete", None)


@pytest.mark.usefixtures("says_missing")
@pytest.mark.parametrize("minutes", [10, 60 * 24])
async def test_an_event_whose_record_does_not_appear_for_minutes_is_parked(app, clock, minutes):
    clock.turn_to(END + minutes * MINUTE)

    assert await answer(app, conference_ended(HELD.name, organizer="users/1", at=END)) == 204
    assert await parked(app) == ["conference-record-gone"]


@pytest.mark.usefixtures("says_missing")
@pytest.mark.parametrize("days", [1, 365 * 5])
async def test_an_event_of_the_future_does_not_come_again_for_ever(app, days):
    at = END + timedelta(days=days)

    assert await answer(app, conference_ended(HELD.name, organizer="users/1", at=at)) == 204
    assert await parked(app) == ["conference-record-gone"]


@pytest.mark.usefixtures("says_missing")
async def test_a_parked_event_needs_nobody_once_its_record_was_read(app, school, clock):
    """`reconcile` or something else found the record."""
    clock.turn_to(END + 20 * MINUTE)
    await answer(app, conference_ended(HELD.name, organizer="users/1", at=END))
    before = await survey(views=app.views, now=clock())
    school.hold(HELD)
    await answer(app, job("sync-conference", conference_record=HELD.name, organizer="users/1"), handle=jobs.handle)
    after = await survey(views=app.views, now=clock())

    assert (before.parked_events.count, before.needs_a_person) == (1, True)
    assert (after.parked_events.count, after.needs_a_person) == (0, False)


async def test_a_job_that_pubsub_gave_up_needs_nobody_once_its_work_was_done(app, school):
    school.hold(HELD)
    message = job("sync-conference", conference_record=HELD.name, organizer="users/1")
    body = {"message": {"data": base64.b64encode(message.data).decode(), "attributes": message.attributes}}
    await app.deps.store.park(as_parked(body, Undelivered("Not delivered.")))
    await answer(app, conference_ended(HELD.name, organizer="users/1", at=END))
    waiting = await parked(app)
    await answer(app, job("reconcile"), handle=jobs.handle)

    assert (waiting, await parked(app)) == (["undelivered"], [])


@pytest.mark.usefixtures("says_missing")
async def test_a_parked_event_about_another_conference_stays(app, school, clock):
    clock.turn_to(END + 20 * MINUTE)
    await answer(app, conference_ended("conferenceRecords/other", organizer="users/1", at=END))
    school.hold(HELD)
    await answer(app, job("sync-conference", conference_record=HELD.name, organizer="users/1"), handle=jobs.handle)

    assert await parked(app) == ["conference-record-gone"]

"""The whole path: an event is published to the Pub/Sub emulator, and the result is in the Firestore emulator."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from functions.adapters.store.databases.firestore import FirestoreDatabase
from infra.local.classes import believable_class
from infra.local.delivery import Pubsub, Trigger
from infra.local.function_server import function_server
from infra.local.meet import MeetSimulator
from infra.local.workspace_events import Message, conference_ended

LENGTH = timedelta(minutes=50)


@pytest.fixture
def meet(school):
    with MeetSimulator(school).in_thread() as simulator:
        yield simulator


@pytest.fixture
def database(firestore_client):
    return FirestoreDatabase(firestore_client)


@pytest.fixture
async def system(meet, firestore_address, pubsub_address, project, tmp_path):
    """Start the system as deployed: topic, trigger with backoff and dead letters, function."""

    @asynccontextmanager
    async def system(**settings):
        env = {
            "AUTH_MODE": "anonymous",
            "MEET_API_ENDPOINT": meet.endpoint,
            "FIRESTORE_EMULATOR_HOST": firestore_address,
            "GOOGLE_CLOUD_PROJECT": project,
            **settings,
        }
        with function_server("on_workspace_event", env=env, log=tmp_path / "function.log") as function:
            trigger = Trigger(
                url=function.url,
                topic=f"projects/{project}/topics/workspace-events",
                subscription=f"projects/{project}/subscriptions/workspace-events",
                backoff=(timedelta(milliseconds=100), timedelta(seconds=1)),
                max_attempts=5,
            )
            pubsub = Pubsub(pubsub_address)
            await pubsub.set_up(
                trigger,
                dead_letter_topic=f"projects/{project}/topics/attendance-dead-letter",
                dead_letter_subscription=f"projects/{project}/subscriptions/attendance-dead-letter",
            )
            running = asyncio.create_task(pubsub.run(trigger))
            try:
                yield pubsub, trigger
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await pubsub.close()

    return system


async def found(read):
    """Wait until a read finds something, and return it."""
    async with asyncio.timeout(60):
        while not (what := await read()):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.05)
        return what


def a_class(**about):
    return believable_class(9, people=15, start=datetime.now(UTC) - timedelta(hours=1) - LENGTH, length=LENGTH, **about)


async def test_a_published_event_becomes_attendance(system, school, database):
    held = a_class()
    school.hold(held)
    async with system() as (pubsub, trigger):
        await pubsub.publish(trigger.topic, conference_ended(held.name, organizer=held.organizer, at=held.end))
        people = await found(lambda: database.children(f"sessions/{held.id}/attendance"))

    assert len(people) == 15


async def test_what_has_not_settled_is_delivered_again_until_it_has(system, school, database):
    async with system(SETTLE_SECONDS="5") as (pubsub, trigger):
        # The call is made only when everything runs: on a slow machine, its data would otherwise already be final.
        held = believable_class(9, people=15, start=datetime.now(UTC) - LENGTH, length=LENGTH, settled=False)
        school.hold(held)
        await pubsub.publish(trigger.topic, conference_ended(held.name, organizer=held.organizer, at=held.end))

        async def complete():
            session = await database.get(f"sessions/{held.id}")
            return session if session and session.fields["sync"]["state"] == "complete" else None

        session = await found(complete)

    assert session.fields["sync"]["attempts"] > 1


async def test_a_poison_message_is_parked_and_does_not_come_again(system, school, database):
    held = a_class()
    school.hold(held)
    poison = Message({"ce-type": "google.workspace.meet.conference.v2.ended"}, b"\x00 no JSON")
    async with system() as (pubsub, trigger):
        await pubsub.publish(trigger.topic, poison)
        parked = await found(lambda: database.children("parked_events"))
        await pubsub.publish(trigger.topic, conference_ended(held.name, organizer=held.organizer, at=held.end))
        await found(lambda: database.get(f"sessions/{held.id}"))

    assert [document.fields["reason"] for document in parked] == ["unreadable-message"]
    assert len(await database.children("parked_events")) == 1


async def test_what_is_never_acknowledged_becomes_a_dead_letter(system, project):
    message = conference_ended("conferenceRecords/abc", organizer="users/1", at=datetime.now(UTC))
    async with system(SETTLE_SECONDS="wrong on purpose") as (pubsub, trigger):
        await pubsub.publish(trigger.topic, message)
        async with asyncio.timeout(60):
            letters = await pubsub.pull(f"projects/{project}/subscriptions/attendance-dead-letter")

    assert [letter.message.data for letter in letters] == [message.data]
    assert letters[0].message.attributes["ce-type"] == message.attributes["ce-type"]

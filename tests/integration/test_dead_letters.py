"""Dead letters in the real Pub/Sub emulator, and where they go."""

from __future__ import annotations

import asyncio
import dataclasses

import grpc.aio
import pytest
from google.pubsub_v1 import PublisherAsyncClient, PubsubMessage, SubscriberAsyncClient, Subscription
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from functions.adapters.google.pubsub.dead_letters import PubsubDeadLetters
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.errors import JobsUnavailable, StoreUnavailable
from functions.services.operations.parking import park_dead_letters


@pytest.fixture
async def channel(pubsub_address):
    async with grpc.aio.insecure_channel(pubsub_address) as channel:
        yield channel


@pytest.fixture
def subscription(project):
    return f"projects/{project}/subscriptions/attendance-dead-letter"


@pytest.fixture
def dead_letters(channel, subscription):
    client = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
    return PubsubDeadLetters(client, subscription=subscription, wait=2.0)


@pytest.fixture
async def leave(channel, project, subscription):
    """Return a function that leaves dead letters in the emulator."""
    publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
    subscriber = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
    topic = f"projects/{project}/topics/attendance-dead-letter"
    await publisher.create_topic(name=topic, timeout=10)
    await subscriber.create_subscription(
        Subscription(name=subscription, topic=topic, ack_deadline_seconds=10), timeout=10
    )

    async def leave(*messages):
        await publisher.publish(topic=topic, messages=list(messages), timeout=10)

    return leave


@pytest.fixture
def database(tmp_path):
    return SqliteDatabase(tmp_path / "attendance.db")


@pytest.fixture
def deps(app, dead_letters):
    return dataclasses.replace(app.deps, dead_letters=dead_letters)


def a_job(number):
    return PubsubMessage(data=b'{"session_id": "s%d"}' % number, attributes={"job": "sync-session"})


async def test_every_dead_letter_is_parked_once_and_waits_no_longer(deps, leave, database):
    await leave(*map(a_job, range(5)))

    assert await park_dead_letters(deps=deps) == 5
    assert await park_dead_letters(deps=deps) == 0
    parked = [document.fields for document in await database.children("parked_events")]
    assert {one["reason"] for one in parked} == {"undelivered"}
    assert len(parked) == 5


def an_event(ce_id, *, count):
    """Return an event in the form of a dead letter from Pub/Sub."""
    attributes = {
        "ce-id": ce_id,
        "ce-type": "google.workspace.meet.conference.v2.ended",
        "CloudPubSubDeadLetterSourceDeliveryCount": str(count),
        "CloudPubSubDeadLetterSourceSubscription": "eventarc-europe-west1-meet-attendance-events-sub-000",
        "CloudPubSubDeadLetterSourceSubscriptionProject": "school-attendance",
        "CloudPubSubDeadLetterSourceTopicPublishTime": f"2026-11-23T10:0{count - 100}:00.000+00:00",
    }
    return PubsubMessage(data=b'{"conferenceRecord": {"name": "conferenceRecords/a"}}', attributes=attributes)


async def test_a_dead_letter_names_the_subscription_that_gave_up_as_a_trigger_does(dead_letters, leave, subscription):
    await leave(an_event("one", count=100), a_job(1))

    letters = await dead_letters.pull()

    assert sorted(letter.body["subscription"] for letter in letters) == sorted(
        [
            "projects/school-attendance/subscriptions/eventarc-europe-west1-meet-attendance-events-sub-000",
            subscription,  # the only known subscription
        ]
    )


async def test_an_event_that_becomes_a_dead_letter_again_is_parked_once(deps, leave, database):
    """ "The same message might be dead lettered multiple times", in a new message each time: DeadLetterPolicy."""
    await leave(an_event("one", count=100), an_event("one", count=101), an_event("other", count=100))

    assert await park_dead_letters(deps=deps) == 3
    assert len(await database.children("parked_events")) == 2


async def test_a_parked_dead_letter_can_be_processed_again(deps, leave):
    await leave(a_job(1))
    await park_dead_letters(deps=deps)

    [parked] = [one async for one in deps.store.parked()]
    assert '"job": "sync-session"' in parked.event.message


async def test_without_such_a_subscription_there_are_none(deps):
    assert await park_dead_letters(deps=deps) == 0


async def test_what_could_not_be_kept_still_waits(deps, leave):
    class Full:
        """A store that does not answer."""

        async def park(self, _):
            raise StoreUnavailable("The store does not answer.")

    await leave(a_job(1))
    with pytest.raises(StoreUnavailable):
        await park_dead_letters(deps=dataclasses.replace(deps, store=Full()))

    async with asyncio.timeout(60):  # its acknowledgement deadline ends after ten seconds
        while not await park_dead_letters(deps=deps):
            pass


async def test_a_pubsub_that_is_not_there_is_reported(app):
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        client = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
        nobody = PubsubDeadLetters(client, subscription="projects/demo/subscriptions/none", wait=0.5)
        with pytest.raises(JobsUnavailable):
            await park_dead_letters(deps=dataclasses.replace(app.deps, dead_letters=nobody))

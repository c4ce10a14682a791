"""Jobs are published to the Pub/Sub emulator, and pulled from it as from the trigger's subscription."""

import json

import grpc.aio
import pytest
from google.pubsub_v1 import PublisherAsyncClient, PublishRequest, PublishResponse, PullRequest, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from functions.adapters.google.pubsub.jobs import PubsubJobs
from functions.domain.errors import JobsUnavailable
from functions.ports.messages import Job
from infra.local.processes import free_port
from infra.local.pubsub_rules import wrong_in_publish


@pytest.fixture
async def channel(pubsub_address):
    async with grpc.aio.insecure_channel(pubsub_address, [("grpc.max_receive_message_length", -1)]) as channel:
        yield channel


@pytest.fixture
async def publisher(channel):
    return PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))


@pytest.fixture
async def topic(publisher, project):
    name = f"projects/{project}/topics/attendance-jobs"
    await publisher.create_topic(name=name)
    return name


@pytest.fixture
async def pulled(channel, project, topic):
    """Return all published messages, when they have all arrived."""
    subscriber = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
    name = f"projects/{project}/subscriptions/jobs"
    await subscriber.create_subscription(name=name, topic=topic)

    async def pull(count):
        messages = []
        while len(messages) < count:
            answer = await subscriber.pull(PullRequest(subscription=name, max_messages=1000))
            messages.extend(received.message for received in answer.received_messages)
            if answer.received_messages:
                await subscriber.acknowledge(
                    subscription=name, ack_ids=[received.ack_id for received in answer.received_messages]
                )
        return messages

    return pull


async def test_a_job_arrives_with_its_name_and_its_data(publisher, topic, pulled):
    data = {"conference_record": "conferenceRecords/abc", "organizer": "users/1"}

    await PubsubJobs(publisher, topic=topic).publish([Job("sync-conference", data)])

    (message,) = await pulled(1)
    assert dict(message.attributes) == {"job": "sync-conference"}
    assert json.loads(message.data) == data


async def test_a_job_without_data_carries_an_empty_object(publisher, topic, pulled):
    await PubsubJobs(publisher, topic=topic).publish([Job("sync-due")])

    assert [json.loads(message.data) for message in await pulled(1)] == [{}]


async def test_more_jobs_than_one_request_takes_all_arrive_once(publisher, topic, pulled):
    jobs = [Job("sync-session", {"session_id": f"s{number}"}) for number in range(2500)]

    await PubsubJobs(publisher, topic=topic).publish(jobs)

    arrived = sorted(json.loads(message.data)["session_id"] for message in await pulled(2500))
    assert arrived == sorted(str(job.data["session_id"]) for job in jobs)


async def test_jobs_larger_together_than_one_request_takes_all_arrive(publisher, topic, pulled):
    await PubsubJobs(publisher, topic=topic).publish([Job("big", {"x": "x" * 4_000_000}) for _ in range(3)])

    assert [len(message.data) for message in await pulled(3)] == [4_000_008] * 3


@pytest.fixture
async def strict():
    """Return a publisher with a server that records what Pub/Sub itself would refuse."""
    broken, taken = [], []

    async def publish(request, _):
        broken.extend(wrong_in_publish(request))
        taken.extend(request.messages)
        return PublishResponse.pb(PublishResponse(message_ids=[str(n) for n in range(len(request.messages))]))

    handler = grpc.unary_unary_rpc_method_handler(
        publish, PublishRequest.pb().FromString, lambda message: message.SerializeToString()
    )
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", {"Publish": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel)), taken
    await server.stop(0.1)
    assert broken == []


@pytest.mark.parametrize(
    "jobs",
    [
        [Job("sync-session", {"session_id": "x" * 100})] * 2500,
        [Job("big", {"x": "x" * 900_000})] * 25,
        [Job("big", {"x": "é" * 3_000_000})] * 3,
        [Job("sync-due")],
    ],
    ids=["many", "large", "larger", "without-data"],
)
async def test_no_request_breaks_a_limit_that_the_emulator_does_not_know(strict, jobs):
    publisher, taken = strict
    await PubsubJobs(publisher, topic="projects/p-1/topics/attendance-jobs").publish(jobs)

    assert len(taken) == len(jobs)


async def test_no_jobs_need_no_topic(publisher):
    await PubsubJobs(publisher, topic="projects/nowhere/topics/none").publish([])


async def test_a_missing_topic_says_who_fixes_it_and_loses_no_work(publisher, project):
    with pytest.raises(JobsUnavailable, match="missing") as caught:
        await PubsubJobs(publisher, topic=f"projects/{project}/topics/none").publish([Job("sync-due")])

    assert "Deploy again" in caught.value.hint


async def test_an_unreachable_pubsub_is_tried_again_and_then_reported():
    async with grpc.aio.insecure_channel(f"127.0.0.1:{free_port()}") as nowhere:
        publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=nowhere))

        with pytest.raises(JobsUnavailable, match="does not accept"):
            await PubsubJobs(publisher, topic="projects/p/topics/t", attempts=2).publish([Job("sync-due")])

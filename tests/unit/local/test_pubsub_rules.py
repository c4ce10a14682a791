"""Limits of Pub/Sub that its emulator does not enforce."""

import pytest
from google.protobuf import duration_pb2
from google.pubsub_v1 import AcknowledgeRequest, PublishRequest, PubsubMessage, Subscription

from infra.local.pubsub_rules import wrong_in_acknowledge, wrong_in_publish, wrong_in_subscription

TOPIC = "projects/p-1/topics/jobs"


def seconds(count):
    return duration_pb2.Duration(seconds=count)


@pytest.mark.parametrize(
    "about",
    [
        {"topic": "jobs"},
        {"topic": "projects/p-1/topics/googol"},
        {"messages": []},
        {"messages": [PubsubMessage(data=b"x")] * 1001},
        {"messages": [PubsubMessage(data=b"x" * 10_000_001)]},
        {"messages": [PubsubMessage()]},
        {"messages": [PubsubMessage(attributes={str(n): "" for n in range(101)})]},
        {"messages": [PubsubMessage(attributes={"k" * 257: ""})]},
        {"messages": [PubsubMessage(attributes={"goog-key": ""})]},
        {"messages": [PubsubMessage(attributes={"k": "é" * 513})]},
        {"messages": [PubsubMessage(data=b"x", ordering_key="k" * 1025)]},
        {"messages": [PubsubMessage(data=b"x", ordering_key=key) for key in "kl"]},
        {"messages": [PubsubMessage(data=b"x", message_id="1")]},
    ],
    ids=lambda about: str(about)[:40],
)
def test_each_limit_of_a_message_is_held(about):
    good = {"topic": TOPIC, "messages": [PubsubMessage(data=b"x", attributes={"k" * 256: "v" * 1024})] * 1000}

    assert list(wrong_in_publish(PublishRequest.pb(PublishRequest(**good)))) == []
    assert len(list(wrong_in_publish(PublishRequest.pb(PublishRequest(**(good | about)))))) == 1


@pytest.mark.parametrize(
    "about",
    [
        {"name": "projects/p-1/subscriptions/1st"},
        {"ack_deadline_seconds": 9},
        {"ack_deadline_seconds": 601},
        {"message_retention_duration": seconds(599)},
        {"message_retention_duration": seconds(31 * 86400 + 1)},
        {"retry_policy": {"minimum_backoff": seconds(601), "maximum_backoff": seconds(600)}},
        {"expiration_policy": {"ttl": seconds(86399)}},
        {"dead_letter_policy": {"dead_letter_topic": TOPIC, "max_delivery_attempts": 4}},
        {"dead_letter_policy": {"dead_letter_topic": TOPIC, "max_delivery_attempts": 101}},
    ],
    ids=str,
)
def test_each_limit_of_a_subscription_is_held(about):
    deployed = {
        "name": "projects/p-1/subscriptions/eventarc-europe-west1-events-sub-000",
        "ack_deadline_seconds": 600,
        "message_retention_duration": seconds(7 * 86400),
        "retry_policy": {"minimum_backoff": seconds(10), "maximum_backoff": seconds(600)},
        "expiration_policy": {},
        "dead_letter_policy": {"dead_letter_topic": TOPIC, "max_delivery_attempts": 100},
    }

    assert list(wrong_in_subscription(Subscription.pb(Subscription(**deployed)))) == []
    assert len(list(wrong_in_subscription(Subscription.pb(Subscription(**(deployed | about)))))) == 1


def test_an_acknowledgement_names_something_and_not_too_much():
    def wrong(count):
        return list(wrong_in_acknowledge(AcknowledgeRequest.pb(AcknowledgeRequest(ack_ids=["x" * 200] * count))))

    assert wrong(100) == []
    assert len(wrong(0)) == len(wrong(3000)) == 1

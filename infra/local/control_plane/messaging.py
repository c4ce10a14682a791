"""Pub/Sub and Cloud Scheduler."""

from __future__ import annotations

from infra.local.control_plane.collections_ import Kept, patched
from infra.local.control_plane.discovery import Call, Json
from infra.local.control_plane.refusals import Refusal
from infra.local.control_plane.world import World, answers

SUBSCRIPTION = {
    "ackDeadlineSeconds": 10,
    "messageRetentionDuration": "604800s",
    "expirationPolicy": {"ttl": "2678400s"},
    "state": "ACTIVE",
}
"""The default settings of a subscription; it expires after 31 days without activity."""


def _location_policy(world: World, _: str, topic: Json) -> None:
    """Give a topic the organisation's locations as its storage policy.

    https://cloud.google.com/pubsub/docs/resource-location-restriction#org-policy
    """
    spec = world.organisation.get("gcp.resourceLocations")
    if spec and not any(rule.get("allowAll") for rule in spec["rules"]):
        topic.setdefault("messageStoragePolicy", {"allowedPersistenceRegions": ["europe-west1", "europe-west3"]})


Kept("pubsub.projects.topics", "topics", check=_location_policy).serve("create", "get", "list")
Kept("pubsub.projects.subscriptions", "subscriptions").serve("get", "list", "delete")


@answers("pubsub.projects.topics.delete")
def _delete_topic(world: World, call: Call) -> Json:
    """Delete a topic; its subscriptions remain without a topic, even if a topic of the same name is created again.

    https://docs.cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/delete
    """
    delete_topic(world, call.name)
    return {}


def delete_topic(world: World, name: str) -> None:
    """Remove a topic. Raises `Refusal` if it does not exist."""
    world.resource(name)
    del world.resources[name]
    world.policies.pop(name, None)
    for subscription in world.resources.values():
        if subscription.get("topic") == name and "ackDeadlineSeconds" in subscription:
            subscription["topic"] = DELETED_TOPIC


DELETED_TOPIC = "_deleted-topic_"
"""The name that a subscription shows for its topic after the topic was deleted."""


@answers("pubsub.projects.topics.patch")
def _update_topic(world: World, call: Call) -> Json:
    before = world.resource(call.name)
    mask = call.body["updateMask"]
    after = patched(before, call.body["topic"], mask)
    if mask == "messageStoragePolicy" and "messageStoragePolicy" not in call.body["topic"]:
        _location_policy(world, call.name, after)
    world.resources[call.name] = after
    return after


@answers("pubsub.projects.subscriptions.create")
def _create_subscription(world: World, call: Call) -> Json:
    if call.name in world.resources:
        raise Refusal(409, f"Resource already exists in the project (resource={call.name.rpartition('/')[2]}).")
    topic = call.body["topic"]
    if topic not in world.resources:
        raise Refusal(404, f"Resource not found (resource={topic.rpartition('/')[2]}).")
    world.resources[call.name] = {**SUBSCRIPTION, **call.body, "name": call.name}
    return world.resources[call.name]


@answers("pubsub.projects.subscriptions.patch")
def _update_subscription(world: World, call: Call) -> Json:
    before = world.resource(call.name)
    after = patched(before, call.body["subscription"], call.body["updateMask"])
    dead_letters = after.get("deadLetterPolicy", {})
    if dead_letters and dead_letters["deadLetterTopic"] not in world.resources:
        raise Refusal(404, f"Resource not found (resource={dead_letters['deadLetterTopic'].rpartition('/')[2]}).")
    if not 5 <= int(dead_letters.get("maxDeliveryAttempts", 5)) <= 100:  # noqa: PLR2004 - Google's numbers
        raise Refusal(400, "max_delivery_attempts must be between 5 and 100.")
    world.resources[call.name] = after
    return after


def _check_job(_: World, __: str, job: Json) -> None:
    target = job.get("pubsubTarget")
    if target is not None and not target.get("data") and not target.get("attributes"):
        raise Refusal(400, "PubsubTarget must contain either non-empty data, or at least one attribute.")


Kept("cloudscheduler.projects.locations.jobs", "jobs", defaults={"state": "ENABLED"}, check=_check_job).serve(
    "create", "get", "list", "patch", "delete"
)


@answers("cloudscheduler.projects.locations.jobs.pause", "cloudscheduler.projects.locations.jobs.resume")
def _switch_job(world: World, call: Call) -> Json:
    job = world.resource(call.name)
    job["state"] = "PAUSED" if call.id.endswith("pause") else "ENABLED"
    return job

"""The stand-in for Google's control plane refuses what Google refuses, with Google's words."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from infra.local.control_plane import World
from infra.local.control_plane.refusals import Refusal

TOPIC = "https://pubsub.googleapis.com/v1/projects/my-school/topics/workspace-events"
POLICY = "https://cloudresourcemanager.googleapis.com/v1/projects/my-school"


@pytest.fixture
def world():
    world = World()
    world.enabled |= {"pubsub.googleapis.com", "run.googleapis.com", "iam.googleapis.com"}
    return world


def ask(world, method, url, body=None, **headers):
    address = urlsplit(url)
    sent = {"authorization": "Bearer ya29.stand-in", **headers}
    content = json.dumps(body).encode() if body is not None else b""
    return world.answer(method, address.netloc, address, content, sent)[1]


@pytest.mark.parametrize(
    ("method", "url", "body", "says"),
    [
        ("PUT", TOPIC, {"colour": "red"}, 'Unknown name "colour" at "Topic": Cannot find field.'),
        ("PUT", TOPIC, {"labels": ["red"]}, 'Invalid value at "labels" (object)'),
        ("PUT", TOPIC, {"state": "ASLEEP"}, 'Invalid value at "state" (enum), "ASLEEP"'),
        ("PUT", f"{TOPIC}?colour=red", {}, 'Unknown name "colour": Cannot bind query parameter.'),
        ("GET", "https://pubsub.googleapis.com/v1/projects/my-school/colours", None, "Method not found"),
        ("GET", TOPIC, None, "was not found"),
        ("GET", TOPIC.replace("my-school", "your-school"), None, "not found or permission denied"),
        (
            "GET",
            "https://eventarc.googleapis.com/v1/projects/my-school/locations/r/triggers/t",
            None,
            "has not been used",
        ),
    ],
)
def test_a_wrong_request_is_refused(world, method, url, body, says):
    with pytest.raises(Refusal, match=r".*") as refusal:
        ask(world, method, url, body)
    assert says in refusal.value.message
    assert world.mutations == []


def test_a_request_without_a_token_is_refused(world):
    with pytest.raises(Refusal, match="invalid authentication credentials"):
        ask(world, "GET", TOPIC, authorization="")


def test_a_permission_that_the_caller_lacks_is_named(world):
    world.permissions = {"pubsub.topics.get"}
    with pytest.raises(Refusal, match=r"'pubsub\.topics\.create' denied"):
        ask(world, "PUT", TOPIC, {})


def test_a_new_api_is_seen_only_after_a_while():
    world = World(settling=2)
    url = "https://serviceusage.googleapis.com/v1/projects/my-school/services:batchEnable"
    ask(world, "POST", url, {"serviceIds": ["pubsub.googleapis.com"]})
    for _ in range(2):
        with pytest.raises(Refusal, match="has not been used"):
            ask(world, "PUT", TOPIC, {})
    assert ask(world, "PUT", TOPIC, {})["name"].endswith("workspace-events")


def test_a_member_that_does_not_exist_is_refused(world):
    member = "serviceAccount:nobody@my-school.iam.gserviceaccount.com"
    with pytest.raises(Refusal, match="does not exist"):
        ask(
            world,
            "POST",
            f"{POLICY}:setIamPolicy",
            {"policy": {"bindings": [{"role": "roles/viewer", "members": [member]}]}},
        )


def test_an_organisation_keeps_members_out(world):
    world.organisation["iam.allowedPolicyMemberDomains"] = {"rules": [{"values": {"allowedValues": ["C0school"]}}]}
    ask(world, "PUT", TOPIC, {})
    policy = {"bindings": [{"role": "roles/pubsub.publisher", "members": ["allUsers"]}]}
    with pytest.raises(Refusal, match="do not belong to a permitted customer"):
        ask(world, "POST", f"{TOPIC}:setIamPolicy", {"policy": policy})


def test_a_policy_that_somebody_else_has_changed_is_not_overwritten(world):
    stale = ask(world, "POST", f"{POLICY}:getIamPolicy", {})
    ask(world, "POST", f"{POLICY}:setIamPolicy", {"policy": dict(stale)})
    with pytest.raises(Refusal, match="concurrent policy changes"):
        ask(world, "POST", f"{POLICY}:setIamPolicy", {"policy": stale})


def test_conditions_are_not_lost_to_somebody_who_does_not_know_them(world):
    condition = {"title": "soon", "expression": "true"}
    binding = {"role": "roles/viewer", "members": ["user:guest@school.example"], "condition": condition}
    world.policy("projects/my-school")["bindings"].append(binding)
    seen = ask(world, "POST", f"{POLICY}:getIamPolicy", {})
    assert "condition" not in str(seen).replace("withcond", "")
    with pytest.raises(Refusal, match="version 3"):
        ask(world, "POST", f"{POLICY}:setIamPolicy", {"policy": {**seen, "version": 1}})


def test_no_change_is_made_once_every_further_one_is_refused(world):
    world.mutations_left = 1
    ask(world, "PUT", TOPIC, {})
    with pytest.raises(Refusal, match="told to refuse every further change"):
        ask(world, "DELETE", TOPIC)
    assert world.mutated() == ["pubsub.projects.topics.create projects/my-school/topics/workspace-events"]

"""The result of a deployment, read from the stand-in; docs/deploy.md has the same list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from infra.local.control_plane import World

ROOT = Path(__file__).parents[2]
PLACE = "projects/my-school/locations/europe-west1"
DATABASE = "projects/my-school/databases/(default)"
ERASURE_SECRET = "meet-attendance-erasure-key"  # noqa: S105 - a name
EVENT_FUNCTIONS = ("meet-attendance-events", "meet-attendance-jobs")

APIS = (
    *("meet", "workspaceevents", "pubsub", "firestore", "cloudfunctions", "run", "eventarc", "cloudbuild"),
    *("artifactregistry", "cloudscheduler", "secretmanager", "iam", "iamcredentials", "people", "admin"),
    *("calendar-json", "firebaserules", "logging", "monitoring", "cloudresourcemanager", "orgpolicy", "serviceusage"),
)

WITH_PERSONAL_DATA = {"sessions", "attendance", "conferences", "registers", "people", "parked_events", "audit"}


def account(name: str) -> str:
    return f"serviceAccount:{name}@my-school.iam.gserviceaccount.com"


def agent(world: World, name: str) -> str:
    return f"serviceAccount:service-{world.number}@{name}.iam.gserviceaccount.com"


def granted(world: World, name: str) -> set[tuple[str, str]]:
    """Return role and member of every binding of a resource."""
    return {(binding["role"], member) for binding in world.policy(name)["bindings"] for member in binding["members"]}


def subscription_of(world: World, function: str) -> dict[str, Any]:
    trigger = world.resources[f"{PLACE}/functions/{function}"]["eventTrigger"]["trigger"]
    return world.resources[world.resources[trigger]["transport"]["pubsub"]["subscription"]]


def environment(world: World, function: str = "meet-attendance-api") -> dict[str, str]:
    return world.resources[f"{PLACE}/functions/{function}"]["serviceConfig"]["environmentVariables"]


def says(stored: Any, file: Any) -> bool:
    """Return whether everything in a file is stored; a default that Google leaves out counts as stored."""
    if isinstance(file, dict):
        return all(says((stored or {}).get(key), value) for key, value in file.items())
    if isinstance(file, list):
        return len(stored or []) == len(file) and all(says(*pair) for pair in zip(stored, file, strict=True))
    return stored == file or (stored is None and file in (0, "", "STRING"))


def assert_complete(world: World, *, events: bool = True) -> None:
    """Assert that everything that a deployment creates exists and is correct."""
    assert {f"{api}.googleapis.com" for api in APIS} <= world.enabled
    assert_grants(world, events=events)
    assert_topics(world)
    assert_functions(world)
    assert_schedule(world)
    assert_firestore(world)
    assert_watching(world)


def assert_grants(world: World, *, events: bool) -> None:
    ours = set(map(account, ("meet-attendance", "meet-attendance-trigger", "meet-attendance-build")))
    project = granted(world, "projects/my-school")
    assert {grant for grant in project if grant[1] in ours} == {
        ("roles/datastore.user", account("meet-attendance")),
        ("roles/cloudbuild.builds.builder", account("meet-attendance-build")),
    }
    assert ("roles/eventarc.serviceAgent", agent(world, "gcp-sa-eventarc")) in project
    assert ("roles/pubsub.serviceAgent", agent(world, "gcp-sa-pubsub")) in project
    assert ("roles/owner", "user:ada@school.example") in project
    own = "projects/my-school/serviceAccounts/meet-attendance@my-school.iam.gserviceaccount.com"
    assert granted(world, own) == {("roles/iam.serviceAccountTokenCreator", account("meet-attendance"))}
    publisher = ("roles/pubsub.publisher", "serviceAccount:meet-api-event-push@system.gserviceaccount.com")
    assert granted(world, "projects/my-school/topics/workspace-events") == ({publisher} if events else set())
    assert granted(world, "projects/my-school/topics/attendance-jobs") == {
        ("roles/pubsub.publisher", account("meet-attendance"))
    }
    assert ("roles/pubsub.publisher", account("meet-attendance")) in granted(
        world, "projects/my-school/topics/attendance-changed"
    )
    assert granted(world, "projects/my-school/topics/attendance-dead-letter") == {
        ("roles/pubsub.publisher", agent(world, "gcp-sa-pubsub"))
    }
    assert granted(world, f"projects/my-school/secrets/{ERASURE_SECRET}") == {
        ("roles/secretmanager.secretAccessor", account("meet-attendance"))
    }
    assert granted(world, "projects/my-school/subscriptions/attendance-dead-letter") == {
        ("roles/pubsub.subscriber", account("meet-attendance"))
    }


def assert_topics(world: World) -> None:
    dead_letters = world.resources["projects/my-school/subscriptions/attendance-dead-letter"]
    assert dead_letters["topic"] == "projects/my-school/topics/attendance-dead-letter"
    assert "ttl" not in dead_letters["expirationPolicy"]


def assert_functions(world: World) -> None:
    for name, entry, timeout in (
        ("meet-attendance-events", "on_workspace_event", 540),
        ("meet-attendance-jobs", "on_job", 540),
        ("meet-attendance-api", "api", 300),
    ):
        function = world.resources[f"{PLACE}/functions/{name}"]
        config = function["serviceConfig"]
        assert function["state"] == "ACTIVE"
        assert (function["buildConfig"]["entryPoint"], function["buildConfig"]["runtime"]) == (entry, "python313")
        assert function["buildConfig"]["serviceAccount"].endswith(
            "/meet-attendance-build@my-school.iam.gserviceaccount.com"
        )
        # So that the compiled modules count although the image changes the times of all files.
        assert function["buildConfig"]["environmentVariables"].keys() == {"SOURCE_DATE_EPOCH"}
        assert config["serviceAccountEmail"] == "meet-attendance@my-school.iam.gserviceaccount.com"
        [secret] = config["secretEnvironmentVariables"]
        assert (secret["key"], secret["secret"], secret["version"]) == ("ERASURE_KEY", ERASURE_SECRET, "1")
        assert world.resources[f"projects/my-school/secrets/{ERASURE_SECRET}/versions/1"]["state"] == "ENABLED"
        assert (config["timeoutSeconds"], config["availableCpu"]) == (timeout, "1")
        assert config["maxInstanceRequestConcurrency"] > 1
        assert (
            3 * config["maxInstanceCount"] * int(config["environmentVariables"]["MEET_PROJECT_READS_PER_MINUTE"])
            <= 6000
        )
        assert 3 * config["maxInstanceCount"] * 1000 <= world.cpu_quota
    for name in EVENT_FUNCTIONS:
        trigger = world.resources[f"{PLACE}/functions/{name}"]["eventTrigger"]
        assert trigger["retryPolicy"] == "RETRY_POLICY_RETRY"
        assert trigger["serviceAccountEmail"] == "meet-attendance-trigger@my-school.iam.gserviceaccount.com"
        subscription = subscription_of(world, name)
        assert subscription["deadLetterPolicy"] == {
            "deadLetterTopic": "projects/my-school/topics/attendance-dead-letter",
            "maxDeliveryAttempts": 100,
        }
        assert subscription["retryPolicy"] == {"minimumBackoff": "10s", "maximumBackoff": "600s"}
        assert (subscription["ackDeadlineSeconds"], subscription["messageRetentionDuration"]) == (600, "604800s")
        assert "ttl" not in subscription["expirationPolicy"]
        assert ("roles/pubsub.subscriber", agent(world, "gcp-sa-pubsub")) in granted(world, subscription["name"])
        assert granted(world, f"{PLACE}/services/{name}") == {("roles/run.invoker", account("meet-attendance-trigger"))}
    images = world.resources[f"{PLACE}/repositories/gcf-artifacts"]
    assert images["cleanupPolicies"]["keep-5-newest"]["mostRecentVersions"] == {"keepCount": 5}
    assert images["cleanupPolicies"]["delete-others"]["action"] == "DELETE"
    assert not images["cleanupPolicyDryRun"]


def assert_schedule(world: World) -> None:
    jobs = {job["name"].rpartition("/")[2]: job for job in world.below(f"{PLACE}/jobs")}
    assert {name: (job["schedule"], job["pubsubTarget"]["attributes"]) for name, job in jobs.items()} == {
        "attendance-sync-due": ("*/5 * * * *", {"job": "sync-due"}),
        "attendance-reconcile": ("*/30 * * * *", {"job": "reconcile"}),
        "attendance-renew-subscriptions": ("0 */6 * * *", {"job": "renew-subscriptions"}),
    }
    assert {job["pubsubTarget"]["topicName"] for job in jobs.values()} == {"projects/my-school/topics/attendance-jobs"}
    assert {job["state"] for job in jobs.values()} == {"ENABLED"}


def assert_firestore(world: World) -> None:
    database = world.resources[DATABASE]
    assert database["type"] == "FIRESTORE_NATIVE"
    assert database["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED"
    assert database["pointInTimeRecoveryEnablement"] == "POINT_IN_TIME_RECOVERY_ENABLED"
    wanted = json.loads((ROOT / "infra/firestore.indexes.json").read_text())
    indexes = [
        (
            index["name"].split("/")[-3],
            index["queryScope"],
            [f for f in index["fields"] if f["fieldPath"] != "__name__"],
        )
        for index in world.below(f"{DATABASE}/collectionGroups/-/indexes")
    ]
    for index in wanted["indexes"]:
        assert (index["collectionGroup"], index["queryScope"], index["fields"]) in indexes
    for field in wanted["fieldOverrides"]:
        name = f"{DATABASE}/collectionGroups/{field['collectionGroup']}/fields/{field['fieldPath']}"
        stored = world.resources[name]["indexConfig"].get("indexes", [])
        plain = [{"queryScope": one["queryScope"], **one["fields"][0]} for one in stored]
        assert sorted(plain, key=str) == sorted(
            ({"queryScope": "COLLECTION", "fieldPath": field["fieldPath"], **one} for one in field["indexes"]), key=str
        )
    expiring = {
        name.split("/")[-3]
        for name, field in world.resources.items()
        if name.endswith("/fields/expire_at") and "ttlConfig" in field
    }
    assert expiring >= WITH_PERSONAL_DATA
    release = world.resources["projects/my-school/releases/cloud.firestore"]
    rules = world.resources[release["rulesetName"]]["source"]["files"][0]["content"]
    assert rules == (ROOT / "infra/firestore.closed.rules").read_text()


def assert_watching(world: World) -> None:
    for file in (ROOT / "infra/monitoring/metrics").glob("*.yaml"):
        assert says(world.resources[f"projects/my-school/metrics/{file.stem}"], yaml.safe_load(file.read_text()))
    alerts = {
        alert["userLabels"]["meet-attendance"]: alert for alert in world.below("projects/my-school/alertPolicies")
    }
    for file in (ROOT / "infra/monitoring/policies").glob("*.yaml"):
        assert says(alerts.pop(file.stem), yaml.safe_load(file.read_text()))
    assert not alerts
    (exclusion,) = world.resources["projects/my-school/sinks/_Default"]["exclusions"]
    assert 'service_name="meet-attendance-api"' in exclusion["filter"]
    assert not exclusion.get("disabled")

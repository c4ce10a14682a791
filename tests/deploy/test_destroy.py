"""Destroying removes what runs and keeps the data; a new deployment works."""

from __future__ import annotations

import pytest

from infra.local.control_plane import World
from tests.deploy.complete import DATABASE, account, agent, assert_complete, granted
from tests.deploy.conftest import OPTIONS

pytestmark = pytest.mark.timeout(600)  # gcloud starts about twenty times

OURS = "meet-attendance"
KEPT_ACCOUNT = "projects/my-school/serviceAccounts/meet-attendance@my-school.iam.gserviceaccount.com"


def _running(world: World) -> list[str]:
    kinds = ("/functions/", "/services/", "/jobs/", "/triggers/", "/alertPolicies/", "/metrics/")
    return [name for name in world.resources if any(kind in name for kind in kinds)]


def test_destroying_keeps_the_data_and_a_later_deployment_is_complete(deployed, operator):
    client_id = deployed.resources[KEPT_ACCOUNT]["uniqueId"]
    somebody = operator(deployed)
    plan = somebody.destroy(DRY_RUN="1")
    assert (plan.returncode, deployed.mutated()) == (0, [])
    done = somebody.destroy()
    assert done.returncode == 0, done.stderr
    assert _running(deployed) == []
    assert {name.rpartition("/")[2] for name in deployed.resources if "/topics/" in name} == {"attendance-dead-letter"}
    assert "projects/my-school/subscriptions/attendance-dead-letter" in deployed.resources
    assert deployed.resources[DATABASE]["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED"
    assert list(deployed.below(f"{DATABASE}/backupSchedules"))
    assert deployed.resources[KEPT_ACCOUNT]["uniqueId"] == client_id
    assert [name for name in deployed.resources if "/serviceAccounts/" in name] == [KEPT_ACCOUNT]
    for policy in deployed.policies.values():
        for binding in policy["bindings"]:
            assert account(OURS) not in binding["members"]
    assert ("roles/pubsub.serviceAgent", agent(deployed, "gcp-sa-pubsub")) in granted(deployed, "projects/my-school")
    assert not deployed.resources["projects/my-school/sinks/_Default"].get("exclusions")

    deployed.mutations.clear()
    assert somebody.destroy().returncode == 0
    assert deployed.mutated() == []

    done = somebody.deploy(**OPTIONS)
    assert done.returncode == 0, done.stderr
    assert_complete(deployed)
    assert deployed.resources[KEPT_ACCOUNT]["uniqueId"] == client_id


def test_the_data_is_deleted_on_request(deployed, operator):
    consent = "projects/my-school/secrets/meet-attendance-token-104729"
    deployed.resources[consent] = {"name": consent, "labels": {"app": "meet-attendance"}}
    done = operator(deployed).destroy(DELETE_DATA="yes")
    assert done.returncode == 0, done.stderr
    left = [name for name in deployed.resources if OURS in name or DATABASE in name or "attendance" in name]
    assert [name for name in left if "/operations/" not in name] == []


def test_an_unknown_option_is_refused_before_anything_is_deleted(operator):
    world = World()
    done = operator(world).destroy(DELETE="yes")
    assert (done.returncode, world.mutated()) == (2, [])
    assert "Unknown option: DELETE=yes. Known are: PROJECT REGION FIRESTORE_DATABASE DELETE_DATA DRY_RUN" in done.stderr

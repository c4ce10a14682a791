"""A restricted organisation: everything works except events, which need an administrator's exception."""

from __future__ import annotations

import pytest

from infra.local.control_plane import World
from tests.deploy.complete import assert_complete, environment

pytestmark = pytest.mark.timeout(600)  # gcloud starts about twenty times

RESTRICTED = {
    "iam.allowedPolicyMemberDomains": {"rules": [{"values": {"allowedValues": ["C0school"]}}]},
    "gcp.resourceLocations": {"rules": [{"values": {"allowedValues": ["in:europe-locations"]}}]},
}


def test_a_restricted_organisation_is_deployed_without_events_and_with_them_after_the_exception(operator):
    world = World(organisation=dict(RESTRICTED), cpu_quota=6000)
    somebody = operator(world)
    done = somebody.deploy(BACKUPS="no", FIRESTORE_LOCATION="eur3")
    assert done.returncode == 0, done.stderr
    assert_complete(world, events=False)
    assert environment(world)["MEET_PROJECT_READS_PER_MINUTE"] == "1000"
    assert world.resources["projects/my-school/topics/workspace-events"]["messageStoragePolicy"]
    assert "Meet's events do not come yet" in done.stdout
    assert "projects/my-school/policies/gcp.resourceLocations" in done.stdout

    world.organisation.clear()
    done = somebody.deploy()
    assert done.returncode == 0, done.stderr
    assert_complete(world)
    assert "messageStoragePolicy" not in world.resources["projects/my-school/topics/workspace-events"]
    assert "Meet's events do not come yet" not in done.stdout
    assert not list(world.below("projects/my-school/databases/(default)/backupSchedules"))

"""The deployment grants what `infra/iam.toml` says that each account needs: no more, no less."""

from __future__ import annotations

import tomllib

import pytest

from infra.local.control_plane import World
from tests.deploy.complete import PLACE, account, agent, subscription_of
from tests.deploy.conftest import OPTIONS, ROOT

pytestmark = pytest.mark.timeout(600)  # gcloud starts about twenty times

OF_GOOGLE = {"roles/cloudbuild.serviceAgent", "roles/cloudfunctions.serviceAgent", "roles/run.serviceAgent"}
"""What Google grants its own agents when their API is enabled."""


def _members(world: World, named: str) -> str:
    if named in {"LMS", "ADMIN"}:
        return OPTIONS["LMS"] if named == "LMS" else f"user:{world.deployer}"
    name, at, domain = named.partition("@")
    if not at:
        return account(named)
    if name == "service-PROJECT_NUMBER":
        return agent(world, domain.split(".")[0])
    return f"serviceAccount:{named}"


def _resource(world: World, named: str) -> str:
    kind, _, name = named.partition("/")
    return {
        "project": "projects/my-school",
        "topic": f"projects/my-school/topics/{name}",
        "subscription": f"projects/my-school/subscriptions/{name}",
        "secret": f"projects/my-school/secrets/{name}",
        "service": f"{PLACE}/services/{name}",
        "service-account": f"projects/my-school/serviceAccounts/{name}@my-school.iam.gserviceaccount.com",
        "trigger-subscription": subscription_of(world, name)["name"] if kind == "trigger-subscription" else "",
    }[kind]


def test_every_account_gets_what_it_needs_and_nothing_else(first):
    world, _ = first
    table = tomllib.loads((ROOT / "infra/iam.toml").read_text())["grants"]
    wanted = {
        (_resource(world, grant["resource"]), grant["role"], _members(world, grant["account"]))
        for grant in table
        if grant.get("when") in {None, "LMS", "AUTH_MODE=delegation"} and grant.get("made_by") != "setup-oauth"
    }
    made = {
        (resource, binding["role"], member)
        for resource, policy in world.policies.items()
        for binding in policy["bindings"]
        for member in binding["members"]
        if binding["role"] not in OF_GOOGLE | {"roles/owner"}
    }
    assert made == wanted

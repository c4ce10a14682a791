"""`make doctor` names each problem once, with the command that fixes it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from infra.doctor.__main__ import Options, as_json, diagnose
from infra.local.control_plane import World, environment, serving
from infra.local.control_plane.refusals import Refusal
from tests.deploy.breaking import BREAKS, DEPLOY, OWN, PROJECT, EverythingBut, function, grant, job, without_grant
from tests.deploy.complete import PLACE
from tests.deploy.living import TEACHER

pytestmark = pytest.mark.timeout(600)  # the first of them waits for a whole deployment with the real gcloud

SCOPES = "https://www.googleapis.com/auth/"

Check = dict[str, Any]


@pytest.fixture
def doctor(certificate, tmp_path, monkeypatch) -> Callable[..., list[Check]]:
    """Return what the doctor says about a world, as in its JSON."""

    def look(world: World, *, region: str = "europe-west1", patience: float = 60) -> list[Check]:
        with serving(world, certificate) as proxy:
            for name, value in environment(proxy, certificate, tmp_path).items():
                monkeypatch.setenv(name, value)
            monkeypatch.setenv("DEPLOYED_SETTINGS", str(tmp_path / "deployed"))
            options = Options([f"PROJECT={world.project}", f"REGION={region}", "ARGS=--json"])
            outcomes = asyncio.run(diagnose(options, patience=patience))
        return json.loads(as_json(outcomes))["checks"]

    return look


def said(checks: list[Check]) -> dict[str, Check]:
    """Return the checks with a problem, without problems that another check explains."""
    return {one["name"]: one for one in checks if one["state"] != "ok" and one["because"] is None}


def test_a_deployment_in_use_has_no_problems(living, doctor):
    checks = doctor(living)
    assert said(checks) == {}
    assert all(one["state"] == "ok" for one in checks)
    assert len({one["name"] for one in checks}) == len(checks)


@pytest.mark.parametrize("what", BREAKS)
def test_each_thing_that_is_broken_is_named_once_with_a_command(what, living, doctor):
    break_it, name, words, command = BREAKS[what]
    break_it(living)
    found = said(doctor(living))
    assert list(found) == [name]
    assert words in found[name]["detail"]
    assert found[name]["command"].startswith(command)


def test_an_api_that_is_off_explains_everything_that_it_answers(living, doctor):
    for api in ("pubsub", "firestore", "cloudfunctions"):
        living.enabled.discard(f"{api}.googleapis.com")
    checks = doctor(living)
    assert list(said(checks)) == ["APIs"]
    explained = {one["name"]: one for one in checks if one["because"]}
    assert {one["because"] for one in explained.values()} == {"APIs"}
    assert {"topics", "database", "function meet-attendance-api", "dead letters"} <= set(explained)
    assert {one["state"] for one in explained.values()} == {"could-not-check"}


def test_an_empty_project_has_one_thing_to_do(doctor):
    checks = doctor(World())
    assert list(said(checks)) == ["APIs"]
    assert said(checks)["APIs"]["command"] == DEPLOY


def test_another_region_is_named_with_the_one_where_it_is(living, doctor):
    found = said(doctor(living, region="europe-west3"))
    assert list(found) == ["region"]
    assert found["region"]["command"] == "make doctor PROJECT=my-school REGION=europe-west1"


@pytest.mark.parametrize(
    ("scope", "state"),
    [
        ("meetings.space.readonly", "wrong"),
        ("admin.directory.user.readonly", "wrong"),
        ("calendar.events", "warning"),
        ("meetings.space.created", "warning"),
    ],
)
def test_the_scope_that_is_missing_in_the_delegation_is_named_with_the_exact_steps(living, doctor, scope, state):
    every = ("meetings.space.readonly", "meetings.space.created", "directory.readonly", "admin.directory.user.readonly")
    every += ("userinfo.email", "userinfo.profile", "calendar.events")
    living.delegated = {f"{SCOPES}{one}" for one in every} - {f"{SCOPES}{scope}"}
    found = said(doctor(living))
    assert list(found) == ["delegation"]
    assert found["delegation"]["state"] == state
    client = living.resources[OWN]["uniqueId"]
    for words in (
        f"has not allowed {scope}.",
        f"client id {client} and adds {SCOPES}{scope} (",
        "domainwidedelegation",
    ):
        assert words in found["delegation"]["detail"]


@pytest.mark.parametrize(
    ("permission", "name"),
    [
        ("iam.serviceAccounts.signJwt", "delegation"),
        ("orgpolicy.policy.get", "policy of members"),
        ("cloudbilling.billingInfo.get", None),
    ],
)
def test_what_may_not_be_looked_at_names_the_missing_permission(living, doctor, permission, name):
    living.permissions = EverythingBut(permission)
    if permission == "orgpolicy.policy.get":
        without_grant(
            living,
            f"{PROJECT}/topics/workspace-events",
            "roles/pubsub.publisher",
            "serviceAccount:meet-api-event-push@system.gserviceaccount.com",
        )
    found = said(doctor(living))
    if name is None:
        assert found == {}
        return
    assert found[name]["state"] == "could-not-check"
    assert permission in found[name]["detail"]
    assert found[name]["command"].startswith("gcloud ")


def test_permissions_that_looking_at_documents_needs_are_named_once(living, doctor):
    living.permissions = EverythingBut("datastore.entities.list")
    checks = doctor(living)
    assert list(said(checks)) == ["what you may do"]
    enrolled = next(one for one in checks if one["name"] == "enrolled")
    assert (enrolled["state"], enrolled["because"]) == ("could-not-check", "what you may do")
    assert "datastore.entities.list" in enrolled["detail"]


def test_a_service_that_is_silent_is_named_once_and_waited_for_a_bounded_time(living, doctor):
    living.silent.add("firestore.googleapis.com")
    checks = doctor(living, patience=8)
    assert list(said(checks)) == ["database"]
    assert said(checks)["database"]["state"] == "could-not-check"
    assert "firestore.googleapis.com does not answer" in said(checks)["database"]["detail"]


def test_no_answer_from_any_google_service_is_reported_once(living, doctor):
    living.silent.add("*")
    found = said(doctor(living, patience=1))
    assert list(found) == ["login"]
    assert "does not answer" in found["login"]["detail"]


def test_a_check_that_crashes_ends_nothing(living, doctor):
    function(living)["serviceConfig"]["maxInstanceCount"] = "many"
    checks = doctor(living)
    crashed = [one["name"] for one in checks if one["state"] == "crashed"]
    assert "CPU quota" in crashed
    assert next(one for one in checks if one["name"] == "database")["state"] == "ok"
    assert "ValueError" in next(one for one in checks if one["name"] == "CPU quota")["detail"]


def test_the_doctor_names_no_person(living, doctor):
    grant(living, f"{PLACE}/services/meet-attendance-api", "roles/run.invoker", "user:eve@school.example")
    job(living).update(status={"code": 7, "message": f"asked by {TEACHER}"})
    living.people.clear()
    text = json.dumps(doctor(living))
    assert "@school.example" not in text
    assert "(an address)" in text


def test_an_api_that_was_enabled_a_moment_ago_is_waited_for_and_nothing_is_taken_for_missing(living, doctor):
    living.settling = 1000
    for api in living.enabled:
        living.unsettled(f"api {api}")  # the only use that still fails has passed
    living.settle("api pubsub.googleapis.com")
    found = said(doctor(living))
    assert {one["state"] for one in found.values()} == {"could-not-check"}
    assert list(found) == ["policy of places"]
    assert "pubsub.googleapis.com does not answer" in found["policy of places"]["detail"]


def test_other_grants_may_have_conditions(living, doctor):
    condition = {"title": "until summer", "expression": 'request.time < timestamp("2027-07-01T00:00:00Z")'}
    living.policy(PROJECT)["bindings"].append(
        {"role": "roles/viewer", "members": ["user:guest@school.example"], "condition": condition}
    )
    assert said(doctor(living)) == {}


def test_a_deployment_with_other_options_has_no_problems(living, doctor):
    """There are no backups, because of BACKUPS=no. The teachers' own consents need no grant to sign."""
    for name in ("events", "jobs", "api"):
        deployed = function(living, f"meet-attendance-{name}")
        deployed["labels"]["meet-attendance-backups"] = "no"
        deployed["serviceConfig"]["environmentVariables"]["AUTH_MODE"] = "oauth"
    for backup in [name for name in living.resources if "/backupSchedules/" in name]:
        del living.resources[backup]
    living.policy(OWN)["bindings"].clear()
    assert said(doctor(living)) == {}


def test_a_service_that_is_busy_once_is_asked_again(living, doctor):
    busy = Refusal(503, "The service is currently unavailable.", status="UNAVAILABLE")
    living.refusals["cloudscheduler.projects.locations.jobs.list"] = [busy]
    living.refusals["firestore.projects.databases.get"] = [busy]
    assert said(doctor(living)) == {}


def test_a_service_that_stays_busy_is_named_with_what_google_says(living, doctor):
    busy = Refusal(503, "The service is currently unavailable.", status="UNAVAILABLE")
    living.refusals["cloudscheduler.projects.locations.jobs.list"] = [busy] * 9
    found = said(doctor(living))
    assert list(found) == ["jobs"]
    assert found["jobs"]["state"] == "could-not-check"
    assert "HTTP 503: The service is currently unavailable." in found["jobs"]["detail"]

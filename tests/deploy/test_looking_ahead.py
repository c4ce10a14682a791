"""What would stop a deployment is said at once and before the first change; bad input gets one line and code 2."""

from __future__ import annotations

import re

import pytest

from infra.local.control_plane import World

pytestmark = pytest.mark.timeout(600)  # gcloud starts some twenty times


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"PROJECT": ""}, "Name the Google Cloud project: make deploy PROJECT=my-school REGION=europe-west1"),
        ({"REGION": ""}, "Name the region: make deploy PROJECT=my-school REGION=europe-west1"),
        ({"PROJECT": "My School"}, "PROJECT must be the id of a project such as my-school, not 'My School'."),
        ({"REGION": "Europe"}, "REGION must be a region such as europe-west1, not 'Europe'."),
        ({"DOMAINS": "school.example, pupils.school.example"}, "DOMAINS must be domains with commas and no spaces"),
        ({"DOMAINS": "school"}, "DOMAINS must be domains"),
        ({"LMS": "lms@school-lms.iam.gserviceaccount.com"}, "LMS must be who calls the API, such as serviceAccount:"),
        ({"LMS": "allUsers"}, "LMS must be who calls the API"),
        ({"ADMIN": "admin@school.example"}, "ADMIN must be who administers it, such as user:admin@school.example"),
        ({"AUTH_MODE": "anonymous"}, "AUTH_MODE must be delegation or oauth, not 'anonymous'."),
        ({"TIME_ZONE": "Berlin"}, "TIME_ZONE must be an IANA name such as Europe/Berlin, not 'Berlin'."),
        ({"RETENTION_DAYS": "a year"}, "RETENTION_DAYS must be a number of days such as 365"),
        ({"BACKUPS": "off"}, "BACKUPS must be yes or no, not 'off'."),
        ({"DRY_RUN": "please"}, "DRY_RUN must be 1 or left out, not 'please'."),
        ({"DEFAULT_POLICY": "late"}, "DEFAULT_POLICY must be a JSON object"),
        ({"MAX_INSTANCES": "many"}, "MAX_INSTANCES must be a number of instances"),
        ({"REGON": "europe-west1"}, "Unknown option: REGON=europe-west1. Known are: PROJECT REGION DOMAINS"),
    ],
)
def test_bad_input_gets_one_line_and_nothing_is_asked_of_google(operator, options, says):
    world = World()
    done = operator(world).deploy(**options)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not world.calls


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        ({"exists": False}, {}, "The project 'my-school' does not exist, or you may not see it"),
        (
            {"billing": False},
            {},
            "No billing account pays for my-school. Link one: gcloud billing projects link my-school",
        ),
        ({}, {"REGION": "europe-west99"}, "The region 'europe-west99' does not exist for Cloud Functions."),
        ({"cpu_quota": 2000}, {}, "europe-west1 allows my-school 2 CPU for Cloud Run; 3 functions need 3."),
        (
            {"cpu_quota": 20000},
            {"MAX_INSTANCES": "7"},
            "MAX_INSTANCES=7 needs 21 CPU in europe-west1, and 20 are allowed. ",
        ),
    ],
)
def test_what_would_stop_the_deployment_is_said_before_any_change(operator, change, options, says):
    world = World(**change)
    done = operator(world).deploy(**options)
    assert done.returncode == 2
    assert says in done.stderr
    assert world.mutated() == []


def test_everything_that_would_stop_it_is_said_at_once(operator):
    world = World(
        billing=False, cpu_quota=1000, permissions={"resourcemanager.projects.get", "serviceusage.services.list"}
    )
    world.permissions |= {"serviceusage.quotas.get", "serviceusage.services.get", "orgpolicy.policy.get"}
    done = operator(world).deploy()
    assert done.returncode == 2
    assert len(re.findall(r"^  - ", done.stderr, re.MULTILINE)) == 3
    assert "Missing: " in done.stderr
    assert "iam.serviceAccounts.actAs" in done.stderr
    assert "resourcemanager.projects.get," not in done.stderr
    assert world.mutated() == []


@pytest.mark.parametrize(
    ("database", "options", "says"),
    [
        ({"type": "DATASTORE_MODE", "locationId": "europe-west1"}, {}, "is in Datastore mode"),
        (
            {"type": "FIRESTORE_NATIVE", "locationId": "eur3"},
            {},
            "There is a database (default) in eur3, not in europe-west1.",
        ),
        (
            {"type": "FIRESTORE_NATIVE", "locationId": "europe-west1"},
            {"FIRESTORE_LOCATION": "eur3"},
            "is in europe-west1 and cannot be moved to eur3",
        ),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_with_a_way_out(operator, database, options, says):
    world = World()
    world.enabled.add("firestore.googleapis.com")
    world.resources["projects/my-school/databases/(default)"] = {
        "name": "projects/my-school/databases/(default)",
        **database,
    }
    done = operator(world).deploy(**options)
    assert done.returncode == 2
    assert says in done.stderr
    assert re.search("FIRESTORE_DATABASE=attendance", done.stderr)
    assert world.mutated() == []


def test_a_plan_for_an_empty_project_needs_nothing_that_does_not_exist_yet(operator):
    world = World()
    done = operator(world).deploy(DRY_RUN="1")
    assert done.returncode == 0, done.stderr
    for step in (
        "enable meet",
        "make the topics",
        "deploy meet-attendance-api",
        "schedule attendance-sync-due",
        "alert ",
    ):
        assert f"+ {step}" in done.stdout
    assert world.mutated() == []


@pytest.mark.parametrize(
    ("constraint", "spec"),
    [
        ("iam.allowedPolicyMemberDomains", {"rules": [{"values": {"allowedValues": ["C0school"]}}]}),
        (
            "iam.managed.allowedPolicyMembers",
            {
                "rules": [
                    {
                        "enforce": True,
                        "parameters": {"allowedPrincipalSets": ["//cloudresourcemanager.googleapis.com/o/1"]},
                    }
                ]
            },
        ),
    ],
)
def test_a_restricted_organisation_is_told_what_it_costs_and_who_can_change_it(operator, constraint, spec):
    done = operator(World(organisation={constraint: spec})).deploy(DRY_RUN="1")
    assert done.returncode == 0, done.stderr
    assert "meet-api-event-push" not in done.stdout
    assert "Meet's events do not come yet" in done.stdout
    assert f"projects/my-school/policies/{constraint}" in done.stdout
    assert "gcloud org-policies set-policy exception.yaml" in done.stdout


def test_the_caps_fit_a_small_quota(operator):
    done = operator(World(cpu_quota=6000)).deploy(DRY_RUN="1")
    assert done.returncode == 0, done.stderr


def _make(operator, *arguments, **variables):
    shell = (f"{name}={value}" for name, value in variables.items())
    # The virtual environment is not made again for this, whatever its age.
    return operator(World()).run("env", *shell, "make", "-o", ".venv/installed", *arguments)


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_make_passes_on_every_option_as_it_was_typed(operator, command):
    done = _make(operator, command, "PROJECT=my-school", "REGION=europe-west1", "FIRESTORE_DATABASE=a b; true")
    assert done.returncode == 2
    assert "FIRESTORE_DATABASE must be the id of a database such as (default), not 'a b; true'." in done.stderr


def test_make_refuses_an_option_that_does_not_exist(operator):
    done = _make(operator, "deploy", "PROJECT=my-school", "REGION=europe-west1", "DOMAIN=school.example")
    assert "Unknown option: DOMAIN=school.example." in done.stderr


def test_only_what_is_harmless_is_taken_from_the_shell(operator):
    done = _make(operator, "deploy", PROJECT="my-school", REGION="europe-west1", DRY_RUN="1", AUTH_MODE="anonymous")
    assert done.returncode == 0, done.stderr
    assert "(only what would be done)" in done.stdout

"""A deployment creates everything, can run twice without harm, and restores what somebody changed."""

from __future__ import annotations

import io
import re
import zipfile

import pytest

from functions.adapters.google.credentials.capabilities import Capability
from infra.local.control_plane.refusals import Refusal
from tests.deploy.complete import (
    DATABASE,
    PLACE,
    account,
    assert_complete,
    environment,
    granted,
    subscription_of,
)
from tests.deploy.conftest import OPTIONS, ROOT

pytestmark = pytest.mark.timeout(600)  # gcloud starts about twenty times


def test_the_first_deployment_leaves_everything_behind(first):
    world, _ = first
    assert_complete(world)
    lms = OPTIONS["LMS"]
    assert ("roles/pubsub.subscriber", lms) in granted(world, "projects/my-school/topics/attendance-changed")
    assert granted(world, f"{PLACE}/services/meet-attendance-api") == {
        ("roles/run.invoker", lms),
        ("roles/run.invoker", "user:ada@school.example"),
    }
    (backup,) = world.below(f"{DATABASE}/backupSchedules")
    assert (backup["retention"], "dailyRecurrence" in backup) == ("604800s", True)


def test_the_functions_get_the_settings_that_were_asked_for(first):
    world, _ = first
    assert environment(world) == {
        "GOOGLE_CLOUD_PROJECT": "my-school",
        "FIRESTORE_DATABASE": "(default)",
        "AUTH_MODE": "delegation",
        "SERVICE_ACCOUNT_EMAIL": "meet-attendance@my-school.iam.gserviceaccount.com",
        "SERVICE_ACCOUNT_CLIENT_ID": world.resources[
            "projects/my-school/serviceAccounts/meet-attendance@my-school.iam.gserviceaccount.com"
        ]["uniqueId"],
        "EVENTS_TOPIC": "workspace-events",
        "JOBS_TOPIC": "attendance-jobs",
        "CHANGES_TOPIC": "attendance-changed",
        "LOG_EXECUTION_ID": "true",
        "API_CALLERS": "lms@school-lms.iam.gserviceaccount.com=lms,ada@school.example=admin",
        "MEET_PROJECT_READS_PER_MINUTE": "400",
        "MEET_SHARED_READS_PER_MINUTE": "5800",
        "SCHOOL_TIME_ZONE": "Europe/Berlin",
        "ALLOWED_DOMAINS": "school.example",
        "RETENTION_DAYS": "365",
    }
    assert (
        environment(world, "meet-attendance-events") == environment(world, "meet-attendance-jobs") == environment(world)
    )


def test_the_first_deployment_prints_what_comes_next(first):
    world, printed = first
    client_id = environment(world)["SERVICE_ACCOUNT_CLIENT_ID"]
    assert f"Client ID:     {client_id}" in printed
    (scopes,) = re.findall(r"OAuth scopes:  (\S+)", printed)
    assert set(scopes.split(",")) == {scope for capability in Capability for scope in capability.scopes}
    assert "https://meet-attendance-api-abc123-ew.a.run.app" in printed
    for command in (
        "doctor PROJECT=my-school REGION=",
        "settings PROJECT=my-school REGION=",
        "enroll PROJECT=my-school ",
    ):
        assert f"make {command}" in printed


def test_the_source_that_is_uploaded_holds_what_the_functions_load_and_nothing_else(first):
    world, _ = first
    source = world.resources[f"{PLACE}/functions/meet-attendance-api"]["buildConfig"]["source"]["storageSource"]
    archive = zipfile.ZipFile(io.BytesIO(world.uploads[f"/{source['bucket']}/{source['object']}"]))
    files = {name for name in archive.namelist() if not name.endswith("/")}
    there = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "functions").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files == there | {"main.py", "requirements.txt"}


def test_a_second_deployment_changes_nothing_and_keeps_the_options_of_the_first(deployed, operator):
    before = environment(deployed)
    done = operator(deployed).deploy()
    assert done.returncode == 0, done.stderr
    assert deployed.mutated() == []
    assert "Done: 0 changes" in done.stdout
    assert environment(deployed) == before


def test_no_setting_of_the_users_gcloud_is_changed(deployed, operator):
    somebody = operator(deployed)
    somebody.deploy()
    settings = somebody.folder / "gcloud/configurations"
    assert [file.read_text() for file in settings.glob("config_*") if file.read_text().strip()] == []


def test_other_options_update_the_functions_and_leave_their_triggers_alone(deployed, operator):
    subscriptions = {
        name: subscription_of(deployed, name)["name"] for name in ("meet-attendance-events", "meet-attendance-jobs")
    }
    done = operator(deployed).deploy(
        DOMAINS="school.example,pupils.school.example",
        LMS="none",
        RETENTION_DAYS="none",
        ROOM_DEVICE_NAMES="Room *,Saal *",
    )
    assert done.returncode == 0, done.stderr
    changed = environment(deployed)
    assert changed["ALLOWED_DOMAINS"] == "school.example,pupils.school.example"
    assert changed["ROOM_DEVICE_NAMES"] == "Room *,Saal *"
    assert changed["API_CALLERS"] == "ada@school.example=admin"
    assert changed["SCHOOL_TIME_ZONE"] == "Europe/Berlin"
    assert "RETENTION_DAYS" not in changed
    assert granted(deployed, f"{PLACE}/services/meet-attendance-api") == {
        ("roles/run.invoker", "user:ada@school.example")
    }
    assert {name: subscription_of(deployed, name)["name"] for name in subscriptions} == subscriptions
    assert_complete(deployed)


def _break_everything(world) -> None:
    world.resources[f"{PLACE}/jobs/attendance-sync-due"]["state"] = "PAUSED"
    world.resources[f"{PLACE}/jobs/attendance-reconcile"]["schedule"] = "0 0 1 1 *"
    world.resources[f"{PLACE}/jobs/attendance-renew-subscriptions"]["pubsubTarget"]["attributes"] = {"job": "sync-due"}
    for topic in ("workspace-events", "attendance-jobs"):
        world.policy(f"projects/my-school/topics/{topic}")["bindings"] = []
    world.resources[DATABASE].update(
        deleteProtectionState="DELETE_PROTECTION_DISABLED",
        pointInTimeRecoveryEnablement="POINT_IN_TIME_RECOVERY_DISABLED",
    )
    subscription = subscription_of(world, "meet-attendance-events")
    subscription.pop("deadLetterPolicy")
    subscription["expirationPolicy"] = {"ttl": "2678400s"}
    world.resources["projects/my-school/subscriptions/attendance-dead-letter"]["expirationPolicy"] = {"ttl": "86400s"}
    world.policy(f"{PLACE}/services/meet-attendance-api")["bindings"].append(
        {"role": "roles/run.invoker", "members": ["allUsers"]}
    )
    world.resources[f"{PLACE}/services/meet-attendance-api"]["invokerIamDisabled"] = True
    jobs = world.resources[f"{PLACE}/functions/meet-attendance-jobs"]
    jobs["eventTrigger"]["retryPolicy"] = "RETRY_POLICY_DO_NOT_RETRY"
    jobs["serviceConfig"]["maxInstanceCount"] = 100
    alert = next(iter(world.below("projects/my-school/alertPolicies")))
    alert["conditions"][0].get("conditionThreshold", {})["thresholdValue"] = 1_000_000
    world.resources["projects/my-school/metrics/attendance-parked-events"]["filter"] = "severity>=ERROR"
    world.resources["projects/my-school/sinks/_Default"]["exclusions"][0]["disabled"] = True
    expiry = next(name for name in world.resources if name.endswith("/attendance/fields/expire_at"))
    del world.resources[expiry]
    exemption = next(name for name in world.resources if "/collectionGroups/audit/fields/" in name)
    world.resources[exemption]["indexConfig"] = {"usesAncestorConfig": True}
    world.resources.pop(next(name for name in world.resources if "/collectionGroups/attendance/indexes/" in name))
    rules = world.resources["projects/my-school/releases/cloud.firestore"]["rulesetName"]
    world.resources[rules]["source"]["files"][0]["content"] = "rules_version = '2'; service cloud.firestore {}"
    world.resources[f"{PLACE}/repositories/gcf-artifacts"]["cleanupPolicyDryRun"] = True
    world.enabled.discard("people.googleapis.com")


def test_what_somebody_changed_is_put_back_and_the_waiting_messages_stay(deployed, operator):
    subscription = subscription_of(deployed, "meet-attendance-jobs")["name"]
    _break_everything(deployed)
    done = operator(deployed).deploy()
    assert done.returncode == 0, done.stderr
    assert_complete(deployed)
    assert not deployed.resources[f"{PLACE}/services/meet-attendance-api"].get("invokerIamDisabled")
    assert "allUsers" not in str(deployed.policy(f"{PLACE}/services/meet-attendance-api"))
    assert subscription_of(deployed, "meet-attendance-jobs")["name"] == subscription
    assert operator(deployed).deploy().returncode == 0


def test_what_a_failed_creation_left_is_deleted_and_made_again(deployed, operator):
    shell = deployed.resources[f"{PLACE}/functions/meet-attendance-jobs"]
    trigger = deployed.resources.pop(shell.pop("eventTrigger")["trigger"])
    deployed.resources.pop(trigger["transport"]["pubsub"]["subscription"])
    shell["state"] = "FAILED"
    done = operator(deployed).deploy()
    assert done.returncode == 0, done.stderr
    assert "delete what a failed deployment left of meet-attendance-jobs" in done.stdout
    assert_complete(deployed)


def test_conditions_of_other_grants_stay(deployed, operator):
    policy = deployed.policy("projects/my-school")
    condition = {"title": "until summer", "expression": 'request.time < timestamp("2027-07-01T00:00:00Z")'}
    policy["bindings"].append(
        {"role": "roles/viewer", "members": ["user:guest@school.example"], "condition": condition}
    )
    policy["bindings"] = [one for one in policy["bindings"] if one["role"] != "roles/datastore.user"]
    policy["version"] = 3
    done = operator(deployed).deploy()
    assert done.returncode == 0, done.stderr
    assert {
        "role": "roles/viewer",
        "members": ["user:guest@school.example"],
        "condition": condition,
    } in deployed.policy("projects/my-school")["bindings"]
    assert ("roles/datastore.user", account("meet-attendance")) in granted(deployed, "projects/my-school")


def test_a_plan_names_what_would_be_done_and_changes_nothing(deployed, operator):
    _break_everything(deployed)
    done = operator(deployed).deploy(DRY_RUN="1")
    assert done.returncode == 0, done.stderr
    assert "+ resume attendance-sync-due" in done.stdout
    assert "remove roles/run.invoker on service meet-attendance-api from: allUsers" in done.stdout
    assert deployed.mutated() == []


def test_options_are_not_forgotten_when_google_does_not_answer(deployed, operator):
    deployed.refusals["cloudfunctions.projects.locations.functions.get"] = [
        Refusal(403, "Permission 'cloudfunctions.functions.get' denied.") for _ in range(3)
    ]
    done = operator(deployed).deploy()
    assert done.returncode == 1
    assert "Reading function-meet-attendance" in done.stderr
    assert deployed.mutated() == []


def test_options_that_no_setting_shows_are_kept_too(deployed, operator):
    somebody = operator(deployed)
    done = somebody.deploy(BACKUPS="no", BROWSER="yes")
    assert done.returncode == 0, done.stderr
    assert '"authDomain": "my-school.firebaseapp.com"' in done.stdout
    assert not list(deployed.below(f"{DATABASE}/backupSchedules"))
    release = deployed.resources["projects/my-school/releases/cloud.firestore"]
    [file] = deployed.resources[release["rulesetName"]]["source"]["files"]
    assert file["content"] == (ROOT / "infra/firestore.rules").read_text()
    assert "cloudfunctions.projects.locations.functions.generateUploadUrl" not in deployed.calls
    deployed.mutations.clear()
    done = somebody.deploy()
    assert (done.returncode, deployed.mutated()) == (0, [])
    assert '"authDomain": "my-school.firebaseapp.com"' in done.stdout


def test_it_is_not_deployed_a_second_time_in_another_region(deployed, operator):
    done = operator(deployed).deploy(REGION="europe-west3")
    assert done.returncode == 2
    assert "It is already deployed in europe-west1" in done.stderr
    assert deployed.mutated() == []


def test_another_database_stays_the_one_in_use(deployed, operator):
    deployed.resources = {name.replace("(default)", "attendance"): one for name, one in deployed.resources.items()}
    for name in ("events", "jobs", "api"):
        environment(deployed, f"meet-attendance-{name}")["FIRESTORE_DATABASE"] = "attendance"
    done = operator(deployed).deploy(DRY_RUN="1")
    assert done.returncode == 0, done.stderr
    assert "= database attendance in europe-west1" in done.stdout

"""Each command that the doctor may name is run as printed, and it solves the problem for which it was named."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime

import pytest

from infra.local.control_plane.projects import BILLING_ACCOUNT
from infra.local.google_apis import GoogleApis
from infra.local.meet import MeetSimulator
from infra.local.school import Account, School
from infra.local.subscriptions import WorkspaceEventsSimulator
from tests.deploy.breaking import BREAKS, DEPLOY, OWN, PROJECT, EverythingBut, without_grant
from tests.deploy.commands import commands_in_the_code, may_be
from tests.deploy.complete import assert_complete, granted
from tests.deploy.living import TEACHER

pytestmark = pytest.mark.timeout(1800)  # the first of them waits for a whole deployment with the real gcloud

HERE = ("PROJECT=my-school", "REGION=europe-west1")

GRANT = "gcloud projects add-iam-policy-binding … "
FUNCTION = "gcloud functions delete … --gen2 --region=… --project=… --quiet"
DEAD_LETTERS = "gcloud pubsub subscriptions delete … --project=… --quiet"
EXCEPTION = (
    "printf '{name: projects/…/policies/…, spec: {rules: [{…}]}}' >exception.yaml && "
    "gcloud org-policies set-policy exception.yaml && rm exception.yaml"
)

CURED = {
    # what is broken, by its name in breaking.py: the command in the doctor's code
    "a project that was shut down": ["gcloud projects undelete …"],
    "billing": ["gcloud billing projects link … --billing-account=BILLING_ACCOUNT"],
    "domain-restricted sharing": [EXCEPTION],
    "managed members": [EXCEPTION],
    "a policy of places": [EXCEPTION],
    "a disabled account": ["gcloud iam service-accounts enable … --project=…"],
    "the agent of Cloud Scheduler": [GRANT + "--member=… --role=… --condition=None"],
    "a grant too many": ["gcloud projects remove-iam-policy-binding … --member=… --role=… --condition=None"],
    "a key file": ["gcloud iam service-accounts keys delete … --iam-account=… --project=… --quiet"],
    "a disabled key for erasing": ["gcloud secrets versions enable 1 --secret=… --project=…"],
    "a consent": ["gcloud secrets add-iam-policy-binding … --member=… --role=… --project=… --condition=None"],
    "a switched-off alert": ["gcloud alpha monitoring policies update … --enabled --project=…"],
    "a job that failed": ["gcloud scheduler jobs run … --location=… --project=…"],
    "two regions": ["make destroy PROJECT=… REGION=…"],
    "a topic and the topic of dead letters": [FUNCTION, DEAD_LETTERS, "make deploy …"],
    "the CPU quota": ["make deploy … MAX_INSTANCES=…"],
    "Datastore mode": ["make deploy … FIRESTORE_DATABASE=attendance"],
}

STARTED = {
    # problems whose command starts functions or shows something to a person
    "dead letters that wait": "gcloud scheduler jobs run attendance-reconcile --location=… --project=…",
    "a suspended subscription": "gcloud scheduler jobs run attendance-renew-subscriptions --location=… --project=…",
    "events that wait": ("gcloud functions logs read … --gen2 --region=… --project=… --min-log-level=error --limit=20"),
}

PERMISSIONS = {
    # a missing permission: the command, and the resource with the grant
    "iam.serviceAccounts.actAs": (
        GRANT + "--member=user:YOUR_ADDRESS --role=roles/owner --condition=None",
        PROJECT,
        "roles/owner",
    ),
    "orgpolicy.policy.get": (GRANT + "… --role=… --condition=None", PROJECT, "roles/orgpolicy.policyViewer"),
    "iam.serviceAccounts.signJwt": (
        "gcloud iam service-accounts add-iam-policy-binding … … --role=… --condition=None --project=…",
        OWN,
        "roles/iam.serviceAccountTokenCreator",
    ),
}

OF_AN_OPERATOR = {
    "teachers": "make enroll PROJECT=… TEACHER=TEACHERS_ADDRESS",
    "a parked message": "make replay PROJECT=…",
    "a class that could not be read": "make status PROJECT=…",
}

ELSEWHERE = {
    "make doctor PROJECT=… REGION=…": "test_the_doctor_of_another_region_names_the_one_that_looks_at_the_deployment",
    "make doctor …": "test_looking_again_is_the_command_where_google_was_silent",
    "make settings …": "test_settings_that_are_not_those_deployed_are_those_after_the_command",
}

BY_A_PERSON = {
    "gcloud auth login": "opens a browser",
    "gcloud auth application-default login": "opens a browser",
}

REPLACED = {
    "BILLING_ACCOUNT": BILLING_ACCOUNT,
    "YOUR_ADDRESS": "eve@school.example",
    "TEACHERS_ADDRESS": TEACHER,
}


def test_every_command_in_the_doctors_code_is_run_by_a_test_here_or_is_for_a_person():
    run = {part for parts in CURED.values() for part in parts}
    run |= {command for command, _, _ in PERMISSIONS.values()}
    run |= {*STARTED.values(), *OF_AN_OPERATOR.values(), *ELSEWHERE}
    assert commands_in_the_code() == run | BY_A_PERSON.keys()
    assert all(test in globals() for test in ELSEWHERE.values())


def looked_at(terminal, *options):
    """Return the checks with a problem by their names, without problems that another check explains."""
    done = terminal(sys.executable, "-m", "infra.doctor", *(options or HERE), "ARGS=--json")
    assert done.stdout, done.stderr
    checks = json.loads(done.stdout)["checks"]
    return {check["name"]: check for check in checks if check["state"] != "ok" and check["because"] is None}


def run_as_printed(terminal, command):
    """Run a command as a person does: words in capitals are filled in."""
    for name, value in REPLACED.items():
        command = command.replace(name, value)
    done = terminal("/bin/bash", "-c", command)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("what", CURED)
def test_the_command_cures_what_it_was_named_for(what, living, typed):
    break_it, name, _, _ = BREAKS[what]
    break_it(living)
    terminal = typed(living)
    command = looked_at(terminal)[name]["command"]
    assert all(may_be(template, command) for template in CURED[what]), command

    run_as_printed(terminal, command)

    assert name not in looked_at(terminal)
    if what == "two regions":
        assert_complete(living)


@pytest.mark.parametrize("what", STARTED)
def test_the_command_starts_or_shows_what_it_was_named_for(what, living, typed):
    break_it, name, _, _ = BREAKS[what]
    break_it(living)
    terminal = typed(living)
    command = looked_at(terminal)[name]["command"]
    assert may_be(STARTED[what], command)

    run_as_printed(terminal, command)


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_the_grant_that_is_named_gives_a_person_the_missing_permission(permission, living, typed):
    template, resource, role = PERMISSIONS[permission]
    if permission == "orgpolicy.policy.get":  # it is only read if Meet may not publish
        publisher = "serviceAccount:meet-api-event-push@system.gserviceaccount.com"
        without_grant(living, f"{PROJECT}/topics/workspace-events", "roles/pubsub.publisher", publisher)
    living.permissions = EverythingBut(permission)
    terminal = typed(living)
    commands = [check["command"] for check in looked_at(terminal).values()]
    (command,) = (one for one in commands if one and may_be(template, one))

    living.permissions = None  # an owner of the project runs it
    run_as_printed(terminal, command)

    assert (role, "user:eve@school.example") in granted(living, resource)


@pytest.fixture
def commands_of_an_operator(tmp_path):
    """Return the settings that make `make status PROJECT=my-school` and similar commands use stand-ins."""
    school = School(lambda: datetime.now(UTC))
    school.enrol(Account("users/1", TEACHER, display_name="The Teacher"))
    with (
        MeetSimulator(school).in_thread() as meet,
        GoogleApis(school).in_thread() as google,
        WorkspaceEventsSimulator(school).in_thread() as subscriptions,
    ):
        variables = {
            "AUTH_MODE": "anonymous",
            "ATTENDANCE_STORE": f"sqlite:///{tmp_path / 'attendance.db'}",
            "GOOGLE_CLOUD_PROJECT": "my-school",
            "MEET_API_ENDPOINT": meet.endpoint,
            "PEOPLE_API_ENDPOINT": google.endpoint,
            "DIRECTORY_API_ENDPOINT": google.endpoint,
            "REPORTS_API_ENDPOINT": google.endpoint,
            "CALENDAR_API_ENDPOINT": google.endpoint,
            "WORKSPACE_EVENTS_API_ENDPOINT": subscriptions.endpoint,
            "PUBSUB_EMULATOR_HOST": "127.0.0.1:9",
        }
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
        yield lambda: (tmp_path / "deployed/my-school.env").write_text("".join(lines))


@pytest.mark.parametrize("what", OF_AN_OPERATOR)
def test_the_command_of_an_operator_runs_with_the_settings_of_the_deployment(
    what, living, typed, tmp_path, commands_of_an_operator
):
    break_it, name, _, _ = BREAKS[what]
    break_it(living)
    terminal = typed(living)
    command = looked_at(terminal)[name]["command"]
    assert may_be(OF_AN_OPERATOR[what], command)
    (tmp_path / "deployed").mkdir()
    commands_of_an_operator()

    run_as_printed(terminal, command)

    tracked = "1 tracked" if what == "teachers" else "0 tracked"
    assert f"Teachers: {tracked}" in run_as_printed(terminal, "make status PROJECT=my-school")


def test_the_doctor_of_another_region_names_the_one_that_looks_at_the_deployment(living, typed):
    terminal = typed(living)
    command = looked_at(terminal, "PROJECT=my-school", "REGION=europe-west3")["region"]["command"]
    assert may_be("make doctor PROJECT=… REGION=…", command)
    assert "checks passed." in run_as_printed(terminal, command)


def test_looking_again_is_the_command_where_google_was_silent(living, typed):
    living.silent.add("firestore.googleapis.com")
    terminal = typed(living)
    done = terminal(sys.executable, "-m", "infra.doctor", *HERE, "ARGS=--json", DOCTOR_SECONDS="8")
    (command,) = (one["command"] for one in json.loads(done.stdout)["checks"] if one["name"] == "database")
    assert may_be("make doctor …", command)
    living.silent.clear()
    assert "checks passed." in run_as_printed(terminal, command)


def test_settings_that_are_not_those_deployed_are_those_after_the_command(living, typed, tmp_path):
    (tmp_path / "deployed").mkdir()
    (tmp_path / "deployed/my-school.env").write_text("export SCHOOL_TIME_ZONE=Asia/Tokyo\n")
    (tmp_path / "gcloud/application_default_credentials.json").parent.mkdir(exist_ok=True)
    (tmp_path / "gcloud/application_default_credentials.json").write_text("{}")
    terminal = typed(living)
    command = looked_at(terminal)["commands on this machine"]["command"]
    assert may_be("make settings …", command)
    run_as_printed(terminal, command)
    assert looked_at(terminal) == {}


def test_a_quota_that_is_too_small_for_any_deployment_is_asked_for_on_googles_page(living, typed):
    living.cpu_quota = 2000
    found = looked_at(typed(living))["CPU quota"]
    assert found["command"] is None
    assert "https://console.cloud.google.com/iam-admin/quotas?project=my-school" in found["detail"]


ALONE = {
    *("the database", "the account", "a shell", "a function", "Firebase", "other rules", "a metric's filter"),
    *("the subscription of dead letters", "the request log, switched on again", "the topic attendance-changed"),
}
"""Problems that cannot be made after others, or that also remove what others break."""


@pytest.mark.parametrize("alone", [False, True])
def test_a_deployment_solves_every_problem_that_deploying_can_solve(alone, living, typed):
    for what, (break_it, _, _, command) in BREAKS.items():
        if command == DEPLOY and (what in ALONE) == alone:
            break_it(living)
    terminal = typed(living)
    assert {check["command"] for check in looked_at(terminal).values()} == {DEPLOY}

    run_as_printed(terminal, DEPLOY)

    left = looked_at(terminal)
    assert left.keys() <= ({"enrolled"} if alone else set()), left

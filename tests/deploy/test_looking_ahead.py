"""A deployment names every obstacle at once, before the first change; bad input gets one line and exit code 2."""

from __future__ import annotations

import fcntl
import re
import sys

import pytest

from infra.local.control_plane import World

pytestmark = pytest.mark.timeout(600)  # gcloud starts about twenty times


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
        ({"DEFAULT_POLICY": '{"late": 10}'}, "DEFAULT_POLICY cannot be used: policy.late "),
        ({"DEFAULT_POLICY": "{} {}"}, "DEFAULT_POLICY must be a JSON object"),
        ({"MAX_INSTANCES": "many"}, "MAX_INSTANCES must be a number of instances"),
        ({"RETENTION_DAYS": "99999"}, "RETENTION_DAYS must be a number of days such as 365 and at most 36500"),
        ({"ALLOWED_TEACHERS": "grace alan"}, "ALLOWED_TEACHERS must be e-mail addresses with commas and no spaces"),
        ({"REPORTS_ADMIN": "nobody"}, "REPORTS_ADMIN must be the e-mail of an administrator"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, not 'loud'."),
        ({"LIVE_PRESENCE": "maybe"}, "LIVE_PRESENCE must be 0 to switch it off, or 1"),
        ({"SETTLE_SECONDS": "soon"}, "SETTLE_SECONDS must be a number of seconds such as 600"),
        ({"TIME_ZONE": "posix/Europe/Berlin"}, "TIME_ZONE must be an IANA name"),
        ({"FIRESTORE_LOCATION": "nam99"}, "FIRESTORE_LOCATION must be eur3, nam5, nam7, or a region such as"),
        ({"PROJECT": "104729104729"}, "PROJECT must be the id of a project such as my-school, not its number"),
        ({"PROJECT": "my-school/"}, "PROJECT must be the id of a project such as my-school, not 'my-school/'."),
        ({"PROJECT": "my-school # ours"}, "PROJECT must be the id of a project such as my-school, not"),
        (
            {"PROJECT": "$(touch /tmp/x)"},
            "PROJECT must be the id of a project such as my-school, not '$(touch /tmp/x)'.",
        ),
        ({"PROJECT": "a\nb"}, "PROJECT must be the id of a project such as my-school, not 'a b'."),
        ({"PROJECT": "a" * 5000}, f"not '{'a' * 120}…'."),
        ({"REGION": "europe-west1-b"}, "REGION must be a region such as europe-west1, not 'europe-west1-b'."),
        ({"REGION": "eu"}, "REGION must be a region such as europe-west1, not 'eu'."),
        ({"DOMAINS": "schüle.example"}, "DOMAINS must be domains"),
        ({"LMS": "serviceAccount:lms@my-lms.iam.gserviceaccount.com=admin"}, "LMS must be who calls the API"),
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
def test_an_obstacle_to_the_deployment_is_reported_before_any_change(operator, change, options, says):
    world = World(**change)
    done = operator(world).deploy(**options)
    assert done.returncode == 2
    assert says in done.stderr
    assert world.mutated() == []


def test_all_obstacles_to_the_deployment_are_reported_at_once(operator):
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
    # Do not create the virtual environment again for this, even if it is old.
    return operator(World()).run("env", *shell, "make", "-o", ".venv/installed", *arguments)


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_make_passes_on_every_option_as_it_was_typed(operator, command):
    done = _make(operator, command, "PROJECT=my-school", "REGION=europe-west1", "FIRESTORE_DATABASE=a b; true")
    assert done.returncode == 2
    assert "FIRESTORE_DATABASE must be the id of a database such as (default), not 'a b; true'." in done.stderr


def test_make_refuses_an_option_that_does_not_exist(operator):
    done = _make(operator, "deploy", "PROJECT=my-school", "REGION=europe-west1", "DOMAIN=school.example")
    assert "Unknown option: DOMAIN=school.example." in done.stderr


def test_only_harmless_variables_are_read_from_the_shell(operator):
    done = _make(operator, "deploy", PROJECT="my-school", REGION="europe-west1", DRY_RUN="1", AUTH_MODE="anonymous")
    assert done.returncode == 0, done.stderr
    assert "(only what would be done)" in done.stdout


def test_an_option_that_is_given_twice_is_refused(operator):
    done = operator(World()).run("infra/deploy.sh", "PROJECT=my-school", "REGION=europe-west1", "PROJECT=their-school")
    assert (done.returncode, done.stderr) == (2, "PROJECT is given twice. Give it once.\n")


def test_a_project_that_was_shut_down_is_refused_with_the_way_back(operator):
    world = World(state="DELETE_REQUESTED", billing=False)
    terminal = operator(world)
    for done in (terminal.deploy(), terminal.destroy()):
        assert done.returncode == 2
        assert "The project 'my-school' was shut down (DELETE_REQUESTED)." in done.stderr
        assert "gcloud projects undelete my-school" in done.stderr
    assert world.mutated() == []


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_a_missing_login_is_reported_in_one_sentence(operator, command, tmp_path):
    terminal = operator(World())
    done = terminal.run(
        "env",
        f"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE={tmp_path / 'nowhere'}",
        f"infra/{command}.sh",
        "PROJECT=my-school",
        "REGION=europe-west1",
    )
    assert done.returncode == 2
    assert re.fullmatch(r"gcloud has no login that Google accepts \(.*[^.]\)\. Run: gcloud auth login\n", done.stderr)


@pytest.mark.parametrize("program", ["gcloud", "jq", "curl"])
def test_a_program_that_is_missing_is_named_with_the_way_to_get_it(operator, program, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    for there in {"gcloud", "jq", "curl", "dirname", "bash", "env", "mktemp", "rm"} - {program}:
        (programs / there).symlink_to(f"/usr/bin/{there}")
    done = operator(World()).run(
        "env", f"PATH={programs}", "/bin/bash", "infra/deploy.sh", "PROJECT=my-school", "REGION=europe-west1"
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"The program '{program}' is missing. ")


def test_a_folder_that_may_not_be_written_to_is_named(operator):
    done = operator(World()).run(
        "env", "TMPDIR=/proc/nowhere", "infra/deploy.sh", "PROJECT=my-school", "REGION=europe-west1"
    )
    assert done.returncode == 2
    assert done.stderr.startswith("No folder can be made in /proc/nowhere: the disk is full, or may not be written to.")


def test_a_second_deployment_does_not_begin_while_the_first_is_running(operator, tmp_path):
    world = World()
    (tmp_path / "gcloud").mkdir(exist_ok=True)
    with (tmp_path / "gcloud/meet-attendance-my-school.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        terminal = operator(world)
        for done in (terminal.deploy(), terminal.destroy()):
            assert done.returncode == 1
            assert "another make deploy or make destroy of my-school is running on this machine" in done.stderr
        assert terminal.deploy(DRY_RUN="1").returncode == 0
    assert world.mutated() == []


def test_an_interrupted_deployment_says_that_it_continues(operator):
    terminal = operator(World())
    terminal.world.silent.add("cloudresourcemanager.googleapis.com")
    script = """
      set -m
      infra/deploy.sh PROJECT=my-school REGION=europe-west1 & here=$!
      while [[ -z $(pgrep --parent $here curl) ]]; do read -r -t 0.1 <> <(:) || true; done
      kill -INT -- -$here
      wait $here
    """
    # If the tests run in the background, started programs ignore SIGINT, and no shell could trap it.
    heard = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    done = terminal.run(sys.executable, "-c", heard, "/bin/bash", "-c", script)
    assert done.returncode == 130
    assert "Interrupted. Run the same command again: it continues where it stopped." in done.stderr


@pytest.mark.parametrize(
    ("command", "option"),
    [("enroll", "TEACHER"), ("backfill", "SINCE"), ("replay", "ID")],
)
def test_make_gives_an_operators_command_what_was_typed_and_runs_nothing_of_it(operator, tmp_path, command, option):
    typed = f"\"; touch {tmp_path / 'run'}; `touch {tmp_path / 'run'}`; '"
    done = _make(operator, command, f"{option}={typed}", ATTENDANCE_STORE=f"sqlite:///{tmp_path / 'store'}")
    assert done.returncode == 2
    assert not (tmp_path / "run").exists()

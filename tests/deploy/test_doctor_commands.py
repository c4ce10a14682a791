"""The doctor as a command: its output, its exit codes, and the effect of the commands that it names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.control_plane import World
from tests.deploy.breaking import BREAKS
from tests.deploy.complete import PLACE, account, assert_complete
from tests.deploy.complete import environment as deployed_settings
from tests.deploy.conftest import Typed
from tests.deploy.living import organizer
from tests.deploy.test_deploy import _break_everything

pytestmark = pytest.mark.timeout(600)  # the first of them waits for a whole deployment with the real gcloud

ROOT = Path(__file__).parents[2]
DEPLOY = "make deploy PROJECT=my-school REGION=europe-west1"
HERE = ("PROJECT=my-school", "REGION=europe-west1")


def doctor(typed: Typed, *options: str, answers: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    return typed(sys.executable, "-m", "infra.doctor", *options, answers=answers, **more)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "Name the Google Cloud project"),
        (("PROJECT=my-school",), "Name the region: make doctor PROJECT=my-school"),
        (("PROJECT=My School", "REGION=europe-west1"), "PROJECT must be the id of a project"),
        (("PROJECT=my-school", "REGION=Berlin"), "REGION must be a region"),
        (
            ("PROJECT=104729104729", "REGION=europe-west1"),
            "PROJECT must be the id of a project such as my-school, not its",
        ),
        (("PROJECT=my-school", "REGION=eu\nwest"), "REGION must be a region such as europe-west1, not 'eu west'."),
        ((*HERE, "PROJECT=their-school"), "PROJECT is given twice. Give it once."),
        (("PROJECT=my-school", "REGION=europe-west9"), "The region 'europe-west9' does not exist"),
        (("PROJECT=their-school", "REGION=europe-west1"), "'their-school' does not exist, or you may not see it"),
        ((*HERE, "DOMAINS=school.example"), "Unknown option: DOMAINS=school.example"),
        ((*HERE, "ARGS=--xml"), "Unknown argument: ARGS=--xml"),
        ((*HERE, "FIX=perhaps"), "FIX must be 1 or left out"),
        ((*HERE, "FIX=1", "ARGS=--json"), "FIX=1 asks, and ARGS=--json is for programs"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(living, typed, options, says):
    done = doctor(typed(living), *options)
    assert done.returncode == 2
    assert says in done.stderr
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)


def test_nothing_wrong_ends_with_0_and_a_warning_too(living, typed):
    living.resources = {name: one for name, one in living.resources.items() if "/documents/" not in name}
    done = doctor(typed(living), *HERE)
    assert done.returncode == 0, done.stdout
    assert "no teacher is enrolled" in done.stdout
    assert "Nothing is wrong." in done.stdout


def test_something_wrong_ends_with_1_and_json_has_the_fields_of_the_contract(living, typed):
    del living.resources[f"{PLACE}/jobs/attendance-reconcile"]
    done = doctor(typed(living), *HERE, "ARGS=--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert said["ok"] is False
    assert {tuple(one) for one in said["checks"]} == {("area", "name", "state", "detail", "command", "because")}
    (jobs,) = (one for one in said["checks"] if one["name"] == "jobs")
    assert jobs == {
        "area": "schedule",
        "name": "jobs",
        "state": "wrong",
        "detail": "attendance-reconcile is missing",
        "command": DEPLOY,
        "because": None,
    }


def test_without_a_login_the_only_step_is_to_log_in(living, typed, tmp_path):
    done = doctor(typed(living), *HERE, CLOUDSDK_AUTH_ACCESS_TOKEN_FILE=str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert re.findall(r"^ +> (.*)$", done.stdout, re.MULTILINE) == ["gcloud auth login"]


def test_a_login_that_google_does_not_take_any_more_is_named(living, typed, tmp_path):
    (tmp_path / "old").write_text("ya29.old\n")
    done = doctor(typed(living), *HERE, CLOUDSDK_AUTH_ACCESS_TOKEN_FILE=str(tmp_path / "old"))
    assert done.returncode == 1
    assert re.findall(r"^ +> (.*)$", done.stdout, re.MULTILINE) == ["gcloud auth login"]


def test_the_doctor_changes_nothing(living, typed):
    doctor(typed(living), *HERE)
    assert living.mutated() == []


@pytest.mark.parametrize(
    "what",
    [
        "a grant too many",
        "a key file",
        "a disabled account",
        "the agent of Cloud Scheduler",
        "a consent",
        "a switched-off alert",
        "a job that failed",
    ],
)
def test_the_command_is_run_after_a_yes_and_what_it_was_about_is_well(living, typed, what):
    break_it, name, words, command = BREAKS[what]
    break_it(living)
    done = doctor(typed(living), *HERE, "FIX=1", answers="y\n")
    before, _, after = done.stdout.rpartition("Meet Attendance in my-school")
    assert words in re.sub(r"\s+", " ", before), name
    assert f"Run: {command}" in before
    assert done.returncode == 0, done.stdout + done.stderr
    assert after.rstrip().endswith("checks passed."), done.stdout + done.stderr
    assert "WRONG" not in after
    assert "warning" not in after


def test_nothing_is_run_without_a_yes(living, typed):
    member = account("meet-attendance")
    living.policy("projects/my-school")["bindings"].append({"role": "roles/editor", "members": [member]})
    for answers in ("", "\n", "no\n"):
        doctor(typed(living), *HERE, "FIX=1", answers=answers)
    assert living.mutated() == []


def test_what_is_broken_everywhere_is_well_after_the_one_command_that_is_named(living, typed, operator):
    _break_everything(living)
    terminal = typed(living)
    checks = json.loads(doctor(terminal, *HERE, "ARGS=--json").stdout)["checks"]
    broken = [one for one in checks if one["state"] != "ok" and one["because"] is None]
    assert len(broken) >= 10
    assert all(one["command"].startswith(DEPLOY) for one in broken)
    done = operator(living).deploy()  # this is what `make deploy PROJECT=… REGION=…` runs
    assert done.returncode == 0, done.stderr
    assert_complete(living)
    done = doctor(terminal, *HERE)
    assert done.returncode == 0, done.stdout


def test_the_commands_of_an_operator_get_the_deployed_settings(living, typed, tmp_path):
    terminal = typed(living)
    done = terminal(sys.executable, "-m", "infra.doctor.settings", *HERE)
    assert done.returncode == 0, done.stderr
    kept = tmp_path / "deployed/my-school.env"
    assert kept.stat().st_mode & 0o077 == 0
    script = f"source '{kept}' && env"
    shown = terminal("bash", "-c", script, FIRESTORE_EMULATOR_HOST="127.0.0.1:1", ATTENDANCE_STORE="sqlite:///x").stdout
    there = dict(line.partition("=")[::2] for line in shown.splitlines())
    useless = {"API_CALLERS", "LOG_EXECUTION_ID"}
    wanted = {name: value for name, value in deployed_settings(living).items() if name not in useless}
    assert wanted.items() <= there.items()
    assert there["GOOGLE_CLOUD_QUOTA_PROJECT"] == "my-school"
    assert not {"FIRESTORE_EMULATOR_HOST", "ATTENDANCE_STORE", "API_CALLERS"} & there.keys()


def test_settings_on_this_machine_that_are_not_those_deployed_are_named(living, typed, tmp_path):
    terminal = typed(living)
    terminal(sys.executable, "-m", "infra.doctor.settings", *HERE)
    (tmp_path / "gcloud/application_default_credentials.json").write_text("{}")
    assert doctor(terminal, *HERE).stdout.rstrip().endswith("checks passed.")
    for name in ("events", "jobs", "api"):
        deployed_settings(living, f"meet-attendance-{name}")["SCHOOL_TIME_ZONE"] = "Asia/Tokyo"
    done = doctor(terminal, *HERE)
    assert done.returncode == 0
    assert "would use other settings than the deployment" in done.stdout
    assert "> make settings PROJECT=my-school REGION=europe-west1" in done.stdout


@pytest.mark.parametrize("change", [lambda text: text.replace(b"\n", b"\r\n"), lambda text: b"\xef\xbb\xbf" + text])
def test_settings_that_another_program_has_changed_are_named(living, typed, tmp_path, change):
    terminal = typed(living)
    terminal(sys.executable, "-m", "infra.doctor.settings", *HERE)
    (tmp_path / "gcloud/application_default_credentials.json").write_text("{}")
    kept = tmp_path / "deployed/my-school.env"
    kept.write_bytes(change(kept.read_bytes()))
    assert "> make settings PROJECT=my-school REGION=europe-west1" in doctor(terminal, *HERE).stdout


def test_settings_that_cannot_be_written_are_said_in_one_line(living, typed):
    done = typed(living)(sys.executable, "-m", "infra.doctor.settings", *HERE, DEPLOYED_SETTINGS="/dev/null/deployed")
    assert done.returncode == 2
    assert "The settings cannot be written to /dev/null/deployed/my-school.env: Not a directory." in done.stderr
    assert done.stderr.count("\n") == 1


def test_own_credentials_that_are_missing_or_a_key_are_named(living, typed):
    terminal = typed(living)
    terminal(sys.executable, "-m", "infra.doctor.settings", *HERE)
    assert "they have no credentials here" in doctor(terminal, *HERE).stdout
    assert "GOOGLE_APPLICATION_CREDENTIALS is set" in doctor(
        terminal, *HERE, GOOGLE_APPLICATION_CREDENTIALS="/home/ada/key.json"
    ).stdout  # fmt: skip


def test_there_are_no_settings_of_what_is_not_deployed(typed):
    world = World()
    world.enabled.add("cloudfunctions.googleapis.com")
    done = typed(world)(sys.executable, "-m", "infra.doctor.settings", *HERE)
    assert done.returncode == 2
    assert f"Nothing is deployed in my-school, europe-west1: {DEPLOY}" in done.stderr


def make(typed: Typed, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run make as a person does; installed packages count as installed."""
    return typed("make", "--old-file", ".venv/installed", *words, **more)


def test_make_doctor_and_make_settings_take_their_options(living, typed):
    terminal = typed(living)
    done = make(terminal, "doctor", *HERE, "ARGS=--json", DRY_RUN="1")
    assert json.loads(done.stdout)["ok"] is True
    assert make(terminal, "settings", *HERE).returncode == 0
    assert "Name the region" in make(terminal, "doctor", PROJECT="my-school").stderr


def test_make_status_of_a_project_without_settings_says_how_to_get_them(living, typed):
    done = make(typed(living), "status", "PROJECT=my-school")
    assert done.returncode == 2
    assert "make settings PROJECT=my-school REGION=" in done.stderr


def test_make_status_of_a_project_runs_with_its_settings(living, typed, tmp_path):
    """It uses the settings: here they name a store that answers without Google."""
    terminal = typed(living)
    (tmp_path / "deployed").mkdir()
    local = " ".join(
        f"{name}=http://127.0.0.1:9"
        for name in (
            "MEET_API_ENDPOINT",
            "WORKSPACE_EVENTS_API_ENDPOINT",
            "PEOPLE_API_ENDPOINT",
            "DIRECTORY_API_ENDPOINT",
            "REPORTS_API_ENDPOINT",
            "CALENDAR_API_ENDPOINT",
        )
    )
    (tmp_path / "deployed/my-school.env").write_text(
        f"export ATTENDANCE_STORE=sqlite:///{tmp_path}/store AUTH_MODE=anonymous GOOGLE_CLOUD_PROJECT=my-school "
        f"PUBSUB_EMULATOR_HOST=127.0.0.1:9 {local}\n"
    )
    done = make(terminal, "status", "PROJECT=my-school")
    assert done.returncode == 0, done.stderr
    assert "Teachers: 0 tracked" in done.stdout


def _without_times(text: str) -> str:
    return re.sub(r"\d+ (minutes?|hours?) ago", "N minutes ago", re.sub(r"client id \d+", "client id N", text)).strip()


def _picture(name: str) -> str:
    docs = (ROOT / "docs/operating.md").read_text()
    found = re.search(rf"<!-- {name} -->\n```\n(.*?)```", docs, re.DOTALL)
    assert found, f"docs/operating.md has no picture of {name}"
    return found[1]


def test_the_documentation_shows_what_is_printed_of_a_healthy_deployment(living, typed):
    done = doctor(typed(living), *HERE)
    assert _without_times(done.stdout) == _without_times(_picture("healthy"))


def test_the_documentation_shows_what_is_printed_of_an_ill_deployment(living, typed):
    make_ill(living)
    done = doctor(typed(living), *HERE)
    assert _without_times(done.stdout) == _without_times(_picture("ill"))


def make_ill(world: World) -> None:
    """Make problems that a school may have: a disabled API, a forgotten scope, a paused job."""
    world.enabled.discard("cloudscheduler.googleapis.com")
    world.policy(f"{PLACE}/services/meet-attendance-api")["bindings"].append(
        {"role": "roles/run.invoker", "members": ["allUsers"]}
    )
    scopes = ("meetings.space.created", "directory.readonly", "userinfo.email", "userinfo.profile")
    every = (*scopes, "admin.directory.user.readonly", "calendar.events")
    world.delegated = {f"https://www.googleapis.com/auth/{scope}" for scope in every}
    organizer(world, "users-1", state="suspended", error={"reason": "delegation-not-granted"})

"""docs/deploy.md: a test runs every command with the real programs, except commands that only a person can type."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from infra.local.control_plane import World
from tests.deploy.complete import PLACE, assert_complete, environment, granted

pytestmark = pytest.mark.timeout(600)  # the first of them waits for a whole deployment with the real gcloud

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/deploy.md").read_text()


def blocks(text):
    """Return the commands to type, block by block."""
    found = re.findall(r"^( *)```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


BLOCKS = blocks(PAGE)

BY_A_PERSON = {
    "gcloud auth login": "opens a browser",
    "git clone ADDRESS meet-attendance": "needs the network",
    "cd meet-attendance": "the tests are in the copy",
    "git pull": "needs the network",
    "git checkout HEAD~1": "another version of the code",
}
"""Commands that are not run, and why."""

AGAINST_THE_API = re.compile(r'curl .*"\$API/')
"""Calls that a served function answers: test_rehearsal.py runs these."""

RUN = re.compile(
    r"make (deploy|destroy|doctor) |gcloud (iam|org-policies|functions describe|services enable|projects describe) |"
    r"printf |export (API|NUMBER)=|jq --raw-output .meeting_uri class.json$"
)


def commands(block):
    """Return the commands of a block, each on one line; a chain with && is split into its parts."""
    joined = re.sub(r"( \\|\|)\n\s*|\n {7}", lambda found: " | " if found[0].startswith("|") else " ", block)
    lines = [re.sub(r"\s+# .*$", "", line).strip() for line in joined.splitlines()]
    return [part for line in lines if line for part in line.split(" && ")]


def section(title):
    """Return the blocks below a heading."""
    (text,) = re.findall(rf"^##+ {re.escape(title)}\n(.*?)(?=^##+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return blocks(text)


class Reader:
    """A person who types the page's commands, in a separate shell with an empty HOME."""

    def __init__(self, operator, folder):
        self.operator, self.folder = operator, folder

    def types(self, *blocks):
        script = "\n".join("\n".join(c for c in commands(block) if c not in BY_A_PERSON) for block in blocks)
        # `make` itself would set up the package environment; only the commands that it runs are run.
        make = f'make() {{ local what=$1; shift; (cd "{ROOT}" && "infra/$what.sh" "$@"); }}'
        done = self.operator.run("/bin/bash", "-euo", "pipefail", "-c", f'cd "{self.folder}"\n{make}\n{script}')
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def reader(operator, tmp_path):
    (tmp_path / "home").mkdir()
    return lambda world: Reader(operator(world), tmp_path / "home")


@pytest.mark.parametrize("command", sorted({c for block in BLOCKS for c in commands(block)}))
def test_every_command_of_the_page_is_one_that_a_test_runs_or_one_for_a_person(command):
    kinds = [command in BY_A_PERSON, bool(AGAINST_THE_API.match(command)), bool(RUN.match(command))]

    assert sum(kinds) == 1, f"classify it: {command}"


def test_make_passes_the_options_of_the_page_on_as_they_were_typed():
    for command in {c for block in BLOCKS for c in commands(block) if c.startswith("make ")}:
        printed = subprocess.run(  # noqa: S603 - commands of our own page
            [*command.split(), "--dry-run", "--assume-old=.venv/installed"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        _, target, *options = command.split()
        # The doctor runs in test_doctor.py, against everything that can be wrong.
        assert ("-m infra.doctor" if target == "doctor" else f"infra/{target}.sh") in printed
        assert all(f'"{option.partition("=")[0]}=' in printed for option in options)


def test_someone_who_follows_the_page_has_a_deployment_and_what_the_administrator_pastes(reader):
    world = World()
    reads = reader(world)

    printed = reads.types(*section("2. A place to type commands"))
    client_id = reads.types(*section("A Workspace administrator lets the system act for teachers")).strip()

    assert_complete(world)
    assert environment(world)["ALLOWED_DOMAINS"] == "school.example"
    assert f"Client ID:     {client_id}" in printed
    *_, scopes = re.findall(r"OAuth scopes:  (\S+)", printed)
    assert re.findall(r"^ *(https://www.googleapis.com/auth/\S+)$", PAGE, re.MULTILINE) == [scopes]
    assert "https://admin.google.com/ac/owl/domainwidedelegation" in printed
    assert "https://admin.google.com/ac/owl/domainwidedelegation" in PAGE


def test_the_exception_for_meets_publisher_is_made_and_taken_back_as_the_page_says(reader, deployed):
    topic, publisher = "projects/my-school/topics/workspace-events", "meet-api-event-push@system.gserviceaccount.com"
    restricted = {
        "iam.allowedPolicyMemberDomains": {"rules": [{"values": {"allowedValues": ["is:C0123abcd"]}}]},
        "iam.managed.allowedPolicyMembers": {"rules": [{"enforce": True}]},
    }
    deployed.organisation.update(restricted)
    deployed.policies.pop(topic)
    reads = reader(deployed)
    printed = reads.operator.deploy().stdout
    assert "Meet's events do not come yet" in printed
    asked, back = section("An administrator of the organisation lets Meet publish its events")
    for command in [*commands(asked), *(c for c in commands(back) if c.startswith("gcloud"))]:
        assert command in printed, "the page and the deployment say the same"

    reads.types(asked, back)

    assert ("roles/pubsub.publisher", f"serviceAccount:{publisher}") in granted(deployed, topic)
    assert deployed.organisation == restricted


def test_an_lms_outside_google_cloud_gets_in_without_a_key(reader, deployed, monkeypatch):
    reads = reader(deployed)

    reads.types(*section("An LMS outside Google Cloud, without a key"))

    lms = "lms@my-school.iam.gserviceaccount.com"
    pool = f"projects/{deployed.number}/locations/global/workloadIdentityPools/lms"
    assert granted(deployed, f"projects/my-school/serviceAccounts/{lms}") == {
        ("roles/iam.workloadIdentityUser", f"principal://iam.googleapis.com/{pool}/subject/lms-backend")
    }
    assert ("roles/run.invoker", f"serviceAccount:{lms}") in granted(deployed, f"{PLACE}/services/meet-attendance-api")
    assert f"{lms}=lms" in environment(deployed)["API_CALLERS"].split(",")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(reads.folder / "lms.json"))
    monkeypatch.setenv("ATTENDANCE_API", "https://meet-attendance-api-abc123-ew.a.run.app")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-school")
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    made = {}
    exec(snippet, made)  # noqa: S102 - our own page
    assert made["lms"].service_account_email == lms
    assert made["own"].info["audience"] == f"//iam.googleapis.com/{pool}/providers/lms"


def test_the_lms_is_named_and_an_update_and_a_way_back_change_nothing_that_is_well(reader, deployed):
    reads = reader(deployed)
    before = deployed.resources[f"{PLACE}/functions/meet-attendance-events"]["eventTrigger"]["trigger"]

    reads.types(*section("6. The LMS"), *section("Updating"))
    printed = reads.types(*section("Going back to an older version"))

    assert "Done: 0 changes" in printed
    assert environment(deployed)["API_CALLERS"].startswith("lms@my-lms.iam.gserviceaccount.com=lms")
    assert deployed.resources[f"{PLACE}/functions/meet-attendance-events"]["eventTrigger"]["trigger"] == before
    reads.types(*section("Taking it away"))
    assert not list(deployed.below(f"{PLACE}/functions"))

"""A teacher consents: with the real command, Google's library, and a browser in which a person clicks."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import grpc
import httpx
import pytest
from click.testing import CliRunner

from functions.adapters.google.credentials.capabilities import Capability
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.entrypoints.commands.consent.app import setup_oauth
from functions.entrypoints.commands.consent.purposes import PURPOSES, flags_for, scopes_of, wanted
from infra.local.faults import Fault
from infra.local.function_server import ROOT
from infra.local.google_apis import GoogleApis, RestFault
from infra.local.oauth_server import OAuthServer
from infra.local.school import Account, School
from infra.local.secrets import SecretManagerSimulator
from infra.local.subscriptions import WorkspaceEventsSimulator

TEACHER = Account("users/11", "teacher@school.example", ("t@school.example",), "The Teacher")
COLLEAGUE = Account("users/22", "colleague@school.example", display_name="A Colleague")
SERVICE_ACCOUNT = "meet-attendance@school-attendance.iam.gserviceaccount.com"
STORED = "projects/school-attendance/secrets/meet-attendance-token-11"
# The process must get Ctrl-C, even if the tests were started in a way that ignores it.
COMMAND = ["env", "--default-signal=INT", sys.executable, "-m", "functions.setup_oauth"]


class Person:
    """The teacher at the computer: `does` handles each page that the command opens."""

    def __init__(self):
        self.does = consent
        self.shown = []
        self._at_it = []

    def open(self, page, new=0, autoraise=True):  # noqa: ARG002, FBT002 - as `webbrowser` calls it
        """Handle a page that was opened in the browser."""
        self._at_it.append(threading.Thread(target=lambda: self.shown.append(self.does(page))))
        self._at_it[-1].start()
        return True

    def leave(self):
        """Wait until everything that was started is done."""
        for each in self._at_it:
            each.join(30)


class Browser:
    """The browser of this process; the running test says which person uses it."""

    person: Any = None

    def open(self, *about, **more):
        return self.person.open(*about, **more)


BROWSER = Browser()


@pytest.fixture
def school():
    school = School(lambda: datetime.now(UTC))
    school.enrol(TEACHER, COLLEAGUE)
    return school


@pytest.fixture
def oauth(school):
    with OAuthServer(school).in_thread() as server:
        yield server


@pytest.fixture
def google(school, oauth):
    with GoogleApis(school, tokens=oauth).in_thread() as apis:
        yield apis


@pytest.fixture
def secrets():
    with SecretManagerSimulator().in_thread() as simulator:
        yield simulator


@pytest.fixture
def environment(oauth, google, secrets, tmp_path):
    (tmp_path / "client_secret.json").write_text(json.dumps(oauth.new_client()))
    return {
        "OAUTH_CLIENT_FILE": str(tmp_path / "client_secret.json"),
        "GOOGLE_CLOUD_PROJECT": "school-attendance",
        "SERVICE_ACCOUNT_EMAIL": SERVICE_ACCOUNT,
        "ATTENDANCE_STORE": f"sqlite:///{tmp_path}/attendance.db",
        "MEET_API_ENDPOINT": google.endpoint,
        "PEOPLE_API_ENDPOINT": google.endpoint,
        "OAUTH_TOKEN_ENDPOINT": oauth.endpoint,
        "SECRET_MANAGER_API_ENDPOINT": secrets.endpoint,
        # Without it, the library refuses plain HTTP; a stand-in on loopback has no certificate.
        "OAUTHLIB_INSECURE_TRANSPORT": "1",
    }


@pytest.fixture(scope="module")
def browser():
    webbrowser.register("a-person", None, BROWSER, preferred=True)  # type: ignore[arg-type]
    return BROWSER


@pytest.fixture
def person(browser):
    browser.person = Person()
    yield browser.person
    browser.person.leave()


@pytest.fixture
def typed(environment, person, tmp_path, monkeypatch):
    """Return a function that runs the command and returns its exit code and output."""
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments):
        result = CliRunner().invoke(setup_oauth, arguments)
        person.leave()
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return run


@pytest.fixture
def refused(typed, secrets, tmp_path):
    """Return a function that runs the command, checks that it fails and stores nothing, and returns its output."""

    def run(*arguments):
        code, output = typed(*arguments)
        assert code == 2, output
        assert not secrets.secrets
        assert not (tmp_path / "token.json").exists()
        return output

    return run


def consent(page, *, account=TEACHER.email, without=(), decision="continue"):
    """Act as a person on Google's page; return the last page that the browser shows."""
    with httpx.Client(follow_redirects=True, trust_env=False) as browser:
        shown = browser.get(page).raise_for_status().text
        ticket = re.search(r'name="ticket" value="([^"]+)"', shown)[1]
        boxes = [box for box in re.findall(r'name="scope" value="([^"]+)"', shown) if box not in without]
        form = [("ticket", ticket), ("account", account), ("decision", decision), *(("scope", box) for box in boxes)]
        answered = browser.post(
            str(httpx.URL(page).join("/o/oauth2/v2/auth/answer")),
            content=urlencode(form),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        return answered.raise_for_status().text


def kept(secrets):
    """Return the consents in Secret Manager."""
    return [json.loads(secret.versions[-1].content) for secret in secrets.secrets.values() if secret.versions]


# --- What works -----------------------------------------------------------------------------------------------


def test_a_teacher_consents_and_the_service_account_alone_may_read_the_token(typed, person, oauth, secrets):
    code, output = typed("--meet")

    assert code == 0, output
    (stored,) = kept(secrets)
    (granted,) = oauth.grants.consents
    assert (stored["user"], stored["email"]) == (TEACHER.user, TEACHER.email)
    assert stored["refresh_token"] == granted.refresh_token
    asked = (Capability.MEETINGS, Capability.MAKE_ROOM, Capability.PEOPLE, Capability.OWN_ACCOUNT)
    assert set(stored["scopes"]) == scopes_of(asked)
    (binding,) = secrets.secrets[STORED].policy.bindings
    assert list(binding.members) == [f"serviceAccount:{SERVICE_ACCOUNT}"]
    assert TEACHER.user in output
    assert "Thank you" in person.shown[0]
    secret_things = [stored["refresh_token"], stored["client_secret"], "ya29.", "4/0"]
    assert not [each for each in secret_things if each in output]


def test_googles_page_is_asked_for_a_lasting_consent_with_state_and_proof(typed, person):
    pages = []
    person.does = lambda page: (pages.append(page), consent(page))
    typed("--meet", "--expect", "Teacher@school.example")
    asked = {name: value for name, (value,) in parse_qs(urlsplit(pages[0]).query).items()}

    assert asked["access_type"] == "offline"
    assert asked["prompt"] == "consent"
    assert asked["code_challenge_method"] == "S256"
    assert asked["login_hint"] == TEACHER.email
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    assert len(asked["state"]) >= 20


def test_a_computer_without_a_browser_is_told_how_the_answer_reaches_it_and_ctrl_c_ends_it(
    environment, secrets, tmp_path
):
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "--meet", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])},
        cwd=tmp_path,
    ) as process:
        (page,) = itertools.islice((line for line in process.stdout if "/o/oauth2/v2/auth?" in line), 1)
        port = urlsplit(parse_qs(urlsplit(page).query)["redirect_uri"][0]).port
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()

    assert f"ssh -L {port}:127.0.0.1:{port} " in output
    assert "Interrupted" in output
    assert "Traceback" not in output
    assert (process.returncode, secrets.secrets) == (2, {})


def test_a_browser_with_a_window_of_its_own_is_opened(environment, tmp_path, secrets):
    script = tmp_path / "browser"
    script.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$1\" > {tmp_path}/opened\n")
    script.chmod(0o700)
    os.mkfifo(tmp_path / "opened")
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "--meet"],
        stdout=subprocess.DEVNULL,
        env={
            **os.environ,
            **environment,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]]),
            "BROWSER": f"{script} %s &",
        },
        cwd=tmp_path,
    ) as process:
        consent((tmp_path / "opened").read_text().strip())

    assert process.returncode == 0
    assert [each["email"] for each in kept(secrets)] == [TEACHER.email]


def test_an_own_file_replaces_secret_manager(typed, secrets, tmp_path, monkeypatch):
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    monkeypatch.delenv("SECRET_MANAGER_API_ENDPOINT")
    code, output = typed("--meet", "--file", "token.json")

    assert code == 0, output
    assert (tmp_path / "token.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / "token.json").read_text())["user"] == TEACHER.user
    assert "OAUTH_TOKEN_FILE=token.json" in output
    assert not secrets.secrets


def test_the_clients_own_project_counts_where_none_is_named(typed, secrets, monkeypatch):
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")

    assert typed("--meet")[0] == 0
    assert list(secrets.secrets) == [STORED]


def test_without_a_service_account_the_command_says_how_to_let_one_read_it(typed, secrets, monkeypatch):
    monkeypatch.delenv("SERVICE_ACCOUNT_EMAIL")
    code, output = typed("--meet")

    assert code == 0
    assert "gcloud secrets add-iam-policy-binding meet-attendance-token-11 --project=school-attendance" in output
    assert not secrets.secrets[STORED].policy.bindings


def test_consenting_again_leaves_one_consent(typed, secrets, oauth):
    for _ in range(2):
        assert typed("--meet", "--expect", TEACHER.aliases[0])[0] == 0

    assert [version.state.name for version in secrets.secrets[STORED].versions] == ["DESTROYED", "ENABLED"]
    assert kept(secrets)[0]["refresh_token"] == oauth.grants.consents[-1].refresh_token


def test_a_consent_that_ends_after_a_week_comes_with_a_warning(typed, oauth):
    oauth.grants.testing = True
    code, output = typed("--meet")

    assert code == 0
    assert "WARNING: the consent ends in 7 days" in output


def test_whatever_else_calls_at_the_port_is_not_taken_for_the_answer(typed, person, secrets):
    statuses = []

    def is_not_alone(page):
        redirect_uri = parse_qs(urlsplit(page).query)["redirect_uri"][0]
        port = urlsplit(redirect_uri).port
        # Browsers open connections before they need them.
        with socket.create_connection(("127.0.0.1", port)), httpx.Client(trust_env=False) as stranger:
            paths = ("favicon.ico", "?code=4/0stolen&state=guessed", "?error=access_denied")
            statuses.extend(stranger.get(redirect_uri + path).status_code for path in paths)
            with socket.create_connection(("127.0.0.1", port)) as scanner:
                scanner.sendall(b"GET //[ HTTP/1.1\r\n\r\n")
                statuses.append(int(scanner.recv(4096).split()[1]))
            consent(page)

    person.does = is_not_alone
    code, output = typed("--meet")

    assert (statuses, code) == ([404, 404, 404, 404], 0), output
    assert "Traceback" not in output
    assert len(kept(secrets)) == 1


@pytest.fixture
def events(school, oauth, monkeypatch):
    """Enable Workspace Events."""
    with WorkspaceEventsSimulator(school, tokens=oauth).in_thread() as simulator:
        monkeypatch.setenv("WORKSPACE_EVENTS_API_ENDPOINT", simulator.endpoint)
        yield simulator
        assert simulator.violations == []


def tracked(tmp_path):
    """Return the fields of the teacher's document, as the functions read it."""
    document = asyncio.run(SqliteDatabase(tmp_path / "attendance.db").get("organizers/11"))
    return document and document.fields


def test_the_teacher_is_tracked_at_once(typed, events, tmp_path):
    code, output = typed("--meet")

    assert code == 0, output
    assert events.is_active(TEACHER.user)
    organizer = tracked(tmp_path)
    assert (organizer["email"], organizer["subscription"]["state"]) == (TEACHER.email, "active")
    assert "From now on" in output


def test_a_consent_is_stored_even_if_the_teacher_cannot_be_tracked_yet(typed, events, secrets, tmp_path):
    events.faults.set(Fault("CreateSubscription", grpc.StatusCode.PERMISSION_DENIED, reason="SERVICE_DISABLED"))

    code, output = typed("--meet")

    assert (code, len(kept(secrets))) == (0, 1)
    assert f"make enroll TEACHER={TEACHER.email}" in output
    assert "gcloud services enable workspaceevents.googleapis.com" in output
    assert tracked(tmp_path)["subscription"]["state"] is None


def test_an_administrator_who_only_reads_reports_is_not_a_teacher(typed, tmp_path):
    code, output = typed("--reports")

    assert code == 0, output
    assert f"REPORTS_ADMIN={TEACHER.user}" in output
    assert tracked(tmp_path) is None


# --- What is refused: nothing is stored -----------------------------------------------------------------------


def test_a_teacher_who_says_no_stores_nothing(refused, person):
    person.does = lambda page: consent(page, decision="cancel")

    assert "did not consent" in refused("--meet")
    assert "Nothing was granted" in person.shown[0]


@pytest.mark.parametrize("capability", [Capability.MAKE_ROOM, Capability.OWN_ACCOUNT])
def test_a_box_that_was_not_ticked_is_named(refused, person, capability):
    person.does = lambda page: consent(page, without=capability.scopes[-1:])
    output = refused("--meet")

    assert f"Not granted: {PURPOSES[capability].words}" in output
    assert f"“{PURPOSES[capability].boxes[0]}”" in output
    assert f"NO   {PURPOSES[capability].words}" in output


def test_a_consent_without_a_lasting_token_is_refused(refused, oauth):
    oauth.grants.gives_refresh_tokens = False

    assert "https://myaccount.google.com/permissions" in refused("--meet")


def test_another_account_than_expected_is_refused(refused, person):
    person.does = lambda page: consent(page, account=COLLEAGUE.email)

    assert f"{COLLEAGUE.email} consented, but {TEACHER.email} was expected" in refused(
        "--meet", "--expect", TEACHER.email
    )


def test_the_command_does_not_wait_for_ever_for_a_consent(refused, person):
    person.does = str

    assert "Nobody consented within 1 seconds" in refused("--meet", "--timeout", "1")


def test_a_port_that_is_taken_is_named(refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        output = refused("--meet", "--port", str(port))

    assert f"Port {port} cannot be used: another program uses it" in output


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"web": {"client_id": "1", "client_secret": "2"}}, "Desktop app"),
        ({"type": "service_account", "private_key": "hidden"}, "Delete the key"),
        ({"installed": {"client_id": "1"}}, "not contain an OAuth client"),
        ("hidden {", "not contain an OAuth client"),
    ],
)
def test_a_file_that_is_not_a_client_for_desktops_says_what_to_make_in_the_console(refused, tmp_path, content, says):
    (tmp_path / "wrong.json").write_text(content if isinstance(content, str) else json.dumps(content))
    output = refused("--meet", "--client-secrets", "wrong.json")

    assert says in output
    assert "hidden" not in output


def test_a_client_whose_secret_is_not_valid_any_more_is_named(refused, oauth):
    for client_id in oauth.grants.clients:
        oauth.grants.clients[client_id] = "GOCSPX-another"

    assert "Google does not accept the OAuth client (invalid_client)" in refused("--meet")


@pytest.mark.parametrize(
    "fault",
    [
        RestFault("token", 503, "internal_failure"),
        RestFault("token", 403, "rate_limit_exceeded"),
        RestFault("token", 403, page=True),
        RestFault("token", 400, "<html>"),
    ],
)
def test_a_failure_of_the_token_endpoint_is_reported(refused, oauth, fault):
    oauth.fail(fault)
    output = refused("--meet")

    assert "Nothing was stored" in output
    assert "<html>" not in output


def test_a_people_api_that_is_off_is_named_with_the_command_that_enables_it(refused, google):
    google.fail(RestFault("people.get", 403, "SERVICE_DISABLED"))

    assert "gcloud services enable people.googleapis.com" in refused("--meet")


def test_a_secret_manager_that_is_off_is_found_before_anybody_is_asked(refused, oauth, secrets):
    secrets.faults.set(Fault("GetSecret", grpc.StatusCode.PERMISSION_DENIED, reason="SERVICE_DISABLED"))

    assert "gcloud services enable secretmanager.googleapis.com" in refused("--meet")
    assert not oauth.calls


def test_an_unavailable_secret_manager_is_not_said_to_be_tried_again(refused, secrets):
    secrets.faults.set(Fault("GetSecret", grpc.StatusCode.UNAVAILABLE))
    output = refused("--meet")

    assert "Secret Manager does not answer" in output
    assert "Run the command again" in output
    assert "by itself" not in output


def test_a_file_that_is_open_to_others_is_found_before_anybody_is_asked(typed, oauth, tmp_path):
    (tmp_path / "token.json").touch(0o644)
    code, output = typed("--meet", "--file", "token.json")

    assert (code, oauth.calls.total()) == (2, 0)
    assert "chmod 600 token.json" in output


def test_a_consent_to_fewer_scopes_replaces_a_larger_one_only_on_request(typed, secrets):
    for flags, code in ((["--meet", "--calendar"], 0), (["--meet"], 2), (["--meet", "--narrow"], 0)):
        ended, output = typed(*flags)
        assert ended == code, output
        if code:
            assert f"{PURPOSES[Capability.CALENDAR].words}. It was kept: nothing was stored" in output
            assert "python -m functions.setup_oauth --meet --calendar." in output

    assert not set(Capability.CALENDAR.scopes) & set(kept(secrets)[0]["scopes"])


def test_tokens_of_a_stand_in_are_never_shown_to_the_real_people_api(refused, monkeypatch):
    monkeypatch.delenv("PEOPLE_API_ENDPOINT")

    assert "PEOPLE_API_ENDPOINT should be http://127.0.0.1:PORT" in refused("--meet")


def test_a_command_without_a_purpose_asks_for_one(typed):
    code, output = typed()

    assert code == 2
    assert "Name at least one purpose: --meet" in output


def test_options_ask_for_what_they_say_and_a_consent_names_its_options():
    everything = scopes_of(wanted(["--meet", "--calendar", "--directory", "--reports"]))

    assert everything == scopes_of(Capability)
    assert flags_for(everything) == "--meet --calendar --directory --reports"
    assert wanted(["--reports"]) == (Capability.OWN_ACCOUNT, Capability.REPORTS)


def test_starting_it_as_a_file_prints_the_right_command():
    file = ROOT / "functions" / "setup_oauth.py"
    refused = subprocess.run(  # noqa: S603 - our own file
        [sys.executable, str(file), "--meet"], capture_output=True, text=True, timeout=60, check=False
    )

    assert refused.returncode == 1
    assert (
        refused.stderr
        == "Run it like this, in the folder of this project: .venv/bin/python -m functions.setup_oauth --meet\n"
    )


CONSENT = """
import sys
from tests.integration.test_setup_oauth import consent
print(consent(sys.argv[1], account="anybody@my.example"))
"""


def test_the_consent_can_be_rehearsed_with_one_command_and_without_google(tmp_path):
    person = tmp_path / "somebody.py"
    person.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{CONSENT}")
    rehearsed = subprocess.run(
        [sys.executable, "-m", "infra.local.oauth_rehearsal", "--meet"],
        cwd=ROOT,
        env={**os.environ, "BROWSER": f"{sys.executable} {person} %s &"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert rehearsed.returncode == 0, f"{rehearsed.stdout}\n{rehearsed.stderr}"
    assert "Google is simulated on this machine" in rehearsed.stdout
    assert "From now on, Google reports the teacher's classes." in rehearsed.stdout

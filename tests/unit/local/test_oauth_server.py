"""The stand-in for Google's authorization server refuses what Google refuses, with Google's words."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import googleapiclient
import httpx
import pytest

from infra.local.clock import TurnableClock
from infra.local.gate.endpoints import JWT_BEARER
from infra.local.oauth_server import OAuthServer
from infra.local.school import Account, School
from infra.local.secrets import SecretManagerSimulator

TEACHER = Account("users/11", "teacher@school.example", ("t@school.example",))
SERVICE_ACCOUNT = "meet-attendance@school-attendance.iam.gserviceaccount.com"
READ = "https://www.googleapis.com/auth/meetings.space.readonly"
ROOMS = "https://www.googleapis.com/auth/meetings.space.created"
PROFILE = "https://www.googleapis.com/auth/userinfo.profile"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"


@pytest.fixture
def clock():
    return TurnableClock(NOW)


@pytest.fixture
def server(clock):
    school = School(clock)
    school.enrol(TEACHER)
    with OAuthServer(school, clock=clock).in_thread() as server:
        server.delegate(SERVICE_ACCOUNT, [READ])
        yield server


@pytest.fixture
def client(server):
    return server.new_client()["installed"]


@pytest.fixture
def http(server):
    with httpx.Client(base_url=server.endpoint, trust_env=False) as http:
        yield http


@pytest.fixture
def token(http):
    """Return a function that calls the token endpoint and returns the status and the answer."""

    def ask(**form):
        answer = http.post("/token", data=form)
        return answer.status_code, answer.json()

    return ask


@pytest.fixture
def code(http, client):
    """Return a function that consents on the page and returns the parameters for the token endpoint."""

    def given(ticked=(READ, PROFILE), **changes):
        asked = {
            "client_id": client["client_id"],
            "redirect_uri": "http://127.0.0.1:9/",
            "response_type": "code",
            "scope": f"{READ} {ROOMS} {PROFILE}",
            "state": "s",
            "access_type": "offline",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        page = http.get("/o/oauth2/v2/auth", params=asked).text
        ticket = page.split('name="ticket" value="')[1].split('"')[0]
        form = [
            ("ticket", ticket),
            ("account", TEACHER.email),
            ("decision", "continue"),
            *(("scope", x) for x in ticked),
        ]
        content_type = {"content-type": "application/x-www-form-urlencoded"}
        answered = http.post("/o/oauth2/v2/auth/answer", content=urlencode(form), headers=content_type)
        brought = parse_qs(urlsplit(answered.headers["location"]).query)
        assert brought["state"] == ["s"]
        return {
            "grant_type": "authorization_code",
            "code": brought["code"][0],
            "redirect_uri": "http://127.0.0.1:9/",
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
            "code_verifier": VERIFIER,
        }

    return given


@pytest.fixture
def refresh(token, client):
    """Return a function that requests a token with a refresh token."""

    def ask(refresh_token, **more):
        known = {name: client[name] for name in ("client_id", "client_secret")}
        return token(grant_type="refresh_token", refresh_token=refresh_token, **known, **more)

    return ask


@pytest.fixture
def assertion(http):
    """Return a function that makes a signed assertion of the service account."""

    def signed(**changes):
        issued = int(NOW.timestamp())
        claims = {
            "iss": SERVICE_ACCOUNT,
            "sub": TEACHER.email,
            "scope": READ,
            "aud": "https://oauth2.googleapis.com/token",
            "iat": issued,
            "exp": issued + 3600,
            **changes,
        }
        parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
        text = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        answer = http.post(
            f"/v1/projects/-/serviceAccounts/{SERVICE_ACCOUNT}:signBlob",
            json={"payload": base64.b64encode(text.encode()).decode()},
        )
        signature = base64.urlsafe_b64encode(base64.b64decode(answer.json()["signedBlob"])).decode().rstrip("=")
        return f"{text}.{signature}"

    return signed


def test_a_code_gives_tokens_for_what_was_ticked_and_only_once(token, code, server):
    form = code()
    status, answer = token(**form)

    assert (status, set(answer["scope"].split())) == (200, {READ, PROFILE, "openid"})
    assert server.who(answer["access_token"]) == (TEACHER.email, {READ, PROFILE, "openid"})
    assert answer["refresh_token"]
    assert token(**form) == (400, {"error": "invalid_grant", "error_description": "Malformed auth code."})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "x" * 64}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:10/"}, "redirect_uri_mismatch"),
        ({"client_secret": "GOCSPX-wrong"}, "invalid_client"),
        ({"client_id": "1-unknown.apps.googleusercontent.com"}, "invalid_client"),
    ],
)
def test_a_code_is_good_only_for_the_client_that_asked_for_it(token, code, changes, error):
    status, answer = token(**{**code(), **changes})

    assert (status in {400, 401}, answer["error"]) == (True, error)


def test_a_second_consent_gives_a_lasting_token_only_where_it_is_prompted_for(token, code):
    answers = [token(**code(**more))[1] for more in ({}, {}, {"prompt": "consent"}, {"access_type": "online"})]

    assert ["refresh_token" in answer for answer in answers] == [True, False, True, False]


def test_a_refresh_token_gives_what_was_granted_or_less(server, refresh, client):
    granted = server.consent(TEACHER.email, [READ, ROOMS], client["client_id"])

    assert server.who(refresh(granted.refresh_token)[1]["access_token"]) == (TEACHER.email, {READ, ROOMS})
    assert server.who(refresh(granted.refresh_token, scope=READ)[1]["access_token"]) == (TEACHER.email, {READ})
    assert refresh(granted.refresh_token, scope=PROFILE)[1]["error"] == "invalid_scope"


def test_a_consent_ends_by_revocation_after_testing_and_after_a_hundred_further_ones(server, refresh, client, clock):
    dead = (400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
    revoked = server.consent(TEACHER.email, [READ], client["client_id"])
    server.revoke(TEACHER.email)
    server.grants.testing = True
    tested = server.consent(TEACHER.email, [READ], client["client_id"])
    server.grants.testing = False
    oldest, *_, newest = [server.consent(TEACHER.email, [READ], client["client_id"]) for _ in range(101)]

    assert refresh(revoked.refresh_token) == dead
    assert refresh(oldest.refresh_token) == dead
    assert refresh(newest.refresh_token)[0] == 200
    clock.turn(timedelta(days=7))
    assert refresh(tested.refresh_token) == dead
    assert refresh(newest.refresh_token)[0] == 200


def test_an_access_token_lasts_an_hour(server, refresh, client, clock):
    granted = server.consent(TEACHER.email, [READ], client["client_id"])
    value = refresh(granted.refresh_token)[1]["access_token"]

    clock.turn(timedelta(seconds=3598))
    assert server.who(value) is not None
    clock.turn(timedelta(seconds=1))
    assert server.who(value) is None


def test_a_service_account_acts_for_those_it_signs_by_any_address_of_theirs(server, token, assertion):
    status, answer = token(grant_type=JWT_BEARER, assertion=assertion(sub="t@school.example"))

    assert (status, server.who(answer["access_token"])) == (200, (TEACHER.email, {READ}))
    assert server.grants.assertions[-1]["sub"] == "t@school.example"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"scope": f"{READ} {ROOMS}"}, "unauthorized_client", "not authorized for any of the scopes requested"),
        ({"sub": "nobody@school.example"}, "invalid_grant", "Invalid email or User ID"),
        ({"iss": "other@school-attendance.iam.gserviceaccount.com"}, "invalid_grant", "account not found"),
        (
            {"iat": int(NOW.timestamp()) - 7200, "exp": int(NOW.timestamp()) - 3600},
            "invalid_grant",
            "short-lived token",
        ),
    ],
)
def test_what_google_refuses_to_a_service_account_is_refused(token, assertion, changes, error, words):
    _, answer = token(grant_type=JWT_BEARER, assertion=assertion(**changes))

    assert answer["error"] == error
    assert words in answer["error_description"]


def test_a_forged_signature_and_a_suspended_account_are_refused(server, token, assertion):
    genuine = assertion()
    signed, _, signature = genuine.rpartition(".")
    forged = f"{signed}.{signature[:-8]}AAAAAAAA"

    assert token(grant_type=JWT_BEARER, assertion=forged)[1]["error_description"] == "Invalid JWT Signature."
    server.grants.suspended.add(TEACHER.email)
    assert token(grant_type=JWT_BEARER, assertion=genuine)[1]["error_description"] == "Invalid email or User ID"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": "unknown"}, "invalid_client"),
        ({"redirect_uri": "https://evil.example/"}, "redirect_uri_mismatch"),
        ({"response_type": "token"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_a_consent_page_with_a_wrong_link_is_not_shown(server, http, client, changes, code):
    asked = {
        "client_id": client["client_id"],
        "redirect_uri": "http://127.0.0.1:9/",
        "response_type": "code",
        "scope": READ,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }

    answer = http.get("/o/oauth2/v2/auth", params={**asked, **changes})

    assert answer.status_code >= 400
    assert code in answer.text
    assert len(server.refusals.take()) == (answer.status_code == 400)


def test_signing_is_served_where_and_as_googles_discovery_document_says(http):
    document = json.loads((DOCUMENTS / "iamcredentials.v1.json").read_text())
    method = document["resources"]["projects"]["resources"]["serviceAccounts"]["methods"]["signBlob"]
    path = method["path"].replace("{+name}", f"projects/-/serviceAccounts/{SERVICE_ACCOUNT}")
    payload = base64.b64encode(b"text").decode()

    answer = http.request(method["httpMethod"], f"/{path}", json={"payload": payload})

    assert "payload" in document["schemas"]["SignBlobRequest"]["properties"]
    assert set(answer.json()) == set(document["schemas"]["SignBlobResponse"]["properties"])


def test_secrets_are_served_by_methods_that_googles_discovery_document_names():
    document = json.loads((DOCUMENTS / "secretmanager.v1.json").read_text())
    secrets = document["resources"]["projects"]["resources"]["secrets"]
    documented = {
        method["id"] for each in (secrets, secrets["resources"]["versions"]) for method in each["methods"].values()
    }
    names = {
        "CreateSecret": "secrets.create",
        "GetSecret": "secrets.get",
        "AddSecretVersion": "secrets.addVersion",
        "AccessSecretVersion": "secrets.versions.access",
        "ListSecretVersions": "secrets.versions.list",
        "DisableSecretVersion": "secrets.versions.disable",
        "DestroySecretVersion": "secrets.versions.destroy",
        "GetIamPolicy": "secrets.getIamPolicy",
        "SetIamPolicy": "secrets.setIamPolicy",
    }

    assert {f"secretmanager.projects.{name}" for name in names.values()} <= documented
    assert set(SecretManagerSimulator().methods) == set(names)

"""Who calls the API: Cloud Run has checked the token, or it is checked here."""

import base64
import json
import logging
import time

import pytest
from starlette.datastructures import Headers

from functions.adapters.google.credentials.id_tokens import MAX_TOKEN, CheckedByCloudRun, CheckedHere
from functions.domain.classes.sessions import Caller, CallerRole
from functions.domain.errors import AttendanceError, CertificatesUnavailable, TokenRefused, WrongSetting
from functions.entrypoints.api.callers import caller_of
from functions.entrypoints.api.problems import NoToken, NotPermitted
from infra.local.id_tokens import IdTokenIssuer
from infra.local.processes import free_port
from tests.api import AUDIENCE, ISSUER, token

ROLES = {"lms@school.example": CallerRole.LMS, "ops@school.example": CallerRole.ADMIN}
OTHER = IdTokenIssuer()


async def caller(*headers, roles=ROLES, tokens=None):
    read = Headers(raw=[(name.lower().encode(), value.encode()) for name, value in headers])
    return await caller_of(read, roles, tokens or CheckedByCloudRun())


def behind_cloud_run(email="ops@school.example", **claims):
    """Return a token as Cloud Run passes it on."""
    return f"{token(email, **claims).rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"


def encoded(part):
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def written(payload, header=None, signature="x"):
    """Return a token without a signature."""
    return f"{encoded(header or {'alg': 'RS256', 'kid': ISSUER.key_id})}.{encoded(payload)}.{signature}"


def claims(**changes):
    now = int(time.time())
    usual = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "sub": "1",
        "iat": now,
        "exp": now + 3600,
        "email": "ops@school.example",
        "email_verified": True,
    }
    return {**usual, **changes}


@pytest.fixture
def clock():
    """Return a clock whose seconds only grow when a test says so."""
    now = [1000.0]

    def read():
        return now[0]

    read.wait = lambda seconds: now.__setitem__(0, now[0] + seconds)  # type: ignore[attr-defined]
    return read


@pytest.fixture
def fresh():
    """Return an issuer whose count of requests starts at zero."""
    with IdTokenIssuer("key-of-today").in_thread() as issuer:
        yield issuer


@pytest.fixture
def here(issuer, clock):
    return CheckedHere(issuer.endpoint, audience=AUDIENCE, clock=clock)


# --- Which token, which role -------------------------------------------------------------------------------------


async def test_the_email_in_the_token_decides_whatever_its_case():
    lms, ops = behind_cloud_run("LMS@School.example"), behind_cloud_run("ops@school.example")

    assert await caller(("Authorization", lms)) == Caller("lms@school.example", CallerRole.LMS)
    assert await caller(("authorization", ops)) == Caller("ops@school.example", CallerRole.ADMIN)
    assert await caller(("authorization", ops.replace("Bearer", "bearer"))) == Caller(
        "ops@school.example", CallerRole.ADMIN
    )


@pytest.mark.parametrize("on_cloud_run", [True, False])
async def test_the_token_in_x_serverless_authorization_counts_and_the_other_one_is_not_looked_at(here, on_cloud_run):
    tokens = CheckedByCloudRun() if on_cloud_run else here
    first, other = (behind_cloud_run, behind_cloud_run) if on_cloud_run else (token, token)
    headers = [
        ("X-Serverless-Authorization", first("lms@school.example")),
        ("Authorization", other("ops@school.example")),
    ]

    assert (await caller(*headers, tokens=tokens)).role is CallerRole.LMS
    assert (await caller(*reversed(headers), tokens=tokens)).role is CallerRole.LMS
    with pytest.raises(TokenRefused):
        await caller(("X-Serverless-Authorization", "Bearer broken"), headers[1], tokens=tokens)


async def test_of_two_tokens_nobody_knows_which_one_was_checked():
    one, other = behind_cloud_run("lms@school.example"), behind_cloud_run("ops@school.example")

    with pytest.raises(TokenRefused):
        await caller(("Authorization", one), ("Authorization", other))
    with pytest.raises(TokenRefused):
        await caller(("X-Serverless-Authorization", one), ("X-Serverless-Authorization", one))


@pytest.mark.parametrize("email", ["nobody@school.example", "*"])
async def test_a_valid_token_of_an_account_without_a_role_is_told_so(email):
    with pytest.raises(NotPermitted) as told:
        await caller(("Authorization", behind_cloud_run(email)))

    assert "school.example" not in told.value.message + told.value.hint


async def test_a_request_without_a_token_is_told_so():
    with pytest.raises(NoToken):
        await caller(("Cookie", token()))


@pytest.mark.parametrize(
    "authorization", [None, "nonsense", token(email_verified=False)], ids=["no token", "nonsense", "unverified"]
)
async def test_everybody_may_call_where_the_settings_say_so(here, authorization):
    everybody = {"*": CallerRole.ADMIN, "lms@school.example": CallerRole.LMS}
    headers = [("Authorization", authorization)] if authorization else []

    assert await caller(*headers, roles=everybody, tokens=here) == Caller(None, CallerRole.ADMIN)


async def test_where_everybody_may_call_a_valid_token_still_says_who_it_is(here):
    everybody = {"*": CallerRole.ADMIN, "lms@school.example": CallerRole.LMS}

    stranger = await caller(("Authorization", token("x@y.example")), roles=everybody, tokens=here)
    lms = await caller(("Authorization", token("lms@school.example")), roles=everybody, tokens=here)
    assert (stranger, lms) == (Caller("x@y.example", CallerRole.ADMIN), Caller("lms@school.example", CallerRole.LMS))


# --- Tokens that are no good -------------------------------------------------------------------------------------

BAD_CLAIMS = [
    {"email": ""},
    {"email": " "},
    {"email": None},
    {"email": ["ops@school.example"]},
    {"email": {"ops@school.example": 1}},
    {"email_verified": False},
    {"email_verified": "false"},
    {"email_verified": "true"},
    {"email_verified": 1},
    {"email_verified": None},
]


@pytest.mark.parametrize("bad", BAD_CLAIMS, ids=str)
async def test_a_token_counts_only_with_an_email_that_is_verified(here, bad):
    for tokens, sent in (
        (here, token(**{"email": "ops@school.example", **bad})),
        (CheckedByCloudRun(), behind_cloud_run(**{"email": "ops@school.example", **bad})),
    ):
        with pytest.raises(TokenRefused):
            await caller(("Authorization", sent), tokens=tokens)


@pytest.mark.parametrize("on_cloud_run", [True, False])
@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer a.b",
        "Bearer a.b.c",
        "Bearer a.b.c.d",
        "Bearer e30.e30.x",
        "Bearer " + "." * 100_000,
        "Basic " + token("ops@school.example").removeprefix("Bearer "),
        "Bearer " + written([1]),
        "Bearer " + written(b"\xff"),
        "Bearer " + written(b"[" * 2_000),
        "Bearer " + written(b"[" * 100_000),
        "Bearer " + written({"sub": "ops@school.example"}),
        "Bearer " + written(claims(padding="x" * MAX_TOKEN)),
    ],
    ids=[f"header {number}" for number in range(14)],
)
async def test_what_is_not_a_token_is_refused(here, header, on_cloud_run):
    with pytest.raises(TokenRefused):
        await caller(("Authorization", header), tokens=CheckedByCloudRun() if on_cloud_run else here)


NOW = int(time.time())
FORGED = {
    "nobody signed it": written(claims()),
    "Cloud Run did not check it": written(claims(), signature="SIGNATURE_REMOVED_BY_GOOGLE"),
    "no signature": written(claims(), signature=""),
    "alg none": written(claims(), {"alg": "none", "kid": ISSUER.key_id}, ""),
    "alg none without a key": written(claims(), {"alg": "none"}, ""),
    "no alg": written(claims(), {"kid": ISSUER.key_id}),
    "alg is a list": written(claims(), {"alg": ["RS256"], "kid": ISSUER.key_id}),
    "another algorithm": ISSUER.token(AUDIENCE, header={"alg": "ES256"}, email="ops@school.example"),
    "a symmetric algorithm": ISSUER.token(AUDIENCE, header={"alg": "HS256"}, email="ops@school.example"),
    "another key under the same name": OTHER.token(AUDIENCE, email="ops@school.example"),
    "an unknown key": IdTokenIssuer("key-2").token(AUDIENCE, email="ops@school.example"),
    "the key is a list": written(claims(), {"alg": "RS256", "kid": [ISSUER.key_id]}),
    "no key": written(claims(), {"alg": "RS256"}),
    "expired": ISSUER.token(AUDIENCE, email="ops@school.example", iat=NOW - 7200, exp=NOW - 3600),
    "from tomorrow": ISSUER.token(AUDIENCE, email="ops@school.example", iat=NOW + 86_400, exp=NOW + 90_000),
    "without an end": ISSUER.token(AUDIENCE, email="ops@school.example", exp=None),
    "its end is a text": ISSUER.token(AUDIENCE, email="ops@school.example", exp="tomorrow"),
    "for another service": ISSUER.token("https://other.example", email="ops@school.example"),
    "for a longer address": ISSUER.token(f"{AUDIENCE}.evil.example", email="ops@school.example"),
    "for several": ISSUER.token(AUDIENCE, aud=[AUDIENCE, "https://other.example"], email="ops@school.example"),
    "for nobody": ISSUER.token(AUDIENCE, aud=None, email="ops@school.example"),
    "of another issuer": ISSUER.token(AUDIENCE, iss="https://evil.example", email="ops@school.example"),
    "of an issuer that is a list": ISSUER.token(AUDIENCE, iss=["accounts.google.com"], email="ops@school.example"),
    "of no issuer": ISSUER.token(AUDIENCE, iss=None, email="ops@school.example"),
    "of Firebase": ISSUER.token(AUDIENCE, iss="https://securetoken.google.com/p", email="ops@school.example"),
}


@pytest.mark.parametrize("why", FORGED)
async def test_outside_cloud_run_a_forged_token_is_refused_and_none_of_it_is_logged(here, caplog, why):
    with caplog.at_level(logging.DEBUG), pytest.raises(TokenRefused) as refused:
        await caller(("Authorization", f"Bearer {FORGED[why]}"), tokens=here)

    told = f"{caplog.text} {[vars(record) for record in caplog.records]} {refused.value} {refused.value.hint}"
    assert "token.refused" in told
    assert not [part for part in [*FORGED[why].split("."), "ops@school"] if len(part) > 5 and part in told]
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("issuer_name", ["accounts.google.com", "https://accounts.google.com"])
async def test_outside_cloud_run_a_token_that_google_signed_for_this_service_counts(here, issuer_name):
    sent = token("ops@school.example", iss=issuer_name)

    assert (await caller(("Authorization", sent), tokens=here)).email == "ops@school.example"


async def test_on_cloud_run_the_platform_has_checked_the_token_and_its_signature_is_gone():
    assert (await caller(("Authorization", behind_cloud_run()))).email == "ops@school.example"


async def test_outside_cloud_run_without_an_audience_no_token_counts_and_the_variable_is_named(issuer):
    with pytest.raises(WrongSetting, match="API_AUDIENCE"):
        await caller(("Authorization", token()), tokens=CheckedHere(issuer.endpoint, audience=None))


# --- Certificates ------------------------------------------------------------------------------------------------


async def test_certificates_are_fetched_once_and_again_after_an_hour(fresh, clock):
    tokens = CheckedHere(fresh.endpoint, audience=AUDIENCE, clock=clock)
    sent = fresh.token(AUDIENCE, email="ops@school.example")

    assert fresh.asked == 0
    assert {await tokens.email(sent) for _ in range(20)} == {"ops@school.example"}
    assert fresh.asked == 1
    clock.wait(3601)
    await tokens.email(sent)
    assert fresh.asked == 2


async def test_a_key_that_google_began_to_sign_with_is_found_and_invented_keys_ask_once_a_minute(fresh, clock):
    tokens = CheckedHere(fresh.endpoint, audience=AUDIENCE, clock=clock)
    new = IdTokenIssuer("key-of-tomorrow")
    await tokens.email(fresh.token(AUDIENCE, email="ops@school.example"))
    fresh.shown = {fresh.key_id: fresh.certificate, new.key_id: new.certificate}
    clock.wait(61)

    assert await tokens.email(new.token(AUDIENCE, email="ops@school.example")) == "ops@school.example"
    assert fresh.asked == 2
    for number in range(50):
        with pytest.raises(TokenRefused):
            await tokens.email(written(claims(), {"alg": "RS256", "kid": f"invented-{number}"}))
    assert fresh.asked == 2


async def test_while_certificates_cannot_be_fetched_callers_are_asked_to_come_again(fresh, clock):
    tokens = CheckedHere(fresh.endpoint, audience=AUDIENCE, clock=clock)
    sent = fresh.token(AUDIENCE, email="ops@school.example")
    fresh.failing = True
    for _ in range(10):
        with pytest.raises(CertificatesUnavailable):
            await tokens.email(sent)

    assert fresh.asked == 1
    fresh.failing = False
    clock.wait(6)
    assert await tokens.email(sent) == "ops@school.example"


@pytest.mark.parametrize("shown", [{}, {"keys": []}, {"key-of-today": 1}])
async def test_an_answer_without_certificates_gives_no_access(fresh, shown):
    fresh.shown = shown
    with pytest.raises(CertificatesUnavailable):
        await CheckedHere(fresh.endpoint, audience=AUDIENCE).email(fresh.token(AUDIENCE, email="ops@school.example"))


async def test_an_invalid_certificate_gives_no_access(fresh):
    fresh.shown = {fresh.key_id: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}
    with pytest.raises(TokenRefused):
        await CheckedHere(fresh.endpoint, audience=AUDIENCE).email(fresh.token(AUDIENCE, email="ops@school.example"))


async def test_where_nobody_shows_certificates_callers_are_asked_to_come_again():
    tokens = CheckedHere(f"http://127.0.0.1:{free_port()}", audience=AUDIENCE)
    with pytest.raises(CertificatesUnavailable):
        await tokens.email(ISSUER.token(AUDIENCE, email="ops@school.example"))


async def test_every_refusal_has_words_that_help():
    for error in (NoToken(""), TokenRefused(""), NotPermitted(""), CertificatesUnavailable("")):
        assert isinstance(error, AttendanceError)
        assert len(error.hint) > 20

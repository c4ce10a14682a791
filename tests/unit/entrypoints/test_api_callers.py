"""Who calls: by a token that was verified before us."""

import base64
import json

import pytest
from starlette.datastructures import Headers

from functions.domain.sessions import Caller, CallerRole
from functions.entrypoints.api.callers import caller_of
from tests.api import token

ROLES = {"lms@school.example": CallerRole.LMS, "ops@school.example": CallerRole.ADMIN}


def caller(*headers, roles=ROLES):
    return caller_of(Headers(raw=[(name.lower().encode(), value.encode()) for name, value in headers]), roles)


def bearer(payload):
    return "Bearer e30." + base64.urlsafe_b64encode(payload).decode().rstrip("=") + ".x"


def test_the_email_in_the_token_decides_whatever_its_case():
    assert caller(("Authorization", token("LMS@School.example"))) == Caller("lms@school.example", CallerRole.LMS)
    assert caller(("authorization", token("ops@school.example"))) == Caller("ops@school.example", CallerRole.ADMIN)


def test_the_token_that_cloud_run_verified_comes_before_the_one_that_it_did_not():
    verified = ("X-Serverless-Authorization", token("lms@school.example"))
    other = ("Authorization", token("ops@school.example"))

    assert caller(other, verified).role is CallerRole.LMS
    assert caller(other, ("X-Serverless-Authorization", "Bearer broken")) is None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer a.b",
        "Bearer a.b.c",
        "Bearer e30.e30.x",
        "Basic " + token("ops@school.example").removeprefix("Bearer "),
        token("nobody@school.example"),
        token("*"),
        token(""),
        token("ops@school.example", email_verified=False),
        token(["ops@school.example"]),
        bearer(b"[1]"),
        bearer(b"\xff"),
        bearer(b"[" * 100_000),
        bearer(json.dumps({"sub": "ops@school.example"}).encode()),
    ],
)
def test_whoever_is_not_named_is_nobody(header):
    assert caller(("Authorization", header)) is None


def test_of_two_tokens_nobody_knows_which_one_was_verified():
    assert (
        caller(("Authorization", token("lms@school.example")), ("Authorization", token("ops@school.example"))) is None
    )


def test_everybody_may_call_where_the_settings_say_so():
    everybody = {"*": CallerRole.ADMIN, "lms@school.example": CallerRole.LMS}

    assert caller(roles=everybody) == Caller(None, CallerRole.ADMIN)
    assert caller(("Authorization", "nonsense"), roles=everybody) == Caller(None, CallerRole.ADMIN)
    assert caller(("Authorization", token("x@y.example")), roles=everybody) == Caller("x@y.example", CallerRole.ADMIN)
    assert caller(("Authorization", token("lms@school.example")), roles=everybody).role is CallerRole.LMS

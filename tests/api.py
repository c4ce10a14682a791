"""The HTTP API for tests: the real application, called as an LMS calls it."""

from __future__ import annotations

import httpx

from functions.entrypoints.api.function import guarded
from infra.local.id_tokens import IdTokenIssuer

LMS = "lms@school.example"
OPERATOR = "operator@school.example"
CALLERS = f"{LMS}=lms,{OPERATOR}=admin"


AUDIENCE = "https://attendance.example"
ISSUER = IdTokenIssuer()
"""It replaces Google; the fixture `issuer` starts it, so that its certificates can be fetched."""


def token(email=LMS, **claims):
    """Return the header with a valid ID token for the API; other claims replace the usual ones."""
    return f"Bearer {ISSUER.token(AUDIENCE, email=email, **claims)}"


def client(app, *, caller=OPERATOR):
    """Call the application; without a caller, no token is sent."""
    headers = {"Authorization": token(caller)} if caller else {}
    return httpx.AsyncClient(transport=httpx.ASGITransport(guarded(app)), base_url="http://api", headers=headers)


def slug(answer):
    """Return the kind of problem in an answer, after a check that it has the form of every problem."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status_code
    assert {"type", "title", "status", "detail", "hint"} <= set(problem)
    return problem["type"].rpartition("/")[2]


def fields(answer):
    """Return the fields that a 422 names."""
    assert (answer.status_code, slug(answer)) == (422, "invalid-request")
    return [error["field"] for error in answer.json()["errors"]]

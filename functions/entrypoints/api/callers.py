"""Who calls, by the token that Cloud Run has verified.

Cloud Run lets nobody through whose ID token it has not verified (`--no-allow-unauthenticated`), and passes the token
on, with its signature cut off where the caller used `Authorization`. So it is only read here, not verified again: the
function must never be served to a network without Cloud Run's check before it.
https://cloud.google.com/run/docs/authenticating/service-to-service
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.datastructures import Headers

from functions.domain.sessions import Caller, CallerRole

ANYBODY = "*"
"""In API_CALLERS: every caller, also one without a token; refused by the settings unless on one machine."""

_SEGMENTS = 3


def caller_of(headers: Headers, roles: Mapping[str, CallerRole]) -> Caller | None:
    """Who makes a request; None for somebody whom API_CALLERS does not name."""
    email = _email(headers)
    role = roles.get(email) if email and email != ANYBODY else None
    role = role or roles.get(ANYBODY)
    return Caller(email=email, role=role) if role else None


def _email(headers: Headers) -> str | None:
    # Where the first of the two is sent, Cloud Run checks it and leaves the other one unchecked.
    tokens = headers.getlist("x-serverless-authorization") or headers.getlist("authorization")
    return _claim(tokens)


def _claim(tokens: Sequence[str]) -> str | None:
    if len(tokens) != 1:  # of two, nobody knows which one was verified
        return None
    scheme, _, token = tokens[0].partition(" ")
    claims = _payload(token.strip()) if scheme.lower() == "bearer" else {}
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is False:
        return None
    return email.strip().lower() or None


def _payload(token: str) -> Mapping[str, Any]:
    parts = token.split(".")
    if len(parts) != _SEGMENTS:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}

"""Who calls: by the ID token of the request, and by the role of its account in API_CALLERS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers

from functions.domain.classes.sessions import Caller, CallerRole
from functions.domain.errors import AttendanceError, TokenRefused
from functions.entrypoints.api.problems import NoRole, NoToken
from functions.ports.google import IdTokens

ANYBODY = "*"
"""In API_CALLERS: every caller, also one without a token; refused by the settings unless on one machine."""


async def caller_of(headers: Headers, roles: Mapping[str, CallerRole], tokens: IdTokens) -> Caller:
    """Who makes a request.

    Args:
        headers: Of the request.
        roles: Roles by e-mail.
        tokens: What says whose a token is.

    Raises:
        NoToken, TokenRefused, NoRole: Nobody who may call.
        CertificatesUnavailable, WrongSetting: Nobody can say at the moment.
    """
    anybody = roles.get(ANYBODY)
    try:
        email = await _email(headers, tokens)
    except AttendanceError:
        if anybody is None:
            raise
        return Caller(email=None, role=anybody)
    role = (roles.get(email) if email != ANYBODY else None) or anybody
    if role is None:
        raise NoRole("The token is valid, but its account has no role here.")
    return Caller(email=email, role=role)


async def _email(headers: Headers, tokens: IdTokens) -> str:
    # Where the first of the two is sent, Cloud Run checks it and leaves the other one unchecked.
    # https://cloud.google.com/run/docs/authenticating/service-to-service
    return await tokens.email(_token(headers.getlist("x-serverless-authorization") or headers.getlist("authorization")))


def _token(sent: Sequence[str]) -> str:
    if not sent:
        raise NoToken("The request has no token.")
    scheme, _, token = sent[0].partition(" ")
    if len(sent) > 1 or scheme.lower() != "bearer":  # of two, nobody knows which one was checked
        raise TokenRefused("The token is not valid for this service.")
    return token.strip()

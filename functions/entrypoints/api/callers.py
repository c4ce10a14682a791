"""The caller of a request: found by its ID token, and by the role of the account in API_CALLERS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers

from functions.domain.classes.sessions import Caller, CallerRole
from functions.domain.errors import AttendanceError, TokenRefused
from functions.entrypoints.api.problems import NoToken, NotPermitted
from functions.ports.google import IdTokens

ANYBODY = "*"
"""In API_CALLERS: every caller, even without a token; the settings refuse it unless everything is on one machine."""


async def caller_of(headers: Headers, roles: Mapping[str, CallerRole], tokens: IdTokens) -> Caller:
    """Find the caller of a request.

    Args:
        headers: The headers of the request.
        roles: Roles by e-mail.
        tokens: Checks tokens and says which account they are for.

    Raises:
        NoToken, TokenRefused, NotPermitted: The caller may not call.
        CertificatesUnavailable, WrongSetting: Tokens cannot be checked at the moment.
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
        raise NotPermitted("The token is valid, but its account has no role here.")
    return Caller(email=email, role=role)


async def _email(headers: Headers, tokens: IdTokens) -> str:
    # If the first of these two headers is sent, Cloud Run checks only that one.
    # https://cloud.google.com/run/docs/authenticating/service-to-service
    return await tokens.email(_token(headers.getlist("x-serverless-authorization") or headers.getlist("authorization")))


def _token(sent: Sequence[str]) -> str:
    if not sent:
        raise NoToken("The request has no token.")
    scheme, _, token = sent[0].partition(" ")
    if len(sent) > 1 or scheme.lower() != "bearer":  # if a header comes twice, nobody knows which one was checked
        raise TokenRefused("The token is not valid for this service.")
    return token.strip()

"""Which account calls the API, according to the ID token of the request.

On Cloud Run the platform has checked the token before it reaches this process. It replaces the signature by
`SIGNATURE_REMOVED_BY_GOOGLE`, so nobody can check it again. Everywhere else nobody has checked the token, so this
process checks it itself: signature, audience, issuer, times.

`email_verified` must be the boolean `true`, which Google writes into a token. Google's `tokeninfo` answers the text
"true", but this process does not call it.
https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload

https://cloud.google.com/run/docs/authenticating/service-to-service
https://cloud.google.com/run/docs/troubleshooting#signature-removed
https://googleapis.dev/python/google-auth/latest/reference/google.auth.jwt.html
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from functions.domain.errors import CertificatesUnavailable, TokenRefused, WrongSetting

log = logging.getLogger(__name__)

MAX_TOKEN = 8_000
"""Characters. Google's ID tokens have about 1,300 characters."""

KEPT = 3600.0
"""How many seconds certificates are kept. Google publishes a new one well before it signs with it."""

ASKED_AGAIN = 60.0
"""How many seconds must pass before an unknown certificate in a token makes us fetch certificates again: anybody can
forge such tokens."""

FAILURE_KEPT = 5.0
"""For how many seconds a failure also answers later requests."""

ANSWER_TIMEOUT = 10.0
"""Seconds for one answer of the endpoint."""

CLOCK_SKEW = 10
"""By how many seconds the clock of this machine may be wrong."""

ISSUERS = ("accounts.google.com", "https://accounts.google.com")
ALGORITHM = "RS256"
_SEGMENTS = 3
_PATH = "/oauth2/v1/certs"


class CheckedByCloudRun:
    """`functions.ports.google.IdTokens` on Cloud Run: tokens are only read."""

    async def email(self, token: str) -> str:
        """See `IdTokens`."""
        return _verified_email(_part(token, 1))


class CheckedHere:
    """`functions.ports.google.IdTokens` everywhere else: tokens are checked against Google's certificates.

    Args:
        endpoint: `host:port` of the real service, or `http://127.0.0.1:PORT` of a stand-in.
        audience: The address for which tokens must be made; without it all tokens are refused.
        clock: A clock in seconds that never goes back.
    """

    def __init__(self, endpoint: str, *, audience: str | None, clock: Callable[[], float] = monotonic) -> None:
        self._is_local = endpoint.startswith("http://")
        self._url = (endpoint if self._is_local else f"https://{endpoint.removesuffix(':443')}") + _PATH
        self._audience = audience
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._certificates: Mapping[str, str] = {}
        self._fetched_at: float | None = None
        self._failed_at: float | None = None

    async def email(self, token: str) -> str:
        """See `IdTokens`."""
        if self._audience is None:
            raise WrongSetting("API_AUDIENCE: should be the address of this service, because it checks tokens itself")
        key_id, algorithm = (_part(token, 0).get(name) for name in ("kid", "alg"))
        if algorithm != ALGORITHM or not isinstance(key_id, str):
            raise _refused("algorithm")
        certificates = await self._kept_or_fetched(key_id)
        if key_id not in certificates:
            raise _refused("unknown-key")
        return _verified_email(self._verified(token, certificates))

    def _verified(self, token: str, certificates: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the claims of a token if everything in it is valid.

        The library's errors contain the token, so they are not passed on.
        """
        from google.auth import jwt  # noqa: PLC0415 - an instance on Cloud Run starts without it

        try:
            claims: Mapping[str, Any] = jwt.decode(  # type: ignore[no-untyped-call] # the package has no types
                token, certs=certificates, audience=self._audience, clock_skew_in_seconds=CLOCK_SKEW
            )
        except Exception as error:  # noqa: BLE001 - whatever a forged token makes the library trip over
            raise _refused(type(error).__name__) from None
        if claims.get("iss") not in ISSUERS:
            raise _refused("issuer")
        return claims

    async def _kept_or_fetched(self, key_id: str) -> Mapping[str, str]:
        if self._will_do(key_id):
            return self._certificates
        async with self._one_at_a_time:
            if self._will_do(key_id):
                return self._certificates
            if self._failed_at is not None and self._clock() - self._failed_at < FAILURE_KEPT:
                raise CertificatesUnavailable("Google's certificates cannot be fetched.")
            try:
                self._certificates = await asyncio.to_thread(self._fetch)
            except CertificatesUnavailable:
                self._failed_at = self._clock()
                raise
            self._fetched_at, self._failed_at = self._clock(), None
            return self._certificates

    def _will_do(self, key_id: str) -> bool:
        """Whether the fetched certificates are enough to judge a token with this key."""
        longest = KEPT if key_id in self._certificates else ASKED_AGAIN
        return self._fetched_at is not None and self._clock() - self._fetched_at < longest

    def _fetch(self) -> Mapping[str, str]:
        import requests  # noqa: PLC0415 - as above

        try:
            with requests.Session() as session:
                session.trust_env = not self._is_local  # a stand-in is on this machine, so no proxy is used
                answer = session.get(self._url, timeout=ANSWER_TIMEOUT, allow_redirects=False)
            found = answer.json() if answer.status_code == requests.codes.ok else None
        except (requests.RequestException, ValueError, RecursionError) as error:
            log.warning("certificates.failed", extra={"error": type(error).__name__})
            raise CertificatesUnavailable("Google's certificates cannot be fetched.") from None
        if not isinstance(found, dict) or not found or not all(isinstance(one, str) for one in found.values()):
            log.warning("certificates.failed", extra={"status": answer.status_code})
            raise CertificatesUnavailable("Google's certificates cannot be fetched.")
        return found


def _verified_email(claims: Mapping[str, Any]) -> str:
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str) or not email.strip():
        raise _refused("no-verified-email")
    return email.strip().lower()


def _part(token: str, number: int) -> Mapping[str, Any]:
    """One part of a token, decoded."""
    parts = token.split(".", _SEGMENTS)
    if len(token) > MAX_TOKEN or len(parts) != _SEGMENTS:
        raise _refused("form")
    try:
        read = json.loads(base64.urlsafe_b64decode(parts[number] + "=" * (-len(parts[number]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise _refused("form") from None
    if not isinstance(read, dict):
        raise _refused("form")
    return read


def _refused(why: str) -> TokenRefused:
    """Log why a token is refused, and return the error; neither repeats anything from the token."""
    log.info("token.refused", extra={"reason": why})
    return TokenRefused("The token is not valid for this service.")

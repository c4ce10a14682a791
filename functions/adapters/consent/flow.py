"""How a teacher is asked for consent: with Google's flow for desktop applications (library google-auth-oauthlib).

The library adds the protection: a `state`, and a proof that the program that asks is also the one that fetches the
token (PKCE). https://developers.google.com/identity/protocols/oauth2/native-app
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import requests
from google_auth_oauthlib.flow import InstalledAppFlow  # type: ignore[import-untyped]  # the package has no py.typed
from oauthlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]  # likewise

from functions.adapters.consent.errors import ConsentNotGiven, OAuthClientUnusable
from functions.adapters.consent.oauth_client import OAuthClient
from functions.adapters.google.credentials.capabilities import Metadata
from functions.domain.errors import AttendanceError, CredentialsUnavailable

ANSWER_TIMEOUT = 20.0
"""How many seconds to wait for the token endpoint's answer."""

OPENID = "openid"
"""Google adds this scope whenever a program asks for the person's identity, so we ask for it ourselves."""

_AUTH_URI = "https://accounts.google.com/o/oauth2/v2/auth"
_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_CLIENT_CODES = frozenset({"invalid_client", "unauthorized_client", "deleted_client", "disabled_client"})
_PASSING_CODES = frozenset(
    {"internal_failure", "server_error", "temporarily_unavailable", "rate_limit_exceeded", "missing_token"}
)


@dataclass(frozen=True, slots=True)
class Obtained:
    """What Google returned for a consent.

    Attributes:
        access_token: Valid for an hour.
        refresh_token: Valid as long as the consent is valid; None if Google gave none.
        scopes: The granted scopes, without `openid`.
        ends_in: The time after which the consent ends by itself, if Google says so.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    scopes: frozenset[str]
    ends_in: timedelta | None


class ConsentFlow:
    """Asks one teacher for consent, once.

    Args:
        client: What the teacher consents to.
        scopes: What is asked for.
        redirect_uri: The address at which the answer is expected.
        stand_in: The address of a stand-in of Google's authorization server on this machine.
    """

    def __init__(
        self, client: OAuthClient, scopes: Collection[str], *, redirect_uri: str, stand_in: str | None = None
    ) -> None:
        self._scopes = frozenset(scopes)
        self._redirect_uri = redirect_uri
        self._flow = InstalledAppFlow.from_client_config(
            {
                "installed": {
                    "client_id": client.client_id,
                    "client_secret": client.client_secret,
                    "auth_uri": f"{stand_in}/o/oauth2/v2/auth" if stand_in else _AUTH_URI,
                    "token_uri": f"{stand_in}/token" if stand_in else _TOKEN_URI,
                }
            },
            scopes=sorted({*scopes, OPENID}),
            redirect_uri=redirect_uri,
        )
        # A stand-in is on this machine, so no proxy is used.
        self._flow.oauth2session.trust_env = stand_in is None

    def page(self, *, email: str | None) -> tuple[str, str]:
        """Return the address of Google's page, and the `state` by which its answer is recognised.

        The teacher is asked again even after an earlier consent, because Google returns a new refresh token only then.
        Scopes that were granted earlier are not added (`include_granted_scopes`), which Google does not do for desktop
        clients: https://developers.google.com/identity/protocols/oauth2/native-app

        Args:
            email: The teacher whose consent is expected, so that Google offers this account.
        """
        more = {"login_hint": email} if email else {}
        address, state = self._flow.authorization_url(access_type="offline", prompt="consent", **more)
        return str(address), str(state)

    async def exchange(self, answer: Mapping[str, str]) -> Obtained:
        """Exchange the answer of Google's page for tokens.

        Raises:
            ConsentNotGiven: The teacher refused, or the answer came too late.
            OAuthClientUnusable: Google does not accept the client.
            CredentialsUnavailable: The token endpoint does not answer.
        """
        if "error" in answer:
            raise _denied(answer["error"])
        # The library refuses an answer over plain HTTP, although nobody else can see one on loopback.
        brought = f"{self._redirect_uri.replace('http:', 'https:', 1)}?{urlencode(answer)}"
        fetch = partial(self._flow.fetch_token, authorization_response=brought, timeout=ANSWER_TIMEOUT)
        try:
            token = await asyncio.to_thread(fetch)
        except OAuth2Error as error:
            raise _named(str(error.error or "")) from None
        except requests.RequestException as error:
            raise CredentialsUnavailable(
                f"Google's token endpoint does not answer ({type(error).__name__}). Nothing was stored."
            ) from None
        except Warning as warning:
            # This is how oauthlib says that the granted scopes are not the requested ones, unless an environment
            # variable changes this. We check the granted scopes in any case.
            token = getattr(warning, "token", {})
        return self._obtained(token)

    def _obtained(self, token: Mapping[str, Any]) -> Obtained:
        access_token = token.get("access_token")
        if not access_token:
            raise CredentialsUnavailable("The token endpoint answered without a token. Nothing was stored.")
        told = token.get("scope", self._scopes)
        granted = frozenset(told.split() if isinstance(told, str) else told)
        ends_in = token.get("refresh_token_expires_in")
        return Obtained(
            access_token=str(access_token),
            refresh_token=token.get("refresh_token") or None,
            scopes=granted - {OPENID},
            ends_in=timedelta(seconds=ends_in) if isinstance(ends_in, int) else None,
        )


class TokenInHand:
    """`Credentials` with one fixed token, for the few calls right after it was fetched."""

    def __init__(self, access_token: str) -> None:
        self._access_token = access_token

    async def metadata(self) -> Metadata:
        """See `Credentials`."""
        return (("authorization", f"Bearer {self._access_token}"),)

    def renew(self, _: Metadata) -> bool:
        """Return these credentials; see `Credentials`."""
        return False


def _denied(code: str) -> AttendanceError:
    if code == "access_denied":
        return ConsentNotGiven(
            "The teacher did not consent. Nothing was stored.",
            hint="Run the command again, and choose Continue on Google's page with every box ticked. If Google's page "
            "said that the app is not verified or that access is blocked, docs/oauth.md says what to do.",
        )
    return _named(code)


def _named(code: str) -> AttendanceError:
    """Our error for an error of the token endpoint or of Google's page."""
    told = f"({code})" if re.fullmatch(r"[a-z_]{1,40}", code) else "(an unknown error)"
    if code in _CLIENT_CODES:
        return OAuthClientUnusable(
            f"Google does not accept the OAuth client {told}. Nothing was stored.",
            hint="It was deleted, disabled or given a new secret: download its JSON file again in the console under "
            "Google "
            "Auth Platform > Clients.",
        )
    if code in _PASSING_CODES:
        return CredentialsUnavailable(f"Google does not answer {told}. Nothing was stored.", hint="Try again.")
    return ConsentNotGiven(
        f"Google refuses a token for this consent {told}. Nothing was stored.",
        hint="Run the command again: Google's answer can be used only once, within a few minutes.",
    )

"""The memory of Google's authorization server: who consented to what, who may act for which account, valid tokens.

These are plain objects without HTTP. A refusal contains the words with which Google answers. The time comes from a
given clock.

https://developers.google.com/identity/protocols/oauth2#expiration
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from google.auth import crypt, jwt

from infra.local.callers import SCOPES
from infra.local.school import School

TOKEN_LIFE = timedelta(seconds=3599)
CODE_LIFE = timedelta(minutes=10)
TESTING_LIFE = timedelta(days=7)
"""How long a consent is valid while the consent screen is in Testing."""

MOST_CONSENTS = 100
"""The maximum number of live refresh tokens of one account for one client; the oldest ends without notice."""

SKEW = timedelta(minutes=5)
"""How far a signer's clock may be off."""

_IDENTITY = frozenset({"openid", f"{SCOPES}userinfo.email", f"{SCOPES}userinfo.profile"})


class GrantRefused(Exception):
    """The token endpoint's answer: an HTTP status, the code of RFC 6749, and Google's words."""

    def __init__(self, code: str, words: str, *, status: int = 400) -> None:
        super().__init__(words)
        self.code = code
        self.words = words
        self.status = status


@dataclass(frozen=True)
class Asking:
    """What a client requests from an account on the consent screen, and where the answer goes."""

    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    challenge: str | None
    offline: bool
    prompted: bool


@dataclass(frozen=True)
class Granted:
    """A consent: what an account allows a client. `email` is the account's address."""

    email: str
    client_id: str
    scopes: frozenset[str]
    refresh_token: str
    at: datetime
    ends_at: datetime | None = None
    revoked: bool = False


@dataclass(frozen=True)
class _Code:
    asking: Asking
    email: str
    scopes: frozenset[str]
    ends_at: datetime


@dataclass(frozen=True)
class _Token:
    subject: str
    scopes: frozenset[str]
    ends_at: datetime


class Grants:
    """The memory of one authorization server. To share it among threads, the caller needs its own lock.

    Args:
        school: The school with the accounts.
        clock: The current time.
        signer: Signs the ID tokens that tell a client who a person is.
        public_key: The key that checks the signatures of service accounts, in PEM.

    Attributes:
        clients: The secret of each OAuth client, by its id.
        consents: All consents that were ever given, the newest last.
        delegations: The scopes that an administrator allows to each service account, by its address.
        scopes_denied: Whether a scope that the administrator does not allow is refused with `access_denied` instead of
            `unauthorized_client`. Google documents both for this case.
        suspended: Addresses of accounts that are suspended.
        assertions: The claims of all signed assertions that service accounts tried to exchange.
        testing: Whether the consent screen is in Testing; then consents end after a week.
        gives_refresh_tokens: Whether the exchange of a code also gives a refresh token, not only a token for one hour.
    """

    def __init__(
        self, school: School, *, clock: Callable[[], datetime], signer: crypt.RSASigner, public_key: bytes
    ) -> None:
        self._school = school
        self._clock = clock
        self._verifier = crypt.RSAVerifier.from_string(public_key)  # type: ignore[no-untyped-call]
        self._signer = signer
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, _Token] = {}
        self.clients: dict[str, str] = {}
        self.consents: list[Granted] = []
        self.delegations: dict[str, frozenset[str]] = {}
        self.scopes_denied = False
        self.suspended: set[str] = set()
        self.assertions: list[Mapping[str, Any]] = []
        self.testing = False
        self.gives_refresh_tokens = True

    def who(self, access_token: str) -> tuple[str, frozenset[str]] | None:
        """Return the address of the token's account, with the token's scopes; None if the token is not valid now."""
        token = self._tokens.get(access_token)
        return (token.subject, token.scopes) if token and self._clock() < token.ends_at else None

    def consent(self, email: str, scopes: Collection[str], client_id: str) -> Granted:
        """Record that an account consents to these scopes."""
        self._require_account(email)
        now = self._clock()
        ends_at = now + TESTING_LIFE if self.testing else None
        granted = Granted(email, client_id, _with_openid(scopes), f"1//{secrets.token_urlsafe(40)}", now, ends_at)
        self.consents.append(granted)
        live = [each for each in self.consents if (each.email, each.client_id) == (email, client_id) and _lives(each)]
        for oldest in live[:-MOST_CONSENTS]:
            self._end(oldest)
        return granted

    def revoke(self, email: str) -> None:
        """Revoke all consents of an account; the tokens that were fetched with them become invalid too."""
        for granted in [each for each in self.consents if each.email == email]:
            self._end(granted)
        self._tokens = {value: token for value, token in self._tokens.items() if token.subject != email}

    def code_for(self, asking: Asking, email: str, ticked: Collection[str]) -> str:
        """Return the code for the scopes that a person ticked on the consent screen."""
        self._require_account(email)
        code = f"4/0{secrets.token_urlsafe(48)}"
        scopes = _with_openid(asking.scopes & set(ticked))
        self._codes[code] = _Code(asking, email, scopes, self._clock() + CODE_LIFE)
        return code

    def by_code(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Exchange a code. It works only once.

        https://developers.google.com/identity/protocols/oauth2/native-app#exchange-authorization-code
        """
        client_id = self._client(form)
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or self._clock() >= code.ends_at or code.asking.client_id != client_id:
            raise GrantRefused("invalid_grant", "Malformed auth code.")
        if code.asking.redirect_uri != form.get("redirect_uri"):
            raise GrantRefused("redirect_uri_mismatch", "Bad Request")
        if code.asking.challenge is not None:
            if "code_verifier" not in form:
                raise GrantRefused("invalid_grant", "Missing code verifier.")
            if code.asking.challenge != _challenge(form["code_verifier"]):
                raise GrantRefused("invalid_grant", "Invalid code verifier.")
        known = any((each.email, each.client_id) == (code.email, client_id) and _lives(each) for each in self.consents)
        answer = self._token(code.email, code.scopes)
        if code.asking.offline and (code.asking.prompted or not known) and self.gives_refresh_tokens:
            granted = self.consent(code.email, code.scopes, client_id)
            answer["refresh_token"] = granted.refresh_token
            if granted.ends_at:
                answer["refresh_token_expires_in"] = int((granted.ends_at - self._clock()).total_seconds())
        return answer | self._id_token(code.email, client_id, code.scopes)

    def by_refresh_token(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Exchange a refresh token, for all or some of its scopes."""
        client_id = self._client(form)
        granted = next((each for each in self.consents if each.refresh_token == form.get("refresh_token")), None)
        if granted is None or granted.client_id != client_id or granted.revoked or granted.email in self.suspended:
            raise GrantRefused("invalid_grant", "Token has been expired or revoked.")
        if granted.ends_at and self._clock() >= granted.ends_at:
            raise GrantRefused("invalid_grant", "Token has been expired or revoked.")
        wanted = frozenset(form.get("scope", "").split()) or granted.scopes
        if not wanted <= granted.scopes:
            raise GrantRefused("invalid_scope", "Bad Request")
        return self._token(granted.email, wanted) | self._id_token(granted.email, client_id, wanted)

    def by_assertion(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Exchange an assertion that a service account signed; the gate has checked the form of its claims.

        https://developers.google.com/identity/protocols/oauth2/service-account#error-codes
        """
        claims = self._claims(form.get("assertion", ""))
        self.assertions.append(claims)
        issuer, subject = str(claims.get("iss", "")), str(claims.get("sub", ""))
        scopes = frozenset(str(claims.get("scope", "")).split())
        if issuer not in self.delegations:
            raise GrantRefused("invalid_grant", "Invalid grant: account not found")
        if subject in {"", issuer}:
            return self._token(issuer, scopes, says_scopes=False)
        email = self._address(subject)
        if email is None or email in self.suspended:
            raise GrantRefused("invalid_grant", "Invalid email or User ID")
        if not scopes <= self.delegations[issuer] and self.scopes_denied:
            raise GrantRefused("access_denied", "Requested client not authorized.", status=403)
        if not scopes <= self.delegations[issuer]:
            raise GrantRefused(
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any "
                "of the scopes requested.",
                status=401,
            )
        return self._token(email, scopes, says_scopes=False)

    def _claims(self, assertion: str) -> Mapping[str, Any]:
        signed, _, signature = assertion.rpartition(".")
        try:
            claims: Mapping[str, Any] = json.loads(_unarmoured(signed.partition(".")[2]))
            genuine = self._verifier.verify(signed.encode(), _unarmoured(signature))
        except ValueError as error:
            raise GrantRefused("invalid_request", "Bad Request") from error
        if not genuine:
            raise GrantRefused("invalid_grant", "Invalid JWT Signature.")
        now = self._clock().timestamp()
        issued, ends = claims.get("iat", 0), claims.get("exp", 0)
        skew = SKEW.total_seconds()
        if not (issued - skew <= now < ends + skew and 0 < ends - issued <= 3600):  # noqa: PLR2004 - an hour at most
            raise GrantRefused(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your "
                "iat and exp values in the JWT claim.",
            )
        return claims

    def _client(self, form: Mapping[str, str]) -> str:
        client_id = form.get("client_id", "")
        if client_id not in self.clients:
            raise GrantRefused("invalid_client", "The OAuth client was not found.", status=401)
        if form.get("client_secret") != self.clients[client_id]:
            raise GrantRefused("invalid_client", "The provided client secret is invalid.", status=401)
        return client_id

    def _token(self, subject: str, scopes: frozenset[str], *, says_scopes: bool = True) -> dict[str, Any]:
        value = f"ya29.{secrets.token_urlsafe(60)}"
        self._tokens[value] = _Token(subject, scopes, self._clock() + TOKEN_LIFE)
        answer = {"access_token": value, "expires_in": int(TOKEN_LIFE.total_seconds()), "token_type": "Bearer"}
        return answer | ({"scope": " ".join(sorted(scopes))} if says_scopes else {})

    def _id_token(self, email: str, client_id: str, scopes: frozenset[str]) -> dict[str, Any]:
        if "openid" not in scopes:
            return {}
        now = int(self._clock().timestamp())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": client_id,
            "sub": (self._school.user(email) or "").removeprefix("users/"),
            "email": email,
            "iat": now,
            "exp": now + 3600,
        }
        return {"id_token": jwt.encode(self._signer, claims).decode()}  # type: ignore[no-untyped-call]

    def _require_account(self, email: str) -> None:
        if self._address(email) != email:
            raise LookupError(f"The school has no account with the primary address {email}")

    def _address(self, subject: str) -> str | None:
        """Return the primary address of the requested account; None if there is no such account."""
        user = self._school.user(subject)
        account = self._school.account(user or "")
        return account.email if account else user and subject

    def _end(self, granted: Granted) -> None:
        self.consents[self.consents.index(granted)] = replace(granted, revoked=True)


def _lives(granted: Granted) -> bool:
    return not granted.revoked


def _with_openid(scopes: Collection[str]) -> frozenset[str]:
    """Add `openid` if a scope asks who the person is, as Google does."""
    found = frozenset(scopes)
    return found | {"openid"} if found & _IDENTITY else found


def _challenge(verifier: str) -> str:
    """https://datatracker.ietf.org/doc/html/rfc7636#section-4.2 ."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _unarmoured(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

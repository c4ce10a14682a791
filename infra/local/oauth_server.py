"""A stand-in for Google's authorization server, its token endpoint, and signing in the IAM Credentials API.

It serves google-auth and google-auth-oauthlib over HTTP on loopback. The other stand-ins accept its tokens: they ask
`OAuthServer.who`. The consent screen is a page with a box for each scope. A person or a test can tick the boxes.

https://developers.google.com/identity/protocols/oauth2/native-app
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signJwt
"""

import asyncio
import base64
import html
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from infra.local.gate.calls import Rules
from infra.local.gate.discovery import discovered
from infra.local.gate.endpoints import JWT_BEARER, OAUTH
from infra.local.gate.middleware import PLANNED
from infra.local.google_apis import RestFault
from infra.local.grants import Asking, Granted, GrantRefused, Grants
from infra.local.school import School
from infra.local.serving import HttpStandIn

_GRPC_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_LONGEST_JWT = 12 * 3600
"""The maximum number of seconds until the time in the claim `exp`."""


class OAuthServer(HttpStandIn):
    """Issues tokens for a school's accounts. `grants`, `calls` and the faults may be used from any thread.

    Args:
        school: The school with the accounts.
        clock: The current time; by default that of this machine, because google-auth uses it to date what it signs.

    Attributes:
        grants: Its memory: clients, consents, delegations and received assertions.
        calls: How often `auth`, `token`, `signBlob` and `signJwt` were called.
        public_key: The key that verifies all its signatures, in PEM.
        signers: The access tokens that may be used to sign; if there are none, everybody may sign.
    """

    def __init__(self, school: School, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        key = _private_key()
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._signer = crypt.RSASigner.from_string(private)  # type: ignore[no-untyped-call] # the package has no types
        self.public_key = public
        self.grants = Grants(school, clock=clock, signer=self._signer, public_key=public)
        self.calls: Counter[str] = Counter()
        self._asking: dict[str, tuple[Asking, str]] = {}
        self._faults: list[tuple[RestFault, list[None]]] = []
        self.signers: set[str] = set()
        self._lock = threading.RLock()

    def who(self, access_token: str) -> tuple[str, frozenset[str]] | None:
        """See `infra.local.callers.Tokens`."""
        return self.grants.who(access_token)

    def new_client(self, project: str = "school-attendance") -> dict[str, Any]:
        """Return a new OAuth client for desktop apps, in the form that the console offers for download."""
        client_id = f"{secrets.randbelow(10**12)}-{secrets.token_hex(16)}.apps.googleusercontent.com"
        self.grants.clients[client_id] = f"GOCSPX-{secrets.token_urlsafe(21)}"
        return {
            "installed": {
                "client_id": client_id,
                "project_id": project,
                "auth_uri": f"{self.endpoint}/o/oauth2/v2/auth",
                "token_uri": f"{self.endpoint}/token",
                "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
                "client_secret": self.grants.clients[client_id],
                "redirect_uris": ["http://localhost"],
            }
        }

    def delegate(self, service_account: str, scopes: Collection[str] = ()) -> None:
        """Create a service account; an administrator allows it to act for the school's people with these scopes."""
        self.grants.delegations[service_account] = frozenset(scopes)

    def consent(self, email: str, scopes: Collection[str], client_id: str) -> Granted:
        """Record that an account consents, without the consent screen."""
        with self._lock:
            return self.grants.consent(email, scopes, client_id)

    def revoke(self, email: str) -> None:
        """Revoke all consents of an account."""
        with self._lock:
            self.grants.revoke(email)

    def fail(self, *faults: RestFault) -> None:
        """Replace the fault plan for `token`, `signBlob` and `signJwt`; without faults, every call succeeds.

        For the IAM Credentials API, `reason` is the reason of the refusal, such as IAM_PERMISSION_DENIED (403) or
        SERVICE_DISABLED (403). For the token endpoint, `reason` is the code in `error`. With `page`, the answer is a
        page of Google's front end.
        """
        with self._lock:
            self._faults = [(fault, []) for fault in faults]

    def _rules(self) -> Sequence[Rules]:
        return (discovered("iamcredentials.v1"), OAUTH)

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/o/oauth2/v2/auth", self._screen),
                Route("/o/oauth2/v2/auth/answer", self._answer, methods=["POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/v1/projects/-/serviceAccounts/{email}:signBlob", self._sign_blob, methods=["POST"]),
                Route("/v1/projects/-/serviceAccounts/{email}:signJwt", self._sign_jwt, methods=["POST"]),
                Route("/v1/projects/-/serviceAccounts/{email}/allowedLocations", _everywhere),
            ]
        )

    async def _screen(self, request: Request) -> Response:
        """Return the consent screen, or a page that tells a developer what is wrong with the link."""
        self.calls["auth"] += 1
        query = request.query_params
        asking = Asking(
            client_id=query.get("client_id", ""),
            redirect_uri=query.get("redirect_uri", ""),
            scopes=frozenset(query.get("scope", "").split()),
            challenge=query.get("code_challenge"),
            offline=query.get("access_type") == "offline",
            prompted="consent" in query.get("prompt", "").split(),
        )
        if asking.client_id not in self.grants.clients:
            return _refused_page(401, "invalid_client", "The OAuth client was not found.")
        if not asking.redirect_uri.startswith(("http://127.0.0.1:", "http://localhost:", "http://[::1]:")):
            return _refused_page(400, "redirect_uri_mismatch", "A desktop client is answered on loopback.")
        if query.get("response_type") != "code" or not asking.scopes:
            return _refused_page(400, "invalid_request", "Missing required parameter: scope or response_type.")
        if asking.challenge is not None and query.get("code_challenge_method") != "S256":
            return _refused_page(400, "invalid_request", "Only S256 is known here.")
        ticket = secrets.token_urlsafe(16)
        with self._lock:
            self._asking[ticket] = asking, query.get("state", "")
        return HTMLResponse(_page(ticket, asking.scopes, query.get("login_hint", "")))

    async def _answer(self, request: Request) -> Response:
        """Send the decision from the consent screen to the client."""
        form = parse_qsl((await request.body()).decode())
        said = dict(form)
        ticked = {value for name, value in form if name == "scope"}
        with self._lock:
            asking, state = self._asking.pop(said.get("ticket", ""), (None, ""))
            if asking is None:
                return _refused_page(400, "invalid_request", "This page was answered already.")
            if said.get("decision") != "continue" or not ticked:
                told = {"error": "access_denied"}
            else:
                try:
                    code = self.grants.code_for(asking, said.get("account", ""), ticked)
                except LookupError:
                    return _refused_page(403, "access_denied", "There is no such account here.")
                told = {"code": code, "scope": " ".join(sorted(asking.scopes & ticked))}
        return RedirectResponse(f"{asking.redirect_uri}?{urlencode({'state': state, **told})}", status_code=302)

    async def _token(self, request: Request) -> Response:
        self.calls["token"] += 1
        fault = await self._struck("token")
        if fault is not None and fault.page:
            return _planned(_limit_page(fault.status or 403))
        if fault is not None and fault.status:
            return _planned(_refused(GrantRefused(fault.reason, "Planned fault", status=fault.status)))
        form = {**dict(parse_qsl((await request.body()).decode())), **_basic(request.headers.get("authorization", ""))}
        by: Mapping[str, Callable[[Mapping[str, str]], dict[str, Any]]] = {
            "authorization_code": self.grants.by_code,
            "refresh_token": self.grants.by_refresh_token,
            JWT_BEARER: self.grants.by_assertion,
        }
        exchange = by.get(form.get("grant_type", ""))
        if exchange is None:
            return _refused(GrantRefused("unsupported_grant_type", "Invalid grant_type"))
        try:
            with self._lock:
                answer = exchange(form)
        except GrantRefused as refusal:
            return _refused(refusal)
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    async def _sign_blob(self, request: Request) -> Response:
        if refused := await self._not_signed(request, "signBlob"):
            return refused
        try:
            payload = base64.b64decode((await request.json())["payload"], validate=True)
        except (ValueError, KeyError, TypeError):
            return _error(400, "Invalid JSON payload received.", "BAD_REQUEST")
        signature = self._signer.sign(payload)
        return JSONResponse({"keyId": "stand-in", "signedBlob": base64.b64encode(signature).decode()})

    async def _sign_jwt(self, request: Request) -> Response:
        if refused := await self._not_signed(request, "signJwt"):
            return refused
        try:
            claims = json.loads((await request.json())["payload"])
            lifetime = claims["exp"] - time.time()
        except (ValueError, KeyError, TypeError):
            return _error(400, "Invalid JSON payload received.", "BAD_REQUEST")
        if not 0 < lifetime <= _LONGEST_JWT:
            return _error(400, "The claim exp must be in the future, and within 12 hours.", "BAD_REQUEST")
        signed = jwt.encode(self._signer, claims).decode()  # type: ignore[no-untyped-call] # the package has no types
        return JSONResponse({"keyId": "stand-in", "signedJwt": signed})

    async def _not_signed(self, request: Request, method: str) -> Response | None:
        """Return the error if a service account does not sign for a caller; None if it signs."""
        self.calls[method] += 1
        fault = await self._struck(method)
        if fault is not None and fault.page:
            return _planned(_limit_page(fault.status or 403))
        if fault is not None and fault.status:
            return _planned(_error(fault.status, "Planned fault", fault.reason))
        if self.signers and request.headers.get("authorization", "").removeprefix("Bearer ") not in self.signers:
            return _error(401, "Request had invalid authentication credentials.", "ACCESS_TOKEN_EXPIRED")
        if request.path_params["email"] not in self.grants.delegations:
            return _error(404, "Not found; Gaia id not found for the service account.", "NOT_FOUND")
        return None

    async def _struck(self, method: str) -> RestFault | None:
        """Wait for the fault's delay, and return the fault that the call gets."""
        with self._lock:
            armed = (
                (fault, done)
                for fault, done in self._faults
                if fault.method == method and (fault.times is None or len(done) < fault.times)
            )
            fault, done = next(armed, (None, []))
            done.append(None)
        if fault is not None:
            await asyncio.sleep(fault.delay)
        return fault


def _everywhere(_: Request) -> JSONResponse:
    """Answer that a service account may be used from everywhere; the metadata server's credentials ask this.

    https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/getAllowedLocations
    """
    return JSONResponse({"locations": [], "encodedLocations": "0x0"})


@cache
def _private_key() -> rsa.RSAPrivateKey:
    """Return one key for the whole process, because it takes a moment to generate a key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _page(ticket: str, scopes: Collection[str], account: str) -> str:
    boxes = "".join(
        f'<p><label><input type="checkbox" name="scope" value="{html.escape(scope)}" checked> {html.escape(scope)}'
        "</label></p>"
        for scope in sorted(scopes)
    )
    return (
        '<!doctype html><html lang="en"><title>Stand-in of Google</title><h1>Meet Attendance wants to</h1>'
        f'<form method="post" action="/o/oauth2/v2/auth/answer"><input type="hidden" name="ticket" value="{ticket}">'
        f'<p><label>Account <input name="account" value="{html.escape(account)}"></label></p>{boxes}'
        '<button name="decision" value="continue">Continue</button> '
        '<button name="decision" value="cancel">Cancel</button></form></html>'
    )


def _basic(header: str) -> dict[str, str]:
    """Return a client's id and secret, if the header contains them (RFC 6749, section 2.3.1)."""
    kind, _, value = header.partition(" ")
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return {}
    return {"client_id": unquote(client_id), "client_secret": unquote(secret)} if kind == "Basic" else {}


def _refused_page(status: int, code: str, words: str) -> HTMLResponse:
    return HTMLResponse(f"<!doctype html><title>Error {status}: {code}</title><p>{html.escape(words)}</p>", status)


def _limit_page(status: int) -> HTMLResponse:
    """Return the page that Google's front end is reported to send after too many requests for tokens.

    https://github.com/googleapis/google-oauth-java-client/issues/57
    """
    return HTMLResponse("<html><title>User Rate Limit Exceeded</title><h1>User Rate Limit Exceeded</h1></html>", status)


def _planned(answer: Response) -> Response:
    answer.headers[PLANNED] = "1"
    return answer


def _refused(refusal: GrantRefused) -> JSONResponse:
    """https://datatracker.ietf.org/doc/html/rfc6749#section-5.2 ."""
    return JSONResponse({"error": refusal.code, "error_description": refusal.words}, status_code=refusal.status)


def _error(status: int, message: str, reason: str) -> JSONResponse:
    """https://cloud.google.com/apis/design/errors#http_mapping ."""
    details = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "iam.googleapis.com" if reason == "IAM_PERMISSION_DENIED" else "googleapis.com",
            "metadata": {"service": "iamcredentials.googleapis.com"},
        }
    ]
    error = {"code": status, "message": message, "status": _GRPC_STATUS.get(status, "UNAVAILABLE"), "details": details}
    return JSONResponse({"error": error}, status_code=status)

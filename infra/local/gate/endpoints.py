"""Rules for services without a discovery document: the token endpoint, the consent screen, the metadata server.

https://developers.google.com/identity/protocols/oauth2/web-server
https://developers.google.com/identity/protocols/oauth2/native-app
https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests
https://cloud.google.com/compute/docs/metadata/querying-metadata

One rule is stricter than Google's: according to RFC 6749, a server ignores unknown parameters. Here they are refused,
because code that sends a parameter expects an effect.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from infra.local.gate.calls import FORM, Answer, Call, Rule, Violation

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://oauth2.googleapis.com/token"
HOUR = 3600

_CODES = {"unsupported grant_type": "unsupported_grant_type", "JWT": "invalid_grant", "JWT scope": "invalid_scope"}
"""Google's error code: https://developers.google.com/identity/protocols/oauth2/service-account#error-codes"""

_MALFORMED = frozenset({"invalid_request", "unsupported_grant_type"})
"""Codes of RFC 6749 for an error in the request; the other codes are about a grant, a client or a scope."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: whether every call needs it, and its allowed values."""

    required: bool = False
    one_of: tuple[str, ...] = ()
    pattern: str | None = None

    def broken_by(self, name: str, text: str) -> Iterator[Violation]:
        """Return what is wrong with a value."""
        if self.one_of and text not in self.one_of:
            yield Violation(name, f"Invalid value at '{name}' (one of {', '.join(self.one_of)}), \"{text}\"")
        if self.pattern and not re.fullmatch(self.pattern, text):
            yield Violation(name, f"Invalid value at '{name}' (pattern {self.pattern}), \"{text}\"")


Shape = Literal["oauth", "page", "text"]


@dataclass(frozen=True, slots=True)
class Endpoint(Rule):
    """One address.

    Attributes:
        verb: Its HTTP method.
        path: Its path.
        parameters: The parameters of the query, or of the posted form.
        headers: Headers that every call needs, in lower case, with their values.
        answers: The fields that a successful JSON answer may have; None if it is not JSON, or may have any field.
        shape: The form of errors.
    """

    verb: str
    path: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    answers: frozenset[str] | None = None
    shape: Shape = "text"

    def broken_by(self, call: Call) -> Sequence[Violation]:
        """See `Rule`."""
        return [*self._of_headers(call), *self._of_parameters(call, self.parameters)]

    def _of_headers(self, call: Call) -> Iterator[Violation]:
        for name, value in self.headers.items():
            if call.headers.get(name) != value:
                yield Violation(name, f"Missing required header: {name}: {value}")

    def _of_parameters(self, call: Call, allowed: Mapping[str, Parameter]) -> Iterator[Violation]:
        if self.verb == "POST" and call.content_type != FORM:
            yield Violation("content-type", f'Invalid content type "{call.content_type}": {self.path} takes {FORM}.')
        if self.verb == "POST" and call.query:
            yield Violation("query", f"{self.path} takes its parameters in the body.")
        if self.verb == "GET" and call.body:
            yield Violation("body", f"{self.path} takes no request body.")
        given = call.form() if self.verb == "POST" else call.parameters()
        names = [name for name, _ in given]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Violation(name, f"Parameter not allowed more than once: {name} (RFC 6749, section 3.2)")
        for name, text in given:
            if name not in allowed:
                yield Violation(name, f"Parameter not allowed for this message type: {name}")
            else:
                yield from allowed[name].broken_by(name, text)
        for name in sorted({name for name, one in allowed.items() if one.required} - set(names)):
            yield Violation(name, f"Missing required parameter: {name}")

    def refusal(self, violations: Sequence[Violation]) -> Answer:
        """See `Rule`."""
        words = "\n".join(violation.sentence for violation in violations)
        if self.shape == "oauth":
            error = {"error": _CODES.get(violations[0].field, "invalid_request"), "error_description": words}
            return Answer(400, "application/json", json.dumps(error).encode())
        if self.shape == "page":
            page = f"<!doctype html><title>Error 400: invalid_request</title><p>{html.escape(words)}</p>"
            return Answer(400, "text/html; charset=utf-8", page.encode())
        forbidden = any(violation.field in self.headers for violation in violations)
        return Answer(403 if forbidden else 400, "text/plain; charset=utf-8", words.encode())

    def checked(self, call: Call, answer: Answer) -> tuple[Answer, Sequence[Violation]]:
        """See `Rule`."""
        del call
        if self.answers is None or answer.status != 200:  # noqa: PLR2004
            return answer, []
        extra = json.loads(answer.body).keys() - self.answers
        return answer, [Violation(name, f"{self.path} does not answer with {name}.") for name in sorted(extra)]

    def blames(self, answer: Answer) -> str | None:
        """See `Rule`."""
        if answer.status != 400:  # noqa: PLR2004
            return None
        text = answer.body.decode(errors="replace")
        if self.shape != "oauth":
            return text
        error: dict[str, Any] = json.loads(text)
        return f"{error['error']}: {error.get('error_description')}" if error["error"] in _MALFORMED else None


_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
_CLIENT = {"client_id": Parameter(), "client_secret": Parameter()}
_GRANTS: Mapping[str, Mapping[str, Parameter]] = {
    "authorization_code": {
        **_CLIENT,
        "code": Parameter(required=True),
        "redirect_uri": Parameter(required=True),
        "code_verifier": Parameter(pattern=r"[\w.~-]{43,128}"),
    },
    "refresh_token": {**_CLIENT, "refresh_token": Parameter(required=True), "scope": Parameter(pattern=r"\S+( \S+)*")},
    JWT_BEARER: {"assertion": Parameter(required=True)},
}
_CLAIMS: Mapping[str, type] = {"iss": str, "scope": str, "aud": str, "exp": int, "iat": int}
_MORE_CLAIMS: Mapping[str, type] = {"sub": str}


@dataclass(frozen=True, slots=True)
class TokenEndpoint(Endpoint):
    """The token endpoint; its parameters depend on `grant_type`."""

    def broken_by(self, call: Call) -> Sequence[Violation]:
        """See `Rule`."""
        form = dict(call.form())
        grant = form.get("grant_type", "")
        allowed = {"grant_type": Parameter(required=True), **_GRANTS.get(grant, {})}
        if "grant_type" in form and grant not in _GRANTS:
            return [Violation("unsupported grant_type", f"Invalid grant_type: {grant} (one of {', '.join(_GRANTS)})")]
        violations = list(self._of_parameters(call, allowed))
        if grant in {"authorization_code", "refresh_token"} and "authorization" not in call.headers:
            missing = [name for name in _CLIENT if name not in form]
            violations += [Violation(name, f"Missing required parameter: {name}") for name in missing]
        if grant == JWT_BEARER and "assertion" in form:
            violations += _of_assertion(form["assertion"])
        return violations


def _of_assertion(assertion: str) -> Iterator[Violation]:
    """Return what is wrong with a service account's assertion; the signature is not checked here."""
    try:
        header, claims = (json.loads(_decoded(part)) for part in assertion.split(".")[:2])
    except ValueError:
        header = claims = None
    if not _TOKEN.fullmatch(assertion) or not isinstance(header, dict) or not isinstance(claims, dict):
        yield Violation("assertion", "Invalid value at 'assertion' (a signed JWT)")
        return
    if header.get("alg") != "RS256" or header.get("typ") != "JWT":
        yield Violation("JWT", "Invalid JWT header (alg RS256, typ JWT)")
    if not claims.get("scope"):
        yield Violation("JWT scope", "Empty or missing scope not allowed.")
    for name in sorted(_CLAIMS.keys() - claims.keys() - {"scope"}):
        yield Violation("JWT", f"Invalid JWT: missing required claim: {name}")
    for name, value in claims.items():
        kind = _CLAIMS.get(name) or _MORE_CLAIMS.get(name)
        if kind is None:
            yield Violation("JWT", f"Invalid JWT: claim not known: {name}")
        elif not isinstance(value, kind) or isinstance(value, bool):
            yield Violation("JWT", f"Invalid JWT: {name} (of type {kind.__name__})")
    if claims.get("aud", AUDIENCE) != AUDIENCE:
        yield Violation("JWT", f"Invalid JWT: Failed audience check. The right audience is {AUDIENCE}")
    issued, ends = claims.get("iat"), claims.get("exp")
    if isinstance(issued, int) and isinstance(ends, int) and not 0 < ends - issued <= HOUR:
        yield Violation(
            "JWT",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat "
            "and exp values in the JWT claim. (exp is at most one hour after iat)",
        )


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of one server."""

    endpoints: tuple[Endpoint, ...]

    def find(self, verb: str, path: str) -> Endpoint | None:
        """See `Rules`."""
        return next((one for one in self.endpoints if (one.verb, one.path) == (verb, path)), None)


TOKEN = TokenEndpoint(
    "POST",
    "/token",
    answers=frozenset(
        {
            *("access_token", "expires_in", "token_type", "scope", "id_token"),
            *("refresh_token", "refresh_token_expires_in"),
        }
    ),
    shape="oauth",
)

_SCREEN = Endpoint(
    "GET",
    "/o/oauth2/v2/auth",
    {
        "client_id": Parameter(required=True),
        "redirect_uri": Parameter(required=True),
        "response_type": Parameter(required=True, one_of=("code",)),
        "scope": Parameter(required=True, pattern=r"\S+( \S+)*"),
        "code_challenge": Parameter(pattern=r"[\w.~-]{43,128}"),
        "code_challenge_method": Parameter(one_of=("plain", "S256")),
        "state": Parameter(),
        "login_hint": Parameter(),
        "access_type": Parameter(one_of=("online", "offline")),
        "prompt": Parameter(pattern=r"(none|consent|select_account)( (consent|select_account))*"),
        "include_granted_scopes": Parameter(one_of=("true", "false")),
        "enable_granular_consent": Parameter(one_of=("true", "false")),
    },
    shape="page",
)


@dataclass(frozen=True, slots=True)
class _OwnPage(Endpoint):
    """The form of our own consent page: every ticked box is one `scope`."""

    def broken_by(self, call: Call) -> Sequence[Violation]:
        """See `Rule`."""
        del call
        return ()


OAUTH = Endpoints((TOKEN, _SCREEN, _OwnPage("POST", "/o/oauth2/v2/auth/answer", shape="page")))

_METADATA = {"metadata-flavor": "Google"}


def _account(account: str) -> tuple[Endpoint, ...]:
    """Return the metadata server's addresses for an account, which is named `default` or by its address."""
    path = f"/computeMetadata/v1/instance/service-accounts/{account}"
    return (
        Endpoint("GET", f"{path}/", {"recursive": Parameter(one_of=("true", "false"))}, _METADATA),
        Endpoint("GET", f"{path}/token", {"scopes": Parameter(pattern=r"https://\S+")}, _METADATA),
        Endpoint(
            "GET",
            f"{path}/identity",
            {
                "audience": Parameter(required=True, pattern=".+"),
                "format": Parameter(one_of=("standard", "full")),
                "licenses": Parameter(one_of=("TRUE", "FALSE")),
            },
            _METADATA,
        ),
    )


def metadata(email: str) -> Endpoints:
    """Return the rules of the metadata server of a machine whose service account has this address."""
    return Endpoints(
        (
            Endpoint("GET", "/", headers=_METADATA),
            Endpoint("GET", "/computeMetadata/v1/project/project-id", headers=_METADATA),
            Endpoint("GET", "/computeMetadata/v1/universe/universe-domain", headers=_METADATA),
            *_account("default"),
            *_account(email),
        )
    )


CERTIFICATES = Endpoints((Endpoint("GET", "/oauth2/v1/certs"),))
"""The address where Google publishes the certificates of its ID tokens; it accepts no parameters."""

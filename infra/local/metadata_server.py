"""A stand-in for the metadata server: it gives programs on Google Cloud their ID tokens and access tokens.

As in https://cloud.google.com/compute/docs/instances/verifying-instance-identity#request_signature
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from infra.local.gate.calls import Rules
from infra.local.gate.endpoints import metadata
from infra.local.id_tokens import IdTokenIssuer
from infra.local.serving import HttpStandIn

_FLAVOR = {"Metadata-Flavor": "Google"}
_LIFETIME = 3600


class MetadataServer(HttpStandIn):
    """Gives a program the identity of a service account.

    Args:
        email: The address of the service account.
        issuer: Signs the tokens.
        project: The project's id, if the machine belongs to one.

    Attributes:
        access_token: The token that it gives to a program for calls to Google.
    """

    def __init__(self, email: str, issuer: IdTokenIssuer, *, project: str | None = None) -> None:
        self._email: str | None = email
        self._named = email
        self._issuer = issuer
        self._project = project
        self.renew_token()

    def renew_token(self) -> None:
        """Issue a new access token from now on."""
        self.access_token = f"ya29.{secrets.token_urlsafe(32)}"

    def take_account_away(self) -> None:
        """Remove the service account from the program's machine."""
        self._email = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables that make Google's libraries use this server."""
        address = f"127.0.0.1:{self.port}"
        return {"GCE_METADATA_HOST": address, "GCE_METADATA_IP": address}

    def _rules(self) -> Sequence[Rules]:
        return (metadata(self._named),)

    def _application(self) -> Starlette:
        # A request names an account as `default` or by its address.
        accounts = [f"/computeMetadata/v1/instance/service-accounts/{name}" for name in ("default", self._named)]
        return Starlette(
            routes=[
                Route("/", lambda request: _answer(request, "computeMetadata/\n")),
                Route("/computeMetadata/v1/project/project-id", self._project_id),
                Route(
                    "/computeMetadata/v1/universe/universe-domain", lambda request: _answer(request, "googleapis.com")
                ),
                *(Route(f"{account}/", self._account) for account in accounts),
                *(Route(f"{account}/identity", self._identity) for account in accounts),
                *(Route(f"{account}/token", self._token) for account in accounts),
            ]
        )

    def _account(self, request: Request) -> Response:
        if not self._is_here:
            return _no_account()
        return _answer(request, {"aliases": ["default"], "email": self._email, "scopes": []})

    def _project_id(self, request: Request) -> Response:
        return _answer(request, self._project) if self._project else PlainTextResponse("not found", 404, _FLAVOR)

    def _token(self, request: Request) -> Response:
        if not self._is_here:
            return _no_account()
        return _answer(
            request, {"access_token": self.access_token, "expires_in": _LIFETIME - 1, "token_type": "Bearer"}
        )

    @property
    def _is_here(self) -> bool:
        return self._email is not None

    def _identity(self, request: Request) -> Response:
        if not self._is_here:
            return _no_account()
        audience = request.query_params.get("audience")
        if not audience:
            return PlainTextResponse("non-empty audience parameter required", 400, _FLAVOR)
        told = {"email": self._email} if request.query_params.get("format") == "full" else {"email_verified": None}
        return _answer(request, self._issuer.token(audience, **told))


def _no_account() -> Response:
    return PlainTextResponse("service account not found", 404, _FLAVOR)


def _answer(request: Request, content: str | Mapping[str, object]) -> Response:
    if request.headers.get("metadata-flavor") != "Google":
        return PlainTextResponse("Missing required header: Metadata-Flavor", 403)
    if isinstance(content, str):
        return PlainTextResponse(content, headers=_FLAVOR)
    return JSONResponse(content, headers=_FLAVOR)

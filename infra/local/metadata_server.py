"""A stand-in for the metadata server, which gives programs on Google Cloud their ID tokens.

As in https://cloud.google.com/compute/docs/instances/verifying-instance-identity#request_signature
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from infra.local.gate.calls import Rules
from infra.local.gate.endpoints import METADATA
from infra.local.id_tokens import IdTokenIssuer
from infra.local.serving import HttpStandIn

_FLAVOR = {"Metadata-Flavor": "Google"}
_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default"


class MetadataServer(HttpStandIn):
    """Tells who a program is: a service account.

    Args:
        email: The service account's.
        issuer: Who signs the tokens.
    """

    def __init__(self, email: str, issuer: IdTokenIssuer) -> None:
        self._email: str | None = email
        self._issuer = issuer

    def take_account_away(self) -> None:
        """The program's machine has no service account any more."""
        self._email = None

    @property
    def environment(self) -> dict[str, str]:
        """What Google's libraries have to find in the environment of a program to ask here."""
        address = f"127.0.0.1:{self.port}"
        return {"GCE_METADATA_HOST": address, "GCE_METADATA_IP": address}

    def _rules(self) -> Sequence[Rules]:
        return (METADATA,)

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", lambda request: _answer(request, "computeMetadata/\n")),
                Route(f"{_ACCOUNT}/", self._account),
                Route(f"{_ACCOUNT}/identity", self._identity),
            ]
        )

    def _account(self, request: Request) -> Response:
        if self._email is None:
            return _no_account()
        return _answer(request, {"aliases": ["default"], "email": self._email, "scopes": []})

    def _identity(self, request: Request) -> Response:
        if self._email is None:
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

"""The caller of a stand-in: the account that the call names or, if tokens are issued, the account of its token.

Google's services answer 401 to an unknown token. They answer 403 with the reason ACCESS_TOKEN_SCOPE_INSUFFICIENT to a
token that lacks the scope: https://cloud.google.com/apis/design/errors
"""

from collections.abc import Mapping
from typing import Any, Protocol

import grpc
import grpc.aio

from infra.local.faults import Refusal

SCOPES = "https://www.googleapis.com/auth/"
READ_ALL = f"{SCOPES}meetings.space.readonly"
"""The scope for every room that the person has access to."""

READ_MEETINGS = frozenset({f"{SCOPES}meetings.space.created", READ_ALL})
"""One of these is enough: https://developers.google.com/workspace/meet/api/guides/authenticate-authorize"""

READ_ROOMS = READ_MEETINGS | {f"{SCOPES}meetings.space.settings"}
"""One of these is enough for a room; the scope for settings does not give access to conference records."""

MAKE_ROOMS = frozenset({f"{SCOPES}meetings.space.created"})
SCOPE_MISSING = "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


class Tokens(Protocol):
    """A service that issues tokens."""

    def who(self, access_token: str) -> tuple[str, frozenset[str]] | None:
        """Return the address of the token's account, with the token's scopes; None if the token is not valid now."""


def metadata_of(context: "grpc.aio.ServicerContext[Any, Any]") -> dict[str, str]:  # generic in stubs only
    """Return the metadata of a gRPC call, by name."""
    return {key: str(value) for key, value in context.invocation_metadata() or ()}


def caller_of(carried: Mapping[str, str], tokens: Tokens | None, *, accepted: frozenset[str]) -> str | None:
    """Return the account that makes a call, from its headers or metadata; None if they do not name one.

    Args:
        carried: The headers or metadata, with names in lower case.
        tokens: The service that issues tokens; without it, the account that the call names is used.
        accepted: The token needs one of these scopes.

    Raises:
        Refusal: The token is not valid, or lacks the scope.
    """
    if tokens is None:
        return carried.get("x-acting-as")
    kind, _, token = carried.get("authorization", "").partition(" ")
    granted = tokens.who(token) if kind == "Bearer" else None
    if granted is None:
        raise Refusal(
            grpc.StatusCode.UNAUTHENTICATED,
            "Request had invalid authentication credentials. Expected OAuth 2 access token.",
            "ACCESS_TOKEN_EXPIRED" if token else "CREDENTIALS_MISSING",
        )
    if not accepted & granted[1]:
        message = "Request had insufficient authentication scopes."
        raise Refusal(grpc.StatusCode.PERMISSION_DENIED, message, SCOPE_MISSING)
    return granted[0]


def scopes_of(carried: Mapping[str, str], tokens: Tokens | None) -> frozenset[str] | None:
    """Return the scopes of a call's token; None where no tokens are issued."""
    if tokens is None:
        return None
    granted = tokens.who(carried.get("authorization", "").partition(" ")[2])
    return granted[1] if granted else frozenset()

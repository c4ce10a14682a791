"""The caller of a stand-in: the account that a call names, or, if tokens are issued, the account of its token.

Google's services answer a token that they do not know with 401, and one that lacks the scope with 403 and the reason
ACCESS_TOKEN_SCOPE_INSUFFICIENT: https://cloud.google.com/apis/design/errors
"""

from collections.abc import Mapping
from typing import Any, Protocol

import grpc
import grpc.aio

from infra.local.faults import Refusal

SCOPES = "https://www.googleapis.com/auth/"
READ_ALL = f"{SCOPES}meetings.space.readonly"
"""Every room that the person has access to."""

READ_MEETINGS = frozenset({f"{SCOPES}meetings.space.created", READ_ALL})
"""Any of them: https://developers.google.com/workspace/meet/api/guides/authenticate-authorize"""

READ_ROOMS = READ_MEETINGS | {f"{SCOPES}meetings.space.settings"}
"""Any of them, for a room alone; conference records are not shown by settings."""

MAKE_ROOMS = frozenset({f"{SCOPES}meetings.space.created"})
SCOPE_MISSING = "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


class Tokens(Protocol):
    """A service that issues tokens."""

    def who(self, access_token: str) -> tuple[str, frozenset[str]] | None:
        """The address of the account that a token is of, with its scopes; None for one that is not valid now."""


def metadata_of(context: "grpc.aio.ServicerContext[Any, Any]") -> dict[str, str]:  # quoted: generic only in its stubs
    """What a gRPC call carries, by name."""
    return {key: str(value) for key, value in context.invocation_metadata() or ()}


def caller_of(carried: Mapping[str, str], tokens: Tokens | None, *, accepted: frozenset[str]) -> str | None:
    """The account that a call is made as, by its headers or metadata; None if it does not say.

    Args:
        carried: Names in lower case.
        tokens: Issues the tokens; without it, the call's own account counts.
        accepted: The scopes of which the token needs one.

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
    """The scopes of a call's token; None where no tokens are issued."""
    if tokens is None:
        return None
    granted = tokens.who(carried.get("authorization", "").partition(" ")[2])
    return granted[1] if granted else frozenset()

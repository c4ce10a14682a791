"""What the errors of Google's gRPC clients mean, for the services that are called by gRPC.

`reason` is that of google.rpc.ErrorInfo: https://cloud.google.com/apis/design/errors#error_info . Errors without a
reason are distinguished by the words that Google's services use.
"""

from __future__ import annotations

from google.api_core import exceptions as gexc


def is_disabled(error: gexc.GoogleAPICallError) -> bool:
    """Whether the service is not enabled in the project."""
    return isinstance(error, gexc.Forbidden) and (
        error.reason == "SERVICE_DISABLED" or "has not been used in project" in str(error.message or "")
    )


def lacks_scope(error: gexc.GoogleAPICallError) -> bool:
    """Whether the token lacks a scope."""
    return isinstance(error, gexc.Forbidden) and (
        error.reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
        or "insufficient authentication scopes" in str(error.message or "").lower()
    )

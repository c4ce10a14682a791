"""What the errors of Google's gRPC clients mean, for the services that are called by gRPC.

`reason` is that of google.rpc.ErrorInfo: https://cloud.google.com/apis/design/errors#error_info . Errors without a
reason are distinguished by the words that Google's services use.
"""

from __future__ import annotations

from collections.abc import Mapping

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


def exhausts_project(error: gexc.TooManyRequests) -> bool:
    """Whether the quota of the whole project is exhausted, and not that of one account, as far as the error says it.

    Google's servers say: Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute per user'
    of service …; the limit is also in `quota_limit` of google.rpc.ErrorInfo, written in one word.
    """
    details: Mapping[str, str] = error.metadata or {}
    limit = f"{error.message or ''} {details.get('quota_limit', '')}".lower().replace(" ", "")
    return "perminute" in limit and "peruser" not in limit

"""Each of Google's refusals has a name and says what to do."""

import pytest
from google.api_core import exceptions as gexc
from google.rpc.error_details_pb2 import ErrorInfo

from functions.adapters.google.meet.calls import named
from functions.domain.errors import (
    AccessDenied,
    ApiDisabled,
    ConferenceRecordGone,
    NeedsOperator,
    Permanent,
    RequestRefused,
    Retryable,
    ScopeMissing,
    TokenNotAccepted,
    Unavailable,
)


def because(reason):
    return gexc.PermissionDenied("no", error_info=ErrorInfo(reason=reason, domain="googleapis.com"))


@pytest.mark.parametrize(
    ("error", "ours", "kind"),
    [
        (gexc.NotFound("gone"), ConferenceRecordGone, Permanent),
        (gexc.InvalidArgument("bad"), RequestRefused, Permanent),
        (gexc.BadRequest("bad"), RequestRefused, Permanent),
        (gexc.Unauthenticated("who"), TokenNotAccepted, NeedsOperator),
        (gexc.Unauthorized("who"), TokenNotAccepted, NeedsOperator),
        (because("SERVICE_DISABLED"), ApiDisabled, NeedsOperator),
        (because("ACCESS_TOKEN_SCOPE_INSUFFICIENT"), ScopeMissing, NeedsOperator),
        (because("OTHER"), AccessDenied, NeedsOperator),
        (gexc.Forbidden("Request had insufficient authentication scopes."), ScopeMissing, NeedsOperator),
        (
            gexc.Forbidden("Google Meet API has not been used in project 1 before or it is disabled."),
            ApiDisabled,
            NeedsOperator,
        ),
        (gexc.Forbidden("no"), AccessDenied, NeedsOperator),
        (gexc.ResourceExhausted("slow down"), Unavailable, Retryable),
        (gexc.TooManyRequests("slow down"), Unavailable, Retryable),
        (gexc.ServiceUnavailable("later"), Unavailable, Retryable),
        (gexc.DeadlineExceeded("slow"), Unavailable, Retryable),
        (gexc.InternalServerError("oops"), Unavailable, Retryable),
        (gexc.MethodNotImplemented("new"), RequestRefused, Permanent),
        (gexc.Cancelled("connection lost"), Unavailable, Retryable),
        (gexc.Aborted("again"), Unavailable, Retryable),
    ],
)
def test_an_error_says_what_to_do_next(error, ours, kind):
    translated = named(error)

    assert type(translated) is ours
    assert isinstance(translated, kind)
    assert translated.hint


def test_what_google_wrote_is_not_repeated_since_it_may_name_people():
    assert "ada@school.example" not in named(gexc.Forbidden("ada@school.example may not")).message

"""Each refusal of Google's by its name, with what to do."""

import pytest
from google.api_core import exceptions as gexc
from google.rpc.error_details_pb2 import ErrorInfo

from functions.adapters.google.meet.calls import named
from functions.domain.errors import (
    ConferenceRecordGone,
    MeetAccessDenied,
    MeetApiDisabled,
    MeetCredentialsRefused,
    MeetRequestRefused,
    MeetScopeMissing,
    MeetUnavailable,
    NeedsOperator,
    Permanent,
    Retryable,
)


def because(reason):
    return gexc.PermissionDenied("no", error_info=ErrorInfo(reason=reason, domain="googleapis.com"))


@pytest.mark.parametrize(
    ("error", "ours", "kind"),
    [
        (gexc.NotFound("gone"), ConferenceRecordGone, Permanent),
        (gexc.InvalidArgument("bad"), MeetRequestRefused, Permanent),
        (gexc.BadRequest("bad"), MeetRequestRefused, Permanent),
        (gexc.Unauthenticated("who"), MeetCredentialsRefused, NeedsOperator),
        (gexc.Unauthorized("who"), MeetCredentialsRefused, NeedsOperator),
        (because("SERVICE_DISABLED"), MeetApiDisabled, NeedsOperator),
        (because("ACCESS_TOKEN_SCOPE_INSUFFICIENT"), MeetScopeMissing, NeedsOperator),
        (because("OTHER"), MeetAccessDenied, NeedsOperator),
        (gexc.Forbidden("Request had insufficient authentication scopes."), MeetScopeMissing, NeedsOperator),
        (
            gexc.Forbidden("Google Meet API has not been used in project 1 before or it is disabled."),
            MeetApiDisabled,
            NeedsOperator,
        ),
        (gexc.Forbidden("no"), MeetAccessDenied, NeedsOperator),
        (gexc.ResourceExhausted("slow down"), MeetUnavailable, Retryable),
        (gexc.TooManyRequests("slow down"), MeetUnavailable, Retryable),
        (gexc.ServiceUnavailable("later"), MeetUnavailable, Retryable),
        (gexc.DeadlineExceeded("slow"), MeetUnavailable, Retryable),
        (gexc.InternalServerError("oops"), MeetUnavailable, Retryable),
        (gexc.MethodNotImplemented("new"), MeetRequestRefused, Permanent),
        (gexc.Cancelled("connection lost"), MeetUnavailable, Retryable),
        (gexc.Aborted("again"), MeetUnavailable, Retryable),
    ],
)
def test_an_error_says_what_to_do_next(error, ours, kind):
    translated = named(error)

    assert type(translated) is ours
    assert isinstance(translated, kind)
    assert translated.hint


def test_what_google_wrote_is_not_repeated_since_it_may_name_people():
    assert "ada@school.example" not in named(gexc.Forbidden("ada@school.example may not")).message

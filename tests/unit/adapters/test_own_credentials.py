"""Which errors of gRPC clients are about this process's own credentials, and whether they may pass."""

import pytest
from google.api_core import exceptions as gexc

from functions.adapters.google.calls.repeating import may_pass
from functions.adapters.own_credentials import own_credentials_error
from functions.domain.errors import CredentialsUnavailable, OwnCredentialsMissing

PLUGIN = "Getting metadata from plugin failed with error: "


@pytest.mark.parametrize(
    "words",
    [
        "('invalid_grant: Bad Request', {'error': 'invalid_grant', 'error_description': 'Bad Request'})",
        "('invalid_client: The OAuth client was not found.', {'error': 'invalid_client'})",
        "Reauthentication is needed. Please run `gcloud auth application-default login` to reauthenticate.",
    ],
)
def test_what_a_person_must_fix_is_reported_and_not_tried_again(words):
    error = gexc.ServiceUnavailable(PLUGIN + words)

    ours = own_credentials_error(gexc.RetryError("Timeout of 30.0s exceeded", cause=error))

    assert isinstance(ours, OwnCredentialsMissing)
    assert "gcloud auth application-default login" in ours.hint
    assert not may_pass(error)


@pytest.mark.parametrize(
    "words",
    [
        "('internal_failure: None', {'error': 'internal_failure'})",
        "HTTPConnectionPool(host='metadata.google.internal', port=80): Max retries exceeded",
        "",
    ],
)
def test_what_gives_no_credentials_for_a_moment_is_asked_again(words):
    error = gexc.ServiceUnavailable(PLUGIN + words)

    assert isinstance(own_credentials_error(error), CredentialsUnavailable)
    assert may_pass(error)


@pytest.mark.parametrize("error", [gexc.ServiceUnavailable("later"), gexc.RetryError("late", cause=None), OSError()])
def test_what_is_about_something_else_is_left_alone(error):
    assert own_credentials_error(error) is None

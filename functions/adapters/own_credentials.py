"""The errors for the case that this process's own Google credentials are missing or have expired.

gRPC turns every error that google-auth raises for a call into UNAVAILABLE ("Getting metadata from plugin failed with
error: …"). So credentials that a person must renew look like a service that does not answer. The words of the error
distinguish the two.
"""

from __future__ import annotations

import os
import re

from google.api_core import exceptions as gexc

from functions.domain.errors import CredentialsUnavailable, OwnCredentialsMissing

LOGIN = (
    "In the cloud they come from the service account of the function. On your own machine: "
    "gcloud auth application-default login"
)
"""How this process gets Google credentials."""

_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"

_REFUSED = re.compile(
    r"invalid_grant|invalid_client|unauthorized_client|deleted_client|disabled_client|invalid_rapt|rapt_required"
    r"|Reauthentication is needed"
)
"""The token endpoint's codes: https://developers.google.com/identity/protocols/oauth2/service-account#error-codes ."""


def no_own_credentials() -> OwnCredentialsMissing:
    """Our error for google-auth's error that it finds no credentials."""
    if os.environ.get(_VARIABLE):
        return OwnCredentialsMissing(
            f"{_VARIABLE} does not name a file with usable Google credentials.",
            hint=f"Unset {_VARIABLE}: this system needs no key file. {LOGIN}",
        )
    return OwnCredentialsMissing("This process has no Google credentials.", hint=LOGIN)


def own_credentials_error(error: Exception) -> OwnCredentialsMissing | CredentialsUnavailable | None:
    """Our error for an error of a gRPC client about this process's own credentials; None for any other error."""
    cause = error.cause if isinstance(error, gexc.RetryError) else error
    words = str(getattr(cause, "message", "") or "")
    if not isinstance(cause, gexc.ServiceUnavailable) or "metadata from plugin failed" not in words:
        return None
    refused = _REFUSED.search(words)
    if refused:
        code = refused[0] if "_" in refused[0] else "reauthentication is needed"
        return OwnCredentialsMissing(f"This process's own Google credentials are no longer valid ({code}).", hint=LOGIN)
    return CredentialsUnavailable("The source of this process's own Google credentials does not answer.")

"""Tokens of teachers who consented themselves: the stored refresh token is exchanged for tokens that last an hour.

https://developers.google.com/identity/protocols/oauth2/web-server#offline

docs/google.md says what was compared with Google's reference, and what is not known.
"""

from __future__ import annotations

from functools import partial

from google.auth.exceptions import GoogleAuthError

from functions.adapters.consent.consents import Consent, Consents
from functions.adapters.consent.errors import (
    ConsentClientRefused,
    ConsentMissing,
    ConsentRevoked,
    ConsentScopeMissing,
)
from functions.adapters.google.credentials.access_tokens import (
    AccessToken,
    Requests,
    TokenRefusal,
    TokenRequests,
    fetched,
)
from functions.adapters.google.credentials.capabilities import Capability
from functions.adapters.google.credentials.errors import AppForbidden
from functions.domain.conferences.model import Organizer
from functions.domain.errors import AttendanceError, CredentialsRefused, CredentialsUnavailable

COMMAND = ".venv/bin/python -m functions.setup_oauth"
_FLAGS = {
    Capability.CALENDAR: " --meet --calendar",
    Capability.DIRECTORY: " --meet --directory",
    Capability.REPORTS: " --reports",
}


class OwnConsent:
    """Fetches teachers' tokens by their own consent. The consent is read again each time, because it may be a new one.

    Args:
        consents: Where their consents are stored.
        requests: How tokens are fetched.
    """

    def __init__(self, consents: Consents, *, requests: TokenRequests) -> None:
        self._consents = consents
        self._requests = requests

    async def token(self, teacher: Organizer, capability: Capability) -> AccessToken:
        """Fetch a new token for this teacher; raises the same errors as `Credentials.metadata`."""
        try:
            consent = await self._consents.get(teacher)
        except ConsentMissing as error:  # or it exists but is hidden from us; the hint says more
            raise ConsentMissing(error.message, hint=f"{_consent_first(capability)} {error.hint}") from None
        if consent is None:
            raise ConsentMissing("The teacher has not consented yet.", hint=_consent_first(capability))
        if set(capability.scopes) - consent.scopes:
            raise _scope_missing(capability)
        return await self._requests.on_thread(partial(self._exchanged, consent, capability))

    def _exchanged(self, consent: Consent, capability: Capability, requests: Requests) -> AccessToken:
        """Exchange the consent for a token; runs on a thread."""
        from google.oauth2.credentials import Credentials  # noqa: PLC0415 - an instance without tokens starts without it

        credentials = Credentials(  # type: ignore[no-untyped-call] # the package has no types
            token=None,
            refresh_token=consent.refresh_token,
            token_uri=self._requests.token_uri,
            client_id=consent.client_id,
            client_secret=consent.client_secret,
            scopes=list(capability.scopes),
        )
        try:
            return fetched(credentials, requests)
        except GoogleAuthError as error:
            raise _named(requests.refused, type(error).__name__, capability) from None


def _named(refused: TokenRefusal | None, kind: str, capability: Capability) -> AttendanceError:
    """Our error for an error of the token endpoint.

    https://developers.google.com/identity/protocols/oauth2#expiration .
    """
    code = refused.code if refused else ""
    subtype = str(refused.body.get("error_subtype", "")) if refused else ""
    match code:
        case "invalid_grant" if subtype in {"invalid_rapt", "rapt_required"}:
            return AppForbidden(
                f"The school asks the teacher to sign in again every few hours ({subtype}).",
                hint="In the Admin console under Security > Access and data control > Google Cloud session control, "
                "exempt trusted apps, and trust this project's client.",
            )
        case "invalid_grant":
            return ConsentRevoked(
                f"The teacher's consent is no longer valid ({code}).",
                hint=f"{ConsentRevoked.default_hint} The command: {COMMAND}{_flags(capability)}"
                if capability in _FLAGS
                else None,
            )
        case "invalid_scope":
            return _scope_missing(capability)
        case "unauthorized_client" | "invalid_client" | "deleted_client" | "disabled_client":
            return ConsentClientRefused(f"Google no longer accepts the OAuth client ({code}).")
        case "access_denied" | "admin_policy_enforced" | "org_internal":
            return AppForbidden(f"The school's rules block this app from the teacher's account ({code}).")
        case "":
            return CredentialsUnavailable(f"Google's token endpoint does not answer ({kind}).")
        case _:
            return CredentialsRefused("Google refuses a token for this teacher.")


def _scope_missing(capability: Capability) -> ConsentScopeMissing:
    return ConsentScopeMissing(
        "The teacher did not consent to what this needs.",
        hint=f"{_consent_again(capability)} Tick every box on Google's page; this needs the scope "
        f"{' and '.join(capability.scopes)}.",
    )


def _consent_first(capability: Capability) -> str:
    hint = _consent_again(capability)
    if capability is Capability.REPORTS:
        hint += (
            " Set REPORTS_ADMIN to the users/ID that it prints: a consent in Secret Manager is found only by this id."
        )
    return hint


def _consent_again(capability: Capability) -> str:
    return f"Let the teacher consent: {COMMAND}{_flags(capability)}."


def _flags(capability: Capability) -> str:
    return _FLAGS.get(capability, " --meet")

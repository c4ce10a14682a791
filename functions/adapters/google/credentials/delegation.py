"""Domain-wide delegation without a key: through an API, the service account signs that it acts for a teacher.

We do not use google-auth's class for impersonated credentials, because it loses its subject when it is copied, and gRPC
clients copy it. These credentials are made for one teacher and one capability, and are never copied.
https://developers.google.com/identity/protocols/oauth2/service-account#delegatingauthority
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob

docs/google.md says what was compared with Google's reference, and what is not known.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from functions.adapters.google.credentials.access_tokens import (
    AccessToken,
    Requests,
    TokenRefusal,
    TokenRequests,
    fetched,
)
from functions.adapters.google.credentials.capabilities import Capability
from functions.adapters.google.credentials.errors import (
    AccountNotUsable,
    AppForbidden,
    DelegationNotGranted,
    SigningApiDisabled,
    SigningRefused,
)
from functions.adapters.own_credentials import LOGIN, no_own_credentials
from functions.domain.conferences.model import Organizer
from functions.domain.errors import (
    AttendanceError,
    CredentialsRefused,
    CredentialsUnavailable,
    OrganizerUnknown,
    OwnCredentialsMissing,
    ReportsNotSetUp,
)
from functions.hints import REPORTS_NOT_SET_UP

if TYPE_CHECKING:
    from google.auth.credentials import Credentials as LibraryCredentials

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"


class Delegation:
    """Fetches teachers' tokens by domain-wide delegation, which an administrator grants.

    Args:
        service_account_email: Who signs.
        client_id: Its OAuth client id, which the administrator allows; only used in hints.
        requests: How tokens are fetched.
    """

    def __init__(self, service_account_email: str, *, client_id: str | None, requests: TokenRequests) -> None:
        self._service_account_email = service_account_email
        self._client_id = client_id
        self._requests = requests
        self._source = _Source(is_local=requests.is_local)

    async def token(self, teacher: Organizer, capability: Capability) -> AccessToken:
        """Fetch a new token for this teacher; raises the same errors as `Credentials.metadata`."""
        if teacher.email is None and capability is Capability.REPORTS:
            raise ReportsNotSetUp(
                "REPORTS_ADMIN is not an e-mail address, but delegation needs one.", hint=REPORTS_NOT_SET_UP
            )
        if teacher.email is None:
            raise OrganizerUnknown(
                "This account's e-mail address is not known, but delegation needs it.",
                hint="Enrol the teacher: make enroll TEACHER=…",
            )
        return await self._requests.on_thread(partial(self._signed, teacher.email, capability))

    def _signed(self, subject: str, capability: Capability, requests: Requests) -> AccessToken:
        """Sign an assertion and exchange it for a token; runs on a thread."""
        source = self._source.credentials(requests)
        try:
            return self._signed_by(source, subject, capability, requests)
        except _SigningNotAccepted:
            # The token was revoked before it expired; Google's library would not fetch a new one for this reason.
            self._source.forget(source)
            requests.refused = None
            source = self._source.credentials(requests)
        try:
            return self._signed_by(source, subject, capability, requests)
        except _SigningNotAccepted as refusal:
            raise _named_signing(refusal.refused) from None

    def _signed_by(
        self, source: LibraryCredentials, subject: str, capability: Capability, requests: Requests
    ) -> AccessToken:
        from google.auth import exceptions, iam  # noqa: PLC0415 - an instance without tokens starts without it
        from google.oauth2 import service_account  # noqa: PLC0415

        credentials = service_account.Credentials(  # type: ignore[no-untyped-call] # the package has no types
            signer=iam.Signer(requests, source, self._service_account_email),  # type: ignore[no-untyped-call]
            service_account_email=self._service_account_email,
            token_uri=self._requests.token_uri,
            scopes=capability.scopes,
            subject=subject,
        )
        try:
            return fetched(credentials, requests)
        except exceptions.GoogleAuthError as error:
            signing = requests.signing_refused
            if signing and signing.status == 401:  # noqa: PLR2004 - an HTTP status
                raise _SigningNotAccepted(signing) from None
            if signing:
                raise _named_signing(signing) from None
            raise self._named(requests.refused, type(error).__name__, capability) from None

    def _named(self, refused: TokenRefusal | None, kind: str, capability: Capability) -> AttendanceError:
        """Our error for an error of the token endpoint.

        https://developers.google.com/identity/protocols/oauth2/service-account#error-codes
        """
        code = refused.code if refused else ""
        words = str(refused.body.get("error_description", "")) if refused else ""
        told = f"({code})"
        match code:
            case "unauthorized_client" | "invalid_scope" | "access_denied":
                # With delegation nobody is asked, so nobody can have refused: Google also answers access_denied
                # ("Requested client not authorized.") if the administrator has not allowed all scopes.
                return DelegationNotGranted(
                    f"The school has not granted a scope that this system needs to act for its teachers {told}.",
                    hint=self._how_to_grant(capability),
                )
            case "invalid_grant" if words.startswith("Invalid JWT"):
                # The cause is a key that is being replaced, or a wrong clock.
                return CredentialsUnavailable(
                    f"Google does not accept the signed request {told}.",
                    hint="The system tries again by itself. If that does not help, correct the clock of this machine.",
                )
            case "invalid_grant" if "account not found" in words:
                return _no_service_account(told)
            case "invalid_grant":
                return AccountNotUsable(f"Google knows no active account of the school for this teacher {told}.")
            case "admin_policy_enforced" | "org_internal":
                return AppForbidden(f"The school's rules block this system from the teacher's account {told}.")
            case "invalid_client" | "deleted_client":
                return _no_service_account(told)
            case "disabled_client":
                return _service_account_off(told)
            case "":
                return CredentialsUnavailable(f"Google's token endpoint does not answer ({kind}).")
            case _:
                return CredentialsRefused("Google refuses a token for this teacher.")

    def _how_to_grant(self, capability: Capability) -> str:
        client = self._client_id or (
            "that this prints: gcloud iam service-accounts describe SERVICE_ACCOUNT_EMAIL --format='value(uniqueId)'"
        )
        return (
            "In the Admin console under Security > Access and data control > API controls > Manage domain-wide "
            f"delegation, add the scope {' and '.join(capability.scopes)} to the client id {client}. "
            "The change usually takes a few minutes, at most a day."
        )


class _SigningNotAccepted(Exception):
    """The IAM Credentials API does not accept this process's own token (401)."""

    def __init__(self, refused: TokenRefusal) -> None:
        super().__init__()
        self.refused = refused


class _Source:
    """The process's own credentials, with which it requests signatures; found once and shared by threads."""

    def __init__(self, *, is_local: bool) -> None:
        self._is_local = is_local
        self._lock = threading.Lock()
        self._found: LibraryCredentials | None = None

    def credentials(self, requests: Requests) -> LibraryCredentials:
        """Return credentials that are valid now; blocks."""
        import google.auth  # noqa: PLC0415 - an instance without tokens starts without it
        from google.auth import credentials, exceptions  # noqa: PLC0415

        with self._lock:
            if self._found is None:
                if self._is_local:
                    # A stand-in needs no credentials.
                    self._found = credentials.AnonymousCredentials()  # type: ignore[no-untyped-call]
                else:
                    try:
                        self._found, _ = google.auth.default(scopes=[CLOUD_PLATFORM], request=requests)
                    except exceptions.DefaultCredentialsError:
                        raise no_own_credentials() from None
            if not self._found.valid:
                try:
                    self._found.refresh(requests)  # type: ignore[no-untyped-call]
                except exceptions.TransportError:
                    raise CredentialsUnavailable(
                        "The source of this process's own credentials does not answer."
                    ) from None
                except exceptions.RefreshError as error:
                    if requests.refused is None or requests.refused.may_pass:
                        raise CredentialsUnavailable(
                            f"The source of this process's own credentials does not answer ({type(error).__name__})."
                        ) from None
                    raise OwnCredentialsMissing(
                        "This process's Google credentials are no longer valid.", hint=LOGIN
                    ) from None
            return self._found

    def forget(self, credentials: LibraryCredentials) -> None:
        """Make the next call look for credentials again, unless another thread has already done so."""
        with self._lock:
            if self._found is credentials:
                self._found = None


def _named_signing(refused: TokenRefusal) -> AttendanceError:
    """Our error for an error of the IAM Credentials API.

    https://cloud.google.com/iam/docs/reference/credentials/rest .
    """
    error = refused.body.get("error")
    error = error if isinstance(error, dict) else {}
    told_of = error.get("details")
    details = [detail for detail in (told_of if isinstance(told_of, list) else ()) if isinstance(detail, dict)]
    told = f"(HTTP {refused.status})"
    if refused.status == 403 and any(d.get("reason") == "SERVICE_DISABLED" for d in details):  # noqa: PLR2004
        return SigningApiDisabled(f"The IAM Service Account Credentials API is not enabled {told}.")
    if refused.may_pass:
        return CredentialsUnavailable(f"The IAM Service Account Credentials API does not answer {told}.")
    if refused.status == 404:  # noqa: PLR2004
        return _no_service_account(told)
    return SigningRefused(f"The service account may not sign as itself {told}.")


def _service_account_off(told: str) -> SigningRefused:
    return SigningRefused(
        f"The service account is switched off {told}.",
        hint="Switch it on again: gcloud iam service-accounts enable SERVICE_ACCOUNT_EMAIL",
    )


def _no_service_account(told: str) -> SigningRefused:
    return SigningRefused(
        f"The service account in SERVICE_ACCOUNT_EMAIL does not exist {told}.",
        hint="Set SERVICE_ACCOUNT_EMAIL to the service account that the function runs as, and deploy again.",
    )

"""Problems with a teacher's own consent, and what a person does about them."""

from __future__ import annotations

from functions.domain.errors import CredentialsRefused, NeedsOperator, Retryable


class ConsentsUnavailable(Retryable):
    """The place that stores teachers' consents did not answer: Secret Manager, or the disk."""

    reason = "consents-unavailable"


class ConsentMissing(CredentialsRefused):
    """No consent of this teacher is stored."""

    cause = "consent-missing"
    default_hint = "Let the teacher consent: .venv/bin/python -m functions.setup_oauth --meet"


class ConsentUnreadable(CredentialsRefused):
    """The text that is stored as the teacher's consent is not a consent."""

    cause = "consent-unreadable"
    default_hint = "Let the teacher consent again: .venv/bin/python -m functions.setup_oauth --meet"


class ConsentStoreDenied(CredentialsRefused):
    """Secret Manager does not let this process read or store the teacher's consent; the hint says how to allow it."""

    cause = "consent-store-denied"


class TokenFileOpen(CredentialsRefused):
    """Other users could read or replace the file with the teacher's consent; the hint says how to protect it."""

    cause = "token-file-open"


class ConsentRevoked(CredentialsRefused):
    """The teacher's consent is no longer valid: the teacher removed it, or its token has expired."""

    cause = "consent-revoked"
    default_hint = (
        "Let the teacher consent again: .venv/bin/python -m functions.setup_oauth --meet. If that is needed every "
        "week, the consent screen is in Testing: publish it (console: Google Auth Platform > Audience > Publish app). "
        "Google also ends tokens that were not used for six months, and the oldest if one client has more than 100."
    )


class ConsentScopeMissing(CredentialsRefused):
    """The teacher did not consent to a scope that the call needs; the hint names it."""

    cause = "scope-not-granted"


class ConsentClientRefused(CredentialsRefused):
    """Google no longer knows the OAuth client to which the teacher consented."""

    cause = "client-refused"
    default_hint = (
        "The OAuth client was deleted, disabled, or given a new secret (console: Google Auth Platform > Clients). "
        "Download its JSON again and let the teacher consent again: .venv/bin/python -m functions.setup_oauth --meet"
    )


class ConsentNotGiven(NeedsOperator):
    """A teacher was asked to consent but did not finish; nothing was stored. The hint says what to do."""

    reason = "consent-not-given"


class OAuthClientUnusable(NeedsOperator):
    """The OAuth client is not of the type with which a teacher at a computer can be asked."""

    reason = "oauth-client-unusable"
    default_hint = (
        "Make a client in the console under Google Auth Platform > Clients > Create client, application type "
        "Desktop app, and download its JSON."
    )


class SecretManagerDisabled(NeedsOperator):
    """The Secret Manager API is not enabled in the Google Cloud project."""

    reason = "secret-manager-api-disabled"
    default_hint = "Enable the Secret Manager API in the project: gcloud services enable secretmanager.googleapis.com"

"""What can be wrong with a teacher's own consent, and what a person does about it."""

from __future__ import annotations

from functions.domain.errors import CredentialsRefused, NeedsOperator, Retryable


class ConsentsUnavailable(Retryable):
    """What keeps teachers' consents did not answer: Secret Manager, or the disk."""

    reason = "consents-unavailable"


class ConsentMissing(CredentialsRefused):
    """The teacher has not consented to anything yet, as far as is stored."""

    cause = "consent-missing"
    default_hint = "Let the teacher consent: .venv/bin/python -m functions.setup_oauth --meet"


class ConsentUnreadable(CredentialsRefused):
    """What is stored as the teacher's consent is none."""

    cause = "consent-unreadable"
    default_hint = "Let the teacher consent again: .venv/bin/python -m functions.setup_oauth --meet"


class ConsentStoreDenied(CredentialsRefused):
    """Secret Manager does not let this process read or keep the teacher's consent; the hint says how it does."""

    cause = "consent-store-denied"


class TokenFileOpen(CredentialsRefused):
    """The file with the teacher's consent could be read or exchanged by others; the hint says how to close it."""

    cause = "token-file-open"


class ConsentRevoked(CredentialsRefused):
    """The teacher's consent is no longer valid: taken back, or its token has expired."""

    cause = "consent-revoked"
    default_hint = (
        "Let the teacher consent again: .venv/bin/python -m functions.setup_oauth --meet. If that is needed every "
        "week, the consent screen is in Testing: publish it (console: Google Auth Platform > Audience > Publish app). "
        "Google also ends tokens that nobody used for six months, and the oldest of more than 100 of one client."
    )


class ConsentScopeMissing(CredentialsRefused):
    """The teacher did not consent to what this needs; the hint says to what."""

    cause = "scope-not-granted"


class ConsentClientRefused(CredentialsRefused):
    """Google does not know the OAuth client any more that the teacher consented to."""

    cause = "client-refused"
    default_hint = (
        "The OAuth client was deleted, disabled, or given a new secret (console: Google Auth Platform > Clients). "
        "Download its JSON again and let the teacher consent again: .venv/bin/python -m functions.setup_oauth --meet"
    )


class ConsentNotGiven(NeedsOperator):
    """A teacher was asked to consent, and nothing came of it; nothing was stored. The hint says what to do."""

    reason = "consent-not-given"


class OAuthClientUnusable(NeedsOperator):
    """The OAuth client is none that a teacher on a computer could be asked with."""

    reason = "oauth-client-unusable"
    default_hint = (
        "Make a client in the console under Google Auth Platform > Clients > Create client, application type "
        "Desktop app, and download its JSON."
    )


class SecretManagerDisabled(NeedsOperator):
    """The Secret Manager API is not enabled in the Google Cloud project."""

    reason = "secret-manager-api-disabled"
    default_hint = "Enable the Secret Manager API in the project: gcloud services enable secretmanager.googleapis.com"

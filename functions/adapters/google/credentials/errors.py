"""Why no token for calls to Google can be fetched, and what a person does about it."""

from __future__ import annotations

from functions.domain.errors import CredentialsRefused, NeedsOperator


class AccountNotUsable(CredentialsRefused):
    """The account with this address cannot be used: it does not exist in the school, or it is suspended."""

    cause = "account-not-usable"
    default_hint = (
        "Check in the Admin console under Directory > Users that the teacher's account exists under this primary "
        "address, belongs to the Workspace that granted domain-wide delegation, and is active."
    )


class DelegationNotGranted(CredentialsRefused):
    """The school's administrator has not allowed this system to act for teachers with a scope; the hint names it."""

    cause = "delegation-not-granted"


class SigningRefused(CredentialsRefused):
    """The service account may not sign as itself, which delegation needs."""

    cause = "signing-refused"
    default_hint = (
        "Let the service account sign as itself: gcloud iam service-accounts add-iam-policy-binding "
        "SERVICE_ACCOUNT_EMAIL --member=serviceAccount:SERVICE_ACCOUNT_EMAIL "
        "--role=roles/iam.serviceAccountTokenCreator. Commands on your own machine sign with your account: run it "
        "with --member=user:YOUR_ADDRESS too. The change takes a minute or two."
    )


class AppForbidden(CredentialsRefused):
    """The school's rules do not let this app, or any app, use the teacher's data."""

    cause = "app-forbidden"
    default_hint = (
        "Allow the app: in the Admin console under Security > Access and data control > API controls > Manage "
        "app access, trust this project's client, and do not restrict the service that it needs."
    )


class SigningApiDisabled(NeedsOperator):
    """The IAM Service Account Credentials API is not enabled in the Google Cloud project."""

    reason = "iam-credentials-api-disabled"
    default_hint = (
        "Enable the IAM Service Account Credentials API in the project: "
        "gcloud services enable iamcredentials.googleapis.com"
    )

"""Google's services, one row each: their names, and the reasons that we use for their refusals.

A new service is a row here and an adapter. Both gRPC and REST callers make their errors from the row, so that a refusal
has the same reason and hint either way.
"""

from __future__ import annotations

from dataclasses import dataclass

from functions.domain.errors import (
    CALENDAR_REFUSED,
    CALENDAR_UNAVAILABLE,
    MEET_UNAVAILABLE,
    AccessDenied,
    ApiDisabled,
    NotShown,
    RequestRefused,
    ScopeMissing,
    TokenNotAccepted,
    Unavailable,
)


class Clash(RequestRefused):
    """The stored state is not what the request expects.

    Adapters treat this as an answer; use cases never see this error.
    """


@dataclass(frozen=True, slots=True)
class Reasons:
    """The slugs that logs, documents and answers use.

    Attributes:
        unavailable: The service does not answer.
        disabled: It is not enabled in the Google Cloud project.
        denied: It refuses the account that the call was made as.
        refused: It calls the request invalid.
    """

    unavailable: str
    disabled: str
    denied: str
    refused: str


@dataclass(frozen=True, slots=True)
class Service:
    """One of Google's services.

    Attributes:
        title: Its name in the console's library of APIs; we added the part in brackets.
        api: The name that `gcloud services enable` expects.
        scope: The scope that our calls need.
        reasons: The reasons for its refusals.
        denied_hint: What to do when it refuses the account.
        refused_hint: What to do when it calls the request invalid.
        hidden_hint: What to do when it does not show something or does not have it; its answer is the same in both
            cases.
        token_hint: What to do when it does not accept even a new token.
    """

    title: str
    api: str
    scope: str
    reasons: Reasons
    denied_hint: str
    refused_hint: str = ""
    hidden_hint: str = ""
    token_hint: str = ""

    def unavailable(self, message: str) -> Unavailable:
        """The error for a service that does not answer."""
        return Unavailable(message, reason=self.reasons.unavailable)

    def disabled(self, message: str) -> ApiDisabled:
        """The error for an API that is not enabled in the project."""
        library = self.title.partition(" (")[0]
        hint = (
            f"Enable the {self.title} in the project: gcloud services enable {self.api} "
            f"(console: APIs & Services > Library > {library})."
        )
        return ApiDisabled(message, reason=self.reasons.disabled, hint=hint)

    def scope_missing(self, message: str, *, scope: str | None = None) -> ScopeMissing:
        """The error for a token that lacks a scope: the service's own, or the given one."""
        hint = (
            f"Grant the scope {scope or self.scope}: in the Admin console under Security > Access and data control > "
            "API controls > Manage domain-wide delegation, or ask the teacher to consent again."
        )
        return ScopeMissing(message, reason=self.reasons.denied, hint=hint)

    def denied(self, message: str) -> AccessDenied:
        """The error for a refusal of the account that made the call."""
        return AccessDenied(message, reason=self.reasons.denied, hint=self.denied_hint)

    def not_shown(self, message: str) -> NotShown:
        """The error for something that the service does not show to this account, or does not have."""
        return NotShown(message, reason=self.reasons.denied, hint=self.hidden_hint or self.denied_hint)

    def token_not_accepted(self, message: str) -> TokenNotAccepted:
        """The error for a new token that the service does not accept."""
        return TokenNotAccepted(message, reason=self.reasons.denied, hint=self.token_hint or self.denied_hint)

    def refused(self, message: str) -> RequestRefused:
        """The error for a request that the service calls invalid."""
        return RequestRefused(message, reason=self.reasons.refused, hint=self.refused_hint)

    def clash(self, message: str) -> Clash:
        """The error for an unexpected stored state: the id is in use, or the version is another one."""
        return Clash(message, reason=self.reasons.refused, hint=self.refused_hint)


_SCOPES = "https://www.googleapis.com/auth/"
_ACTIVE = "Check that the teacher's account is active, in this Workspace domain, "
_GRANTED = "and that the teacher's consent or domain-wide delegation is valid."
_IDENTITIES = Reasons(
    "identities-unavailable", "identities-api-disabled", "identity-access-denied", "identity-request-refused"
)
_IDENTITY_DENIED = (
    f"{_ACTIVE}that its contacts and directory are shared within the domain (Admin console: Directory > Directory "
    f"settings), {_GRANTED}"
)
_CANNOT_LOOK_UP = "The service cannot look up the id or address in the request. If Google gave it, report a bug."

MEET = Service(
    title="Google Meet REST API",
    api="meet.googleapis.com",
    scope=f"{_SCOPES}meetings.space.readonly",
    reasons=Reasons(MEET_UNAVAILABLE, "meet-api-disabled", "insufficient-permissions", "meet-request-refused"),
    denied_hint="Meet shows a conference only to its organizer and its participants. Check that the organizer's "
    "account is active, in this Workspace domain, and that Meet is switched on for it.",
    refused_hint="The message names something that Meet cannot look up. If Google sent the message, report a bug.",
    hidden_hint="Meet shows a conference only to its organizer and its participants, and only until 30 days after "
    "its end. It does not say which of the two is the problem. Check that this was the teacher's own meeting, and "
    "that the teacher's account is active, in this Workspace domain, and may use Meet.",
    token_hint="The organizer's credentials are no longer valid. Check the account and its domain-wide delegation, "  # noqa: S106 - no password
    "or ask the teacher to consent again.",
)

EVENTS = Service(
    title="Google Workspace Events API",
    api="workspaceevents.googleapis.com",
    scope=f"{_SCOPES}meetings.space.readonly",
    reasons=Reasons(
        "subscriptions-unavailable", "workspace-events-api-disabled", "subscription-refused", "subscription-refused"
    ),
    denied_hint=f"{_ACTIVE}that Meet is switched on for it, and that the topic is in the same Google Cloud project as "
    "this system.",
)

PEOPLE = Service(
    title="People API",
    api="people.googleapis.com",
    scope=f"{_SCOPES}directory.readonly",
    reasons=_IDENTITIES,
    denied_hint=_IDENTITY_DENIED,
    refused_hint=_CANNOT_LOOK_UP,
)

DIRECTORY = Service(
    title="Admin SDK API (Directory)",
    api="admin.googleapis.com",
    scope=f"{_SCOPES}admin.directory.user.readonly",
    reasons=_IDENTITIES,
    denied_hint=_IDENTITY_DENIED,
    refused_hint=_CANNOT_LOOK_UP,
)

CALENDAR = Service(
    title="Google Calendar API",
    api="calendar-json.googleapis.com",
    scope=f"{_SCOPES}calendar.events",
    reasons=Reasons(CALENDAR_UNAVAILABLE, "calendar-api-disabled", "calendar-access-denied", CALENDAR_REFUSED),
    denied_hint=f"{_ACTIVE}that Calendar is switched on for it (Admin console: Apps > Google Workspace > Calendar), "
    f"{_GRANTED}",
    refused_hint="Calendar cannot take the class as it is. Schedule it without calendar, and report a bug.",
)

REPORTS = Service(
    title="Admin SDK API (Reports)",
    api="admin.googleapis.com",
    scope=f"{_SCOPES}admin.reports.audit.readonly",
    reasons=Reasons("reports-unavailable", "reports-api-disabled", "reports-access-denied", "reports-request-refused"),
    denied_hint="Only administrators can read reports. Check that the account in REPORTS_ADMIN has the privilege "
    "Reports (Admin console: Account > Admin roles).",
    refused_hint="The Reports API does not accept the query. Report a bug.",
)

"""What can go wrong, named by what to do next.

    AttendanceError
    ├── Retryable                may succeed by itself within minutes: answer 503, Pub/Sub delivers again
    │   ├── CredentialsUnavailable
    │   ├── ConsentsUnavailable
    │   ├── CertificatesUnavailable
    │   ├── MeetUnavailable
    │   ├── IdentitiesUnavailable
    │   ├── SubscriptionsUnavailable
    │   ├── CalendarUnavailable
    │   ├── ReportsUnavailable
    │   ├── JobsUnavailable
    │   ├── StoreUnavailable
    │   ├── StoreConflict        somebody else wrote first: load again and decide again
    │   ├── DocumentTooNew       a later version of this system wrote it, and may be rolling out
    │   ├── NotSettled           Meet's data is not final yet: read again later
    │   └── OutOfTime
    ├── NeedsOperator            a person must mend it: mark the conference failed, acknowledge
    │   ├── CredentialsRefused       Google gives no token for the teacher
    │   │   ├── AccountNotUsable
    │   │   ├── DelegationNotGranted
    │   │   ├── SigningRefused
    │   │   ├── OwnCredentialsMissing
    │   │   ├── AppForbidden
    │   │   ├── ConsentMissing
    │   │   ├── ConsentUnreadable
    │   │   ├── ConsentStoreDenied
    │   │   ├── TokenFileOpen
    │   │   ├── ConsentRevoked
    │   │   ├── ConsentScopeMissing
    │   │   └── ConsentClientRefused
    │   ├── ConsentNotGiven          a teacher was asked to consent, and nothing came of it
    │   ├── OAuthClientUnusable
    │   ├── SecretManagerDisabled
    │   ├── SigningApiDisabled
    │   ├── TeacherNotAllowed        nothing may be done as this teacher
    │   ├── MeetApiDisabled
    │   ├── MeetAccessDenied
    │   │   ├── MeetNotShown
    │   │   ├── MeetScopeMissing
    │   │   └── MeetCredentialsRefused
    │   ├── IdentitiesApiDisabled
    │   ├── IdentityAccessDenied
    │   │   └── IdentityScopeMissing
    │   ├── SubscriptionsApiDisabled
    │   ├── SubscriptionRefused
    │   │   ├── SubscriptionScopeMissing
    │   │   └── SubscriptionTopicRefused
    │   ├── CalendarNotInUse
    │   ├── CalendarApiDisabled
    │   ├── CalendarLinkFailed
    │   ├── CalendarAccessDenied
    │   │   └── CalendarScopeMissing
    │   ├── ReportsApiDisabled
    │   ├── ReportsAccessDenied
    │   │   └── ReportsScopeMissing
    │   ├── DeadLettersRefused
    │   ├── ErasureNotSetUp
    │   └── OrganizerUnknown
    ├── Permanent                can never succeed: park the message, acknowledge
    │   ├── UnreadableMessage
    │   ├── Undelivered          Pub/Sub has given up on it
    │   ├── ConferenceRecordGone
    │   ├── MeetRequestRefused
    │   ├── IdentityRequestRefused
    │   ├── CalendarRequestRefused
    │   ├── ReportsRequestRefused
    │   └── DocumentsRefused     the store will never take them: too large, too many
    ├── Refused                  a caller asked for what cannot be: tell them; nothing was changed
    │   ├── NotFound
    │   │   ├── SessionNotFound
    │   │   ├── AttendeeNotFound
    │   │   └── NoConferenceRecord
    │   ├── InvalidRequest       names each field with its reason
    │   ├── OverlappingClass
    │   ├── ExternalIdInUse
    │   ├── AlreadyOnRoster
    │   ├── PreconditionFailed
    │   ├── TokenRefused
    │   └── DomainNotAllowed
    ├── ReadTooOld               the next page of a list was asked for too late: begin again
    └── WrongSetting             the environment is wrong: nothing can be done or stored until it is mended

`reason` is a slug that logs, documents and metrics use; `hint` says what a person can do.
Neither ever holds a name, an e-mail or a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class AttendanceError(Exception):
    """Any trouble that this system knows by name.

    `reason` is what callers tell errors apart by; `cause`, where one reason has several, says which it is.

    Args:
        message: What happened, in a sentence.
        hint: What to do about it; the class's own hint if left out.
    """

    reason: ClassVar[str] = "attendance-error"
    cause: ClassVar[str | None] = None
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint


class Retryable(AttendanceError):
    """May succeed by itself within minutes."""

    reason = "unavailable"
    default_hint = "It is tried again by itself."


class NeedsOperator(AttendanceError):
    """Only somebody with access to the Google Cloud project or the Admin console can mend it."""

    reason = "needs-operator"


class Permanent(AttendanceError):
    """Can never succeed, however often it is tried."""

    reason = "permanent"


class WrongSetting(AttendanceError):
    """An environment variable is missing or wrong; the message names it and says what it should be."""

    reason = "wrong-setting"
    default_hint = "Set the variable on the function and deploy it again; undelivered messages are kept."


class ReadTooOld(AttendanceError):
    """The moment to read is more than an hour ago, or the store does not read it for another reason."""

    reason = "page-token-expired"
    default_hint = "The pages of a list show one moment and can be read for an hour. Begin again with the first page."


class CredentialsUnavailable(Retryable):
    """What makes tokens did not answer: the token endpoint, the IAM Credentials API, or the metadata server."""

    reason = "credentials-unavailable"


class ConsentsUnavailable(Retryable):
    """What keeps teachers' consents did not answer: Secret Manager, or the disk."""

    reason = "consents-unavailable"


class CertificatesUnavailable(Retryable):
    """The certificates did not come by which callers' tokens are checked."""

    reason = "certificates-unavailable"
    default_hint = "Send the request again. An operator sees to it that this service can reach Google's certificates."


class MeetUnavailable(Retryable):
    """Meet did not answer, or answered 429, 500, 503 or 504, for as long as we were ready to try."""

    reason = "meet-unavailable"


class IdentitiesUnavailable(Retryable):
    """The People API or the Directory API did not answer, or answered 429 or 5xx."""

    reason = "identities-unavailable"


class SubscriptionsUnavailable(Retryable):
    """The Workspace Events API did not answer, or answered 429 or 5xx."""

    reason = "subscriptions-unavailable"


class JobsUnavailable(Retryable):
    """The jobs' topic did not take the messages; some of them may have arrived."""

    reason = "jobs-unavailable"


class CalendarUnavailable(Retryable):
    """The Calendar API did not answer, or answered 429 or 5xx."""

    reason = "calendar-unavailable"


class ReportsUnavailable(Retryable):
    """The Reports API did not answer, or answered 429 or 5xx."""

    reason = "reports-unavailable"


class StoreUnavailable(Retryable):
    """The document store did not answer."""

    reason = "store-unavailable"


class StoreConflict(Retryable):
    """A document changed after it was loaded, so nothing was written."""

    reason = "store-conflict"


class DocumentTooNew(Retryable):
    """A stored document has a later schema version than this code can read."""

    reason = "document-too-new"
    default_hint = "Deploy the version of this system that wrote the document, or a later one."


class NotSettled(Retryable):
    """The conference was read and stored, but Meet may still change it."""

    reason = "not-settled"


class OutOfTime(Retryable):
    """The work was not done within the function's time."""

    reason = "out-of-time"


class CredentialsRefused(NeedsOperator):
    """Google gives no token with which calls could be made as the teacher."""

    reason = "insufficient-permissions"
    cause = "credentials-refused"
    default_hint = (
        "Check that the teacher's account is active, and that domain-wide delegation covers it or its consent is valid "
        "(docs/administrator.md, docs/oauth.md)."
    )


class AccountNotUsable(CredentialsRefused):
    """Nobody can be impersonated at this address: there is no such account in the school, or it is suspended."""

    cause = "account-not-usable"
    default_hint = (
        "Check in the Admin console under Directory > Users that the teacher's account exists under this primary "
        "address, belongs to the Workspace that granted domain-wide delegation, and is active."
    )


class DelegationNotGranted(CredentialsRefused):
    """The school's administrator has not let this system act for its people with this scope; the hint says which."""

    cause = "delegation-not-granted"


class SigningRefused(CredentialsRefused):
    """The service account may not sign as itself, so that no delegation can be asked for."""

    cause = "signing-refused"
    default_hint = (
        "Let the service account sign as itself: gcloud iam service-accounts add-iam-policy-binding "
        "SERVICE_ACCOUNT_EMAIL --member=serviceAccount:SERVICE_ACCOUNT_EMAIL "
        "--role=roles/iam.serviceAccountTokenCreator. Commands on your own machine sign with your account: let "
        "--member=user:YOUR_ADDRESS do it too. It takes a minute or two to hold."
    )


class OwnCredentialsMissing(CredentialsRefused):
    """This process has no Google credentials of its own, with which it could ask for others."""

    cause = "own-credentials-missing"
    default_hint = (
        "In the cloud they come with the service account of the function. On your own machine: "
        "gcloud auth application-default login"
    )


class AppForbidden(CredentialsRefused):
    """The school's rules keep apps, or this one, from the teacher's data."""

    cause = "app-forbidden"
    default_hint = (
        "Let the app be used: in the Admin console under Security > Access and data control > API controls > Manage "
        "app access, trust this project's client, and do not restrict the service that it needs."
    )


class ConsentMissing(CredentialsRefused):
    """The teacher has not consented to anything yet, as far as is stored."""

    cause = "consent-missing"
    default_hint = "Let the teacher consent: python -m functions.setup_oauth --meet"


class ConsentUnreadable(CredentialsRefused):
    """What is stored as the teacher's consent is none."""

    cause = "consent-unreadable"
    default_hint = "Let the teacher consent again: python -m functions.setup_oauth --meet"


class ConsentStoreDenied(CredentialsRefused):
    """Secret Manager does not let this process read or keep the teacher's consent; the hint says how it does."""

    cause = "consent-store-denied"


class TokenFileOpen(CredentialsRefused):
    """The file with the teacher's consent could be read or exchanged by others; the hint says how to close it."""

    cause = "token-file-open"


class ConsentRevoked(CredentialsRefused):
    """The teacher's consent does not hold any more: taken back, or its token has expired."""

    cause = "consent-revoked"
    default_hint = (
        "Let the teacher consent again: python -m functions.setup_oauth --meet. If that is needed every week, the "
        "consent screen is in Testing: publish it (console: Google Auth Platform > Audience > Publish app). Google "
        "also ends tokens that nobody used for six months, and the oldest of more than 100 of one client."
    )


class ConsentScopeMissing(CredentialsRefused):
    """The teacher did not consent to what this needs; the hint says to what."""

    cause = "scope-not-granted"


class ConsentClientRefused(CredentialsRefused):
    """Google does not know the OAuth client any more that the teacher consented to."""

    cause = "client-refused"
    default_hint = (
        "The OAuth client was deleted, disabled, or given a new secret (console: Google Auth Platform > Clients). "
        "Download it anew and let the teacher consent again: python -m functions.setup_oauth --meet"
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


class SigningApiDisabled(NeedsOperator):
    """The IAM Service Account Credentials API is not enabled in the Google Cloud project."""

    reason = "iam-credentials-api-disabled"
    default_hint = (
        "Enable the IAM Service Account Credentials API in the project: "
        "gcloud services enable iamcredentials.googleapis.com"
    )


class TeacherNotAllowed(NeedsOperator):
    """Nothing may be done as this teacher, found when a call was to be made."""

    reason = "domain-not-allowed"
    default_hint = (
        "Let an administrator enrol the teacher (POST /api/organizers, or make enroll TEACHER=…), or name the teacher "
        "in ALLOWED_TEACHERS or the domain in ALLOWED_DOMAINS."
    )


class MeetApiDisabled(NeedsOperator):
    """The Meet API is not enabled in the Google Cloud project."""

    reason = "meet-api-disabled"
    default_hint = (
        "Enable the Google Meet REST API in the project: gcloud services enable meet.googleapis.com "
        "(console: APIs & Services > Library > Google Meet REST API)."
    )


class MeetAccessDenied(NeedsOperator):
    """Meet refuses the person whom the call was made as."""

    reason = "insufficient-permissions"
    default_hint = (
        "Meet shows a conference only to its organizer and its participants. Check that the organizer's "
        "account is active, in this Workspace domain, and that Meet is switched on for it."
    )


class MeetNotShown(MeetAccessDenied):
    """Meet does not show something to the person whom the call was made as, or does not have it: it says the same."""

    default_hint = (
        "Meet shows a conference to its organizer and its participants alone, until 30 days after its end, and does "
        "not say which of the two is wrong. Check that this was the teacher's own meeting, and that the teacher's "
        "account is active, in this Workspace domain, and may use Meet."
    )


class MeetScopeMissing(MeetAccessDenied):
    """The token lacks the scope that reading meetings needs."""

    default_hint = (
        "Grant the scope https://www.googleapis.com/auth/meetings.space.readonly: in the Admin console under "
        "Security > Access and data control > API controls > Manage domain-wide delegation, or by the teacher's "
        "renewed consent."
    )


class MeetCredentialsRefused(MeetAccessDenied):
    """Meet does not accept the credentials (401)."""

    default_hint = (
        "The organizer's credentials are not valid any more. Check the account and its domain-wide delegation, "
        "or let the teacher consent again."
    )


class IdentitiesApiDisabled(NeedsOperator):
    """The People API or the Admin SDK API is not enabled in the Google Cloud project; the hint says which."""

    reason = "identities-api-disabled"


class IdentityAccessDenied(NeedsOperator):
    """The People API or the Directory API refuses the person whom the call was made as."""

    reason = "identity-access-denied"
    default_hint = (
        "Check that the teacher's account is active, in this Workspace domain, that its contacts and directory are "
        "shared within the domain (Admin console: Directory > Directory settings), and that the teacher's consent or "
        "domain-wide delegation is valid."
    )


class IdentityScopeMissing(IdentityAccessDenied):
    """The token lacks the scope that looking people up needs; the hint says which."""


class SubscriptionsApiDisabled(NeedsOperator):
    """The Workspace Events API is not enabled in the Google Cloud project."""

    reason = "workspace-events-api-disabled"
    default_hint = (
        "Enable the Google Workspace Events API in the project: gcloud services enable workspaceevents.googleapis.com "
        "(console: APIs & Services > Library > Google Workspace Events API)."
    )


class SubscriptionRefused(NeedsOperator):
    """The Workspace Events API refuses the subscription, or the person whom the call was made as."""

    reason = "subscription-refused"
    default_hint = (
        "Check that the teacher's account is active, in this Workspace domain, that Meet is switched on for it, and "
        "that the topic is in the same Google Cloud project as this system."
    )


class SubscriptionScopeMissing(SubscriptionRefused):
    """The token lacks the scope that subscribing needs."""

    default_hint = (
        "Grant the scope https://www.googleapis.com/auth/meetings.space.readonly: in the Admin console under "
        "Security > Access and data control > API controls > Manage domain-wide delegation, or by the teacher's "
        "renewed consent."
    )


class SubscriptionTopicRefused(SubscriptionRefused):
    """Google Meet may not publish to the topic, or it does not exist."""

    default_hint = (
        "Let Meet publish to the topic: gcloud pubsub topics add-iam-policy-binding EVENTS_TOPIC "
        "--member=serviceAccount:meet-api-event-push@system.gserviceaccount.com --role=roles/pubsub.publisher. "
        "The topic must exist, in the same Google Cloud project as this system."
    )


class CalendarNotInUse(NeedsOperator):
    """Classes are in Calendar, and the settings name no Calendar any more."""

    reason = "calendar-not-in-use"
    default_hint = "Set CALENDAR_API_ENDPOINT, or leave it out where the real services are used."


class ErasureNotSetUp(NeedsOperator):
    """Nobody can be erased for good, because there is no key for what is kept of their names."""

    reason = "erasure-not-set-up"
    default_hint = (
        "Deploy again: make deploy makes the key in Secret Manager and gives it to the functions. On your own machine: "
        'export ERASURE_KEY="$(gcloud secrets versions access 1 --secret=meet-attendance-erasure-key '
        '--project=PROJECT)"'
    )


class CalendarLinkFailed(NeedsOperator):
    """Calendar could make no Meet link for an event."""

    reason = "calendar-link-failed"
    default_hint = (
        "Check that Google Meet is switched on for the teacher (Admin console: Apps > Google Workspace > Google Meet), "
        "or schedule the class without calendar."
    )


class CalendarApiDisabled(NeedsOperator):
    """The Calendar API is not enabled in the Google Cloud project; the hint says how it is."""

    reason = "calendar-api-disabled"


class CalendarAccessDenied(NeedsOperator):
    """The Calendar API refuses the teacher whom the call was made as."""

    reason = "calendar-access-denied"
    default_hint = (
        "Check that the teacher's account is active, in this Workspace domain, that Calendar is switched on for it "
        "(Admin console: Apps > Google Workspace > Calendar), and that the teacher's consent or domain-wide "
        "delegation is valid."
    )


class CalendarScopeMissing(CalendarAccessDenied):
    """The token lacks the scope that Calendar needs; the hint says which."""


class ReportsApiDisabled(NeedsOperator):
    """The Admin SDK API is not enabled in the Google Cloud project; the hint says how it is."""

    reason = "reports-api-disabled"


class ReportsAccessDenied(NeedsOperator):
    """The Reports API refuses the person whom the call was made as: only an administrator may read reports."""

    reason = "reports-access-denied"
    default_hint = (
        "Reports are shown to administrators alone. Check that the account in REPORTS_ADMIN has the privilege Reports "
        "(Admin console: Account > Admin roles)."
    )


class ReportsNotSetUp(NeedsOperator):
    """Nobody says as which administrator reports are to be read."""

    reason = "reports-not-set-up"
    default_hint = (
        "Set REPORTS_ADMIN to the e-mail address of an administrator with the privilege Reports, and grant the scope "
        "https://www.googleapis.com/auth/admin.reports.audit.readonly. Where everything is a stand-in, "
        "REPORTS_API_ENDPOINT names that of the Reports API."
    )


class ReportsScopeMissing(ReportsAccessDenied):
    """The token lacks the scope that reports need; the hint says which."""


class DeadLettersRefused(NeedsOperator):
    """The subscription that dead letters wait in does not let us take them."""

    reason = "dead-letters-refused"
    default_hint = (
        "Let the service account subscribe to them: gcloud pubsub subscriptions add-iam-policy-binding "
        "attendance-dead-letter --member=serviceAccount:SERVICE_ACCOUNT_EMAIL --role=roles/pubsub.subscriber. "
        "A deployment does it too."
    )


class OrganizerUnknown(NeedsOperator):
    """Nobody is known as whom the conference could be read."""

    reason = "organizer-unknown"
    default_hint = (
        "Subscribe to the teacher (target //cloudidentity.googleapis.com/users/ID), so that events name the "
        "organizer, instead of to a single space."
    )


class UnreadableMessage(Permanent):
    """The message is not one that we could ever understand."""

    reason = "unreadable-message"
    default_hint = "Look at what publishes to the topic: only the Workspace Events API should."


class Undelivered(Permanent):
    """Pub/Sub gave up on a message after delivering it in vain as often as its subscription allows."""

    reason = "undelivered"
    default_hint = (
        "Look in the functions' logs for why the message was asked for again (message.again), mend that, and process "
        "it: make replay ID=…"
    )


class ConferenceRecordGone(Permanent):
    """Meet does not know the conference record: it never existed, or its 30 days are over."""

    reason = "conference-record-gone"
    default_hint = "Meet deletes conference records 30 days after the conference ended. What was stored before stays."


class MeetRequestRefused(Permanent):
    """Meet calls our request invalid (400)."""

    reason = "meet-request-refused"
    default_hint = "The message names something that Meet cannot look up. If it came from Google, report a bug."


class IdentityRequestRefused(Permanent):
    """The People API or the Directory API calls our request invalid (400)."""

    reason = "identity-request-refused"
    default_hint = "The service cannot look up what it was asked for. If that came from Google, report a bug."


class CalendarRequestRefused(Permanent):
    """The Calendar API calls our request invalid (400)."""

    reason = "calendar-request-refused"
    default_hint = "Calendar cannot take the class as it is. Schedule it without calendar, and report a bug."


class ReportsRequestRefused(Permanent):
    """The Reports API calls our request invalid (400)."""

    reason = "reports-request-refused"
    default_hint = "The Reports API cannot look up what it was asked for. Report a bug."


class DocumentsRefused(Permanent):
    """The store calls the documents invalid: too large for one document, or for one commit."""

    reason = "documents-refused"
    default_hint = "Nothing was written. Report it with the number of participants and sessions."


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request; `reason` never repeats its value."""

    field: str
    reason: str


class Refused(AttendanceError):
    """What a caller asked for cannot be done. Nothing was changed."""

    reason = "refused"


class NotFound(Refused):
    """There is no such thing."""

    reason = "not-found"
    default_hint = "Check the id: ids are those of earlier answers."


class SessionNotFound(NotFound):
    """There is no such class meeting."""

    default_hint = "GET /api/sessions finds class meetings; each has its session_id."


class AttendeeNotFound(NotFound):
    """Nobody in a class meeting has this attendee_id; `errors` names each place where one was sent."""

    default_hint = (
        "GET /api/sessions/{session_id}/attendance shows everybody with their attendee_id. An id belongs to one class "
        "meeting, and changes when the student's student_id does: name students by student_id or email instead."
    )

    def __init__(self, message: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class PersonNotFound(NotFound):
    """No document is about such a person."""

    default_hint = (
        "Send the student_id, the Google account (its number or users/ID) or an address, percent-encoded. Somebody who "
        "was erased before is not found either."
    )


class NoConferenceRecord(NotFound):
    """Meet has no conference record for a class meeting."""

    reason = "no-conference-record"
    default_hint = (
        "Either nobody has joined the class's Meet link yet, or the class was held with another link: then attach "
        "that conference record to it. Meet forgets conference records 30 days after their end."
    )


class InvalidRequest(Refused):
    """The request cannot be used; `errors` names each field with its reason."""

    reason = "invalid-request"
    default_hint = "Correct the fields that are named and send the request again."

    def __init__(self, message: str, *, errors: Sequence[FieldError], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.errors = tuple(errors)

    @classmethod
    def of(cls, field: str, reason: str, *, hint: str | None = None) -> InvalidRequest:
        """A single field is wrong."""
        return cls(f"{field} {reason}.", errors=(FieldError(field, reason),), hint=hint)


class OverlappingClass(Refused):
    """Another class has the room at that time; `session_id` is that class."""

    reason = "overlapping-class"
    default_hint = (
        "Choose another time or another Meet link. Two sections in one room are one class meeting, "
        "with a class_id for each entry of its roster."
    )

    def __init__(self, message: str, *, session_id: str) -> None:
        super().__init__(message)
        self.session_id = session_id


class ExternalIdInUse(Refused):
    """The external id belongs to a class that was scheduled with another request; `session_id` is that class."""

    reason = "external-id-in-use"
    default_hint = (
        "Change the class that has this external_id (PATCH /api/schedule/class/{session_id}), or use another one."
    )

    def __init__(self, message: str, *, session_id: str) -> None:
        super().__init__(message)
        self.session_id = session_id


class AlreadyOnRoster(Refused):
    """The person is on the roster with an account of their own."""

    reason = "already-on-roster"
    default_hint = "Only guests can be assigned to a student. Correct the roster if this account is not the student's."


class PersonTeaches(Refused):
    """The person to be erased is a teacher: the class meetings of others depend on them."""

    reason = "person-teaches"
    default_hint = (
        "Nothing was written. Stop tracking the teacher (DELETE /api/organizers/{user_id}) and name other teachers in "
        "the classes (PATCH /api/schedule/class/{session_id}); then erase the person."
    )


class PreconditionFailed(Refused):
    """The class meeting is not any more what the caller saw (If-Match)."""

    reason = "precondition-failed"
    default_hint = "Read it again and decide anew."


class TokenRefused(Refused):
    """The caller's ID token is not valid here: forged, expired, for another service, or of no verified e-mail."""

    reason = "not-permitted"
    default_hint = (
        "Send an ID token that Google signed for this service, that has not expired, and that names the account's "
        "verified e-mail (docs/lms.md). An access token is not an ID token."
    )


class DomainNotAllowed(Refused):
    """Nothing may be done as this teacher."""

    reason = "domain-not-allowed"
    default_hint = (
        "Let an administrator enrol the teacher (POST /api/organizers), or name the teacher in ALLOWED_TEACHERS "
        "or the domain in ALLOWED_DOMAINS."
    )

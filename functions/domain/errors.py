"""What can go wrong, named by what to do next.

    AttendanceError
    ├── Retryable        may succeed by itself within minutes: answer 503, Pub/Sub delivers again
    ├── NeedsOperator    a person must act: mark the conference failed, acknowledge
    ├── Permanent        can never succeed: park the message, acknowledge
    ├── Refused          a caller asked for something impossible: tell them; nothing was changed
    ├── ReadTooOld       the next page of a list was asked for too late: begin again
    └── WrongSetting     the environment is wrong: nothing can be done or stored until it is corrected

A use case distinguishes errors by these kinds. Where it must treat one error differently, it uses one of the classes
below. If a Google service refuses something, its adapter raises one of a few general classes with this service's own
reason and hint.

`reason` is a slug that logs, documents and metrics use; `hint` says what a person can do.
Neither ever contains a name, an e-mail or a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

MEET_UNAVAILABLE = "meet-unavailable"
CALENDAR_UNAVAILABLE = "calendar-unavailable"
CALENDAR_REFUSED = "calendar-request-refused"
"""Reasons that use cases also set themselves, in place of the service's own answer."""


class AttendanceError(Exception):
    """Base class of all errors that this system defines.

    Callers distinguish errors by `reason`. If one reason has several causes, `cause` says which one it is.

    Args:
        message: A sentence that says what happened.
        hint: What to do about it; by default the class's own hint.
        reason: By default the class's own reason.
    """

    reason: str = "attendance-error"
    cause: ClassVar[str | None] = None
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str | None = None, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint
        if reason is not None:
            self.reason = reason


class Retryable(AttendanceError):
    """May succeed by itself within minutes."""

    reason = "unavailable"
    default_hint = "The system tries again by itself."


class NeedsOperator(AttendanceError):
    """Only a person with the rights of an operator or an administrator can fix it."""

    reason = "needs-operator"


class Permanent(AttendanceError):
    """Can never succeed, even if it is tried again."""

    reason = "permanent"


class WrongSetting(AttendanceError):
    """An environment variable is missing or wrong; the message names it and says what it should be."""

    reason = "wrong-setting"
    default_hint = "Set the variable on the function and deploy again. Undelivered messages are kept."


class ErasureNotSetUp(WrongSetting):
    """There is no key for what is kept of erased people's names: nobody can be erased, and they could be stored again.

    A message that meets it is delivered again, and nothing is stored until the key is there.
    """

    reason = "erasure-not-set-up"


class ReadTooOld(AttendanceError):
    """The moment whose data is to be read is more than an hour ago, or the store cannot read it for another reason."""

    reason = "page-token-expired"
    default_hint = "The pages of a list show one moment and can be read for an hour. Start again with the first page."


class Unavailable(Retryable):
    """Until the end of our attempts, a service did not answer or asked us to call later."""


class ApiDisabled(NeedsOperator):
    """A service is not enabled for this system."""


class AccessDenied(NeedsOperator):
    """A service refuses the account that made the call."""


class ScopeMissing(AccessDenied):
    """The token lacks a scope that the service needs; the hint names it."""


class TokenNotAccepted(AccessDenied):
    """A service does not accept the token."""


class NotShown(AccessDenied):
    """A service does not show something to the account that asked, or does not have it.

    Its answer is the same in both cases.
    """


class RequestRefused(Permanent):
    """A service calls our request invalid."""


class CredentialsUnavailable(Retryable):
    """The source of tokens did not answer: the token endpoint, the IAM Credentials API, or the metadata server."""

    reason = "credentials-unavailable"


class CertificatesUnavailable(Retryable):
    """The certificates for checking callers' tokens could not be fetched."""

    reason = "certificates-unavailable"
    default_hint = (
        "Send the request again. If it keeps failing, ask an operator to check that this service can reach Google's "
        "certificates."
    )


class JobsUnavailable(Retryable):
    """The jobs' topic did not accept the messages; some of them may have arrived."""

    reason = "jobs-unavailable"


class ChangesUnavailable(Retryable):
    """The topic of changes did not accept the messages; some of them may have arrived."""

    reason = "changes-unavailable"


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
    """The work was not finished within the function's time limit."""

    reason = "out-of-time"


class RateLimited(Retryable):
    """A message would wait longer for a quota than it may; what was done so far is kept, and it continues there."""

    reason = "rate-limited"


class CredentialsRefused(NeedsOperator):
    """Google refuses a token for calls as the teacher."""

    reason = "insufficient-permissions"
    cause = "credentials-refused"
    default_hint = (
        "Check that the teacher's account is active, and that domain-wide delegation covers it or its consent is valid "
        "(docs/administrator.md, docs/oauth.md)."
    )


class OwnCredentialsMissing(CredentialsRefused):
    """This process does not have Google credentials of its own, which it needs to get tokens."""

    cause = "own-credentials-missing"
    default_hint = "In the cloud they come from the service account of the function (docs/deploy.md)."


class TeacherNotAllowed(NeedsOperator):
    """This system may not act for this teacher; this was found just before a call."""

    reason = "domain-not-allowed"
    default_hint = (
        "Ask an administrator to enrol the teacher (POST /api/organizers, or make enroll TEACHER=…), or to add the "
        "teacher to ALLOWED_TEACHERS or the domain to ALLOWED_DOMAINS."
    )


class CalendarNotInUse(NeedsOperator):
    """Classes are in Calendar, but the settings no longer name a Calendar."""

    reason = "calendar-not-in-use"
    default_hint = "Set CALENDAR_API_ENDPOINT, or leave it out where the real services are used."


class CalendarLinkFailed(NeedsOperator):
    """Calendar could not make a Meet link for an event."""

    reason = "calendar-link-failed"


class ReportsNotSetUp(NeedsOperator):
    """The settings do not name the administrator whose account reads reports."""

    reason = "reports-not-set-up"


class OrganizerUnknown(NeedsOperator):
    """No account is known that could read the conference."""

    reason = "organizer-unknown"


class UnreadableMessage(Permanent):
    """The message cannot be understood and never will be."""

    reason = "unreadable-message"
    default_hint = "Check what publishes to the topic: only the Workspace Events API should publish to it."


class Undelivered(Permanent):
    """Pub/Sub gave up on a message after as many failed deliveries as its subscription allows."""

    reason = "undelivered"
    default_hint = (
        "Find the cause in the functions' logs (message.again), fix it, and process the message: make replay ID=…"
    )


class ConferenceRecordGone(Permanent):
    """Meet does not know the conference record: it never existed, or its 30 days are over."""

    reason = "conference-record-gone"
    default_hint = "Meet deletes conference records 30 days after the conference ended. What was stored before is kept."


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
    """Something that the request names does not exist."""

    reason = "not-found"
    default_hint = "Check the id: use one from an earlier answer."


class SessionNotFound(NotFound):
    """No class meeting has this session_id."""

    default_hint = "GET /api/sessions finds class meetings; each has its session_id."


class AttendeeNotFound(NotFound):
    """Nobody in a class meeting has this attendee_id; `errors` names each place of the request that has such an id."""

    default_hint = (
        "GET /api/sessions/{session_id}/attendance shows everybody with their attendee_id. An id is valid for one "
        "class meeting only, and changes when the student's student_id changes: name students by student_id or email "
        "instead."
    )

    def __init__(self, message: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class PersonNotFound(NotFound):
    """No document is about this person."""

    default_hint = (
        "Send the student_id, the Google account (its number or users/ID) or an address, percent-encoded. Somebody who "
        "was erased before is not found either."
    )


class NoConferenceRecord(NotFound):
    """Meet has no conference record for a class meeting."""

    reason = "no-conference-record"
    default_hint = (
        "Either nobody has joined the class's Meet link yet, or the class was held with another link. In the second "
        "case, attach that conference record (POST /api/sessions/{session_id}/conference-records). Meet deletes "
        "conference records 30 days after their end."
    )


class InvalidRequest(Refused):
    """The request is not valid; `errors` names each field with its reason."""

    reason = "invalid-request"
    default_hint = "Correct the named fields and send the request again."

    def __init__(self, message: str, *, errors: Sequence[FieldError], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.errors = tuple(errors)

    @classmethod
    def of(cls, field: str, reason: str, *, hint: str | None = None) -> InvalidRequest:
        """A single field is wrong."""
        return cls(f"{field} {reason}.", errors=(FieldError(field, reason),), hint=hint)


class InConflict(Refused):
    """Another class is in the way; `session_id` is that class."""

    def __init__(self, message: str, *, session_id: str) -> None:
        super().__init__(message)
        self.session_id = session_id


class OverlappingClass(InConflict):
    """Another class has the room at that time."""

    reason = "overlapping-class"
    default_hint = (
        "Choose another time or another Meet link. For two sections in one room, schedule one class meeting and give "
        "each roster entry its own class_id."
    )


class ExternalIdInUse(InConflict):
    """The external id belongs to a class that was scheduled with another request."""

    reason = "external-id-in-use"
    default_hint = (
        "Change the class that has this external_id (PATCH /api/schedule/class/{session_id}), or use another "
        "external_id."
    )


class AlreadyOnRoster(Refused):
    """The person's account belongs to a student on the roster, so the person is not a guest."""

    reason = "already-on-roster"
    default_hint = "Only guests can be assigned to a student. Correct the roster if this account is not the student's."


class PersonTeaches(Refused):
    """The person is a teacher, so the class meetings of others depend on them."""

    reason = "person-teaches"
    default_hint = (
        "Nothing was written. Stop tracking the teacher (DELETE /api/organizers/{user_id}) and name other teachers in "
        "the classes (PATCH /api/schedule/class/{session_id}); then erase the person."
    )


class PersonNotUnique(Refused):
    """The name may mean several people."""

    reason = "person-not-unique"
    default_hint = (
        "Nothing was written. Ask with what identifies one person: the student_id of the LMS, or the id of the Google "
        "account (users/ID). If the account itself is the problem, ask with the student_id."
    )


class AccountAssigned(Refused):
    """Another student used an account of the person in a class meeting: erasing it would take that student's time."""

    reason = "account-assigned"
    default_hint = (
        "Nothing was written. Set the other student's mark by hand (PUT /api/sessions/{session_id}/overrides) and undo "
        "the assignment (POST /api/sessions/{session_id}/attendance/{attendee_id}/assign with email null). Then erase "
        "the person."
    )


class PreconditionFailed(Refused):
    """The class meeting changed after the caller read it (If-Match)."""

    reason = "precondition-failed"
    default_hint = "Read the class meeting again, then repeat the change with the new ETag."


class TokenRefused(Refused):
    """The caller's ID token is not valid for this service: forged, expired, or without a verified e-mail."""

    reason = "not-permitted"
    default_hint = (
        "Send an ID token that Google signed for this service, that has not expired, and that names the account's "
        "verified e-mail (docs/lms.md). An access token is not an ID token."
    )


class DomainNotAllowed(Refused):
    """This system may not act for this teacher, and a caller asks for it."""

    reason = TeacherNotAllowed.reason
    default_hint = TeacherNotAllowed.default_hint


_PASSING = frozenset(kind.reason for kind in (StoreConflict, DocumentTooNew, NotSettled, OutOfTime, RateLimited))


def passes(reason: str) -> bool:
    """Whether a stored problem with this reason may disappear by itself, because a service did not answer."""
    return reason.endswith("unavailable") or reason in _PASSING

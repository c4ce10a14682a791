"""What can go wrong, named by what to do next.

    AttendanceError
    ├── Retryable                may succeed by itself within minutes: answer 503, Pub/Sub delivers again
    │   ├── MeetUnavailable
    │   ├── StoreUnavailable
    │   ├── StoreConflict        somebody else wrote first: load again and decide again
    │   ├── DocumentTooNew       a later version of this system wrote it, and may be rolling out
    │   ├── NotSettled           Meet's data is not final yet: read again later
    │   └── OutOfTime
    ├── NeedsOperator            a person must mend it: mark the conference failed, acknowledge
    │   ├── MeetApiDisabled
    │   ├── MeetAccessDenied
    │   │   ├── MeetScopeMissing
    │   │   └── MeetCredentialsRefused
    │   └── OrganizerUnknown
    ├── Permanent                can never succeed: park the message, acknowledge
    │   ├── UnreadableMessage
    │   ├── ConferenceRecordGone
    │   ├── MeetRequestRefused
    │   └── DocumentsRefused     the store will never take them: too large, too many
    └── WrongSetting             the environment is wrong: nothing can be done or stored until it is mended

`reason` is a slug that logs, documents and metrics use; `hint` says what a person can do.
Neither ever holds a name, an e-mail or a token.
"""

from __future__ import annotations

from typing import ClassVar


class AttendanceError(Exception):
    """Any trouble that this system knows by name.

    Args:
        message: What happened, in a sentence.
        hint: What to do about it; the class's own hint if left out.
    """

    reason: ClassVar[str] = "attendance-error"
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


class MeetUnavailable(Retryable):
    """Meet did not answer, or answered 429, 500, 503 or 504, for as long as we were ready to try."""

    reason = "meet-unavailable"


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


class MeetScopeMissing(MeetAccessDenied):
    """The token lacks the scope that reading meetings needs."""

    default_hint = (
        "Grant the scope https://www.googleapis.com/auth/meetings.space.readonly: in the Admin console under "
        "Security > API controls > Domain-wide delegation, or by the teacher's renewed consent."
    )


class MeetCredentialsRefused(MeetAccessDenied):
    """Meet does not accept the credentials (401)."""

    default_hint = (
        "The organizer's credentials are not valid any more. Check the account and its domain-wide delegation, "
        "or let the teacher consent again."
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


class ConferenceRecordGone(Permanent):
    """Meet does not know the conference record: it never existed, or its 30 days are over."""

    reason = "conference-record-gone"
    default_hint = "Meet deletes conference records 30 days after the conference ended. What was stored before stays."


class MeetRequestRefused(Permanent):
    """Meet calls our request invalid (400)."""

    reason = "meet-request-refused"
    default_hint = "The message names something that Meet cannot look up. If it came from Google, report a bug."


class DocumentsRefused(Permanent):
    """The store calls the documents invalid: too large for one document, or for one commit."""

    reason = "documents-refused"
    default_hint = "Nothing was written. Report it with the number of participants and sessions."

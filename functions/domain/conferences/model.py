"""The types: what Meet says about a conference, who people are, and how much has been read.

Names are Google's (https://developers.google.com/workspace/meet/api/guides/overview). Every time is an aware
UTC `datetime` of whole microseconds. `conference_record` is always a resource name, `conferenceRecords/{id}`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from functions.domain.errors import AttendanceError

MAX_DISPLAY_NAME = 200

TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the writing direction of all following text: a name with one could make the line around it
unreadable."""


def clean_display_name(typed: str) -> str:
    """A display name as it may be stored.

    One line of at most 200 characters, without control characters and overrides of the writing direction.

    We assume that participants type harmful text. Markup stays as it is: code that shows a name escapes it.
    """
    harmless = typed if typed.isprintable() else "".join(filter(_is_harmless, typed))
    return " ".join(harmless.split())[:MAX_DISPLAY_NAME].rstrip()


def _is_harmless(character: str) -> bool:
    if character.isspace():
        return True  # everything that separates words becomes a space
    return unicodedata.category(character) not in {"Cc", "Cs"} and character not in TURNING


# --- What Meet says -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignedInUser:
    """A Google account, or the robot account of a room device. `user` is `users/{id}`, as the Directory knows it."""

    user: str
    display_name: str


@dataclass(frozen=True, slots=True)
class AnonymousUser:
    """Somebody who is not signed in and typed a name."""

    display_name: str


@dataclass(frozen=True, slots=True)
class PhoneUser:
    """Somebody who joined by phone; the display name is the number, partly hidden by Google."""

    display_name: str


@dataclass(frozen=True, slots=True)
class EmailUser:
    """A person with an address from reports, in lower case. `user` is `users/{id}` if reports name the account too."""

    email: str
    user: str | None
    display_name: str


@dataclass(frozen=True, slots=True)
class DeviceUser:
    """Meet hardware in a room; Google's reports distinguish it from people."""

    display_name: str


User = SignedInUser | AnonymousUser | PhoneUser | EmailUser | DeviceUser
"""Meet shows the first three kinds; reports show all but the first."""


class Kind(StrEnum):
    """How somebody was in the room."""

    SIGNED_IN = "signed_in"
    ANONYMOUS = "anonymous"
    PHONE = "phone"
    ROOM = "room"
    EXPECTED = "expected"


@dataclass(frozen=True, slots=True)
class ParticipantSession:
    """One presence on one device, from join to leave. `end_time` is None until Meet reports an end."""

    name: str
    start_time: datetime
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class Participant:
    """One person, or one unidentified guest, in one conference, with all their sessions, oldest first."""

    name: str
    user: User
    earliest_start_time: datetime | None
    latest_end_time: datetime | None
    sessions: tuple[ParticipantSession, ...]


@dataclass(frozen=True, slots=True)
class ConferenceRecord:
    """One held conference in a space. `end_time` is None while it goes on."""

    name: str
    space: str
    start_time: datetime
    end_time: datetime | None
    expire_time: datetime | None


@dataclass(frozen=True, slots=True)
class Space:
    """The room. Google reuses the meeting code, so never use it as a key."""

    name: str
    meeting_code: str | None
    meeting_uri: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that Meet says about one conference.

    Participants are ordered by name, so equal conferences give equal snapshots.
    """

    record: ConferenceRecord
    space: Space
    participants: tuple[Participant, ...]


class SessionsSource(StrEnum):
    """Where it is known from how many sessions each participant had; all times are Meet's."""

    MEET = "meet"
    """Meet was asked for the sessions of every participant."""
    EVENTS = "events"
    """For some participants joined and left events showed that they had one session, so Meet was not asked."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A snapshot, when its reading began, and how many calls to Meet it took, including retries.

    Attributes:
        sessions_source: Where the sessions are known from.
        seen: The participant sessions that events had named when it began.
    """

    snapshot: Snapshot
    pulled_at: datetime
    meet_calls: int
    sessions_source: SessionsSource = SessionsSource.MEET
    seen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Organizer:
    """The owner of a conference, whose account reads it; `user` is `users/{id}`."""

    user: str | None = None
    email: str | None = None

    @property
    def known(self) -> bool:
        """Whether calls to Google can be made as this person."""
        return bool(self.user or self.email)


REPORTED = "conferenceRecords/reports-"
"""The beginning of the names that we give to conferences that only reports show; the rest is the reports' own id."""


def is_reported(conference_record: str) -> bool:
    """Whether this conference is only in reports: Meet does not know its name, so we never ask Meet for it."""
    return conference_record.startswith(REPORTED)


# --- Who people are -------------------------------------------------------------------------------------------


class IdentitySource(StrEnum):
    """The service that identified an account.

    Reports have no aliases, and count only if no other service knows the account.
    """

    DIRECTORY = "directory"
    PEOPLE = "people"
    REPORTS = "reports"


@dataclass(frozen=True, slots=True)
class Identity:
    """The person of a Google account, as the Directory or People say.

    Attributes:
        user: `users/{id}`.
        email: The address, lower case.
        aliases: Other addresses, lower case, sorted.
        display_name: The account's name, cleaned.
        source: Which service said so.
    """

    user: str
    email: str
    aliases: tuple[str, ...]
    display_name: str | None
    source: IdentitySource


class SubscriptionState(StrEnum):
    """Whether a subscription delivers events."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    PENDING = "pending"
    ELSEWHERE = "elsewhere"
    """It publishes to another topic, reports another target, or lacks event types that we need."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A Workspace Events subscription; `name` is None while it is still being made."""

    name: str | None
    state: SubscriptionState
    expire_time: datetime | None = None
    suspension_reason: str | None = None


# --- How much of it has been read ---------------------------------------------------------------------------


class SyncState(StrEnum):
    """Whether the data of a conference is final."""

    PROVISIONAL = "provisional"
    COMPLETE = "complete"
    FAILED = "failed"


class SyncSource(StrEnum):
    """What started the read, or that the data came from Google's reports and not from Meet."""

    EVENT = "event"
    MANUAL = "manual"
    RECONCILE = "reconcile"
    REPORTS = "reports"


@dataclass(frozen=True, slots=True)
class SyncError:
    """Why a read failed, for the person who can fix it; `at` is when that read began."""

    reason: str
    message: str
    hint: str
    at: datetime

    @classmethod
    def of(cls, error: AttendanceError, *, at: datetime) -> Self:
        """The part of an error that is stored."""
        return cls(reason=error.reason, message=error.message, hint=error.hint, at=at)


@dataclass(frozen=True, slots=True)
class Sync:
    """The state of reading one conference.

    Attributes:
        pulled_at: When the read of the stored snapshot began; older data never replaces it.
        first_pulled_at: When the first successful read began.
        ended_event_at: The earliest time at which an event said that the conference had ended.
        attempts: How many reads were recorded, failed ones included.
        meet_calls: How many calls the last successful read took.
        error: Why a later read failed; None once a read succeeds again.
        sessions_source: Where the sessions of the stored snapshot are known from.
        seen_digest: A hash of the participant sessions that events had named when the stored snapshot was read.
    """

    state: SyncState
    source: SyncSource
    pulled_at: datetime | None
    first_pulled_at: datetime | None
    ended_event_at: datetime | None
    attempts: int
    meet_calls: int
    error: SyncError | None = None
    sessions_source: SessionsSource = SessionsSource.MEET
    seen_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Interruption:
    """Reads of a conference that did not finish since the last complete read.

    Attributes:
        began_at: When the last of them began.
        failures: In how many of them Meet failed; not those for which only the quota was used up.
        again_at: The system does not read the conference again before this time.
        participants: Participants who were read completely, each with the time at which that read began.
    """

    began_at: datetime
    failures: int
    again_at: datetime
    participants: tuple[tuple[Participant, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class Conference:
    """One conference as stored: what Meet said about it, and how much has been read.

    Attributes:
        conference_record: `conferenceRecords/{id}`.
        organizer: The person whose account reads it.
        snapshot: What Meet said; None as long as no read succeeded.
        session_ids: The class meetings that it is part of.
        sync: How much has been read.
        attached_to: The class meetings to which people attached it; they count more than any timetable.
        superseded_by: For a conference from reports: the conference record that counts in its place.
        interruption: The results of reads that did not finish; no mark is ever based on them.
        erased: A token for each person who was in it and is erased. It says nothing of the person.
    """

    conference_record: str
    organizer: Organizer
    snapshot: Snapshot | None
    session_ids: tuple[str, ...]
    sync: Sync
    attached_to: tuple[str, ...] = ()
    superseded_by: str | None = None
    interruption: Interruption | None = None
    erased: tuple[str, ...] = ()

    @classmethod
    def unread(
        cls, conference_record: str, *, organizer: Organizer, source: SyncSource, ended_event_at: datetime | None = None
    ) -> Self:
        """A conference about which nothing is stored yet, before its first read."""
        sync = Sync(SyncState.PROVISIONAL, source, None, None, ended_event_at, attempts=0, meet_calls=0)
        return cls(conference_record, organizer, snapshot=None, session_ids=(), sync=sync)

    @property
    def reported(self) -> bool:
        """Whether it is known from Google's reports and not from Meet."""
        return is_reported(self.conference_record)

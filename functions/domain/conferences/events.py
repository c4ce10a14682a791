"""Workspace events: Converts the attributes and data of an event to what happened. No network, no envelope.

An event is only a hint to look: it names a resource and says nothing about its content. Shapes:
https://developers.google.com/workspace/events/guides/events-meet and
https://developers.google.com/workspace/events/guides/events-lifecycle
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from functions.domain.conferences.model import Organizer
from functions.domain.errors import UnreadableMessage

_ID = r"[A-Za-z0-9._~-]{1,256}"
STORABLE_ID = rf"(?!\.{{1,2}}$|__.*__$){_ID}"
"""The id at the end of a name, in a form that can be a document id.

Firestore accepts no other ids: https://firebase.google.com/docs/firestore/quotas#collections_documents_and_fields.
"""
_CONFERENCE_RECORD = re.compile(rf"conferenceRecords/{STORABLE_ID}")
_PARTICIPANT_SESSION = re.compile(rf"conferenceRecords/{_ID}/participants/{_ID}/participantSessions/{_ID}")
_ARTIFACT = re.compile(rf"conferenceRecords/{_ID}/(?:recordings|transcripts|smartNotes)/{_ID}")
_SUBSCRIPTION = re.compile(rf"subscriptions/{_ID}")
# Google documents names with two slashes before the host, but also sends names without them.
_USER_TARGET = re.compile(rf"(?://)?cloudidentity\.googleapis\.com/(?P<user>users/{STORABLE_ID})")
_SOURCE = re.compile(rf"(?://)?workspaceevents\.googleapis\.com/(?P<subscription>subscriptions/{_ID})")

_LONGEST = 256
"""How many characters of an id or a type are kept: both are only logged."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What every event says about itself; only the type is always present.

    Attributes:
        event_type: The attribute `ce-type`. A string, because Google adds types, and unknown types must be accepted.
        event_id: The attribute `ce-id`, opaque.
        organizer: The person whose spaces the subscription watches; unknown when it watches a single space, or when the
            event names a resource of the space as its subject.
        occurred_at: When it happened.
        subscription: `subscriptions/{id}`, which reports the event.
    """

    event_type: str
    event_id: str | None
    organizer: Organizer
    occurred_at: datetime | None
    subscription: str | None = None


@dataclass(frozen=True, slots=True)
class ConferenceStarted:
    """A conference began."""

    origin: Origin
    conference_record: str


@dataclass(frozen=True, slots=True)
class ConferenceEnded:
    """A conference has ended: its participants can be read."""

    origin: Origin
    conference_record: str


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """Somebody joined on a device."""

    origin: Origin
    participant_session: str


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """Somebody left on a device."""

    origin: Origin
    participant_session: str


@dataclass(frozen=True, slots=True)
class ArtifactChanged:
    """A recording, a transcript or smart notes started, ended or became a file."""

    origin: Origin
    artifact: str


@dataclass(frozen=True, slots=True)
class SubscriptionChanged:
    """A subscription of ours is about to expire, has expired or was suspended."""

    origin: Origin
    subscription: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Any other type. Google says that unknown event types should be ignored."""

    origin: Origin


Event = (
    ConferenceStarted
    | ConferenceEnded
    | ParticipantJoined
    | ParticipantLeft
    | ArtifactChanged
    | SubscriptionChanged
    | Unknown
)


def parse(attributes: Mapping[str, str], payload: object) -> Event:
    """The event in a Pub/Sub message of the Workspace Events API.

    Args:
        attributes: The message's attributes, `ce-type` among them.
        payload: The message's data as decoded JSON, None if it is not JSON. It is read only for types that we know.

    Raises:
        UnreadableMessage: The event type is missing, or an event of a known type does not name its resource.
    """
    event_type = attributes.get("ce-type")
    if not event_type:
        raise UnreadableMessage("The message has no attribute ce-type, so it is not a Workspace event.")
    target = _USER_TARGET.fullmatch(attributes.get("ce-subject", ""))
    source = _SOURCE.fullmatch(attributes.get("ce-source", ""))
    event_id = attributes.get("ce-id")
    origin = Origin(
        event_type=event_type[:_LONGEST],
        event_id=event_id[:_LONGEST] if event_id else None,
        organizer=Organizer(user=target["user"]) if target else Organizer(),
        occurred_at=moment_in(attributes.get("ce-time")),
        subscription=source["subscription"] if source else None,
    )
    match event_type.split("."):
        case ["google", "workspace", "meet", "conference", "v2", "started"]:
            return ConferenceStarted(origin, _conference_record(payload))
        case ["google", "workspace", "meet", "conference", "v2", "ended"]:
            return ConferenceEnded(origin, _conference_record(payload))
        case ["google", "workspace", "meet", "participant", "v2", "joined"]:
            return ParticipantJoined(origin, _resource(payload, "participantSession", _PARTICIPANT_SESSION))
        case ["google", "workspace", "meet", "participant", "v2", "left"]:
            return ParticipantLeft(origin, _resource(payload, "participantSession", _PARTICIPANT_SESSION))
        case ["google", "workspace", "meet", ("recording" | "transcript" | "smartNote") as kind, "v2", _]:
            return ArtifactChanged(origin, _resource(payload, kind, _ARTIFACT))
        case ["google", "workspace", "events", "subscription", "v1", "suspended" | "expirationReminder" | "expired"]:
            return SubscriptionChanged(origin, _resource(payload, "subscription", _SUBSCRIPTION))
        case _:
            return Unknown(origin)


def conference_record_in(value: object) -> str:
    """Return the value if it is the name of a conference record that can be looked up and stored.

    Raises:
        UnreadableMessage: It is not.
    """
    if isinstance(value, str) and _CONFERENCE_RECORD.fullmatch(value):
        return value
    raise UnreadableMessage("The event does not have a valid conference record name (conferenceRecords/…).")


def _conference_record(payload: object) -> str:
    return _resource(payload, "conferenceRecord", _CONFERENCE_RECORD)


def _resource(payload: object, key: str, pattern: re.Pattern[str]) -> str:
    match payload:
        case {**resources} if isinstance(resource := resources.get(key), dict):
            name = resource.get("name")
            if isinstance(name, str) and pattern.fullmatch(name):
                return name
    raise UnreadableMessage(f"The event's data lacks the {key} ({{{key}: {{name: …}}}}).")


def moment_in(text: object) -> datetime | None:
    """A time in a message, in UTC and cut to whole microseconds; None if it is not a time or has no offset."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None

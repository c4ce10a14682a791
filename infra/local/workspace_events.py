"""Messages as the Google Workspace Events API publishes them to a Pub/Sub topic.

https://developers.google.com/workspace/events/guides/events-meet
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Message:
    """A Pub/Sub message: the publisher's part, and the part that Pub/Sub adds."""

    attributes: dict[str, str]
    data: bytes
    message_id: str = field(default_factory=lambda: str(uuid.uuid4().int >> 72))
    publish_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    ordering_key: str = ""


def conference_ended(conference_record: str, *, organizer: str, at: datetime, event_id: str | None = None) -> Message:
    """Return the event that a conference is over; the subscription of its organizer (`users/{id}`) gets it."""
    return meet_event(
        "conference.v2.ended",
        {"conferenceRecord": {"name": conference_record}},
        organizer=organizer,
        at=at,
        event_id=event_id,
    )


def meet_event(kind: str, payload: object, *, organizer: str, at: datetime, event_id: str | None = None) -> Message:
    """Return an event of the type `google.workspace.meet.{kind}`. It contains only the name of the resource."""
    subscription = f"//workspaceevents.googleapis.com/subscriptions/meet-{organizer.replace('/', '-')}"
    return Message(
        attributes={
            "ce-datacontenttype": "application/json",
            "ce-id": event_id or str(uuid.uuid4()),
            "ce-source": subscription,
            "ce-specversion": "1.0",
            "ce-subject": f"//cloudidentity.googleapis.com/{organizer}",
            "ce-time": rfc3339(at),
            "ce-type": f"google.workspace.meet.{kind}",
        },
        data=json.dumps(payload).encode(),
        ordering_key=subscription,
    )


def lifecycle_event(kind: str, subscription: str, *, at: datetime, **about: str) -> Message:
    """Return an event of the type `google.workspace.events.subscription.v1.{kind}` about its own subscription.

    https://developers.google.com/workspace/events/guides/events-lifecycle

    Args:
        kind: `expirationReminder`, `expired` or `suspended`.
        subscription: `subscriptions/{id}`.
        at: When it happened.
        about: What this kind contains in addition to the name: `expire_time` or `suspension_reason`.
    """
    source = f"//workspaceevents.googleapis.com/{subscription}"
    return Message(
        attributes={
            "ce-datacontenttype": "application/json",
            "ce-id": str(uuid.uuid4()),
            "ce-source": source,
            "ce-specversion": "1.0",
            "ce-subject": source,
            "ce-time": rfc3339(at),
            "ce-type": f"google.workspace.events.subscription.v1.{kind}",
        },
        data=json.dumps({"subscription": {"name": subscription, **about}}).encode(),
        publish_time=at,
        ordering_key=source,
    )


def rfc3339(moment: datetime) -> str:
    """Return a time in Google's form."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

"""The rules by which the Workspace Events API refuses requests, each with its source.

A refusal is INVALID_ARGUMENT; it names the field and quotes the rule. The quotes come from the discovery document
(https://workspaceevents.googleapis.com/$discovery/rest?version=v1) unless another page is named.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import grpc

from infra.local.faults import Refusal

Message = Any  # protobuf makes its classes at run time, so the type checker does not know them

LIFE = timedelta(days=7)
"""https://developers.google.com/workspace/events#lifetime: the longest lifetime without resource data."""

UPDATABLE = ("expire_time", "ttl", "event_types")

PAGE, MOST_OF_A_PAGE = 50, 100

_MEET = "google.workspace.meet."
_OF_SPACES_AND_USERS = frozenset(
    {
        f"{_MEET}conference.v2.started",
        f"{_MEET}conference.v2.ended",
        f"{_MEET}participant.v2.joined",
        f"{_MEET}participant.v2.left",
        *(
            f"{_MEET}{artifact}.v2.{what}"
            for artifact in ("recording", "transcript", "smartNote")
            for what in ("started", "ended", "fileGenerated")
        ),
    }
)
"""https://developers.google.com/workspace/events/guides/events-meet"""

_TARGETS = (
    re.compile(r"//cloudidentity\.googleapis\.com/(?P<user>users/[0-9]+)"),
    re.compile(r"//meet\.googleapis\.com/spaces/[A-Za-z0-9_-]+"),
)
_NAME = re.compile(r"subscriptions/[^/]+")
# A project's id has at least six characters; the local stack's id is shorter.
_TOPIC = re.compile(
    r"projects/(?P<project>[a-z][a-z0-9-]*[a-z0-9]|[0-9]+)/topics/(?P<topic>[A-Za-z][A-Za-z0-9_.~+%-]{2,254})"
)
_ANY_TYPE = re.compile(r'event_types:"([^"]*)"')
_TYPES = r'event_types:"[^"]*"(?:\s+OR\s+event_types:"[^"]*")*'
_FILTER = re.compile(
    rf'\s*(?:(?P<alone>{_TYPES})|(?:\(\s*(?P<grouped>{_TYPES})\s*\)|(?P<one>event_types:"[^"]*"))'
    r'(?:\s+AND\s+target_resource="(?P<target>[^"]*)")?)\s*'
)


class Malformed(Refusal):
    """A request that a correct caller never sends: INVALID_ARGUMENT, with the field and the rule."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(grpc.StatusCode.INVALID_ARGUMENT, f"Invalid value for '{field}': {rule}")


@dataclass(frozen=True)
class Filter:
    """The conditions of a list request."""

    event_types: frozenset[str]
    target: str | None


def check_new(subscription: Message, *, project: str | None) -> None:
    """Check a new subscription.

    Args:
        subscription: The requested subscription.
        project: The project of the application; None allows the project of its topic.
    """
    check_target(subscription.target_resource)
    check_types(subscription.event_types)
    topic = _TOPIC.fullmatch(subscription.notification_endpoint.pubsub_topic)
    if topic is None or topic["topic"].lower().startswith("goog"):
        raise Malformed(
            "subscription.notification_endpoint.pubsub_topic",
            "Format: `projects/{project}/topics/{topic}`; a topic's name has 3 to 255 characters, begins with a letter "
            "and not with goog (https://cloud.google.com/pubsub/docs/create-topic#resource_names).",
        )
    if project is not None and topic["project"] != project:
        raise Malformed(
            "subscription.notification_endpoint.pubsub_topic",
            "You must create the topic in the same Google Cloud project where you create this subscription.",
        )
    if subscription.payload_options:
        raise Malformed("subscription.payload_options", "Only supported for Google Chat and Google Drive events.")


def check_target(target: str) -> None:
    """Check the resource that a subscription is about."""
    if not any(pattern.fullmatch(target) for pattern in _TARGETS):
        raise Malformed(
            "subscription.target_resource",
            "//meet.googleapis.com/spaces/SPACE or //cloudidentity.googleapis.com/users/USER, where USER is the "
            "Directory API's user.id and not an address "
            "(https://developers.google.com/workspace/events/guides/events-meet).",
        )


def check_types(event_types: Iterable[str], field: str = "subscription.event_types") -> None:
    """Check the types of events that a subscription reports."""
    asked = list(event_types)
    if not asked:
        raise Malformed(field, "Required. One or more types of events to receive about the target resource.")
    if unknown := [kind for kind in asked if kind not in _OF_SPACES_AND_USERS]:
        raise Malformed(
            field,
            "If you specify an event type that doesn't exist for the target resource, the request returns an HTTP "
            f"`400 Bad Request` status code. There is no {unknown[0]!r}.",
        )


def end_of(subscription: Message, *, now: datetime) -> datetime:
    """Return the end of a requested subscription; without a requested end, it is the latest possible time."""
    message = type(subscription).pb(subscription)
    if message.HasField("expire_time"):
        end: datetime = subscription.expire_time
        field = "subscription.expire_time"
    else:
        end, field = now + (subscription.ttl or LIFE), "subscription.ttl"
    if not now < end <= now + LIFE:
        raise Malformed(field, "Up to 7 days without resource data (https://developers.google.com/workspace/events).")
    return end


def updated_field(request: Message, subscription: Message) -> str:
    """Return the only field that an update changes."""
    given = [field.name for field, _ in request.subscription.ListFields() if field.name not in {"name", "etag"}]
    paths = list(request.update_mask.paths) or given
    if len(paths) != 1 or paths[0] not in UPDATABLE:
        raise Malformed(
            "update_mask",
            "You can update one of the following fields in a subscription: `expire_time`, `ttl`, `event_types`.",
        )
    [path] = paths
    if path == "event_types":
        check_types(subscription.event_types)
    if path == "expire_time" and not request.subscription.HasField("expire_time"):
        raise Malformed("subscription.expire_time", "The timestamp when the subscription expires.")
    return str(path)


def check_name(name: str) -> None:
    """Check the name of a subscription."""
    if not _NAME.fullmatch(name):
        raise Malformed("name", "Format: `subscriptions/{subscription}`")


def parsed_filter(text: str) -> Filter:
    """Return the conditions of a filter."""
    found = _FILTER.fullmatch(text)
    if found is None:
        raise Malformed(
            "filter",
            "Required. You must specify at least one event type in your query. To filter for multiple event types, use "
            "the `OR` operator. To filter by both event type and target resource, use the `AND` operator and specify "
            "the full resource name.",
        )
    types = _ANY_TYPE.findall(found["alone"] or found["grouped"] or found["one"])
    check_types(types, "filter")
    if found["target"] is not None:
        check_target(found["target"])
    return Filter(frozenset(types), found["target"])


def page_size(asked: int) -> int:
    """Return the number of subscriptions on a page."""
    if asked < 0:
        raise Malformed("page_size", "The maximum number of subscriptions to return.")
    return min(asked or PAGE, MOST_OF_A_PAGE)

"""What a Pub/Sub trigger posts, unwrapped.

Two CloudEvents are nested: the outer one is Pub/Sub's and always of one type, the Workspace event is in the attributes
and the data of the inner message. https://cloud.google.com/eventarc/docs/cloudevents-json
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from functions.domain.errors import UnreadableMessage


@dataclass(frozen=True, slots=True)
class Message:
    """A Pub/Sub message: its attributes, and its data as decoded JSON, None if it is not JSON."""

    attributes: dict[str, str]
    payload: object


def unwrap(body: object) -> Message:
    """The Pub/Sub message in a CloudEvent's data, which may be anything: bytes, None, a list.

    Raises:
        UnreadableMessage: It is not a Pub/Sub message.
    """
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(message, dict):
        raise UnreadableMessage("The request's body holds no Pub/Sub message.")
    attributes = message.get("attributes")
    if not isinstance(attributes, dict):
        raise UnreadableMessage("The Pub/Sub message has no attributes.")
    return Message(
        attributes={name: value for name, value in attributes.items() if isinstance(value, str)},
        payload=_payload(message.get("data")),
    )


def _payload(data: object) -> object:
    try:
        return json.loads(base64.b64decode(data, validate=True)) if isinstance(data, str) else None
    except (binascii.Error, ValueError, RecursionError):
        return None

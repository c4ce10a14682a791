"""What a Pub/Sub trigger posts, unwrapped.

Two CloudEvents are nested: the outer one is Pub/Sub's and always of one type, the Workspace event lies in the
attributes and the data of the message inside. https://cloud.google.com/eventarc/docs/cloudevents-json
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from functions.domain.errors import AttendanceError, UnreadableMessage
from functions.ports import Parked, ParkedEvent


@dataclass(frozen=True, slots=True)
class Message:
    """A Pub/Sub message: its attributes, and its data as decoded JSON, None if it is none."""

    attributes: dict[str, str]
    payload: object


def unwrap(body: object) -> Message:
    """The Pub/Sub message in a CloudEvent's data, which may be anything: bytes, None, a list.

    Raises:
        UnreadableMessage: It is no Pub/Sub message.
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


def parked(body: object, error: AttendanceError) -> ParkedEvent:
    """The message as it is kept for a person. It is recognised by its content, so that it is kept once."""
    encoding, text = _as_text(body)
    message = body["message"] if isinstance(body, dict) and isinstance(body.get("message"), dict) else body
    identity = f"{encoding}:{_as_text(message)[1]}"
    return ParkedEvent(
        key=hashlib.sha256(identity.encode()).hexdigest()[:40],
        message=text,
        encoding=encoding,
        reason=error.reason,
        hint=error.hint,
    )


def restored(parked: Parked) -> object:
    """The CloudEvent's data as it was when it was parked.

    Raises:
        UnreadableMessage: Only a part of it was kept, or it is not kept as `parked` writes it down.
    """
    if parked.truncated:
        raise UnreadableMessage(
            "Only the first part of the message was kept.",
            hint="It was larger than any that Google sends. If it mattered, let its publisher send it again.",
        )
    text = parked.event.message
    try:
        match parked.event.encoding:
            case "json":
                return json.loads(text)
            case "base64":
                return base64.b64decode(text, validate=True)
            case _:
                return text.encode()
    except (ValueError, RecursionError):
        raise UnreadableMessage("The message cannot be read from its document any more.") from None


def _payload(data: object) -> object:
    try:
        return json.loads(base64.b64decode(data, validate=True)) if isinstance(data, str) else None
    except (binascii.Error, ValueError, RecursionError):
        return None


def _as_text(body: object) -> tuple[str, str]:
    """How a body is written down, and its text: nothing of it is lost, whatever it is."""
    if isinstance(body, bytes):
        try:
            return "text", body.decode()
        except UnicodeDecodeError:
            return "base64", base64.b64encode(body).decode()
    try:
        return "json", json.dumps(body, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return "text", ascii(body)

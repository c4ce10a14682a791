"""Store messages that cannot be processed, and dead letters, where a person sees them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from functions.domain.conferences.syncing import is_unfinished
from functions.domain.errors import AttendanceError, ConferenceRecordGone, Undelivered, UnreadableMessage
from functions.ports.messages import Job, Parked, ParkedEvent
from functions.services.deps import Deps
from functions.services.sync.meet.gathered import Request

log = logging.getLogger(__name__)


DEAD_LETTERS_JOB = "park-dead-letters"

SHIFT = timedelta(seconds=240)
"""How long one call parks dead letters; the function has 540 seconds."""


PASSED = (ConferenceRecordGone.reason, Undelivered.reason)
"""The reasons of parked messages whose work another message may have done since."""

_OF_DEAD_LETTERS = "CloudPubSubDeadLetterSource"
"""The beginning of the attributes that Pub/Sub adds to a dead letter."""

_DELIVERY = frozenset({"messageId", "message_id", "publishTime", "publish_time"})


async def park_dead_letters(*, deps: Deps) -> int:
    """Park every dead letter that waits. Each is removed from its subscription after it is stored, so none is lost.

    Returns:
        How many; 0 if the subscription does not exist. What is left after some minutes is left to another job.

    Raises:
        Retryable: Pub/Sub or the store did not answer; messages that were not stored still wait.
        NeedsOperator: We may not read the dead letters.
    """
    if deps.dead_letters is None:
        return 0
    error = Undelivered("The message was delivered several times, and every attempt failed.")
    ends_at, parked_ones = deps.clock() + SHIFT, 0
    while letters := await deps.dead_letters.pull():
        await asyncio.gather(*(deps.store.park(parked(letter.body, error)) for letter in letters))
        await deps.dead_letters.acknowledge(letters)
        log.error("message.parked", extra={"reason": error.reason, "hint": error.hint, "messages": len(letters)})
        parked_ones += len(letters)
        if deps.clock() >= ends_at:
            await deps.jobs.publish([Job(DEAD_LETTERS_JOB)])
            break
    return parked_ones


async def settle(
    concern_of: Callable[[Parked], Request | str | None], *, reasons: Sequence[str] = PASSED, deps: Deps
) -> int:
    """Close parked messages whose work was meanwhile done in another way.

    Args:
        concern_of: What a message wants to update: a conference, or a class meeting's id; otherwise None.
        reasons: For which they were parked.
        deps: The outside world.

    Returns:
        How many.
    """

    async def is_done(parked: Parked) -> bool:
        reader = deps.store.reader()
        match concern := concern_of(parked):
            case Request():
                stored = await reader.conference(concern.conference_record)
                if stored is None or stored.snapshot is None or stored.sync.pulled_at is None:
                    return False
                return not is_unfinished(stored) or stored.sync.pulled_at >= parked.parked_at
            case str():
                session = await reader.session(concern)
                tried_at = session.progress.tried_at if session and not session.progress.failures else None
                return tried_at is not None and tried_at >= parked.parked_at
            case None:
                return False

    settled = [
        parked for reason in reasons async for parked in deps.store.parked(reason=reason) if await is_done(parked)
    ]
    for parked in settled:
        await deps.store.note_replayed(parked)
    if settled:
        log.info("parked.settled", extra={"messages": len(settled)})
    return len(settled)


def parked(body: object, error: AttendanceError) -> ParkedEvent:
    """The message as it is kept for a person. It is recognised by its content, so that it is kept once.

    A job is recognised by what it requests, because the scheduler sends the same request again and again in new
    messages.
    """
    encoding, text = _as_text(body)
    identity = f"{encoding}:{_as_text(_content(body))[1]}"
    return ParkedEvent(
        key=hashlib.sha256(identity.encode()).hexdigest()[:40],
        message=text,
        encoding=encoding,
        reason=error.reason,
        hint=error.hint,
    )


def _content(body: object) -> object:
    """The key of a message. It does not depend on the delivery, because Pub/Sub makes a new message for a dead letter.

    https://cloud.google.com/pubsub/docs/handling-failures#track_delivery_attempts
    """
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(message, dict):
        return body
    attributes = message.get("attributes")
    if not isinstance(attributes, dict):
        return message
    if "job" in attributes:
        return {"job": attributes["job"], "data": message.get("data")}
    own = {name: value for name, value in attributes.items() if not str(name).startswith(_OF_DEAD_LETTERS)}
    return {**{name: value for name, value in message.items() if name not in _DELIVERY}, "attributes": own}


def restored(parked: Parked) -> object:
    """The CloudEvent's data as it was when it was parked.

    Raises:
        UnreadableMessage: Only a part of it was stored, or it is not stored in the form of `parked`.
    """
    if parked.truncated:
        raise UnreadableMessage(
            "Only the first part of the message was kept.",
            hint="The message was larger than any that Google sends. If it is needed, ask its publisher to send it "
            "again.",
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
        raise UnreadableMessage("The message can no longer be read from its document.") from None


def _as_text(body: object) -> tuple[str, str]:
    """The encoding of a body, and its text: nothing is lost, whatever the body contains."""
    if isinstance(body, bytes):
        try:
            return "text", body.decode()
        except UnicodeDecodeError:
            return "base64", base64.b64encode(body).decode()
    try:
        return "json", json.dumps(body, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return "text", ascii(body)

"""Messages: jobs to hand out, dead letters to fetch, and the stored form of a message that cannot be processed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """One message for the jobs' topic: its attribute `job`, and its data."""

    name: str
    data: Mapping[str, object] = field(default_factory=dict)


class Jobs(Protocol):
    """Work to be done by another call of the jobs' function."""

    async def publish(self, jobs: Sequence[Job]) -> None:
        """Hand over jobs. Raises Retryable if not all are accepted; then some may be done twice."""


@dataclass(frozen=True, slots=True)
class AttendanceChange:
    """A message about a commit that changed marks or times of a class meeting; it contains nothing about a person.

    Attributes:
        class_id: None for a class meeting without a class.
        state: Of the class meeting.
        sync_state: None before the first sync.
        updated_at: When it was committed.
    """

    session_id: str
    class_id: str | None
    state: str
    sync_state: str | None
    updated_at: datetime


class Changes(Protocol):
    """Where changes of attendance are published."""

    async def publish(self, changes: Sequence[AttendanceChange]) -> None:
        """Publish all messages, or raise Retryable; then some may be published twice. It never takes long."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that Pub/Sub could not deliver: `body` is what a trigger would have posted."""

    body: Mapping[str, object]
    receipt: str


class DeadLetters(Protocol):
    """The subscription in which dead letters wait."""

    async def pull(self) -> Sequence[DeadLetter]:
        """Some waiting dead letters; empty if none wait or the subscription does not exist.

        Raises Retryable if Pub/Sub does not answer.
        """

    async def acknowledge(self, letters: Sequence[DeadLetter]) -> None:
        """Remove them from the subscription. Raises Retryable if this is not certain; then some may be pulled again."""


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """A message that cannot be processed, kept for a person.

    Attributes:
        key: The key by which the message is recognised when it comes again; it is made from the message.
        message: The message as received, as text.
        encoding: The encoding of the text: `json`, `text`, or `base64`.
        reason: The error's slug.
        hint: What to do about it.
    """

    key: str
    message: str
    encoding: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked message that was not replayed since then.

    Attributes:
        event: What was parked; its message may be cut.
        truncated: Whether it was cut, so that it can never be processed.
        parked_at: When it was parked for the last time.
    """

    event: ParkedEvent
    truncated: bool
    parked_at: datetime

"""Whether the topic of changes got the final state of each class meeting with attendance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from infra.local.chaos.compare import Documents
from infra.local.delivery import Pubsub

TOPIC = "attendance-changed"


class Listener:
    """An LMS with a subscription to the topic of changes.

    Args:
        pubsub: The emulator.
        project: The project of the day.
    """

    def __init__(self, pubsub: Pubsub, project: str) -> None:
        self._pubsub = pubsub
        self._topic = f"projects/{project}/topics/{TOPIC}"
        self._subscription = f"projects/{project}/subscriptions/{TOPIC}"

    async def subscribe(self) -> None:
        """Create the topic, and a subscription to it."""
        await self._pubsub.create_topic(self._topic)
        await self._pubsub.create_subscription(self._subscription, self._topic)

    async def untold(self, documents: Documents, waiting: Iterable[str]) -> list[str]:
        """Return the changes that it did not get.

        Args:
            documents: The stored documents.
            waiting: Ids of commits that must still be published.
        """
        told: dict[str, Mapping[str, str]] = {}
        for attributes in await self._pubsub.drained(self._subscription):
            name = attributes["session_id"]
            if name not in told or told[name]["updated_at"] < attributes["updated_at"]:
                told[name] = attributes
        return [*(f"{name} is not published" for name in waiting), *not_told(documents, told)]


def not_told(documents: Documents, told: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the class meetings with attendance whose last message does not have their final state.

    Args:
        documents: The stored documents.
        told: The attributes of the last message, by class meeting.
    """
    ends: dict[str, set[tuple[str, str]]] = {}
    for path, document in documents.items():
        if "/attendance/" in path:
            ends.setdefault(document["session_id"], set()).add((document["session_state"], document["sync_state"]))
    wrong = []
    for session_id, end in sorted(ends.items()):
        last = told.get(session_id)
        found = (last["state"], last["sync_state"]) if last else None
        if end != {found}:
            wrong.append(f"sessions/{session_id} ended as {sorted(end)}, and others were told {found}")
    return wrong

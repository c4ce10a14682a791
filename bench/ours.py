"""Ours: the event, handled by the real application as it is in the cloud, but for HTTP."""

from __future__ import annotations

import base64

from cloudevents.http import CloudEvent

from functions import wiring
from functions.entrypoints.messages import events
from functions.settings import AuthMode, Settings
from infra.local.workspace_events import Message


class Ours:
    """One warm instance of the application. Build it in the loop that it runs in.

    Args:
        meet: `host:port` of the simulated Meet.
        firestore: `host:port` of the emulator; FIRESTORE_EMULATOR_HOST says the same.
        project: The Firestore project that it writes to.
    """

    def __init__(self, meet: str, firestore: str, project: str) -> None:
        self._app = wiring.build(
            Settings(
                auth_mode=AuthMode.ANONYMOUS,
                meet_api_endpoint=f"http://{meet}",
                meet_reads_per_minute=0,
                meet_project_reads_per_minute=0,
                attendance_store="firestore",
                firestore_emulator_host=firestore,
                google_cloud_project=project,
            )
        )

    async def handle(self, event: CloudEvent) -> None:
        """Handle one event; returns once the documents are committed."""
        await events.handle(event, lambda: self._app)

    async def close(self) -> None:
        """Close the connections to Meet."""
        await self._app.close()


def cloud_event(message: Message) -> CloudEvent:
    """A message as the functions framework hands it to the function."""
    topic = "projects/demo-bench/topics/workspace-events"
    attributes = {
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "source": f"//pubsub.googleapis.com/{topic}",
        "id": message.message_id,
    }
    body = {
        "message": {
            "attributes": message.attributes,
            "data": base64.b64encode(message.data).decode(),
            "messageId": message.message_id,
            "publishTime": message.publish_time.isoformat(),
        },
        "subscription": "projects/demo-bench/subscriptions/workspace-events",
    }
    return CloudEvent(attributes, body)

"""The functions that are deployed; see `functions/` for what they do."""

import functions_framework.aio
from cloudevents.http import CloudEvent

from functions import wiring
from functions.entrypoints import events


@functions_framework.aio.cloud_event
async def on_workspace_event(event: CloudEvent) -> None:
    """A Workspace event came through the Pub/Sub topic `workspace-events`."""
    await events.handle(event, wiring.app)

"""The functions that are deployed; see `functions/` for what they do."""

from functions import garbage

with garbage.kept():
    import functions_framework.aio
    from cloudevents.http import CloudEvent
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from functions import wiring
    from functions.entrypoints.messages import events


@functions_framework.aio.cloud_event
async def on_workspace_event(event: CloudEvent) -> None:
    """A Workspace event came through the Pub/Sub topic `workspace-events`."""
    await events.handle(event, wiring.app)


@functions_framework.aio.cloud_event
async def on_job(event: CloudEvent) -> None:
    """A job came through the Pub/Sub topic `attendance-jobs`."""
    from functions.entrypoints.messages import jobs  # noqa: PLC0415 - events are answered sooner without what jobs do

    await jobs.handle(event, wiring.app)


@functions_framework.aio.http  # type: ignore[arg-type] # what is returned answers the request: any ASGI application can
async def api(_: Request) -> ASGIApp:
    """A call of the HTTP API: an LMS asks, or an operator."""
    from functions.entrypoints.api import function  # noqa: PLC0415 - the other functions start faster without FastAPI

    return function.serve(wiring.app)

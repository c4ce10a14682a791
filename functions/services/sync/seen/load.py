"""Loads what events said about a conference, while other things are asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from functions.domain.conferences.seen import SeenSessions
from functions.ports.google import no_events
from functions.services.deps import Deps

Events = Callable[[], Awaitable[SeenSessions]]
"""Returns what events said about a conference; nothing if events do not count."""


@contextlib.asynccontextmanager
async def loading_events(conference_record: str, deps: Deps) -> AsyncIterator[Events]:
    """Begin to load at once, so that nobody waits for it alone. What was not needed at the end is given up."""
    if deps.seen is None:
        yield no_events
        return
    loading = asyncio.create_task(deps.seen.of(conference_record))
    try:
        yield lambda: loading
    finally:
        loading.cancel()
        await asyncio.wait([loading])
        if not loading.cancelled():
            loading.exception()  # nobody needed it, or it was raised already

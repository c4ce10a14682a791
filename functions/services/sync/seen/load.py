"""Loads what events said about a conference, while other things are asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

from functions.domain.conferences.seen import JUST_ENDED, SeenSessions
from functions.ports.google import no_events
from functions.services.deps import Deps

Events = Callable[[], Awaitable[SeenSessions]]
"""Returns what events said about a conference; nothing if events do not count."""


@contextlib.asynccontextmanager
async def loading_events(
    conference_record: str, deps: Deps, *, ended_event_at: datetime | None = None
) -> AsyncIterator[Events]:
    """Begin to load at once, so that nobody waits for it alone. What was not needed at the end is given up.

    Args:
        conference_record: The conference.
        deps: The outside world.
        ended_event_at: When it ended, if an event says so. If that is a moment ago, its left events may be on the way.
    """
    if deps.seen is None:
        yield no_events
        return
    has_just_ended = ended_event_at is not None and deps.clock() - ended_event_at <= JUST_ENDED
    of = deps.seen.of_ended if has_just_ended else deps.seen.of
    loading = asyncio.create_task(of(conference_record))
    try:
        yield lambda: loading
    finally:
        loading.cancel()
        await asyncio.wait([loading])
        if not loading.cancelled():
            loading.exception()  # nobody needed it, or it was raised already

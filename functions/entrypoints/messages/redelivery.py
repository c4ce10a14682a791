"""A parked message, processed again as if it was delivered now."""

from __future__ import annotations

import asyncio

from functions.domain.conferences.model import SyncError
from functions.domain.errors import OutOfTime, UnreadableMessage
from functions.entrypoints.messages import events, jobs
from functions.entrypoints.messages.answer import TIME
from functions.entrypoints.messages.envelope import unwrap
from functions.ports.messages import Parked
from functions.services.operations.parking import restored
from functions.wiring import App


async def redeliver(parked: Parked, app: App) -> SyncError | None:
    """Hand a message to the function of its topic, which its attributes show.

    Returns:
        Why Meet refused until a person fixes the cause; the message is still acknowledged.

    Raises:
        Retryable: It is to be processed again later.
        Permanent: It can never succeed, or not be processed again at all.
    """
    message = unwrap(restored(parked))
    if "job" in message.attributes:
        process = jobs.process
    elif "ce-type" in message.attributes:
        process = events.process
    else:
        raise UnreadableMessage("The message's attributes name neither a job (job) nor an event (ce-type).")
    try:
        with app.patience().started(within=TIME):
            async with asyncio.timeout(TIME):
                return await process(message, app)
    except TimeoutError:
        raise OutOfTime(f"The work was not done within {TIME:.0f} seconds.") from None

"""How a Pub/Sub message is answered: acknowledged, parked, or requested again.

Returning acknowledges. HTTP 503 makes Pub/Sub deliver again; any other exception is a bug and answered 500.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from cloudevents.http import CloudEvent
from starlette.exceptions import HTTPException

from functions import logs
from functions.domain.errors import (
    AttendanceError,
    NotSettled,
    OutOfTime,
    OwnCredentialsMissing,
    Permanent,
    Retryable,
    StoreUnavailable,
    WrongSetting,
)
from functions.entrypoints.messages.envelope import Message, unwrap
from functions.wiring import App

log = logging.getLogger(__name__)

TIME = 500.0
"""How many seconds a message may take: less than the function's 540, so that time is left to answer."""

Process = Callable[[Message, App], Awaitable[object]]


async def answer(event: CloudEvent, build_app: Callable[[], App], process: Process, *, within: float = TIME) -> None:
    """Process one message.

    Args:
        event: The event from the functions framework.
        build_app: Returns the application; may fail when the environment is wrong.
        process: Processes a message; an error decides how it is answered.
        within: How many seconds it may take.

    Raises:
        HTTPException: 503, so that the message is delivered again.
    """
    body = event.get_data()
    with logs.context(traceparent=event.get("traceparent"), message_id=event.get("id")):
        try:
            app = build_app()
            with app.patience().started(within=within, age=_age(event, app)):
                async with asyncio.timeout(within):
                    await _process(body, app, process)
        except TimeoutError:
            raise _again(OutOfTime(f"The work was not done within {within:.0f} seconds.")) from None
        except (Retryable, WrongSetting, OwnCredentialsMissing) as error:
            raise _again(error) from None


def _age(event: CloudEvent, app: App) -> float:
    """How many seconds ago a message was published: its CloudEvent says it, the same at every delivery."""
    try:
        return (app.deps.clock() - datetime.fromisoformat(str(event.get("time")))).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no time, one without an offset, or one that is none
        return 0.0


async def _process(body: object, app: App, process: Process) -> None:
    try:
        await process(unwrap(body), app)
    except Permanent as error:
        await _park(body, error, app)


async def _park(body: object, error: Permanent, app: App) -> None:
    """Keep a message that can never succeed, then let it be acknowledged."""
    from functions.services.operations.parking import parked  # noqa: PLC0415 - seldom needed: instances start sooner

    try:
        await app.deps.store.park(parked(body, error))
    except Permanent as refusal:
        raise StoreUnavailable(f"The message could not be parked: {refusal.message}", hint=refusal.hint) from refusal
    log.error("message.parked", extra={"reason": error.reason, "detail": error.message, "hint": error.hint})


def _again(error: AttendanceError) -> HTTPException:
    """Log why, once, and ask for the message to be delivered again."""
    if not isinstance(error, NotSettled):  # a provisional read is already logged
        level = logging.WARNING if isinstance(error, Retryable) else logging.ERROR
        log.log(
            level,
            "message.again",
            extra={"reason": error.reason, "detail": error.message, "hint": error.hint},
        )
    return HTTPException(503, detail=error.reason)

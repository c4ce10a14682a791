"""Workspace events: a Pub/Sub message in, acknowledged or delivered again.

Returning acknowledges. HTTP 503 makes Pub/Sub deliver again; any other exception is a bug and answered 500.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from cloudevents.http import CloudEvent
from starlette.exceptions import HTTPException

from functions import logs
from functions.domain import events
from functions.domain.errors import (
    AttendanceError,
    NotSettled,
    OutOfTime,
    Permanent,
    Retryable,
    StoreUnavailable,
    WrongSetting,
)
from functions.domain.model import SyncSource, SyncState
from functions.entrypoints.envelope import parked, unwrap
from functions.services.record_conference import Recorded, Request, record_conference
from functions.wiring import App

log = logging.getLogger(__name__)

TIME = 500.0
"""Seconds that a message may take: within the function's 540, with time left to answer."""


async def handle(event: CloudEvent, build_app: Callable[[], App], *, within: float = TIME) -> None:
    """Process one message.

    Args:
        event: As the functions framework hands it over.
        build_app: Gives the application; may fail when the environment is wrong.
        within: Seconds that it may take.

    Raises:
        HTTPException: 503, the message is to be delivered again.
    """
    body = event.get_data()
    with logs.context(traceparent=event.get("traceparent"), message_id=event.get("id")):
        try:
            app = build_app()
            async with asyncio.timeout(within):
                await _process(body, app)
        except TimeoutError:
            raise _again(OutOfTime(f"Not done within {within:.0f} seconds.")) from None
        except (Retryable, WrongSetting) as error:
            raise _again(error) from None


async def _process(body: object, app: App) -> None:
    try:
        message = unwrap(body)
        event = events.parse(message.attributes, message.payload)
        origin = event.origin
        with logs.context(event_id=origin.event_id, event_type=origin.event_type, **_about(event)):
            await _dispatch(event, app)
    except Permanent as error:
        await _park(body, error, app)


async def _park(body: object, error: Permanent, app: App) -> None:
    """Keep a message that can never succeed, then let it be acknowledged."""
    try:
        await app.store.park(parked(body, error))
    except Permanent as refusal:
        raise StoreUnavailable(f"The message could not be parked: {refusal.message}", hint=refusal.hint) from refusal
    log.error("message.parked", extra={"reason": error.reason, "detail": error.message, "hint": error.hint})


async def _dispatch(event: events.Event, app: App) -> None:
    match event:
        case events.ConferenceEnded():
            await _record(event, app)
        case events.Unknown():
            log.warning("event.unknown")
        case _:
            log.info("event.noted")


async def _record(event: events.ConferenceEnded, app: App) -> None:
    began = monotonic()
    recorded = await record_conference(
        Request(
            conference_record=event.conference_record,
            organizer=event.origin.organizer,
            ended_event_at=event.origin.occurred_at,
            source=SyncSource.EVENT,
        ),
        conferences=app.conferences,
        store=app.store,
        clock=app.clock,
        rules=app.rules,
        turns=app.turns,
    )
    _report(recorded, seconds=monotonic() - began)
    if recorded.conference.sync.state is SyncState.PROVISIONAL:
        raise NotSettled("Meet may still change the conference.")


def _report(recorded: Recorded, *, seconds: float) -> None:
    """The one line that tells what a sync did."""
    sync = recorded.conference.sync
    facts = {
        "outcome": sync.state.value,
        "read": recorded.read,
        "people": recorded.people,
        "meet_calls": sync.meet_calls if recorded.read else 0,
        "attempts": sync.attempts,
        "seconds": round(seconds, 3),
    }
    if recorded.refusal:
        log.error(
            "conference.failed", extra={**facts, "reason": recorded.refusal.reason, "hint": recorded.refusal.hint}
        )
    else:
        log.info("conference.recorded", extra=facts)


def _again(error: AttendanceError) -> HTTPException:
    """Log why, once, and ask for the message to be delivered again."""
    if not isinstance(error, NotSettled):  # that a read was provisional is logged already
        level = logging.ERROR if isinstance(error, WrongSetting) else logging.WARNING
        log.log(
            level,
            "message.again",
            extra={"reason": error.reason, "detail": error.message, "hint": error.hint},
        )
    return HTTPException(503, detail=error.reason)


def _about(event: events.Event) -> dict[str, str]:
    """The resource that an event names, as a log field."""
    match event:
        case events.ConferenceStarted() | events.ConferenceEnded():
            return {"conference_record": event.conference_record}
        case events.ParticipantJoined() | events.ParticipantLeft():
            return {"participant_session": event.participant_session}
        case events.ArtifactChanged():
            return {"artifact": event.artifact}
        case events.SubscriptionChanged():
            return {"subscription": event.subscription}
        case events.Unknown():
            return {}

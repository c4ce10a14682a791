"""Workspace events: a Pub/Sub message in, acknowledged or delivered again."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from time import monotonic

from functions import logs
from functions.domain.conferences import events
from functions.domain.conferences.model import SyncError, SyncSource, SyncState
from functions.domain.conferences.syncing import may_appear
from functions.domain.errors import AttendanceError, ConferenceRecordGone, NotSettled
from functions.entrypoints.messages.answer import answer
from functions.entrypoints.messages.envelope import Message
from functions.entrypoints.messages.log_lines import report
from functions.services.live.notes import note_end, note_presence
from functions.services.sync.conference import sync_conference
from functions.services.sync.meet.gathered import Request
from functions.services.sync.seen.note import note_seen
from functions.wiring import App

log = logging.getLogger(__name__)


async def process(message: Message, app: App) -> SyncError | None:
    """Do what a message asks for.

    Returns:
        Why Meet refused until a person fixes the cause; the message is still acknowledged.

    Raises:
        Retryable: It is to be processed again later.
        Permanent: It can never succeed.
    """
    event = events.parse(message.attributes, message.payload)
    origin = event.origin
    with logs.context(event_id=origin.event_id, event_type=origin.event_type, **_about(event)):
        match event:
            case events.ConferenceEnded():
                return await _record(event, app)
            case events.ParticipantJoined() | events.ParticipantLeft():
                await asyncio.gather(note_seen(event, deps=app.deps), note_presence(event, deps=app.deps))
                log.info("event.noted")
            case events.SubscriptionChanged():
                # These come about once a week for each teacher; all other events are answered sooner without.
                from functions.entrypoints.messages import subscriptions  # noqa: PLC0415 - as just said

                return await subscriptions.look_after(event, app)
            case events.Unknown():
                log.warning("event.unknown")
            case _:
                log.info("event.noted")
    return None


async def _record(event: events.ConferenceEnded, app: App) -> SyncError | None:
    began = monotonic()
    request = Request(
        conference_record=event.conference_record,
        organizer=event.origin.organizer,
        ended_event_at=event.origin.occurred_at,
        source=SyncSource.EVENT,
        subscription=event.origin.subscription,
    )
    # At the same time, so that nobody is shown in the room any more while the conference is read.
    recorded, emptied = await asyncio.gather(
        sync_conference(request, deps=app.deps), _empty_room(event.conference_record, app), return_exceptions=True
    )
    if isinstance(recorded, ConferenceRecordGone) and may_appear(event.origin.occurred_at, now=app.deps.clock()):
        log.info("event.early")
        raise NotSettled("Meet does not show the conference record yet.") from None
    if isinstance(recorded, BaseException):
        raise recorded
    if emptied:
        raise emptied
    report(recorded, seconds=monotonic() - began)
    if recorded.conference.sync.state is SyncState.PROVISIONAL:
        raise NotSettled("Meet may still change the conference.")
    return recorded.refusal


async def _empty_room(conference_record: str, app: App) -> None:
    """Show nobody in the call any more. If that fails, `check-live` does it later."""
    try:
        await note_end(conference_record, deps=app.deps)
    except AttendanceError as error:
        log.warning("live.not_emptied", extra={"reason": error.reason})


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


handle = partial(answer, process=process)
"""Processes one message of the topic of Workspace events; see `functions.entrypoints.messages.answer.answer`."""

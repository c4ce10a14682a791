"""The object of a parked message, found without processing it."""

from __future__ import annotations

import re

from functions.domain.conferences.events import STORABLE_ID, ConferenceEnded, conference_record_in, parse
from functions.domain.conferences.model import Organizer, SyncSource
from functions.domain.errors import Permanent
from functions.entrypoints.messages.envelope import unwrap
from functions.ports.messages import Parked
from functions.services.operations.parking import restored
from functions.services.sync.meet.gathered import Request


def concern_of(parked: Parked) -> Request | str | None:
    """The object that a parked message wants to update: a conference, or a class meeting's id."""
    try:
        message = unwrap(restored(parked))
        data = message.payload if isinstance(message.payload, dict) else {}
        match message.attributes.get("job"):
            case "sync-conference":
                record = conference_record_in(data.get("conference_record"))
                return Request(record, Organizer(), None, SyncSource.RECONCILE)
            case "sync-session":
                session_id = data.get("session_id")
                return session_id if isinstance(session_id, str) and re.fullmatch(STORABLE_ID, session_id) else None
            case None:
                event = parse(message.attributes, message.payload)
                if isinstance(event, ConferenceEnded):
                    ended_at = event.origin.occurred_at
                    return Request(event.conference_record, Organizer(), ended_at, SyncSource.EVENT)
    except Permanent:
        pass
    return None

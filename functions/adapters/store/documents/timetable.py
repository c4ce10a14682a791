"""`spaces/{space_id}`: the timetable of a room, and which conference records were in it.

Its only personal data is the account of the room's owner. Every change of the times in a room writes this document, so
that two changes at the same time cannot overlook each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema
from functions.domain.classes.timetable import Room, Slot, Span
from functions.domain.conferences.model import Organizer
from functions.domain.intervals import Interval


def room_to_document(room: Room) -> Fields:
    """`spaces/{space_id}`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "space": room.space,
        "owner": {"user": room.owner.user, "email": room.owner.email},
        "reconciled_until": room.reconciled_until,
        "looked_at": room.looked_at,
        "tracked_at": room.tracked_at,
        "reconcile_at": room.reconcile_at,
        "sessions": [
            {
                "session_id": slot.session_id,
                "scheduled_start": slot.scheduled.start,
                "scheduled_end": slot.scheduled.end,
                "open_before_seconds": slot.open_before // timedelta(seconds=1),
                "open_after_seconds": slot.open_after // timedelta(seconds=1),
            }
            for slot in room.slots
        ],
        "conferences": [
            {
                "conference_record": span.conference_record,
                "start_time": span.time.start,
                "end_time": span.time.end,
                "read": span.read,
            }
            for span in room.spans
        ],
    }


def room_from_document(fields: Mapping[str, Any]) -> Room:
    """Read what `room_to_document` wrote."""
    check_schema(fields)
    return Room(
        space=fields["space"],
        owner=Organizer(**fields["owner"]),
        slots=tuple(
            Slot(
                slot["session_id"],
                Interval(slot["scheduled_start"], slot["scheduled_end"]),
                timedelta(seconds=slot["open_before_seconds"]),
                timedelta(seconds=slot["open_after_seconds"]),
            )
            for slot in fields["sessions"]
        ),
        spans=tuple(
            Span(span["conference_record"], Interval(span["start_time"], span["end_time"]), span.get("read", True))
            for span in fields["conferences"]
        ),
        reconciled_until=fields.get("reconciled_until"),
        looked_at=fields.get("looked_at"),
        tracked_at=fields.get("tracked_at"),
    )

"""Store conferences in their rooms, and with the class meetings that they belong to by the timetable.

Everything here happens within one unit of work, without calls to Google.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime

from functions.domain.classes.timetable import Room, Span
from functions.domain.conferences.model import Conference
from functions.domain.marking.attendance import unscheduled_session_id
from functions.domain.marking.evidence import conference_time
from functions.ports.store import Work


async def place(work: Work, conference: Conference, *, now: datetime) -> frozenset[str]:
    """Store a conference in its room and with the class meetings that it belongs to.

    Returns:
        The class meetings to be marked: those that it belongs to, and those that it belonged to.
    """
    time = conference_time(conference)
    if conference.snapshot is None or time is None:
        work.put_conference(conference)
        return frozenset(conference.session_ids)
    before = await work.room(conference.snapshot.space.name)
    span = Span(conference.conference_record, time)
    room = before.with_span(span)
    if room is not before:
        work.put_room(room.since(now))
    # What people attached counts because they said so.
    superseded_by = None if conference.attached_to else room.superseding(span)
    session_ids = (
        conference.attached_to or room.sessions_of(time) or (unscheduled_session_id(conference.conference_record),)
    )
    placed = dataclasses.replace(
        conference, session_ids=() if superseded_by else session_ids, superseded_by=superseded_by
    )
    work.put_conference(placed)
    touched = frozenset({*conference.session_ids, *placed.session_ids})
    return touched | await supersede(work, before, room, now=now)


async def supersede(work: Work, before: Room, room: Room, *, now: datetime) -> frozenset[str]:
    """Make reports about a room count only where Meet has no data.

    Args:
        work: The unit of work; the room is put already.
        before: The room as it was.
        room: The room as it is.
        now: The time of the computation.

    Returns:
        The class meetings to be marked.
    """
    touched: frozenset[str] = frozenset()
    for span in room.reported_spans():
        # The room guards what is stored, so nothing else can have changed.
        if before.superseding(span) != room.superseding(span):
            conference = await work.conference(span.conference_record)
            touched |= await place(work, conference, now=now) if conference else frozenset()
    return touched


async def rearrange(work: Work, room: Room, *, now: datetime) -> frozenset[str]:
    """Put a room whose classes changed, and each of its conferences where it belongs now.

    Returns:
        The class meetings to be marked: whose time moved, and whose conferences did.
    """
    before = await work.room(room.space)
    work.put_room(room.since(now))
    old, new = before.owned_times(), room.owned_times()
    slots = {slot.session_id: slot for slot in before.slots}
    moved = {s for s in old.keys() | new.keys() if old.get(s) != new.get(s)}
    moved |= {slot.session_id for slot in room.slots if slots.get(slot.session_id) != slot}
    times = [time for session_id in moved for time in (old.get(session_id), new.get(session_id)) if time]
    touched = set(moved)
    for record in dict.fromkeys(record for time in times for record in room.records_touching(time)):
        conference = await work.conference(record)
        if conference:
            touched |= await place(work, conference, now=now)
    return frozenset(touched)

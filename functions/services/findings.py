"""What Meet said -> what one commit writes: each conference where it belongs, and what was tried."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable

from functions.domain.model import Conference, Organizer, Reading, SyncError, SyncSource
from functions.domain.syncing import after_failure, after_reading
from functions.domain.timetable import Room
from functions.ports import Listing, Work
from functions.services.deps import Deps
from functions.services.marking import Attempt, place, supersede
from functions.services.reading import Found, Request, reach_of, users_in, with_listing


async def load_what_is_stored(
    work: Work, found: Found, known: Collection[Conference], session_ids: Iterable[str]
) -> None:
    """Read what is stored of all that Meet spoke of, at one moment: where a conference belongs rests on its room."""
    snapshots = [conference.snapshot for conference in known if conference.snapshot]
    snapshots += [outcome.snapshot for outcome in found.outcomes.values() if isinstance(outcome, Reading)]
    await work.load(
        conferences={*(conference.conference_record for conference in known), *found.outcomes},
        sessions=session_ids,
        rooms={*found.looks, *(snapshot.space.name for snapshot in snapshots)},
        people={user for snapshot in snapshots for user in users_in(snapshot)},
    )


async def store_findings(
    work: Work, found: Found, request: Request, organizer: Organizer, deps: Deps
) -> frozenset[str]:
    """Put everything that Meet said where it belongs; gives the class meetings to be marked."""
    now = deps.clock()
    touched: set[str] = set()
    for space, look in found.looks.items():
        before = await work.room(space)
        room = with_listing(before, look.listing)
        for span in before.spans:
            if span not in room.spans and await _has_ended(work, span.conference_record):
                room = room.with_span(span)  # the list is older than what was read
        if isinstance(look.listing, Listing) and look.listing.records:
            room = _owned_by(room, look.organizer)
        if room is not before:
            work.put_room(room.since(now))
            touched |= await supersede(work, before, room, now=now)
    for record, outcome in found.outcomes.items():
        asked = request if record == request.conference_record else dataclasses.replace(request, ended_event_at=None)
        before_it = await work.conference(record)
        asked = dataclasses.replace(asked, conference_record=record)
        conference = decided(before_it, outcome, asked, organizer, deps)
        touched |= await place(work, conference, now=now)
        await _learn_owner(work, conference, request)
    return frozenset(touched)


async def _has_ended(work: Work, conference_record: str) -> bool:
    """Whether the end of a conference was read, which no list changes any more."""
    conference = await work.conference(conference_record)
    return conference is not None and conference.snapshot is not None and bool(conference.snapshot.record.end_time)


async def _learn_owner(work: Work, conference: Conference, request: Request) -> None:
    """Learn from an event whose room it is: events come only for the owner's subscription."""
    owner = request.organizer
    if request.source is SyncSource.EVENT and owner.user and conference.snapshot:
        before = await work.room(conference.snapshot.space.name)
        room = _owned_by(before, conference.organizer)
        if room is not before:
            work.put_room(room)


def _owned_by(room: Room, owner: Organizer) -> Room:
    """A room with classes in it, once it is known whose it is: Meet lists records and tells events to nobody else."""
    knows_more = owner.user is not None or not room.owner.known
    return dataclasses.replace(room, owner=owner) if room.slots and knows_more and owner != room.owner else room


def decided(
    stored: Conference | None, outcome: Reading | SyncError, request: Request, organizer: Organizer, deps: Deps
) -> Conference:
    """A conference after it was read, or after that failed: what was read before stands then."""
    match outcome:
        case Reading():
            conference = after_reading(
                stored,
                outcome,
                organizer=organizer,
                ended_event_at=request.ended_event_at,
                source=request.source,
                settle=deps.rules.settle,
            )
        case SyncError():
            conference = after_failure(
                stored,
                outcome,
                conference_record=request.conference_record,
                organizer=organizer,
                ended_event_at=request.ended_event_at,
                source=request.source,
            )
    return dataclasses.replace(conference, attached_to=stored.attached_to if stored else ())


async def attempts_at(
    work: Work, found: Found, session_ids: Iterable[str], *, everybody_known: bool
) -> dict[str, Attempt]:
    """What was tried for class meetings as they are planned now.

    One that was moved while Meet was asked was not looked for where it is now, so nothing was tried for it.
    """
    attempts = {}
    for session_id in session_ids:
        session = await work.session(session_id)
        look = found.looks.get(session.space.name) if session else None
        if session is None or look is None or session.plan.takes_place is None:
            continue
        needed, listing = reach_of([session]), look.listing
        if not (look.reach.start <= needed.start and needed.end <= look.reach.end):
            continue
        if isinstance(listing, Listing):
            error = SyncError.of(found.later, at=listing.began_at) if found.later else None
            attempts[session_id] = Attempt(listing.began_at, listed=True, error=error, everybody_known=everybody_known)
        else:
            attempts[session_id] = Attempt(listing.at, listed=False, error=listing, everybody_known=everybody_known)
    return attempts

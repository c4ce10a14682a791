"""Turns what Meet said into one commit: each conference in its class meetings, and the marks that follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from functions.domain.classes.sessions import AttendanceSheet
from functions.domain.classes.timetable import Room
from functions.domain.conferences.model import Conference, Organizer, Reading, SyncError, SyncSource
from functions.ports.google import Listing
from functions.ports.store import Work
from functions.services.deps import Deps
from functions.services.sync.marking import Attempt, mark
from functions.services.sync.meet.gathered import Gathered, reach_of, users_in, with_listing
from functions.services.sync.placing import place, supersede


async def settle_and_mark(
    work: Work, gathered: Gathered, *, everybody_known: bool, deps: Deps
) -> Mapping[str, AttendanceSheet]:
    """Store what Meet said, and mark the class meetings concerned.

    Args:
        work: The unit of work.
        gathered: What Meet said.
        everybody_known: Whether all accounts could be looked up.
        deps: The outside world.

    Returns:
        The class meetings that were marked, by id.
    """
    now = deps.clock()
    await _load_what_is_stored(work, gathered)
    touched = await settle(work, gathered, deps)
    attempts = await _attempts(work, gathered, touched, everybody_known=everybody_known, deps=deps)
    return await mark(work, touched | set(gathered.sessions), rules=deps.rules, now=now, attempts=attempts)


async def _load_what_is_stored(work: Work, gathered: Gathered) -> None:
    """Read the stored data about everything that Meet reported.

    What the reader has not read yet is read at one moment.
    """
    snapshots = [conference.snapshot for conference in gathered.stored if conference.snapshot]
    snapshots += [outcome.snapshot for outcome in gathered.outcomes.values() if isinstance(outcome, Reading)]
    await work.load(
        conferences={*(conference.conference_record for conference in gathered.stored), *gathered.outcomes},
        sessions=gathered.session_ids,
        rooms={*gathered.looks, *(snapshot.space.name for snapshot in snapshots)},
        people={user for snapshot in snapshots for user in users_in(snapshot)},
    )


async def settle(work: Work, gathered: Gathered, deps: Deps) -> frozenset[str]:
    """Store everything that Meet said; returns the class meetings to mark."""
    now = deps.clock()
    touched: set[str] = set()
    for space, look in gathered.looks.items():
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
    for record in gathered.outcomes:
        conference = gathered.decided(record, await work.conference(record), settle=deps.rules.settle)
        touched |= await place(work, conference, now=now)
        await _learn_owner(work, conference, gathered)
    if gathered.request and gathered.request.conference_record not in gathered.outcomes:
        # The message is a repeated one: its conference belongs where the room now says.
        again = await work.conference(gathered.request.conference_record)
        touched |= await place(work, again, now=now) if again else frozenset()
    return frozenset(touched)


async def _has_ended(work: Work, conference_record: str) -> bool:
    """Whether the end of a conference was read; then no list changes it."""
    conference = await work.conference(conference_record)
    return conference is not None and conference.snapshot is not None and bool(conference.snapshot.record.end_time)


async def _learn_owner(work: Work, conference: Conference, gathered: Gathered) -> None:
    """Learn the owner of a room from an event, because events come only for the owner's subscription."""
    request = gathered.request
    if request and request.source is SyncSource.EVENT and request.organizer.user and conference.snapshot:
        before = await work.room(conference.snapshot.space.name)
        room = _owned_by(before, conference.organizer)
        if room is not before:
            work.put_room(room)


def _owned_by(room: Room, owner: Organizer) -> Room:
    """A room with classes, after its owner is known: Meet lists records and sends events only to the owner."""
    knows_more = owner.user is not None or not room.owner.known
    return dataclasses.replace(room, owner=owner) if room.slots and knows_more and owner != room.owner else room


async def _attempts(
    work: Work, gathered: Gathered, touched: Iterable[str], *, everybody_known: bool, deps: Deps
) -> dict[str, Attempt]:
    """The attempts for class meetings as they are planned now.

    If a class meeting was moved while Meet was asked, nothing was tried for its new time.
    """
    attempts = {}
    for session_id, asked_for in gathered.sessions.items():
        if asked_for.plan.scheduled is None:
            attempts[session_id] = Attempt(gathered.tried_at, listed=False, error=None, everybody_known=everybody_known)
            continue
        session = await work.session(session_id)
        look = gathered.looks.get(session.space.name) if session else None
        if session is None or look is None or session.plan.takes_place is None:
            continue
        needed, listing = reach_of([session]), look.listing
        if not (look.reach.start <= needed.start and needed.end <= look.reach.end):
            continue
        if isinstance(listing, Listing):
            error = SyncError.of(gathered.later, at=listing.began_at) if gathered.later else None
            attempts[session_id] = Attempt(listing.began_at, listed=True, error=error, everybody_known=everybody_known)
        else:
            attempts[session_id] = Attempt(listing.at, listed=False, error=listing, everybody_known=everybody_known)
    if not gathered.sessions and not everybody_known:
        now = deps.clock()
        attempts = {name: Attempt(now, listed=False, error=None, everybody_known=False) for name in touched}
    return attempts

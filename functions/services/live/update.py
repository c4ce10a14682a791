"""Bring up to date who is in the room of a class meeting.

What is known are events and lists of Meet. Who the participants are is decided as for attendance: the same accounts,
roster, corrections and ids (`functions.domain.live.room`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from functions.domain.classes.sessions import ClassSession
from functions.domain.conferences.model import Conference, Participant, SignedInUser
from functions.domain.errors import MEET_UNAVAILABLE, NeedsOperator, NotShown, Permanent, Retryable, Unavailable
from functions.domain.live.calls import LiveCall, LiveClass, RollCall, Sighting
from functions.domain.live.room import RoomNow, room_now
from functions.domain.marking.evidence import Evidence
from functions.ports.store import Reader, Work
from functions.services.deps import Deps
from functions.services.live.calls import goes_on, over
from functions.services.live.known import Going
from functions.services.sync.identities import resolve_identities
from functions.services.sync.marking import who_may_be_meant

FRESH = timedelta(seconds=5)
"""How new an answer of Meet must be to say that a call goes on of which nothing is stored."""

LIST_TIME = 10.0
"""Seconds that one update waits for Meet's lists. Until then nothing is stored, and later events of the class wait."""


@dataclass(frozen=True, slots=True)
class Updated:
    """The result of an update.

    Attributes:
        room: Who is in the room; None if the class meeting does not take place or no call is known to go on.
        unknown: Participants who joined and that Meet does not list yet.
        devices: How many participant sessions are remembered.
        refusal: Why Meet did not say who is there, if it was asked and could not answer now.
        hidden: Why Meet no longer says who is there, until a person fixes the cause; the call is then forgotten.
    """

    room: RoomNow | None
    unknown: frozenset[str] = frozenset()
    devices: int = 0
    refusal: Retryable | None = None
    hidden: NeedsOperator | None = None


async def update(
    session_id: str,
    notes: Sequence[Sighting] = (),
    *,
    calls: Iterable[Going] = (),
    moved_on: Collection[str] = (),
    looked_at: datetime | None = None,
    deps: Deps,
) -> Updated:
    """Store what events say, ask Meet where they do not say enough, and store the result.

    If Meet does not say who is there, what events say is stored all the same. Idempotent, and safe against itself in
    other processes.

    Args:
        session_id: The class meeting.
        notes: What events say.
        calls: Their calls, and others that go on.
        moved_on: Calls that are no longer the class meeting's.
        looked_at: The time now, if somebody asks who is there.
        deps: The outside world.

    Raises:
        Retryable: The store could not answer now, or Meet did not say whether a call goes on.
    """
    reader = deps.store.reader()
    await reader.load(sessions=[session_id])
    stored = await reader.live(session_id)
    known = stored[0] if stored else LiveClass(session_id)
    for record in moved_on:
        known = known.without_call(record)
    new = {found.call.conference_record: found for found in calls if found.call}
    going = [
        found.call
        for record, found in new.items()
        if found.call and record not in known.calls and await _goes_on(found, found.call, deps)
    ]
    live = _with(known, going, notes, looked_at)
    listed, gone, refusal, hidden = await _listed(live, deps)
    session = await reader.session(session_id)
    if session:
        await _identify(session, live, listed, reader, deps)

    async def decide(work: Work) -> Updated:
        before = await work.live(session_id)
        planned = await work.session(session_id)
        after = _with(before[0] if before else LiveClass(session_id), going, notes, looked_at)
        for record, answer in listed.items():
            if call := after.calls.get(record):
                after = after.with_call(call.with_list(answer))
        for record in (*gone, *moved_on):
            after = after.without_call(record)
        nothing_to_show = hidden is not None or not after.is_watched(deps.clock())
        is_done = not after.calls and (bool(moved_on) or nothing_to_show)
        if planned is None or planned.plan.cancelled or is_done:
            if before:
                work.drop_live(session_id)
            return Updated(None)
        after, room = await _shown(planned, after, work, deps)
        work.put_live(planned, after, room)
        unknown = frozenset(name for call in after.calls.values() for name in call.unknown)
        return Updated(room, unknown, sum(len(call.devices) for call in after.calls.values()))

    updated, _ = await deps.store.transact(decide, known=reader)
    return replace(updated, refusal=refusal, hidden=hidden)


async def end(session_id: str, conference_record: str, *, deps: Deps) -> None:
    """Remove a call that has ended from the room of a class meeting.

    Raises:
        StoreUnavailable: The store does not answer.
    """

    async def decide(work: Work) -> None:
        before = await work.live(session_id)
        planned = await work.session(session_id)
        if before is None:
            return
        after = before[0].without_call(conference_record)
        if planned is None or not after.calls:
            work.drop_live(session_id)
        else:
            work.put_live(planned, *await _shown(planned, after, work, deps))

    await deps.store.transact(decide)


async def _goes_on(found: Going, call: LiveCall, deps: Deps) -> bool:
    """Whether a call goes on of which nothing is stored.

    Meet is asked unless it has just said so, because an event may come after the end of its conference.
    """
    if deps.clock() < found.found_at + FRESH or await goes_on(call, deps=deps):
        return True
    over(call.conference_record, deps=deps)  # so that further late events ask nothing
    return False


def _with(
    live: LiveClass, going: Iterable[LiveCall], notes: Sequence[Sighting], looked_at: datetime | None
) -> LiveClass:
    """A class with further calls and what events say about all of them."""
    for call in going:
        if call.conference_record not in live.calls:
            live = live.with_call(call)
    for call in live.calls.values():
        live = live.with_call(call.with_notes(notes))
    return replace(live, looked_at=looked_at) if looked_at else live


async def _listed(
    live: LiveClass, deps: Deps
) -> tuple[Mapping[str, RollCall], Sequence[str], Retryable | None, NeedsOperator | None]:
    """Meet's lists of those who are there, and the calls that are over or no longer shown.

    Also the first error that may pass by itself, and the first one that a person must fix.
    """
    listed: dict[str, RollCall] = {}
    gone: list[str] = []
    later: list[Retryable] = []
    hidden: list[NeedsOperator] = []

    async def ask(call: LiveCall) -> None:
        try:
            answer = await deps.conferences.present(call.conference_record, organizer=call.organizer)
            if answer.participants or await goes_on(call, deps=deps):
                listed[call.conference_record] = answer
            else:
                gone.append(call.conference_record)
        except Retryable as error:
            later.append(error)
        except (NeedsOperator, Permanent) as error:
            gone.append(call.conference_record)
            # Meet answers in the same way for a conference that it no longer has.
            if isinstance(error, NeedsOperator) and not isinstance(error, NotShown):
                hidden.append(error)

    now = deps.clock()
    try:
        async with asyncio.timeout(LIST_TIME):
            await asyncio.gather(*(ask(call) for call in live.calls.values() if live.needs_list(call, now)))
    except TimeoutError:
        later.append(Unavailable("Meet did not say in time who is in a call.", reason=MEET_UNAVAILABLE))
    return listed, gone, next(iter(later), None), next(iter(hidden), None)


async def _identify(
    session: ClassSession, live: LiveClass, listed: Mapping[str, RollCall], reader: Reader, deps: Deps
) -> None:
    """Look up the accounts of those who are there."""
    plan = session.plan
    emails = {email for email in (*plan.teachers, *(entry.email for entry in plan.roster)) if email}
    for record, answer in listed.items():
        users = {p.user.user for p in answer.participants if isinstance(p.user, SignedInUser)}
        acting_as = live.calls[record].organizer
        await resolve_identities(
            users, acting_as=acting_as, reader=reader, deps=deps, expected=emails if plan.scheduled else None
        )


async def _shown(session: ClassSession, live: LiveClass, work: Work, deps: Deps) -> tuple[LiveClass, RoomNow]:
    """Who is in the room, and what is kept to compute it again; without those who are erased."""
    now = deps.clock()
    conferences: list[Conference] = []
    everybody = [
        call.as_conference(session.space, session.session_id, now=now) for _, call in sorted(live.calls.items())
    ]
    people = await who_may_be_meant(work, session, everybody, deps.rules)
    for conference in everybody:
        kept = await work.not_erased(conference, people)
        if conference.organizer.known and not kept.organizer.known:
            # Meet can be asked only as the organizer, and nothing may be stored that names an erased person.
            live = live.without_call(conference.conference_record)
            continue
        conferences.append(kept)
        gone = {p.name for p in _participants(conference)} - {p.name for p in _participants(kept)}
        call = live.calls[conference.conference_record]
        live = live.with_call(call.without(gone))
    evidence = Evidence(
        conferences=conferences,
        people=people,
        corrections=await work.corrections(session.session_id),
        now=now,
        settle=deps.rules.settle,
        room_names=deps.rules.room_names,
        identities_in_use=deps.rules.identities_in_use,
    )
    return live, room_now(session, evidence)


def _participants(conference: Conference) -> tuple[Participant, ...]:
    return conference.snapshot.participants if conference.snapshot else ()

"""Joined and left events: what they say is stored about a second later.

Events of one class that arrive together are stored together, so each instance changes a class's document at most once a
second. An event is acknowledged only after it is stored.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from functions.domain.conferences.events import ParticipantJoined, ParticipantLeft
from functions.domain.conferences.seen import record_of
from functions.domain.errors import DocumentsRefused, NotSettled
from functions.domain.live.calls import Sighting
from functions.services.deps import Deps
from functions.services.live.calls import going, over
from functions.services.live.known import Going, Unstored, UnstoredEvent
from functions.services.live.update import end, update

PAUSE = timedelta(seconds=1)
"""How long after one change of a class's document the next one follows at the earliest.

https://firebase.google.com/docs/firestore/best-practices#updates_to_a_single_document recommends one change a second.
"""

PAGE = 250
"""With so many more devices a list has another page, and the pause is longer, so that Meet is not asked more often."""

log = logging.getLogger(__name__)


async def note_presence(event: ParticipantJoined | ParticipantLeft, *, deps: Deps) -> None:
    """Store what an event says about who is in a class's room. It may come twice, late, and in any order.

    An event about a call that is no class's, or that is over, changes nothing.

    Raises:
        Retryable: Meet or the store could not answer now; the event must be delivered again.
    """
    if not deps.rules.live_presence:
        return
    origin = event.origin
    moment = origin.occurred_at or deps.clock()
    note = Sighting(event.participant_session, moment, left=isinstance(event, ParticipantLeft))
    found = await going(record_of(event.participant_session), origin, deps=deps)
    await asyncio.gather(*(_store(session_id, note, found, deps) for session_id in found.session_ids))


async def note_end(conference_record: str, *, deps: Deps) -> None:
    """Show nobody in a call that has ended.

    This is done also if live presence is switched off: it may have been on before, and somebody may look.

    Raises:
        StoreUnavailable: The store does not answer.
    """
    over(conference_record, deps=deps)
    for session_id in await deps.store.live_with(conference_record):
        await end(session_id, conference_record, deps=deps)


async def _store(session_id: str, note: Sighting, found: Going, deps: Deps) -> None:
    """Store a note, together with all others of the class that wait at that moment."""
    pending = deps.waiting[session_id] = deps.waiting.get(session_id) or Unstored()
    unstored = UnstoredEvent(note, found, asyncio.get_running_loop().create_future())
    pending.notes.append(unstored)
    try:
        async with deps.turns.of(f"live/{session_id}"):
            if not unstored.done.done():
                await _pause(pending, deps)
                await _store_all(session_id, pending, deps)
        await unstored.done
    finally:
        pending.leave(unstored)


async def _pause(pending: Unstored, deps: Deps) -> None:
    if pending.stored_at:
        left = pending.stored_at + pending.pause - deps.clock()
        if left > timedelta(0):
            await deps.pause(min(left, pending.pause).total_seconds())


async def _store_all(session_id: str, pending: Unstored, deps: Deps) -> None:
    """Store all notes that wait; each sender gets the result for its own note.

    If the one that stores them is given up, the others are left to the next one that waits.
    """
    taken = pending.take()
    try:
        updated = await update(session_id, [one.note for one in taken], calls=[one.found for one in taken], deps=deps)
    except DocumentsRefused as refused:
        # It would be refused each time. The attendance does not need it, so nobody has to look at parked messages.
        log.warning("live.refused", extra={"session_id": session_id, "detail": refused.message})
        for one in taken:
            one.succeed()
        return
    except Exception as error:  # noqa: BLE001 - raised again where each sender waits
        for one in taken:
            one.fail(error)
        return
    except BaseException:
        pending.put_back(taken)
        raise
    pending.pause = PAUSE * (1 + updated.devices // PAGE)
    pending.stored_at = deps.clock()
    for one in taken:
        if one.note.participant in updated.unknown:
            one.fail(updated.refusal or NotSettled("Meet does not list somebody who has joined yet."))
        else:
            one.succeed()

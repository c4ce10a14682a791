"""Make certain: find what events did not bring, and hand it out as jobs of its own.

Events make attendance immediate, the times at which classes are due and this make it certain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

from functions.domain.certainty import RETENTION
from functions.domain.errors import NotFound
from functions.domain.model import ConferenceRecord, Organizer, SyncState
from functions.domain.sessions import TrackedOrganizer
from functions.ports import Job, Work
from functions.services.deps import Deps

LOOK_BACK = timedelta(days=1)
"""How far before the last time conferences are looked at again: Meet may tell of their end late."""


async def sync_due(*, deps: Deps) -> int:
    """Hand out one `sync-session` for every class meeting whose time has come.

    Returns:
        How many.
    """
    session_ids = await deps.store.due_sessions(deps.clock())
    await deps.jobs.publish([Job("sync-session", {"session_id": session_id}) for session_id in session_ids])
    return len(session_ids)


async def reconcile_all(*, deps: Deps) -> int:
    """Hand out one `reconcile` for every teacher who is tracked.

    Returns:
        How many.
    """
    organizers = await deps.store.organizers()
    await deps.jobs.publish([Job("reconcile", {"organizer": organizer.user}) for organizer in organizers])
    return len(organizers)


async def reconcile(organizer: str, *, deps: Deps) -> int:
    """Hand out one `sync-conference` for every conference of a teacher that is missing or not read for good.

    The mark up to which all is seen moves to when the list began, and only once everything was handed out.

    Args:
        organizer: `users/{id}` or an e-mail address.
        deps: The outside world.

    Returns:
        How many.

    Raises:
        NotFound: Nobody of this name is tracked.
        Retryable: Google or the store did not answer.
        NeedsOperator: Meet does not let this teacher's conferences be listed before a person mends something.
    """
    tracked = await _tracked(organizer, deps)
    now = deps.clock()
    since = max(tracked.reconciled_until - LOOK_BACK, now - RETENTION) if tracked.reconciled_until else now - RETENTION
    listing = await deps.conferences.list(
        space=None, since=since, until=None, organizer=Organizer(tracked.user, tracked.email)
    )
    wanted = await _unfinished(listing.records, deps)
    await deps.jobs.publish(
        [Job("sync-conference", {"conference_record": name, "organizer": tracked.user}) for name in wanted]
    )

    async def decide(work: Work) -> None:
        current = await work.organizer(tracked.user)
        if current and (current.reconciled_until is None or current.reconciled_until < listing.began_at):
            work.put_organizer(dataclasses.replace(current, reconciled_until=listing.began_at))

    await deps.store.transact(decide)
    return len(wanted)


async def _tracked(organizer: str, deps: Deps) -> TrackedOrganizer:
    if organizer.startswith("users/"):

        async def load(work: Work) -> TrackedOrganizer | None:
            return await work.organizer(organizer)

        tracked, _ = await deps.store.transact(load)
    else:
        tracked = await deps.store.organizer_with(organizer.lower())
    if tracked is None:
        raise NotFound("Nobody of this name is tracked.")
    return tracked


async def _unfinished(records: Sequence[ConferenceRecord], deps: Deps) -> list[str]:
    async def load(work: Work) -> list[str]:
        wanted = []
        for record in records:
            conference = await work.conference(record.name)
            if (
                conference is None
                or conference.sync.state is not SyncState.COMPLETE
                or conference.snapshot is None
                or conference.snapshot.record.end_time is None
            ):
                wanted.append(record.name)
        return wanted

    wanted, _ = await deps.store.transact(load)
    return wanted

"""Mark class meetings again whose people turned out to have other addresses than was known.

That they are to be is stored in the commit that stores the addresses, and taken back once all jobs are handed out: a
failure in between loses nothing, as `sync-due` does the rest.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Mapping
from datetime import timedelta

from functions.domain.addresses import mailboxes
from functions.domain.errors import Retryable
from functions.domain.sessions import Person
from functions.ports import Job, Work
from functions.services.deps import Deps

log = logging.getLogger(__name__)

REACH = timedelta(days=200)
"""How far back class meetings are marked again: a school year's half, and further than reports reach."""


async def remark(users: Collection[str], *, deps: Deps) -> None:
    """Hand out the jobs for some accounts now; what cannot be handed out waits for `sync-due`."""
    if not users:
        return
    try:
        await _hand_out(users, deps)
    except Retryable as error:
        log.warning("remark.waits", extra={"accounts": len(users), "reason": error.reason})


async def remark_waiting(*, deps: Deps) -> int:
    """Hand out the jobs for every account for which that was not done yet; raises Retryable if it fails again.

    Returns:
        For how many accounts.
    """
    users = await deps.store.people_to_remark(deps.clock())
    await _hand_out(users, deps)
    return len(users)


async def _hand_out(users: Collection[str], deps: Deps) -> None:
    if not users:
        return

    async def known(work: Work) -> Mapping[str, Person]:
        return await work.people(users)

    people, _ = await deps.store.transact(known)
    waiting = {user: person.remark_at for user, person in people.items() if person.remark_at}
    if not waiting:
        return
    emails = mailboxes(address.email for user in waiting for address in people[user].addresses)
    session_ids = await deps.store.sessions_holding(users=waiting, emails=emails, since=deps.clock() - REACH)
    await deps.jobs.publish([Job("remark-session", {"session_id": name}) for name in session_ids])

    async def done(work: Work) -> None:
        for user, person in (await work.people(waiting.keys())).items():
            if person.remark_at == waiting[user]:
                work.put_person(dataclasses.replace(person, remark_at=None))

    await deps.store.transact(done)

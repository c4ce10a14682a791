"""Find out whose accounts were in a conference, and remember it.

Attendance never waits for it for long, nor fails with it: whoever cannot be looked up now stands with the account's
id, and is looked up again when the class meeting is brought up to date the next time.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Mapping
from datetime import timedelta

from functions.domain.errors import AttendanceError
from functions.domain.model import IdentitySource, Organizer
from functions.domain.sessions import Person
from functions.ports import LookUp, Work
from functions.services.deps import Deps

log = logging.getLogger(__name__)

KEPT = timedelta(days=7)
"""How long an answer is good: addresses change seldom."""

UNKNOWN_KEPT = timedelta(minutes=15)
"""How long nobody is asked again about an account that nobody knew."""


async def resolve_identities(users: Collection[str], *, acting_as: Organizer, deps: Deps) -> bool:
    """Look up whoever is not known yet.

    Args:
        users: Accounts, `users/{id}`.
        acting_as: As whom Google is asked.
        deps: The outside world.

    Returns:
        Whether everybody could be asked for; if not, it is worth trying again in some minutes.
    """
    identities = deps.identities
    if identities is None or not users or not acting_as.known:
        return True

    async def known(work: Work) -> Mapping[str, Person]:
        return await work.people(users)

    people, _ = await deps.store.transact(known)
    asked = {user for user in users if _is_stale(people.get(user), deps)}
    if not asked:
        return True
    known_to_directory = {
        user
        for user in asked
        if (person := people.get(user)) and person.identity and person.identity.source is IdentitySource.DIRECTORY
    }
    answer = await identities.look_up(asked, acting_as=acting_as, known_to_directory=known_to_directory)
    await _remember(answer, deps)
    if answer.unavailable:
        log.warning(
            "identities.unavailable",
            extra={"accounts": len(answer.unavailable), "reasons": sorted(answer.reasons)},
        )
    return not answer.unavailable


def _is_stale(person: Person | None, deps: Deps) -> bool:
    if person is None or person.resolved_at is None:
        return True
    # Reports tell an address and no aliases: whoever knows more is asked as if nobody had answered.
    answered = person.identity and person.identity.source is not IdentitySource.REPORTS
    return person.resolved_at + (KEPT if answered else UNKNOWN_KEPT) <= deps.clock()


async def _remember(answer: LookUp, deps: Deps) -> None:
    now = deps.clock()

    async def decide(work: Work) -> None:
        before = await work.people([*answer.found, *answer.unknown])
        for user in [*answer.found, *answer.unknown]:
            person = before.get(user) or Person(user)
            # An account that is gone was still that person when the class was held.
            identity = answer.found.get(user) or person.identity
            work.put_person(dataclasses.replace(person, identity=identity, unknown=identity is None, resolved_at=now))

    try:
        await deps.store.transact(decide)
    except AttendanceError as error:
        # The same answers can be had again; the attendance is worth more than the memory of them.
        log.warning("identities.not_kept", extra={"reason": error.reason})

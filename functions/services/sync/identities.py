"""Find out which people the accounts in a conference belong to, and store the answer with its time.

Attendance never waits for it for long and never fails because of it: an account that cannot be looked up now is stored
with its id, and is looked up again at the next update of the class meeting.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.sessions import Person, Remark
from functions.domain.conferences.model import Identity, IdentitySource, Organizer, Reading
from functions.domain.conferences.syncing import is_over
from functions.domain.errors import AttendanceError
from functions.domain.marking.addresses import after_answers, current_of, has_changed, mailboxes
from functions.domain.marking.evidence import conference_time
from functions.ports.google import LookUp
from functions.ports.store import Reader, Work
from functions.services.deps import Deps
from functions.services.sync.mark_elsewhere import mark_elsewhere
from functions.services.sync.marking import accounts, unaccounted_for
from functions.services.sync.meet.gathered import Gathered, users_in

log = logging.getLogger(__name__)

KEPT = timedelta(days=7)
"""How long an answer is used if no class has ended since: it only names people, and decides nothing final."""

FRESH = timedelta(seconds=3)
"""For how long what is stored about people is used after it was read. Most reads of a conference take less."""

REACH = timedelta(days=200)
"""How far back class meetings are marked again: a school year's half, and further than reports reach."""

RIVALS_ASKED = 5
"""How often in one round further accounts are asked for, because answers took an address from them. Where a whole
school is renamed, one takes from the next; who is left over is asked for at the next occasion."""

UNKNOWN_KEPT = timedelta(minutes=15)
"""How long nobody is asked again about an account that nobody knew."""


async def identify(gathered: Gathered, reader: Reader, deps: Deps) -> bool:
    """Find out who the accounts in the read or stored conferences belong to.

    At the same time it reads the corrections of the class meetings, which the marks need too.

    It comes after all requests to Meet. People, and who is erased, are the only data of a sheet that no commit guards.
    So what was read about them more than `FRESH` ago, while Meet was asked, is read again.

    Returns:
        Whether all accounts could be looked up.
    """
    users = people_in(gathered)
    if gathered.organizer.user:
        users.add(gathered.organizer.user)
    if gathered.people_read_at and deps.clock() - gathered.people_read_at > FRESH:
        reader.forget(people=None)
    await reader.load(people=users, to_mark=gathered.session_ids)
    plans = [session.plan for session in gathered.sessions.values() if session.plan.scheduled]
    emails = {email for plan in plans for email in (*plan.teachers, *(e.email for e in plan.roster)) if email}
    everybody_known = await resolve_identities(
        users,
        acting_as=gathered.organizer,
        reader=reader,
        deps=deps,
        since=_left_at(gathered, now=deps.clock()),
        expected=emails if plans else None,
    )
    if deps.rules.identities_in_use:
        there = (await reader.people(users)).values()
        for plan in plans:
            reader.expect_known_by(unaccounted_for(plan, there))
    return everybody_known


def people_in(gathered: Gathered) -> set[str]:
    """Every account in the read or stored conferences."""
    read = (outcome for outcome in gathered.outcomes.values() if isinstance(outcome, Reading))
    return set(accounts(gathered.stored)).union(*(users_in(reading.snapshot) for reading in read))


def _left_at(gathered: Gathered, *, now: datetime) -> datetime | None:
    """When the people of the latest class left it that is over, or when it was said who they are; None if none is.

    As `functions.domain.marking.evidence.people_left_at`, where a call without an end counts as one that goes on.
    """
    calls: list[datetime | None] = []
    for conference in gathered.stored:
        time, snapshot = conference_time(conference), conference.snapshot
        if conference.conference_record not in gathered.outcomes and snapshot and time:
            calls.append(time.end if is_over(snapshot, conference.sync) else None)
    calls += [o.snapshot.record.end_time for o in gathered.outcomes.values() if isinstance(o, Reading)]
    known = [end for end in calls if end]
    last = max(known) if known and len(known) == len(calls) else None
    plans = [session.plan for session in gathered.sessions.values()]
    scheduled = [plan.scheduled.end for plan in plans if plan.scheduled]
    moments = [min(end, last) if last else end for end in scheduled] if scheduled else [last] if last else []
    left = [moment for moment in moments if moment <= now]
    named = [plan.named_at for plan in plans if plan.named_at]
    return max([*left, *named]) if left else None


async def resolve_identities(
    users: Collection[str],
    *,
    acting_as: Organizer,
    reader: Reader,
    deps: Deps,
    since: datetime | None = None,
    expected: Collection[str] | None = None,
) -> bool:
    """Look up every account without an answer, or without one since a moment.

    Args:
        users: Accounts, `users/{id}`.
        acting_as: The account with which Google is asked.
        reader: What is stored. It forgets everybody once Google was asked: that takes a while, and nothing tells a
            commit that somebody is known otherwise by then.
        deps: The outside world.
        since: When the people left the class; an older answer does not say who they were then.
        expected: The addresses that the class names. The Directory is asked for every account without one of them, as
            only the Directory knows aliases; None if no class names any.

    Returns:
        Whether everybody could be asked for; if not, it is worth trying again in some minutes.
    """
    if deps.identities is None or not users or not acting_as.known:
        return True

    people = await reader.people(users)
    asked = {user for user in users if _is_stale(people.get(user), since, deps)}
    if not asked:
        return True
    round_ = _Round(acting_as, expected, reader, deps)
    await round_.ask(asked, people)
    for _ in range(RIVALS_ASKED):
        if not await round_.ask_rivals(people):
            break
    remark = await round_.remember()
    reader.forget(people=None)
    if round_.unavailable:
        log.warning(
            "identities.unavailable",
            extra={"accounts": len(round_.unavailable), "reasons": sorted(round_.reasons)},
        )
    await mark_elsewhere(remark, deps=deps)
    return not round_.unavailable


async def learn(work: Work, answers: Mapping[str, Identity | None], *, asked_at: datetime) -> Remark | None:
    """Store Google's answers for accounts, and what they mean for others that had one of the addresses.

    Returns:
        What is to be marked again once this is committed; None if no known account has other addresses now.
    """
    before = dict(await work.people(answers.keys()))
    for user in answers:
        before.setdefault(user, Person(user))
    gained = _gained(answers, before)
    before |= {user: person for user, person in (await work.people_known_by(gained)).items() if user not in before}
    after = after_answers(before, answers, asked_at=asked_at)
    for person in after.values():
        work.put_person(person)
    changed = {user: person for user, person in after.items() if has_changed(before[user], person)}
    if not changed:
        return None
    emails = mailboxes(known.email for person in changed.values() for known in person.addresses)
    accounts = (*(RosterEntry(user=user) for user in sorted(changed)), *map(RosterEntry, sorted(emails)))
    remark = Remark(uuid.uuid4().hex, accounts, since=asked_at - REACH)
    work.put_remark(remark)
    return remark


class _Round:
    """One round of looking accounts up."""

    def __init__(self, acting_as: Organizer, expected: Collection[str] | None, reader: Reader, deps: Deps) -> None:
        self._reader = reader
        self._acting_as = acting_as
        self._expected = None if expected is None else mailboxes(expected)
        self._deps = deps
        self._asked_at = deps.clock()
        self._answers: dict[str, Identity | None] = {}
        self.unavailable: set[str] = set()
        self.reasons: set[str] = set()

    async def ask(self, users: Collection[str], people: Mapping[str, Person]) -> None:
        """Ask Google for accounts."""
        if self._deps.identities is None or not users:
            return
        known_to_directory = {
            user
            for user in users
            if (person := people.get(user)) and person.identity and person.identity.source is IdentitySource.DIRECTORY
        }
        answer: LookUp = await self._deps.identities.look_up(
            users, acting_as=self._acting_as, known_to_directory=known_to_directory, expected=self._expected
        )
        self._answers |= {**answer.found, **dict.fromkeys(answer.unknown)}
        self.unavailable |= answer.unavailable
        self.reasons |= answer.reasons

    async def ask_rivals(self, people: Mapping[str, Person]) -> bool:
        """Ask for those who have, by an older answer, an address that another account has now: it is outdated.

        Returns:
            Whether there were any: what they have now may be another one's by an older answer.
        """
        gained = _gained(self._answers, people)
        if not gained:
            return False
        having = await self._reader.people_known_by(gained)
        rivals = {
            user: person
            for user, person in having.items()
            if user not in self._answers.keys() | self.unavailable
            and not gained.isdisjoint(mailboxes(current_of(person)))
        }
        await self.ask(rivals.keys(), rivals)
        return bool(rivals)

    async def remember(self) -> Remark | None:
        """Store the answers; returns what must be marked again because of them."""

        async def decide(work: Work) -> Remark | None:
            return await learn(work, self._answers, asked_at=self._asked_at)

        try:
            remark, _ = await self._deps.store.transact(decide, known=self._reader)
        except AttendanceError as error:
            # The same answers can be had again; the attendance is worth more than the memory of them.
            log.warning("identities.not_kept", extra={"reason": error.reason})
            return None
        return remark


def _is_stale(person: Person | None, since: datetime | None, deps: Deps) -> bool:
    if person is None or person.resolved_at is None or person.outdated:
        return True
    if since and person.resolved_at < since:
        return True
    # Reports have an address and no aliases, so services that know more are asked as if nobody had answered.
    answered = person.identity and person.identity.source is not IdentitySource.REPORTS
    return person.resolved_at + (KEPT if answered else UNKNOWN_KEPT) <= deps.clock()


def _gained(answers: Mapping[str, Identity | None], before: Mapping[str, Person]) -> frozenset[str]:
    """The addresses that accounts have by the answers, and did not have before, in their compared form."""
    return frozenset(
        box
        for user, identity in answers.items()
        if identity
        for box in mailboxes([identity.email, *identity.aliases])
        - (mailboxes(current_of(before[user])) if user in before else frozenset())
    )

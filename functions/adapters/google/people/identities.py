"""Which person a Google account belongs to: asks the People API first, for 200 accounts at a time, then the Directory.

The Directory may answer 403 `forbidden` for an account that is not the school's. This is not documented; widely used
clients read it as "no such user". So do we, if the Directory does answer for the teacher who asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from functions.adapters.consent.errors import ConsentScopeMissing
from functions.adapters.google.calls.services import DIRECTORY
from functions.adapters.google.credentials.capabilities import Capability, CredentialsPool
from functions.adapters.google.credentials.errors import DelegationNotGranted
from functions.adapters.google.people.directory import Directory
from functions.adapters.google.people.people_api import BATCH, People
from functions.domain.conferences.model import Identity, Organizer
from functions.domain.errors import AccessDenied, AttendanceError, NeedsOperator, Permanent, ScopeMissing
from functions.domain.marking.addresses import mailboxes
from functions.ports.google import LookUp

DEADLINE = 8.0
"""How many seconds a look-up may take: attendance does not wait longer for names."""

ACCOUNT_DEADLINE = 20.0
"""How many seconds one account may take."""

DIRECTORY_AT_ONCE = 10
"""How many calls to the Directory run at once for one look-up. Each is about one account, and 2,400 a minute are
allowed:
https://developers.google.com/workspace/admin/directory/v1/limits"""


_NOT_GRANTED = (ConsentScopeMissing, DelegationNotGranted, ScopeMissing)
"""Errors with which a school does not let us use a service: then the answer of the other service is final."""


class GoogleIdentities:
    """`functions.ports.google.Identities` on the People API and the Directory API.

    Args:
        people: The People API.
        directory: The Directory API.
        credentials: Whose account the calls use.
        deadline: How many seconds a look-up may take; the People API may use half of them.
    """

    def __init__(
        self, people: People, directory: Directory, *, credentials: CredentialsPool, deadline: float = DEADLINE
    ) -> None:
        self._people = people
        self._directory = directory
        self._credentials = credentials
        self._deadline = deadline

    async def look_up(
        self,
        users: Collection[str],
        *,
        acting_as: Organizer,
        known_to_directory: Collection[str] = (),
        expected: Collection[str] | None = None,
    ) -> LookUp:
        """See the port. Accounts without an answer at the end of this time are reported as unavailable."""
        asked = sorted(frozenset(users))
        search = _Search(asked, acting_as, known_to_directory)
        search.expected = expected
        try:
            async with asyncio.timeout(self._deadline), asyncio.TaskGroup() as tasks:
                for first in range(0, len(asked), BATCH):
                    tasks.create_task(self._batch(asked[first : first + BATCH], search))
        except TimeoutError:
            search.reasons.add(DIRECTORY.reasons.unavailable)
        return search.outcome()

    async def account(self, email: str) -> Identity | None:
        """See the port."""
        email = email.strip().lower()
        try:
            async with asyncio.timeout(ACCOUNT_DEADLINE):
                return await self._account(email)
        except TimeoutError:
            raise DIRECTORY.unavailable("The Directory and the People API take too long.") from None

    def close(self) -> None:
        """Close threads and connections."""
        self._people.close()
        self._directory.close()

    async def _account(self, email: str) -> Identity | None:
        asking = Organizer(email=email)
        denied: NeedsOperator | None = None
        try:
            found = await self._directory.get(email, self._credentials.of(asking, Capability.DIRECTORY))
        except NeedsOperator as error:
            found, denied = None, error
        if found is not None:
            return found
        # Either this person may not use the Directory, or the account does not belong to the school.
        try:
            me = await self._people.me(self._credentials.of(asking, Capability.OWN_ACCOUNT))
        except (NeedsOperator, Permanent):
            me = None
        if me is not None and email in (me.email, *me.aliases):
            return me
        if denied is not None:
            raise denied
        return None

    async def _batch(self, users: Sequence[str], search: _Search) -> None:
        await self._ask_people(users, search)
        search.to_complete |= search.without_expected_address(users)
        incomplete = search.known_to_directory | search.to_complete
        async with asyncio.TaskGroup() as tasks:
            for user in users:
                if user not in search.found or user in incomplete:
                    tasks.create_task(self._ask_directory(user, search))

    async def _ask_people(self, users: Sequence[str], search: _Search) -> None:
        try:
            async with asyncio.timeout(self._deadline / 2):
                credentials = self._credentials.of(search.acting_as, Capability.PEOPLE)
                answer = await self._people.look_up(users, credentials)
        except TimeoutError:
            search.reasons.add(DIRECTORY.reasons.unavailable)
        except AttendanceError as error:
            search.reasons.add(error.reason)
            search.people_in_use = not isinstance(error, _NOT_GRANTED)
        else:
            search.found.update(answer.found)
            search.people_answered.update(set(users) - answer.failed)
            if answer.failed:
                search.reasons.add(DIRECTORY.reasons.unavailable)

    async def _ask_directory(self, user: str, search: _Search) -> None:
        async with search.places:
            if search.directory_refuses:
                return
            try:
                credentials = self._credentials.of(search.acting_as, Capability.DIRECTORY)
                found = await self._directory.get(user.removeprefix("users/"), credentials)
            except NeedsOperator as error:
                await self._refused(user, error, search)
            except AttendanceError as error:
                search.reasons.add(error.reason)
            else:
                search.directory_answered.add(user)
                if found is not None and not search.tells_the_same(found):
                    search.found[user] = found

    async def _refused(self, user: str, error: NeedsOperator, search: _Search) -> None:
        """A refusal is about this account only, if the Directory answers for the teacher who asks.

        Otherwise about all accounts.
        """
        about_person = isinstance(error, AccessDenied) and not isinstance(error, ScopeMissing)
        answers = await self._answers_teacher(search) if about_person else False
        if answers:
            search.directory_answered.add(user)
        elif answers is False:
            search.directory_refuses = True
            search.directory_in_use = not isinstance(error, _NOT_GRANTED)
            search.reasons.add(error.reason)

    async def _answers_teacher(self, search: _Search) -> bool | None:
        """Whether the Directory answers for the teacher who asks; None if this is not known now.

        This is checked once for each look-up.
        """
        async with search.checking:
            if not search.checked:
                search.checked = True
                teacher = search.acting_as
                key = teacher.user.removeprefix("users/") if teacher.user else teacher.email
                try:
                    credentials = self._credentials.of(teacher, Capability.DIRECTORY)
                    # "Unknown teacher" is an answer too: only administrators see every profile.
                    await self._directory.get(key or "", credentials)
                except NeedsOperator:
                    search.answers_teacher = False
                except AttendanceError as error:
                    search.reasons.add(error.reason)
                else:
                    search.answers_teacher = True
            return search.answers_teacher


class _Search:
    """The progress of one look-up."""

    def __init__(self, asked: Collection[str], acting_as: Organizer, known_to_directory: Collection[str]) -> None:
        self.asked = frozenset(asked)
        self.acting_as = acting_as
        self.known_to_directory = frozenset(known_to_directory)
        self.places = asyncio.Semaphore(DIRECTORY_AT_ONCE)
        self.found: dict[str, Identity] = {}
        self.people_answered: set[str] = set()
        self.directory_answered: set[str] = set()
        self.people_in_use = True
        self.directory_in_use = True
        self.directory_refuses = False
        self.checking = asyncio.Lock()
        self.checked = False
        self.answers_teacher: bool | None = None
        self.reasons: set[str] = set()
        self.expected: Collection[str] | None = None
        self.to_complete: set[str] = set()

    def without_expected_address(self, users: Collection[str]) -> set[str]:
        """Accounts that were found without an expected address: they may have one that only the Directory knows."""
        if self.expected is None:
            return set()
        return {
            user
            for user in users
            if (known := self.found.get(user)) and mailboxes([known.email, *known.aliases]).isdisjoint(self.expected)
        }

    def tells_the_same(self, found: Identity) -> bool:
        """Whether the Directory was only asked to confirm the answer of People, and adds nothing to it."""
        known = self.found.get(found.user)
        return (
            known is not None
            and found.user not in self.known_to_directory
            and (known.email, set(known.aliases)) == (found.email, set(found.aliases))
        )

    def outcome(self) -> LookUp:
        """The result of the look-up."""
        final = self.asked if self.directory_refuses else self.directory_answered
        needed = self.known_to_directory | self.to_complete
        # Only the Directory can say which address is the primary one, with which calls may be made.
        found = {user: identity for user, identity in self.found.items() if user in final or user not in needed}
        unknown = self._answered_by_all() - found.keys()
        return LookUp(
            found=found,
            unknown=frozenset(unknown),
            unavailable=self.asked - found.keys() - unknown,
            reasons=frozenset(self.reasons),
        )

    def _answered_by_all(self) -> set[str]:
        """Accounts about which every service in use has answered."""
        if not self.people_in_use:
            return self.directory_answered
        return self.people_answered & self.directory_answered if self.directory_in_use else self.people_answered

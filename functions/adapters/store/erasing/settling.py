"""Decides who has a name that an erased person had, in a commit of its own, before anything is stored with the name.

A new account may have an address of an erased person. Either it is that person's account, or somebody else has the
address now. Nothing is guessed: it is the erased person's account only if nothing else is stored about it. In doubt,
the address belongs to somebody else from now on, and nothing is erased.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from functions.adapters.store.changes.commit import Wanted
from functions.adapters.store.databases.database import ABSENT, Database, Write
from functions.adapters.store.erasing.documents import erasure_path, erasure_to_document, new_erasure
from functions.adapters.store.erasing.mentions import Mention, Mentions, Source
from functions.adapters.store.erasing.names import ErasedNames
from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.sessions import ClassSession, Person
from functions.domain.erasure import Erased, Name, NameKind
from functions.domain.marking.addresses import current_of, mailboxes

log = logging.getLogger(__name__)


class Settling:
    """Decides who has names that erased people had.

    Args:
        database: Where the documents are stored.
        names: Everybody who is erased.
        now: The time.
        retention: How long personal data is kept.
    """

    def __init__(self, database: Database, names: ErasedNames, *, now: datetime, retention: timedelta | None) -> None:
        self._look = Mentions(database)
        self._names = names
        self._now = now
        self._retention = retention

    async def of(self, wanted: Wanted, erased: Erased) -> list[Write]:
        """The writes to commit before some documents: names that are free again, accounts of erased people."""
        free: set[Name] = set()
        teaching: set[str] = set()
        for session in [*wanted.sessions.values(), *(sheet.session for sheet in wanted.sheets.values())]:
            free |= erased.claimed_in(session)
            teachers = erased.teaching(session)
            free |= teachers.keys()
            teaching |= set(teachers.values())
        for user, organizer in wanted.organizers.items():
            free |= erased.enrolled(user, organizer.email) if organizer else frozenset()
        writes = []
        for person in wanted.people.values():
            writes += await self.account(person, erased, free=free)
        accounts = self._names.accounts_freed(teaching)
        return [*writes, *accounts, *map(self._names.freed, sorted(free))]

    async def roster(self, session: ClassSession, before: ClassSession | None, erased: Erased) -> list[Write]:
        """Addresses that are free again, because a roster gives them to students who are known to be somebody else.

        If only the address of an erased person was known, a student about whom nothing is stored may be that person.
        """
        free = []
        named = {name for entry in before.plan.roster for name in (entry.student_id, entry.user)} if before else set()
        for entry in session.plan.roster:
            name = Name.of(NameKind.EMAIL, entry.email) if entry.email else None
            if name is None or not erased.token(name) or not erased.entry(entry):
                continue
            if entry.student_id and erased.token(Name(NameKind.STUDENT_ID, entry.student_id)):
                continue
            if erased.user(entry.user):
                continue
            if {entry.student_id, entry.user} & (named - {None}) or await self._is_stored(entry):
                free.append(name)
        return list(map(self._names.freed, sorted(set(free))))

    async def _is_stored(self, entry: RosterEntry) -> bool:
        """Whether something is stored about a student by id or account."""
        by_id = await self._look.by_id(entry.student_id) if entry.student_id else []
        return bool(by_id or (entry.user and await self._look.there_with(entry.user)))

    async def account(self, person: Person, erased: Erased, *, free: set[Name]) -> list[Write]:
        """The writes to commit before an account: it is an erased person's, or their addresses are free."""
        names = erased.in_question(person) - free
        if not names:
            return []
        token = await self._is_theirs(person, names, erased)
        if token is None:
            log.info("erasing.left", extra={"addresses": len(names)})
            free |= names
            return []
        account = Name(NameKind.USER, person.user)
        writes = [self._names.write(account, token)]
        there = await self._look.there_with(person.user)
        if there or await self._look.person(person.user):
            # This was stored while the look-up of accounts did not answer.
            erasure = new_erasure(
                token,
                frozenset({account}),
                sessions={mention.session_id for mention in there},
                attendees={mention.attendee_id for mention in there},
                now=self._now,
            )
            fields = erasure_to_document(erasure, retention=self._retention)
            writes.append(Write(erasure_path(erasure.erasure_id), fields, expecting=ABSENT))
        return writes

    async def _is_theirs(self, person: Person, names: Collection[Name], erased: Erased) -> str | None:
        """The erased person who certainly has the account; None if it may be somebody else's."""
        tokens = {erased.token(name) for name in names}
        token = next(iter(tokens))
        if len(tokens) > 1 or token is None or erased.has_account(token):
            return None
        look, before = self._look, await self._look.person(person.user)
        boxes = mailboxes(current_of(person))
        ever = boxes | mailboxes(known.email for p in (person, before) if p for known in p.addresses)
        own = {box for box in ever if erased.token(Name(NameKind.EMAIL, box)) == token}
        if ever - boxes - own or person.student or (before and (before.student or mailboxes(current_of(before)) - own)):
            return None  # something else was known about it
        if await look.is_tracked(person.user) or any([await look.is_teachers(box) for box in sorted(boxes)]):
            return None
        if any(having.keys() - {person.user} for having in [await look.having(box) for box in sorted(boxes)]):
            return None
        mentions = [*await look.there_with(person.user), *await look.by_user(person.user)]
        for box in sorted(boxes):
            mentions += await look.by_box(box)
        mentions += await look.rosters([], [person.user], boxes)
        return token if all(_is_about(mention, person.user, own) for mention in mentions) else None


def _is_about(mention: Mention, user: str, own: Collection[str]) -> bool:
    """Whether a mention only says that the account, or one of its addresses, was there as a guest."""
    if mention.student_id or mention.others or mention.teaches or mention.source is not Source.ATTENDANCE:
        return False
    return mention.user in {None, user} and mention.boxes <= frozenset(own)

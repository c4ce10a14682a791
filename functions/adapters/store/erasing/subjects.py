"""Finds the person to erase: all names that belong to this person alone, and every class meeting that names them.

Nothing is guessed. A `student_id` or an account identifies the person. Further names are added only if all stored data
says that they belong to this person alone. An account that teaches or is another student's too stays, and so does an
address that somebody else has or had. Reasons: docs/adr/0028-erase-first-the-names-then-the-documents.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from functions.adapters.store.databases.database import Database
from functions.adapters.store.erasing.mentions import Mention, Mentions, Source
from functions.domain.classes.sessions import Person
from functions.domain.erasure import Name, NameKind
from functions.domain.errors import AccountAssigned, PersonNotUnique, PersonTeaches
from functions.domain.marking.addresses import mailbox, mailboxes
from functions.ports.erasures import Subject

ROUNDS = 8
"""How often new names lead to further names: from an id to an address, to an account, to its other addresses."""

MOST_NAMES = 100
"""A person has a few ids, accounts and addresses. More names cannot belong to one person."""


@dataclass(slots=True)
class _Known:
    """What is known about the person so far.

    Attributes:
        ids: Ids of the LMS.
        users: Accounts.
        boxes: Addresses that belong to the person alone, in their compared form.
        accounts_left: Accounts that were found and do not belong to the person alone.
        boxes_left: Addresses that were found and do not belong to the person alone.
    """

    ids: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    boxes: set[str] = field(default_factory=set)
    accounts_left: set[str] = field(default_factory=set)
    boxes_left: set[str] = field(default_factory=set)

    def names(self) -> frozenset[Name]:
        """The names that belong to the person alone."""
        return frozenset(
            {
                *(Name(NameKind.STUDENT_ID, student_id) for student_id in self.ids),
                *(Name(NameKind.USER, user) for user in self.users),
                *(Name.of(NameKind.EMAIL, box) for box in self.boxes),
            }
        )

    def is_other(self, mention: Mention) -> bool:
        """Whether a mention names somebody else by an id or an account."""
        if mention.student_id:
            return bool(self.ids) and mention.student_id not in self.ids
        return bool(_own(mention)) and bool(self.users) and mention.user not in self.users


class SubjectSearch:
    """Finds the person with a name. Use it once.

    Args:
        database: Where the documents are.
    """

    def __init__(self, database: Database) -> None:
        self._look = Mentions(database)
        self._known = _Known()

    async def find(self, name: str) -> Subject | None:
        """The person with a `student_id`, an account or an address; None if no document names the person.

        Raises:
            PersonNotUnique: Several people have the name, or it may mean several.
            PersonTeaches: The name belongs to a teacher.
            AccountAssigned: An account of the person was assigned to another student in a class meeting.
        """
        known = self._known
        if not await (self._begin_with_address(mailbox(name)) if "@" in name else self._begin_with(name)):
            return None
        for _ in range(ROUNDS):
            before = known.names()
            await self._grow()
            if known.names() == before:
                break
        if len(known.names()) > MOST_NAMES:
            raise PersonNotUnique("Too many accounts and addresses go with this name for them to be one person's.")
        if "@" in name and not (await self._look.having(mailbox(name))).keys() <= known.users:
            raise PersonNotUnique("The account with this address is another student's too.")
        await self._refuse_assigned()
        return await self._subject()

    # --- Where it begins ---

    async def _begin_with(self, name: str) -> bool:
        """Begin with a `student_id` or an account; False if nothing names either."""
        user = name if name.startswith("users/") else f"users/{name}"
        by_id = [*await self._look.by_id(name), *await self._look.rosters([name], [user], [])]
        ids = [mention for mention in by_id if mention.student_id == name]
        accounts = [*(s for s in await self._look.by_user(user) if s.source is not Source.CORRECTION)]
        accounts += [mention for mention in by_id if mention.user == user and _own(mention)]
        has_account = bool(accounts) or await self._look.person(user) is not None or await self._look.is_tracked(user)
        if ids and has_account and not any(mention.student_id == name for mention in accounts):
            raise PersonNotUnique("The name is one person's student_id and the number of another one's account.")
        if ids:
            self._known.ids.add(name)
        elif has_account:
            if await self._look.teaches(user):
                raise PersonTeaches("The account is a teacher's.")
            await self._refuse_lent(user)
            self._known.users.add(user)
        return bool(ids or has_account)

    async def _begin_with_address(self, box: str) -> bool:
        """Begin with an address, which must always have belonged to one person; False if nothing names it."""
        mentions = [*await self._look.by_box(box), *await self._look.rosters([], [], [box])]
        having = await self._look.having(box)
        if await self._look.is_teachers(box) or any([await self._look.is_tracked(user) for user in having]):
            raise PersonTeaches("The address is a teacher's.")
        ids = {mention.student_id for mention in mentions if mention.student_id}
        named = (Source.ATTENDANCE, Source.ROSTER)
        users = {*having, *(mention.user for mention in mentions if mention.user and mention.source in named)}
        if len(ids) > 1 or len(users) > 1 or any(mention.others for mention in mentions):
            raise PersonNotUnique("Several students or accounts have or had this address.")
        for user, person in having.items():
            # The account has lost the address, and a student is named by it: perhaps the next owner.
            if ids and not _has(box, person) and not await self._was_account_of(user, box, mentions):
                raise PersonNotUnique("An account had this address, and does not have it any more.")
            await self._refuse_lent(user)
        self._known.boxes.add(box)
        return bool(mentions or having)

    async def _was_account_of(self, user: str, box: str, mentions: Iterable[Mention]) -> bool:
        """Whether an account was a student in a class meeting, by the account or by its address at that time."""
        for mention in mentions:
            if mention.student_id and mention.source is Source.ATTENDANCE:
                owner = mention.user or await self._look.owner_at(box, mention.moment)
                if owner == user and not mention.is_not(user):
                    return True
        return False

    async def _refuse_lent(self, user: str) -> None:
        """Refuse an account that was assigned to one student and is another student itself: it was lent once."""
        person = await self._look.person(user)
        if person is None or (student := person.student) is None:
            return
        boxes = mailboxes(address.email for address in person.addresses)
        own = [mention for mention in await self._look.by_user(user) if mention.source is Source.ATTENDANCE]
        own += [mention for box in sorted(boxes) for mention in await self._look.by_box(box) if not mention.user]
        own += await self._look.rosters([], [user], boxes)
        for mention in own:
            if not mention.is_student or mention.source is Source.REMEMBERED:
                continue
            by_id = bool(mention.student_id) and mention.student_id == student.student_id
            if not by_id and not (student.email and mailbox(student.email) in mention.boxes):
                raise PersonNotUnique("The account is remembered as one student's, and is another one's too.")

    # --- What goes with it ---

    async def _grow(self) -> None:
        """Add further names that belong to this person alone."""
        known = self._known
        mentions = await self._about()
        boxes = {box for mention in mentions if not known.is_other(mention) for box in mention.boxes} - known.boxes
        for user in sorted(known.users):
            person = await self._look.person(user)
            boxes |= mailboxes(address.email for address in person.addresses) if person else frozenset()
        boxes -= known.boxes
        if not known.ids:
            await self._take_id(mentions, boxes)
        named = (Source.ATTENDANCE, Source.ROSTER)
        users = {s.user for s in mentions if s.user and s.source in named and not known.is_other(s)}
        for box in sorted(boxes | known.boxes):
            users |= await self._accounts_of(box, mentions)
        lent = {s.user for s in mentions if s.user and s.source is Source.REMEMBERED and self._is_theirs(s)} - users
        known.accounts_left.clear()
        for user in sorted((users | lent) - known.users):
            if await self._is_theirs_alone(user, is_lent=user in lent):
                known.users.add(user)
            else:
                known.accounts_left.add(user)
        known.boxes_left.clear()
        for box in sorted(boxes):
            if await self._is_box_theirs_alone(box):
                known.boxes.add(box)
            else:
                known.boxes_left.add(box)

    async def _accounts_of(self, box: str, mentions: Iterable[Mention]) -> set[str]:
        """The accounts of an address: the only one, and the one that had it in one of the person's class meetings."""
        having = await self._look.having(box)
        found = {user for user, person in having.items() if len(having) == 1 and _has(box, person)}
        for mention in mentions:
            if mention.source is Source.ATTENDANCE and box in mention.boxes and self._is_theirs(mention):
                owner = await self._look.owner_at(box, mention.moment)
                found |= {owner} if owner and not mention.is_not(owner) else set()
        return found

    async def _take_id(self, mentions: Iterable[Mention], boxes: Iterable[str]) -> None:
        """Add the only `student_id` that belongs to an account or an address."""
        ids = {mention.student_id for mention in mentions if mention.student_id and self._is_theirs(mention)}
        for box in sorted(boxes):
            for mention in await self._look.by_box(box):
                if mention.student_id and await self._means_them(box, mention):
                    ids.add(mention.student_id)
        if len(ids) > 1:
            raise PersonNotUnique("Several student_ids go with this account or address.")
        self._known.ids |= {student_id for student_id in ids if student_id}

    async def _means_them(self, box: str, mention: Mention) -> bool:
        """Whether an address means one of the person's accounts in a class meeting."""
        if mention.source is not Source.CORRECTION and mention.user:
            return mention.user in self._known.users
        owner = await self._look.owner_at(box, mention.moment)
        return owner in self._known.users and not mention.is_not(owner or "")

    async def _is_theirs_alone(self, user: str, *, is_lent: bool) -> bool:
        """Whether an account belongs to this person, does not teach, and is not another student's.

        Args:
            user: The account.
            is_lent: Whether people only assigned it to this student. Then it must not be a student itself.
        """
        known = self._known
        if await self._look.teaches(user):
            return False
        own = [s for s in await self._look.by_user(user) if s.source is not Source.CORRECTION]
        own += [s for s in await self._look.rosters([], known.users | {user}, known.boxes) if s.user == user]
        person = await self._look.person(user)
        for box in sorted(mailboxes(address.email for address in person.addresses) if person else ()):
            for mention in [*await self._look.by_box(box), *await self._look.rosters([], known.users, [box])]:
                elsewhere = mention.source is Source.REMEMBERED or (mention.user and mention.user != user)
                if not elsewhere and await self._look.owner_at(box, mention.moment) in {user, None}:
                    own.append(mention)
        ids = {mention.student_id for mention in own if mention.student_id}
        if not ids <= known.ids if known.ids or is_lent else len(ids) > 1:
            return False
        return not any(
            mention.is_student and mention.boxes and mention.boxes.isdisjoint(known.boxes)
            for mention in own
            if not mention.student_id and (is_lent or mention.source is Source.REMEMBERED)
        )

    async def _is_box_theirs_alone(self, box: str) -> bool:
        """Whether an address never belonged to anybody else, as far as stored data shows."""
        known = self._known
        if await self._look.is_teachers(box) or not (await self._look.having(box)).keys() <= known.users:
            return False
        mentions = [*await self._look.by_box(box), *await self._look.rosters(known.ids, known.users, [box])]
        for mention in mentions:
            if box not in mention.boxes:
                continue
            if mention.others or (mention.student_id and mention.student_id not in known.ids):
                return False
            if _own(mention) and mention.source is not Source.REMEMBERED and mention.user not in known.users:
                return False
        return True

    # --- What comes of it ---

    def _is_theirs(self, mention: Mention) -> bool:
        """Whether a mention is about the person, by its strongest name."""
        known = self._known
        if mention.student_id and known.ids:
            return mention.student_id in known.ids
        if mention.source is Source.REMEMBERED:
            return mention.user in known.users or not mention.boxes.isdisjoint(known.boxes)
        if _own(mention) and (known.users or mention.user in known.accounts_left):
            return mention.user in known.users
        return not mention.others and not mention.boxes.isdisjoint(known.boxes)

    async def _about(self) -> list[Mention]:
        """Every mention with one of the person's names."""
        known = self._known
        found = [mention for student_id in sorted(known.ids) for mention in await self._look.by_id(student_id)]
        found += [mention for user in sorted(known.users) for mention in await self._look.by_user(user)]
        found += [mention for box in sorted(known.boxes) for mention in await self._look.by_box(box)]
        return [*found, *await self._look.rosters(known.ids, known.users, known.boxes)]

    async def _refuse_assigned(self) -> None:
        """Refuse if another student used the person's account: that student's times would be erased too."""
        known = self._known
        for user in sorted(known.users):
            for mention in await self._look.by_user(user):
                if mention.source is not Source.CORRECTION:
                    continue
                by_address = not mention.boxes.isdisjoint(known.boxes | known.boxes_left)
                if not (mention.student_id in known.ids if mention.student_id else by_address):
                    raise AccountAssigned("An account of the person was assigned to another student.")

    async def _subject(self) -> Subject:
        known = self._known
        theirs = {mention for mention in await self._about() if self._is_theirs(mention)}
        for box in sorted(known.boxes_left):
            for mention in [*await self._look.by_box(box), *await self._look.rosters([], [], [*known.boxes, box])]:
                if box not in mention.boxes or mention.student_id or mention.source is Source.CORRECTION:
                    continue
                if mention.user is None and await self._means_them(box, mention):
                    theirs.add(mention)
        there = [s for s in theirs if s.source in {Source.ATTENDANCE, Source.ROSTER}]
        return Subject(
            names=known.names(),
            sessions=tuple(sorted({mention.session_id for mention in there})),
            attendees=frozenset(mention.attendee_id for mention in there),
            attendance=len({mention.path for mention in there if mention.source is Source.ATTENDANCE}),
            left=len(known.accounts_left) + len(known.boxes_left),
            guests=frozenset((mention.session_id, mention.attendee_id) for mention in theirs if mention.is_nameless),
        )


def _own(mention: Mention) -> bool:
    """Whether a mention names an account that was not only assigned."""
    return bool(mention.user) and mention.source is not Source.CORRECTION


def _has(box: str, person: Person) -> bool:
    """Whether an account has an address now that no other account had before."""
    return any(known.current and known.counts_from is None for known in person.addresses if mailbox(known.email) == box)

"""Which person a participant is: by account, never by name.

In this order: what people assigned by hand, the account's addresses at the time of the class, the account that the
roster names. The account that has an address at a time: `functions.domain.marking.addresses`.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from functools import lru_cache
from typing import assert_never

from functions.domain.classes.roster import Assignment, Correction, Remembered, RoomDevice, RosterEntry
from functions.domain.classes.sessions import EmailSource, Person, Role
from functions.domain.conferences.model import (
    AnonymousUser,
    DeviceUser,
    EmailUser,
    Kind,
    Organizer,
    Participant,
    PhoneUser,
    SignedInUser,
    User,
)
from functions.domain.marking.addresses import addresses_at, current_of, mailbox, mailboxes, owners


@dataclass(frozen=True, slots=True)
class Seen:
    """A participant of one of the class meeting's conferences; `began` is when that conference began."""

    participant: Participant
    organizer: Organizer
    began: datetime

    @property
    def order(self) -> tuple[datetime, str]:
        """A sort key that puts participants in order of time, always in the same way."""
        return (self.participant.earliest_start_time or self.began, self.participant.name)


@dataclass(frozen=True, slots=True)
class Match:
    """The person that a participant counts as.

    Attributes:
        key: The key by which the person is recognised in this class meeting.
        own_key: The key by which the participant itself is recognised.
        assigned: The assignment by a person, if there is one: who decided it and when.
        emails: The person's own addresses.
        certain: Whether it is based on what people, the roster or a report said about the account, and not on an answer
            of Directory or People.
    """

    seen: Seen
    key: str
    own_key: str
    role: Role
    kind: Kind
    entry: RosterEntry | None = None
    assigned: Assignment | Remembered | None = None
    emails: tuple[str, ...] = ()
    email_source: EmailSource | None = None
    certain: bool = False


@dataclass(frozen=True, slots=True)
class Who:
    """Everything that shows who is who in one class meeting.

    Attributes:
        teachers: Addresses of the teachers.
        organizer_teaches: Whether the organizer of a conference is its teacher (for an unscheduled one).
        roster: Everybody on the roster, including teachers.
        people: What is known about accounts, by `users/{id}`.
        assignments: People's assignments, by the guest's own attendee id.
        rooms: Own attendee ids of devices in rooms.
        room_names: Shell patterns of room devices' names.
        organizers: The e-mail of each account that organized one of the conferences, as far as known.
        accounts: The account of each address, for people that reports name only by address.
        ended_at: When the people of the class were last there; None while it goes on.
        named_at: When its teachers and roster were set, if that is known.
        named_before: For addresses (in their compared form) that were already named before that time: when they were
            first named.
    """

    teachers: frozenset[str]
    organizer_teaches: bool
    roster: tuple[RosterEntry, ...]
    people: Mapping[str, Person]
    assignments: Mapping[str, Assignment] = field(default_factory=dict)
    rooms: frozenset[str] = frozenset()
    room_names: tuple[str, ...] = ()
    organizers: Mapping[str, str] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    ended_at: datetime | None = None
    named_at: datetime | None = None
    named_before: Mapping[str, datetime] = field(default_factory=dict)
    _named_boxes: frozenset[str] = field(init=False, repr=False)
    _owners: Mapping[str, str] = field(init=False, repr=False)
    _teachers: frozenset[str] = field(init=False, repr=False)
    _teaching: frozenset[str] = field(init=False, repr=False)
    _students: tuple[RosterEntry, ...] = field(init=False, repr=False)
    _by_email: Mapping[str, RosterEntry] = field(init=False, repr=False)
    _known_by: Mapping[str, Sequence[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Find each address's account once, for all participants."""
        emails = [entry.email for entry in self.roster if entry.email]
        named = [*self.teachers, *emails]
        found = owners(named, self.people, self.ended_at, named_at=self.named_at, named_before=self.named_before)
        teachers = mailboxes(self.teachers)
        teaching = frozenset(found[box] for box in teachers if box in found)
        known_by: dict[str, list[str]] = {}
        for user, person in self.people.items():
            for box in mailboxes(known.email for known in person.addresses):
                known_by.setdefault(box, []).append(user)
        hidden = {
            "_named_boxes": mailboxes(named),
            "_owners": found,
            "_teachers": teachers,
            "_teaching": teaching,
            "_known_by": known_by,
        }
        for name, value in hidden.items():
            object.__setattr__(self, name, value)
        students = tuple(entry for entry in self.roster if not self._is_teachers(entry))
        object.__setattr__(self, "_students", students)
        object.__setattr__(self, "_by_email", {mailbox(e.email): e for e in reversed(students) if e.email})

    def students(self) -> tuple[RosterEntry, ...]:
        """The expected students. A teacher is a teacher by any address of the account, even if the roster lists it."""
        return self._students

    def account_of_entry(self, entry: RosterEntry) -> str | None:
        """The account of a student on the roster, as far as known: that of the address, else that of the roster."""
        owner = self._owners.get(mailbox(entry.email)) if entry.email else None
        return owner or entry.user

    def told_account_of(self, entry: RosterEntry) -> str | None:
        """The account of a student who was not there, if the address alone does not show which account it is.

        This is the case if the roster names an account, or if the address belonged to another account at another time.
        Otherwise the address is enough, even if somebody was in another class before.
        """
        is_contested = entry.email and len(self._known_by.get(mailbox(entry.email), ())) > 1
        return self.account_of_entry(entry) if is_contested else entry.user

    def not_meant_by(self, entry: RosterEntry) -> tuple[str, ...]:
        """Other people's accounts that had a student's address, while its present owner is not known."""
        if entry.email is None or self.account_of_entry(entry):
            return ()
        return tuple(sorted(self._known_by.get(mailbox(entry.email), ())))

    def emails_of(self, user: str | None) -> tuple[str, ...]:
        """The addresses of an account that count in this class meeting, without those that mean somebody else."""
        person = self.people.get(user) if user else None
        if person is None:
            return ()
        meant = (known.email for known in person.addresses if self._owners.get(mailbox(known.email)) == user)
        had = (
            email
            for email in addresses_at(person, self.ended_at)
            if (box := mailbox(email)) not in self._named_boxes or self._owners.get(box) == user
        )
        return tuple(dict.fromkeys([*had, *meant]))

    def teachers_found(self, users: Iterable[str | None]) -> bool:
        """Whether the given accounts include each teacher of the class."""
        there = set(users)
        return all(self._owners.get(box) in there for box in self._teachers)

    def own_key_of(self, seen: Seen) -> str:
        """The key by which a participant is recognised: account, otherwise address, otherwise the participant itself.

        Never a name.
        """
        user = seen.participant.user
        return self._account_of(user) or (user.email if isinstance(user, EmailUser) else seen.participant.name)

    def match(self, seen: Seen, *, own_id: str) -> Match:
        """The person of a participant; `own_id` is the attendee id of its own key."""
        kind, own_key = kind_of(seen.participant.user), self.own_key_of(seen)
        user = self._account_of(seen.participant.user)
        person = self.people.get(user) if user else None
        emails = own_emails = self.emails_of(user)
        told: tuple[str, ...] = ()
        if user and user in self.organizers and not emails:
            emails = told = (self.organizers[user],)
        source = EmailSource(person.identity.source.value) if person and person.identity else None
        if isinstance(seen.participant.user, EmailUser):
            # A report says with which address the person was in the call.
            told = (seen.participant.user.email,)
            emails = tuple(dict.fromkeys([*emails, *told]))
            source = source or EmailSource.REPORTS
        if self._teaches(user, told, seen.organizer):
            certain = user not in self._teaching
            return Match(
                seen, own_key, own_key, Role.TEACHER, kind, emails=emails, email_source=source, certain=certain
            )
        if assignment := self.assignments.get(own_id):
            entry = self._named(student_id=assignment.student_id, email=assignment.email)
            if entry:
                return self._assigned(seen, own_key, kind, entry, assignment)
        if person and person.student:
            entry = self._named(student_id=person.student.student_id, email=person.student.email)
            if entry:
                return self._assigned(seen, own_key, kind, entry, person.student)
        if entry := self._with_account(user, told, own_emails):
            certain = bool(user and entry.user == user) or mailbox(entry.email or "") in mailboxes(told)
            return Match(
                seen,
                entry.key,
                own_key,
                Role.STUDENT,
                kind,
                entry,
                emails=emails,
                email_source=source,
                certain=certain,
            )
        if own_id in self.rooms or (person and person.unknown and self._is_room(seen.participant.user)):
            kind = Kind.ROOM
        return Match(seen, own_key, own_key, Role.GUEST, kind, emails=emails, email_source=source)

    def _account_of(self, user: User) -> str | None:
        if isinstance(user, EmailUser) and not user.user:
            return self.accounts.get(mailbox(user.email))
        return account_of(user)

    def _assigned(
        self, seen: Seen, own_key: str, kind: Kind, entry: RosterEntry, assigned: Assignment | Remembered
    ) -> Match:
        return Match(
            seen,
            entry.key,
            own_key,
            Role.STUDENT,
            kind,
            entry,
            assigned=assigned,
            email_source=EmailSource.ASSIGNED,
            certain=True,
        )

    def _is_teachers(self, entry: RosterEntry) -> bool:
        """Whether an entry of the roster is a teacher."""
        if entry.email and mailbox(entry.email) in self._teachers:
            return True
        return self.account_of_entry(entry) in self._teaching

    def _teaches(self, user: str | None, told: Sequence[str], organizer: Organizer) -> bool:
        if user in self._teaching or not self._teachers.isdisjoint(map(mailbox, told)):
            return True
        return self.organizer_teaches and bool(user) and user == organizer.user

    def _named(self, *, student_id: str | None, email: str | None) -> RosterEntry | None:
        by_id = (entry for entry in self._students if student_id and entry.student_id == student_id)
        by_email = self._by_email.get(mailbox(email)) if email else None
        meant = by_email if by_email and by_email.may_be(student_id=student_id, email=email) else None
        return next(by_id, None) or meant

    def _with_account(self, user: str | None, told: Sequence[str], own_emails: Sequence[str]) -> RosterEntry | None:
        """The student with one of a participant's addresses.

        Addresses that were known longest come first, then the primary one.
        """
        for email in told:
            if entry := self._by_email.get(mailbox(email)):
                return entry
        person = self.people.get(user) if user else None
        rank = {email: number for number, email in enumerate(own_emails)}
        known = [address for address in (person.addresses if person else ()) if address.email in rank]
        for address in sorted(known, key=lambda address: (address.since, rank[address.email])):
            box = mailbox(address.email)
            if self._owners.get(box) == user and (entry := self._by_email.get(box)):
                return entry
        return next((entry for entry in self._students if user and entry.user == user), None)

    def _is_room(self, user: User) -> bool:
        name = user.display_name.casefold()
        return any(fnmatch.fnmatchcase(name, pattern.casefold()) for pattern in self.room_names)


def corrections_by_kind(corrections: Iterable[Correction]) -> tuple[dict[str, Assignment], frozenset[str]]:
    """The assignments by the guest's own attendee id, and the ids of room devices."""
    assignments = {c.attendee_id: c for c in corrections if isinstance(c, Assignment)}
    return assignments, frozenset(c.attendee_id for c in corrections if isinstance(c, RoomDevice))


def account_of(user: User) -> str | None:
    """The Google account, `users/{id}`, if there is one."""
    return (user.user or None) if isinstance(user, SignedInUser | EmailUser) else None


def accounts_by_email(people: Mapping[str, Person]) -> dict[str, str]:
    """The account of each address in its compared form; without addresses that two accounts have."""
    found: dict[str, str | None] = {}
    for user in sorted(people):
        for box in mailboxes(current_of(people[user])):
            found[box] = user if found.get(box, user) == user else None
    return {email: user for email, user in found.items() if user}


def kind_of(user: User) -> Kind:
    """How Meet describes the user."""
    match user:
        case SignedInUser() | EmailUser():
            return Kind.SIGNED_IN
        case DeviceUser():
            return Kind.ROOM
        case AnonymousUser():
            return Kind.ANONYMOUS
        case PhoneUser():
            return Kind.PHONE
        case unreachable:
            assert_never(unreachable)


class NameIndex:
    """Finds students with names similar to a guest's, as suggestions and never as assignments.

    Names are the same if they have the same words. They are similar if one has all words of the other, or if exactly
    one word, of four letters or more, differs by one letter.

    Args:
        names: Each student's attendee id with all known names.
    """

    MOST = 5

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        self._students: dict[str, set[tuple[str, ...]]] = {}
        self._by_word: dict[str, set[str]] = {}
        self._by_spelling: dict[str, set[str]] = {}
        for attendee_id, name in names:
            words = _words(name)
            if words:
                self._students.setdefault(attendee_id, set()).add(words)
                for word in words:
                    self._by_word.setdefault(word, set()).add(attendee_id)

    def like(self, name: str) -> list[tuple[str, str]]:
        """Attendee ids of students with this or a similar name, each with `same` or `similar`.

        Equal names come first.
        """
        words = _words(name) if self._by_word else ()
        found: list[tuple[str, str]] = []
        for attendee_id in sorted({one for word in self._alike(words) for one in self._by_word.get(word, ())}):
            names = self._students[attendee_id]
            if words in names:
                found.append(("same", attendee_id))
            elif any(_are_similar(words, other) for other in names):
                found.append(("similar", attendee_id))
        return [(attendee_id, match) for match, attendee_id in sorted(found)[: self.MOST]]

    def _alike(self, words: Iterable[str]) -> set[str]:
        """The words in students' names that are among the given words, or may differ from one of them by a letter."""
        if not self._by_spelling:
            for word in self._by_word:
                for spelling in _spellings(word):
                    self._by_spelling.setdefault(spelling, set()).add(word)
        wanted = {spelling for word in words for spelling in _spellings(word)}
        return {word for spelling in wanted for word in self._by_spelling.get(spelling, ())}


def _are_similar(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether one name has all words of the other, or all except one word in which one letter is different."""
    one, other = set(words), set(others)
    if one <= other or other <= one:
        return True
    alone, left = one - other, other - one
    if len(alone) != 1 or len(left) != 1 or len(words) != len(others):
        return False
    return _differ_by_a_letter(alone.pop(), left.pop())


def _differ_by_a_letter(one: str, other: str) -> bool:
    """Whether two words differ by one missing, added or changed letter; never for short words."""
    shorter, longer = sorted((one, other), key=len)
    if len(longer) < _LONG or len(longer) - len(shorter) > 1:
        return False
    first = next((n for n, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    return shorter[first + (len(shorter) == len(longer)) :] == longer[first + 1 :]


def _spellings(word: str) -> set[str]:
    """A word and all its forms with one letter removed: two words that differ by one letter share such a form."""
    shorter = {word[:n] + word[n + 1 :] for n in range(len(word))} if len(word) >= _LONG - 1 else set()
    return {word, *shorter}


_LONG = 4
"""How many letters a word needs so that one of them may differ: in a shorter word another letter means another name."""


def _words(name: str) -> tuple[str, ...]:
    """A name's words without case, and without the accents that people leave out, in alphabetical order.

    Accents are removed only in Latin, Greek and Cyrillic. In other scripts a mark counts as a letter: a vowel in
    Devanagari or Thai, another consonant in Japanese. https://www.unicode.org/reports/tr44/#General_Category_Values
    """
    if name.isascii():
        return tuple(sorted(_ASCII_WORD.findall(name.lower())))
    letters, marks_count = [], False
    for character in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold()):
        match _sort_of(character):
            case _Sort.LETTER | _Sort.LETTER_WITHOUT_ACCENTS as sort:
                letters.append(character)
                marks_count = sort is _Sort.LETTER
            case _Sort.MARK if marks_count:
                letters.append(character)
            case _Sort.GAP:
                letters.append(" ")
                marks_count = False
    return tuple(sorted(unicodedata.normalize("NFC", "".join(letters)).split()))


_ASCII_WORD = re.compile("[0-9a-z]+")
_ACCENTED = ("LATIN ", "GREEK ", "CYRILLIC ")


class _Sort(Enum):
    """What a character is in a name."""

    LETTER = auto()
    LETTER_WITHOUT_ACCENTS = auto()
    MARK = auto()
    GAP = auto()
    IGNORED = auto()


@lru_cache(maxsize=4096)
def _sort_of(character: str) -> _Sort:
    """What a character is: the names of a class have few different ones."""
    name, category = unicodedata.name(character, ""), unicodedata.category(character)
    if character.isalnum():
        return _Sort.LETTER_WITHOUT_ACCENTS if name.startswith(_ACCENTED) else _Sort.LETTER
    if category.startswith("M"):
        # Such a mark only changes how the letter before it is drawn, or only joins two letters.
        is_invisible = "VARIATION SELECTOR" in name or name == "COMBINING GRAPHEME JOINER"
        return _Sort.IGNORED if is_invisible else _Sort.MARK
    return _Sort.IGNORED if category == "Cf" else _Sort.GAP  # joiners and marks of direction are part of words

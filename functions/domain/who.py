"""Which person a participant is: by account, never by name.

In this order: what people assigned by hand, the account's e-mail, its aliases, the account that the roster names.
"""

from __future__ import annotations

import fnmatch
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from functions.domain.model import (
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
from functions.domain.roster import Assignment, Correction, Remembered, RoomDevice, RosterEntry
from functions.domain.sessions import EmailSource, Person, Role


@dataclass(frozen=True, slots=True)
class Seen:
    """A participant of one of the class meeting's conferences; `began` is when that conference did."""

    participant: Participant
    organizer: Organizer
    began: datetime

    @property
    def order(self) -> tuple[datetime, str]:
        """What puts participants in order of time, the same at every computation."""
        return (self.participant.earliest_start_time or self.began, self.participant.name)


@dataclass(frozen=True, slots=True)
class Match:
    """Who a participant is taken for.

    Attributes:
        key: What the person is recognised by in this class meeting.
        own_key: What the participant is recognised by, whoever they are taken for.
        assigned: What people said, if they did: by whom and when.
        emails: Addresses that are the person's own.
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


@dataclass(frozen=True, slots=True)
class Who:
    """All that tells who is who in one class meeting.

    Attributes:
        teachers: Addresses of the teachers.
        organizer_teaches: Whether whoever organized a conference is its teacher: of one that nobody scheduled.
        roster: The students; teachers who stand there too are none.
        people: What is known of accounts, by `users/{id}`.
        assignments: What people assigned, by the guest's own attendee id.
        rooms: Own attendee ids of devices in rooms.
        room_names: Shell patterns of room devices' names.
        organizers: The e-mail of each account that organized one of the conferences, as far as that is known.
        accounts: By address, the account that has it: for people whom reports name by address alone.
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

    def students(self) -> tuple[RosterEntry, ...]:
        """Who is expected: a teacher's address wins over a roster that also lists it."""
        return tuple(entry for entry in self.roster if entry.email not in self.teachers)

    def own_key_of(self, seen: Seen) -> str:
        """What a participant is recognised by: account, else address, else the participant itself. Never a name."""
        user = seen.participant.user
        return self._account_of(user) or (user.email if isinstance(user, EmailUser) else seen.participant.name)

    def match(self, seen: Seen, *, own_id: str) -> Match:
        """Who a participant is; `own_id` is the attendee id of its own key."""
        kind, own_key = kind_of(seen.participant.user), self.own_key_of(seen)
        user = self._account_of(seen.participant.user)
        person = self.people.get(user) if user else None
        emails = _emails(person)
        if user and user in self.organizers and not emails:
            emails = (self.organizers[user],)
        source = EmailSource(person.identity.source.value) if person and person.identity else None
        if isinstance(seen.participant.user, EmailUser):
            emails = tuple(dict.fromkeys([*emails, seen.participant.user.email]))
            source = source or EmailSource.REPORTS
        if self._teaches(user, emails, seen.organizer):
            return Match(seen, own_key, own_key, Role.TEACHER, kind, emails=emails, email_source=source)
        if assignment := self.assignments.get(own_id):
            entry = self._named(student_id=assignment.student_id, email=assignment.email)
            if entry:
                return self._assigned(seen, own_key, kind, entry, assignment)
        if person and person.student:
            entry = self._named(student_id=person.student.student_id, email=person.student.email)
            if entry:
                return self._assigned(seen, own_key, kind, entry, person.student)
        if entry := self._with_account(user, emails):
            return Match(seen, entry.key, own_key, Role.STUDENT, kind, entry, emails=emails, email_source=source)
        if own_id in self.rooms or (person and person.unknown and self._is_room(seen.participant.user)):
            kind = Kind.ROOM
        return Match(seen, own_key, own_key, Role.GUEST, kind, emails=emails, email_source=source)

    def _account_of(self, user: User) -> str | None:
        return account_of(user) or (self.accounts.get(user.email) if isinstance(user, EmailUser) else None)

    def _assigned(
        self, seen: Seen, own_key: str, kind: Kind, entry: RosterEntry, assigned: Assignment | Remembered
    ) -> Match:
        return Match(
            seen, entry.key, own_key, Role.STUDENT, kind, entry, assigned=assigned, email_source=EmailSource.ASSIGNED
        )

    def _teaches(self, user: str | None, emails: Sequence[str], organizer: Organizer) -> bool:
        if not self.teachers.isdisjoint(emails):
            return True
        return self.organizer_teaches and bool(user) and user == organizer.user

    def _named(self, *, student_id: str | None, email: str | None) -> RosterEntry | None:
        by_id = (entry for entry in self.students() if student_id and entry.student_id == student_id)
        by_email = (entry for entry in self.students() if email and entry.email == email)
        return next(by_id, None) or next(by_email, None)

    def _with_account(self, user: str | None, emails: Sequence[str]) -> RosterEntry | None:
        students = self.students()
        for email in emails:
            if entry := next((entry for entry in students if entry.email == email), None):
                return entry
        return next((entry for entry in students if user and entry.user == user), None)

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
    """By address, the account that has it; an address that two accounts have tells neither."""
    found: dict[str, str | None] = {}
    for user in sorted(people):
        for email in _emails(people[user]):
            found[email] = user if found.get(email, user) == user else None
    return {email: user for email, user in found.items() if user}


def kind_of(user: User) -> Kind:
    """How Meet knows somebody."""
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
    """Finds students whose names are like a guest's, to be offered and never taken.

    Names are the same if they have the same words. They are similar if one has all words of the other, or if a single
    word of four letters or more differs by a single letter.

    Args:
        names: Each student's attendee id with every name that is known.
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
        """Attendee ids of students with such a name, and `same` or `similar`; the same ones first."""
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
        """The words of students' names that are some words, or may differ from one of them by a letter."""
        if not self._by_spelling:
            for word in self._by_word:
                for spelling in _spellings(word):
                    self._by_spelling.setdefault(spelling, set()).add(word)
        wanted = {spelling for word in words for spelling in _spellings(word)}
        return {word for spelling in wanted for word in self._by_spelling.get(spelling, ())}


def _are_similar(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether one name has all words of the other, or all but one that is spelled with a single other letter."""
    one, other = set(words), set(others)
    if one <= other or other <= one:
        return True
    alone, left = one - other, other - one
    if len(alone) != 1 or len(left) != 1 or len(words) != len(others):
        return False
    return _differ_by_a_letter(alone.pop(), left.pop())


def _differ_by_a_letter(one: str, other: str) -> bool:
    """Whether a letter less, more or another one makes one word of the other; never in short words."""
    shorter, longer = sorted((one, other), key=len)
    if len(longer) < _LONG or len(longer) - len(shorter) > 1:
        return False
    first = next((n for n, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    return shorter[first + (len(shorter) == len(longer)) :] == longer[first + 1 :]


def _spellings(word: str) -> set[str]:
    """A word, and what is left of it without any single letter: two words that differ by a letter share one."""
    shorter = {word[:n] + word[n + 1 :] for n in range(len(word))} if len(word) >= _LONG - 1 else set()
    return {word, *shorter}


_LONG = 4
"""How many letters a word has of which one may differ: of shorter ones it makes another name."""


def _words(name: str) -> tuple[str, ...]:
    """A name's words without case, and without the accents that people leave out, in order of the alphabet.

    That is done in Latin, Greek and Cyrillic alone. In other scripts a mark is as good as a letter: a vowel in
    Devanagari or Thai, another consonant in Japanese. https://www.unicode.org/reports/tr44/#General_Category_Values
    """
    letters, marks_count = [], False
    for character in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold()):
        category = unicodedata.category(character)
        if character.isalnum():
            letters.append(character)
            marks_count = not unicodedata.name(character, "").startswith(_ACCENTED)
        elif category.startswith("M"):
            if marks_count and not _is_invisible(character):
                letters.append(character)
        elif category != "Cf":  # joiners and marks of direction stand within words
            letters.append(" ")
            marks_count = False
    return tuple(sorted(unicodedata.normalize("NFC", "".join(letters)).split()))


_ACCENTED = ("LATIN ", "GREEK ", "CYRILLIC ")


def _is_invisible(mark: str) -> bool:
    """Whether a mark only chooses how the letter before it is drawn, or only holds two letters together."""
    name = unicodedata.name(mark, "")
    return "VARIATION SELECTOR" in name or name == "COMBINING GRAPHEME JOINER"


def _emails(person: Person | None) -> tuple[str, ...]:
    return (person.identity.email, *person.identity.aliases) if person and person.identity else ()

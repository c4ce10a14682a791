"""Erasing a person for good: the names of erased people, and how everything is stored without them.

Only this module decides whether something is about an erased person. Every unit of work passes what it reads and what
it stores through `Erased`. So an erased person is left out before anything is stored, whichever service names them.

No stored document names the person. A name is stored as an HMAC-SHA256, with a key that only the system has, of the
name's kind and its compared form: `user/users/123`, `email/ada@school.example` (as `mailbox` compares addresses),
`student_id/4711`, `participant/conferenceRecords/…/participants/…`. A participant is stored for a guest without an
account who was assigned to the person. Each HMAC leads to a random token. Conferences and class meetings store the
token, so that `counts.erased` counts each person once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from functions.domain.classes.roster import Assignment, Correction, Override, Remembered, RosterEntry
from functions.domain.classes.sessions import ClassSession, Person, Remark
from functions.domain.classes.timetable import Room
from functions.domain.conferences.model import Conference, EmailUser, Organizer, Participant, SignedInUser
from functions.domain.marking.addresses import current_of, mailbox, mailboxes
from functions.domain.marking.people import attendee_id

KEPT = timedelta(days=180)
"""How long names are blocked from being stored again. No Google service reaches back further (Reports: 180 days)."""

SOMEBODY = "erased"
"""Stored instead of the name of an erased person who decided something about others."""


class NameKind(StrEnum):
    """The kind of a name."""

    USER = "user"
    EMAIL = "email"
    STUDENT_ID = "student_id"
    PARTICIPANT = "participant"


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A name of a person in its compared form; create it with `of`."""

    kind: NameKind
    value: str

    @classmethod
    def of(cls, kind: NameKind, value: str) -> Name:
        """The name in its compared form."""
        return cls(kind, mailbox(value) if kind is NameKind.EMAIL else value)

    def fingerprint(self, key: bytes) -> str:
        """The stored form of the name. Without the key, nobody can find out or test names."""
        return hmac.new(key, f"{self.kind.value}/{self.value}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Erased:
    """Everybody who is erased.

    Attributes:
        key: The key of the fingerprints.
        people: By the fingerprint of each of their names, the token of the person.
        kinds: The kinds of names that are known, by token. People with different `student_id`s are different people,
            and so are people with different accounts, even if they share an address or one got it from the other.
        attendees: Ids of attendance that is being erased, whatever names it has: the same address may mean the erased
            person in one class meeting and its next owner in another.
    """

    key: bytes = b""
    people: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, frozenset[NameKind]] = field(default_factory=dict)
    attendees: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _known(self) -> dict[Name, str | None]:
        return {}

    def __bool__(self) -> bool:
        """Whether anybody is erased."""
        return bool(self.people or self.attendees)

    def token(self, name: Name) -> str | None:
        """The token of the person with a name; None if nobody with it is erased."""
        if not self.people:
            return None
        if name not in self._known:
            self._known[name] = self.people.get(name.fingerprint(self.key))
        return self._known[name]

    def somebody(
        self, *, student_id: str | None = None, user: str | None = None, emails: Iterable[str | None] = ()
    ) -> str | None:
        """The token of the erased person with these names. The strongest name decides; an address only without others.

        Somebody with another `student_id` or another account than the erased person is somebody else.
        """
        if student_id and (found := self.token(Name(NameKind.STUDENT_ID, student_id))):
            return found
        if (found := self.user(user)) and not (student_id and self._has(found, NameKind.STUDENT_ID)):
            return found
        for email in emails:
            found = self.token(Name.of(NameKind.EMAIL, email)) if email else None
            if found is None or (student_id and self._has(found, NameKind.STUDENT_ID)):
                continue
            if not (user and self._has(found, NameKind.USER)):
                return found
        return None

    def user(self, user: str | None) -> str | None:
        """The token of the person with an account, `users/{id}`."""
        return self.token(Name(NameKind.USER, user)) if user else None

    def email(self, email: str | None) -> str | None:
        """The token of the person with an address, if nothing else is known about them."""
        return self.somebody(emails=[email])

    def participant(self, participant: Participant) -> str | None:
        """The token of the person that a participant is."""
        if guest := self.token(Name(NameKind.PARTICIPANT, participant.name)):
            return guest
        match participant.user:
            case SignedInUser(user=user):
                return self.user(user)
            case EmailUser(email=email, user=known):
                # The account decides who this is; one of its addresses does not.
                return self.user(known) if known else self.email(email)
            case _:
                return None

    def entry(self, entry: RosterEntry) -> str | None:
        """The token of the person in a roster entry."""
        return self.somebody(student_id=entry.student_id, user=entry.user, emails=[entry.email])

    def in_question(self, person: Person) -> frozenset[Name]:
        """Addresses of erased people that an account has, if it is not known to be their account.

        It may be the erased person's account, or the address has another owner now. The store decides this before it
        stores anything about the account.
        """
        if not self.people or self.user(person.user):
            return frozenset()
        names = (Name.of(NameKind.EMAIL, email) for email in current_of(person))
        return frozenset(name for name in names if self.token(name))

    def has_account(self, token: str) -> bool:
        """Whether an account of an erased person is known."""
        return self._has(token, NameKind.USER)

    def enrolled(self, user: str, email: str) -> frozenset[Name]:
        """Names of erased people that a newly tracked teacher has: they are free, as people enrolled the teacher."""
        names = (Name(NameKind.USER, user), Name.of(NameKind.EMAIL, email))
        return frozenset(name for name in names if self.token(name))

    def teaching(self, session: ClassSession) -> Mapping[Name, str]:
        """Addresses of erased people that teachers of a scheduled class have by now, each with the person's token.

        People decided so, and without its teachers a class does not count as held: everybody would lose their marks.
        """
        if not self.people or session.plan.scheduled is None:
            return {}
        names = (Name.of(NameKind.EMAIL, email) for email in session.plan.teachers)
        return {name: token for name in names if (token := self.token(name))}

    def claimed_in(self, session: ClassSession) -> frozenset[Name]:
        """Addresses of erased students that the LMS now gives to students with another id."""
        if not self.people:
            return frozenset()
        claimed = set()
        for entry in session.plan.roster:
            name = Name.of(NameKind.EMAIL, entry.email) if entry.email and entry.student_id else None
            if name and (token := self.token(name)) and self._has(token, NameKind.STUDENT_ID) and not self.entry(entry):
                claimed.add(name)
        return frozenset(claimed)

    def _has(self, token: str, kind: NameKind) -> bool:
        """Whether a name of a kind is known for a person; assumed if no kinds are stored for the person."""
        return kind in self.kinds.get(token, _IDENTIFYING)

    # --- What is stored without them ---

    def conference(self, conference: Conference) -> Conference:
        """A conference without participants who are erased."""
        if not self.people:
            return conference
        found: dict[str, None] = dict.fromkeys(conference.erased)
        snapshot, interruption = conference.snapshot, conference.interruption
        if snapshot:
            kept = tuple(p for p in snapshot.participants if not self._noted(self.participant(p), found))
            if len(kept) < len(snapshot.participants):
                snapshot = replace(snapshot, participants=kept)
        if interruption:
            read = tuple(one for one in interruption.participants if not self._noted(self.participant(one[0]), found))
            if len(read) < len(interruption.participants):
                interruption = replace(interruption, participants=read)
        organizer = self._owner(conference.organizer)
        erased = tuple(sorted(found))
        after = replace(conference, organizer=organizer, snapshot=snapshot, interruption=interruption, erased=erased)
        return conference if after == conference else after

    def room(self, room: Room) -> Room:
        """A room, without an owner if the owner is erased."""
        owner = self._owner(room.owner) if self.people else room.owner
        return room if owner is room.owner else replace(room, owner=owner)

    def organizer(self, organizer: Organizer) -> str | None:
        """The token of the person who organized the call."""
        return self.somebody(user=organizer.user, emails=[organizer.email])

    def _owner(self, organizer: Organizer) -> Organizer:
        return Organizer() if self.organizer(organizer) else organizer

    def session(self, session: ClassSession) -> ClassSession:
        """A class meeting without erased people on its roster."""
        if not self:
            return session
        plan = session.plan
        found: dict[str, None] = dict.fromkeys(plan.erased)
        roster = tuple(
            replace(entry, user=None) if self.user(entry.user) else entry
            for entry in plan.roster
            if not self._noted(self._entry_in(session.session_id, entry), found)
        )
        teachers = plan.teachers
        if plan.scheduled is None:  # then the teacher is the organizer of the call, and no LMS named them
            teachers = tuple(email for email in teachers if not self.email(email))
        named = mailboxes([*teachers, *(entry.email for entry in roster if entry.email)])
        after = replace(
            plan,
            roster=roster,
            teachers=teachers,
            named_before=tuple((box, at) for box, at in plan.named_before if box in named or not self.email(box)),
            attached=tuple(replace(one, by=SOMEBODY) if self.email(one.by) else one for one in plan.attached),
            erased=tuple(sorted(found)),
        )
        return session if after == plan else replace(session, plan=after)

    def correction(self, correction: Correction) -> Correction | None:
        """A correction; None if it is about somebody who is erased."""
        if not self:
            return correction
        if correction.attendee_id in self.attendees or self.about(correction):
            return None
        if isinstance(correction, Assignment) and correction.remembered_before:
            before = self.remembered(correction.remembered_before)
            correction = replace(correction, remembered_before=before)
        if self.email(correction.decision.by):
            return replace(correction, decision=replace(correction.decision, by=SOMEBODY))
        return correction

    def about(self, correction: Correction) -> str | None:
        """The token of the person that a correction is about, or of the owner of the account that it assigns."""
        match correction:
            case Override():
                return self.somebody(student_id=correction.student_id, emails=[correction.email])
            case Assignment():
                student = self.somebody(student_id=correction.student_id, emails=[correction.email])
                return student or self.user(correction.user)
            case _:
                return None

    def remembered(self, student: Remembered | None) -> Remembered | None:
        """The student that an account is assigned to; None if the student is erased."""
        if student is None or self.somebody(student_id=student.student_id, emails=[student.email]):
            return None
        return replace(student, by=SOMEBODY) if self.email(student.by) else student

    def remark(self, remark: Remark) -> Remark | None:
        """What must be marked again; None if it was only about erased people."""
        if not self.people:
            return remark
        left = tuple(account for account in remark.accounts if not self.entry(account))
        if left == remark.accounts:
            return remark
        return replace(remark, accounts=left) if left else None

    def mentioned_in(self, text: str) -> bool:
        """Whether the readable part of a message names somebody who is erased."""
        return bool(self.people) and any(self.token(name) for name in names_in(text))

    def _entry_in(self, session_id: str, entry: RosterEntry) -> str | None:
        return self.entry(entry) or (self.attendees.get(attendee_id(session_id, entry.key)) if self.attendees else None)

    @staticmethod
    def _noted(token: str | None, found: dict[str, None]) -> str | None:
        if token:
            found[token] = None
        return token


_IDENTIFYING = frozenset({NameKind.STUDENT_ID, NameKind.USER})

NOBODY = Erased()
"""When nobody is erased."""


_PART = re.compile(r"[^\s\"'<>()\[\]{},;:\\/|=&?@]+")
_LOCAL, _DOMAIN = 64, 255
"""How long the parts of an address are at most. https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1"""
_USER = re.compile(r"users/\d+")
_STUDENT_ID = "student_id"


def names_in(text: str) -> frozenset[Name]:
    """The addresses, accounts and `student_id` fields in a message, also in encoded parts."""
    return frozenset(name for part in _readable(text) for name in _names_in(part))


def _names_in(text: str) -> Iterator[Name]:
    for address in _addresses_in(text):
        yield Name.of(NameKind.EMAIL, address)
    for user in _USER.findall(text):
        yield Name(NameKind.USER, user)
    for name, value in _strings(text):
        if name == _STUDENT_ID:
            yield Name(NameKind.STUDENT_ID, value)


def _addresses_in(text: str) -> Iterator[str]:
    """The addresses in a text. What is read around each `@` is limited, so a long text takes linear time."""
    at = text.find("@")
    while at >= 0:
        backwards = _PART.match(text[max(0, at - _LOCAL) : at][::-1])
        domain = _PART.match(text, at + 1, at + 1 + _DOMAIN)
        if backwards and domain:
            yield f"{backwards[0][::-1]}@{domain[0].rstrip('.')}"
        at = text.find("@", at + 1)


def _readable(text: str, *, depth: int = 3) -> Iterator[str]:
    """A text, and the decoded strings in it that are base64, such as the data of a Pub/Sub message."""
    yield text
    if depth:
        for _, value in _strings(text):
            try:
                decoded = base64.b64decode(value, validate=True).decode()
            except ValueError:
                continue
            if decoded:
                yield from _readable(decoded, depth=depth - 1)


def _strings(text: str) -> Iterable[tuple[str, str]]:
    """The strings in a JSON text, each with the name of its field; a text that is not JSON is one string."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return [("", text)]
    found: list[tuple[str, str]] = []
    left: list[tuple[str, object]] = [("", value)]
    while left:
        name, item = left.pop()
        match item:
            case str():
                found.append((name, item))
            case dict():
                left += [(str(key), inner) for key, inner in item.items()]
            case list():
                left += [(name, inner) for inner in item]
            case _:
                pass
    return found

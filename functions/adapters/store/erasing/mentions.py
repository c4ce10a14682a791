"""What stored documents say about people: which `student_id`, account and addresses belong together, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from functions.adapters.store.databases.database import Database, Document, Query, Where, in_pages
from functions.adapters.store.documents.common import Fields, check_schema
from functions.adapters.store.documents.people import person_from_document
from functions.adapters.store.paths import organizer_path, person_path, session_path
from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.sessions import Person, Role, SessionState
from functions.domain.erasure import Name, NameKind
from functions.domain.marking.addresses import current_of, mailbox, mailboxes
from functions.domain.marking.people import attendee_id

_ORDER = ("session_start", "attendee_id")
_PAGE = 300
_WITHOUT_ATTENDANCE = (SessionState.SCHEDULED, SessionState.CANCELLED)
"""States of class meetings that have a roster but no attendance."""


class Source(Enum):
    """The kind of document that names somebody."""

    ATTENDANCE = auto()
    ROSTER = auto()
    CORRECTION = auto()
    REMEMBERED = auto()
    """The account is this student in every class meeting, because people decided so."""


@dataclass(frozen=True, slots=True)
class Mention:
    """The names of one person in one document.

    Attributes:
        source: The kind of document.
        path: The path of the document.
        student_id: The id of the LMS.
        user: The person's own account, not an account that was assigned to the person for one class meeting.
        boxes: Addresses in their compared form.
        spellings: The addresses as the document spells them.
        session_id: The class meeting.
        attendee_id: The person's id in the class meeting; for a correction, the id of the attendance it changes.
        moment: The owner of an address at this time is meant; None for a time to come.
        is_student: Whether the document says that the person is a student of a class.
        teaches: Whether the document says that the person teaches a scheduled class.
        others: Pseudonyms of accounts that had the address and belong to somebody else.
        is_nameless: Whether the document assigns a guest without an account to the person.
    """

    source: Source
    path: str
    student_id: str | None = None
    user: str | None = None
    boxes: frozenset[str] = frozenset()
    spellings: frozenset[str] = frozenset()
    session_id: str = ""
    attendee_id: str = ""
    moment: datetime | None = None
    is_student: bool = True
    teaches: bool = False
    others: frozenset[str] = frozenset()
    is_nameless: bool = False

    def is_not(self, user: str) -> bool:
        """Whether an account had the address and is somebody else."""
        return attendee_id(self.session_id, user) in self.others


class Mentions:
    """Searches documents by a name; each name is searched once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: dict[tuple[str, str], list[Mention]] = {}
        self._people: dict[str, Person | None] = {}
        self._having: dict[str, dict[str, Person]] = {}
        self._entries: _Entries | None = None

    async def by_id(self, student_id: str) -> list[Mention]:
        """Everything with an id of the LMS."""
        return await self._once("student_id", student_id, self._by_id)

    async def by_user(self, user: str) -> list[Mention]:
        """Everything with an account that is the person's own, or is assigned to a student."""
        return await self._once("user", user, self._by_user)

    async def by_box(self, box: str) -> list[Mention]:
        """Everything with an address."""
        return await self._once("box", box, self._by_box)

    async def there_with(self, user: str) -> list[Mention]:
        """Attendance with an account, even if it may be the account of a guest who was assigned."""
        return await self._once("there", user, lambda user: self._attendance(Where("user", "==", user)))

    async def rosters(self, ids: Iterable[str], users: Iterable[str], boxes: Iterable[str]) -> list[Mention]:
        """Roster entries with one of some names, in class meetings without attendance."""
        if self._entries is None:
            self._entries = await self._scan()
        names = [
            *(Name(NameKind.STUDENT_ID, student_id) for student_id in ids),
            *(Name(NameKind.USER, user) for user in users),
            *(Name(NameKind.EMAIL, box) for box in boxes),
        ]
        entries = dict.fromkeys(entry for name in names for entry in self._entries.by_name.get(name, ()))
        return [_of_entry(entry, session_id) for entry in entries for session_id in self._entries.sessions[entry]]

    async def person(self, user: str) -> Person | None:
        """What is known about an account; None if nothing is."""
        if user not in self._people:
            document = await self._database.get(person_path(user)) if _is_id(user) else None
            self._people[user] = person_from_document(document.fields) if document else None
        return self._people[user]

    async def having(self, box: str) -> dict[str, Person]:
        """The accounts that have or had an address."""
        if box not in self._having:
            found = await self._database.find(Query("people", where=(Where("emails", "contains", box),)))
            self._having[box] = {d.fields["user"]: person_from_document(d.fields) for d in found.documents}
        return self._having[box]

    async def is_tracked(self, user: str) -> bool:
        """Whether an account belongs to a tracked teacher."""
        return _is_id(user) and await self._database.get(organizer_path(user)) is not None

    async def teaches(self, user: str) -> bool:
        """Whether an account belongs to a teacher, either tracked or named as the teacher of a scheduled class."""
        if await self.is_tracked(user) or any(mention.teaches for mention in await self.by_user(user)):
            return True
        person = await self.person(user)
        boxes = mailboxes(known.email for known in person.addresses) if person else frozenset()
        lost = boxes - mailboxes(current_of(person)) if person else frozenset()
        # A class may still name its teacher by a former address. If somebody else has it now, that person may be meant.
        given_on = {box for box in sorted(lost) if len(await self.having(box)) > 1}
        return any([await self.is_teachers(box) for box in sorted(boxes - given_on)])

    async def is_teachers(self, box: str) -> bool:
        """Whether an address belongs to a tracked teacher, or names the teacher of a scheduled class."""
        tracked = Query("organizers", (Where("mailbox", "==", box),), limit=1)
        if (await self._database.find(tracked)).documents:
            return True
        named = Query(
            "sessions", (Where("teacher_emails", "contains", box),), order=("session_start", "session_id"), limit=_PAGE
        )
        async for document in in_pages(self._database, named):
            if document.fields["scheduled_start"]:
                return True
        return False

    async def owner_at(self, box: str, moment: datetime | None) -> str | None:
        """The only account with an address at a time; None if that is not certain."""
        having = await self.having(box)
        owners = [
            user
            for user, person in having.items()
            if any(known.counts_at(moment) for known in person.addresses if mailbox(known.email) == box)
        ]
        return owners[0] if len(owners) == 1 else None

    async def _once(self, kind: str, name: str, find: Callable[[str], Awaitable[list[Mention]]]) -> list[Mention]:
        if (kind, name) not in self._found:
            self._found[kind, name] = await find(name)
        return self._found[kind, name]

    async def _by_id(self, student_id: str) -> list[Mention]:
        attendance, corrections, people = await asyncio.gather(
            self._attendance(Where("student_id", "==", student_id)),
            self._corrections(Where("student_id", "==", student_id)),
            self._remembered(Where("student.student_id", "==", student_id)),
        )
        return [*attendance, *corrections, *people]

    async def _by_user(self, user: str) -> list[Mention]:
        attendance, corrections, person = await asyncio.gather(
            self._attendance(Where("user", "==", user)), self._corrections(Where("user", "==", user)), self.person(user)
        )
        remembered = _remembered(person) if person else None
        own = [mention for mention in attendance if mention.user]
        return [*own, *corrections, *([remembered] if remembered else [])]

    async def _by_box(self, box: str) -> list[Mention]:
        attendance = await self._attendance(Where("emails", "contains", box))
        spellings = sorted(
            {box, *(text for mention in attendance for text in mention.spellings if mailbox(text) == box)}
        )
        further = await asyncio.gather(
            *(self._corrections(Where("email", "==", text)) for text in spellings),
            *(self._remembered(Where("student.email", "==", text)) for text in spellings),
        )
        return [*attendance, *(mention for part in further for mention in part)]

    async def _attendance(self, where: Where) -> list[Mention]:
        query = Query("attendance", (where,), order=_ORDER, group=True, limit=_PAGE)
        return [_of_attendance(document) async for document in in_pages(self._database, query)]

    async def _corrections(self, where: Where) -> list[Mention]:
        found = await self._database.find(Query("corrections", (where,), group=True))
        return [_of_correction(document) for document in found.documents]

    async def _remembered(self, where: Where) -> list[Mention]:
        found = await self._database.find(Query("people", (where,)))
        people = (person_from_document(document.fields) for document in found.documents)
        return [mention for person in people if (mention := _remembered(person))]

    async def _scan(self) -> _Entries:
        entries = _Entries()
        for state in _WITHOUT_ATTENDANCE:
            query = Query(
                "sessions", (Where("state", "==", state.value),), order=("session_start", "session_id"), limit=_PAGE
            )
            async for document in in_pages(self._database, query):
                check_schema(document.fields)
                for stored in document.fields["roster"]:
                    entries.add(RosterEntry(**stored), document.fields["session_id"])
        return entries


@dataclass(slots=True)
class _Entries:
    """The entries of all rosters. Most entries are on many rosters, and are stored once.

    Attributes:
        sessions: The class meetings with an entry, by entry.
        by_name: The entries with a name, by name.
    """

    sessions: dict[RosterEntry, list[str]] = field(default_factory=dict)
    by_name: dict[Name, list[RosterEntry]] = field(default_factory=dict)

    def add(self, entry: RosterEntry, session_id: str) -> None:
        """Add an entry of a class meeting's roster."""
        if entry in self.sessions:
            self.sessions[entry].append(session_id)
            return
        self.sessions[entry] = [session_id]
        names = [(NameKind.STUDENT_ID, entry.student_id), (NameKind.USER, entry.user), (NameKind.EMAIL, entry.email)]
        for kind, value in names:
            if value:
                self.by_name.setdefault(Name.of(kind, value), []).append(entry)


def _of_attendance(document: Document) -> Mention:
    fields = document.fields
    check_schema(fields)
    emails = [email for email in fields.get("emails", ()) if email]
    scheduled = fields.get("scheduled_end")
    return Mention(
        Source.ATTENDANCE,
        document.path,
        student_id=fields.get("student_id"),
        # Guests who were assigned for one class meeting have accounts of their own.
        user=None if fields.get("merged") else fields.get("user"),
        boxes=mailboxes(emails),
        spellings=frozenset(emails),
        session_id=fields["session_id"],
        attendee_id=fields["attendee_id"],
        moment=scheduled or fields["session_start"],
        is_student=fields["role"] == Role.STUDENT.value,
        teaches=fields["role"] == Role.TEACHER.value and bool(scheduled),
        others=frozenset(fields.get("is_not", ())),
    )


def _of_entry(entry: RosterEntry, session_id: str) -> Mention:
    return Mention(
        Source.ROSTER,
        session_path(session_id),
        student_id=entry.student_id,
        user=entry.user,
        boxes=mailboxes([entry.email]) if entry.email else frozenset(),
        spellings=frozenset([entry.email] if entry.email else ()),
        session_id=session_id,
        attendee_id=attendee_id(session_id, entry.key),
    )


def _of_correction(document: Document) -> Mention:
    fields: Fields = document.fields
    email = fields.get("email")
    return Mention(
        Source.CORRECTION,
        document.path,
        student_id=fields.get("student_id"),
        user=fields.get("user"),
        boxes=mailboxes([email]) if email else frozenset(),
        spellings=frozenset([email] if email else ()),
        session_id=document.path.split("/")[1],
        attendee_id=fields["attendee_id"],
        is_nameless=fields["kind"] == "assignment" and not fields.get("user"),
    )


def _remembered(person: Person) -> Mention | None:
    if (student := person.student) is None:
        return None
    return Mention(
        Source.REMEMBERED,
        person_path(person.user),
        student_id=student.student_id,
        user=person.user,
        boxes=mailboxes([student.email]) if student.email else frozenset(),
        spellings=frozenset([student.email] if student.email else ()),
    )


def _is_id(user: str) -> bool:
    return bool(user.removeprefix("users/")) and "/" not in user.removeprefix("users/")

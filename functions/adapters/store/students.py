"""All names under which a student's attendance is stored: a student who is requested by one name is found by all.

If a student missed a class meeting, it contains only the address or id from the roster and no account. So a query uses
every present and past address of the account, and every id that class meetings have together with one of these
addresses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from functions.adapters.store.databases.database import Database, Document, Query, Where, in_pages
from functions.adapters.store.documents.common import Fields, check_schema
from functions.adapters.store.documents.people import person_from_document
from functions.domain.classes.sessions import Person
from functions.domain.marking.addresses import KnownAddress, mailbox, mailboxes
from functions.domain.marking.people import attendee_id

SAMPLE = 25
"""In how many of the first and of the late class meetings we look for the other names of a student: an id stays the
same for a school year."""

PAGE = 300
"""How many class meetings are read at once in the search for one that means somebody else."""

LATELY = timedelta(days=60)
"""How much later the late class meetings are."""

_ORDER = ("session_start", "attendee_id")


@dataclass(frozen=True, slots=True)
class StudentKeys:
    """Somebody as attendance names them.

    Attributes:
        ids: Ids of the LMS.
        users: Accounts.
        boxes: Addresses in their compared form; without a known account, the requested ones.
        only: The requested id: a person with another id is somebody else, perhaps a sibling with the same address.
        person: What is known about the account.
        others: Other accounts that have or had one of these addresses.
        read_at: The moment at which all of this was read.
    """

    ids: frozenset[str]
    users: frozenset[str]
    boxes: frozenset[str]
    only: str | None
    person: Person | None
    others: Mapping[str, Person]
    read_at: datetime

    def names(self) -> list[Where]:
        """A condition on attendance for each name; at least one."""
        return [
            *(Where("student_id", "==", student_id) for student_id in sorted(self.ids)),
            *(Where("user", "==", user) for user in sorted(self.users)),
            *(Where("emails", "contains", box) for box in sorted(self.boxes)),
        ]

    def has(self, attendance: Fields) -> bool:
        """Whether attendance that matches a condition is this student's, not another one's with the same address."""
        student_id, user = attendance.get("student_id"), attendance.get("user")
        if self.only and student_id:
            return bool(student_id == self.only)
        if student_id in self.ids or user in self.users:
            return True
        shared = mailboxes(attendance.get("emails", ())) & self.boxes
        if user in self.others or not shared:
            return False
        if any(_is_not(user, attendance) for user in self.users):
            return False  # the class means the new owner of the address
        return any(self._is_of(box, attendance) for box in shared)

    def _is_of(self, box: str, attendance: Fields) -> bool:
        """Whether an address was the student's in a class meeting that names no account."""
        having = {user: known for user, other in self.others.items() if (known := _having(box, other))}
        if not having:
            return True
        moment = _moment_of(attendance)
        if self.person is None:
            return not any(
                known.counts_at(moment)
                for user, addresses in having.items()
                if not _is_not(user, attendance)
                for known in addresses
            )
        return any(known.counts_at(moment) for known in _having(box, self.person))


async def find_student(name: str, database: Database, *, at: datetime | None) -> StudentKeys:
    """The student with a name: an id of the LMS, a Google user id (`123` or `users/123`) or an address.

    Args:
        name: Which.
        database: Where the documents are stored.
        at: The moment to read at; now if None.
    """
    if "@" in name:
        return await _find_by_email(name, database, at=at)
    user = name if name.startswith("users/") else f"users/{name}"
    by_id, account = await asyncio.gather(
        _sample([Where("student_id", "==", name)], database, at=at),
        database.get(f"people/{user.removeprefix('users/')}", at=at) if _is_id(user) else _nobody(),
    )
    documents, read_at = by_id
    if documents:
        # The accounts and addresses that class meetings have together with the id, and their owners.
        boxes = mailboxes(email for fields in documents for email in fields.get("emails", ()))
        own = {fields["user"] for fields in documents if fields.get("user") and not fields.get("merged")}
        people = await _known_by(boxes, database, at=read_at)
        own |= {one.user for one in people.values() for fields in documents if _is_named(one, fields)}
        person = next((one for account_, one in sorted(people.items()) if account_ in own), None)
        users = frozenset({user} if _is_id(user) else ()) | (own & people.keys())
        return await _complete(StudentKeys(frozenset({name}), users, boxes, name, person, people, read_at), database)
    person = _person(account) if account else None
    boxes = mailboxes(known.email for known in person.addresses) if person else frozenset()
    people = await _known_by(boxes, database, at=read_at)
    found = StudentKeys(frozenset({name}), frozenset({user}), boxes, None, person, people, read_at)
    return await _complete(found, database)


async def _find_by_email(email: str, database: Database, *, at: datetime | None) -> StudentKeys:
    box = mailbox(email)
    found = await database.find(Query("people", where=(Where("emails", "contains", box),), at=at))
    people = {document.fields["user"]: _person(document) for document in found.documents}
    person = max(people.values(), key=lambda one: _latest(box, one), default=None)
    if person and await _was_given_on(box, person, database, at=found.read_at):
        person = None  # its present owner was never looked up
    users = frozenset({person.user}) if person else frozenset()
    boxes = mailboxes(known.email for known in person.addresses) if person else frozenset({box})
    if boxes != {box}:
        people |= await _known_by(boxes - {box}, database, at=found.read_at)
    known = StudentKeys(frozenset({email}), users, boxes, None, person, people, found.read_at)
    return await _complete(known, database)


async def _was_given_on(box: str, person: Person, database: Database, *, at: datetime) -> bool:
    """Whether some class meeting uses an address for somebody else after the last known account lost it.

    It searches class meetings after the time at which the account last had the address, and then earlier ones, because
    classes may be entered afterwards.
    """
    having = _having(box, person)
    if any(known.current for known in having):
        return False
    lost_at = max(known.until for known in having if known.until)
    for part in (Where("session_start", ">=", lost_at), Where("session_start", "<", lost_at)):
        query = Query(
            "attendance", (Where("emails", "contains", box), part), order=_ORDER, limit=PAGE, group=True, at=at
        )
        async for document in in_pages(database, query):
            if _is_not(person.user, document.fields):
                return True
    return False


async def _complete(found: StudentKeys, database: Database) -> StudentKeys:
    """The student with all ids that class meetings have together with the account or one of the addresses.

    Args:
        found: What is known so far; `others` may still contain the student's own accounts.
        database: Where the documents are stored.
    """
    student = replace(found, others={user: one for user, one in found.others.items() if user not in found.users})
    if student.only:
        addresses = student.person.addresses if student.person else ()
        return replace(student, boxes=student.boxes | mailboxes(known.email for known in addresses))
    named = [where for where in student.names() if where.field != "student_id"]
    documents, _ = await _sample(named, database, at=student.read_at)
    further = {fields["student_id"] for fields in documents if fields.get("student_id") and student.has(fields)}
    return replace(student, ids=student.ids | further)


async def _sample(names: Sequence[Where], database: Database, *, at: datetime | None) -> tuple[list[Fields], datetime]:
    """The first and some late class meetings that name somebody, and the moment at which they were read."""
    queries = [Query("attendance", (where,), order=_ORDER, limit=SAMPLE, group=True, at=at) for where in names]
    first = await asyncio.gather(*map(database.find, queries))
    read_at = first[0].read_at
    lately = Where("session_start", ">=", read_at - LATELY)
    late = await asyncio.gather(
        *(database.find(replace(query, where=(*query.where, lately), at=read_at)) for query in queries)
    )
    documents = {document.path: document.fields for part in (*first, *late) for document in part.documents}
    for fields in documents.values():
        check_schema(fields)
    return list(documents.values()), read_at


async def _known_by(boxes: Iterable[str], database: Database, *, at: datetime) -> dict[str, Person]:
    """The accounts that have or had some addresses."""
    queries = [Query("people", where=(Where("emails", "contains", box),), at=at) for box in sorted(boxes)]
    found = await asyncio.gather(*map(database.find, queries))
    return {document.fields["user"]: _person(document) for part in found for document in part.documents}


def _person(document: Document) -> Person:
    return person_from_document(document.fields)


def _is_named(person: Person, attendance: Fields) -> bool:
    """Whether attendance without an account means this account, by an address that it had at that time."""
    if attendance.get("user") or _is_not(person.user, attendance):
        return False
    moment = _moment_of(attendance)
    boxes = mailboxes(attendance.get("emails", ()))
    return any(known.counts_at(moment) for known in person.addresses if mailbox(known.email) in boxes)


def _is_not(user: str, attendance: Fields) -> bool:
    """Whether a class meeting uses a student's address for somebody else than an account that had it."""
    is_not = attendance.get("is_not", ())
    return bool(is_not) and attendee_id(attendance["session_id"], user) in is_not


def _moment_of(attendance: Fields) -> datetime:
    """The time that decides who owns an address in a class meeting."""
    moment: datetime = attendance.get("scheduled_end") or attendance["session_start"]
    return moment


def _having(box: str, person: Person) -> list[KnownAddress]:
    return [known for known in person.addresses if mailbox(known.email) == box]


def _latest(box: str, person: Person) -> tuple[bool, datetime, str]:
    """The last time at which an account was known by an address; for the present owner, the latest possible time."""
    known = max(_having(box, person), key=lambda one: (one.current, one.until or one.since))
    return (known.current, known.until or known.since, person.user)


def _is_id(user: str) -> bool:
    return "/" not in user.removeprefix("users/")


async def _nobody() -> None:
    return None

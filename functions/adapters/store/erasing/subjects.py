"""Who is to be erased: every name that a person alone has, and every class meeting that names the person."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from functions.adapters.store.databases.database import Database, Document, Query, Where
from functions.adapters.store.documents.common import Fields, check_schema
from functions.adapters.store.documents.people import person_from_document
from functions.adapters.store.paths import organizer_path, person_path
from functions.adapters.store.students import StudentKeys, find_student
from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.sessions import Person, Role, SessionState
from functions.domain.erasure import Name, NameKind
from functions.domain.marking.addresses import current_of, mailbox, mailboxes
from functions.domain.marking.attendance import attendee_id
from functions.ports.erasures import Subject

ROUNDS = 5
"""How often further names lead to further names: an id, to an address, to an account, to its addresses."""

_PAGE = 300
_ORDER = ("session_start", "session_id")
_WITHOUT_ATTENDANCE = (SessionState.SCHEDULED, SessionState.CANCELLED)
"""Class meetings that have a roster, and attendance of nobody on it."""


@dataclass(slots=True)
class _Known:
    """What is known of the person so far.

    Attributes:
        ids: Ids of the LMS.
        users: Accounts.
        boxes: Addresses in their compared form.
        spellings: Addresses as documents have them.
        shared: Addresses that somebody else has too, so they do not tell whom they mean.
        attendance: The person's attendance, by path.
        rosters: Class meetings without attendance, each with the id that the person would have in it.
        exists: Whether any document is about the person.
        teaches: Whether the person teaches.
    """

    ids: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    boxes: set[str] = field(default_factory=set)
    spellings: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    attendance: dict[str, Fields] = field(default_factory=dict)
    rosters: dict[str, str] = field(default_factory=dict)
    exists: bool = False
    teaches: bool = False

    def names(self) -> frozenset[Name]:
        """The names that the person alone has."""
        return frozenset(
            {
                *(Name(NameKind.STUDENT_ID, student_id) for student_id in self.ids),
                *(Name(NameKind.USER, user) for user in self.users),
                *(Name.of(NameKind.EMAIL, box) for box in self.boxes - self.shared),
            }
        )

    def add_emails(self, emails: Iterable[str]) -> None:
        """Know further addresses."""
        given = {email for email in emails if email}
        self.boxes |= mailboxes(given)
        self.spellings |= given | mailboxes(given)

    def may_be(self, entry: RosterEntry) -> bool:
        """Whether a roster means the person. An entry with another id is somebody else with the same address."""
        box = mailbox(entry.email) if entry.email else None
        if entry.student_id and self.ids:
            if entry.student_id not in self.ids and box in self.boxes:
                self.shared.add(box)
            return entry.student_id in self.ids
        return entry.user in self.users or (box is not None and box in self.boxes - self.shared)


async def find_subject(name: str, database: Database) -> Subject | None:
    """The person with a `student_id`, an account or an address; None if no document names the person."""
    known = _Known()
    student = await find_student(name, database, at=None)
    if "@" in name:
        known.add_emails([name])
    await _add_student(student, known, database, asked=name)
    if not known.ids and not known.exists and "@" not in name:
        known.ids.add(name)  # an id that so far only a roster may name
    for _ in range(ROUNDS):
        before = known.names()
        await _find_shared(known, database)
        await _add_remembered(known, database)
        await _add_accounts(known, database)
        await _add_people(known, database)
        await _add_rosters(known, database)
        if known.names() == before:
            break
        await _add_attendance(known, database)
    if not known.exists:
        return None
    await _find_given_on(known, database)
    known.teaches = known.teaches or await _teaches(known, database)
    sessions = {fields["session_id"] for fields in known.attendance.values()}
    return Subject(
        names=known.names(),
        sessions=tuple(sorted({*sessions, *known.rosters})),
        attendees=frozenset({*(f["attendee_id"] for f in known.attendance.values()), *known.rosters.values()}),
        attendance=len(known.attendance),
        teaches=known.teaches,
    )


async def _add_student(student: StudentKeys, known: _Known, database: Database, *, asked: str) -> None:
    """Add what attendance tells of somebody who is asked for by one name."""
    known.boxes |= student.boxes
    known.spellings |= student.boxes
    if student.person:
        known.exists = True
        known.users.add(student.person.user)
        known.add_emails(address.email for address in student.person.addresses)
    for document in await _all(student.names(), database):
        if student.has(document.fields):
            _add_document(document, known, asked=asked)


async def _add_attendance(known: _Known, database: Database) -> None:
    """Add attendance under names that were found since."""
    names = [
        *(Where("student_id", "==", student_id) for student_id in sorted(known.ids)),
        *(Where("user", "==", user) for user in sorted(known.users)),
        *(Where("emails", "contains", box) for box in sorted(known.boxes - known.shared)),
    ]
    for document in await _all(names, database):
        fields = document.fields
        if fields.get("student_id") and known.ids and fields["student_id"] not in known.ids:
            known.shared |= mailboxes(fields["emails"]) & known.boxes
        elif document.path not in known.attendance and not await _is_of_another(fields, known, database):
            _add_document(document, known)


async def _is_of_another(fields: Fields, known: _Known, database: Database) -> bool:
    """Whether attendance of another account only shares an address with the person."""
    user = fields.get("user")
    if not user or user in known.users or fields.get("student_id") in known.ids or fields.get("merged"):
        return False
    return await database.get(person_path(user)) is not None


def _add_document(document: Document, known: _Known, *, asked: str | None = None) -> None:
    fields = document.fields
    check_schema(fields)
    known.exists = True
    known.attendance[document.path] = fields
    known.teaches = known.teaches or fields["role"] == Role.TEACHER.value
    if fields.get("student_id"):
        known.ids.add(fields["student_id"])
    # Guests who were assigned for one class meeting have accounts of their own.
    if fields.get("user") and (not fields.get("merged") or fields["user"] == asked):
        known.users.add(fields["user"])
    known.add_emails(fields.get("emails", ()))


async def _add_remembered(known: _Known, database: Database) -> None:
    """Add the accounts that people said are this student, for good."""
    by_student = [
        *(Where("student.student_id", "==", student_id) for student_id in sorted(known.ids)),
        *(
            Where("student.email", "==", email)
            for email in sorted(known.spellings)
            if mailbox(email) not in known.shared
        ),
    ]
    people = await asyncio.gather(*(database.find(Query("people", where=(where,))) for where in by_student))
    for found in people:
        for document in found.documents:
            student = document.fields["student"]
            if not (student["student_id"] and known.ids and student["student_id"] not in known.ids):
                known.users.add(document.fields["user"])
    for document in await corrections_about(known.ids, known.spellings, known.users, database):
        fields = document.fields
        if fields.get("student_id") and known.ids and fields["student_id"] not in known.ids:
            continue
        known.exists = True
        if fields.get("student_id"):
            known.ids.add(fields["student_id"])
        known.add_emails([fields.get("email") or ""])
        if fields.get("remembered") and fields.get("user"):
            known.users.add(fields["user"])


async def corrections_about(
    ids: Iterable[str], emails: Iterable[str], users: Iterable[str], database: Database
) -> list[Document]:
    """What people decided about somebody, in every class meeting, by each name."""
    wheres = [
        *(Where("student_id", "==", student_id) for student_id in sorted(ids)),
        *(Where("email", "==", email) for email in sorted(emails)),
        *(Where("user", "==", user) for user in sorted(users)),
    ]
    found = await asyncio.gather(*(database.find(Query("corrections", where=(w,), group=True)) for w in wheres))
    return list({document.path: document for part in found for document in part.documents}.values())


async def _add_accounts(known: _Known, database: Database) -> None:
    """Add the accounts of addresses: the one that had it at the time of a class meeting, or has it by now."""
    for box in sorted(known.boxes - known.shared):
        found = await database.find(Query("people", where=(Where("emails", "contains", box),)))
        people = [person_from_document(document.fields) for document in found.documents]
        if len(people) == 1:
            known.users.add(people[0].user)
            continue
        moments = [
            fields.get("scheduled_end") or fields["session_start"]
            for fields in known.attendance.values()
            if box in mailboxes(fields.get("emails", ()))
        ]
        known.users |= {p.user for p in people if any(_had(box, p, moment) for moment in moments or [None])}


async def _add_people(known: _Known, database: Database) -> None:
    """Add the addresses of accounts, past and present."""
    documents = await database.get_many([person_path(user) for user in sorted(known.users)]) if known.users else {}
    for document in documents.values():
        known.exists = True
        person = person_from_document(document.fields)
        known.add_emails(address.email for address in person.addresses)


async def _add_rosters(known: _Known, database: Database) -> None:
    """Add the class meetings that name the person on the roster, and have attendance of nobody yet."""
    for state in _WITHOUT_ATTENDANCE:
        query = Query("sessions", (Where("state", "==", state.value),), order=_ORDER, limit=_PAGE)
        while True:
            found = await database.find(query)
            for document in found.documents:
                _add_roster(document, known)
            if found.next_after is None:
                break
            query = dataclasses.replace(query, after=found.next_after)


def _add_roster(document: Document, known: _Known) -> None:
    check_schema(document.fields)
    for stored in document.fields["roster"]:
        entry = RosterEntry(**stored)
        if not known.may_be(entry):
            continue
        known.exists = True
        session_id = document.fields["session_id"]
        known.rosters[session_id] = attendee_id(session_id, entry.key)
        known.ids |= {entry.student_id} if entry.student_id else set()
        known.users |= {entry.user} if entry.user else set()
        known.add_emails([entry.email or ""])


async def _find_shared(known: _Known, database: Database) -> None:
    """Find out which addresses students with other ids have too."""
    for document in await _all([Where("emails", "contains", box) for box in sorted(known.boxes)], database):
        other_id = document.fields.get("student_id")
        if known.ids and other_id and other_id not in known.ids:
            known.shared |= mailboxes(document.fields["emails"]) & known.boxes


async def _find_given_on(known: _Known, database: Database) -> None:
    """Find out which addresses another account has by now."""
    for box in sorted(known.boxes):
        having = await database.find(Query("people", where=(Where("emails", "contains", box),)))
        others = [p for d in having.documents if (p := person_from_document(d.fields)).user not in known.users]
        if any(box in mailboxes(current_of(person)) for person in others):
            known.shared.add(box)


def _had(box: str, person: Person, moment: datetime | None) -> bool:
    return any(known.counts_at(moment) for known in person.addresses if mailbox(known.email) == box)


async def _teaches(known: _Known, database: Database) -> bool:
    """Whether the person is tracked as a teacher, or teaches a class meeting."""
    if known.users and await database.get_many([organizer_path(user) for user in sorted(known.users)]):
        return True
    own = sorted(known.boxes - known.shared)
    named = [
        *(Query("sessions", (Where("teacher_emails", "contains", box),), order=_ORDER, limit=1) for box in own),
        *(Query("organizers", (Where("mailbox", "==", box),), limit=1) for box in own),
    ]
    return any(found.documents for found in await asyncio.gather(*map(database.find, named)))


async def _all(wheres: Sequence[Where], database: Database) -> list[Document]:
    """All attendance that fits one of some conditions."""
    found = await asyncio.gather(
        *(
            database.find(Query("attendance", (where,), order=("session_start", "attendee_id"), group=True))
            for where in wheres
        )
    )
    return list({document.path: document for part in found for document in part.documents}.values())

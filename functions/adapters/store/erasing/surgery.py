"""Removes erased people from documents in place, with few small writes for documents of any size. Pure.

Documents in parts stay divided as they are. The first document gets the hash of the changed parts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from functions.adapters.store.databases.database import COMMIT_TIME, Document, Write
from functions.adapters.store.documents.attendance import correction_from_document, correction_to_document
from functions.adapters.store.documents.common import Fields, check_schema
from functions.adapters.store.documents.conference import participant_from_document
from functions.adapters.store.documents.live import live_from_document
from functions.adapters.store.documents.session import session_from_document, session_to_document
from functions.adapters.store.parts import digest
from functions.domain.classes.sessions import AttendanceSheet, Role
from functions.domain.conferences.model import Kind, Organizer, Participant, User
from functions.domain.erasure import Erased
from functions.domain.live.room import Absentee, Occupant


def in_order(parts: Collection[Document]) -> list[Document]:
    """The parts of a document, in the order of their numbers."""
    return sorted(parts, key=lambda part: int(part.path.rpartition("/")[2]))


# --- Conferences ---


def names_erased(conference: Document, parts: Sequence[Document], erased: Erased) -> bool:
    """Whether a conference names somebody who is erased."""
    check_schema(conference.fields)
    organizer = Organizer(**conference.fields["organizer"])
    return bool(erased.organizer(organizer)) or any(
        erased.participant(participant_from_document(fields))
        for document in (conference, *parts)
        for fields in document.fields["participants"]
    )


def conference_without(conference: Document, parts: Sequence[Document], erased: Erased) -> list[Write]:
    """The writes that remove erased people from a conference."""
    fields: Fields = {**conference.fields}
    found = dict.fromkeys(fields.get("erased", ()))
    interruption = dict(fields["interruption"]) if fields.get("interruption") else None
    whole, place, gone, gone_sessions, gone_interrupted = fields["participant_count"], 0, 0, 0, 0
    lists, changed = [], []
    for document in (conference, *parts):
        kept = []
        for stored in document.fields["participants"]:
            token = erased.participant(participant_from_document(stored))
            if token is None:
                kept.append(stored)
            else:
                found[token] = None
                gone += place < whole
                gone_sessions += len(stored["sessions"]) if place < whole else 0
                gone_interrupted += place >= whole
            place += 1
        lists.append(kept)
        if len(kept) < len(document.fields["participants"]) and document is not conference:
            changed.append(Write(document.path, {**document.fields, "participants": kept}, expecting=document))
    if interruption:
        interruption["participant_count"] -= gone_interrupted
    if erased.organizer(Organizer(**fields["organizer"])):
        fields["organizer"] = {"user": None, "email": None}
    fields |= {
        "participants": lists[0],
        "participant_count": whole - gone,
        "participant_session_count": fields["participant_session_count"] - gone_sessions,
        "interruption": interruption,
        "snapshot_digest": digest(lists[1:]),
        **({"erased": sorted(found)} if found else {}),
    }
    return [Write(conference.path, fields, expecting=conference), *changed] if fields != conference.fields else []


# --- Registers ---


def register_without(register: Document, parts: Sequence[Document], erased: Erased) -> list[Write]:
    """The writes that remove the rows of erased people from a register."""
    check_schema(register.fields)
    lists, changed = [], []
    for document in (register, *parts):
        students = document.fields["students"]
        kept = {key: row for key, row in students.items() if not _is_theirs(row, erased)}
        lists.append(kept)
        if len(kept) < len(students) and document is not register:
            changed.append(Write(document.path, {**document.fields, "students": kept}, expecting=document))
    fields = {**register.fields, "students": lists[0], "parts_digest": digest(lists[1:])}
    if not changed and len(lists[0]) == len(register.fields["students"]):
        return []
    return [Write(register.path, fields, expecting=register), *changed]


def _is_theirs(row: Mapping[str, Any], erased: Erased) -> bool:
    """Whether a row of a register belongs to an erased person. A row with another id or account does not."""
    sayings = [row, *row.get("otherwise", {}).values()]
    ids = {saying["student_id"] for saying in sayings if saying.get("student_id")}
    users = {saying["user"] for saying in sayings if saying.get("user")}
    emails = {e for s in sayings for e in (s.get("email"), *(s.get("emails") or ())) if e}
    return any(
        erased.somebody(student_id=student_id, user=user, emails=() if user else sorted(emails))
        for student_id in ids or {None}
        for user in users or {None}
    )


# --- Class meetings ---


def session_without(
    session: Document,
    people: Sequence[Document],
    corrections: Sequence[Document],
    copy: Sequence[Document],
    erased: Erased,
) -> list[Write]:
    """The writes that remove erased people from a class meeting that is too large for one commit.

    The attendance of others does not change, and no mark is computed again. The copy of the attendance is deleted.
    """
    before = session_from_document(session.fields)
    after = erased.session(before)
    gone = [document for document in people if _is_their_attendance(document, erased)]
    writes = [Write(document.path, None) for document in gone]
    for document in corrections:
        correction = correction_from_document(document.fields)
        kept = erased.correction(correction)
        if kept is None:
            writes.append(Write(document.path, None))
        elif kept is not correction:
            fields = {**correction_to_document(kept, after, retention=None), "expire_at": document.fields["expire_at"]}
            writes.append(Write(document.path, fields))
    if after is before and not writes:
        return []
    counts = dict(session.fields["counts"])
    for document in gone:
        counted = document.fields["mark"] if document.fields["role"] == Role.STUDENT.value else None
        if document.fields["role"] == Role.GUEST.value and document.fields["kind"] != Kind.ROOM.value:
            counted = "guests"
        if counted:
            counts[counted] = max(0, counts[counted] - 1)
    counts["erased"] = max(counts.get("erased", 0), len(after.plan.erased))
    fields = {
        **session.fields,
        **session_to_document(AttendanceSheet(after), retention=None),
        "expire_at": session.fields["expire_at"],
        "counts": counts,
        "sheet_parts": 0 if not people or len(gone) == len(people) else None,
        "updated_at": COMMIT_TIME,
    }
    return [
        Write(session.path, fields, expecting=session),
        *writes,
        *(Write(document.path, None) for document in copy),
    ]


def _is_their_attendance(document: Document, erased: Erased) -> bool:
    fields = document.fields
    # If guests were assigned to the student, the account may belong to a guest.
    user = None if fields.get("merged") else fields.get("user")
    emails = () if user or fields.get("is_not") else fields.get("emails", ())
    return fields["attendee_id"] in erased.attendees or bool(
        erased.somebody(student_id=fields.get("student_id"), user=user, emails=emails)
    )


def shows_erased(live: Document, erased: Erased) -> bool:
    """Whether a document about who is in a room names somebody who is erased."""
    state, room = live_from_document(live.fields)
    people: list[Occupant | Absentee] = [*room.participants, *room.missing]
    return any(
        person.attendee_id in erased.attendees or erased.somebody(student_id=person.student_id, emails=[person.email])
        for person in people
    ) or any(
        erased.organizer(call.organizer)
        or any(erased.participant(_unnamed(name, user)) for name, user in call.users.items())
        for call in state.calls.values()
    )


def _unnamed(name: str, user: User) -> Participant:
    return Participant(name, user, None, None, ())

"""`registers/{class key}_{YYYY-MM}`: every student's mark of every class meeting of a class in a local month.

Sheets -> documents, pure. A register depends only on the class meetings in it, not on the order in which they were
written. A student's name in it is that of the latest class meeting. `register_rows` combines what class meetings say
about one student.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from functions.adapters.store.changes.register_rows import Row, Saying, rows_of
from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, expiry
from functions.domain.classes.roster import Mark
from functions.domain.classes.sessions import Attendance, AttendanceSheet, Role, SessionState
from functions.domain.marking.addresses import mailboxes
from functions.domain.marking.shares import ATTENDED, MISSED, MonthOfStudent, share_of

_MARKS, _ATTENDED, _MISSED = ([mark.value for mark in marks] for marks in (Mark, ATTENDED, MISSED))
_NAMES = ("display_name", "email", "student_id", "user", "emails")


def register_id(class_id: str, month: str) -> str:
    """The id of a class's register for a local month, `YYYY-MM`."""
    return f"{hashlib.sha256(class_id.encode()).hexdigest()[:20]}_{month}"


def register_keys(sheet: AttendanceSheet) -> frozenset[str]:
    """The registers that contain a class meeting: one for each class with students in it, for its local month."""
    session = sheet.session
    if session.state is SessionState.CANCELLED or not sheet.attendance:
        return frozenset()
    classes = {_class_of(person, sheet) for person in sheet.attendance if person.role is Role.STUDENT}
    month = f"{session.local_date:%Y-%m}"
    return frozenset(register_id(class_id, month) for class_id in {*classes, session.plan.class_id} if class_id)


def register_with(
    before: Mapping[str, Any] | None, key: str, sheet: AttendanceSheet, *, retention: timedelta | None
) -> Fields | None:
    """A register after a class meeting's marks are put into it; None if nothing is left in it.

    It is rewritten completely: everything that it said about this class meeting is replaced.

    Args:
        before: The register as it was.
        key: Its id; the class meeting leaves the register if this is not one of its own registers.
        sheet: The class meeting with everybody's attendance.
        retention: How long personal data is kept.
    """
    session = sheet.session
    sessions = {one["session_id"]: one for one in (before or {}).get("sessions", ())}
    sessions.pop(session.session_id, None)
    sayings = [
        Saying(session_id, saying)
        for student in (before or {}).get("students", {}).values()
        for session_id, saying in _said(student).items()
        if session_id != session.session_id
    ]
    class_id = (before or {}).get("class_id")
    if key in register_keys(sheet):
        sessions[session.session_id] = {
            "session_id": session.session_id,
            "session_start": session.start,
            "time_zone": session.time_zone,
            "subject": session.plan.subject,
            "state": session.state.value,
        }
        theirs = [
            person for person in sheet.attendance if person.role is Role.STUDENT and _stands_in(key, person, sheet)
        ]
        sayings += [Saying(session.session_id, _saying(person)) for person in theirs]
        class_id = class_id or next((_class_of(person, sheet) for person in theirs), session.plan.class_id)
    if not sessions:
        return None
    in_order = sorted(sessions.values(), key=lambda one: (one["session_start"], one["session_id"]))
    order = [one["session_id"] for one in in_order]
    rows = rows_of(sayings, order)
    return {
        "schema_version": SCHEMA_VERSION,
        "expire_at": expiry(in_order[-1]["session_start"], retention),
        "class_id": class_id,
        "month": key.rpartition("_")[2],
        "sessions": in_order,
        "students": {name: _student(row, order) for name, row in _by_key(rows, class_id)},
    }


def _class_of(person: Attendance, sheet: AttendanceSheet) -> str | None:
    """A student's own section, otherwise the class."""
    return (person.entry and person.entry.class_id) or sheet.session.plan.class_id


def _stands_in(key: str, person: Attendance, sheet: AttendanceSheet) -> bool:
    class_id = _class_of(person, sheet)
    return class_id is not None and register_id(class_id, key.rpartition("_")[2]) == key


def _by_key(rows: Iterable[Row], class_id: str | None) -> list[tuple[str, Row]]:
    """The rows by their pseudonyms in the register; a pseudonym is made from the names in the latest class meeting."""
    found: dict[str, Row] = {}
    for row in rows:
        ids, emails = ([one[name] for one in row.values() if one[name]] for name in ("student_id", "email"))
        named = [*emails[-1:], *ids[-1:]][-1:] or [""]
        key = _pseudonym(f"{class_id}/{named[0]}")
        found[key if key not in found else _pseudonym(f"{class_id}/{named[0]}/{min(row)}")] = row
    return sorted(found.items())


def _pseudonym(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _saying(person: Attendance) -> Fields:
    """What one class meeting says about a student."""
    return {
        "display_name": person.display_name,
        "email": person.email,
        "student_id": person.entry.student_id if person.entry else None,
        "user": person.account,
        "emails": sorted(mailboxes(person.emails)),
        "mark": person.mark.value if person.mark else None,
    }


def _said(student: Mapping[str, Any]) -> dict[str, Fields]:
    """What each class meeting said about a student, by class meeting."""
    names = {name: student.get(name) for name in _NAMES}
    return {
        session_id: {**names, **student["otherwise"].get(session_id, {}), "mark": mark}
        for session_id, mark in student["marks"].items()
    }


def _student(said: Mapping[str, Mapping[str, Any]], order: Iterable[str]) -> Fields:
    """A student of a register, named as in the latest class meeting, or in the latest one that has a name."""
    in_order = {session_id: said[session_id] for session_id in order if session_id in said}
    sayings = list(in_order.values())
    latest = next((saying for saying in reversed(sayings) if saying["display_name"]), sayings[-1])
    names = {name: latest[name] for name in _NAMES}
    for name in ("student_id", "user"):
        names[name] = names[name] or next((saying[name] for saying in reversed(sayings) if saying[name]), None)
    marks = {session_id: saying["mark"] for session_id, saying in in_order.items()}
    return {
        **names,
        "marks": marks,
        "otherwise": {
            session_id: differing
            for session_id, saying in in_order.items()
            if (differing := {name: saying[name] for name in _NAMES if saying[name] != names[name]})
        },
        **_totals(marks.values()),
    }


def _totals(marks: Iterable[str | None]) -> Fields:
    given = Counter(marks)
    counts = {mark: given[mark] for mark in _MARKS}
    attended, missed = (sum(counts[mark] for mark in kind) for kind in (_ATTENDED, _MISSED))
    return {"counts": counts, "share": share_of(attended, missed)}


def student_from_document(fields: Mapping[str, Any]) -> MonthOfStudent:
    """A student's row of a register."""
    sayings = [fields, *fields["otherwise"].values()]
    emails = {email for saying in sayings for email in (saying.get("email"), *(saying.get("emails") or ())) if email}
    ids, users = ({saying[name] for saying in sayings if saying.get(name)} for name in ("student_id", "user"))
    return MonthOfStudent(
        student_id=fields["student_id"],
        email=fields["email"],
        display_name=fields["display_name"],
        student_ids=frozenset(ids),
        users=frozenset(users),
        emails=mailboxes(emails),
        marks={session_id: Mark(mark) if mark else None for session_id, mark in fields["marks"].items()},
        share=fields["share"],
    )

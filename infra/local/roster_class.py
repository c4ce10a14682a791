"""A scheduled class that students on its roster attend: some come late, some leave early, and guests come too."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from infra.local.classes import believable_class
from infra.local.school import RETENTION, Account, Conference, School, Space

LEAST_WITH_ABSENT = 4
"""If the roster has at least this many students, the last one stays away."""

_PLACES_OF_OTHERS = 8
"""The teacher, an anonymous guest, a phone and a room device are among this many first people of a class."""


class CannotHold(ValueError):
    """The class cannot be held now; the text says why, and what to do."""


class EverybodysSchool(School):
    """A school in which every address has an account; the account is created when it is first requested."""

    def user(self, caller: str) -> str | None:
        """Return the "users/ID" of a caller, who is given as "users/ID" or as an e-mail address."""
        known = super().user(caller)
        if known is None and "@" in caller:
            self.enrol(_account(caller, caller.partition("@")[0]))
            known = super().user(caller)
        return known


def hold_class(session: Mapping[str, Any], *, school: School, seed: int, now: datetime) -> Conference:
    """Hold a class in its room and at its own time.

    Args:
        session: The class meeting's document.
        school: The school of the class, which gets the call.
        seed: Each seed gives a different class.
        now: The current time.

    Raises:
        CannotHold: The class is in the future, or so long ago that Meet no longer has its records.
    """
    start, end = session["scheduled_start"], session["scheduled_end"]
    if start is None:
        raise CannotHold("This class meeting was not scheduled: it is a call that already took place.")
    if session["state"] == "cancelled":
        raise CannotHold("This class is cancelled. To schedule it again, post it again with its external_id.")
    if start > now:
        raise CannotHold(
            f"This class begins at {start.isoformat()}, and the clock of the local stack is this machine's. Schedule a "
            f"class that is over already, or move this one: PATCH /api/schedule/class/{session['session_id']} with a "
            "start_time in the past."
        )
    if end + RETENTION <= now:
        raise CannotHold(
            f"This class ended at {end.isoformat()}, and Meet deletes its records after 30 days. Schedule a class of "
            "the last 30 days."
        )
    organizer = school.user(session["teacher_email"]) or ""
    if school.space(session["space"]) is None:  # it is from an earlier start of the stack
        school.open(Space(session["space"], session["meeting_code"], organizer))
    students = list(_students(session["roster"], school))
    there = students[:-1] if len(students) >= LEAST_WITH_ABSENT else students
    held = believable_class(
        seed,
        people=_PLACES_OF_OTHERS + len(there) * 5 // 4,
        start=start,
        length=end - start,
        settled=False,
        organizer=organizer,
        space=session["space"],
        meeting_code=session["meeting_code"],
        pupils=there,
        away=0,
    )
    school.hold(held)
    return held


def _students(roster: Sequence[Mapping[str, Any]], school: School) -> Iterator[Account]:
    for student in roster:
        email = student.get("email")
        known = school.account(student.get("user") or school.user(email or "") or "")
        name = student.get("display_name") or (known.display_name if known else "") or email or "A student"
        # A person without an address is a guest who is unknown to the school.
        own = known or _account(email or f"{student['student_id']}@elsewhere.example", name)
        account = replace(own, user=student.get("user") or own.user, display_name=name)
        school.enrol(account)
        yield account


def _account(email: str, name: str) -> Account:
    """Return an invented account, always the same for an address."""
    number = int.from_bytes(hashlib.sha256(email.lower().encode()).digest()[:8])
    return Account(f"users/2{number:020}", email.lower(), display_name=name)

"""What an LMS requests when it schedules a class, and whether two requests are the same."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from functions.domain.classes.policy import Policy
from functions.domain.classes.roster import RosterEntry

_AFTER_CODE = re.compile("[/?#]")


@dataclass(frozen=True, slots=True)
class NewClass:
    """A class to be scheduled; addresses are lower case.

    Attributes:
        start_time: The start with its original offset: for a series the offset may say which local time to keep.
        meeting_code: An existing Meet link to use; None: a room is made.
        policy: The changes to the school's policy.
        time_zone: The time zone of its clock times; None for the school's.
        recurrence: An RRULE, for a series that begins with this class.
        calendar: Whether it is put into Calendar, and the students invited.
    """

    teacher_email: str
    students: tuple[RosterEntry, ...]
    subject: str
    start_time: datetime
    duration: timedelta
    co_teacher_emails: tuple[str, ...] = ()
    class_id: str | None = None
    external_id: str | None = None
    meeting_code: str | None = None
    policy: Mapping[str, object] | None = None
    time_zone: str | None = None
    recurrence: str | None = None
    calendar: bool = False


def fingerprint_of(new: NewClass, *, policy: Policy, time_zone: str) -> str:
    """The fingerprint of a request, in two parts: as it was sent, and with the school's defaults for missing fields.

    The first stays the same if the school changes its defaults, the second if defaults are written or left out.

    Args:
        new: The request.
        policy: The school's.
        time_zone: The school's.
    """
    whole = {**dataclasses.asdict(policy), **(new.policy or {})}
    meant = dataclasses.replace(new, policy=whole, time_zone=new.time_zone or time_zone)
    return f"{_digest(new)}.{_digest(meant)}"


def is_same_request(fingerprint: str, other: str | None) -> bool:
    """Whether two fingerprints are of the same request; None is not of any request."""
    return other is not None and not set(fingerprint.split(".")).isdisjoint(other.split("."))


def _digest(new: NewClass) -> str:
    """The same for any order of students and co-teachers."""
    said = {
        "teacher": new.teacher_email,
        "co_teachers": sorted({*new.co_teacher_emails} - {new.teacher_email}),
        "students": sorted([value or "" for value in dataclasses.astuple(entry)] for entry in new.students),
        "subject": new.subject,
        "start": new.start_time.astimezone(UTC).isoformat(),
        "seconds": new.duration.total_seconds(),
        "class_id": new.class_id,
        "external_id": new.external_id,
        "meeting_code": _letters(new.meeting_code),
        "policy": {name: _number(value) for name, value in (new.policy or {}).items()},
        "time_zone": new.time_zone,
        "recurrence": new.recurrence,
        "calendar": new.calendar,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:40]


def _number(value: object) -> object:
    """5 and 5.0 are the same number of minutes."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _letters(meeting_code: str | None) -> str | None:
    """The letters of the meeting code, also from a link."""
    code = (meeting_code or "").lower().rpartition("meet.google.com/")[2]
    return _AFTER_CODE.split(code)[0].replace("-", "") or None

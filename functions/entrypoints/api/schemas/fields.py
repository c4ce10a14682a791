"""Types of single values in requests. Reasons say what a value should be and never repeat it."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from functions.domain.conferences.model import clean_display_name
from functions.domain.zones import is_time_zone

MAX_STUDENTS = 2000

DOCUMENT_ID = r"(?!__[^/]*__(?:/|$))[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}"
"""An id that a document may have; Firestore keeps ids between two pairs of underscores for itself."""

_EMAIL = re.compile(
    r"[a-z0-9.!#$%&'*+=?^_`{|}~-]{1,64}@(?=.{1,189}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+"
)
_MEETING_CODE = re.compile(
    r"(?:(?:https?://)?meet\.google\.com/)?(?:[a-z]+-[a-z]+-[a-z]+|[a-z]{3}-?[a-z]{4}-?[a-z]{3})(?:[/?#][!-~]*)?",
    re.IGNORECASE,
)
_PLUS_AS_BLANK = re.compile(r"(?P<time>.+[Tt ][0-9]{2}(?::?[0-9.,]+)*) (?P<offset>[0-9]{2}(?::?[0-9]{2}){0,2})")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_RESOURCE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def _email(value: str) -> str:
    address = value.lower()
    if not _EMAIL.fullmatch(address):
        raise ValueError("should be an e-mail address such as ada@school.example")
    return address


def _of_form(form: re.Pattern[str], meaning: str) -> AfterValidator:
    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise ValueError(f"should be {meaning}")
        return value

    return AfterValidator(check)


def _in(collection: str, meaning: str) -> AfterValidator:
    """A resource of Google's, also if only its id is given."""

    def check(value: str) -> str:
        resource_id = value.removeprefix(f"{collection}/")
        if not _RESOURCE_ID.fullmatch(resource_id):
            raise ValueError(f"should be {meaning}")
        return f"{collection}/{resource_id}"

    return AfterValidator(check)


def _one_line(value: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise ValueError("should not contain control characters, such as a tab or a line break")
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("should contain only printable characters")
    return value


def _student(value: str) -> str:
    """A student in the form that the views search for: from `users/123` only the number."""
    user = value.removeprefix("users/")
    return user if _RESOURCE_ID.fullmatch(user) else value


def _time_zone(value: str) -> str:
    if not is_time_zone(value):
        raise ValueError("should be an IANA time zone such as Europe/Berlin")
    return value


def _known_name(value: str) -> str | None:
    return clean_display_name(value) or None


def _moment(value: object) -> datetime:
    return _moment_as_given(value).astimezone(UTC)


def _moment_as_given(value: object) -> datetime:
    """A moment with its original offset."""
    try:
        moment = datetime.fromisoformat(value.strip().upper()) if isinstance(value, str) else None
        if moment is not None and moment.tzinfo is not None:
            moment.astimezone(UTC)  # this fails at both ends of the calendar
            return moment
    except (ValueError, OverflowError):
        pass
    raise ValueError("should be a time with an offset, such as 2026-11-23T09:00:00+01:00")


def _moment_or_day(value: object) -> datetime | date:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            blank = _PLUS_AS_BLANK.fullmatch(value.strip())
            value = f"{blank['time']}+{blank['offset']}" if blank else value
    try:
        return _moment(value)
    except ValueError:
        raise ValueError(
            "should be a date such as 2026-11-23, or a time with an offset such as 2026-11-23T09:00:00+01:00"
        ) from None


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]

Line = Annotated[_Text, AfterValidator(_one_line)]
StudentAsNamed = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=254), AfterValidator(_one_line)
]
"""A student by an id of the LMS, an account or an address, exactly as it was sent: `users/123` may be such an id."""
Student = Annotated[StudentAsNamed, AfterValidator(_student)]
StudentId = Annotated[Line, AfterValidator(_printable)]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=254),
    AfterValidator(_email),
    Field(json_schema_extra={"format": "email"}),
]
DisplayName = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_known_name)]
TypedMeetingCode = Annotated[_Text, _of_form(_MEETING_CODE, "a meeting code such as abc-mnop-xyz, or a link with it")]
TimeZone = Annotated[_Text, AfterValidator(_time_zone)]
GoogleUser = Annotated[_Text, _in("users", "a Google account such as users/104857600000")]
ConferenceRecordName = Annotated[
    _Text, _in("conferenceRecords", "a conference record such as conferenceRecords/abc-123")
]
Recurrence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Minutes = Annotated[int, Field(strict=True, ge=1, le=1440)]
Month = Annotated[
    str, _of_form(_MONTH, "a month such as 2026-11"), Field(json_schema_extra={"pattern": f"^{_MONTH.pattern}$"})
]
_MOMENT = WithJsonSchema({"type": "string", "format": "date-time"})
MomentAsGiven = Annotated[datetime, BeforeValidator(_moment_as_given), _MOMENT]
Moment = Annotated[datetime, BeforeValidator(_moment), _MOMENT]
MomentOrDay = Annotated[
    datetime | date,
    BeforeValidator(_moment_or_day),
    WithJsonSchema({"type": "string", "description": "A date means its midnight in the school's time zone."}),
]


def moment_of(when: datetime | date | None, *, time_zone: str) -> datetime | None:
    """A moment unchanged, a date as its midnight in the time zone; None stays None.

    Raises:
        OverflowError: The midnight is outside the range of times.
    """
    if when is None or isinstance(when, datetime):
        return when
    return datetime.combine(when, time(), ZoneInfo(time_zone)).astimezone(UTC)

"""A series of classes: the same local clock time again and again.

https://www.rfc-editor.org/rfc/rfc5545#section-3.3.10
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from functions.domain.errors import InvalidRequest

MOST = 200
"""How many classes a series may have."""

REACH = timedelta(days=366)
"""How far a series may reach from its first class."""

_RULE = re.compile(r"(?:RRULE:)?(?P<parts>[A-Z-]+=[A-Z0-9,+:-]+(?:;[A-Z-]+=[A-Z0-9,+:-]+)*);?", re.IGNORECASE)
_FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
_PARTS = {
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "WKST",
    "BYDAY",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYMONTH",
    "BYSETPOS",
}


def occurrences(start: datetime, text: str, *, time_zone: str) -> tuple[datetime, ...]:
    """When the classes of a series begin, the first one included, aware UTC.

    Local clock time is kept over changes of the clock; a time that a change skips is that much later on that day, and
    of a time that comes twice on a day it is the first, unless the first class says otherwise.

    Args:
        start: The first class.
        text: A recurrence rule with COUNT or UNTIL. UNTIL in UTC, or local without Z, a date alone being included.
        time_zone: Whose clock is kept, an IANA name.

    Raises:
        InvalidRequest: The rule cannot be used; the field is `recurrence`.
    """
    zone = ZoneInfo(time_zone)
    parts = _parts(text)
    count, until = _count(parts.pop("COUNT", None)), parts.pop("UNTIL", None)
    if count is None and until is None:
        raise _refusal("needs an end: COUNT or UNTIL")
    first = start.astimezone(zone)
    last = start + REACH
    try:
        limit = min(_until(until, zone), last) if until else last
        expanded = rrulestr(";".join(f"{name}={value}" for name, value in parts.items()), dtstart=first)
        if not isinstance(expanded, rrule):
            raise _refusal("should be a single rule")
        found = tuple(islice(expanded.replace(until=limit.astimezone(UTC)), MOST + 1))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise _refusal("is not a recurrence rule of RFC 5545 that this system supports") from error
    if count is not None:
        if len(found) < count and until is None:
            raise _refusal(f"reaches more than {REACH.days} days ahead" if count <= MOST else _TOO_MANY)
        found = found[:count]
    if len(found) > MOST:
        raise _refusal(_TOO_MANY)
    if not found or found[0] != first or limit < start:
        raise _refusal("should have the class's start_time as its first occurrence")
    # Of an hour that comes twice, only the first class can name the second one; the rule knows clock times alone.
    return (start.astimezone(UTC), *(moment.astimezone(UTC) for moment in found[1:]))


def require_known_clock(start: datetime, *, time_zone: str) -> None:
    """Refuse a series of which only an offset is known, if that is not the offset of a time zone at that moment.

    Args:
        start: The first class, with the offset that it was given in.
        time_zone: The school's, which is meant where none is named.

    Raises:
        InvalidRequest: The local time to keep is not known; the field is `time_zone`.
    """
    usual = start.astimezone(ZoneInfo(time_zone)).utcoffset()
    if start.utcoffset() != usual:
        raise InvalidRequest.of(
            "time_zone",
            "is required with this recurrence, because start_time has another offset than the school's at that moment",
            hint='Name the time zone whose clock time the series keeps, such as "time_zone": "Europe/Berlin". Or send '
            "start_time with the offset that the school has then.",
        )


def counted_rule(text: str, count: int) -> str:
    """A rule that `occurrences` has expanded, with its number of classes as its only end."""
    parts = {name: value for name, value in _parts(text).items() if name not in {"COUNT", "UNTIL"}}
    return "RRULE:" + ";".join(f"{name}={value}" for name, value in {**parts, "COUNT": count}.items())


_TOO_MANY = f"has more than {MOST} occurrences"


def _parts(rule: str) -> dict[str, str]:
    match = _RULE.fullmatch(rule.strip())
    if match is None:
        raise _refusal("is not a recurrence rule of RFC 5545 such as FREQ=WEEKLY;COUNT=10")
    pairs = [part.split("=", 1) for part in match["parts"].upper().split(";")]
    parts = dict(pairs)
    if len(parts) < len(pairs):
        raise _refusal("has the same part twice")
    if unusable := sorted(parts.keys() - _PARTS):
        raise _refusal(f"should repeat whole days, without {unusable[0]}")
    if parts.get("FREQ") not in _FREQUENCIES:
        raise _refusal("should have a FREQ of DAILY, WEEKLY, MONTHLY or YEARLY")
    if parts.get("INTERVAL", "1").lstrip("0") == "":
        raise _refusal("should have an INTERVAL of at least 1")
    return parts


def _count(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not int(text):
        raise _refusal("should have a COUNT of at least 1")
    return int(text)


def _until(text: str, zone: ZoneInfo) -> datetime:
    for form, whole_day in (("%Y%m%dT%H%M%SZ", False), ("%Y%m%dT%H%M%S", False), ("%Y%m%d", True)):
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007 - its zone is added below
        except ValueError:
            continue
        if text.endswith("Z"):
            return moment.replace(tzinfo=UTC)
        # Of an hour that comes twice, both are before a local time's end.
        return (datetime.combine(moment, time.max) if whole_day else moment).replace(tzinfo=zone, fold=1)
    raise _refusal("should have an UNTIL such as 20270131 or 20270131T225959Z")


def _refusal(reason: str) -> InvalidRequest:
    return InvalidRequest.of("recurrence", reason)

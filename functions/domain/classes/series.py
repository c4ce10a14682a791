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

    Local clock time stays the same when clocks change. A time that a change skips moves later by the length of the
    change. If a time comes twice on a day, the first one counts, unless the first class names the second one.

    Args:
        start: The first class.
        text: A recurrence rule with COUNT or UNTIL. UNTIL is in UTC, or local without Z; if it is a date, that day is
            included.
        time_zone: The IANA name of the time zone whose clock time is kept.

    Raises:
        InvalidRequest: The rule cannot be used; the field is `recurrence`.
    """
    zone = ZoneInfo(time_zone)
    parts = _parts(text)
    count, until = _count(parts.pop("COUNT", None)), parts.pop("UNTIL", None)
    if count is None and until is None:
        raise _refusal("needs an end: COUNT or UNTIL")
    # A rule knows whole seconds only.
    part = timedelta(microseconds=start.microsecond)
    start -= part
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
    # If an hour comes twice, only the first class can name the second one, because the rule knows only clock times.
    return tuple(moment.astimezone(UTC) + part for moment in (start, *found[1:]))


def require_known_clock(start: datetime, *, time_zone: str) -> None:
    """Refuse a series with only an offset, if a time zone does not have this offset at that moment.

    Args:
        start: The first class, with the offset that the request gave.
        time_zone: The school's time zone, which counts if the request names none.

    Raises:
        InvalidRequest: It is not known which local time to keep; the field is `time_zone`.
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
        # If an hour comes twice, both are before the end of a local time.
        return (datetime.combine(moment, time.max) if whole_day else moment).replace(tzinfo=zone, fold=1)
    raise _refusal("should have an UNTIL such as 20270131 or 20270131T225959Z")


def _refusal(reason: str) -> InvalidRequest:
    return InvalidRequest.of("recurrence", reason)

"""How a list request selects resources: the filter language, page sizes and page tokens.

A filter is a list of conditions joined by AND. The reference promises only what its examples show, so this reads only
that. Unquoted values, camelCase names, OR and parentheses are refused here, before production refuses them.
https://developers.google.com/workspace/meet/api/reference/rest/v2/conferenceRecords/list
"""

import hashlib
import operator
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple


class ListError(ValueError):
    """Meet answers INVALID_ARGUMENT to this list request."""


class FilterError(ListError):
    """The text is not a filter of this list."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"Invalid value at 'filter': {rule}")


class PageError(ListError):
    """The page size is negative, or the page token was not issued for this request."""


class Kind(Enum):
    """The type of a field. It decides which conditions a filter may use."""

    TEXT = "text"  # only "equals"
    TIME = "time"  # all comparisons
    END = "end"  # all comparisons, and IS NULL while there is no end yet


Value = datetime | str | None

CONFERENCE_RECORDS = {
    "space.name": Kind.TEXT,
    "space.meeting_code": Kind.TEXT,
    "start_time": Kind.TIME,
    "end_time": Kind.END,
}
PARTICIPANTS = {"earliest_start_time": Kind.TIME, "latest_end_time": Kind.END}
PARTICIPANT_SESSIONS = {"start_time": Kind.TIME, "end_time": Kind.END}

_CONDITION = re.compile(
    r"""\s* (?P<field>[a-z_.]+)
        (?: \s* (?P<operator>>=|<=|=|<|>) \s* "(?P<value>[^"]*)" | \s+ IS \s+ NULL )""",
    re.VERBOSE,
)
_AND = re.compile(r"\s+AND(?=\s)")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True)
class Condition:
    """One comparison of a field with a value; without an operator, it checks that the field is unset."""

    field: str
    operator: str | None
    value: Value

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Return whether these values meet the condition. An unset field meets no comparison, like NULL in SQL."""
        actual = values[self.field]
        if self.operator is None:
            return actual is None
        return actual is not None and _OPERATORS[self.operator](actual, self.value)


@dataclass(frozen=True)
class Filter:
    """Conditions that must all be met; without conditions, every resource passes."""

    conditions: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.conditions)

    def passes(self, values: Mapping[str, Value]) -> bool:
        """Return whether a resource with these values belongs in the list."""
        return all(condition.holds(values) for condition in self.conditions)


def parse(text: str, fields: Mapping[str, Kind]) -> Filter:
    """Read a filter on these fields; an empty text selects everything.

    Raises FilterError, with the place and the reason, for anything the reference does not show.
    """
    conditions: list[Condition] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        if conditions:
            joint = _AND.match(text, position)
            if joint is None:
                raise FilterError(f"Expected AND at {text[position:].strip()!r}")
            position = joint.end()
        found = _CONDITION.match(text, position)
        if found is None:
            raise FilterError(f'Expected field, operator and "value" at {text[position:].strip()!r}')
        conditions.append(_condition(found, fields))
        position = found.end()
    return Filter(tuple(conditions))


def _condition(found: re.Match[str], fields: Mapping[str, Kind]) -> Condition:
    field, comparison, value = found["field"], found["operator"], found["value"]
    kind = fields.get(field)
    if kind is None:
        raise FilterError(f"{field} is not filterable; {', '.join(fields)} are")
    if comparison is None:
        if kind is not Kind.END:
            raise FilterError(f"{field} always has a value, so it cannot be compared with NULL")
        return Condition(field, None, None)
    if kind is Kind.TEXT:
        if comparison != "=":
            raise FilterError(f"{field} can only be compared with =")
        return Condition(field, comparison, value)
    return Condition(field, comparison, _time(value))


def _time(value: str) -> datetime:
    if _RFC_3339.fullmatch(value) is None:
        raise FilterError(f"{value!r} is not an RFC 3339 time")
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise FilterError(f"{value!r} is not an RFC 3339 time: {error}") from error


class PageSize(NamedTuple):
    """The number of resources on a page: the default and the maximum."""

    default: int
    maximum: int

    def granted(self, asked: int, cap: int | None = None) -> int:
        """Return the page size for a request; a size above the maximum is reduced, a negative size is refused."""
        if asked < 0:
            raise PageError(f"Invalid value at 'page_size': it must not be negative, and is {asked}")
        return min(asked or self.default, self.maximum, cap or self.maximum)


class PageTokens:
    """Issues page tokens and reads them.

    Page tokens are opaque to callers. They are valid only for the list that issued them, with any page size:
    https://google.aip.dev/158. A token contains its own signature, so nothing is stored between calls.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)

    def issue(self, listing: str, page: int, offset: int) -> str:
        """Return the token of the page that begins after `offset` resources."""
        place = f"{page}.{offset}"
        proof = hashlib.blake2b(f"{place}.{listing}".encode(), key=self._key, digest_size=12).hexdigest()
        return urlsafe_b64encode(f"{place}.{proof}".encode()).decode()

    def read(self, listing: str, token: str) -> tuple[int, int]:
        """Return the page's number, from 1, and its offset; without a token those of the first page."""
        if not token:
            return 1, 0
        try:
            page, offset, _ = urlsafe_b64decode(token).split(b".")
            place = int(page), int(offset)
        except ValueError as error:
            raise PageError("Invalid value at 'page_token': it was not issued by a list") from error
        if token != self.issue(listing, *place):
            raise PageError("Invalid value at 'page_token': it belongs to another request")
        return place

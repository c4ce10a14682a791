"""A stand-in for activities.list of the Admin SDK Reports API: only the rows about who left which call.

It reports the same `School` as the simulated Meet: one row for each visit that has ended, `lag` after its end, for
180 days. https://developers.google.com/workspace/admin/reports/reference/rest/v1/activities/list
"""

import base64
import hashlib
import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.school import Attendee, Conference, School, Visit

REACH = timedelta(days=180)
MOST_ON_PAGE = 1000
PLACEHOLDER = "105250506097979753968"
"""A profile id that the discovery document calls a placeholder."""

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<>": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"(\w+)(==|<>|<=|>=|<|>)(.*)")

Row = dict[str, Any]


class BadRequest(Exception):  # the answer to the caller, not an error of the stand-in
    """The call gets the answer 400."""


class Reports:
    """Answers activities.list. Every attribute may be changed at any time.

    Attributes:
        admins: The accounts that may read reports; None means all accounts.
        lag: The time from the end of a visit to its row in the reports.
        page_size: The maximum number of rows on a page: services may return fewer than requested.
        profile_ids: Whether actors have their own profile ids; if not, they have the placeholder.
        extra: Further rows to report, with any content.
    """

    def __init__(self, school: School) -> None:
        self._school = school
        self.admins: frozenset[str] | None = None
        self.lag = timedelta(0)
        self.page_size = MOST_ON_PAGE
        self.profile_ids = True
        self.extra: list[Row] = []

    def admits(self, caller: str | None) -> bool:
        """Return whether an account may read reports."""
        return self.admins is None or caller in self.admins

    def answer(self, user_key: str, application: str, query: Mapping[str, str]) -> Row:
        """Return the requested page; raises BadRequest for requests that the API would refuse."""
        now = self._school.clock()
        since, until = _moment(query.get("startTime"), now - REACH), _moment(query.get("endTime"), now)
        if not since < until or since >= now:
            raise BadRequest("Invalid start time or end time")
        asked = _whole(query.get("maxResults", str(MOST_ON_PAGE)))
        if not 1 <= asked <= MOST_ON_PAGE:
            raise BadRequest("Invalid value for maxResults")
        begin = _offset(query)
        wanted = list(_conditions(query.get("filters", "")))
        rows = self._rows(now) if application == "meet" else []
        found = [
            row
            for row in rows
            if max(since, now - REACH) <= _moment(row["id"]["time"], now) <= until
            and user_key in {"all", row["actor"].get("email"), row["actor"].get("profileId")}
            and query.get("eventName") in {None, row["events"][0]["name"]}
            and all(_holds(row, *condition) for condition in wanted)
        ]
        size = min(asked, self.page_size)
        page: Row = {"kind": "admin#reports#activities", "etag": '"e"', "items": found[begin : begin + size]}
        if begin + size < len(found):
            page["nextPageToken"] = _token(query, begin + size)
        return page

    def _rows(self, now: datetime) -> list[Row]:
        """Return every row that is reported so far, the latest first as in the API."""
        rows = [
            self._row(conference, attendee, session_id, visit)
            for conference in self._school.ever_held()
            for attendee in conference.attendees
            for session_id, visit in attendee.sessions
            if visit.end and visit.end + self.lag <= now
        ]
        return sorted([*rows, *self.extra], key=lambda row: str(row["id"]["time"]), reverse=True)

    def _row(self, conference: Conference, attendee: Attendee, session_id: str, visit: Visit) -> Row:
        if visit.end is None:
            raise ValueError("Reports show people only after they have left")
        account = self._school.account(attendee.user or "")
        owner = self._school.account(conference.organizer)
        seconds = (visit.end - visit.start) // timedelta(seconds=1)
        text = {
            "conference_id": report_id(conference),
            "meeting_code": conference.meeting_code.replace("-", "").upper(),
            "endpoint_id": f"endpoint_{_opaque(conference.name, attendee.id, session_id)}",
            "display_name": attendee.display_name,
            "device_type": "pstn_in" if attendee.kind == "phone" else "web",
            "organizer_email": owner.email if owner else None,
        }
        actor: Row = {"callerType": "KEY", "key": "HANGOUTS_EXTERNAL_OR_ANONYMOUS"}
        if account:
            text |= {"identifier_type": "email_address", "identifier": account.email}
            profile_id = account.user.removeprefix("users/") if self.profile_ids else PLACEHOLDER
            actor = {"callerType": "USER", "email": account.email, "profileId": profile_id}
        elif attendee.kind == "phone":
            text |= {"identifier_type": "phone_number", "identifier": "+4930123456"}
        elif attendee.kind == "signed_in":
            text |= {"identifier_type": "device_id", "identifier": _opaque(attendee.user or "")}
        return row(visit.end, seconds, text, actor)


def row(left_at: datetime, seconds: int, text: Mapping[str, str | None], actor: Mapping[str, str] | None = None) -> Row:
    """Return one activity with one event, in the API's form; like the API, it leaves out texts that are None."""
    parameters: list[Row] = [{"name": name, "value": value} for name, value in text.items() if value is not None]
    parameters += [{"name": "duration_seconds", "intValue": str(seconds)}, {"name": "is_external", "boolValue": False}]
    moment = left_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "kind": "admin#reports#activity",
        "id": {"time": moment, "uniqueQualifier": "1", "applicationName": "meet", "customerId": "C0"},
        "etag": '"e"',
        "actor": dict(actor or {}),
        "events": [{"type": "call", "name": "call_ended", "parameters": parameters}],
    }


def report_id(conference: Conference) -> str:
    """Return the reports' own id of a conference, which differs from Meet's id."""
    return _opaque(conference.name)


def _opaque(*parts: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256("/".join(parts).encode()).digest()).decode().rstrip("=")


def _moment(text: str | None, otherwise: datetime) -> datetime:
    if text is None:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest("Invalid time") from None
    if moment.tzinfo is None:
        raise BadRequest("Invalid time")
    return moment


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise BadRequest("Invalid number")
    return int(text)


def _conditions(filters: str) -> Iterator[tuple[str, str, str]]:
    """Return the conditions of a filter; if a parameter is named twice, the last condition counts."""
    found = {}
    for part in filter(None, filters.split(",")):
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise BadRequest("Invalid filters")
        found[match[1]] = (match[1], match[2], match[3])
    yield from found.values()


def _holds(row: Row, name: str, comparison: str, value: str) -> bool:
    """Return whether a condition is met; the API ignores unknown parameters."""
    parameters = {one["name"]: one for one in row["events"][0]["parameters"]}
    if name not in parameters:
        return name not in {"meeting_code", "conference_id", "organizer_email", "identifier", "endpoint_id"}
    told = parameters[name]
    if "intValue" in told:
        return _COMPARISONS[comparison](int(told["intValue"]), _whole(value))
    return _COMPARISONS[comparison](told.get("value"), value)


def _asked(query: Mapping[str, str]) -> str:
    """Return the query without its page token: a token is only valid for the same query."""
    return _opaque(json.dumps({name: value for name, value in sorted(query.items()) if name != "pageToken"}))


def _token(query: Mapping[str, str], begin: int) -> str:
    return f"{_asked(query)}:{begin}"


def _offset(query: Mapping[str, str]) -> int:
    token = query.get("pageToken")
    if token is None:
        return 0
    asked, _, begin = token.rpartition(":")
    if asked != _asked(query) or not begin.isdecimal():
        raise BadRequest("Invalid pageToken")
    return int(begin)

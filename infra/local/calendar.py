"""A stand-in for the Calendar API: events of primary calendars, for the official client over HTTP on loopback.

It serves `Calendars` as documented in https://developers.google.com/workspace/calendar/api/v3/reference/events and
fails where a fault plan says so. The caller is the account that the header `x-acting-as` names. Where tokens are
issued, the caller is the account of the token. The school must know this account.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.calendars import Calendars, Refused
from infra.local.callers import SCOPES, Tokens
from infra.local.gate.calls import Rules
from infra.local.gate.discovery import discovered
from infra.local.google_apis import GoogleApis
from infra.local.school import School

EVENTS = frozenset({f"{SCOPES}calendar.events", f"{SCOPES}calendar.events.owned", f"{SCOPES}calendar"})
MOST_ON_PAGE = 2500

PATH = "/calendar/v3/calendars/{calendarId}/events"
METHODS = {
    "insert": ("POST", PATH),
    "get": ("GET", f"{PATH}/{{eventId}}"),
    "patch": ("PATCH", f"{PATH}/{{eventId}}"),
    "delete": ("DELETE", f"{PATH}/{{eventId}}"),
    "instances": ("GET", f"{PATH}/{{eventId}}/instances"),
}
"""The served methods, by their names in the API."""


class CalendarSimulator(GoogleApis):
    """Serves calendars.

    `calendars`, `fail` and `calls` may be used from any thread; faults name methods like `events.insert`.

    Attributes:
        calendars: The calendars that it serves.
        page_size: The maximum number of occurrences on a page: the service may return fewer than requested.
    """

    def __init__(self, school: School, *, tokens: Tokens | None = None) -> None:
        super().__init__(school, tokens=tokens)
        self.calendars = Calendars(school)
        self.page_size = MOST_ON_PAGE

    def _rules(self) -> Sequence[Rules]:
        return (discovered("calendar.v3"),)

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route(path, self._serving(name, getattr(self, f"_events_{name}")), methods=[method])
                for name, (method, path) in METHODS.items()
            ]
        )

    def _serving(self, name: str, answer: Callable[[str, Request, Any], Any]) -> Callable[[Request], Any]:
        async def serve(request: Request) -> Response:
            caller, refusal = await self._arrived(f"events.{name}", request, 1, accepted=EVENTS)
            if refusal:
                return refusal
            try:
                content = await request.body()
                owner = self._owner(caller, request.path_params["calendarId"])
                answered = answer(owner, request, json.loads(content) if content else None)
            except Refused as error:
                return _error(error)
            return Response(status_code=204) if answered is None else JSONResponse(answered)

        return serve

    def _owner(self, caller: str | None, calendar_id: str) -> str:
        """Return the owner of the requested calendar: here each person can only see their own."""
        if caller is None or self.school.user(caller) is None:
            raise Refused(403, "notACalendarUser", "The user must be signed up for Google Calendar.")
        if calendar_id not in {"primary", caller}:
            raise Refused(404, "notFound", "Not Found")
        return caller

    def _events_insert(self, caller: str, request: Request, body: Any) -> Any:  # noqa: ANN401 - of JSON
        return self.calendars.insert(caller, body, request.query_params)

    def _events_get(self, caller: str, request: Request, _: Any) -> Any:  # noqa: ANN401 - of JSON
        return self.calendars.get(caller, request.path_params["eventId"])

    def _events_patch(self, caller: str, request: Request, body: Any) -> Any:  # noqa: ANN401 - of JSON
        if_match = request.headers.get("if-match")
        return self.calendars.patch(caller, request.path_params["eventId"], body, request.query_params, if_match)

    def _events_delete(self, caller: str, request: Request, _: Any) -> None:  # noqa: ANN401 - of JSON
        if_match = request.headers.get("if-match")
        self.calendars.delete(caller, request.path_params["eventId"], request.query_params, if_match)

    def _events_instances(self, caller: str, request: Request, _: Any) -> Any:  # noqa: ANN401 - of JSON
        query = request.query_params
        size, begin = min(int(query.get("maxResults", "250")), self.page_size), _begin(request)
        event_id, deleted = request.path_params["eventId"], query.get("showDeleted") == "true"
        items, more = self.calendars.instances(caller, event_id, size=size, begin=begin, deleted=deleted)
        page = {"kind": "calendar#events", "items": items}
        return {**page, "nextPageToken": f"{_question(request)}.{begin + size}"} if more else page


def _question(request: Request) -> str:
    """Return the query without its page token: a token is only valid for the same query."""
    asked = sorted((name, value) for name, value in request.query_params.items() if name != "pageToken")
    return hashlib.sha256(repr((request.url.path, asked)).encode()).hexdigest()[:16]


def _begin(request: Request) -> int:
    """Return the index at which the requested page begins."""
    token = request.query_params.get("pageToken")
    if token is None:
        return 0
    question, _, begin = token.rpartition(".")
    if question != _question(request) or not begin.isdecimal():
        raise Refused(400, "invalid", "Invalid page token value.")
    return int(begin)


def _error(error: Refused) -> JSONResponse:
    """Return an error in the form of https://developers.google.com/workspace/calendar/api/guides/errors."""
    told = {"domain": "calendar", "reason": error.reason, "message": error.message}
    return JSONResponse(
        {"error": {"code": error.status, "message": error.message, "errors": [told]}}, status_code=error.status
    )

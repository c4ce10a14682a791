"""The Admin SDK Reports API: which person left which call, and how long the person had been there.

https://developers.google.com/workspace/admin/reports/reference/rest/v1/activities/list

docs/google.md says what was compared with Google's reference, and what is not known.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from functions.adapters.google.calls.pacing import Pacing
from functions.adapters.google.calls.rest import Api, Missing, RestApi
from functions.adapters.google.calls.rest_pages import all_pages
from functions.adapters.google.calls.services import REPORTS
from functions.adapters.google.credentials.capabilities import Capability, CredentialsPool
from functions.adapters.google.reports.rows import EVENT, Told, endpoints_of
from functions.domain.conferences.model import Organizer
from functions.ports.clock import Clock
from functions.ports.google import Report

PAGE_SIZE = 1000
"""The maximum page size of activities.list; pages may be smaller."""

FIELDS = "items(id/time,actor(email,profileId),events(name,parameters(name,value,intValue))),nextPageToken"
"""The fields of a row that we read; single parameters cannot be selected."""

QUERIES_PER_MINUTE = 200
"""Below the 250 that activities.list with a filter allows: https://developers.google.com/workspace/admin/reports/v1/limits"""

API = Api(REPORTS, "admin", "reports_v1")

log = logging.getLogger(__name__)


class GoogleReports:
    """`functions.ports.google.Reports` on the Admin SDK Reports API.

    Args:
        endpoint: `host:port` of the real service, or `http://127.0.0.1:PORT` of a stand-in.
        admin: The administrator whose account reads reports: an e-mail or `users/{id}`.
        credentials: Whose account the calls use.
        pacing: How fast calls may be made.
        clock: The current time.
    """

    def __init__(
        self, endpoint: str, *, admin: str, credentials: CredentialsPool, pacing: Pacing, clock: Clock
    ) -> None:
        self._rest = RestApi(API, endpoint)
        self._admin = Organizer(user=admin) if admin.startswith("users/") else Organizer(email=admin)
        self._credentials = credentials
        self._pacing = pacing
        self._clock = clock

    def close(self) -> None:
        """Close threads and connections."""
        self._rest.close()

    async def read(self, *, meeting_code: str | None, since: datetime, until: datetime) -> Report:
        """See the port. The API ignores a filter that it does not understand, so the rows are filtered again here."""
        began_at = self._clock()

        async def page(token: str | None) -> tuple[Told, str | None]:
            answer = await self._page(meeting_code, since, until, token)
            return endpoints_of(answer.get("items") or ()), answer.get("nextPageToken")

        pages = await all_pages(page, of=API)
        left_out = sum(told.left_out for told in pages)
        endpoints = {
            endpoint
            for told in pages
            for endpoint in told.endpoints
            if meeting_code in {None, endpoint.meeting_code} and since <= endpoint.left_at <= until
        }
        if left_out:
            log.warning("reports.rows_left_out", extra={"rows": left_out, "of": left_out + len(endpoints)})
        return Report(began_at, frozenset(endpoints), left_out)

    async def _page(self, meeting_code: str | None, since: datetime, until: datetime, token: str | None) -> Any:  # noqa: ANN401 - JSON
        def request(service: Any) -> Any:  # noqa: ANN401 - made at run time of a document
            return service.activities().list(
                userKey="all",
                applicationName="meet",
                eventName=EVENT,
                maxResults=PAGE_SIZE,
                fields=FIELDS,
                startTime=_rfc3339(since),
                endTime=_rfc3339(until),
                **({"filters": f"meeting_code=={_as_filtered(meeting_code)}"} if meeting_code else {}),
                **({"pageToken": token} if token else {}),
            )

        await self._pacing.turn("reports")
        credentials = self._credentials.of(self._admin, Capability.REPORTS)
        try:
            return await self._rest.call(request, credentials)
        except Missing:
            raise REPORTS.refused("The Reports API does not know this report (HTTP 404).") from None


def _as_filtered(meeting_code: str) -> str:
    """A meeting code as reports hold it: its letters, upper case."""
    return meeting_code.replace("-", "").upper()


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

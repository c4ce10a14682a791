"""How one call to Meet is made: paced, bounded, repeated, counted, and its error named.

The client's own default repeats 503 alone and for a minute; 429, 500, 504 and a lost connection surface at once.
https://developers.google.com/workspace/meet/api/guides/limits asks for truncated exponential backoff.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from google.api_core import exceptions as gexc

from functions.adapters.credentials import Credentials, Metadata, accepted
from functions.adapters.pacing import Pacing
from functions.adapters.repeating import Method, repeated
from functions.domain.errors import (
    AttendanceError,
    ConferenceRecordGone,
    MeetAccessDenied,
    MeetApiDisabled,
    MeetCredentialsRefused,
    MeetRequestRefused,
    MeetScopeMissing,
    MeetUnavailable,
)

ATTEMPT_TIMEOUT = 20.0
"""Seconds for one answer."""

ATTEMPTS = 20
"""How often one call is made, about two minutes of backoff; then Pub/Sub's own takes over. Attempts and not seconds,
because waiting for a turn is no failure of Meet's."""

MAX_AT_ONCE = 256
"""Calls under way in one instance."""

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class MeetCalls:
    """Makes calls to Meet on one instance; share one among all readings.

    Args:
        pacing: How fast calls may go out.
        max_at_once: How many may be under way.
        attempts: How often one call is made.
    """

    def __init__(self, pacing: Pacing, *, max_at_once: int = MAX_AT_ONCE, attempts: int = ATTEMPTS) -> None:
        self._pacing = pacing
        self._places = asyncio.Semaphore(max_at_once)
        self._attempts = attempts

    def as_organizer(self, organizer: str, credentials: Credentials) -> OrganizersCalls:
        """Calls for one reading, made as one person and counted together."""
        return OrganizersCalls(organizer, credentials, self._pacing, self._places, self._attempts)


class OrganizersCalls:
    """The calls of one reading. `count` is how many went out, repeated ones included."""

    def __init__(
        self, organizer: str, credentials: Credentials, pacing: Pacing, places: asyncio.Semaphore, attempts: int
    ) -> None:
        self.count = 0
        self._organizer = organizer
        self._credentials = credentials
        self._pacing = pacing
        self._places = places
        self._attempts = attempts

    async def __call__(
        self,
        method: Method[RequestT, ResponseT],
        request: RequestT,
        *,
        attempts: int | None = None,
        if_missing: type[AttendanceError] = ConferenceRecordGone,
    ) -> ResponseT:
        """Make a call until it succeeds, is refused, or was made often enough.

        Args:
            method: A method of an official client.
            request: What it is asked.
            attempts: How often it is made at most, for a call that matters less than others.
            if_missing: What it means when Meet does not know the resource.

        Raises:
            AttendanceError: Meet's refusal, by its name in `functions.domain.errors`.
        """

        async def once(metadata: Metadata) -> ResponseT:
            self.count += 1
            return await method(request, retry=None, timeout=ATTEMPT_TIMEOUT, metadata=metadata)

        async def attempt() -> ResponseT:
            await self._pacing.turn(self._organizer)
            async with self._places:
                return await accepted(self._credentials, once, unless=gexc.Unauthorized)

        try:
            return await repeated(attempt, attempts=attempts or self._attempts)
        except gexc.GoogleAPICallError as error:
            raise named(error, if_missing=if_missing) from error


def named(
    error: gexc.GoogleAPICallError, *, if_missing: type[AttendanceError] = ConferenceRecordGone
) -> AttendanceError:
    """Our error for Google's; whatever we do not know may pass by itself, so that nothing is lost.

    `reason` is that of google.rpc.ErrorInfo: https://cloud.google.com/apis/design/errors#error_info. Answers that
    lack it are told apart by the words that Google's services use.
    """
    kind = type(error).__name__
    words = str(error.message or "")
    match error:
        case gexc.NotFound():
            return if_missing(f"Meet does not know the resource ({kind}).")
        case gexc.Unauthorized():
            return MeetCredentialsRefused(f"Meet does not accept the organizer's credentials ({kind}).")
        case gexc.Forbidden() if error.reason == "SERVICE_DISABLED" or "has not been used in project" in words:
            return MeetApiDisabled(f"The Meet API is not enabled ({kind}).")
        case gexc.Forbidden() if (
            error.reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT" or "insufficient authentication scopes" in words
        ):
            return MeetScopeMissing(f"The organizer's token lacks a scope that Meet needs ({kind}).")
        case gexc.Forbidden():
            return MeetAccessDenied(f"Meet does not show this conference to its organizer ({kind}).")
        case gexc.BadRequest() | gexc.MethodNotImplemented():
            return MeetRequestRefused(f"Meet calls the request invalid ({kind}).")
        case _:
            return MeetUnavailable(f"Meet does not answer ({kind}).")

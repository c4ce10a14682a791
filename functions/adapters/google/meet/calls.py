"""How one call to Meet is made: paced, bounded, repeated, counted, and its error named.

The client's own default repeats 503 alone and for a minute; 429, 500, 504 and a lost connection surface at once.
https://developers.google.com/workspace/meet/api/guides/limits asks for truncated exponential backoff.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TypeVar

from google.api_core import exceptions as gexc

from functions.adapters.google.calls.grpc import is_disabled, lacks_scope
from functions.adapters.google.calls.pacing import Pacing
from functions.adapters.google.calls.repeating import Method, repeated
from functions.adapters.google.calls.services import MEET
from functions.adapters.google.credentials.capabilities import Credentials, Metadata, accepted
from functions.adapters.patience import limit
from functions.domain.errors import AttendanceError, ConferenceRecordGone

ATTEMPT_TIMEOUT = 20.0
"""Seconds for one answer."""

ATTEMPTS = 10
"""How often one call is made at most: about 50 seconds of backoff, as long as a message waits for failing services."""

LONGEST_PAUSE = 8.0
"""Seconds between two attempts at the most, so that a call that fails six times in a row is made a seventh time."""

STAMINA, WEARY = 50.0, 1.0
"""How many repetitions a reading may have more than it has earned; and one of a conference that could not be read to
its end before. Each costs 1, but the first of a call costs a fresh reading nothing."""

EARNED, EARNED_AT_ONCE = 2.0, 0.25
"""What a call adds that succeeds after it failed, and one that succeeds at once. So a Meet that refuses half of all
calls at random is read to the end, and one that never answers some of them is given up soon, however many they are."""

FEW_AT_ONCE = 4
"""Calls under way at once in the reading of a conference that could not be read to its end before."""

MAX_AT_ONCE = 256
"""Calls under way in one instance."""

_HIDDEN = re.compile(r"\bit (?:might|may) not exist\b")

Naming = Callable[[str], AttendanceError]
"""Makes our error, from what happened in a sentence."""

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

    def as_organizer(self, organizer: str, credentials: Credentials, *, carefully: bool = False) -> ReadingCalls:
        """Calls for one reading, made as one person and counted together.

        Args:
            organizer: Whose ceiling counts.
            credentials: Whose account the calls use.
            carefully: Whether Meet failed before, so that few calls go out before the first have succeeded.
        """
        places = asyncio.Semaphore(FEW_AT_ONCE) if carefully else self._places
        return ReadingCalls(organizer, credentials, self._pacing, places, attempts=self._attempts, carefully=carefully)


class ReadingCalls:
    """The calls of one reading. `count` is how many went out, repeated ones included."""

    def __init__(
        self,
        organizer: str,
        credentials: Credentials,
        pacing: Pacing,
        places: asyncio.Semaphore,
        *,
        attempts: int,
        carefully: bool,
    ) -> None:
        self.count = 0
        self._stamina = WEARY if carefully else STAMINA
        self._free = 0 if carefully else 1
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
        if_missing: Naming = ConferenceRecordGone,
        if_hidden: Naming = MEET.not_shown,
        if_refused: Naming = MEET.refused,
    ) -> ResponseT:
        """Make a call until it succeeds, is refused, or was made often enough.

        Args:
            method: A method of an official client.
            request: What it is asked.
            attempts: How often it is made at most, for a call that matters less than others.
            if_missing: What it means when Meet does not know the resource.
            if_hidden: What it means when Meet does not show the resource, or does not know it.
            if_refused: What it means when Meet calls the request invalid.

        Raises:
            AttendanceError: Meet's refusal, by its name in `functions.domain.errors`.
        """
        failed = False

        def worth_it(failures: int) -> bool:
            nonlocal failed
            failed = True
            cost = 1.0 if failures > self._free else 0.0
            if cost > self._stamina:
                return False
            self._stamina -= cost
            return True

        async def once(metadata: Metadata) -> ResponseT:
            self.count += 1
            answer = await method(request, retry=None, timeout=limit(ATTEMPT_TIMEOUT), metadata=metadata)
            self._stamina += EARNED if failed else EARNED_AT_ONCE
            return answer

        async def attempt() -> ResponseT:
            await self._pacing.turn(self._organizer)
            async with self._places:
                return await accepted(self._credentials, once, unless=gexc.Unauthorized)

        try:
            return await repeated(
                attempt, attempts=attempts or self._attempts, maximum=LONGEST_PAUSE, worth_it=worth_it
            )
        except gexc.GoogleAPICallError as error:
            raise named(error, if_missing=if_missing, if_hidden=if_hidden, if_refused=if_refused) from error


def named(
    error: gexc.GoogleAPICallError,
    *,
    if_missing: Naming = ConferenceRecordGone,
    if_hidden: Naming = MEET.not_shown,
    if_refused: Naming = MEET.refused,
) -> AttendanceError:
    """Our error for Google's; whatever we do not know may pass by itself, so that nothing is lost.

    Meet answers 403 "Permission denied on resource
    Conference (or it might not exist)" also for what it does not have: https://google.aip.dev/211 .
    """
    kind = type(error).__name__
    words = str(error.message or "")
    match error:
        case gexc.NotFound():
            return if_missing(f"Meet does not know the resource ({kind}).")
        case gexc.Unauthorized():
            return MEET.token_not_accepted(f"Meet does not accept the organizer's credentials ({kind}).")
        case gexc.Forbidden() if is_disabled(error):
            return MEET.disabled(f"The Meet API is not enabled ({kind}).")
        case gexc.Forbidden() if lacks_scope(error):
            return MEET.scope_missing(f"The organizer's token lacks a scope that Meet needs ({kind}).")
        case gexc.Forbidden() if _HIDDEN.search(words):
            return if_hidden(f"Meet does not show the resource, or does not have it ({kind}).")
        case gexc.Forbidden():
            return MEET.denied(f"Meet does not show this conference to its organizer ({kind}).")
        case gexc.BadRequest() | gexc.MethodNotImplemented():
            return if_refused(f"Meet calls the request invalid ({kind}).")
        case _:
            return MEET.unavailable(f"Meet does not answer ({kind}).")

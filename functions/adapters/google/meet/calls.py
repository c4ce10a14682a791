"""How one call to Meet is made: limited in rate and time, retried, counted, and its error translated.

By default the client retries only 503, for a minute; 429, 500, 504 and a lost connection are raised at once.
https://developers.google.com/workspace/meet/api/guides/limits asks for truncated exponential backoff.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TypeVar

from google.api_core import exceptions as gexc

from functions.adapters.google.calls.grpc import exhausts_project, is_disabled, lacks_scope
from functions.adapters.google.calls.pacing import Pacing, Work
from functions.adapters.google.calls.repeating import Method, repeated
from functions.adapters.google.calls.services import MEET
from functions.adapters.google.credentials.capabilities import Credentials, Metadata, accepted
from functions.adapters.patience import limit
from functions.domain.errors import AttendanceError, ConferenceRecordGone

ATTEMPT_TIMEOUT = 20.0
"""Seconds for one answer."""

ATTEMPTS = 10
"""How often one call is made at most: this takes about 50 seconds of pauses, as long as a message waits for failing
services."""

LONGEST_PAUSE = 8.0
"""Seconds between two attempts at the most, so that a call that fails six times in a row is made a seventh time."""

STAMINA, WEARY = 50.0, 1.0
"""The budget of retries with which a reading begins; the second figure is for a conference that could not be read
completely before. Each retry costs 1, but in a fresh reading the first retry of a call is free."""

EARNED, EARNED_AT_ONCE = 2.0, 0.25
"""What a call adds to the budget if it succeeds after a failure, and if it succeeds at once.

So if Meet refuses half of all calls at random, the reading still reaches the end; if some calls never succeed, the
reading stops soon, even in a large conference.
"""

FEW_AT_ONCE = 4
"""How many calls run at once when a conference could not be read completely before."""

MAX_AT_ONCE = 256
"""How many calls run at once in one instance."""

_HIDDEN = re.compile(r"\bit (?:might|may) not exist\b")

Naming = Callable[[str], AttendanceError]
"""Makes our error, from a sentence that says what happened."""

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class MeetCalls:
    """Makes calls to Meet on one instance; all readings share one object.

    Args:
        pacing: How fast calls may be made.
        max_at_once: How many calls may run at once.
        attempts: How often one call is made at most.
    """

    def __init__(self, pacing: Pacing, *, max_at_once: int = MAX_AT_ONCE, attempts: int = ATTEMPTS) -> None:
        self._pacing = pacing
        self._places = asyncio.Semaphore(max_at_once)
        self._attempts = attempts

    def as_organizer(
        self, organizer: str, credentials: Credentials, *, carefully: bool = False, expected: int = 1
    ) -> ReadingCalls:
        """Calls for one reading, made as one person and counted together.

        Args:
            organizer: Whose limit counts.
            credentials: Whose account the calls use.
            carefully: Whether Meet failed before, so that only few calls are made until the first have succeeded.
            expected: How many calls it will probably be.
        """
        places = asyncio.Semaphore(FEW_AT_ONCE) if carefully else self._places
        return ReadingCalls(
            self._pacing.task(organizer, expected=expected),
            credentials,
            self._pacing,
            places,
            attempts=self._attempts,
            carefully=carefully,
        )


class ReadingCalls:
    """The calls of one reading. `count` is the number of calls that were made, including retries."""

    def __init__(
        self,
        task: Work,
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
        self._credentials = credentials
        self._pacing = pacing
        self._task = task
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
        """Make a call, and repeat it until it succeeds, is refused, or was made often enough.

        Args:
            method: A method of an official client.
            request: The request.
            attempts: How often it is made at most, if the call is less important than others.
            if_missing: The error to raise when Meet does not know the resource.
            if_hidden: The error to raise when Meet does not show the resource, or does not know it.
            if_refused: The error to raise when Meet calls the request invalid.

        Raises:
            RateLimited: The message would wait for Meet's quota for longer than it may.
            AttendanceError: Meet refused; the class is one of `functions.domain.errors`.
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
            await self._pacing.turn(self._task)
            try:
                async with self._places:
                    answer = await accepted(self._credentials, once, unless=gexc.Unauthorized)
            except gexc.TooManyRequests as error:
                self._pacing.refused(self._task, everybody=exhausts_project(error))
                raise
            finally:
                self._pacing.ended(self._task)
            self._pacing.accepted(self._task)
            return answer

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
    """Our error for an error of Google's.

    An unknown error counts as one that may pass by itself, so that nothing is lost.

    Meet answers 403 "Permission denied on resource
    Conference (or it might not exist)" also for things that do not exist: https://google.aip.dev/211 .
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

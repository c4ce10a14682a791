"""How a call to Google is repeated: again after a growing pause, for what may pass by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from google.api_core import exceptions as gexc
from google.api_core.retry import exponential_sleep_generator

from functions.adapters.credentials import Metadata
from functions.adapters.own_credentials import own_credentials_error
from functions.domain.errors import NeedsOperator

RequestT_contra = TypeVar("RequestT_contra", contravariant=True)
ResponseT_co = TypeVar("ResponseT_co", covariant=True)
ResponseT = TypeVar("ResponseT")

_PASSING_STATUSES = frozenset({408, 425, 429})
"""HTTP statuses below 500 after which the same call may succeed."""


class Method(Protocol[RequestT_contra, ResponseT_co]):
    """A method of an official client, as far as we use it."""

    async def __call__(
        self,
        request: RequestT_contra,
        *,
        retry: None,
        timeout: float,  # noqa: ASYNC109 - the client's own name for its own limit
        metadata: Metadata,
    ) -> ResponseT_co:
        """Call it once."""


def may_pass(error: Exception) -> bool:
    """Whether the same call may succeed in a moment. HTTP's classes, because gRPC's derive from them."""
    if isinstance(error, gexc.MethodNotImplemented) or isinstance(own_credentials_error(error), NeedsOperator):
        return False
    return isinstance(error, gexc.TooManyRequests | gexc.ServerError | gexc.Aborted | gexc.Cancelled)


def passes(status: int) -> bool:
    """Whether an answer with this HTTP status may be another one in a moment."""
    return status >= 500 or status in _PASSING_STATUSES  # noqa: PLR2004


async def repeated(
    attempt: Callable[[], Awaitable[ResponseT]],
    *,
    attempts: int,
    initial: float = 0.25,
    maximum: float = 16.0,
    if_error: Callable[[Exception], bool] = may_pass,
) -> ResponseT:
    """Make an attempt until it succeeds, fails for good, or was made often enough; the last error is raised.

    Args:
        attempt: What is done.
        attempts: How often at most. Attempts and not seconds, because waiting for a turn is no failure.
        initial: About how many seconds the first pause takes; each is up to twice as long as the one before.
        maximum: The longest pause.
        if_error: After which errors it is done again.
    """
    pauses = exponential_sleep_generator(initial, maximum, multiplier=2.0)
    while True:
        attempts -= 1
        try:
            return await attempt()
        except Exception as error:
            if attempts <= 0 or not if_error(error):
                raise
        await asyncio.sleep(next(pauses))

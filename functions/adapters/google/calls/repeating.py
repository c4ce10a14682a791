"""How a call to Google is retried: after a growing pause, if the error may pass by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from google.api_core import exceptions as gexc
from google.api_core.retry import exponential_sleep_generator
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # the package ships stubs but no py.typed

from functions.adapters.google.credentials.capabilities import Metadata
from functions.adapters.own_credentials import own_credentials_error
from functions.adapters.patience import patience
from functions.domain.errors import NeedsOperator

RequestT_contra = TypeVar("RequestT_contra", contravariant=True)
ResponseT_co = TypeVar("ResponseT_co", covariant=True)
ResponseT = TypeVar("ResponseT")

_PASSING_STATUSES = frozenset({408, 425, 429})
"""HTTP statuses below 500 after which the same call may succeed."""


class Method(Protocol[RequestT_contra, ResponseT_co]):
    """The part of an official client's method that we use."""

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
    """Whether the same call may succeed a moment later.

    It checks for the HTTP error classes, because the gRPC classes derive from them.
    """
    if isinstance(error, gexc.MethodNotImplemented) or isinstance(own_credentials_error(error), NeedsOperator):
        return False
    return isinstance(error, gexc.TooManyRequests | gexc.ServerError | gexc.Aborted | gexc.Cancelled)


def passes(status: int) -> bool:
    """Whether a request that got this HTTP status may succeed a moment later."""
    return status >= 500 or status in _PASSING_STATUSES  # noqa: PLR2004


async def repeated(
    attempt: Callable[[], Awaitable[ResponseT]],
    *,
    attempts: int,
    initial: float = 0.25,
    maximum: float = 16.0,
    if_error: Callable[[Exception], bool] = may_pass,
    worth_it: Callable[[int], bool] = lambda _: True,
    wait: Callable[[Exception], float] | None = None,
) -> ResponseT:
    """Repeat an attempt until it succeeds, fails permanently, was made often enough, or the message's time is over.

    The last error is raised.

    Args:
        attempt: The attempt.
        attempts: How often it is made at most.
        initial: About how many seconds the first pause takes; each is up to twice as long as the one before.
        maximum: The longest pause; if a service asks for a longer one, it is not called again before that.
        if_error: Which errors are retried.
        worth_it: Whether to retry after this number of failures.
        wait: Returns how many seconds a service asks to wait after an error; by default as gRPC errors say it.
    """
    pauses = exponential_sleep_generator(initial, maximum, multiplier=2.0)
    mine = patience()
    failures = 0
    with mine.watching() as trouble:
        while True:
            began = mine.now()
            try:
                return await attempt()
            except Exception as error:
                again = if_error(error)
                if again or may_pass(error):  # otherwise the error is an answer, such as 404: the service works
                    trouble.failed(began)
                failures += 1
                pause = max(next(pauses), (wait or asked_to_wait)(error))
                if failures >= attempts or not again or pause >= mine.left or not worth_it(failures):
                    raise
            await mine.sleep(pause)


def asked_to_wait(error: Exception) -> float:
    """How many seconds a service asks to wait before the next attempt; 0 if it does not.

    google.rpc.RetryInfo: https://google.aip.dev/193#retryinfo
    """
    for detail in error.details if isinstance(error, gexc.GoogleAPICallError) else ():
        if isinstance(detail, error_details_pb2.RetryInfo):
            seconds: float = detail.retry_delay.seconds + detail.retry_delay.nanos / 1e9
            return max(seconds, 0.0)
    return 0.0

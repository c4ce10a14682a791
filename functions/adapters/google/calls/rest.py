"""Google's APIs without an asynchronous client: google-api-python-client makes blocking calls, here on threads.

The client is imported at the first call, so that an instance that does not need it starts faster.

docs/google.md says what was compared with Google's reference, and what is not known.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property, partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from functions.adapters.google.calls.repeating import passes, repeated
from functions.adapters.google.calls.services import Service
from functions.adapters.google.credentials.capabilities import Credentials, Metadata, accepted
from functions.adapters.patience import limit
from functions.domain.errors import AttendanceError, TokenNotAccepted, Unavailable

if TYPE_CHECKING:
    import httplib2  # type: ignore[import-untyped]  # the package has no py.typed

ATTEMPT_TIMEOUT = 10.0
"""Seconds that a connection may be silent."""

ANSWER_TIMEOUT = 20.0
"""Seconds for one answer, including the time until a thread is free."""

ATTEMPTS = 4
"""How often one call is made at most, with pauses of at most two seconds."""

THREADS = 32
"""How many calls may run at once in one instance; further ones wait. If nobody waits for a thread any more, its timeout
ends it."""

_NOT_THERE = frozenset({404, 410})
_CLASHES = frozenset({409, 412})
_QUOTA_REASONS = frozenset(
    {
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "quotaExceeded",
        "dailyLimitExceeded",
        "RATE_LIMIT_EXCEEDED",
        "RESOURCE_EXHAUSTED",
    }
)
_QUOTA_DOMAIN = "usageLimits"
"""The domain that errors about quotas share: https://developers.google.com/workspace/calendar/api/guides/errors."""

_API_OFF_REASONS = frozenset({"SERVICE_DISABLED", "accessNotConfigured"})
_SCOPE_REASONS = frozenset({"ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientPermissions"})


class _AskedToWait(Exception):
    """The service says how long to wait before the next attempt; `error` is the error that we raise for the failure."""

    def __init__(self, error: Exception, seconds: float) -> None:
        super().__init__()
        self.error = error
        self.seconds = seconds


class Missing(Exception):
    """The service does not have what it was asked for.

    Adapters treat this as an answer; use cases never see this error.
    """


@dataclass(frozen=True, slots=True)
class Api:
    """How one of the services is called by REST.

    Attributes:
        service: Its row.
        name: The name that `googleapiclient.discovery.build` expects.
        version: Likewise.
        path: How its paths begin, after the host.
        is_changed: Whether we change data there: then 409 (an id that is in use) and 412 (another version) are answers.
            For an API that we only read, they are temporary failures.
        by_words: Which error we raise for an invalid request (400), by words of its message, where Google gives no
            reason.
    """

    service: Service
    name: str
    version: str
    path: str = ""
    is_changed: bool = False
    by_words: Mapping[str, Callable[[str], AttendanceError]] = field(default_factory=dict)


class RestApi:
    """One of Google's REST APIs, called as one person at a time.

    Args:
        api: Which.
        endpoint: `host:port` of the real service, or `http://127.0.0.1:PORT` of a stand-in.
        attempts: How often one call is made at most.
    """

    def __init__(self, api: Api, endpoint: str, *, attempts: int = ATTEMPTS) -> None:
        self._api = api
        self._service = api.service
        self._local = endpoint.startswith("http://")
        self._url = f"{endpoint if self._local else f'https://{endpoint}'}/{api.path}"
        self._attempts = attempts
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=api.name)
        self._own = threading.local()
        self._connections: list[httplib2.Http] = []
        self._closed = False

    def close(self) -> None:
        """Close threads and connections; a running call may fail."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for connections in self._connections:
            connections.close()

    async def call(self, request: Callable[[Any], Any], credentials: Credentials) -> Mapping[str, Any]:
        """Make a request and return the answer.

        Args:
            request: Builds the request with the client's service object, without network access.
            credentials: Whose account the calls use.

        Raises:
            Missing: The service does not have what was asked for.
            Clash: The service has stored something else meanwhile; only for an API that we change. Unavailable,
            ApiDisabled, AccessDenied, RequestRefused: See `Service`.
        """
        loop = asyncio.get_running_loop()

        async def once(metadata: Metadata) -> Mapping[str, Any]:
            work: Awaitable[Mapping[str, Any]] = loop.run_in_executor(
                self._threads, partial(self._answer, request, dict(metadata))
            )
            try:
                async with asyncio.timeout(limit(ANSWER_TIMEOUT)):
                    return await work
            except TimeoutError:
                # Its thread ends by the timeout of its connection.
                raise self._service.unavailable(f"The {self._service.title} does not answer in time.") from None

        try:
            return await repeated(
                lambda: accepted(credentials, once, unless=TokenNotAccepted),
                attempts=self._attempts,
                maximum=2.0,
                if_error=lambda error: isinstance(error, (_AskedToWait, Unavailable)),
                wait=lambda error: error.seconds if isinstance(error, _AskedToWait) else 0.0,
            )
        except _AskedToWait as asked:
            raise asked.error from None

    def _answer(self, request: Callable[[Any], Any], headers: Mapping[str, str]) -> Mapping[str, Any]:
        """Call once and wait for the answer; runs on a thread."""
        import httplib2  # noqa: PLC0415 - see the module
        from googleapiclient.errors import HttpError  # type: ignore[import-untyped]  # noqa: PLC0415

        made = request(self._collections)
        made.headers.update(headers)
        try:
            answer = made.execute(http=self._http(), num_retries=0)
        except HttpError as error:
            told = _told(error.content)
            named = self._named(int(error.resp.status), told)
            seconds = max(_seconds_until(error.resp.get("retry-after", "")), told.wait)
            if seconds and isinstance(named, Unavailable):
                raise _AskedToWait(named, seconds) from None
            raise named from None
        except (OSError, ValueError, TypeError, LookupError, HTTPException, httplib2.HttpLib2Error) as error:
            # There was no answer, or an error in a form that the client cannot read. The next call must not read the
            # rest of it.
            self._http().close()
            kind = type(error).__name__
            raise self._service.unavailable(f"The {self._service.title} does not answer ({kind}).") from None
        finally:
            if self._closed:
                self._http().close()  # the client may have connected again
        if made.method == "DELETE" and not answer:
            return {}  # 204, which has no content
        if not isinstance(answer, dict):
            # With a 200, the client returns any text as it came, such as a proxy's page.
            raise self._service.unavailable(f"The {self._service.title} does not answer with JSON.")
        return answer

    @cached_property
    def _collections(self) -> _Collections:
        from googleapiclient import discovery  # type: ignore[import-untyped]  # noqa: PLC0415

        return _Collections(
            discovery.build(
                self._api.name,
                self._api.version,
                http=self._http(),
                static_discovery=True,
                cache_discovery=False,
                client_options={"api_endpoint": self._url},
            )
        )

    def _http(self) -> httplib2.Http:
        """This thread's own connections, which no other thread may use; they contain no credentials."""
        http: httplib2.Http | None = getattr(self._own, "http", None)
        if http is None:
            import httplib2  # noqa: PLC0415 - see the module

            # A stand-in is on this machine, so no proxy is used.
            proxy = None if self._local else httplib2.proxy_info_from_environment
            http = self._own.http = httplib2.Http(timeout=ATTEMPT_TIMEOUT, proxy_info=proxy)
            self._connections.append(http)
        return http

    def _named(self, status: int, told: _Told) -> AttendanceError | Missing:
        """Our error for an error of Google's. https://developers.google.com/workspace/admin/directory/v1/limits ."""
        reasons, words, service = told.reasons, told.words, self._service
        if status in _NOT_THERE and told.is_googles:
            return Missing()
        if status in _NOT_THERE:
            # A page of a proxy or of Google's front end says nothing about what was asked for.
            return service.unavailable(f"The {service.title} does not answer with JSON (HTTP {status}).")
        if status in _CLASHES:
            # For an API that we only read, it says nothing about the request.
            words = f"The {service.title} reports a conflict with what it has stored (HTTP {status})."
            return service.clash(words) if self._api.is_changed else service.unavailable(words)
        if status == 403 and reasons & _API_OFF_REASONS:  # noqa: PLR2004 - before quotas, whose domain it has as well
            return self._off(status)
        if passes(status) or reasons & _QUOTA_REASONS or told.of_quota:
            return service.unavailable(f"The {service.title} does not answer (HTTP {status}).")
        if status == 403 and "has not been used in project" in words:  # noqa: PLR2004
            return self._off(status)
        if status == 403 and (reasons & _SCOPE_REASONS or "insufficient authentication scopes" in words):  # noqa: PLR2004
            return service.scope_missing(f"The token lacks a scope that the {service.title} needs (HTTP {status}).")
        if status in {401, 403}:
            refusal = service.token_not_accepted if status == 401 else service.denied  # noqa: PLR2004
            return refusal(f"The {service.title} refuses access to the account that was used (HTTP {status}).")
        return self._invalid(status, words)

    def _invalid(self, status: int, words: str) -> AttendanceError:
        service = self._service
        for known, error in self._api.by_words.items():
            if status == 400 and known in words:  # noqa: PLR2004 - an HTTP status
                return error(f"The {service.title} calls the request invalid: {known} (HTTP {status}).")
        return service.refused(f"The {service.title} calls the request invalid (HTTP {status}).")

    def _off(self, status: int) -> AttendanceError:
        return self._service.disabled(f"The {self._service.title} is not enabled (HTTP {status}).")


class _Collections:
    """The client's service object, which keeps each collection, such as `users()`.

    The client makes all methods of a collection again whenever it is asked for it: 1 to 5 milliseconds for each call.
    What it made holds no state of a call, so threads may share it.
    """

    def __init__(self, service: object) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Callable[[], Any]:
        made = getattr(self._service, name)()
        # From now on it is found without asking for it here. Two threads may both have made one: either will do.
        kept = self.__dict__[name] = lambda: made
        return kept


@dataclass(frozen=True, slots=True)
class _Told:
    """The content of an error's body.

    Attributes:
        is_googles: Whether it is an error in the form of Google's APIs, and not a web page.
        reasons: Reasons of the old and of the new style, and the name of the status.
        of_quota: Whether it reports that a usage limit was reached.
        words: Its message.
        wait: How many seconds it asks to wait; 0 if it does not ask.
    """

    is_googles: bool = False
    reasons: frozenset[str] = frozenset()
    of_quota: bool = False
    words: str = ""
    wait: float = 0.0


def _told(content: bytes) -> _Told:
    """Parse an error's body, of the old or the new style.

    Some services put it into a list, which Google's own client also handles.

    https://google.aip.dev/193 and https://developers.google.com/workspace/admin/directory/v1/guides/troubleshoot-error-codes
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return _Told()
    if isinstance(body, list):
        body = body[0] if body else None
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return _Told()
    entries = [
        entry
        for entries in (error.get("errors"), error.get("details"))
        if isinstance(entries, list)
        for entry in entries
        if isinstance(entry, dict)
    ]
    reasons = (error.get("status"), *(entry.get("reason") for entry in entries))
    return _Told(
        is_googles=True,
        reasons=frozenset(reason for reason in reasons if isinstance(reason, str)),
        of_quota=any(entry.get("domain") == _QUOTA_DOMAIN for entry in entries),
        words=str(error.get("message", "")),
        wait=max((_seconds(entry.get("retryDelay")) for entry in entries), default=0.0),
    )


def _seconds(told: object) -> float:
    """The seconds of a JSON Duration (`1.5s`) of google.rpc.RetryInfo: https://google.aip.dev/193#retryinfo ."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)s", told) if isinstance(told, str) else None
    return float(match[1]) if match else 0.0


def _seconds_until(told: str) -> float:
    """How long the header `Retry-After` asks to wait: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after ."""
    if re.fullmatch(r"\d{1,9}", told, re.ASCII):
        return float(told)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        return 0.0
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)

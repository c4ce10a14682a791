"""Google access tokens, for one person and one capability: fetched when needed and kept until they expire.

The official library (google-auth) fetches them with blocking calls, so it runs on threads and the event loop continues.

docs/google.md says what was compared with Google's reference, and what is not known.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from google.auth import transport
from google.auth.exceptions import GoogleAuthError

from functions.adapters.consent.errors import ConsentsUnavailable
from functions.adapters.google.calls.repeating import passes
from functions.adapters.google.credentials.capabilities import Capability, Metadata
from functions.adapters.patience import limit, watched
from functions.domain.conferences.model import Organizer
from functions.domain.errors import AttendanceError, CredentialsRefused, CredentialsUnavailable, NeedsOperator
from functions.ports.clock import Clock

if TYPE_CHECKING:
    from google.auth.credentials import Credentials as LibraryCredentials
    from requests import Session

T = TypeVar("T")

BEFORE_ITS_END = timedelta(minutes=4)
"""A token is replaced this long before it expires, as Google's library does, because running calls still need it."""

FAILURE_KEPT = timedelta(seconds=10)
"""How long a refusal, or an old token that cannot be replaced, answers further calls: the calls of one reading come at
the same time, and should not all ask Google again."""

ALLOWED_FOR = timedelta(minutes=1)
"""How long the result of a check that calls may be made as somebody is used: calls must end soon after a teacher is
removed."""

YOUNG = timedelta(seconds=30)
"""If a service refuses a token that is younger than this, fetching a new one does not help."""

ANSWER_TIMEOUT = 10.0
"""Seconds for one answer of the token endpoint or the IAM Credentials API."""

FETCH_TIMEOUT = 30.0
"""Seconds for one token, including all its requests and the retries of Google's library."""

THREADS = 16
"""How many tokens are fetched at the same time in one instance; further ones wait."""

_PASSING = frozenset({"internal_failure", "server_error", "temporarily_unavailable", "rate_limit_exceeded"})
"""Codes of errors that may pass, with any status; Google's library retries all of them except the last.

The last comes with 403: https://support.google.com/cloud/answer/9028764"""

IAM_CREDENTIALS = "https://iamcredentials.googleapis.com"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token, and when it expires."""

    value: str = field(repr=False)
    ends_at: datetime


class TokenCredentials:
    """`Credentials` with access tokens; all calls for the same person and capability share one object.

    Args:
        fetch: Returns a new token, or raises CredentialsUnavailable, ConsentsUnavailable or a NeedsOperator.
        allowed: Raises if calls may no longer be made as this person.
        now: The time of this machine, by which Google's library says when tokens expire.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[AccessToken]], *, allowed: Callable[[], Awaitable[object]], now: Clock
    ) -> None:
        self._fetch = fetch
        self._allowed = allowed
        self._allowed_at = datetime.min.replace(tzinfo=UTC)
        self._now = now
        self._token: AccessToken | None = None
        self._fetched_at = datetime.min.replace(tzinfo=UTC)
        self._unanswered_at = self._fetched_at
        self._failure: AttendanceError | None = None
        self._one_at_a_time = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """See `Credentials`."""
        token = self._valid()
        if token is None or not self._surely_allowed():
            async with self._one_at_a_time:
                token = await self._still_allowed() or await self._fetched()
        return (("authorization", f"Bearer {token.value}"),)

    def renew(self, metadata: Metadata) -> bool:
        """See `Credentials`."""
        token = self._token
        if token is None or ("authorization", f"Bearer {token.value}") not in metadata:
            return True  # another call has renewed it meanwhile
        if self._now() - self._fetched_at < YOUNG:
            return False
        self._token = None
        return True

    def _valid(self) -> AccessToken | None:
        now, token = self._now(), self._token
        # While no new token can be fetched, the old one is used until it expires, without a new attempt for each call.
        early = timedelta(0) if now - self._unanswered_at < FAILURE_KEPT else BEFORE_ITS_END
        return token if token and now < token.ends_at - early else None

    def _surely_allowed(self) -> bool:
        return self._now() - self._allowed_at < ALLOWED_FOR

    async def _still_allowed(self) -> AccessToken | None:
        """The valid token, if one exists and the account may still be used."""
        token = self._valid()
        if token and not self._surely_allowed():
            await self._allowed()
            self._allowed_at = self._now()
        return token

    async def _fetched(self) -> AccessToken:
        asked_at = self._now()
        if self._failure and asked_at - self._fetched_at < FAILURE_KEPT:
            # A new error for each caller, because the traceback of a shared one would grow with each of them.
            raise type(self._failure)(self._failure.message, hint=self._failure.hint)
        try:
            token = await self._fetched_in_time()
        except NeedsOperator as error:
            # The time counts from now, because the error may have taken long to arrive.
            self._failure, self._token, self._fetched_at = error, None, self._now()
            raise
        except (CredentialsUnavailable, ConsentsUnavailable):
            self._unanswered_at = self._now()
            held = self._valid()
            if held is None:
                raise
            return held
        self._failure, self._token, self._fetched_at, self._allowed_at = None, token, asked_at, asked_at
        return token

    async def _fetched_in_time(self) -> AccessToken:
        """Fetch a new token. If no token comes in time, nothing else for this message can be done either."""
        with watched():
            try:
                async with asyncio.timeout(limit(FETCH_TIMEOUT)):
                    return await self._fetch()
            except TimeoutError:
                raise CredentialsUnavailable("Google did not give an access token in time.") from None


class TokenPool:
    """Makes the credentials of teachers: checks which accounts may be used, fetches tokens, reports refusals.

    Args:
        fetch: Returns a new token for a teacher and a capability; raises the same errors as `Credentials.metadata`.
        permitted: Returns the teacher with account and address; raises TeacherNotAllowed.
        refused: Records that Google refuses a token for a teacher.
        now: The time of this machine.
    """

    def __init__(
        self,
        fetch: Callable[[Organizer, Capability], Awaitable[AccessToken]],
        *,
        permitted: Callable[[Organizer, Capability], Awaitable[Organizer]],
        refused: Callable[[Organizer, Capability, CredentialsRefused], Awaitable[None]],
        now: Clock,
    ) -> None:
        self._fetch = fetch
        self._permitted = permitted
        self._refused = refused
        self._now = now

    def __call__(self, organizer: Organizer, capability: Capability) -> TokenCredentials:
        """The credentials of one teacher for one capability; makes no network calls."""
        allowed = partial(self._permitted, organizer, capability)
        return TokenCredentials(partial(self._token, organizer, capability), allowed=allowed, now=self._now)

    async def _token(self, organizer: Organizer, capability: Capability) -> AccessToken:
        teacher = await self._permitted(organizer, capability)
        try:
            return await self._fetch(teacher, capability)
        except CredentialsRefused as error:
            await self._refused(teacher, capability, error)
            raise


@dataclass(frozen=True, slots=True)
class TokenRefusal:
    """An answer other than 200: the address that gave it, its status, and its body if that is JSON."""

    url: str
    status: int
    body: Mapping[str, Any]

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later.

        A 403 with a web page means that Google's front end got too many requests:
        https://github.com/googleapis/google-oauth-java-client/issues/57
        """
        return passes(self.status) or self._error in _PASSING or (self.status == 403 and not self.body)  # noqa: PLR2004

    @property
    def code(self) -> str:
        """The token endpoint's error code; empty for an error that may pass."""
        return "" if self.may_pass else self._error

    @property
    def _error(self) -> str:
        return str(self.body.get("error", ""))


class TokenRequests:
    """How Google's library reaches the token endpoint and the IAM Credentials API: on threads, and with time limits.

    Args:
        token_endpoint: `host:port` of the real service, or `http://127.0.0.1:PORT` of a stand-in.
        iam_endpoint: The same for the IAM Credentials API.
    """

    def __init__(self, token_endpoint: str, iam_endpoint: str) -> None:
        self.is_local = token_endpoint.startswith("http://")
        self.token_uri = f"{_url(token_endpoint)}/token"
        self._iam_url = _url(iam_endpoint)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tokens")
        self._own = threading.local()

    def close(self) -> None:
        """Close the threads; a caller that still waits for a token may get none."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def on_thread(self, work: Callable[[Requests], T]) -> T:
        """Run blocking work that makes requests, and return its result."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(self._with_requests, work))

    def _with_requests(self, work: Callable[[Requests], T]) -> T:
        session: Session | None = getattr(self._own, "session", None)
        if session is None:
            import requests  # noqa: PLC0415 - an instance without Google's tokens starts without it

            session = self._own.session = requests.Session()
            session.trust_env = not self.is_local  # a stand-in is on this machine, so no proxy is used
        return work(Requests(session, self._iam_url))


class Requests(transport.Request):
    """google-auth's transport for the requests behind one token.

    `refused` is the last answer that was not a success.
    """

    def __init__(self, session: Session, iam_url: str) -> None:
        from google.auth.transport.requests import Request  # noqa: PLC0415 - as above

        self.refused: TokenRefusal | None = None
        self._request = Request(session)
        self._iam_url = iam_url

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **more: Any,  # noqa: ANN401 - as the library defines it
    ) -> transport.Response:
        """Make one request; requests to the IAM Credentials API go to the address in the settings."""
        if url.startswith(f"{IAM_CREDENTIALS}/"):
            url = self._iam_url + url.removeprefix(IAM_CREDENTIALS)
        limit = timeout or ANSWER_TIMEOUT
        answer: transport.Response = self._request(
            url, method=method, body=body, headers=headers, timeout=limit, **more
        )
        if answer.status != 200:  # noqa: PLR2004 - an HTTP status
            self.refused = TokenRefusal(url, answer.status, _json(answer.data))
        return answer

    @property
    def signing_refused(self) -> TokenRefusal | None:
        """The last refused answer, if it came from the IAM Credentials API."""
        return self.refused if self.refused and self.refused.url.endswith(":signBlob") else None


def fetched(credentials: LibraryCredentials, requests: Requests) -> AccessToken:
    """Fetch a new token with the library's credentials; blocks, and raises google.auth's errors."""
    try:
        credentials.refresh(requests)  # type: ignore[no-untyped-call] # the package has no types
    except (LookupError, TypeError, ValueError) as error:
        if isinstance(error, GoogleAuthError):
            raise
        # The library does not check the form of an answer, which may be a proxy's page.
        raise CredentialsUnavailable(f"The token endpoint's answer is not a token ({type(error).__name__}).") from None
    ends_at: datetime | None = credentials.expiry
    if not credentials.token or ends_at is None:
        raise CredentialsUnavailable("The token endpoint answered without a token, or without its expiry time.")
    return AccessToken(credentials.token, ends_at.replace(tzinfo=UTC))


def _url(endpoint: str) -> str:
    return endpoint if endpoint.startswith("http://") else f"https://{endpoint.removesuffix(':443')}"


def _json(content: bytes) -> Mapping[str, Any]:
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}

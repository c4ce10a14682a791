"""The guards between the network and the routes. They are plain ASGI, so that nothing is routed or read too early."""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
from collections.abc import Callable, Mapping
from time import monotonic

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions import logs
from functions.adapters.patience import Patience
from functions.domain.classes.sessions import CallerRole
from functions.domain.errors import AttendanceError, OutOfTime
from functions.entrypoints.api import problems
from functions.entrypoints.api.callers import caller_of
from functions.entrypoints.api.problems import Problem
from functions.ports.google import IdTokens

log = logging.getLogger(__name__)

TIME = 280.0
"""Seconds that a request may take: within the function's 300, with time left to answer."""

MAX_BODY_BYTES = 1_000_000

CALLER = "attendance.caller"
"""The key of the caller in the scope."""

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_CLOUD_TRACE = re.compile(r"(?P<trace>[0-9a-f]{32})(?:/(?P<span>\d{1,20}))?(?:;.*)?")


class Edge:
    """The outermost guard: it logs one access line, prevents caching, and answers every error in our form.

    The line contains the route's template, never the path or the query, because these may contain addresses.

    Args:
        app: The application that it guards.
        within: Seconds that a request may take.
        patience: How long a request waits for services that fail.
    """

    def __init__(self, app: ASGIApp, *, within: float = TIME, patience: Callable[[], Patience] = Patience) -> None:
        self._app = app
        self._within = within
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        began = monotonic()
        head = scope["method"] == "HEAD"
        # A copy, because the framework around us has put its own route into the original.
        inner: Scope = {**scope, "method": "GET" if head else scope["method"], "path_params": {}, "route": None}
        answer = _Answer(send, without_body=head)
        with logs.context(traceparent=_traceparent(Headers(scope=scope))):
            try:
                with self._patience().started(within=self._within):
                    async with asyncio.timeout(self._within):
                        await self._app(inner, receive, answer.send)
            except TimeoutError:
                late = OutOfTime(f"The work was not done within {self._within:.0f} seconds.")
                await answer.end_with(problems.of(late), scope, receive)
            except Exception as error:  # noqa: BLE001 - the framework would print the path, which may hold an address
                log.error("request.failed", extra={"error": type(error).__name__, "stack_trace": _frames(error)})  # noqa: TRY400 - as above
                await answer.end_with(problems.INTERNAL, scope, receive)
            log.info(
                "request.answered",
                extra={
                    "method": scope["method"],
                    "route": getattr(inner["route"], "path_format", None),
                    "status": answer.status,
                    "milliseconds": round((monotonic() - began) * 1000),
                },
            )


class _Answer:
    """Passes the answer on, and notes its status."""

    def __init__(self, send: Send, *, without_body: bool) -> None:
        self._send = send
        self._without_body = without_body
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=list(message["headers"]))
            headers["Cache-Control"] = "no-store"
            headers["X-Content-Type-Options"] = "nosniff"
            message = {**message, "headers": headers.raw}
        elif self._without_body and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)

    async def end_with(self, problem: Problem, scope: Scope, receive: Receive) -> None:
        """Answer with a problem, if no answer has begun."""
        if self.status is None:
            await problem.response()(scope, receive, self.send)


class OnlyCallers:
    """Accepts only accounts in API_CALLERS, and does not show others what exists.

    Args:
        app: The application that it guards.
        roles: Roles by e-mail.
        tokens: Checks tokens and says which account they are for.
    """

    def __init__(self, app: ASGIApp, roles: Mapping[str, CallerRole], tokens: IdTokens) -> None:
        self._app = app
        self._roles = roles
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            scope[CALLER] = await caller_of(Headers(scope=scope), self._roles, self._tokens)
        except AttendanceError as error:
            await problems.of(error).response()(scope, receive, send)
            return
        await self._app(scope, receive, send)


class SmallJsonBodies:
    """Reads the body before anything else does: only JSON, and only up to a limit.

    Args:
        app: The application that it guards.
        limit: Bytes.
    """

    def __init__(self, app: ASGIApp, *, limit: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        body = None if declared.isdecimal() and int(declared[:20]) > self._limit else await self._read(receive)
        if body is None:
            await problems.too_large(self._limit).response()(scope, receive, send)
        elif body and not _is_json(headers.get("content-type")):
            await problems.WRONG_MEDIA_TYPE.response()(scope, receive, send)
        else:
            as_json = [pair for pair in scope["headers"] if pair[0].lower() != b"content-type"]
            scope["headers"] = [*as_json, (b"content-type", b"application/json")]
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None if it is too large. The server discards the rest."""
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._limit:
                return None
            more = message.get("more_body", False)  # a caller that disconnected sends nothing more either
        return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return parts.pop() if parts else await receive()

    return again


def _is_json(content_type: str | None) -> bool:
    """Whether a body is declared as JSON, or has no declared type."""
    kind = (content_type or "application/json").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _traceparent(headers: Headers) -> str | None:
    """The trace of the request, in the W3C's form, from either header."""
    given = headers.get("traceparent", "")
    if _TRACEPARENT.fullmatch(given):
        return given
    old = _CLOUD_TRACE.fullmatch(headers.get("x-cloud-trace-context", ""))
    return f"00-{old['trace']}-{int(old['span'] or 0):016x}-00" if old else None


def _frames(error: BaseException) -> str:
    """Where an error comes from, without its message, which may contain what the caller sent."""
    lines: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        lines += [type(cause).__name__, "\n", *traceback.format_tb(cause.__traceback__)]
        cause = cause.__cause__ or cause.__context__
    return "".join(lines)

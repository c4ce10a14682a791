"""Where Google's answer arrives: Google sends the teacher's browser to a port that only this computer can reach.

We do not use the library's own listener, because it takes the first connection for the answer, and browsers also open
connections without a request. Here only a request with the right `state` counts, and any number of others may come
first. https://developers.google.com/identity/protocols/oauth2/native-app#redirect-uri_loopback
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import html
from collections.abc import Mapping
from http import HTTPStatus
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from functions.adapters.consent.errors import ConsentNotGiven

HOST = "127.0.0.1"
REQUEST_TIME = 10.0
"""How many seconds one request may take to arrive."""

_MOST_BYTES = 1 << 15

_GIVEN = "Thank you. Go back to the terminal: it shows what was granted and whether it was stored."
_DENIED = "Nothing was granted and nothing was stored. You can close this page."
_ELSE = "This page does not exist."


class Loopback:
    """Listens on the port while its context is entered.

    Args:
        port: The port to listen on; 0 for any free port, which `port` then is.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._state: str | None = None
        self._server: asyncio.Server | None = None
        self._answer: asyncio.Future[Mapping[str, str]] | None = None

    @property
    def redirect_uri(self) -> str:
        """The address to which the browser should be sent."""
        return f"http://{HOST}:{self.port}/"

    async def __aenter__(self) -> Self:
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self._server = await asyncio.start_server(self._serve, HOST, self.port, limit=_MOST_BYTES)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise ConsentNotGiven(
                f"Port {self.port} cannot be used"
                f"{': another program uses it' if taken else f' ({type(error).__name__})'}. Nothing was stored.",
                hint="Choose another port with --port, or leave --port out to use any free port.",
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def answer(self, state: str, *, within: float) -> Mapping[str, str]:
        """Wait for the answer that the browser brings from Google: `code` or `error`.

        Args:
            state: The value by which the answer is distinguished from other requests.
            within: Seconds.

        Raises:
            ConsentNotGiven: Nothing came.
        """
        assert self._answer is not None, "it is not entered"  # noqa: S101 - a mistake of ours alone
        self._state = state
        try:
            return await asyncio.wait_for(asyncio.shield(self._answer), within)
        except TimeoutError:
            raise ConsentNotGiven(
                f"Nobody consented within {within:.0f} seconds. Nothing was stored.",
                hint="Run the command again (--timeout gives more time). If Google's page said that access is blocked, "
                "docs/oauth.md says who can allow it.",
            ) from None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIME):
                head = await reader.readuntil(b"\r\n\r\n")
                found = self._found(head)
                writer.write(_page(found))
                await writer.drain()
            if found is not None and self._answer is not None and not self._answer.done():
                self._answer.set_result(found)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            return  # browsers also open connections that they may never use
        finally:
            writer.close()

    def _found(self, head: bytes) -> Mapping[str, str] | None:
        """The parameters of a request; None if it is not the expected answer."""
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        try:
            target = urlsplit(rest.partition(" ")[0])
        except ValueError:
            return None
        brought = dict(parse_qsl(target.query))
        is_expected = self._state is not None and hmac.compare_digest(
            brought.get("state", "").encode(), self._state.encode()
        )
        says = "code" in brought or "error" in brought
        return brought if method == "GET" and target.path == "/" and is_expected and says else None


def _page(found: Mapping[str, str] | None) -> bytes:
    status = HTTPStatus.NOT_FOUND if found is None else HTTPStatus.OK
    words = _ELSE if found is None else _DENIED if "error" in found else _GIVEN
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Meet Attendance</title>'
        f"<h1>Meet Attendance</h1><p>{html.escape(words)}</p></html>"
    ).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Content-Security-Policy: default-src 'none'\r\n"
        "Cache-Control: no-store\r\n"
        "Referrer-Policy: no-referrer\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body

"""Lists of Google's REST APIs: read completely, from the first page to the last, or not at all.

A page token is valid only for its own query, and may expire: the service then answers 400 (https://google.aip.dev/158),
Calendar also 410. In this case the list is read again from its first page. Somebody reported that the Reports API
returns the same token again and again (https://github.com/googleapis/google-api-go-client/issues/755). This is not the
end of a list, so what was read until then does not count as the whole list.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from functions.adapters.google.calls.rest import Api, Missing
from functions.domain.errors import RequestRefused

T = TypeVar("T")

MOST_PAGES = 500
"""None of our queries has an answer with more pages than this."""

BEGINNINGS = 3
"""How often a list is begun at most if its page tokens are refused."""


class _TokenRefused(Exception):
    """The service does not accept a page token that it returned itself."""


async def all_pages(read: Callable[[str | None], Awaitable[tuple[T, str | None]]], *, of: Api) -> list[T]:
    """The items of all pages of a list, in order.

    Args:
        read: Returns the items of a token's page (None: the first page) and the token of the next page.
        of: The API that has the list.

    Raises:
        Missing: The first page was answered with this error.
        AttendanceError: As above; or the API's `unavailable` error, if the list does not end or its tokens are refused.
    """
    for _ in range(BEGINNINGS):
        try:
            return await _read_through(read, of)
        except _TokenRefused:
            continue
    raise of.service.unavailable(f"The {of.service.title} rejects its own page tokens.")


async def _read_through(read: Callable[[str | None], Awaitable[tuple[T, str | None]]], of: Api) -> list[T]:
    page, token = await read(None)
    pages, used = [page], set[str]()
    while token:
        if token in used or len(pages) == MOST_PAGES:
            raise of.service.unavailable(f"The {of.service.title} keeps returning more pages without end.")
        used.add(token)
        try:
            page, token = await read(token)
        except (RequestRefused, Missing):
            # The first page was accepted, and only the token is new.
            raise _TokenRefused from None
        pages.append(page)
    return pages

"""Lists of Google's REST APIs, read from the first page to the last or not at all.

A page token is good for the question that it came with, and not for ever: a service may let it expire, and answers 400
then (https://google.aip.dev/158), Calendar also 410. The list is read from its first page again. The Reports API is
reported to give one token again and again (https://github.com/googleapis/google-api-go-client/issues/755): that is no
end of a list, so what was read is not taken for all of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from functions.adapters.google.calls.rest import Api, Missing
from functions.domain.errors import RequestRefused

T = TypeVar("T")

MOST_PAGES = 500
"""More pages than this are the answer to none of our questions."""

BEGINNINGS = 3
"""How often a list is begun whose page tokens are refused."""


class _TokenRefused(Exception):
    """The service does not take a page token that it gave itself."""


async def all_pages(read: Callable[[str | None], Awaitable[tuple[T, str | None]]], *, of: Api) -> list[T]:
    """What is on every page of a list, in order.

    Args:
        read: Gives what is on the page of a token (None: the first page) and the token of the next page.
        of: The API that is asked.

    Raises:
        Missing: The first page's answer.
        AttendanceError: Likewise; or the API's `unavailable`, if the list has no end or its tokens are not taken.
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
            # The first page was taken, and nothing but the token is new.
            raise _TokenRefused from None
        pages.append(page)
    return pages

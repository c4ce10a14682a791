"""Page tokens: where a list continues, and the moment that all its pages show.

A token belongs to one query, and contains only times and ids. It is opaque, but not secret: by its digest, damaged
tokens and tokens of other queries are recognised, and a forged token shows nothing that the query would not show
anyway.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from functions.domain.errors import InvalidRequest, ReadTooOld
from functions.entrypoints.api.schemas.fields import DOCUMENT_ID
from functions.ports.views import Page, PagePosition, Paging

LIFETIME = timedelta(hours=1)

AHEAD = timedelta(minutes=5)
"""By how much the clock that read a page may be ahead of this machine's clock."""

_ID = re.compile(DOCUMENT_ID)
_PATH = re.compile(f"sessions/{DOCUMENT_ID}(?:/attendance/{DOCUMENT_ID})?")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def paging(token: str | None, *, size: int, query: Mapping[str, object], now: datetime) -> Paging:
    """The requested part of a list.

    Args:
        token: The token from the previous page; None begins the list.
        size: The largest number of documents on the page.
        query: Everything that decides what is in the list.
        now: The current time.

    Raises:
        InvalidRequest: The token does not belong to this query.
        ReadTooOld: It is more than an hour old.
    """
    if not token:
        return Paging(size=size)
    read_at, position = _decoded(token, query)
    if read_at > now + AHEAD:
        raise _of_another_list()
    if read_at < now - LIFETIME:
        raise ReadTooOld("The page_token is more than an hour old.")
    return Paging(size=size, after=position, read_at=read_at)


def next_token(page: Page, *, query: Mapping[str, object]) -> str | None:
    """The token for the next page; None if this page is the last."""
    if page.next_after is None:
        return None
    what = [_plain(page.read_at), *map(_plain, page.next_after)]
    return base64.urlsafe_b64encode(json.dumps([_digest(what, query), *what]).encode()).decode().rstrip("=")


def _decoded(token: str, query: Mapping[str, object]) -> tuple[datetime, PagePosition]:
    changes = query.get("updated_since") is not None  # a list in the order of the last change
    try:
        match json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))):
            case [str() as digest, int() as read_at, int() as start, str() as document_id, str() as path] if (
                not changes
                and digest == _digest([read_at, start, document_id, path], query)
                and _ID.fullmatch(document_id)
                and _PATH.fullmatch(path)
            ):
                return _moment(read_at), (_moment(start), document_id, path)
            case [str() as digest, int() as read_at, int() as changed_at, str() as path] if (
                changes and digest == _digest([read_at, changed_at, path], query) and _PATH.fullmatch(path)
            ):
                return _moment(read_at), (_moment(changed_at), path)
    except (binascii.Error, ValueError, OverflowError, RecursionError):
        pass
    raise _of_another_list()


def _of_another_list() -> InvalidRequest:
    return InvalidRequest.of(
        "page_token", "does not belong to this list: send the next_page_token of the previous page, with the same query"
    )


def _digest(what: list[int | str], query: Mapping[str, object]) -> str:
    canonical = json.dumps([what, {name: str(value) for name, value in query.items()}], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:20]


def _plain(value: datetime | str) -> int | str:
    """A value in a form for JSON: a time becomes microseconds."""
    return value if isinstance(value, str) else (value - _EPOCH) // _MICROSECOND


def _moment(number: int) -> datetime:
    return _EPOCH + number * _MICROSECOND

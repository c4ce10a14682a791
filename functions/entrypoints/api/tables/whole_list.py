"""All pages of a list of attendance, as the rows of one file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.domain.errors import InvalidRequest
from functions.entrypoints.api.tables.attendance import Cell, attendance_head, attendance_rows
from functions.ports.views import AttendanceFilter, Paging, Views

MAX_ROWS = 20_000
"""How many rows a file has at most: with them it stays within what a function may answer at once."""

_PART = 500
"""How many documents are read at once."""


async def whole_list(
    wanted: AttendanceFilter, *, views: Views, time_zone: str, limit: int = MAX_ROWS
) -> list[list[Cell]]:
    """The head, then a row for each attendance, oldest class first, all as of one moment.

    Args:
        wanted: Whose attendance.
        views: Where it is read.
        time_zone: The school's, where a document does not name its own.
        limit: How many rows there may be.

    Raises:
        InvalidRequest: There are more. A list is never cut.
    """
    documents = await whole_documents(wanted, views=views, limit=limit)
    return [list(attendance_head()), *attendance_rows(documents, time_zone=time_zone)]


async def whole_documents(
    wanted: AttendanceFilter, *, views: Views, limit: int = MAX_ROWS, field: str = "from"
) -> list[Mapping[str, Any]]:
    """All attendance of a list, oldest class first, as of one moment.

    Args:
        wanted: Whose attendance.
        views: Where it is read.
        limit: How many there may be.
        field: Which parameter an error names.

    Raises:
        InvalidRequest: There are more. A list is never cut.
    """
    found: list[Mapping[str, Any]] = []
    part: Paging | None = Paging(size=_PART)
    while part:
        page = await views.attendances(wanted, part)
        found += page.documents
        if len(found) > limit:
            reason = "and to should name a shorter time" if field == "from" else "names too long a time for one file"
            raise InvalidRequest.of(field, f"{reason}: there are more than {limit} rows")
        part = Paging(size=_PART, after=page.next_after, read_at=page.read_at) if page.next_after else None
    return found

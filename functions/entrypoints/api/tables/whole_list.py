"""All pages of a list of attendance, as the rows of one file."""

from __future__ import annotations

from functions.domain.errors import InvalidRequest
from functions.entrypoints.api.tables.attendance import Cell, attendance_head, attendance_rows
from functions.ports.views import AttendanceFilter, Paging, Views

MAX_ROWS = 20_000
"""How many rows a file has at most, so that it is not larger than a function's answer may be."""

_PART = 500
"""How many documents are read at once."""


async def whole_list(
    wanted: AttendanceFilter, *, views: Views, time_zone: str, limit: int = MAX_ROWS
) -> list[list[Cell]]:
    """The header row, then a row for each attendance document, oldest class first, all as of one moment.

    Args:
        wanted: Whose attendance.
        views: Reads one page of the list.
        time_zone: The school's time zone, for documents without their own.
        limit: The largest number of rows.

    Raises:
        InvalidRequest: There are more rows. A list is never cut.
    """
    rows: list[list[Cell]] = []
    part: Paging | None = Paging(size=_PART)
    while part:
        page = await views.attendances(wanted, part)
        rows += attendance_rows(page.documents, time_zone=time_zone)
        if len(rows) > limit:
            raise InvalidRequest.of("from", f"and to should cover a shorter time: there are more than {limit} rows")
        part = Paging(size=_PART, after=page.next_after, read_at=page.read_at) if page.next_after else None
    return [list(attendance_head()), *rows]

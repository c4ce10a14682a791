"""Converts rows to an Excel workbook (XLSX) as an answer, with the same cells as the CSV file.

Text is written as text and formatted as text. So an id keeps its zeros, and a cell stays text when somebody edits it.
Dates, times and numbers are stored as such, so they can be sorted and added up. `true` and `false` are text, because
LibreOffice turns a cell with a truth value into a formula.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from starlette.responses import Response

from functions.domain.classes.roster import Mark
from functions.entrypoints.api.tables.attendance import Cell

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

COLOURS: Final[Mapping[str, tuple[str, str]]] = {
    Mark.PRESENT.value: ("#17613a", "#e5f4ea"),
    Mark.LATE.value: ("#7f4700", "#fdf1d9"),
    Mark.LEFT_EARLY.value: ("#7f4700", "#fdf1d9"),
    Mark.PARTIAL.value: ("#93370d", "#fdebdf"),
    Mark.ABSENT.value: ("#9c1520", "#fce7e8"),
    Mark.EXCUSED.value: ("#35479b", "#e9ecfa"),
    Mark.UNKNOWN.value: ("#4a5461", "#eef0f3"),
}
"""The text colour and background of each mark, as on the light pages."""

_TEXT: Final = {"num_format": "@"}
_HEAD: Final = {**_TEXT, "bold": True, "text_wrap": True, "valign": "top", "bottom": 1}
_LONGEST = 32_767
"""How many characters a cell may contain: https://support.microsoft.com/office/excel-specifications-and-limits."""

_WIDTHS: Final[Mapping[str, int]] = {
    "display_name": 24,
    "email": 28,
    "teacher_email": 28,
    "subject": 24,
    "status_reason": 60,
    "override_reason": 30,
    "session_id": 24,
    "attendee_id": 22,
    "time_zone": 16,
    "month": 9,
}
_WIDTH = 13
_ALWAYS_THE_SAME = datetime(2000, 1, 1, tzinfo=UTC)
"""The creation time in every workbook: always the same, so that the same rows give the same bytes."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table that becomes a workbook of one sheet.

    Attributes:
        name: The name of its tab.
        rows: The header row, then the others; text is already safe.
        marks: Which columns contain marks, and are coloured.
        frozen: How many columns stay visible when somebody scrolls sideways. The header row always stays visible.
    """

    name: str
    rows: Sequence[Sequence[Cell | float]]
    marks: range | frozenset[int]
    frozen: int = 0


def attendance_sheet(rows: Sequence[Sequence[Cell | float]]) -> Sheet:
    """Attendance, one row for each person in each class meeting."""
    return Sheet("Attendance", rows, frozenset(n for n, name in enumerate(rows[0]) if name in {"mark", "status"}))


def register_sheet(rows: Sequence[Sequence[Cell | float]]) -> Sheet:
    """A register, one row for each student, with the marks between the names and the totals."""
    first = rows[0].index("student_id") + 1
    return Sheet("Register", rows, range(first, len(rows[0]) - len(Mark) - 1), rows[0].index("display_name") + 1)


async def xlsx_file(sheet: Sheet, *, name: str, etag: str | None = None) -> Response:
    """A file that browsers save. It is made in a thread, because thousands of rows take seconds.

    Args:
        sheet: The table.
        name: The name of the file without its ending; it contains no person's name or address.
        etag: The ETag of the version that it shows.
    """
    body = await asyncio.to_thread(workbook, sheet)
    headers = {"Content-Disposition": f'attachment; filename="{name}.xlsx"', **({"ETag": etag} if etag else {})}
    return Response(body, media_type=MEDIA_TYPE, headers=headers)


def workbook(sheet: Sheet) -> bytes:
    """The bytes of a workbook; the same rows always give the same bytes."""
    # Imported here, so that only requests for a workbook wait for the import.
    from xlsxwriter import Workbook  # noqa: PLC0415

    head, *others = sheet.rows
    file = io.BytesIO()
    with Workbook(file, {"constant_memory": True}) as book:  # row by row: 20,000 rows in 24 MiB instead of 160
        book.set_properties({"created": _ALWAYS_THE_SAME})
        page = book.add_worksheet(sheet.name)
        text = book.add_format(_TEXT)
        colours = {mark: book.add_format({**_TEXT, **_coloured(mark)}) for mark in COLOURS}
        write = [_writer(str(column), page, book, text) for column in head]
        _lay_out(page, head, len(others), sheet.frozen)
        title = book.add_format(_HEAD)
        for n, column in enumerate(head):
            page.write_string(0, n, _whole(column), title)
        for line, row in enumerate(others, start=1):
            for n, cell in enumerate(row):
                if n in sheet.marks and cell in colours:
                    page.write_string(line, n, str(cell), colours[str(cell)])
                elif cell != "":
                    write[n](line, n, cell)
    return file.getvalue()


def _coloured(mark: str) -> Mapping[str, str]:
    ink, paper = COLOURS[mark]
    return {"font_color": ink, "bg_color": paper}


def _lay_out(page: Any, head: Iterable[object], others: int, frozen: int) -> None:  # noqa: ANN401 - is untyped
    columns = list(head)
    for n, column in enumerate(columns):
        page.set_column(n, n, _WIDTHS.get(str(column), _WIDTH))
    page.freeze_panes(1, frozen)
    page.autofilter(0, 0, others, len(columns) - 1)
    page.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})  # an id is text on purpose


def _writer(column: str, page: Any, book: Any, text: object) -> Callable[[int, int, Any], object]:  # noqa: ANN401
    """How a column's cells are written.

    This is decided by the column's name, because the rows for CSV contain text where a workbook needs a date.
    """
    if column.endswith("_date"):
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        return lambda line, n, cell: page.write_datetime(line, n, date.fromisoformat(cell), day)
    if column.endswith("_time"):
        clock = book.add_format({"num_format": "hh:mm:ss"})
        return lambda line, n, cell: page.write_datetime(line, n, time.fromisoformat(cell), clock)
    share = book.add_format({"num_format": "0.0%"}) if column == "share" else None

    def number_or_text(line: int, n: int, cell: Cell | float) -> object:
        if isinstance(cell, str):
            return page.write_string(line, n, _whole(cell), text)
        return page.write_number(line, n, cell, share)

    return number_or_text


def _whole(text: object) -> str:
    """Text that a workbook can contain: half a character becomes a question mark."""
    return str(text)[:_LONGEST].encode(errors="replace").decode()

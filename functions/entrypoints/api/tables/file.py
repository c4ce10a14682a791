"""Converts rows to the file that was asked for: CSV (RFC 4180, UTF-8), or an Excel workbook.

https://www.rfc-editor.org/rfc/rfc4180
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from starlette.responses import Response

from functions.entrypoints.api.schemas.requests import FileQuery
from functions.entrypoints.api.tables.attendance import Cell
from functions.entrypoints.api.tables.cells import safe_after_commas
from functions.entrypoints.api.tables.workbook import Sheet, xlsx_file

MEDIA_TYPE = "text/csv"

Rows = Sequence[Sequence[Cell | float]]


def _with_comma(cell: str | float) -> str | float:
    """A cell for a spreadsheet that uses a decimal comma."""
    if isinstance(cell, str):
        return safe_after_commas(cell)
    return cell if isinstance(cell, int) else str(cell).replace(".", ",")


def csv_file(rows: Rows, *, name: str, bom: bool, sep: str = ",", etag: str | None = None) -> Response:
    """A file that browsers save.

    Args:
        rows: The cells; their text is already safe.
        name: The name of the file without its ending; other systems log it, so it contains no person's name or address.
        bom: Whether it begins with the mark by which spreadsheets recognise UTF-8.
        sep: What separates cells. A file with semicolons is for spreadsheets that use a decimal comma.
        etag: The ETag of the version that it shows.
    """
    text = io.StringIO(newline="")
    local = sep == ";"
    csv.writer(text, delimiter=sep).writerows([[_with_comma(cell) for cell in row] for row in rows] if local else rows)
    body = (("\ufeff" if bom else "") + text.getvalue()).encode(errors="replace")
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        **({"ETag": etag} if etag else {}),
    }
    return Response(body, media_type=MEDIA_TYPE, headers=headers)


async def file_of(
    rows: Rows, query: FileQuery, *, sheet: Callable[[Rows], Sheet], name: str, etag: str | None = None
) -> Response:
    """A table as a workbook if the caller requested one, otherwise as CSV.

    Args:
        rows: The header row, then the others; text is already safe.
        query: The query of the request.
        sheet: How the rows look in a workbook.
        name: The name of the file without its ending; it contains no person's name or address.
        etag: The ETag of the version that it shows.
    """
    if query.format == "xlsx":
        return await xlsx_file(sheet(rows), name=name, etag=etag)
    return csv_file(rows, name=name, bom=query.bom, sep=query.sep, etag=etag)

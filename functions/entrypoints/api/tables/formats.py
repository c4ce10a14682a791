"""Converts rows to a file in the requested format."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.responses import Response

from functions.entrypoints.api.schemas.requests import FileQuery
from functions.entrypoints.api.tables.attendance import Cell
from functions.entrypoints.api.tables.file import csv_file
from functions.entrypoints.api.tables.workbook import Sheet, xlsx_file

Rows = Sequence[Sequence[Cell | float]]


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

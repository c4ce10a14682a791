"""Rows -> a file in the format that the caller asked for."""

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
    """A table as a workbook if that was asked for, else as CSV.

    Args:
        rows: The head, then the others; text is safe already.
        query: The query of the request.
        sheet: How the rows look in a workbook.
        name: Of the file, without its ending; it holds nobody's name or address.
        etag: The version that it shows.
    """
    if query.format == "xlsx":
        return await xlsx_file(sheet(rows), name=name, etag=etag)
    return csv_file(rows, name=name, bom=query.bom, sep=query.sep, etag=etag)

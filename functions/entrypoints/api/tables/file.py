"""Converts rows to a CSV file as an answer (RFC 4180, UTF-8).

https://www.rfc-editor.org/rfc/rfc4180
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from starlette.responses import Response

from functions.entrypoints.api.tables.cells import safe_after_commas

MEDIA_TYPE = "text/csv"


def _with_comma(cell: str | float) -> str | float:
    """A cell for a spreadsheet that uses a decimal comma."""
    if isinstance(cell, str):
        return safe_after_commas(cell)
    return cell if isinstance(cell, int) else str(cell).replace(".", ",")


def csv_file(
    rows: Iterable[Sequence[str | int | float]], *, name: str, bom: bool, sep: str = ",", etag: str | None = None
) -> Response:
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

"""Rows -> a CSV file as an answer (RFC 4180, UTF-8).

https://www.rfc-editor.org/rfc/rfc4180
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from starlette.responses import Response

MEDIA_TYPE = "text/csv"


def csv_file(rows: Iterable[Sequence[str | int | float]], *, name: str, bom: bool, etag: str | None = None) -> Response:
    """A file to be saved.

    Args:
        rows: Cells, in which text is safe already.
        name: Of the file, without its ending; it stands in logs of others, and holds nobody's name or address.
        bom: Whether it begins with the mark by which spreadsheets tell UTF-8.
        etag: The version that it shows.
    """
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    body = (("\ufeff" if bom else "") + text.getvalue()).encode(errors="replace")
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        **({"ETag": etag} if etag else {}),
    }
    return Response(body, media_type=MEDIA_TYPE, headers=headers)

"""Converts the values of documents to JSON and back.

What JSON does not know is a map with one entry: a time is `{"$time": "2026-11-23T10:00:00+00:00"}`, and bytes are
`{"$bytes": "<base64>"}`. This keeps a time apart from text that only looks like one.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any


def to_json(value: object) -> str:
    """The JSON text of a value, all in ASCII."""
    return json.dumps(value, default=_marked, separators=(",", ":"))


def from_json(text: str | bytes) -> Any:  # noqa: ANN401 - whatever a document may hold
    """The value of which `to_json` made the text."""
    return json.loads(text, object_hook=_unmarked)


def _marked(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"A document cannot hold a {type(value).__name__}.")


def _unmarked(fields: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever JSON holds
    if len(fields) == 1:
        if "$time" in fields:
            return datetime.fromisoformat(fields["$time"])
        if "$bytes" in fields:
            return base64.b64decode(fields["$bytes"])
    return fields

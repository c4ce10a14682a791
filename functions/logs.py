"""Logs are records: an event's name and fields, one JSON object a line, as Cloud Logging reads them.

Ids only. No display name, e-mail or token is ever passed to a logger.
https://cloud.google.com/logging/docs/structured-logging
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter

_context: ContextVar[Mapping[str, object]] = ContextVar("log_context", default={})  # noqa: B039 - never mutated


class _Context(logging.Filter):
    """Puts what is being worked on onto every record, also those of libraries."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _context.get().items():
            setattr(record, name, value)
        return True


def configure(level: str) -> None:
    """Write records as JSON lines to standard output. Repeating it changes only the level.

    Without it the functions framework leaves the root logger at WARNING without a handler.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_Context())
    handler.setFormatter(
        JsonFormatter(
            "{levelname}{name}{message}",
            style="{",
            timestamp="time",
            rename_fields={"levelname": "severity", "name": "logger", "exc_info": "stack_trace"},
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in ("google", "urllib3", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


@contextmanager
def context(*, trace: str | None = None, **fields: object) -> Iterator[None]:
    """Add fields to every record logged inside, and the trace that ties it to its request.

    Args:
        trace: A W3C `traceparent`; records carry it as Cloud Logging's trace and span.
        fields: Ids of what is being worked on; None leaves one out.
    """
    traced: dict[str, object] = {}
    parts = (trace or "").split("-")
    if len(parts) == 4:  # noqa: PLR2004 - version, trace, span, flags
        project = os.environ.get("GOOGLE_CLOUD_PROJECT")
        traced = {
            "logging.googleapis.com/trace": f"projects/{project}/traces/{parts[1]}" if project else parts[1],
            "logging.googleapis.com/spanId": parts[2],
        }
    known = {name: value for name, value in fields.items() if value is not None}
    token = _context.set({**_context.get(), **traced, **known})
    try:
        yield
    finally:
        _context.reset(token)

"""Logs are records: an event's name and fields, one JSON object a line, as Cloud Logging reads them.

Ids only. No display name, e-mail or token is ever passed to a logger.
https://cloud.google.com/logging/docs/structured-logging
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter

_context: ContextVar[Mapping[str, object]] = ContextVar("log_context", default={})  # noqa: B039 - never mutated


class _Context(logging.Filter):
    """Adds the ids of the current work to every record, including those of libraries."""

    def __init__(self, project: str | None) -> None:
        super().__init__()
        self._project = project

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _context.get().items():
            if name == "traceparent":
                self._trace(record, str(value))
            else:
                setattr(record, name, value)
        return True

    def _trace(self, record: logging.LogRecord, traceparent: str) -> None:
        """Fields that connect a record with its request: https://www.w3.org/TR/trace-context/#traceparent-header."""
        match traceparent.split("-"):
            case [_, trace, span, _]:
                where = f"projects/{self._project}/traces/{trace}" if self._project else trace
                setattr(record, "logging.googleapis.com/trace", where)
                setattr(record, "logging.googleapis.com/spanId", span)


def configure(level: str, *, project: str | None = None, stream: TextIO | None = None) -> None:
    """Write records as JSON lines. The last call counts.

    Without it the functions framework leaves the root logger at WARNING without a handler.

    Args:
        level: The lowest severity that is written.
        project: The Google Cloud project, which Cloud Logging needs in the name of a trace.
        stream: The stream to write to; by default standard output.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.addFilter(_Context(project))
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
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
    # Every error of the process's own credentials with a traceback; calls that lack them say so themselves.
    logging.getLogger("grpc._plugin_wrapping").setLevel(logging.CRITICAL)
    # These loggers write request addresses, which contain people's addresses, and as a warning the content of refusals.
    logging.getLogger("googleapiclient").setLevel(logging.ERROR)


@contextmanager
def context(**fields: object) -> Iterator[None]:
    """Add fields to every record logged inside.

    Args:
        fields: Ids of the current work; None leaves a field out. A W3C `traceparent` becomes Cloud Logging's trace.
    """
    known = {name: value for name, value in fields.items() if value is not None}
    token = _context.set({**_context.get(), **known})
    try:
        yield
    finally:
        _context.reset(token)

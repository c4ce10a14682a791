"""`audit/{id}`: what people changed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from functions.adapters.store.databases.database import COMMIT_TIME, Write
from functions.adapters.store.documents.common import SCHEMA_VERSION, expiry
from functions.domain.classes.sessions import AuditEntry


def audit_write(
    note: AuditEntry, marks: Mapping[str, Mapping[str, Any]], *, now: datetime, retention: timedelta | None
) -> Write:
    """The write that stores an entry.

    Args:
        note: The entry.
        marks: The marks that the commit changes, before and after, by `attendee_id`.
        now: The time of the commit.
        retention: How long personal data is kept; None keeps it.
    """
    fields = {
        "schema_version": SCHEMA_VERSION,
        "expire_at": expiry(now, retention),
        "at": COMMIT_TIME,
        "by": note.by,
        "caller": note.caller,
        "what": note.what,
        "references": dict(note.references),
        "marks": dict(marks),
    }
    return Write(f"audit/{note.entry_id}", fields)

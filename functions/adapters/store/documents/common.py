"""What all documents have in common.

A document is a dict of values that Firestore knows: text, numbers, booleans, None, bytes, aware UTC datetimes, lists
and dicts. Fields and their meaning: `docs/documents.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from functions.domain.conferences.model import Sync, SyncError, SyncSource, SyncState
from functions.domain.errors import DocumentTooNew

SCHEMA_VERSION = 1

Fields = dict[str, Any]


def check_schema(fields: Mapping[str, Any]) -> None:
    """Refuse a document that a later version of this system wrote."""
    version = fields.get("schema_version", SCHEMA_VERSION)
    if version > SCHEMA_VERSION:
        raise DocumentTooNew(f"A stored document has schema version {version}; this code reads {SCHEMA_VERSION}.")


def expiry(start: datetime | None, retention: timedelta | None) -> datetime | None:
    """When a document with personal data must be deleted; None keeps it."""
    return start + retention if start and retention else None


def sync_to_document(sync: Sync) -> Fields:
    """The `sync` field: how much of a conference has been read."""
    return {
        "state": sync.state.value,
        "source": sync.source.value,
        "pulled_at": sync.pulled_at,
        "first_pulled_at": sync.first_pulled_at,
        "ended_event_at": sync.ended_event_at,
        "attempts": sync.attempts,
        "meet_calls": sync.meet_calls,
        "error": asdict(sync.error) if sync.error else None,
    }


def sync_from_document(fields: Mapping[str, Any]) -> Sync:
    """Read what `sync_to_document` wrote."""
    return Sync(
        state=SyncState(fields["state"]),
        source=SyncSource(fields["source"]),
        pulled_at=fields["pulled_at"],
        first_pulled_at=fields["first_pulled_at"],
        ended_event_at=fields["ended_event_at"],
        attempts=fields["attempts"],
        meet_calls=fields["meet_calls"],
        error=SyncError(**fields["error"]) if fields["error"] else None,
    )

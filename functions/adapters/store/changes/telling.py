"""Which changes a commit publishes: one for each class meeting in which it changes somebody's mark or time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from functions.adapters.store.changes.sheet import StoredSheet, on_people
from functions.adapters.store.databases.database import Write

_TOLD: Final = (
    *("mark", "status", "is_late", "is_left_early"),
    *("session_start", "scheduled_start", "scheduled_end"),
    *("first_joined_at", "last_left_at", "total_duration_seconds", "in_class_seconds", "session_count", "sessions"),
    *("session_state", "sync_state"),
)
"""Fields of an attendance document whose changes are published: marks, times, and how certain they are."""


def told_of(session_id: str, writes: Sequence[Write], stored: StoredSheet) -> Mapping[str, str | None] | None:
    """The change to publish for a class meeting's writes; None if they change no mark and no time.

    For a removed class meeting it has the last known values.
    """
    if not any(_matters(write, stored) for _, write in on_people(session_id, writes)):
        return None
    document: Mapping[str, Any] | None = next((w.fields for w in writes if w.path == f"sessions/{session_id}"), None)
    session = document or (stored.session.fields if stored.session else {})
    return {
        "session_id": session_id,
        "class_id": session["class_id"],
        "state": session["state"],
        "sync_state": session["sync"]["state"] if session["sync"] else None,
    }


def _matters(write: Write, stored: StoredSheet) -> bool:
    before = stored.people.get(write.path)
    if before is None or write.fields is None:
        return True
    return any(before.get(name) != write.fields.get(name) for name in _TOLD)

"""Which changes a commit publishes: one for each class meeting whose marks, times or state it changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from functions.adapters.store.changes.sheet import StoredSheet, on_people
from functions.adapters.store.databases.database import Write, field_value
from functions.adapters.store.documents.common import Fields
from functions.adapters.store.paths import session_path

_TOLD: Final = (
    *("mark", "status", "is_late", "is_left_early"),
    *("session_start", "scheduled_start", "scheduled_end"),
    *("first_joined_at", "last_left_at", "total_duration_seconds", "in_class_seconds", "session_count", "sessions"),
    *("session_state", "sync_state"),
)
"""Fields of an attendance document whose changes are published: marks, times, and how certain they are."""

_TOLD_OF_A_CLASS: Final = ("session_start", "scheduled_start", "scheduled_end", "state", "sync.state")
"""Fields of a class meeting whose changes are published. Attendance has them too, but there is none if a class is moved
or cancelled before its first sync, or if nobody was expected and nobody came."""


def told_of(session_id: str, writes: Sequence[Write], stored: StoredSheet) -> Mapping[str, str | None] | None:
    """The change to publish for a class meeting's writes; None if they change no mark, no time and no state.

    A new class meeting is published only if it has attendance. For a removed one the last known values are published.
    """
    before = stored.session.fields if stored.session else None
    of_class = [write.fields for write in writes if write.path == session_path(session_id)]
    changed = before is not None and any(_differ(before, after) for after in of_class)
    if not changed and not any(_matters(write, stored) for _, write in on_people(session_id, writes)):
        return None
    session: Mapping[str, Any] = next((after for after in of_class if after), before or {})
    return {
        "session_id": session_id,
        "class_id": session["class_id"],
        "state": session["state"],
        "sync_state": session["sync"]["state"] if session["sync"] else None,
    }


def _differ(before: Fields, after: Fields | None) -> bool:
    return after is None or any(field_value(before, name) != field_value(after, name) for name in _TOLD_OF_A_CLASS)


def _matters(write: Write, stored: StoredSheet) -> bool:
    before = stored.people.get(write.path)
    if before is None or write.fields is None:
        return True
    return any(before.get(name) != write.fields.get(name) for name in _TOLD)

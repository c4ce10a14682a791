"""`unpublished_changes/{id}`: a commit's changes until they are published. Domain <-> documents, pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from functions.adapters.store.databases.database import COMMIT_TIME
from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema
from functions.ports.messages import AttendanceChange

COLLECTION = "unpublished_changes"


@dataclass(frozen=True, slots=True)
class Unpublished:
    """What a commit changes in each class meeting, before its time is known.

    Attributes:
        unpublished_id: The document's id; every commit has a different one.
        changes: `session_id`, `class_id`, `state` and `sync_state` of each class meeting.
    """

    unpublished_id: str
    changes: Sequence[Mapping[str, str | None]]

    @property
    def path(self) -> str:
        """The document."""
        return f"{COLLECTION}/{self.unpublished_id}"

    def to_document(self) -> Fields:
        """The document that is written in the commit."""
        return {
            "schema_version": SCHEMA_VERSION,
            "changes": [dict(change) for change in self.changes],
            "updated_at": COMMIT_TIME,
        }

    def at(self, committed_at: datetime) -> list[AttendanceChange]:
        """The changes to publish once it is committed."""
        return _changes(self.changes, committed_at)


def changes_from_document(fields: Mapping[str, Any]) -> list[AttendanceChange]:
    """Read the document that `Unpublished.to_document` wrote."""
    check_schema(fields)
    return _changes(fields["changes"], fields["updated_at"])


def _changes(changes: Sequence[Mapping[str, Any]], updated_at: datetime) -> list[AttendanceChange]:
    return [
        AttendanceChange(
            session_id=change["session_id"],
            class_id=change["class_id"],
            state=change["state"],
            sync_state=change["sync_state"],
            updated_at=updated_at,
        )
        for change in changes
    ]

"""`remarks/{id}`: people whose class meetings must still be marked again. Domain <-> documents, pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema, expiry
from functions.adapters.store.documents.session import roster_entry_to_document
from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.sessions import Remark


def remark_path(remark_id: str) -> str:
    """The document for class meetings that must still be marked again."""
    return f"remarks/{remark_id}"


def remark_to_document(remark: Remark, *, now: datetime, retention: timedelta | None) -> Fields:
    """`remarks/{id}`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "expire_at": expiry(now, retention),
        "session_id": remark.session_id,
        "since": remark.since,
        "accounts": [roster_entry_to_document(account) for account in remark.accounts],
    }


def remark_from_document(remark_id: str, fields: Mapping[str, Any]) -> Remark:
    """Read what `remark_to_document` wrote."""
    check_schema(fields)
    accounts = tuple(RosterEntry(**account) for account in fields["accounts"])
    return Remark(remark_id, accounts, session_id=fields["session_id"], since=fields.get("since"))

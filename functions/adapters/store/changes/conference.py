"""Compares a conference as it should be stored with what is stored, and returns the writes; pure.

Its document is written with every change of the rest of its snapshot, so its version covers all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from functions.adapters.store.changes.differences import changed, contents
from functions.adapters.store.databases.database import ABSENT, Document, Write
from functions.adapters.store.documents.common import SCHEMA_VERSION
from functions.adapters.store.documents.conference import (
    conference_to_document,
    interrupted_to_documents,
    participant_to_document,
)
from functions.adapters.store.parts import chunks, digest
from functions.adapters.store.paths import conference_path
from functions.domain.conferences.model import Conference


def conference_writes(
    conference: Conference,
    *,
    stored: Document | None,
    parts: Mapping[str, Document],
    always: bool,
    retention: timedelta | None,
) -> list[Write]:
    """The writes of a conference with all its participants, if anything differs.

    Args:
        conference: The conference as it should be stored.
        stored: Its document.
        parts: The stored rest of its snapshot, by path.
        always: Write it even if nothing differs, so that the commit fails if it has changed meanwhile.
        retention: How long personal data is kept.
    """
    path = conference_path(conference.conference_record)
    snapshot = conference.snapshot
    documents = [participant_to_document(p) for p in snapshot.participants] if snapshot else []
    inline, *spilled = chunks(documents)
    interrupted = interrupted_to_documents(conference)
    fields = {
        **conference_to_document(conference, retention=retention),
        "participants": inline,
        "snapshot_documents": len(spilled),
    }
    # They come after the rest of the snapshot, so that all code that handles these documents also finds them.
    spilled += chunks(interrupted) if interrupted else []
    fields["snapshot_digest"] = digest(spilled)
    wanted = {
        f"{path}/snapshot/{number}": {
            "schema_version": SCHEMA_VERSION,
            "expire_at": fields["expire_at"],
            "participants": chunk,
        }
        for number, chunk in enumerate(spilled, start=1)
    }
    on_parts = list(changed(wanted, contents(parts)))
    if always or on_parts or stored is None or stored.fields != fields:
        return [Write(path, fields, expecting=stored or ABSENT), *on_parts]
    return []

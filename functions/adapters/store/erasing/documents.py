"""`erasures/{id}`: an unfinished erasure. Domain <-> documents, pure."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from functions.adapters.store.databases.database import Document
from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema
from functions.domain.erasure import KEPT, Name, NameKind
from functions.ports.erasures import Erasure, Step

ERASURES = "erasures"


def erasure_path(erasure_id: str) -> str:
    """The document of an erasure."""
    return f"{ERASURES}/{erasure_id}"


def erasure_to_document(erasure: Erasure, *, retention: timedelta | None) -> Fields:
    """`erasures/{id}`."""
    kept = min(retention, KEPT) if retention else KEPT
    return {
        "schema_version": SCHEMA_VERSION,
        "expire_at": erasure.begun_at + kept,
        "person": erasure.person,
        "names": [{"kind": name.kind.value, "value": name.value} for name in sorted(erasure.names)],
        "sessions": list(erasure.sessions),
        "attendees": sorted(erasure.attendees),
        "step": erasure.step.value,
        "after": erasure.after,
        "begun_at": erasure.begun_at,
        "updated_at": erasure.updated_at,
        "done": dict(erasure.done),
    }


def erasure_from_document(document: Document) -> Erasure:
    """Read what `erasure_to_document` wrote."""
    fields = document.fields
    check_schema(fields)
    return Erasure(
        erasure_id=document.path.rpartition("/")[2],
        person=fields["person"],
        names=frozenset(Name(NameKind(name["kind"]), name["value"]) for name in fields["names"]),
        sessions=tuple(fields["sessions"]),
        attendees=frozenset(fields["attendees"]),
        step=Step(fields["step"]),
        after=fields["after"],
        begun_at=fields["begun_at"],
        updated_at=fields["updated_at"],
        done=fields["done"],
        version=document,
    )


def new_erasure(
    person: str,
    names: frozenset[Name],
    *,
    sessions: Collection[str],
    attendees: Collection[str],
    now: datetime,
) -> Erasure:
    """A new erasure that begins with some class meetings."""
    return Erasure(
        erasure_id=uuid.uuid4().hex,
        person=person,
        names=names,
        sessions=tuple(sorted(sessions)),
        attendees=frozenset(attendees),
        step=Step.SESSIONS,
        after=None,
        begun_at=now,
        updated_at=now,
    )

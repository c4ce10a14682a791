"""`sessions/{session_id}/sheet/1`: a copy of everybody's attendance, for readers who need all of it.

Attendance documents <-> their copy, pure. The reason for the copy and its form:
docs/adr/0014-a-copy-of-the-whole-sheet.md.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from functions.adapters.store.databases.as_json import from_json, to_json
from functions.adapters.store.databases.database import COMMIT_TIME, Document
from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema
from functions.adapters.store.parts import MAX_PART_BYTES

_FASTEST: Final = 1
"""The level of compression: higher ones take twice as long and save a fifth."""


def copy_of(people: Sequence[Mapping[str, Any]], *, expire_at: datetime | None) -> list[Fields]:
    """The copy, to be written in the same commit as the documents; empty if it would be too large for a document.

    Args:
        people: Complete attendance documents, by id; those that are written now have COMMIT_TIME as `updated_at`.
        expire_at: When they must be deleted.
    """
    if not people:
        return []
    # Only a top-level field of a document can become the time of the commit; Firestore sets the same time in all of
    # them. https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#fieldtransform
    whole = [
        {**person, "updated_at": None if person["updated_at"] is COMMIT_TIME else person["updated_at"]}
        for person in people
    ]
    common = {name: value for name, value in whole[0].items() if all(name in p and p[name] == value for p in whole)}
    own = [{name: value for name, value in person.items() if name not in common} for person in whole]
    packed = zlib.compress(to_json({"common": common, "people": own}).encode(), _FASTEST)
    if len(packed) > MAX_PART_BYTES:
        return []
    return [{"schema_version": SCHEMA_VERSION, "expire_at": expire_at, "updated_at": COMMIT_TIME, "packed": packed}]


def people_from(copy: Collection[Document], *, parts: int) -> tuple[Fields, ...] | None:
    """The attendance documents of which `copy_of` made the copy; None if it has expired or has an earlier form.

    Args:
        copy: The documents of the copy that exist.
        parts: How many there should be, according to the class meeting's document.
    """
    if parts == 0:
        return ()
    if len(copy) != parts or any("packed" not in document.fields for document in copy):
        return None
    (document,) = copy
    check_schema(document.fields)
    copied = unpacked(document.fields)
    people = [{**copied["common"], **own} for own in copied["people"]]
    return tuple({**person, "updated_at": person["updated_at"] or document.fields["updated_at"]} for person in people)


def unpacked(fields: Mapping[str, Any]) -> Fields:
    """What a copy holds: `common`, the fields that all people share, and `people`, the other fields of each."""
    copied: Fields = from_json(zlib.decompress(fields["packed"]))
    return copied

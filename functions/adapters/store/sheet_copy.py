"""`sessions/{session_id}/sheet/{n}`: a copy of everybody's attendance, for readers who need all of it.

Attendance documents <-> the parts of their copy, pure. The reason for the copy:
docs/adr/0014-a-copy-of-the-whole-sheet.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from functions.adapters.store.databases.database import COMMIT_TIME, Document
from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema
from functions.adapters.store.parts import chunks

MAX_PARTS = 2
"""A larger copy is not kept: together with the attendance and the conferences it could be too large for one commit, and
a class meeting must not be refused because of its copy. Two parts have room for the 1,000 people that one call can
have.
"""


def copy_of(people: Sequence[Mapping[str, Any]], *, expire_at: datetime | None) -> list[Fields]:
    """The parts of a copy, to be written in the same commit as the documents; none if the copy would be too large.

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
    parts = [
        {
            "schema_version": SCHEMA_VERSION,
            "expire_at": expire_at,
            "updated_at": COMMIT_TIME,
            "common": common,
            "people": chunk,
        }
        for chunk in chunks(own)
    ]
    return parts if len(parts) <= MAX_PARTS else []


def people_from(copy: Collection[Document], *, parts: int) -> tuple[Fields, ...] | None:
    """The attendance documents from which `copy_of` made the parts; None if some parts have already expired.

    Args:
        copy: The parts that exist.
        parts: How many parts there should be, according to the class meeting's document.
    """
    if len(copy) != parts:
        return None
    people = []
    for document in sorted(copy, key=_number):
        part = document.fields
        check_schema(part)
        for own in part["people"]:
            person = {**part["common"], **own}
            people.append({**person, "updated_at": person["updated_at"] or part["updated_at"]})
    return tuple(people)


def _number(part: Document) -> int:
    return int(part.path.rpartition("/")[2])

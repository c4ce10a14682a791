"""What the attendance store needs of a database of documents; Firestore and SQLite each give it.

A path is `collection/document` or `collection/document/collection/document`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, Protocol

from functions.adapters.documents import Fields


class Sentinel(Enum):
    """Values that mean something else than themselves."""

    COMMIT_TIME = "commit time"
    ABSENT = "absent"


COMMIT_TIME: Final = Sentinel.COMMIT_TIME
"""As a field's value: the database's own time of the commit."""

ABSENT: Final = Sentinel.ABSENT
"""As an expectation: there is no such document."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was read. `version` changes with every write to it; only its database understands it."""

    path: str
    fields: Fields
    version: object


@dataclass(frozen=True, slots=True)
class Write:
    """One document to replace whole, or to delete.

    Attributes:
        path: Which one.
        fields: What it is to hold, at most with COMMIT_TIME as top-level values; None deletes it.
        expecting: The document it must still be, ABSENT if it must not exist, None if anything will do.
    """

    path: str
    fields: Fields | None
    expecting: Document | Literal[Sentinel.ABSENT] | None = None


class Database(Protocol):
    """Documents by path. Every error is one of `functions.domain.errors`."""

    async def get(self, path: str) -> Document | None:
        """The document, or None."""

    async def children(self, collection: str) -> Sequence[Document]:
        """All documents directly in a collection, by id."""

    async def commit(self, writes: Sequence[Write]) -> None:
        """Do all writes at one moment, or none; StoreConflict if an expectation does not hold."""

"""What the attendance store needs from a database of documents; Firestore and SQLite both implement it.

A path is `collection/document` or `collection/document/collection/document`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, Literal, Protocol

from functions.adapters.store.documents.common import Fields
from functions.domain.errors import ReadTooOld


class Sentinel(Enum):
    """Special values with a meaning of their own."""

    COMMIT_TIME = "commit time"
    ABSENT = "absent"


COMMIT_TIME: Final = Sentinel.COMMIT_TIME
"""As a field's value: the time of the commit, set by the database."""

ABSENT: Final = Sentinel.ABSENT
"""As an expectation: the document must not exist."""


READABLE_FOR: Final = timedelta(hours=1)
"""How far back reads can go: https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1."""


MOST_IN_ANY: Final = 30
"""How many values one condition may have: https://firebase.google.com/docs/firestore/query-data/queries#limitations."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was read. If it is read again unchanged, the two are equal.

    Attributes:
        path: Which one.
        fields: Its content.
        version: Its version, a new one after every write that changed something; only its database understands it.
        seen_at: A moment at which the database contained it in this form; reading `at` it shows the other documents of
            that moment.
    """

    path: str
    fields: Fields
    version: object
    seen_at: datetime = field(compare=False)


@dataclass(frozen=True, slots=True)
class Write:
    """One document to replace completely, to add to, or to delete.

    Attributes:
        path: Which one.
        fields: Its new content, in which only top-level values may be COMMIT_TIME; None deletes it.
        expecting: The document as it must still be, ABSENT if it must not exist, None for no condition.
        adding: Whether the document keeps what `fields` does not name, also within maps; it is made if it does not
            exist. Nothing needs to be read before, so several writers at once lose nothing.
    """

    path: str
    fields: Fields | None
    expecting: Document | Literal[Sentinel.ABSENT] | None = None
    adding: bool = False


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on one field, as in Firestore: only values of the same kind are compared.

    Attributes:
        field: The field; a dot leads into a map. A document without the field does not match.
        op: `contains` checks whether the field is a list with this value, `contains_any` whether it is a list with one
            of these values (at most MOST_IN_ANY).
        value: The value to compare with.
    """

    field: str
    op: Literal["==", "<", "<=", ">", ">=", "contains", "contains_any"]
    value: object


@dataclass(frozen=True, slots=True)
class Query:
    """The documents to find, and how many at once.

    Attributes:
        collection: The path of a collection, or with `group` the name of collections.
        where: Conditions that must all be true.
        order: Fields to sort by, ascending; they hold text, numbers, times, booleans or None. A document without one of
            them is not found. After them come fields with a range that are not listed, and the path comes last.
        after: The value of `QueryResult.next_after`, to continue from there; everything else in the query must be the
            same.
        limit: How many documents to find at most.
        downwards: Sort by everything in descending order, including the path.
        group: Find documents in all collections of that name, at any level.
        at: The moment to read; by default now.
    """

    collection: str
    where: tuple[Where, ...] = ()
    order: tuple[str, ...] = ()
    after: tuple[object, ...] | None = None
    limit: int | None = None
    downwards: bool = False
    group: bool = False
    at: datetime | None = None

    @property
    def sorting(self) -> tuple[str, ...]:
        """All fields that the documents are sorted by, before their path."""
        ranges = (where.field for where in self.where if where.op in {"<", "<=", ">", ">="})
        return tuple(dict.fromkeys((*self.order, *ranges)))


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query found.

    Attributes:
        documents: In order.
        read_at: The moment that was read, even if nothing was found. A further page matches this one if it is read `at`
            the same moment.
        next_after: `Query.after` for the following page, None if this is the last: the values that the last document
            is sorted by, and its path. They can be stored as JSON if times become text; pass them back as times.
    """

    documents: Sequence[Document]
    read_at: datetime
    next_after: tuple[object, ...] | None = None

    @classmethod
    def of(cls, query: Query, documents: Sequence[Document], *, read_at: datetime) -> QueryResult:
        """The answer to a query, made from the documents found: one more than requested if there are more."""
        if query.limit is None or len(documents) <= query.limit:
            return cls(documents, read_at)
        page = documents[: query.limit]
        values = (field_value(page[-1].fields, name) for name in query.sorting)
        return cls(page, read_at, (*values, page[-1].path))


class Database(Protocol):
    """Documents by path. Every error is one of `functions.domain.errors`.

    A read `at` a moment returns everything that was stored then, and always the same; it raises ReadTooOld if the
    moment is more than an hour ago.
    """

    async def get(self, path: str, *, at: datetime | None = None) -> Document | None:
        """The document, or None."""

    async def get_many(self, paths: Sequence[str]) -> Mapping[str, Document]:
        """The documents that exist, by path, as they were at one moment."""

    async def children(self, collection: str, *, at: datetime | None = None) -> Sequence[Document]:
        """All documents directly in a collection, by id."""

    async def find(self, query: Query) -> QueryResult:
        """The documents that match, as they were at one moment."""

    async def commit(self, writes: Sequence[Write], *, unchanged: Sequence[Document] = ()) -> datetime:
        """Do all writes at one moment, or none; raises StoreConflict if an expectation is not true.

        A document whose content does not change keeps its version.

        Args:
            writes: The writes to do.
            unchanged: Further documents that must still be as they were read; they are not changed.

        Returns:
            The time of the commit, which replaced COMMIT_TIME.
        """


async def in_pages(database: Database, query: Query) -> AsyncIterator[Document]:
    """Every document that a query finds, read in pages of its `limit`."""
    while True:
        found = await database.find(query)
        for document in found.documents:
            yield document
        if found.next_after is None:
            return
        query = replace(query, after=found.next_after)


def field_value(fields: Mapping[str, Any], name: str, default: object = None) -> Any:  # noqa: ANN401 - what it holds
    """The value of a field, whose name may lead into maps; the default if the field does not exist."""
    value: Any = fields
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return default
        value = value[part]
    return value


def check_readable(at: datetime | None, *, now: datetime) -> None:
    """Refuse a moment that a database no longer has to remember."""
    if at is not None and at < now - READABLE_FOR:
        raise ReadTooOld("The requested moment is more than an hour ago.")

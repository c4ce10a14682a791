"""What the attendance store needs of a database of documents; Firestore and SQLite each give it.

A path is `collection/document` or `collection/document/collection/document`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, Literal, Protocol

from functions.adapters.store.documents.common import Fields
from functions.domain.errors import ReadTooOld


class Sentinel(Enum):
    """Values that mean something else than themselves."""

    COMMIT_TIME = "commit time"
    ABSENT = "absent"


COMMIT_TIME: Final = Sentinel.COMMIT_TIME
"""As a field's value: the database's own time of the commit."""

ABSENT: Final = Sentinel.ABSENT
"""As an expectation: there is no such document."""


READABLE_FOR: Final = timedelta(hours=1)
"""How long the past can be read: https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1."""


MOST_IN_ANY: Final = 30
"""How many values one query may ask for: https://firebase.google.com/docs/firestore/query-data/queries#limitations."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was read. Read again unchanged, it is equal.

    Attributes:
        path: Which one.
        fields: What it holds.
        version: Another one after every write that changed something in it; only its database understands it.
        seen_at: A moment at which the database held it so; reading `at` it shows what else there was.
    """

    path: str
    fields: Fields
    version: object
    seen_at: datetime = field(compare=False)


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


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on one field, as Firestore means it: only values of the same kind are compared.

    Attributes:
        field: The field; dots reach into maps. A document without it does not fit.
        op: `contains` asks whether the field is a list with this value in it, `contains_any` whether it is a list with
            one of these values in it: a list of at most MOST_IN_ANY.
        value: What it is held against.
    """

    field: str
    op: Literal["==", "<", "<=", ">", ">=", "contains", "contains_any"]
    value: object


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents to find, and how many at a time.

    Attributes:
        collection: The path of a collection, or with `group` the name that collections have.
        where: Conditions that all hold.
        order: Fields to sort by, upwards; they hold text, numbers, times, booleans or None. A document without one
            of them is not found. Fields with a range that are not among them come next, the path comes last.
        after: What `QueryResult.next_after` gave, to go on from there; everything else of the query stays the same.
        limit: How many to find at most.
        downwards: Sort by everything the other way round, the path too.
        group: Find in all collections of that name, wherever they are.
        at: The moment to read; now if left out.
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
        read_at: The moment that was read, also if nothing was found. A further page belongs to this one if it is
            read `at` the same moment.
        next_after: `Query.after` for the following page, None if this is the last: the values that the last document
            is sorted by, and its path. They survive JSON once times are made text; give them back as times.
    """

    documents: Sequence[Document]
    read_at: datetime
    next_after: tuple[object, ...] | None = None

    @classmethod
    def of(cls, query: Query, documents: Sequence[Document], *, read_at: datetime) -> QueryResult:
        """The answer to a query, of one document more than it asks for if there is one."""
        if query.limit is None or len(documents) <= query.limit:
            return cls(documents, read_at)
        page = documents[: query.limit]
        values = (field_value(page[-1].fields, name) for name in query.sorting)
        return cls(page, read_at, (*values, page[-1].path))


class Database(Protocol):
    """Documents by path. Every error is one of `functions.domain.errors`.

    Whatever is read `at` a moment is what stood there then, whole, and the same every time. ReadTooOld if that is
    more than an hour ago.
    """

    async def get(self, path: str, *, at: datetime | None = None) -> Document | None:
        """The document, or None."""

    async def get_many(self, paths: Sequence[str]) -> Mapping[str, Document]:
        """Those of the documents that exist, by path, as they stood at one moment."""

    async def children(self, collection: str, *, at: datetime | None = None) -> Sequence[Document]:
        """All documents directly in a collection, by id."""

    async def find(self, query: Query) -> QueryResult:
        """The documents that fit, as they stood at one moment."""

    async def commit(self, writes: Sequence[Write], *, unchanged: Sequence[Document] = ()) -> datetime:
        """Do all writes at one moment, or none; StoreConflict if an expectation does not hold.

        A document that holds the same after it as before keeps its version.

        Args:
            writes: What to do.
            unchanged: Further documents that must still be as they were read, and stay so.

        Returns:
            The time of the commit: what COMMIT_TIME became.
        """


def field_value(fields: Mapping[str, Any], name: str, default: object = None) -> Any:  # noqa: ANN401 - what it holds
    """The value of a field whose name may reach into maps; the default if there is no such field."""
    value: Any = fields
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return default
        value = value[part]
    return value


def check_readable(at: datetime | None, *, now: datetime) -> None:
    """Refuse a moment that a database need not remember any more."""
    if at is not None and at < now - READABLE_FOR:
        raise ReadTooOld("The requested moment is more than an hour ago.")

"""Queries over documents in memory, which behave as in Firestore.

https://firebase.google.com/docs/firestore/manage-data/data-types#value_type_ordering
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from functions.adapters.store.databases.database import Document, Query, Where, field_value

SortKey = tuple[Any, ...]

_MISSING: Final = object()
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def answer(query: Query, documents: Iterable[Document]) -> list[Document]:
    """The documents of a collection that the query finds, plus one more if there are more."""
    fitting = [
        document
        for document in documents
        if all(fits(document, where) for where in query.where)
        and all(field_value(document.fields, name, _MISSING) is not _MISSING for name in query.sorting)
    ]
    keyed = sorted(
        ((_position(query, document), document) for document in fitting),
        key=operator.itemgetter(0),
        reverse=query.downwards,
    )
    if query.after is not None:
        *values, path = query.after
        after = (*map(sort_key, values), _path_key(str(path)))
        keyed = [(key, document) for key, document in keyed if (key < after if query.downwards else key > after)]
    found = [document for _, document in keyed]
    return found if query.limit is None else found[: query.limit + 1]


def fits(document: Document, where: Where) -> bool:
    """Whether a document satisfies a condition."""
    value, wanted = field_value(document.fields, where.field, _MISSING), sort_key(where.value)
    if value is _MISSING:
        return False
    if where.op == "contains_any":
        return isinstance(value, list) and not {sort_key(item) for item in value}.isdisjoint(wanted[1:])
    if where.op == "contains":
        return isinstance(value, list) and any(sort_key(item) == wanted for item in value)
    key = sort_key(value)
    return key[0] == wanted[0] and _COMPARISONS[where.op](key, wanted)


def _position(query: Query, document: Document) -> SortKey:
    values = (sort_key(field_value(document.fields, name)) for name in query.sorting)
    return (*values, _path_key(document.path))


def _path_key(path: str) -> SortKey:
    return tuple(path.split("/"))


def sort_key(value: object) -> SortKey:
    """A key that sorts values of every kind, and keeps values of the same kind together.

    Its first element is the kind.
    """
    match value:
        case None:
            return (0,)
        case bool():  # must come before int, because a bool is also an int
            return (1, value)
        case int() | float():
            return (2, value)
        case datetime():
            return (3, value)
        case str():
            return (4, value)
        case bytes():
            return (5, value)
        case list():
            return (6, *map(sort_key, value))
        case dict():
            return (7, *((name, sort_key(item)) for name, item in sorted(value.items())))
    raise TypeError(f"A document cannot hold a {type(value).__name__}.")

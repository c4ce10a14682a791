"""One query -> the indexes that serve it, or the missing index in the form of the file.

A query only counts as served if Firestore documents this
(https://firebase.google.com/docs/firestore/query-data/index-overview):

- Equality fields and `in` fields come before the sorted fields, in any order and in either mode. An array-contains
  field needs the mode CONTAINS. Sorted fields have the query's order and direction. The document's name has the
  direction of the last sorted field, unless the index says otherwise. No index is read backwards: Google does not
  document this.
- An index contains only documents that have all of its fields. So an index with further fields does not serve a query.
- Several indexes are merged only for equality filters and at most one `orderBy`, with which all of them end ("Use
  index merging"). They are never merged for a range or for array-contains: this is documented only for Datastore mode
  (https://cloud.google.com/datastore/docs/concepts/optimize-indexes).
- Fields with a range or an inequality come first among the sorted fields
  (https://firebase.google.com/docs/firestore/query-data/order-limit-data).
- A whole collection or collection group, sorted by ascending name, needs no index.

This planner refuses features that it does not support (OR, vectors, sums). The author of such a query must add support
for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from google.cloud.firestore_v1 import types

from infra.local.firestore_gate.indexes import ASCENDING, COLLECTION, CONTAINS, DESCENDING, GROUP, NAME, Index, Indexes
from infra.local.firestore_gate.measure import TooLarge, check_field_path

Message = Any  # protobuf makes its classes at run time

MOST_DISJUNCTIONS: Final = 30
"""https://firebase.google.com/docs/firestore/query-data/queries#limits_on_or_queries"""

_FIELD: Final = types.StructuredQuery.FieldFilter.Operator
_UNARY: Final = types.StructuredQuery.UnaryFilter.Operator
_EQUAL: Final = {_FIELD.EQUAL, _FIELD.IN}
_SEVERAL: Final = {_FIELD.IN, _FIELD.ARRAY_CONTAINS_ANY}
_LISTS: Final = {_FIELD.ARRAY_CONTAINS, _FIELD.ARRAY_CONTAINS_ANY}
_NULLS: Final = {_UNARY.IS_NULL, _UNARY.IS_NAN}
_AND: Final = types.StructuredQuery.CompositeFilter.Operator.AND


class NotServed(Exception):
    """Firestore would refuse a query.

    Args:
        words: Firestore's message.
        missing: The index that would serve it, in the form of the file; None if no index would.
    """

    def __init__(self, words: str, missing: dict[str, Any] | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Shape:
    """A query without its values.

    Attributes:
        group: The name of the collection.
        scope: Whether the query reads one collection, or all collections with this name.
        equal: Fields that are compared with one value or several.
        contains: Lists that must contain a value.
        ranges: Fields with a range or an inequality.
        order: Fields to sort by, each with its direction, without the document's name.
        name: The direction of the document's name.
    """

    group: str
    scope: str
    equal: frozenset[str]
    contains: tuple[str, ...]
    ranges: frozenset[str]
    order: tuple[tuple[str, str], ...]
    name: str


def shape_of(query: Message) -> Shape:
    """Return the shape of a StructuredQuery.

    Raises:
        NotServed: The query has a feature that this planner does not support, or Firestore refuses it before it looks
            for an index.
    """
    if len(query.from_) != 1 or query.HasField("find_nearest"):
        raise NotServed("The gate supports only queries of one collection or collection group.")
    check_query(query)
    equal: set[str] = set()
    ranges: set[str] = set()
    contains: list[str] = []
    for one in _conditions(query.where):
        if one.WhichOneof("filter_type") == "unary_filter":
            field = one.unary_filter.field.field_path
            (equal if one.unary_filter.op in _NULLS else ranges).add(field)
            continue
        field, op = one.field_filter.field.field_path, one.field_filter.op
        if op in _EQUAL:
            equal.add(field)
        elif op in _LISTS:
            contains.append(field)
        else:
            ranges.add(field)
    order = [(one.field.field_path, DESCENDING if one.direction == 2 else ASCENDING) for one in query.order_by]  # noqa: PLR2004 - DESCENDING
    last = order[-1][1] if order else ASCENDING
    order += [(field, last) for field in sorted(ranges - {NAME} - {field for field, _ in order})]
    name = next((direction for field, direction in order if field == NAME), last)
    names = [field for field, _ in order]
    if NAME in names[:-1]:
        raise NotServed(
            "No field may follow the document's name in the sort order: no two documents have the same name."
        )
    sorted_by = tuple(one for one in order if one[0] != NAME)
    first = {field for field, _ in sorted_by[: len(ranges - {NAME})]}
    if (ranges - {NAME}) != first and ranges - {NAME}:
        raise NotServed("inequality filter property and first sort order must be the same")
    if len(contains) > 1:
        raise NotServed("A query may contain only one array-contains filter.")
    scope = GROUP if query.from_[0].all_descendants else COLLECTION
    return Shape(
        query.from_[0].collection_id,
        scope,
        frozenset(equal),
        tuple(contains),
        frozenset(ranges),
        sorted_by,
        name,
    )


def check_query(query: Message) -> None:
    """Check a StructuredQuery against the rules that Firestore applies before it looks for an index.

    https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#structuredquery

    Raises:
        NotServed: It is refused.
    """
    disjunctions = 1
    for one in _conditions(query.where):
        kind = one.WhichOneof("filter_type")
        if kind is None:
            raise NotServed("A composite filter needs at least one filter.")
        _check_field(getattr(one, kind).field.field_path)
        if kind == "field_filter" and one.field_filter.op in _SEVERAL:
            disjunctions *= len(one.field_filter.value.array_value.values)
    if not 1 <= disjunctions <= MOST_DISJUNCTIONS:
        raise NotServed(f"A query has 1 to {MOST_DISJUNCTIONS} disjunctions, not {disjunctions}: see IN and its kind.")
    for order in query.order_by:
        _check_field(order.field.field_path)
    if any(len(cursor.values) > len(query.order_by) for cursor in (query.start_at, query.end_at)):
        raise NotServed("A cursor has more values than the query is ordered by fields.")
    if query.limit.value < 0 or query.offset < 0:
        raise NotServed("A limit and an offset are at least 0.")


def _check_field(path: str) -> None:
    try:
        check_field_path(path)
    except TooLarge as error:
        raise NotServed(error.words) from None


def _conditions(where: Message) -> Iterable[Message]:
    """Return the conditions that must all be met."""
    match where.WhichOneof("filter_type"):
        case None:
            return ()
        case "composite_filter" if where.composite_filter.op == _AND and not where.composite_filter.filters:
            return (type(where)(),)  # it is empty, and `check_query` refuses it
        case "composite_filter" if where.composite_filter.op == _AND:
            return chain.from_iterable(map(_conditions, where.composite_filter.filters))
        case "composite_filter":
            raise NotServed("The gate does not support OR: add what Firestore needs for it.")
        case _:
            return (where,)


def serving(shape: Shape, indexes: Indexes) -> tuple[Index, ...]:
    """Return the indexes from which Firestore answers a query; empty if it needs none.

    Raises:
        NotServed: An index is missing.
    """
    fields = [*sorted(shape.equal), *shape.contains]
    if not fields and not shape.order and shape.name == ASCENDING:
        return ()
    if shape.equal == {NAME} and not shape.contains and not shape.order:
        return ()  # documents by name
    candidates = [index for index in _candidates(shape, indexes) if _ends_with_order(index, shape)]
    for index in candidates:
        if _holds(index, shape) == (shape.equal, frozenset(shape.contains)):
            return (index,)
    merged = _merged(shape, candidates)
    if merged:
        return merged
    raise NotServed("The query requires an index.", _missing(shape))


def _candidates(shape: Shape, indexes: Indexes) -> list[Index]:
    named = dict.fromkeys([*sorted(shape.equal), *shape.contains, *(field for field, _ in shape.order)])
    single = [one for name in named for one in indexes.single(shape.group, name) if one.scope == shape.scope]
    return [*indexes.of(shape.group, shape.scope), *single]


def _ends_with_order(index: Index, shape: Shape) -> bool:
    """Return whether entries with the same prefix are sorted in the query's order."""
    length = len(shape.order)
    return index.name == shape.name and index.fields[len(index.fields) - length :] == shape.order


def _holds(index: Index, shape: Shape) -> tuple[frozenset[str], frozenset[str]]:
    """Return two sets of an index's fields before the sorted ones: those for equality, and those for array-contains."""
    prefix: Sequence[tuple[str, str]] = index.fields[: len(index.fields) - len(shape.order)]
    return (
        frozenset(field for field, mode in prefix if mode != CONTAINS),
        frozenset(field for field, mode in prefix if mode == CONTAINS),
    )


def _merged(shape: Shape, candidates: Iterable[Index]) -> tuple[Index, ...]:
    """Return indexes that together cover every equality filter and end alike; none if Google does not document this."""
    if shape.contains or shape.ranges or len(shape.order) > 1 or not shape.equal:
        return ()
    used: list[Index] = []
    left = set(shape.equal)
    parts = [(index, *_holds(index, shape)) for index in candidates]
    fitting = [(index, equal) for index, equal, contains in parts if equal and equal <= shape.equal and not contains]
    for index, equal in sorted(fitting, key=lambda one: -len(one[1])):
        if left & equal:
            used.append(index)
            left -= equal
    return () if left else tuple(used)


def _missing(shape: Shape) -> dict[str, Any]:
    """Return the index that alone serves a query, in the form of the file."""
    fields = [
        *({"fieldPath": name, "order": ASCENDING} for name in sorted(shape.equal - {NAME})),
        *({"fieldPath": name, "arrayConfig": CONTAINS} for name in shape.contains),
        *({"fieldPath": name, "order": direction} for name, direction in shape.order),
    ]
    last = shape.order[-1][1] if shape.order else ASCENDING
    if len(fields) == 1 and (shape.name == last or shape.equal):
        [field] = fields
        path = field.pop("fieldPath")
        mode = field if shape.contains else {"order": shape.name}
        return {"collectionGroup": shape.group, "fieldPath": path, "indexes": [{**mode, "queryScope": shape.scope}]}
    if shape.name != last or not fields:
        fields.append({"fieldPath": NAME, "order": shape.name})
    return {"collectionGroup": shape.group, "queryScope": shape.scope, "fields": fields}

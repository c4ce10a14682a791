"""The gate in front of the emulator and the embedded store only accepts what Firestore documents."""

import contextlib
import json
from datetime import UTC, datetime

import pytest
from google.cloud.firestore_v1 import types

from functions.adapters.store.databases.database import COMMIT_TIME, Document, Write
from functions.adapters.store.databases.firestore_encode import commit_request
from infra.local.firestore_gate.gate import Gate, Refused
from infra.local.firestore_gate.indexes import Indexes
from infra.local.firestore_gate.measure import MOST_BYTES, measured
from tests.builders import NINE

DATABASE = "projects/demo/databases/(default)"
UP, DOWN = "ASCENDING", "DESCENDING"


def field(name, mode=UP):
    return {"fieldPath": name, **({"arrayConfig": mode} if mode == "CONTAINS" else {"order": mode})}


def composite(*fields, scope="COLLECTION"):
    return {"collectionGroup": "c", "queryScope": scope, "fields": list(fields)}


def override(name, *indexes):
    return {"collectionGroup": "c", "fieldPath": name, "indexes": list(indexes)}


def indexes(*composites, overrides=()):
    return Indexes({"indexes": list(composites), "fieldOverrides": list(overrides)})


def condition(name, op="EQUAL", value=1):
    if op in {"IS_NULL", "IS_NOT_NULL"}:
        return {"unaryFilter": {"field": {"fieldPath": name}, "op": op}}
    values = {"arrayValue": {"values": [{"integerValue": value}]}}
    several = op in {"IN", "NOT_IN", "ARRAY_CONTAINS_ANY"}
    one = {"field": {"fieldPath": name}, "op": op, "value": values if several else {"integerValue": value}}
    return {"fieldFilter": one}


def query(*conditions, order=(), group=False):
    asked = {
        "from": [{"collectionId": "c", "allDescendants": group}],
        "where": {"compositeFilter": {"op": "AND", "filters": list(conditions)}},
        "orderBy": [{"field": {"fieldPath": name}, "direction": direction} for name, direction in order],
    }
    if not conditions:
        del asked["where"]
    return types.StructuredQuery.pb(types.StructuredQuery.from_json(json.dumps(asked)))


def several(name, op, number):
    """Return a condition with this many values."""
    values = {"arrayValue": {"values": [{"integerValue": value} for value in range(number)]}}
    return {"fieldFilter": {"field": {"fieldPath": name}, "op": op, "value": values}}


def changed(asked, **changes):
    asked.MergeFrom(type(asked)(**changes))
    return asked


def missing(asked, known=None):
    """Return the index that the gate reports as missing; None if it accepts the query."""
    gate = Gate(known or indexes())
    with contextlib.suppress(Refused):
        gate.query(asked)
    refused = gate.take()
    assert {(one.status, one.words[:27]) for one in refused} <= {("FAILED_PRECONDITION", "The query requires an index")}
    return json.loads(refused[0].about.partition("\n")[2]) if refused else None


@pytest.mark.parametrize(
    "asked",
    [
        query(),
        query(group=True),
        query(order=[("__name__", UP)]),
        query(condition("__name__", "GREATER_THAN")),
        query(condition("__name__", "EQUAL")),
        query(condition("a")),
        query(condition("a.b")),
        query(condition("a", "IS_NULL")),
        query(condition("a", "IN")),
        query(condition("a", "ARRAY_CONTAINS")),
        query(condition("a", "ARRAY_CONTAINS_ANY")),
        query(condition("a", "LESS_THAN"), condition("a", "GREATER_THAN")),
        query(condition("a", "NOT_EQUAL")),
        query(condition("a", "NOT_IN")),
        query(condition("a", "IS_NOT_NULL")),
        query(order=[("a", UP)]),
        query(order=[("a", DOWN)]),
        query(condition("a", "LESS_THAN"), order=[("a", DOWN), ("__name__", DOWN)]),
        query(condition("a"), condition("b"), condition("c")),
        query(condition("a"), order=[("__name__", DOWN)]),
    ],
)
def test_what_automatic_indexes_serve_needs_no_other(asked):
    assert missing(asked) is None


@pytest.mark.parametrize(
    ("asked", "needed"),
    [
        (query(condition("a"), group=True), override("a", {"order": UP, "queryScope": "COLLECTION_GROUP"})),
        (query(order=[("a", DOWN)], group=True), override("a", {"order": DOWN, "queryScope": "COLLECTION_GROUP"})),
        (
            query(condition("a", "ARRAY_CONTAINS"), group=True),
            override("a", {"arrayConfig": "CONTAINS", "queryScope": "COLLECTION_GROUP"}),
        ),
        (query(condition("a"), condition("b", "LESS_THAN")), composite(field("a"), field("b"))),
        (query(condition("a"), order=[("b", DOWN)]), composite(field("a"), field("b", DOWN))),
        (query(condition("a", "IN"), order=[("b", UP)]), composite(field("a"), field("b"))),
        (query(condition("a", "IS_NULL"), order=[("b", UP)]), composite(field("a"), field("b"))),
        (query(condition("a", "ARRAY_CONTAINS"), condition("b")), composite(field("b"), field("a", "CONTAINS"))),
        (query(condition("a", "ARRAY_CONTAINS"), order=[("b", UP)]), composite(field("a", "CONTAINS"), field("b"))),
        (query(order=[("a", UP), ("b", DOWN)]), composite(field("a"), field("b", DOWN))),
        (query(order=[("a", UP), ("__name__", DOWN)]), composite(field("a"), field("__name__", DOWN))),
        (query(order=[("__name__", DOWN)]), composite(field("__name__", DOWN))),
        (
            query(condition("a", "LESS_THAN"), condition("b", "GREATER_THAN"), order=[("b", UP), ("a", UP)]),
            composite(field("b"), field("a")),
        ),
    ],
)
def test_what_no_automatic_index_serves_names_the_index_that_does(asked, needed):
    assert missing(asked) == needed
    served = indexes(needed) if "fields" in needed else indexes(overrides=[needed])
    assert missing(asked, served) is None


A_B = composite(field("a"), field("b"))


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        (composite(field("a"), field("b")), query(condition("a"), order=[("b", DOWN)])),
        (composite(field("a"), field("b"), scope="COLLECTION_GROUP"), query(condition("a"), order=[("b", UP)])),
        (composite(field("a"), field("b")), query(condition("a"), order=[("b", UP)], group=True)),
        (composite(field("a"), field("b"), field("c")), query(condition("a"), order=[("b", UP)])),
        (composite(field("b"), field("a")), query(condition("a"), order=[("b", UP)])),
        (composite(field("a"), field("b")), query(condition("a"), order=[("b", UP), ("__name__", DOWN)])),
        (composite(field("a"), field("b")), query(condition("a", "ARRAY_CONTAINS"), order=[("b", UP)])),
    ],
)
def test_an_index_of_another_order_scope_or_more_fields_serves_nothing(known, asked):
    assert missing(asked, indexes(known)) is not None


def test_equality_filters_are_merged_when_the_indexes_end_alike():
    known = indexes(composite(field("a"), field("s")), composite(field("b"), field("s")))

    assert missing(query(condition("a"), condition("b"), order=[("s", UP)]), known) is None
    assert missing(query(condition("a"), condition("b"), order=[("s", DOWN)]), known) is not None


@pytest.mark.parametrize(
    "asked",
    [
        query(condition("a"), condition("l", "ARRAY_CONTAINS"), order=[("s", UP)]),
        query(condition("a"), condition("b"), condition("s", "GREATER_THAN")),
    ],
)
def test_nothing_is_merged_with_what_a_list_contains_nor_for_a_range(asked):
    ends = [composite(one, field("s")) for one in (field("a"), field("b"), field("l", "CONTAINS"))]

    assert missing(asked, indexes(*ends)) is not None


def test_an_exempt_field_serves_nothing_and_an_exception_what_it_names():
    one = override("a.b", {"order": UP, "queryScope": "COLLECTION"})
    known = indexes(overrides=[override("*"), one])

    assert missing(query(condition("x")), known) is not None
    assert missing(query(condition("a.b")), known) is None
    assert missing(query(order=[("a.b", DOWN)]), known) is not None
    assert missing(query(), known) is None


def test_a_map_hands_its_exemption_down_and_another_collection_has_none():
    known = indexes(overrides=[override("a")])

    assert missing(query(condition("a.b")), known) is not None
    assert missing(query(condition("b")), known) is None


@pytest.mark.parametrize(
    "asked",
    [
        query(condition("a", "LESS_THAN"), order=[("b", UP)]),
        query(condition("a", "ARRAY_CONTAINS"), condition("b", "ARRAY_CONTAINS")),
        query({"compositeFilter": {"op": "OR", "filters": [condition("a"), condition("b")]}}),
        query(order=[("__name__", UP), ("a", UP)]),
        query(several("a", "IN", 0)),
        query(several("a", "ARRAY_CONTAINS_ANY", 0)),
        query(several("a", "ARRAY_CONTAINS_ANY", 31)),
        query(several("a", "IN", 6), several("b", "ARRAY_CONTAINS_ANY", 6)),
        query({"compositeFilter": {"op": "AND", "filters": []}}),
        query(condition("a-b")),
        query(condition("a..b")),
        query(condition("7b")),
        query(order=[("a b", UP)]),
        query(condition("x" * 1501)),
        changed(query(order=[("a", UP)]), start_at={"values": [{"integer_value": 1}] * 3}),
        changed(query(), limit={"value": -1}),
        changed(query(), offset=-1),
    ],
)
def test_what_no_index_helps_is_refused(asked):
    gate = Gate(indexes())
    with pytest.raises(Refused):
        gate.query(asked)

    assert [refusal.status for refusal in gate.take()] == ["INVALID_ARGUMENT"]


# --- Commits -------------------------------------------------------------------------------------------------------


def commit(*writes):
    request = commit_request(DATABASE, writes)
    return type(request).pb(request)


TASK = Write("users/jeff/tasks/my_task_id", {"type": "Personal", "done": False, "priority": 1, "description": "x" * 21})


def test_the_example_of_the_documentation_has_the_documented_sizes():
    """https://firebase.google.com/docs/firestore/storage-size."""
    unindexed = {"collectionGroup": "tasks", "fieldPath": "*", "indexes": []}
    single = {"collectionGroup": "tasks", "fieldPath": "done", "indexes": [{"order": UP, "queryScope": "COLLECTION"}]}
    grouped = {**single, "indexes": [{"order": UP, "queryScope": "COLLECTION_GROUP"}]}
    two = {"collectionGroup": "tasks", "queryScope": "COLLECTION", "fields": [field("done"), field("priority")]}

    assert measured(commit(TASK), indexes(overrides=[unindexed])).document_bytes == 147
    assert measured(commit(TASK), indexes(overrides=[unindexed, single])).entry_bytes == 109
    assert measured(commit(TASK), indexes(overrides=[unindexed, grouped])).entry_bytes == 98
    assert measured(commit(TASK), indexes(two, overrides=[unindexed])).entry_bytes == 112
    group = {**two, "queryScope": "COLLECTION_GROUP"}
    assert measured(commit(TASK), indexes(group, overrides=[unindexed])).entry_bytes == 85


def test_every_value_has_two_entries_and_a_list_one_more_for_each_of_its_elements():
    fields = {"text": "a", "map": {"number": 1, "none": None}, "list": ["x", "y", "x"]}

    assert measured(commit(Write("c/1", fields)), indexes()).entries == 2 + (2 + 2 + 2) + (2 + 2)


def test_a_document_without_a_field_has_no_entry_in_a_composite_index():
    known = indexes(A_B, overrides=[override("*")])

    assert measured(commit(Write("c/1", {"a": 1}), Write("c/2", {"a": 1, "b": None})), known).entries == 1


@pytest.mark.parametrize(
    ("writes", "words"),
    [
        ([Write(f"c/{n}", {"t": "x" * 1_000_000}) for n in range(11)], "Request payload size exceeds the limit"),
        ([Write("c/1", {"t": "x" * 1_050_000})], "exceeds the maximum allowed size of 1,048,572 bytes"),
        ([Write("c/1", {"t": "x" * 1_048_488})], "longer than 1,048,487 bytes"),
        ([Write("c/1", {"s": "x" * 1_000_000, "t": "x" * 48_515})], "exceeds the maximum allowed size of 1,048,572"),
        ([Write("c/1", {"x" * 1501: 1})], "reserved, or longer than 1,500 bytes"),
        ([Write("c/1", {"a-b": COMMIT_TIME})], "not a field path"),
        ([Write("c/1", {"a": 1}, expecting=Document("c/1", {}, 1_700_000_000_000_000_001, NINE))], "microsecond"),
        ([Write("d/1", {"m": {str(n): n for n in range(20_001)}})], "too many index entries for entity"),
        ([Write(f"d/{n}", {"l": [f"{i:04}" for i in range(3000)]}) for n in range(70)], "Transaction too big"),
        ([Write("c/__x__", {})], "reserved"),
        ([Write("c/" + "x" * 1501, {})], "longer than 1,500 bytes"),
        ([Write("c/1", {"__x__": 1})], "reserved"),
        ([Write("c/1", {"l": [[1]]})], "A list directly in a list"),
        ([Write("c/1", {"m": 1, "d": eval("{'a':" * 21 + "1" + "}" * 21)})], "20 levels deep"),  # noqa: S307 - a literal
    ],
)
def test_a_commit_that_firestore_refuses_is_refused(writes, words):
    gate = Gate(indexes(overrides=[override("*")]))
    with pytest.raises(Refused, match=words):
        gate.commit(commit(*writes))

    assert [refusal.status for refusal in gate.take()] == ["INVALID_ARGUMENT"]
    assert gate.commits == []


@pytest.mark.parametrize("name", ["x" * 1500, "a.b", "7b", "a-b"])
def test_a_field_may_have_any_name_that_is_not_reserved(name):
    measured(commit(Write("c/1", {name: 1})), indexes())


def reading(*paths, **about):
    documents = [path if path.startswith("projects/") else f"{DATABASE}/documents/{path}" for path in paths]
    return types.BatchGetDocumentsRequest.pb()(database=DATABASE, documents=documents, **about)


def ago(seconds, nanos=0):
    return {"seconds": int(datetime.now(UTC).timestamp()) - seconds, "nanos": nanos}


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: reading("projects/other/databases/(default)/documents/c/1"), "not a child"),
        (lambda: reading("c/__x__"), "reserved"),
        (lambda: reading("c/1", read_time=ago(600, nanos=1)), "microsecond"),
        (lambda: reading("c/1", read_time=ago(3602)), "too old"),
        (lambda: reading("c/1", read_time=ago(-600)), "future"),
    ],
)
def test_documents_are_asked_for_as_firestore_gives_them(ask, words):
    gate = Gate(indexes())
    with pytest.raises(Refused, match=words):
        gate.read(ask())

    assert len(gate.take()) == 1


def test_a_moment_within_the_hour_can_be_read():
    gate = Gate(indexes())
    gate.read(reading("c/1", "c/2", read_time=ago(600, nanos=1000)))
    gate.read(reading("c/1"))

    assert gate.take() == []


def test_a_document_that_expires_must_be_in_a_group_that_is_deleted_in_time():
    gate = Gate(indexes(overrides=[override("*")]))
    gate.commit(commit(Write("sessions/1/attendance/2", {"expire_at": None}), Write("c/1", {})))
    with pytest.raises(Refused, match="no time-to-live policy"):
        gate.commit(commit(Write("sessions/1/unknown/2", {"expire_at": None})))

    assert len(gate.take()) == 1


def test_a_commit_within_the_limits_passes_and_is_remembered():
    gate = Gate(indexes(overrides=[override("*")]))
    gate.commit(commit(*(Write(f"c/{n}", {"t": "x" * 1_000_000}) for n in range(10)), Write("c/old", None)))
    [measure] = gate.commits

    assert (measure.writes, measure.entries) == (11, 0)
    assert 10_000_000 < measure.counted_bytes < MOST_BYTES

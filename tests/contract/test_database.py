"""The guarantees of every database of documents for readers: one moment over many pages, order, conditions."""

import asyncio
import dataclasses
import os
import sqlite3
from datetime import UTC, datetime, timedelta

import grpc.aio
import pytest
from google.cloud import firestore
from google.cloud.firestore_v1 import types

from functions.adapters.store.databases.as_json import from_json, to_json
from functions.adapters.store.databases.database import ABSENT, COMMIT_TIME, Query, Where, Write
from functions.adapters.store.databases.firestore import LARGE, THREADS, FirestoreDatabase
from functions.adapters.store.databases.firestore_limits import MAX_COMMIT_BYTES
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.errors import DocumentsRefused, DocumentTooNew, ReadTooOld, StoreConflict, StoreUnavailable
from tests.builders import at

pytestmark = pytest.mark.any_query


async def put(database, documents):
    """Write documents, given as fields by path; None deletes a document."""
    await database.commit([Write(path, fields) for path, fields in documents.items()])


async def paths(database, query):
    return [document.path for document in (await database.find(query)).documents]


async def pages(database, query, *, between=None):
    """Return the paths of each page; all pages are read at the moment of the first. `between` runs after each page."""
    found = await database.find(query)
    read = [[document.path for document in found.documents]]
    while found.next_after is not None:
        if between:
            await between()
        found = await database.find(dataclasses.replace(query, after=over_json(found.next_after), at=found.read_at))
        read.append([document.path for document in found.documents])
    return read


def over_json(values):
    """Return the values as they come from a caller that stores them as text."""
    return tuple(from_json(to_json(values)))


async def test_pages_hold_everything_once_and_in_order(database):
    await put(database, {f"a/{n}": {"t": at(9 - n)} for n in range(7)})

    assert await pages(database, Query("a", order=("t",), limit=3)) == [
        ["a/6", "a/5", "a/4"],
        ["a/3", "a/2", "a/1"],
        ["a/0"],
    ]


async def test_a_last_page_that_is_full_is_known_to_be_the_last(database):
    await put(database, {f"a/{n}": {"t": at(n)} for n in range(4)})

    assert await pages(database, Query("a", order=("t",), limit=2)) == [["a/0", "a/1"], ["a/2", "a/3"]]


async def test_equal_values_are_sorted_by_path_and_none_is_lost_between_pages(database):
    everyone = {f"a/{n}": {"t": at(1), "name": "x" if n % 2 else None} for n in range(6)}
    await put(database, everyone)

    assert await pages(database, Query("a", order=("t", "name"), limit=2)) == [
        ["a/0", "a/2"],
        ["a/4", "a/1"],
        ["a/3", "a/5"],
    ]


async def test_pages_show_one_moment_while_documents_change_and_go_and_come(database):
    await put(database, {f"a/{n}": {"n": n} for n in range(6)})
    turns = iter(range(6))

    async def disturb():
        n = next(turns)
        await put(database, {f"a/{5 - n}": None, f"a/{n}": {"n": 99}, f"a/new{n}": {"n": 3}})

    assert await pages(database, Query("a", order=("n",), limit=2), between=disturb) == [
        ["a/0", "a/1"],
        ["a/2", "a/3"],
        ["a/4", "a/5"],
    ]


async def test_a_document_shows_what_it_held_at_each_moment(database):
    seen = []
    for fields in ({"n": 1}, {"n": 2}, None, {"n": 3}):
        seen.append((await database.find(Query("a"))).read_at)
        await put(database, {"a/b": fields})
    seen.append((await database.find(Query("a"))).read_at)

    read = [await database.get("a/b", at=moment) for moment in seen]
    assert [document and document.fields for document in read] == [None, {"n": 1}, {"n": 2}, None, {"n": 3}]
    assert [document.seen_at for document in read if document] == [seen[1], seen[2], seen[4]]


async def test_what_was_read_before_can_be_read_with_its_surroundings(database):
    await put(database, {"a/b": {"n": 1}, "a/b/c/1": {"n": 1}, "a/b/c/2": {"n": 2}})
    parent = await database.get("a/b")
    await put(database, {"a/b": {"n": 2}, "a/b/c/1": None, "a/b/c/3": {"n": 3}})

    children = await database.children("a/b/c", at=parent.seen_at)
    assert [(child.path, child.fields) for child in children] == [("a/b/c/1", {"n": 1}), ("a/b/c/2", {"n": 2})]
    assert await database.get("a/b", at=parent.seen_at) == parent


async def test_an_empty_answer_names_its_moment_too(database):
    before = await database.find(Query("a"))
    await put(database, {"a/b": {"n": 1}})

    assert await paths(database, Query("a", at=before.read_at)) == []
    assert await paths(database, Query("a")) == ["a/b"]


async def test_what_lies_more_than_an_hour_back_cannot_be_read(database):
    await put(database, {"a/b": {"n": 1}})
    long_ago = datetime.now(UTC) - timedelta(minutes=61)

    with pytest.raises(ReadTooOld):
        await database.get("a/b", at=long_ago)
    with pytest.raises(ReadTooOld):
        await database.children("a", at=long_ago)
    with pytest.raises(ReadTooOld):
        await database.find(Query("a", at=long_ago))


async def test_the_future_cannot_be_read(database):
    with pytest.raises(ReadTooOld):
        await database.find(Query("a", at=datetime.now(UTC) + timedelta(minutes=5)))


async def test_a_document_that_was_found_can_be_written_on_one_condition(database):
    await put(database, {"a/b": {"n": 1}})
    by_path, in_query = (await database.get_many(["a/b"]))["a/b"], (await database.find(Query("a"))).documents[0]
    assert by_path == in_query

    await database.commit([Write("a/b", {"n": 2}, expecting=in_query)])
    with pytest.raises(StoreConflict):
        await database.commit([Write("a/b", {"n": 3}, expecting=by_path)])
    with pytest.raises(StoreConflict):
        await database.commit([Write("a/b", {"n": 3}, expecting=ABSENT)])


async def test_a_commit_takes_place_only_while_documents_that_it_does_not_touch_are_unchanged(database):
    await put(database, {"a/seen": {"n": 1}, "a/gone": {"n": 1}})
    seen, gone = await database.get("a/seen"), await database.get("a/gone")

    await database.commit([Write("a/new", {"n": 1})], unchanged=[seen, gone])
    assert await database.get("a/seen") == seen

    await put(database, {"a/seen": {"n": 2}})
    with pytest.raises(StoreConflict):
        await database.commit([Write("a/new", {"n": 2})], unchanged=[seen])
    await put(database, {"a/gone": None})
    with pytest.raises(StoreConflict):
        await database.commit([Write("a/new", {"n": 2})], unchanged=[gone])
    assert (await database.get("a/new")).fields == {"n": 1}
    assert await database.get("a/gone") is None


async def test_a_write_that_changes_nothing_is_not_a_new_version(database):
    """Firestore: "If the write did not actually change the document, this will be the previous update_time."

    So a write that must make other writes fail has to change something.
    """
    await put(database, {"a/b": {"n": 1, "at": at(1), "list": [1, {"x": None}]}})
    seen = await database.get("a/b")

    await database.commit([Write("a/b", {"list": [1, {"x": None}], "at": at(1), "n": 1}, expecting=seen)])
    assert await database.get("a/b") == seen
    await database.commit([Write("a/b", {"n": 2}, expecting=seen)])
    assert await database.get("a/b") != seen


async def test_many_documents_are_got_at_once_and_those_that_are_missing_left_out(database):
    await put(database, {f"a/{n}": {"n": n} for n in range(600)})

    found = await database.get_many([f"a/{n}" for n in range(-1, 601)])
    assert {path: document.fields for path, document in found.items()} == {f"a/{n}": {"n": n} for n in range(600)}
    assert len({document.seen_at for document in found.values()}) == 1
    assert await database.get_many([]) == {}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Where("t", ">=", at(2)), ["2", "3", "4"]),
        (Where("t", ">", at(2)), ["3", "4"]),
        (Where("t", "<=", at(2)), ["0", "1", "2"]),
        (Where("t", "<", at(2)), ["0", "1"]),
        (Where("t", "==", at(2)), ["2"]),
        (Where("t", "<", at(2.000001)), ["0", "1", "2"]),
        (Where("tags", "contains", "even"), ["0", "2", "4"]),
        (Where("deep.flag", "==", True), ["1"]),
        (Where("deep.flag", "==", 1), ["2"]),
        (Where("deep.flag", "==", None), ["3"]),
        (Where("deep.flag", "<", 5), ["2"]),
        (Where("tags", "==", ["even"]), ["0", "2", "4"]),
        (Where("missing", "==", None), []),
    ],
)
async def test_a_condition_finds_what_fits(database, where, expected):
    flags = {1: True, 2: 1, 3: None, 4: "text"}
    await put(
        database,
        {
            f"a/{n}": {
                "t": at(n),
                "tags": ["even"] if n % 2 == 0 else ["odd", "not even"],
                "deep": {"flag": flags[n]} if n else {},
            }
            for n in range(5)
        },
    )

    assert await paths(database, Query("a", where=(where,))) == [f"a/{n}" for n in expected]


async def test_all_conditions_must_hold(database):
    everyone = {f"a/{n}": {"t": at(n), "emails": ["ada", f"{n % 3}"], "class": n % 2} for n in range(12)}
    await put(database, everyone)
    where = (
        Where("emails", "contains", "1"),
        Where("class", "==", 0),
        Where("t", ">=", at(3)),
        Where("t", "<", at(12)),
    )

    assert await pages(database, Query("a", where=where, order=("t",), limit=1)) == [["a/4"], ["a/10"]]


async def test_a_range_sorts_where_no_other_order_is_asked_for(database):
    await put(database, {f"a/{n}": {"due": at(9 - n)} for n in range(5)})

    assert await pages(database, Query("a", where=(Where("due", "<=", at(8)),), limit=3)) == [
        ["a/4", "a/3", "a/2"],
        ["a/1"],
    ]


async def test_pages_in_reverse_order_also_contain_everything_once(database):
    await put(database, {f"a/{n}": {"t": at(n // 2), "kind": n % 2} for n in range(8)})
    query = Query("a", where=(Where("kind", "==", 1),), order=("t",), downwards=True, limit=3)

    assert await pages(database, query) == [["a/7", "a/5", "a/3"], ["a/1"]]
    assert await paths(database, Query("a", order=("t",), downwards=True, limit=3)) == ["a/7", "a/6", "a/5"]


async def test_null_values_come_last_in_descending_order(database):
    await put(database, {"a/1": {"t": None}, "a/2": {"t": at(1)}, "a/3": {"t": at(2)}})

    assert await paths(database, Query("a", order=("t",), downwards=True)) == ["a/3", "a/2", "a/1"]


async def test_values_of_different_types_have_a_defined_order(database):
    values = [{"a": 1}, [1], b"\x01", b"\x00\xff", "b", "a", "Ä", "😀", "\uffff", 2, -1, at(1), False, True, None]
    await put(database, {f"a/{n}": {"v": value} for n, value in enumerate(values)})

    found = await database.find(Query("a", order=("v",)))
    assert [document.fields["v"] for document in found.documents] == [
        *(None, False, True, -1, 2, at(1)),
        *("a", "b", "Ä", "\uffff", "😀"),
        *(b"\x00\xff", b"\x01", [1], {"a": 1}),
    ]
    assert await pages(database, Query("a", order=("v",), limit=1)) == [[one.path] for one in found.documents]


async def test_a_document_without_a_field_to_sort_by_is_not_found(database):
    await put(database, {"a/1": {"t": at(1)}, "a/2": {"t": None}, "a/3": {}})

    assert await paths(database, Query("a", order=("t",))) == ["a/2", "a/1"]


async def test_a_group_is_found_across_parents_and_depths(database):
    await put(
        database,
        {
            "s/2/people/1": {"who": "ada", "t": at(1)},
            "s/1/people/1": {"who": "ada", "t": at(1)},
            "s/1/people/2": {"who": "ben", "t": at(0)},
            "s/10/people/1": {"who": "ada", "t": at(0)},
            "people/1": {"who": "ada", "t": at(1)},
            "s/1/other_people/1": {"who": "ada", "t": at(0)},
            "s/1": {"who": "ada", "t": at(0)},
        },
    )
    query = Query("people", group=True, where=(Where("who", "==", "ada"),), order=("t",), limit=2)

    assert await pages(database, query) == [["s/10/people/1", "people/1"], ["s/1/people/1", "s/2/people/1"]]
    assert await paths(database, Query("people")) == ["people/1"]
    assert await paths(database, Query("s/1/people", order=("t",))) == ["s/1/people/2", "s/1/people/1"]


async def test_pages_of_a_group_show_one_moment(database):
    await put(database, {f"s/{n}/people/x": {"t": at(1)} for n in range(4)})

    async def disturb():
        await put(database, {f"s/{n}/people/x": None for n in range(1, 4)} | {"s/3/people/y": {"t": at(1)}})

    query = Query("people", group=True, order=("t",), limit=2)
    assert await pages(database, query, between=disturb) == [
        ["s/0/people/x", "s/1/people/x"],
        ["s/2/people/x", "s/3/people/x"],
    ]


async def test_a_commit_larger_than_firestore_takes_is_refused_before_it_is_sent(firestore_client):
    database = FirestoreDatabase(firestore_client)
    large = {"text": "x" * 1_000_000}

    with pytest.raises(DocumentsRefused, match=f"{MAX_COMMIT_BYTES:,}"):
        await put(database, {f"a/{n}": large for n in range(11)})
    assert await database.children("a") == []


async def test_a_value_of_a_kind_that_is_never_written_is_named(firestore_client):
    await firestore_client.document("a/b").set({"where": firestore.GeoPoint(1, 2)})

    with pytest.raises(DocumentTooNew, match="geo_point"):
        await FirestoreDatabase(firestore_client).get("a/b")


@pytest.mark.parametrize(
    ("said", "at_moment", "expected"),
    [
        ("The query requires an index. You can create it here: https://x", False, "indexes"),
        ("The query requires an index. That index is currently building.", True, "indexes"),
        ("The requested snapshot version is too old.", True, "first page"),
        (
            "The Cloud Firestore API is not available for Firestore in Datastore Mode.",
            False,
            "gcloud firestore databases",
        ),
    ],
)
async def test_a_query_that_firestore_refuses_says_what_to_do(monkeypatch, said, at_moment, expected):
    async def refuse(_, context):
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, said)
        yield

    async with answering({"RunQuery": grpc.unary_stream_rpc_method_handler(refuse)}, monkeypatch) as database:
        moment = datetime.now(UTC) if at_moment else None
        with pytest.raises((StoreUnavailable, ReadTooOld)) as refused:
            await database.find(Query("a", order=("t",), at=moment))

    assert expected in refused.value.hint


async def test_an_answer_that_breaks_off_is_read_again_from_the_beginning(monkeypatch):
    calls = []
    documents = [types.Document(name=f"{PREFIX}/a/{n}") for n in range(3)]

    async def break_off_once(_, context):
        calls.append(1)
        for document in documents:
            yield types.RunQueryResponse(document=document, read_time=at(0))
            if len(calls) == 1:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")

    handler = grpc.unary_stream_rpc_method_handler(break_off_once, response_serializer=types.RunQueryResponse.serialize)
    async with answering({"RunQuery": handler}, monkeypatch) as database:
        assert await paths(database, Query("a")) == ["a/0", "a/1", "a/2"]


@pytest.mark.parametrize("number", [LARGE - 1, LARGE, 3 * LARGE])
async def test_any_number_of_documents_is_read_by_path(database, number):
    stored = {f"a/{n}": {"number": n, "at": at(n), "names": ["Zoë", None]} for n in range(number)}
    await put(database, stored)

    found = await database.get_many([*stored, "a/missing"][-number:])

    stored.pop("a/0")
    assert {path: dict(document.fields) for path, document in found.items()} == stored


async def test_only_large_answers_are_read_by_the_synchronous_client(monkeypatch):
    clients = []

    async def answer(request, context):
        clients.append(dict(context.invocation_metadata())["user-agent"].partition("/")[0])
        for name in request.documents:
            yield types.BatchGetDocumentsResponse(found=types.Document(name=name), read_time=at(0))

    async with answering({"BatchGetDocuments": batch_get(answer)}, monkeypatch) as database:
        for number in (LARGE - 1, LARGE):
            assert len(await database.get_many([f"a/{n}" for n in range(number)])) == number

    assert clients == ["grpc-python-asyncio", "grpc-python"]


async def test_a_large_answer_that_breaks_off_is_read_again_from_the_beginning(monkeypatch):
    calls = []
    wanted = [f"a/{n}" for n in range(LARGE)]

    async def break_off_once(_, context):
        calls.append(1)
        for path in wanted:
            found = types.Document(name=f"{PREFIX}/{path}")
            yield types.BatchGetDocumentsResponse(found=found, read_time=at(0))
            if len(calls) == 1:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")

    async with answering({"BatchGetDocuments": batch_get(break_off_once)}, monkeypatch) as database:
        assert [*await database.get_many(wanted)] == wanted
    assert len(calls) == 2


async def test_a_refused_large_answer_says_what_to_do(monkeypatch):
    async def refuse(_, context):
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "no")
        yield

    async with answering({"BatchGetDocuments": batch_get(refuse)}, monkeypatch) as database:
        with pytest.raises(StoreUnavailable) as refused:
            await database.get_many([f"a/{n}" for n in range(LARGE)])

    assert "roles/datastore.user" in refused.value.hint


async def test_who_stops_waiting_for_a_large_answer_is_free_at_once_and_so_are_others(monkeypatch):
    asked, over = asyncio.Semaphore(0), asyncio.Event()

    async def hang(request, _):
        if request.documents[0].endswith("/late/0"):
            asked.release()
            await over.wait()
        for name in request.documents:
            yield types.BatchGetDocumentsResponse(found=types.Document(name=name), read_time=at(0))

    late, soon = ([f"{kind}/{n}" for n in range(LARGE)] for kind in ("late", "soon"))
    async with answering({"BatchGetDocuments": batch_get(hang)}, monkeypatch) as database:
        waiting = [asyncio.create_task(database.get_many(late)) for _ in range(2 * THREADS)]
        for _ in waiting:
            await asked.acquire()
        for one in waiting[: THREADS + 1]:
            one.cancel()
            with pytest.raises(asyncio.CancelledError):
                await one

        assert [*await database.get_many(soon)] == soon

        over.set()
        assert [len(await one) for one in waiting[THREADS + 1 :]] == [LARGE] * (THREADS - 1)
        assert [*await database.get_many(soon)] == soon


def batch_get(answer):
    return grpc.unary_stream_rpc_method_handler(
        answer,
        request_deserializer=types.BatchGetDocumentsRequest.deserialize,
        response_serializer=types.BatchGetDocumentsResponse.serialize,
    )


PREFIX = "projects/demo-fake/databases/(default)/documents"


class answering:  # noqa: N801 - reads as a verb
    """A Firestore with prepared answers."""

    def __init__(self, handlers, monkeypatch):
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("google.firestore.v1.Firestore", handlers)]
        )
        self._monkeypatch = monkeypatch

    async def __aenter__(self):
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        self._monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{port}")
        return FirestoreDatabase(firestore.AsyncClient(project="demo-fake"))

    async def __aexit__(self, *_):
        await self._server.stop(0.1)


class Hands:
    """A clock that the test sets."""

    def __init__(self):
        self.now = at(0)

    def __call__(self):
        return self.now


async def test_sqlite_reads_the_past_for_an_hour_and_then_forgets_it(tmp_path):
    clock, file = Hands(), tmp_path / "attendance.db"
    database = SqliteDatabase(file, clock=clock)
    text = "x" * 100_000
    for minute in range(0, 60 * 24, 10):
        clock.now = at(minute)
        await put(database, {"a/b": {"n": minute, "text": text}})
        if minute == 300:
            size = file.stat().st_size
        if minute >= 60:
            assert (await database.get("a/b", at=at(minute - 60))).fields["n"] == minute - 60

    assert file.stat().st_size <= size * 1.1


async def test_sqlite_keeps_commits_apart_when_the_clock_stands_still_or_is_set_back(tmp_path):
    clock = Hands()
    database = SqliteDatabase(tmp_path / "attendance.db", clock=clock)
    seen = []
    for n in range(4):
        clock.now = at(-n)
        await put(database, {"a/b": {"n": n, "at": COMMIT_TIME}})
        await put(database, {"a/b": {"n": n + 0.5, "at": COMMIT_TIME}})
        seen.append(await database.get("a/b"))

    assert [await database.get("a/b", at=document.seen_at) for document in seen] == seen
    assert sorted(document.fields["at"] for document in seen) == [document.fields["at"] for document in seen]


async def test_sqlite_shows_whole_commits_only_and_the_same_ones_again_later(tmp_path):
    """Firestore's emulator is not tested: its queries can show half of a running commit.

    Those of Firestore never do.
    """
    database = SqliteDatabase(tmp_path / "attendance.db")
    await put(database, {f"a/{n}": {"n": 0} for n in range(20)})

    async def write():
        for turn in range(1, 40):
            await put(database, {f"a/{n}": {"n": turn} for n in range(20)})

    async def read():
        while not writing.done():
            seen.append(await database.find(Query("a")))

    seen = []
    writing = asyncio.create_task(write())
    await asyncio.gather(writing, read(), read())

    assert {len({document.fields["n"] for document in found.documents}) for found in seen} == {1}
    assert [await database.find(Query("a", at=found.read_at)) for found in seen] == seen


async def test_a_file_of_the_older_form_is_read_and_written(tmp_path):
    file = tmp_path / "attendance.db"
    with sqlite3.connect(file) as connection:
        connection.executescript(
            """
            CREATE TABLE documents (path TEXT PRIMARY KEY, collection TEXT NOT NULL, fields TEXT NOT NULL,
                version INTEGER NOT NULL) WITHOUT ROWID;
            CREATE INDEX by_collection ON documents (collection, path);
            CREATE TABLE commits (number INTEGER PRIMARY KEY AUTOINCREMENT);
            INSERT INTO documents VALUES ('a/b', 'a', '{"n": 1}', 1);
            INSERT INTO commits VALUES (1);
            """
        )
    connection.close()
    database = SqliteDatabase(file)
    old = await database.get("a/b")
    await database.commit([Write("a/b", {"n": 2}, expecting=old)])

    assert ((await database.get("a/b")).fields, await database.get("a/b", at=old.seen_at)) == ({"n": 2}, old)


async def test_a_document_larger_than_firestore_takes_is_refused_before_it_is_sent(firestore_client):
    with pytest.raises(DocumentsRefused, match="1,048,572"):
        await put(FirestoreDatabase(firestore_client), {"conferences/1": {"text": "x" * 1_050_000}})


def modes(folder):
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


async def test_sqlite_files_are_for_their_owner_alone_whatever_the_umask_is(tmp_path):
    database = SqliteDatabase(tmp_path / "attendance.db")
    before = os.umask(0)
    try:
        await database.commit([Write("a/1", {"n": 1})])
        assert modes(tmp_path) == {"attendance.db": 0o600}
        with sqlite3.connect(tmp_path / "attendance.db") as other:
            other.execute("PRAGMA journal_mode = WAL")
            other.execute("CREATE TABLE something (n INTEGER)")
            assert set(modes(tmp_path).values()) == {0o600}
            assert len(modes(tmp_path)) == 3
            other.execute("PRAGMA journal_mode = DELETE")
            other.execute("BEGIN IMMEDIATE")
            other.execute("INSERT INTO something VALUES (1)")
            assert modes(tmp_path) == {"attendance.db": 0o600, "attendance.db-journal": 0o600}
    finally:
        os.umask(before)


async def test_a_sqlite_file_that_others_could_read_is_closed_to_them(tmp_path):
    file = tmp_path / "attendance.db"
    await SqliteDatabase(file).commit([Write("a/1", {"n": 1})])
    file.chmod(0o644)

    assert (await SqliteDatabase(file).get("a/1")).fields == {"n": 1}
    assert modes(tmp_path) == {"attendance.db": 0o600}


async def test_nothing_is_lost_when_many_processes_create_a_sqlite_file_at_once(tmp_path):
    databases = [SqliteDatabase(tmp_path / "attendance.db") for _ in range(20)]
    await asyncio.gather(*(one.commit([Write(f"a/{n}", {"n": n})]) for n, one in enumerate(databases)))

    assert len(await databases[0].children("a")) == 20
    assert modes(tmp_path) == {"attendance.db": 0o600}

"""What every attendance store promises, on each database."""

import asyncio
import dataclasses
from datetime import timedelta

import grpc.aio
import pytest
from google.cloud import firestore
from google.cloud.firestore_v1 import types

from functions.adapters.attendance_store import DocumentAttendanceStore
from functions.adapters.database import ABSENT, COMMIT_TIME, Write
from functions.adapters.firestore import FirestoreDatabase
from functions.adapters.sqlite import SqliteDatabase
from functions.domain.attendance import unscheduled_sheet
from functions.domain.errors import DocumentsRefused, DocumentTooNew, Retryable, StoreConflict
from functions.domain.model import Organizer, PhoneUser, SyncError, SyncState
from functions.ports import Change, ParkedEvent
from tests.builders import RECORD, at, conference, guest, participant, snapshot, student, until

ADA, BEN = participant(student(2, "Ada 🎓"), (0, 60)), participant(student(3), (5, 20), (10, 60))
PARKED = ParkedEvent(key="k", message='{"a": 1}', encoding="json", reason="unreadable-message", hint="look")


@pytest.fixture
def store(database):
    return DocumentAttendanceStore(database, clock=lambda: at(100), retention=None)


def read_at(minute, *people):
    return conference(snapshot(*people), pulled=minute)


async def save(store, what, loaded=None):
    """Store a conference with its sheet, in the place of what is stored now."""
    stored, sheet = loaded or await load(store)
    wanted = unscheduled_sheet(what, time_zone="UTC")
    await store.save(conference=Change(stored, what), sheet=Change(sheet, wanted))


async def load(store):
    return await store.load_conference(RECORD), await store.load_sheet("abc")


async def versions(database):
    """The version of every document, by path."""
    documents = [await database.get("conferences/abc"), await database.get("sessions/abc")]
    documents += await database.children("sessions/abc/attendance")
    return {document.path: document.version for document in documents if document}


async def one_moment(database, collection, request):
    """A collection as it stands at one moment.

    Any query of Firestore's shows one moment (https://firebase.google.com/docs/firestore/understand-reads-writes-scale),
    but of its emulator only one in a transaction that takes locks does.
    """
    if isinstance(database, SqliteDatabase):
        return await database.children(collection)
    client = request.getfixturevalue("firestore_client")

    @firestore.async_transactional
    async def read(transaction):
        return [document async for document in client.collection(collection).stream(transaction=transaction)]

    return await read(client.transaction())


async def test_what_was_never_stored_is_none(store):
    stored, sheet = await load(store)

    assert (stored.value, sheet.value) == (None, None)


async def test_a_conference_comes_back_as_it_was_stored(store):
    said = snapshot(ADA, BEN, participant(guest(""), (1, None)), participant(PhoneUser("+49 ••• 12"), (3, 3.0000001)))
    what = conference(said, state=SyncState.PROVISIONAL, ended_event=60)
    await save(store, what)

    assert (await store.load_conference(RECORD)).value == what


async def test_a_failed_conference_comes_back_with_its_error(store):
    failed = dataclasses.replace(
        read_at(61),
        snapshot=None,
        session_ids=(),
        organizer=Organizer(),
        sync=dataclasses.replace(
            read_at(61).sync, state=SyncState.FAILED, pulled_at=None, error=SyncError("r", "m", "h", at(61))
        ),
    )
    await store.save(conference=Change(await store.load_conference(RECORD), failed))

    assert (await store.load_conference(RECORD)).value == failed


async def test_a_sheet_comes_back_as_it_was_stored(store):
    what = read_at(61, ADA, BEN, participant(guest("Bo"), (1, None)))
    await save(store, what)

    assert (await store.load_sheet("abc")).value == unscheduled_sheet(what, time_zone="UTC")


async def test_saving_the_same_again_writes_nothing(store, database):
    await save(store, read_at(61, ADA, BEN))
    before = await versions(database)
    await save(store, read_at(61, ADA, BEN))

    assert await versions(database) == before


async def test_a_resync_that_changes_nothing_writes_no_attendance_and_two_documents_at_most(store, database):
    await save(store, read_at(61, ADA, BEN))
    before, session = await versions(database), await database.get("sessions/abc")
    await save(store, read_at(62, ADA, BEN))
    after = await versions(database)

    assert {path for path in after if after[path] != before.get(path)} == {"conferences/abc", "sessions/abc"}
    assert (await database.get("sessions/abc")).fields["updated_at"] == session.fields["updated_at"]


async def test_a_change_writes_that_person_alone_and_moves_the_sessions_updated_at(store, database):
    await save(store, read_at(61, ADA, BEN))
    before, session = await versions(database), await database.get("sessions/abc")
    await save(store, read_at(62, ADA, participant(student(3), (5, 20))))
    after = await versions(database)

    changed = {path for path in after if after[path] != before.get(path)}
    assert len(changed) == 3
    assert {path for path in changed if "attendance" not in path} == {"conferences/abc", "sessions/abc"}
    again = await database.get("sessions/abc")
    assert again.fields["updated_at"] > session.fields["updated_at"]
    assert again.fields["created_at"] == session.fields["created_at"]


async def test_the_same_failure_again_moves_no_updated_at_but_another_one_does(store, database):
    async def updated_at(reason, minute):
        said = read_at(61, ADA)
        sync = dataclasses.replace(said.sync, state=SyncState.FAILED, error=SyncError(reason, "m", "h", at(minute)))
        await save(store, dataclasses.replace(said, sync=sync))
        return (await database.get("sessions/abc")).fields["updated_at"]

    first, again, other = await updated_at("one", 62), await updated_at("one", 63), await updated_at("other", 64)

    assert first == again < other


async def test_who_is_no_longer_in_the_conference_has_no_document_left(store, database):
    await save(store, read_at(61, ADA, BEN))
    await save(store, read_at(62, ADA))

    assert [one.fields["user"] for one in await database.children("sessions/abc/attendance")] == ["users/2"]


async def test_of_two_who_loaded_the_same_only_the_first_can_save(store, database):
    await save(store, read_at(61, ADA))
    first, second = await load(store), await load(store)
    await save(store, read_at(62, ADA, BEN), first)
    stored = await versions(database)

    with pytest.raises(StoreConflict):
        await save(store, read_at(63, BEN), second)
    assert await versions(database) == stored


async def test_of_two_who_found_nothing_only_the_first_can_save(store, database):
    first, second = await load(store), await load(store)
    await save(store, read_at(61, ADA), first)
    stored = await versions(database)

    with pytest.raises(StoreConflict):
        await save(store, read_at(62, BEN), second)
    assert await versions(database) == stored


async def test_a_sheet_made_of_an_older_conference_cannot_be_saved_over_a_newer_one(store):
    await save(store, read_at(61, ADA))
    old_conference = await store.load_conference(RECORD)
    await save(store, read_at(62, ADA, BEN))
    new_sheet = await store.load_sheet("abc")

    with pytest.raises(StoreConflict):
        await save(store, old_conference.value, (old_conference, new_sheet))


async def test_a_reader_never_sees_half_a_sync(store, database, request):
    crowd = [participant(student(number), (0, 60)) for number in range(2, 202)]
    seen = set()

    async def watch():
        while True:
            seen.add(len(await one_moment(database, "sessions/abc/attendance", request)))

    watcher = asyncio.create_task(watch())
    await save(store, read_at(61, *crowd))
    await until(lambda: 200 in seen)
    watcher.cancel()

    assert seen <= {0, 200}


async def test_a_snapshot_too_large_for_one_document_is_stored_whole_and_shrinks_again(store, database):
    crowd = [participant(student(number), *[(m / 10, m / 10 + 0.05) for m in range(30)]) for number in range(2, 302)]
    await save(store, read_at(61, *crowd))

    assert len(await database.children("conferences/abc/snapshot")) >= 1
    assert (await store.load_conference(RECORD)).value == read_at(61, *crowd)

    await save(store, read_at(62, ADA))
    assert await database.children("conferences/abc/snapshot") == []
    assert (await store.load_conference(RECORD)).value == read_at(62, ADA)


async def test_a_message_is_parked_once(store, database):
    await store.park(PARKED)
    first = await database.get("parked_events/k")
    await store.park(PARKED)

    assert await database.get("parked_events/k") == first
    assert (first.fields["message"], first.fields["truncated"]) == ('{"a": 1}', False)
    assert first.fields["parked_at"].tzinfo


@pytest.mark.parametrize("character", ["x", "🎓"])
async def test_a_parked_message_is_cut_to_256_kib(store, database, character):
    await store.park(dataclasses.replace(PARKED, message=character * 600_000))
    stored = (await database.get("parked_events/k")).fields

    assert (len(stored["message"].encode()), stored["truncated"]) == (256 * 1024, True)


async def test_of_two_who_found_no_conference_only_the_first_can_say_that_it_failed(store):
    failed = dataclasses.replace(read_at(61), snapshot=None, session_ids=())
    first, second = await store.load_conference(RECORD), await store.load_conference(RECORD)
    await store.save(conference=Change(first, failed))

    with pytest.raises(StoreConflict):
        await store.save(conference=Change(second, failed))


async def test_personal_data_expires_when_a_retention_is_set(database):
    store = DocumentAttendanceStore(database, clock=lambda: at(100), retention=timedelta(days=30))
    await save(store, read_at(61, ADA))
    await store.park(PARKED)

    paths = list(await versions(database))
    expiry = {path: (await database.get(path)).fields["expire_at"] for path in paths}
    assert set(expiry.values()) == {at(0) + timedelta(days=30)}
    assert (await database.get("parked_events/k")).fields["expire_at"] == at(100) + timedelta(days=30)


@pytest.mark.parametrize("path", ["conferences/abc", "sessions/abc"])
async def test_a_document_of_a_later_version_is_refused_and_left_alone(store, database, path):
    await save(store, read_at(61, ADA))
    document = await database.get(path)
    await database.commit([Write(path, {**document.fields, "schema_version": 2}, expecting=document)])

    with pytest.raises(DocumentTooNew):
        await load(store)


async def test_a_field_that_is_no_longer_written_goes(database):
    await database.commit([Write("a/b", {"keep": 1, "old": {"deep": True}})])
    document = await database.get("a/b")
    await database.commit([Write("a/b", {"keep": 2}, expecting=document)])

    assert (await database.get("a/b")).fields == {"keep": 2}


async def test_a_write_that_expects_what_is_gone_conflicts(database):
    await database.commit([Write("a/b", {"n": 1})])
    document = await database.get("a/b")
    await database.commit([Write("a/b", None)])

    with pytest.raises(StoreConflict):
        await database.commit([Write("a/b", {"n": 2}, expecting=document), Write("a/c", {"n": 3})])
    assert await database.get("a/c") is None


async def test_a_document_that_was_deleted_and_written_again_is_another_one(database):
    await database.commit([Write("a/b", {"n": 1})])
    document = await database.get("a/b")
    await database.commit([Write("a/b", None)])
    await database.commit([Write("a/b", {"n": 1}, expecting=ABSENT)])

    with pytest.raises(StoreConflict):
        await database.commit([Write("a/b", {"n": 2}, expecting=document)])


async def test_every_kind_of_value_comes_back_as_it_was(database):
    fields = {"t": at(0.12345), "s": "ä\n'\"", "n": None, "i": 2**53, "b": True, "l": [{"t": at(1)}], "d": {"x": {}}}
    await database.commit([Write("a/b", {**fields, "now": COMMIT_TIME})])
    stored = (await database.get("a/b")).fields
    now = stored.pop("now")

    assert stored == fields
    assert type(now) is type(stored["t"])
    assert now.utcoffset() == timedelta(0)


async def test_only_what_lies_directly_in_a_collection_is_listed(database):
    await database.commit([Write(path, {"p": path}) for path in ("a/2", "a/1", "a/1/b/1", "ab/1")])

    assert [document.path for document in await database.children("a")] == ["a/1", "a/2"]


async def test_what_firestore_will_never_take_is_refused_and_nothing_is_written(firestore_client):
    database = FirestoreDatabase(firestore_client)

    with pytest.raises(DocumentsRefused):
        await database.commit([Write("a/small", {"n": 1}), Write("a/large", {"text": "x" * 1_100_000})])
    assert await database.get("a/small") is None


@pytest.mark.parametrize(
    "status", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED]
)
async def test_a_commit_that_failed_never_passes_for_a_message_that_is_parked(monkeypatch, status):
    """For a missing database Firestore answers NOT_FOUND, as for a missing document; under contention ABORTED."""

    async def refuse(_, context):
        await context.abort(status, "Not now")

    async def find_nothing(request, _):
        yield types.BatchGetDocumentsResponse(missing=types.BatchGetDocumentsRequest.deserialize(request).documents[0])

    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                "google.firestore.v1.Firestore",
                {
                    "Commit": grpc.unary_unary_rpc_method_handler(refuse),
                    "BatchGetDocuments": grpc.unary_stream_rpc_method_handler(
                        find_nothing, response_serializer=types.BatchGetDocumentsResponse.serialize
                    ),
                },
            )
        ]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{port}")
    database = FirestoreDatabase(firestore.AsyncClient(project="demo-missing"))
    store = DocumentAttendanceStore(database, clock=lambda: at(100), retention=None)

    with pytest.raises(Retryable):
        await store.park(PARKED)
    await server.stop(0.1)

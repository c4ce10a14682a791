"""The benchmark counts the documents that are read, in the calls to Firestore."""

from bench.reads import CountedReads
from functions.adapters.store.databases.database import Query, Write
from functions.adapters.store.databases.firestore import FirestoreDatabase


async def test_found_and_missing_documents_are_counted_and_writes_are_not(
    emulated_firestore, firestore_client, project, monkeypatch
):
    await FirestoreDatabase(firestore_client).commit([Write(f"things/{n}", {"n": n}) for n in range(5)])
    async with CountedReads.serving(emulated_firestore) as (counter, address):
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", address)
        counted = FirestoreDatabase(type(firestore_client)(project=project))

        await counted.commit([Write("things/5", {"n": 5})])
        assert counter.documents == 0
        assert len(await counted.get_many(["things/1", "things/2", "things/none"])) == 2
        assert counter.documents == 3
        assert len((await counted.find(Query("things"))).documents) == 6
        assert counter.documents == 9

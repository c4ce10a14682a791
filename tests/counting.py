"""An embedded store that counts the documents that are read and written."""

from __future__ import annotations

from functions.adapters.store.databases.sqlite import SqliteDatabase


class Counting(SqliteDatabase):
    """Counts as Firestore bills: a read for a document, a missing document, or a query that finds nothing.

    https://firebase.google.com/docs/firestore/pricing#operations
    """

    reads = writes = 0

    async def get(self, path, **about):
        self.reads += 1
        return await super().get(path, **about)

    async def get_many(self, paths):
        self.reads += len(paths)
        return await super().get_many(paths)

    async def find(self, query):
        found = await super().find(query)
        # The query requests one more document than needed, to find out whether there are more.
        self.reads += max(len(found.documents) + (found.next_after is not None), 1)
        return found

    async def commit(self, writes, **about):
        self.writes += len(writes)
        return await super().commit(writes, **about)

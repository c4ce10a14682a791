"""Documents as one unit of work found them: each is read once, so that all that rests on it rests on the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from functions.adapters.database import Database, Document


class Loaded:
    """Documents that were read, by path.

    Args:
        database: Where the documents stand.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._documents: dict[str, Document | None] = {}
        self._children: dict[str, Mapping[str, Document]] = {}

    async def get(self, path: str) -> Document | None:
        """A document, or None if there is none."""
        if path not in self._documents:
            self._documents[path] = await self._database.get(path)
        return self._documents[path]

    async def load(self, paths: Iterable[str]) -> None:
        """Read all of these in one go, as they stand at one moment; what was read before stays as it was."""
        wanted = [path for path in paths if path not in self._documents]
        if wanted:
            found = await self._database.get_many(wanted)
            self._documents.update({path: found.get(path) for path in wanted})

    def learn(self, documents: Iterable[Document]) -> None:
        """Note documents that a query found; what was read before stays as it was."""
        for document in documents:
            self._documents.setdefault(document.path, document)

    async def children(self, collection: str) -> Mapping[str, Document]:
        """All documents directly in a collection, by path."""
        if collection not in self._children:
            found = await self._database.children(collection)
            self._children[collection] = {document.path: document for document in found}
        return self._children[collection]

    def known(self, path: str) -> Document | None:
        """A document that was read; None if there was none, or if nobody asked."""
        return self._documents.get(path)

    def known_children(self, collection: str) -> Mapping[str, Document]:
        """The documents of a collection that was read; none if nobody asked."""
        return self._children.get(collection, {})

"""Documents as a use case found them: each is read only once, so that all decisions use the same data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from functions.adapters.store.databases.database import Database, Document
from functions.adapters.store.documents.common import Fields

T = TypeVar("T")


class Loaded:
    """Documents that were read, by path.

    Args:
        database: Where the documents are stored.
        documents: Documents that were read earlier; None if a document did not exist.
        children: The documents directly in a collection that was read earlier.
        read: What functions read from documents, and from which; it is shared.
    """

    def __init__(
        self,
        database: Database,
        documents: Mapping[str, Document | None] | None = None,
        children: Mapping[str, Mapping[str, Document]] | None = None,
        read: dict[tuple[str, object], tuple[Document, Any]] | None = None,
    ) -> None:
        self._database = database
        self._documents = {**(documents or {})}
        self._children = {**(children or {})}
        self._earlier = frozenset(self._documents)
        self._asked: set[str] = set()
        self._read = {} if read is None else read

    def continued(self) -> Loaded:
        """Return a copy that begins with all these documents; changes of the copy do not affect this object."""
        return Loaded(self._database, self._documents, self._children, self._read)

    async def get(self, path: str) -> Document | None:
        """A document, or None if it does not exist."""
        self._asked.add(path)
        if path not in self._documents:
            found = await self._database.get(path)
            self._documents.setdefault(path, found)  # another task may have read it meanwhile
        return self._documents[path]

    async def load(self, paths: Iterable[str]) -> None:
        """Read all of these at once, as they are at one moment; documents that were read before are not read again."""
        wanted = [path for path in dict.fromkeys(paths) if path not in self._documents]
        if wanted:
            found = await self._database.get_many(wanted)
            for path in wanted:
                self._documents.setdefault(path, found.get(path))

    def learn(self, documents: Iterable[Document]) -> None:
        """Store documents that a query found; documents that were read before stay as they were."""
        for document in documents:
            self._documents.setdefault(document.path, document)

    async def children(self, collection: str) -> Mapping[str, Document]:
        """All documents directly in a collection, by path."""
        if collection not in self._children:
            found = await self._database.children(collection)
            self._children.setdefault(collection, {document.path: document for document in found})
        return self._children[collection]

    def is_known(self, path: str) -> bool:
        """Whether it was read, even if it did not exist."""
        return path in self._documents

    def known(self, path: str) -> Document | None:
        """A document that was read; None if it did not exist or was not read."""
        return self._documents.get(path)

    def read(self, document: Document, reads: Callable[[Fields], T]) -> T:
        """What a function reads from a document's fields; it is called only once for a document."""
        key = (document.path, reads)
        found = self._read.get(key)
        if found is None or found[0] is not document:
            found = self._read[key] = (document, reads(document.fields))
        value: T = found[1]
        return value

    def known_children(self, collection: str) -> Mapping[str, Document]:
        """The documents of a collection that was read; empty if it was not read."""
        return self._children.get(collection, {})

    def relied_on(self) -> Sequence[Document]:
        """The documents that were read earlier and have been requested one by one since then."""
        asked = sorted(self._asked & self._earlier)
        return [document for path in asked if (document := self._documents[path])]

    def forget(self, paths: Collection[str]) -> None:
        """Forget these documents and everything that was read below them, so that they are read again when needed."""
        for path in paths:
            self._documents.pop(path, None)
        below = [collection for collection in self._children if collection.rpartition("/")[0] in paths]
        for collection in below:
            del self._children[collection]

    def forget_all(self, collection: str) -> None:
        """Forget all documents directly in a collection, so that they are read again when needed."""
        self.forget({path for path in self._documents if path.rpartition("/")[0] == collection})

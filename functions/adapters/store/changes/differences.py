"""Compares wanted documents with stored ones, and returns the writes for the differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from functions.adapters.store.databases.database import ABSENT, Document, Write
from functions.adapters.store.documents.common import Fields


def replaced(path: str, fields: Fields | None, stored: Document | None) -> list[Write]:
    """The write of one document, if it differs; it fails if the document has changed meanwhile."""
    if (stored.fields if stored else None) == fields:
        return []
    return [Write(path, fields, expecting=stored or ABSENT)]


def contents(documents: Mapping[str, Document]) -> dict[str, Fields]:
    """The content of documents, by path."""
    return {path: document.fields for path, document in documents.items()}


def changed(
    wanted: Mapping[str, Fields], stored: Mapping[str, Fields], *, ignoring: Sequence[str] = ()
) -> Iterable[Write]:
    """The writes that turn the stored documents into the wanted ones, even if these have changed meanwhile.

    Args:
        wanted: All documents that should exist, by path.
        stored: All documents that exist, by path.
        ignoring: Fields that are not compared.
    """
    for path, fields in wanted.items():
        before = dict(stored[path]) if path in stored else None
        for name in ignoring:
            if before:
                before.pop(name, None)
        if before != fields:
            yield Write(path, fields)
    for path in stored.keys() - wanted.keys():
        yield Write(path, None)

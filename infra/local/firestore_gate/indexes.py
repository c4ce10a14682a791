"""`infra/firestore.indexes.json` -> the indexes that Firestore has, including the automatic ones.

https://firebase.google.com/docs/firestore/query-data/index-overview documents the automatic indexes. Each field, and
each field in a map, has an ascending and a descending index; a list also has an index of its elements. All automatic
indexes have collection scope only. An override replaces them for a field and for the fields below it; `*` means every
field of a collection group. The form of the file is documented at
https://firebase.google.com/docs/reference/firestore/indexes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NAME: Final = "__name__"
ASCENDING: Final = "ASCENDING"
DESCENDING: Final = "DESCENDING"
CONTAINS: Final = "CONTAINS"
COLLECTION: Final = "COLLECTION"
GROUP: Final = "COLLECTION_GROUP"

DEPLOYED: Final = Path(__file__).parents[2] / "firestore.indexes.json"

_AUTOMATIC: Final = frozenset({(COLLECTION, ASCENDING), (COLLECTION, DESCENDING), (COLLECTION, CONTAINS)})


@dataclass(frozen=True, slots=True)
class Index:
    """One index; an automatic index is not in the file.

    Attributes:
        group: The name of its collections.
        scope: COLLECTION or COLLECTION_GROUP.
        fields: Its fields with their modes, without the document's name.
        name: The direction in which entries with equal values are sorted by the document's name.
        composite: Whether it is one of the file's `indexes`. If not, it is an index of one field, automatic or from an
            override.
        automatic: Whether Firestore creates it automatically.
    """

    group: str
    scope: str
    fields: tuple[tuple[str, str], ...]
    name: str
    composite: bool
    automatic: bool = False


class Indexes:
    """The indexes that the file defines.

    Args:
        definition: The file's content.
    """

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self.composite = tuple(map(_composite, definition["indexes"]))
        self._overrides: dict[tuple[str, str], frozenset[tuple[str, str]]] = {
            (one["collectionGroup"], one["fieldPath"]): frozenset(
                (index.get("queryScope", COLLECTION), _mode(index)) for index in one["indexes"]
            )
            for one in definition["fieldOverrides"]
        }

    @classmethod
    def deployed(cls) -> Indexes:
        """Return the indexes that a deployment creates."""
        return cls(json.loads(DEPLOYED.read_text()))

    def of(self, group: str, scope: str) -> Iterator[Index]:
        """Return the composite indexes of the collections with this name."""
        return (index for index in self.composite if (index.group, index.scope) == (group, scope))

    def single(self, group: str, field: str) -> tuple[Index, ...]:
        """Return all indexes of only this field."""
        overridden = self._override(group, field)
        return tuple(
            Index(group, scope, ((field, mode),), _direction(mode), composite=False, automatic=overridden is None)
            for scope, mode in sorted(_AUTOMATIC if overridden is None else overridden)
        )

    def overridden(self) -> tuple[Index, ...]:
        """Return the indexes that overrides define."""
        return tuple(index for group, field in sorted(self._overrides) for index in self.single(group, field))

    def _override(self, group: str, field: str) -> frozenset[tuple[str, str]] | None:
        """Return the file's override for a field, for a map around it, or for all fields; None if there is none."""
        path = field
        while path:
            if (group, path) in self._overrides:
                return self._overrides[group, path]
            path = path.rpartition(".")[0]
        return self._overrides.get((group, "*"))


def _composite(one: Mapping[str, Any]) -> Index:
    fields = [(field["fieldPath"], _mode(field)) for field in one["fields"]]
    name = fields.pop()[1] if fields[-1][0] == NAME else _direction(fields[-1][1])
    return Index(one["collectionGroup"], one["queryScope"], tuple(fields), name, composite=True)


def _mode(field: Mapping[str, Any]) -> str:
    return str(field.get("order") or field["arrayConfig"])


def _direction(mode: str) -> str:
    """Return the direction in which equal entries are sorted by name: by default, that of the last field."""
    return DESCENDING if mode == DESCENDING else ASCENDING

"""`infra/firestore.indexes.json` -> which indexes Firestore keeps, those that it makes by itself included.

https://firebase.google.com/docs/firestore/query-data/index-overview says what is automatic: for each field and each
field of a map an ascending and a descending index, for a list a third one of what it contains, all of them with
collection scope only. An override replaces that for a field and for what lies below it; `*` stands for every field of
a collection group. The form of the file: https://firebase.google.com/docs/reference/firestore/indexes.
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
    """One index; `automatic` is one that the file does not name.

    Attributes:
        group: The name of the collections that it is over.
        scope: COLLECTION or COLLECTION_GROUP.
        fields: Each with its mode, without the document's name.
        name: The direction of the document's name, by which entries of equal values are sorted.
        composite: Whether it is one of the file's `indexes`; else of one field, by itself or by an override.
        automatic: Whether Firestore keeps it by itself.
    """

    group: str
    scope: str
    fields: tuple[tuple[str, str], ...]
    name: str
    composite: bool
    automatic: bool = False


class Indexes:
    """What the file defines.

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
        """Those that a deployment makes."""
        return cls(json.loads(DEPLOYED.read_text()))

    def of(self, group: str, scope: str) -> Iterator[Index]:
        """The composite indexes of collections of a name."""
        return (index for index in self.composite if (index.group, index.scope) == (group, scope))

    def single(self, group: str, field: str) -> tuple[Index, ...]:
        """All indexes of one field alone."""
        overridden = self._override(group, field)
        return tuple(
            Index(group, scope, ((field, mode),), _direction(mode), composite=False, automatic=overridden is None)
            for scope, mode in sorted(_AUTOMATIC if overridden is None else overridden)
        )

    def overridden(self) -> tuple[Index, ...]:
        """The indexes that overrides name."""
        return tuple(index for group, field in sorted(self._overrides) for index in self.single(group, field))

    def _override(self, group: str, field: str) -> frozenset[tuple[str, str]] | None:
        """What the file says about a field, a map around it, or all fields; None if it says nothing."""
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
    """In which direction equal entries are sorted by name: as the last field is, unless the index says otherwise."""
    return DESCENDING if mode == DESCENDING else ASCENDING

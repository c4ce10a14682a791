"""Divides data that may be too large for one document into parts that each fit into one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from functions.adapters.store.documents.common import Fields

MAX_PART_BYTES = 900_000
"""How many bytes of such data one document holds: below Firestore's 1 MiB, with room for the other fields.
https://firebase.google.com/docs/firestore/quotas#limits
"""


def chunks(items: Sequence[Fields]) -> list[list[Fields]]:
    """The items in order, divided so that each part fits into one document; at least one part."""
    found: list[list[Fields]] = [[]]
    room = MAX_PART_BYTES
    for item in items:
        size = document_size(item)
        if size > room and found[-1]:
            found.append([])
            room = MAX_PART_BYTES
        found[-1].append(item)
        room -= size
    return found


def map_chunks(items: Mapping[str, Fields]) -> list[Fields]:
    """The same for a map."""
    return [
        {name: value for item in chunk for name, value in item.items()}
        for chunk in chunks([{name: value} for name, value in items.items()])
    ]


def digest(spilled: Sequence[object]) -> str | None:
    """The hash over the other parts that the first document stores; None without other parts.

    A write that changes nothing in a document does not change its version. So without this hash the first document
    would keep its version when only the other parts change.
    https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#writeresult
    """
    if not spilled:
        return None
    return hashlib.sha256(json.dumps(spilled, sort_keys=True, default=str).encode()).hexdigest()[:16]


_SIZES: Final[Mapping[type, int]] = {type(None): 1, bool: 1, int: 8, float: 8, datetime: 8}


def document_size(value: object) -> int:
    """How many bytes Firestore counts for a value: https://firebase.google.com/docs/firestore/storage-size."""
    # A large class has tens of thousands of values, so this is called only for a few of them.
    if isinstance(value, dict):
        names = "".join(value)
        return _bytes(names) + len(value) + _size_of_all(value.values())
    if isinstance(value, list):
        return _size_of_all(value)
    if isinstance(value, str):
        return _bytes(value) + 1
    if isinstance(value, bytes):
        return len(value)
    for kind, size in _SIZES.items():
        if isinstance(value, kind):
            return size
    raise TypeError(f"A document cannot hold a {type(value).__name__}.")


def _size_of_all(values: Iterable[object]) -> int:
    size = 0
    for value in values:
        known = _SIZES.get(type(value))
        size += document_size(value) if known is None else known
    return size


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())

"""Divides data that may be too large for one document into parts that each fit into one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

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


def document_size(value: object) -> int:
    """How many bytes Firestore counts for a value: https://firebase.google.com/docs/firestore/storage-size."""
    # Without `match`, because a large class has tens of thousands of values.
    if isinstance(value, str):
        return (len(value) if value.isascii() else len(value.encode())) + 1
    if isinstance(value, dict):
        return sum(map(document_size, value)) + sum(map(document_size, value.values()))
    if isinstance(value, list):
        return sum(map(document_size, value))
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int | float | datetime):
        return 8
    if isinstance(value, bytes):
        return len(value)
    raise TypeError(f"A document cannot hold a {type(value).__name__}.")

"""Locks by key, within this process."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from weakref import WeakValueDictionary


class Turns:
    """Locks by key, kept only while somebody holds or awaits them.

    Pub/Sub delivers a message more than once, often at the same moment. The second delivery waits for the first, finds
    its result, and saves the calls to Meet. Correctness does not depend on it, because other processes do not know
    these locks.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> AbstractAsyncContextManager[None]:
        """A context in which only one task at a time can be for this key."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

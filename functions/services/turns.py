"""Locks by key, within this process."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from weakref import WeakValueDictionary


class Turns:
    """Locks by key, kept only while somebody holds or awaits them.

    Pub/Sub delivers a message more than once, often at the same moment. Who waits for the first to be done finds
    its result and spares Meet the calls. Correctness does not rest on it: other processes know nothing of it.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> AbstractAsyncContextManager[None]:
        """A context that only one task at a time can be in for this key."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

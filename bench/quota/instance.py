"""An instance of the function: the real code around a simulated reading."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from cloudevents.http import CloudEvent
from google.api_core import exceptions as gexc
from starlette.exceptions import HTTPException

from bench.quota.classes import Ended
from bench.quota.cloud import Deployed
from functions.adapters.google.calls.pacing import Pacing
from functions.adapters.google.credentials.capabilities import AnonymousCredentials, Capability
from functions.adapters.google.meet.calls import MeetCalls, ReadingCalls
from functions.adapters.google.meet.conferences import PAGE_SIZE
from functions.adapters.patience import Patience
from functions.adapters.store.databases.database import ABSENT, Document, Write
from functions.adapters.store.shared_quota import DocumentSharedQuota
from functions.domain.conferences.model import Organizer
from functions.domain.errors import StoreConflict
from functions.domain.quota.queue import USUAL_CALLS
from functions.entrypoints.messages.answer import answer
from infra.local.faults import Refusal
from infra.local.quotas import MEET_PER_USER, Quotas

BEGIN = datetime(2026, 11, 2, 9, tzinfo=UTC)
MEET_TAKES, STORE_TAKES = 0.06, 0.03
"""Seconds for a call to Meet, and for a round trip to the store."""

TRIPS = 4
"""Round trips to the store for a class that is read."""


def now() -> datetime:
    """The virtual time of day."""
    return BEGIN + timedelta(seconds=asyncio.get_running_loop().time())


class Store:
    """The part of a database that shares a quota, and who was read of conferences that could not be read completely."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}
        self._version = 0
        self.kept: dict[int, set[int]] = {}
        self.trips: Counter[str] = Counter()

    async def get(self, path: str) -> Document | None:
        """See `Database`."""
        self.trips["read"] += 1
        await asyncio.sleep(STORE_TAKES)
        return self._documents.get(path)

    async def commit(self, writes: Sequence[Write]) -> datetime:
        """See `Database`."""
        await asyncio.sleep(STORE_TAKES)
        for write in writes:
            there = self._documents.get(write.path)
            if there != (None if write.expecting is ABSENT else write.expecting):
                self.trips["conflict"] += 1
                raise StoreConflict("Another instance was faster.")
            self._version += 1
            self._documents[write.path] = Document(write.path, dict(write.fields or {}), self._version, now())
        self.trips["commit"] += 1
        return now()


class Meet:
    """Counts calls and refuses those that its quotas do not allow.

    Args:
        quotas: Those of the real Meet.
    """

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self.accepted: list[float] = []
        self.refused = 0

    async def call(self, request: str, *, retry: None, timeout: float, metadata: object) -> str:  # noqa: ASYNC109, ARG002
        """One call by a user, as a method of the official client."""
        await asyncio.sleep(MEET_TAKES / 2)
        try:
            self._quotas.take("GetSpace", request)
        except Refusal as refusal:
            self.refused += 1
            await asyncio.sleep(MEET_TAKES / 2)
            raise gexc.ResourceExhausted(refusal.message) from None  # type: ignore[no-untyped-call]
        self.accepted.append(asyncio.get_running_loop().time())
        await asyncio.sleep(MEET_TAKES / 2)
        return request


class Instance:
    """One instance with limits of its own.

    Args:
        meet: The Meet of all instances.
        store: The store of all instances.
        deployed: The limits.
    """

    def __init__(self, meet: Meet, store: Store, deployed: Deployed) -> None:
        loop = asyncio.get_running_loop()
        database: Any = store
        shared = DocumentSharedQuota(database, total=deployed.shared, clock=now) if deployed.shared else None
        self._meet = meet
        self._store = store
        self._calls = MeetCalls(
            Pacing(per_organizer=MEET_PER_USER, overall=deployed.own, clock=loop.time, shared=shared)
        )
        self._app: Any = SimpleNamespace(
            patience=lambda: Patience(clock=loop.time), deps=SimpleNamespace(clock=now, store=None)
        )

    async def handle(self, ended: Ended, published: float) -> bool:
        """Answer a message: whether it is acknowledged."""
        attributes: Mapping[str, str] = {
            "type": "google.cloud.pubsub.topic.v1.messagePublished",
            "source": "//pubsub",
            "time": (BEGIN + timedelta(seconds=published)).isoformat(),
        }
        event = CloudEvent(dict(attributes), {"message": {"data": "", "attributes": {}}})
        try:
            await answer(event, lambda: self._app, lambda _, __: self._read(ended))
        except HTTPException:
            return False
        return True

    async def _read(self, ended: Ended) -> None:
        """The calls for a conference in the order in which `MeetConferences` makes them, and the commit."""
        user = f"users/{ended.number}"
        await asyncio.sleep(STORE_TAKES)
        read = set(self._store.kept.get(ended.number, ()))
        call = self._calls.as_organizer(
            user, AnonymousCredentials(Organizer(user), Capability.MEETINGS), expected=3 if read else USUAL_CALLS
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._record_and_space(call, user))
                tasks.create_task(self._people(call, user, ended.people, read))
        except ExceptionGroup as group:
            if read:
                self._store.kept[ended.number] = read
                await asyncio.sleep(STORE_TAKES)
            raise _first(group) from None
        await asyncio.sleep(TRIPS * STORE_TAKES)

    async def _record_and_space(self, call: ReadingCalls, user: str) -> None:
        await call(self._meet.call, user)
        await call(self._meet.call, user)

    async def _people(self, call: ReadingCalls, user: str, people: int, read: set[int]) -> None:
        async def sessions(number: int) -> None:
            await call(self._meet.call, user)
            read.add(number)

        async with asyncio.TaskGroup() as tasks:
            for page in range(math.ceil(people / PAGE_SIZE)):
                await call(self._meet.call, user)
                for number in range(page * PAGE_SIZE, min((page + 1) * PAGE_SIZE, people)):
                    if number not in read:
                        tasks.create_task(sessions(number))


def _first(group: ExceptionGroup[Exception]) -> Exception:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


def quiet() -> None:
    """Print none of the lines that the functions log."""
    logging.getLogger("functions").setLevel(logging.CRITICAL)

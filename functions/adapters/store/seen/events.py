"""What joined and left events said, stored below their conference, in a few documents that are only ever added to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from functions.adapters.store.databases.database import ABSENT, Database, Query, Where, Write
from functions.adapters.store.documents.common import SCHEMA_VERSION
from functions.adapters.store.paths import CHECK_PATH, seen_path
from functions.adapters.store.seen.document import seen_from_document, seen_to_document
from functions.domain.conferences.model import SessionsSource
from functions.domain.conferences.seen import NOTHING_SEEN, SeenSession, SeenSessions, participant_of
from functions.domain.errors import DocumentsRefused, StoreConflict
from functions.domain.recent import Recent
from functions.ports.clock import Clock

FEW = 50
"""Up to so many participants of a conference have their events in one document."""

PARTS = 16
"""How many documents hold the events of further participants.

Firestore recommends about one write a second for a document. Thousands of people join a large call within minutes.
"""

MOST_SESSIONS = 4000
"""How many participant sessions of one conference one instance stores: Meet allows 1,000 people in a call."""

COUNT_ATTEMPTS = 20
"""How often a count is tried while other processes count too."""

REMEMBERED = 500
"""Of how many conferences an instance remembers what it has stored."""


class DocumentSeenEvents:
    """`functions.ports.seen.SeenEvents` over a database of documents.

    Which document holds an event does not matter: all of them are read together. So an instance decides by what it has
    stored itself, and need not read anything.

    Args:
        database: Where the documents are stored.
        clock: The time, for when they expire.
        retention: How long personal data is kept.
        most: How many participant sessions of one conference are stored at most.
    """

    def __init__(
        self, database: Database, *, clock: Clock, retention: timedelta | None, most: int = MOST_SESSIONS
    ) -> None:
        self._database = database
        self._most = most
        self._clock = clock
        self._retention = retention
        self._stored = Recent[_StoredHere](REMEMBERED)

    async def add(self, conference_record: str, seen: SeenSessions) -> None:
        """See the port."""
        here = self._stored[conference_record] = self._stored.get(conference_record) or _StoredHere()
        fitting = here.fitting(seen, most=self._most)
        now, path = self._clock(), seen_path(conference_record)
        writes = [
            Write(f"{path}/{number}", seen_to_document(part, now=now, retention=self._retention), adding=True)
            for number, part in sorted(here.parts(fitting).items())
        ]
        # One by one: a document that is full must not keep others from being written.
        done = await asyncio.gather(*(self._database.commit([write]) for write in writes), return_exceptions=True)
        for error in done:
            if isinstance(error, BaseException):
                raise error
        if fitting is not seen:
            raise DocumentsRefused(f"Events named more than {self._most:,} participant sessions of a conference.")

    async def read_with_events(self, *, since: datetime, limit: int) -> Sequence[str]:
        """See the port."""
        found = await self._database.find(
            Query(
                "conferences",
                where=(
                    Where("sync.sessions_source", "==", SessionsSource.EVENTS.value),
                    Where("end_time", ">=", since),
                ),
                order=("end_time",),
                limit=limit,
            )
        )
        return [document.fields["conference_record"] for document in found.documents]

    async def begin_check(self, now: datetime, *, every: timedelta) -> bool:
        """See the port."""
        before = await self._database.get(CHECK_PATH)
        if before and now - before.fields["began_at"] < every:
            return False
        fields = {"schema_version": SCHEMA_VERSION, "began_at": now, "conferences": 0, "differences": 0}
        try:
            await self._database.commit([Write(CHECK_PATH, fields, expecting=before or ABSENT)])
        except StoreConflict:
            return False  # another process began it
        return True

    async def add_check(self, *, conferences: int, differences: int) -> None:
        """See the port."""
        for _ in range(COUNT_ATTEMPTS):
            before = await self._database.get(CHECK_PATH)
            if before is None:
                return
            fields = dict(before.fields)
            fields["conferences"] += conferences
            fields["differences"] += differences
            try:
                await self._database.commit([Write(CHECK_PATH, fields, expecting=before)])
            except StoreConflict:
                continue
            return

    async def of(self, conference_record: str) -> SeenSessions:
        """See the port."""
        seen = NOTHING_SEEN
        for document in await self._database.children(seen_path(conference_record)):
            seen = seen.merged(seen_from_document(conference_record, document.fields))
        return seen


class _StoredHere:
    """What this instance has stored about a conference: the document of each participant, and how many sessions."""

    def __init__(self) -> None:
        self._part_of: dict[str, int] = {}
        self._sessions: set[str] = set()

    def fitting(self, seen: SeenSessions, *, most: int) -> SeenSessions:
        """What may be stored: the same, or less if there are too many sessions."""
        new = seen.names - self._sessions
        room = most - len(self._sessions)
        if len(new) > room:
            left_out = set(sorted(new)[max(room, 0) :])
            seen = SeenSessions({name: session for name, session in seen.sessions.items() if name not in left_out})
        self._sessions |= seen.names
        return seen

    def parts(self, seen: SeenSessions) -> Mapping[int, SeenSessions]:
        """What to add to each document."""
        parts: dict[int, dict[str, SeenSession]] = {}
        for name, session in seen.sessions.items():
            participant = participant_of(name)
            if participant not in self._part_of:
                self._part_of[participant] = 0 if len(self._part_of) < FEW else _part(participant)
            parts.setdefault(self._part_of[participant], {})[name] = session
        return {number: SeenSessions(sessions) for number, sessions in parts.items()}


def _part(participant: str) -> int:
    return 1 + hashlib.sha256(participant.encode()).digest()[0] % PARTS

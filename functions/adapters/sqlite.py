"""An embedded database of documents on SQLite: for the demo, tests and trying things out, on one machine.

One table holds every document as JSON. A time is `{"$time": "2026-11-23T10:00:00.000000+00:00"}`, which keeps it
apart from text that only looks like one. Several processes may use the same file.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from functions.adapters.database import ABSENT, COMMIT_TIME, Document, Write
from functions.domain.errors import StoreConflict, StoreUnavailable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    path TEXT PRIMARY KEY,
    collection TEXT NOT NULL,
    fields TEXT NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_collection ON documents (collection, path);
CREATE TABLE IF NOT EXISTS commits (number INTEGER PRIMARY KEY AUTOINCREMENT);
"""
_LOCK_TIMEOUT = 20.0


class SqliteDatabase:
    """`functions.adapters.database.Database` in one file, made when it is first needed.

    Args:
        path: The file. Its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made = False

    async def get(self, path: str) -> Document | None:
        """See `Database`."""
        found = await asyncio.to_thread(self._read, "SELECT path, fields, version FROM documents WHERE path = ?", path)
        return found[0] if found else None

    async def children(self, collection: str) -> Sequence[Document]:
        """See `Database`."""
        return await asyncio.to_thread(
            self._read,
            "SELECT path, fields, version FROM documents WHERE collection = ? ORDER BY path",
            collection,
        )

    async def commit(self, writes: Sequence[Write]) -> None:
        """See `Database`."""
        await asyncio.to_thread(self._commit, writes)

    def _read(self, query: str, argument: str) -> list[Document]:
        with self._connection() as connection:
            rows = connection.execute(query, (argument,)).fetchall()
        return [Document(path, json.loads(fields, object_hook=_decode), version) for path, fields, version in rows]

    def _commit(self, writes: Sequence[Write]) -> None:
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            # A commit's number is the version of what it writes: none comes twice, also over deletions.
            version = connection.execute("INSERT INTO commits DEFAULT VALUES").lastrowid
            connection.execute("DELETE FROM commits WHERE number < ?", (version,))
            now = datetime.now(UTC)
            for write in writes:
                _write(connection, write, version=version, now=now)
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            size = self._path.stat().st_size if self._path.exists() else 0
            with closing(sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT, isolation_level=None)) as connection:
                if not (self._made and size):
                    connection.executescript(_SCHEMA)
                    self._made = True
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(
                f"The embedded store cannot be used: {error}.",
                hint="Check the path in ATTENDANCE_STORE: its folder must exist and be writable.",
            ) from error


def _write(connection: sqlite3.Connection, write: Write, *, version: int | None, now: datetime) -> None:
    if write.expecting is not None:
        row = connection.execute("SELECT version FROM documents WHERE path = ?", (write.path,)).fetchone()
        expected = None if write.expecting is ABSENT else write.expecting.version
        if (row[0] if row else None) != expected:
            raise StoreConflict("A document changed after it was loaded.")  # closing rolls back
    if write.fields is None:
        connection.execute("DELETE FROM documents WHERE path = ?", (write.path,))
        return
    fields = {name: now if value is COMMIT_TIME else value for name, value in write.fields.items()}
    connection.execute(
        "INSERT OR REPLACE INTO documents (path, collection, fields, version) VALUES (?, ?, ?, ?)",
        (write.path, write.path.rpartition("/")[0], json.dumps(fields, default=_encode), version),
    )


def _encode(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {"$time": value.astimezone(UTC).isoformat(timespec="microseconds")}
    raise TypeError(f"A document cannot hold a {type(value).__name__}.")


def _decode(fields: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever JSON holds
    return datetime.fromisoformat(fields["$time"]) if fields.keys() == {"$time"} else fields

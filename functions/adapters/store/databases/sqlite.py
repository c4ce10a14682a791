"""An embedded database of documents on SQLite: for the demo, for tests and for trying the system out on one machine.

One table holds every document as JSON. Several processes may use the same file.

A second table holds earlier versions: each commit puts there what it replaces (an empty entry if there was no
document), with the moment of the commit. A document at some moment is what the first commit after this moment replaced,
or what is stored now if no commit replaced it. After an hour earlier versions are deleted.

A commit that Firestore would refuse as too large is refused here as well. Each query and each commit is announced as an
audit event before it is done, so that tests can check it against Firestore's rules:
https://docs.python.org/3/library/sys.html#sys.audit.

A commit survives the end of every process, but perhaps not a power cut: waiting for the disk took most of a commit's
time, and this database is not meant for data that must be kept.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from functions.adapters.store.databases.as_json import from_json, to_json
from functions.adapters.store.databases.database import (
    ABSENT,
    COMMIT_TIME,
    READABLE_FOR,
    Document,
    Query,
    QueryResult,
    Write,
    check_readable,
)
from functions.adapters.store.databases.firestore_limits import check_commit
from functions.adapters.store.databases.sqlite_queries import answer
from functions.domain.errors import ReadTooOld, StoreConflict, StoreUnavailable
from functions.ports.clock import Clock

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    path TEXT PRIMARY KEY,
    collection TEXT NOT NULL,
    fields TEXT NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_collection ON documents (collection, path);
CREATE TABLE IF NOT EXISTS commits (number INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE IF NOT EXISTS replaced (
    path TEXT NOT NULL,
    collection TEXT NOT NULL,
    fields TEXT,
    version INTEGER,
    until TEXT NOT NULL,
    PRIMARY KEY (path, until)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS replaced_by_collection ON replaced (collection, until);
CREATE INDEX IF NOT EXISTS replaced_by_time ON replaced (until);
"""
QUERY_EVENT: Final = "attendance.store.query"
COMMIT_EVENT: Final = "attendance.store.commit"
_OTHERS = 0o077
"""Everybody who must not read the file: it contains names, addresses and marks.

SQLite gives its other files in the same folder the same permissions.
"""

_LOCK_TIMEOUT = 20.0
_TICK = timedelta(microseconds=1)

_SOME_PATHS = "path IN (SELECT value FROM json_each(:these))"
_ONE_COLLECTION = "collection = :these"
_ALL_COLLECTIONS_NAMED = "(collection = :these OR substr(collection, -length(:these) - 1) = '/' || :these)"


def _now() -> datetime:
    return datetime.now(UTC)


class SqliteDatabase:
    """`functions.adapters.store.databases.database.Database` in one file, which is made when it is first needed.

    Args:
        path: The file. Its folder must exist.
        clock: The time. All processes that use the file must have the same clock.
    """

    def __init__(self, path: Path, *, clock: Clock = _now) -> None:
        self._path = path
        self._clock = clock
        self._made = False

    async def get(self, path: str, *, at: datetime | None = None) -> Document | None:
        """See `Database`."""
        found, _ = await asyncio.to_thread(self._read, _SOME_PATHS, json.dumps([path]), at=at)
        return found[0] if found else None

    async def get_many(self, paths: Sequence[str]) -> Mapping[str, Document]:
        """See `Database`."""
        found, _ = await asyncio.to_thread(self._read, _SOME_PATHS, json.dumps(paths))
        return {document.path: document for document in found}

    async def children(self, collection: str, *, at: datetime | None = None) -> Sequence[Document]:
        """See `Database`."""
        return (await self.find(Query(collection, at=at))).documents

    async def find(self, query: Query) -> QueryResult:
        """See `Database`."""
        sys.audit(QUERY_EVENT, query)
        return await asyncio.to_thread(self._find, query)

    async def commit(self, writes: Sequence[Write], *, unchanged: Sequence[Document] = ()) -> datetime:
        """See `Database`."""
        check_commit(writes)
        sys.audit(COMMIT_EVENT, tuple(writes))
        return await asyncio.to_thread(self._commit, writes, unchanged)

    def _find(self, query: Query) -> QueryResult:
        which = _ALL_COLLECTIONS_NAMED if query.group else _ONE_COLLECTION
        documents, read_at = self._read(which, query.collection, at=query.at)
        return QueryResult.of(query, answer(query, documents), read_at=read_at)

    def _read(self, which: str, these: str, *, at: datetime | None = None) -> tuple[list[Document], datetime]:
        """The documents that a condition selects, as they were at a moment, and that moment."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            # The first read takes the lock that blocks commits, so no commit can have the time after it.
            last = _last_commit(connection)
            now = max(filter(None, (self._clock(), last)))
            read_at = at or now
            check_readable(at, now=now)
            if read_at > now:
                raise ReadTooOld("The requested moment is in the future.")
            rows = connection.execute(*_select(which, these, at=at)).fetchall()
        return [Document(path, from_json(fields), version, seen_at=read_at) for path, fields, version in rows], read_at

    def _commit(self, writes: Sequence[Write], unchanged: Sequence[Document]) -> datetime:
        with self._connection() as connection:
            # Nobody reads during a commit, so a reader's moment is either before the commit or after it.
            connection.execute("BEGIN EXCLUSIVE")
            # A commit's number is the version of the documents that it writes: no number comes twice, even after
            # deletions.
            version = connection.execute("INSERT INTO commits DEFAULT VALUES").lastrowid
            connection.execute("DELETE FROM commits WHERE number < ?", (version,))
            now = self._clock()
            connection.execute("DELETE FROM replaced WHERE until < ?", (_text(now - READABLE_FOR),))
            last = _last_commit(connection)
            if last and now <= last:  # the clock was set back, or two commits came within one tick of the clock
                now = last + _TICK
            for document in unchanged:
                _check(connection, document.path, document.version)
            for write in writes:
                _write(connection, write, version=version, now=now)
            connection.execute("COMMIT")
        return now

    def _owned_file(self) -> int:
        """Make the file, or make an existing file private. Returns its size.

        An existing file is not opened here, because closing it would release the locks that SQLite holds in this
        process.
        https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
        """
        if not self._path.exists():
            made, name = tempfile.mkstemp(prefix=f".{self._path.name}-", dir=self._path.parent)  # only for its owner
            os.close(made)
            try:
                os.link(name, self._path)
            except OSError:  # another process made it, or the file system has no links and SQLite makes it
                pass
            finally:
                Path(name).unlink()
        if not self._path.exists():
            return 0
        found = self._path.stat()
        if found.st_mode & _OTHERS and found.st_uid == os.geteuid():
            self._path.chmod(found.st_mode & ~_OTHERS & 0o777)
        return found.st_size

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            size = self._owned_file()
            with closing(sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = OFF")
                if not (self._made and size):
                    connection.executescript(_SCHEMA)
                    self._made = True
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(
                f"The embedded store cannot be used: {error}.",
                hint="Check the path in ATTENDANCE_STORE: its folder must exist and be writable.",
            ) from error


def _select(which: str, these: str, *, at: datetime | None) -> tuple[str, dict[str, str]]:
    """The statement that reads the documents that a condition selects, by path, with its arguments."""
    if at is None:
        return f"SELECT path, fields, version FROM documents WHERE {which} ORDER BY path", {"these": these}  # noqa: S608
    # SQLite returns the other columns of the row with the smallest `until`: https://sqlite.org/lang_select.html#bareagg
    then = f"SELECT path, fields, version, min(until) FROM replaced WHERE {which} AND until > :at GROUP BY path"  # noqa: S608
    statement = f"""
        WITH earlier AS ({then})
        SELECT path, fields, version FROM earlier WHERE fields IS NOT NULL
        UNION ALL
        SELECT path, fields, version FROM documents WHERE {which} AND path NOT IN (SELECT path FROM earlier)
        ORDER BY path
    """  # noqa: S608 - the conditions are this module's own
    return statement, {"these": these, "at": _text(at)}


def _last_commit(connection: sqlite3.Connection) -> datetime | None:
    """The time of the last commit, if it was within the last hour."""
    (until,) = connection.execute("SELECT max(until) FROM replaced").fetchone()
    return datetime.fromisoformat(until) if until else None


def _check(connection: sqlite3.Connection, path: str, expected: object) -> None:
    """Check that a document has this version; None if the document must not exist."""
    row = connection.execute("SELECT version FROM documents WHERE path = ?", (path,)).fetchone()
    if (row[0] if row else None) != expected:
        raise StoreConflict("A document changed after it was loaded.")  # closing rolls back


def _write(connection: sqlite3.Connection, write: Write, *, version: int | None, now: datetime) -> None:
    row = connection.execute("SELECT fields, version FROM documents WHERE path = ?", (write.path,)).fetchone()
    fields_before, version_before = row or (None, None)
    if write.expecting is not None:
        _check(connection, write.path, None if write.expecting is ABSENT else write.expecting.version)
    if write.adding and write.fields is not None and fields_before is not None:
        together = _added(from_json(fields_before), write.fields)
        write = replace(write, fields=together, adding=False)
        check_commit([write])
    held = _held(write, now=now)
    if held is not None and fields_before is not None and _are_alike(held, fields_before):
        return  # the document keeps its version, as in Firestore
    collection = write.path.rpartition("/")[0]
    connection.execute(
        "INSERT OR IGNORE INTO replaced (path, collection, fields, version, until) VALUES (?, ?, ?, ?, ?)",
        (write.path, collection, fields_before, version_before, _text(now)),
    )
    if held is None:
        connection.execute("DELETE FROM documents WHERE path = ?", (write.path,))
        return
    connection.execute(
        "INSERT OR REPLACE INTO documents (path, collection, fields, version) VALUES (?, ?, ?, ?)",
        (write.path, collection, held, version),
    )


def _added(before: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a document, with more; maps are put together."""
    together = dict(before)
    for name, value in fields.items():
        kept = together.get(name)
        together[name] = _added(kept, value) if isinstance(value, dict) and value and isinstance(kept, dict) else value
    return together


def _held(write: Write, *, now: datetime) -> str | None:
    """The content of a document after a write; None if the document is deleted."""
    if write.fields is None:
        return None
    fields = {name: now if value is COMMIT_TIME else value for name, value in write.fields.items()}
    return to_json(fields)


def _are_alike(held: str, before: str) -> bool:
    """Whether two documents have the same content, in any order."""
    if held == before or len(held) != len(before):
        return held == before
    in_order = [json.dumps(json.loads(text), sort_keys=True) for text in (held, before)]
    return in_order[0] == in_order[1]


def _text(moment: datetime) -> str:
    """A time as text whose alphabetical order is the order of time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")

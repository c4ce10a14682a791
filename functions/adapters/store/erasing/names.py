"""`erased/{HMAC}`: which names must not be stored again. Every unit of work asks for it, so it must be cheap."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

from functions.adapters.store.databases.database import COMMIT_TIME, Database, Document, Query, Where, Write
from functions.adapters.store.documents.common import SCHEMA_VERSION, check_schema
from functions.domain.erasure import KEPT, NOBODY, Erased, Name, NameKind
from functions.domain.errors import ErasureNotSetUp
from functions.hints import ERASURE_NOT_SET_UP
from functions.ports.clock import Clock

ERASED = "erased"

OVERLAP = timedelta(minutes=2)
"""How far before the last answer the next one begins: a document's time is the time at which the commit was asked for,
a little before it can be read. https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#fieldtransform
"""


class ErasedNames:
    """Everybody who is erased, as it is stored; an instance reads each name once, and then only what is new.

    Args:
        database: Where the documents are.
        key: The key of the fingerprints; None if nobody can be erased.
        clock: The time, for what expires.
        is_required: Whether nothing may be stored without the key once somebody is erased: a command on somebody's own
            machine, for one, may lack it.
    """

    def __init__(self, database: Database, key: bytes | None, *, clock: Clock, is_required: bool = False) -> None:
        self._is_required = is_required
        self._database = database
        self._key = key
        self._clock = clock
        self._known: dict[str, tuple[str, NameKind, datetime]] = {}
        self._since: datetime | None = None
        self._last = NOBODY
        self._key_mark = hmac.new(key, b"key", hashlib.sha256).hexdigest() if key else None

    @property
    def key(self) -> bytes | None:
        """The key of the fingerprints; None if nobody can be erased."""
        return self._key

    async def load(self) -> Erased:
        """Everybody who is erased by now.

        Raises:
            ErasureNotSetUp: Somebody is, and the key is missing or is another one.
        """
        if self._key is None:
            if self._is_required and (await self._database.find(Query(ERASED, limit=1))).documents:
                raise ErasureNotSetUp(
                    "ERASURE_KEY is not set, so people who were erased here would be stored again.",
                    hint=ERASURE_NOT_SET_UP,
                )
            return NOBODY
        since = self._since
        where = (Where("erased_at", ">=", since - OVERLAP),) if since else ()
        found = await self._database.find(Query(ERASED, where=where, order=("erased_at",)))
        for document in found.documents:
            check_schema(document.fields)
            if document.fields["key"] != self._key_mark and document.fields["expire_at"] > self._clock():
                raise ErasureNotSetUp(
                    "ERASURE_KEY is not the key with which people were erased here, so they would be stored again.",
                    hint=ERASURE_NOT_SET_UP,
                )
            name, person = document.path.rpartition("/")[2], document.fields["person"]
            if person is None:
                self._known.pop(name, None)
            else:
                self._known[name] = person, NameKind(document.fields["kind"]), document.fields["expire_at"]
        self._since = max(found.read_at, self._since or found.read_at)
        now = self._clock()
        valid = {name: (person, kind) for name, (person, kind, expire_at) in self._known.items() if expire_at > now}
        people = {name: person for name, (person, _) in valid.items()}
        if people != self._last.people:
            # Equal people, the same object: it remembers what it worked out.
            kinds: dict[str, set[NameKind]] = {}
            for person, kind in valid.values():
                kinds.setdefault(person, set()).add(kind)
            frozen = {person: frozenset(some) for person, some in kinds.items()}
            self._last = Erased(self._key, people, frozen) if people else NOBODY
        return self._last

    async def token(self, name: Name) -> str | None:
        """The token of the person with a name, as it is stored at this moment."""
        document = await self._document(name)
        return document.fields["person"] if document else None

    async def is_freed(self, name: Name) -> bool:
        """Whether a name was an erased person's, and is somebody else's by now."""
        document = await self._document(name)
        return document is not None and document.fields["person"] is None

    def freed(self, name: Name) -> Write:
        """Lets a name be stored again: an address that somebody else has by now."""
        return self.write(name, None)

    def write(self, name: Name, token: str | None) -> Write:
        """Keeps a name from being stored again."""
        fields: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "expire_at": self._clock() + KEPT,
            "erased_at": COMMIT_TIME,
            "key": self._key_mark,
            "kind": name.kind.value,
            "person": token,
        }
        return Write(f"{ERASED}/{name.fingerprint(self._key or b'')}", fields)

    async def _document(self, name: Name) -> Document | None:
        return await self._database.get(f"{ERASED}/{name.fingerprint(self._key or b'')}")

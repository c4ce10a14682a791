"""`erased/{HMAC}`: names that must not be stored again. Every unit of work reads them, so reading must be cheap."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
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
"""How far each query overlaps with the last one: a document's time is the time of the commit, a little before the
document can be read. https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#fieldtransform
"""


class ErasedNames:
    """Everybody who is erased. An instance reads all names once, and then only new ones.

    Args:
        database: Where the documents are stored.
        key: The key of the fingerprints; None if nobody can be erased.
        clock: The time, for what expires.
        is_required: Whether nothing may be stored without the key once somebody is erased. A command on a person's own
            machine may lack the key.
    """

    def __init__(self, database: Database, key: bytes | None, *, clock: Clock, is_required: bool = False) -> None:
        self._is_required = is_required
        self._database = database
        self.key = key
        self._clock = clock
        self._known: dict[str, tuple[str, NameKind, datetime]] = {}
        self._since: datetime | None = None
        self._last = NOBODY
        self._key_mark = hmac.new(key, b"key", hashlib.sha256).hexdigest() if key else None

    async def load(self) -> Erased:
        """Everybody who is erased so far.

        Raises:
            ErasureNotSetUp: Somebody is erased, and the key is missing or wrong.
        """
        if self.key is None:
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
            # The same object for the same people, because it caches its results.
            kinds: dict[str, set[NameKind]] = {}
            for person, kind in valid.values():
                kinds.setdefault(person, set()).add(kind)
            frozen = {person: frozenset(some) for person, some in kinds.items()}
            self._last = Erased(self.key, people, frozen) if people else NOBODY
        return self._last

    async def token(self, name: Name) -> str | None:
        """The token of the person with a name, read from the store now."""
        document = await self._document(name)
        return document.fields["person"] if document else None

    async def is_freed(self, name: Name) -> bool:
        """Whether a name belonged to an erased person and belongs to somebody else now."""
        document = await self._document(name)
        return document is not None and document.fields["person"] is None

    def freed(self, name: Name) -> Write:
        """The write that lets a name be stored again, because somebody else has it now."""
        return self.write(name, None)

    def accounts_freed(self, tokens: Collection[str]) -> list[Write]:
        """The writes that let all accounts of erased people be stored again, because these people teach now."""
        return [
            self._write(fingerprint, NameKind.USER, None)
            for fingerprint, (person, kind, _) in sorted(self._known.items())
            if kind is NameKind.USER and person in tokens
        ]

    def write(self, name: Name, token: str | None) -> Write:
        """The write that blocks a name from being stored again."""
        return self._write(name.fingerprint(self.key or b""), name.kind, token)

    def _write(self, fingerprint: str, kind: NameKind, token: str | None) -> Write:
        fields: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "expire_at": self._clock() + KEPT,
            "erased_at": COMMIT_TIME,
            "key": self._key_mark,
            "kind": kind.value,
            "person": token,
        }
        return Write(f"{ERASED}/{fingerprint}", fields)

    async def _document(self, name: Name) -> Document | None:
        return await self._database.get(f"{ERASED}/{name.fingerprint(self.key or b'')}")

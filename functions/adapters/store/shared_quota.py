"""`quota/meet`: what each instance claims of Meet's quota for the project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from functions.adapters.store.databases.database import ABSENT, Database, Write
from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema
from functions.domain.errors import StoreConflict
from functions.domain.quota.claims import Claim, claimed
from functions.ports.clock import Clock

PATH = "quota/meet"

ATTEMPTS = 5
"""How often an instance claims again at once because another one was faster."""


class DocumentSharedQuota:
    """`functions.ports.quota.SharedQuota` in one document.

    Args:
        database: Where it is.
        total: How many calls a minute all instances may make together.
        clock: The time.
    """

    def __init__(self, database: Database, *, total: int, clock: Clock) -> None:
        self._database = database
        self._total = total
        self._clock = clock
        self._instance = uuid4().hex

    async def claim(self, wanted: int) -> int:
        """See the port."""
        for attempt in range(1, ATTEMPTS + 1):
            document = await self._database.get(PATH)
            claims = _claims(document.fields) if document else {}
            after = claimed(claims, self._instance, wanted=wanted, total=self._total, now=self._clock())
            try:
                await self._database.commit([Write(PATH, _document(after), expecting=document or ABSENT)])
            except StoreConflict:
                if attempt == ATTEMPTS:
                    raise
            else:
                return after[self._instance].granted if self._instance in after else 0
        raise AssertionError("unreachable")


def _document(claims: Mapping[str, Claim]) -> Fields:
    return {
        "schema_version": SCHEMA_VERSION,
        "claims": {
            instance: {
                "wanted": claim.wanted,
                "granted": claim.granted,
                "until": claim.until,
                "past": [{"granted": granted, "until": until} for granted, until in claim.past],
            }
            for instance, claim in claims.items()
        },
    }


def _claims(fields: Mapping[str, Any]) -> dict[str, Claim]:
    check_schema(fields)
    return {
        instance: Claim(
            wanted=claim["wanted"],
            granted=claim["granted"],
            until=claim["until"],
            past=tuple((past["granted"], past["until"]) for past in claim["past"]),
        )
        for instance, claim in fields["claims"].items()
    }

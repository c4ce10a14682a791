"""What is kept of a teacher's own consent, and where.

https://developers.google.com/identity/protocols/oauth2/native-app
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from functions.domain.conferences.model import Organizer
from functions.domain.errors import DocumentTooNew

SCHEMA_VERSION = 1

_KIND = "authorized_user"
"""As Google's own tools call it, which can read it too."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a teacher let this system do.

    Attributes:
        user: `users/{id}`.
        email: Lower case.
        client_id: Of the OAuth client that was consented to.
        client_secret: Likewise.
        refresh_token: What tokens are fetched with.
        scopes: As Google granted them, full scope URLs.
    """

    user: str
    email: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    scopes: frozenset[str]


class Consents(Protocol):
    """Keeps teachers' consents."""

    async def get(self, organizer: Organizer) -> Consent | None:
        """The consent that holds now; None without one.

        Raises:
            ConsentsUnavailable: What keeps it does not answer.
            ConsentMissing: The teacher has not consented, or this process may not see the consent.
            NeedsOperator: It does not let us read it.
        """

    async def put(self, consent: Consent) -> None:
        """Keep a consent instead of an earlier one of the same teacher. May be repeated; raises as `get` does."""

    async def check(self) -> None:
        """Make sure, as far as it can be told without writing, that a consent can be kept; raises as `get` does."""


class UnreadableConsent(ValueError):
    """What was stored is not a consent; the message says what is wrong and repeats nothing of it."""


def to_json(consent: Consent) -> dict[str, Any]:
    """A consent as it is stored."""
    return {
        "schema_version": SCHEMA_VERSION,
        "type": _KIND,
        "user": consent.user,
        "email": consent.email,
        "client_id": consent.client_id,
        "client_secret": consent.client_secret,
        "refresh_token": consent.refresh_token,
        "scopes": sorted(consent.scopes),
    }


def from_text(text: bytes) -> Consent:
    """The consent that some JSON holds.

    Raises:
        UnreadableConsent: It contains no consent.
        DocumentTooNew: A later version of this system wrote it.
    """
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableConsent("it is not JSON") from None
    return from_json(stored)


def from_json(stored: object) -> Consent:
    """The consent that was stored; raises as `from_text` does."""
    if not isinstance(stored, Mapping) or stored.get("type") != _KIND:
        raise UnreadableConsent('it is not a JSON object with "type": "authorized_user"')
    version = stored.get("schema_version")
    if not isinstance(version, int):
        raise UnreadableConsent("its schema_version is missing")
    if version > SCHEMA_VERSION:
        raise DocumentTooNew("A later version of this system stored the teacher's consent.")
    texts = ("user", "email", "client_id", "client_secret", "refresh_token")
    for name in texts:
        if not isinstance(stored.get(name), str) or not stored[name]:
            raise UnreadableConsent(f"its {name} is missing")
    scopes = stored.get("scopes")
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise UnreadableConsent("its scopes are missing")
    return Consent(**{name: stored[name] for name in texts}, scopes=frozenset(scopes))

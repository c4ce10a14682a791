"""The data that is stored about a teacher's own consent, and the protocol of the place that stores it.

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
"""Google's own tools use this name, so they can read the consent too."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a teacher allows this system to do.

    Attributes:
        user: `users/{id}`.
        email: Lower case.
        client_id: The id of the OAuth client to which the teacher consented.
        client_secret: Likewise.
        refresh_token: The refresh token, with which access tokens are fetched.
        scopes: The full scope URLs, as Google granted them.
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
        """Return the current consent; None if the teacher has not consented.

        Raises:
            ConsentsUnavailable: The place that stores it does not answer.
            ConsentMissing: The teacher has not consented, or this process may not see the consent.
            NeedsOperator: The place that stores it does not let us read it.
        """

    async def put(self, consent: Consent) -> None:
        """Store a consent, in place of an earlier one of the same teacher.

        May be repeated; raises the same errors as `get`.
        """

    async def check(self) -> None:
        """Check, as far as possible without writing, that a consent can be stored; raises the same errors as `get`."""


class UnreadableConsent(ValueError):
    """The stored text is not a consent; the message says what is wrong without repeating the text."""


def to_json(consent: Consent) -> dict[str, Any]:
    """Convert a consent to the JSON object that is stored."""
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
    """Read a consent from JSON.

    Raises:
        UnreadableConsent: The JSON does not contain a consent.
        DocumentTooNew: A later version of this system wrote the JSON.
    """
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableConsent("it is not JSON") from None
    return from_json(stored)


def from_json(stored: object) -> Consent:
    """Read a consent from the stored JSON object; raises the same errors as `from_text`."""
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

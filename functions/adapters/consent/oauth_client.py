"""The OAuth client to which a teacher consents, read from the file that the console offers for download.

https://developers.google.com/identity/protocols/oauth2/native-app#creatingcred
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from functions.adapters.consent.errors import OAuthClientUnusable

MOST_BYTES = 1 << 16
_TEXTS = ("client_id", "client_secret")


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A client for desktops. Addresses in its file are ignored: teachers are only ever sent to Google.

    Attributes:
        client_id: Public.
        client_secret: Not secret: everybody who has the file knows it.
        project: The project that the client belongs to, if the file says so; calls use this project's APIs.
    """

    client_id: str
    client_secret: str = field(repr=False)
    project: str | None = None

    @classmethod
    def from_file(cls, path: Path) -> OAuthClient:
        """Read the client from a file of the console.

        Raises:
            OAuthClientUnusable: The file does not contain a client, or contains one of another type.
        """
        try:
            with path.open("rb") as file:
                content = file.read(MOST_BYTES)
        except OSError as error:
            raise OAuthClientUnusable(
                f"The file with the OAuth client cannot be read ({type(error).__name__}).",
                hint=f"{OAuthClientUnusable.default_hint} Name the file: --client-secrets FILE",
            ) from None
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        return cls._of(found if isinstance(found, Mapping) else {})

    @classmethod
    def _of(cls, found: Mapping[str, object]) -> OAuthClient:
        if "web" in found:
            raise OAuthClientUnusable(
                "The OAuth client has the type Web application, which cannot be used on this computer."
            )
        if found.get("type") == "service_account":
            raise OAuthClientUnusable(
                "The file is the key of a service account, not an OAuth client. This system does not need such a key.",
                hint=f"{OAuthClientUnusable.default_hint} Delete the key.",
            )
        client = found.get("installed")
        if not isinstance(client, Mapping) or not all(isinstance(client.get(n), str) and client[n] for n in _TEXTS):
            raise OAuthClientUnusable("The file does not contain an OAuth client of the type Desktop app.")
        project = client.get("project_id")
        return cls(client["client_id"], client["client_secret"], project if isinstance(project, str) else None)

"""The Directory API: who the school's own accounts are.

https://developers.google.com/workspace/admin/directory/reference/rest/v1/users/get

docs/google.md says what was compared with Google's reference, and what is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.adapters.google.calls.rest import Api, Missing, RestApi
from functions.adapters.google.calls.services import DIRECTORY
from functions.adapters.google.credentials.capabilities import Credentials
from functions.domain.conferences.model import Identity, IdentitySource, clean_display_name
from functions.domain.errors import RequestRefused

API = Api(DIRECTORY, "admin", "directory_v1")

_FIELDS = "id,primaryEmail,aliases,nonEditableAliases,name(fullName,givenName,familyName)"
"""Not `emails`: anybody who may edit the account can type any address into it. The aliases are Google's own:
https://developers.google.com/workspace/admin/directory/reference/rest/v1/users#User"""


class Directory:
    """The Directory API, called as one person, who need not be an administrator.

    Args:
        endpoint: `host:port` of the real service, or `http://127.0.0.1:PORT` of a stand-in.
    """

    def __init__(self, endpoint: str) -> None:
        self._rest = RestApi(API, endpoint)

    def close(self) -> None:
        """Close threads and connections."""
        self._rest.close()

    async def get(self, key: str, credentials: Credentials) -> Identity | None:
        """The account with this id or address, None if the school has none; raises the same errors as `RestApi.call`.

        A key that the Directory cannot even read belongs to nobody.
        """
        try:
            answer = await self._rest.call(
                # domain_public shows what everybody in the school may see, so any teacher may ask for it.
                lambda service: service.users().get(
                    userKey=key, viewType="domain_public", projection="basic", fields=_FIELDS
                ),
                credentials,
            )
        except (Missing, RequestRefused):
            return None
        return _identity(answer)


def _identity(answer: Mapping[str, Any]) -> Identity | None:
    email = answer.get("primaryEmail", "").strip().lower()
    if not email or not answer.get("id"):
        return None
    others = [*answer.get("aliases", ()), *answer.get("nonEditableAliases", ())]
    return Identity(
        user=f"users/{answer['id']}",
        email=email,
        aliases=tuple(sorted({address.strip().lower() for address in others} - {"", email})),
        display_name=_display_name(answer.get("name", {})),
        source=IdentitySource.DIRECTORY,
    )


def _display_name(name: Mapping[str, Any]) -> str | None:
    full = name.get("fullName") or f"{name.get('givenName', '')} {name.get('familyName', '')}"
    return clean_display_name(full) or None

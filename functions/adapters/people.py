"""The People API: who accounts are, as far as the person who asks may see.

https://developers.google.com/people/api/rest/v1/people/getBatchGet
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from functions.adapters.credentials import Credentials
from functions.adapters.google_rest import Api, ErrorsOf, Missing, RestApi
from functions.domain.errors import (
    IdentitiesApiDisabled,
    IdentitiesUnavailable,
    IdentityAccessDenied,
    IdentityRequestRefused,
    IdentityScopeMissing,
)
from functions.domain.model import Identity, IdentitySource, clean_display_name

BATCH = 200
"""The most accounts that people.getBatchGet takes."""

SOURCES = ["READ_SOURCE_TYPE_PROFILE", "READ_SOURCE_TYPE_CONTACT", "READ_SOURCE_TYPE_OTHER_CONTACT"]
"""All three, so that people outside the school are found as well:
https://developers.google.com/workspace/meet/api/guides/participants#participant-details-people-api

A list, because the client repeats a parameter only for a list: it sends a tuple as one text, which Google refuses."""

_FIELDS = "names,emailAddresses"
_TYPED_IN = frozenset({"CONTACT", "OTHER_CONTACT", "DOMAIN_CONTACT"})
_ANSWERED = frozenset({0, 5, 7})
"""google.rpc.Code of one person's answer that will not change by itself: OK, NOT_FOUND, PERMISSION_DENIED."""

IDENTITY_ERRORS = ErrorsOf(
    unavailable=IdentitiesUnavailable,
    api_disabled=IdentitiesApiDisabled,
    scope_missing=IdentityScopeMissing,
    access_denied=IdentityAccessDenied,
    request_refused=IdentityRequestRefused,
)

API = Api(
    name="people",
    version="v1",
    title="People API",
    service="people.googleapis.com",
    scope="https://www.googleapis.com/auth/directory.readonly",
    errors=IDENTITY_ERRORS,
)


@dataclass(slots=True)
class Told:
    """What the People API told of a batch.

    Attributes:
        found: Whose own account names an address.
        typed: Whose address stands only in a contact: what somebody once typed, so anybody else's word is better.
        failed: Whom it could not look up now.
    """

    found: dict[str, Identity] = field(default_factory=dict)
    typed: dict[str, Identity] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)


class People:
    """The People API, called as one person.

    Args:
        endpoint: `host:port` of the real service, or `http://127.0.0.1:PORT` of a stand-in.
    """

    def __init__(self, endpoint: str) -> None:
        self._rest = RestApi(API, endpoint)

    def close(self) -> None:
        """Let go of threads and connections."""
        self._rest.close()

    async def look_up(self, users: Collection[str], credentials: Credentials) -> Told:
        """Ask for up to 200 accounts at once; raises as `RestApi.call` does."""
        names = [f"people/{user.removeprefix('users/')}" for user in users]
        answer = await self._rest.call(
            lambda service: service.people().getBatchGet(resourceNames=names, personFields=_FIELDS, sources=SOURCES),
            credentials,
        )
        told = Told()
        for response in answer.get("responses", ()):
            person = response.get("person", {})
            name = response.get("requestedResourceName") or person.get("resourceName", "")
            user = f"users/{name.removeprefix('people/')}"
            if user not in users:
                continue
            if response.get("status", {}).get("code", 0) not in _ANSWERED:
                told.failed.add(user)
            elif own := _identity(user, person, _own(person)):
                told.found[user] = own
            elif typed := _identity(user, person, person.get("emailAddresses", ())):
                told.typed[user] = typed
        return told

    async def me(self, credentials: Credentials) -> Identity | None:
        """The account that asks; raises as `RestApi.call` does."""
        try:
            person = await self._rest.call(
                lambda service: service.people().get(resourceName="people/me", personFields=_FIELDS), credentials
            )
        except Missing:
            return None
        user = f"users/{person.get('resourceName', '').removeprefix('people/')}"
        return _identity(user, person, _own(person)) if user != "users/" else None


def _own(person: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The addresses that belong to the account itself, and not to somebody's contact."""
    addresses = person.get("emailAddresses", ())
    return [each for each in addresses if each.get("metadata", {}).get("source", {}).get("type") not in _TYPED_IN]


def _identity(user: str, person: Mapping[str, Any], addresses: Collection[Mapping[str, Any]]) -> Identity | None:
    """Who somebody is, if an address is known; the primary address first."""
    values = list(dict.fromkeys(_primary_first(addresses, "value")))
    if not values:
        return None
    names = [clean_display_name(name) for name in _primary_first(person.get("names", ()), "displayName")]
    return Identity(
        user=user,
        email=values[0].lower(),
        aliases=tuple(sorted({value.lower() for value in values} - {values[0].lower()})),
        display_name=next(filter(None, names), None),
        source=IdentitySource.PEOPLE,
    )


def _primary_first(entries: Collection[Mapping[str, Any]], key: str) -> Iterator[str]:
    ordered = sorted(entries, key=lambda entry: not entry.get("metadata", {}).get("primary", False))
    return (entry[key].strip() for entry in ordered if entry.get(key, "").strip())

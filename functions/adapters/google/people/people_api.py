"""The People API: which people accounts belong to, as far as the person who asks may see.

https://developers.google.com/people/api/rest/v1/people/getBatchGet

docs/google.md says what was compared with Google's reference, and what is not known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from functions.adapters.google.calls.rest import Api, Missing, RestApi
from functions.adapters.google.calls.services import PEOPLE
from functions.adapters.google.credentials.capabilities import Credentials
from functions.domain.conferences.model import Identity, IdentitySource, clean_display_name
from functions.domain.errors import RequestRefused

BATCH = 200
"""The most accounts that people.getBatchGet takes."""

SOURCES = ["READ_SOURCE_TYPE_PROFILE", "READ_SOURCE_TYPE_CONTACT", "READ_SOURCE_TYPE_OTHER_CONTACT"]
"""All three sources, so that people outside the school are found as well:
https://developers.google.com/workspace/meet/api/guides/participants#participant-details-people-api

A list, because the client repeats a parameter only for a list: it sends a tuple as one text, which Google refuses."""

_FIELDS = "names,emailAddresses"
_OF_THE_ACCOUNT = frozenset({"ACCOUNT", "DOMAIN_PROFILE"})
"""Addresses from these sources belong to the account, even if Google does not mark them as verified."""

_OF_THE_SCHOOL = "DOMAIN_PROFILE"
_OWN_NAMES = frozenset({"ACCOUNT", "DOMAIN_PROFILE", "PROFILE"})
"""Names from other sources were written by somebody else, such as a contact's private name."""

_FIRST = ("DOMAIN_PROFILE", "ACCOUNT")
_ANSWERED = frozenset({0, 3, 5, 7})
"""google.rpc.Code of one person's answer that will not change by itself: OK, INVALID_ARGUMENT (an id that People cannot
read belongs to nobody), NOT_FOUND, PERMISSION_DENIED."""

_MOST_HALVINGS = 24
"""How often a refused batch is halved at most: among 200 ids, the bad one is found after eight times."""

API = Api(PEOPLE, "people", "v1")


@dataclass(slots=True)
class PeopleAnswer:
    """What the People API answered for a batch.

    Attributes:
        found: Accounts with an address that Google vouches for.
        failed: Accounts that it could not look up now.
    """

    found: dict[str, Identity] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)


class People:
    """The People API, called as one person.

    Only addresses that Google vouches for count. Anybody can write any address into a profile or a contact: a pupil who
    wrote another pupil's address would count as that pupil.

    Args:
        endpoint: `host:port` of the real service, or `http://127.0.0.1:PORT` of a stand-in.
        domains: The school's domains, lower case. Addresses of these domains count only if they come from a profile of
            the domain itself.
    """

    def __init__(self, endpoint: str, *, domains: Collection[str] = ()) -> None:
        self._rest = RestApi(API, endpoint)
        self._domains = frozenset(domains)

    def close(self) -> None:
        """Close threads and connections."""
        self._rest.close()

    async def look_up(self, users: Collection[str], credentials: Credentials) -> PeopleAnswer:
        """Ask for up to 200 accounts at once; raises the same errors as `RestApi.call`, except Missing.

        An account that the answer leaves out could not be looked up: an unknown account has a status.

        Google does not say whether one id that People cannot read makes it refuse the whole request. So a refused batch
        is halved until that id is alone in it. But first the caller's own account is asked for: if People refuses that
        too, the ids are not the reason.
        """
        result = PeopleAnswer()
        waiting, halvings = [sorted(users)], 0
        while waiting:
            batch = waiting.pop()
            try:
                answer = await self._ask([f"people/{user.removeprefix('users/')}" for user in batch], credentials)
            except RequestRefused:
                if not halvings and not await self._answers(credentials):
                    raise
                halvings += 1
                if halvings > _MOST_HALVINGS:
                    result.failed.update(batch)
                elif len(batch) > 1:
                    waiting += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
                continue
            self._read(answer, frozenset(batch), result)
        return result

    async def _answers(self, credentials: Credentials) -> bool:
        """Whether People accepts the same request for the account of the person who asks."""
        try:
            await self._ask(["people/me"], credentials)
        except RequestRefused:
            return False
        return True

    async def _ask(self, names: list[str], credentials: Credentials) -> Mapping[str, Any]:
        try:
            return await self._rest.call(
                lambda service: service.people().getBatchGet(
                    resourceNames=names, personFields=_FIELDS, sources=SOURCES
                ),
                credentials,
            )
        except Missing:
            # Each account has its own answer, so this 404 is not about any of them.
            raise PEOPLE.refused(f"The {PEOPLE.title} does not know the request (HTTP 404).") from None

    def _read(self, answer: Mapping[str, Any], users: Collection[str], result: PeopleAnswer) -> None:
        """Add the accounts in an answer to a result."""
        result.failed.update(users)
        for response in answer.get("responses", ()):
            person = response.get("person", {})
            name = response.get("requestedResourceName") or person.get("resourceName", "")
            user = f"users/{name.removeprefix('people/')}"
            if user not in users or response.get("status", {}).get("code", 0) not in _ANSWERED:
                continue
            result.failed.discard(user)
            if identity := _identity(user, person, self._domains):
                result.found[user] = identity

    async def me(self, credentials: Credentials) -> Identity | None:
        """The account that makes the calls; raises the same errors as `RestApi.call`."""
        try:
            person = await self._rest.call(
                lambda service: service.people().get(resourceName="people/me", personFields=_FIELDS), credentials
            )
        except Missing:
            return None
        user = f"users/{person.get('resourceName', '').removeprefix('people/')}"
        # For people outside the school, the address with which they sign in decides: the source says nothing more.
        return _identity(user, person, frozenset()) if user != "users/" else None


def _identity(user: str, person: Mapping[str, Any], domains: Collection[str]) -> Identity | None:
    """The person of an account, if Google vouches for an address; the primary address comes first."""
    vouched = [entry for entry in person.get("emailAddresses", ()) if _is_vouched(entry, domains)]
    values = list(dict.fromkeys(_in_order(vouched, "value")))
    if not values:
        return None
    own = [name for name in person.get("names", ()) if _source(name) in _OWN_NAMES]
    names = [clean_display_name(name) for name in _in_order(own, "displayName")]
    return Identity(
        user=user,
        email=values[0].lower(),
        aliases=tuple(sorted({value.lower() for value in values} - {values[0].lower()})),
        display_name=next(filter(None, names), None),
        source=IdentitySource.PEOPLE,
    )


def _is_vouched(entry: Mapping[str, Any], domains: Collection[str]) -> bool:
    """Whether Google vouches that an address belongs to the account.

    https://developers.google.com/people/api/rest/v1/people#fieldmetadata
    """
    if str(entry.get("value", "")).strip().lower().rpartition("@")[2] in domains:
        return _source(entry) == _OF_THE_SCHOOL
    return _source(entry) in _OF_THE_ACCOUNT or entry.get("metadata", {}).get("verified") is True


def _source(entry: Mapping[str, Any]) -> str | None:
    source: str | None = entry.get("metadata", {}).get("source", {}).get("type")
    return source


def _in_order(entries: Collection[Mapping[str, Any]], key: str) -> Iterator[str]:
    """The values in order: the person's primary value first, then those of the account.

    Within a source, its primary value first.
    """

    def place(entry: Mapping[str, Any]) -> tuple[bool, bool, bool]:
        metadata = entry.get("metadata", {})
        return not metadata.get("primary"), _source(entry) not in _FIRST, not metadata.get("sourcePrimary")

    return (entry[key].strip() for entry in sorted(entries, key=place) if entry.get(key, "").strip())

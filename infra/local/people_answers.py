"""How the People API shows an account to a caller: https://developers.google.com/people/api/rest/v1/people.

Every name and address has its source and says whether Google has verified it (`FieldMetadata`). Google does not
document which addresses are marked as verified. Here the addresses of an account and of a domain's profile are
verified, as in answers that people have published. For other addresses, the school's data decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from infra.local.callers import SCOPES
from infra.local.school import Account, Contact

_READS = {
    "READ_SOURCE_TYPE_PROFILE": frozenset({"ACCOUNT", "DOMAIN_PROFILE", "PROFILE"}),
    "READ_SOURCE_TYPE_CONTACT": frozenset({"CONTACT"}),
    "READ_SOURCE_TYPE_DOMAIN_CONTACT": frozenset({"DOMAIN_CONTACT"}),
    "READ_SOURCE_TYPE_OTHER_CONTACT": frozenset({"OTHER_CONTACT"}),
    "READ_SOURCE_TYPE_UNSPECIFIED": frozenset[str](),
}
_UNLESS_SAID = ("READ_SOURCE_TYPE_PROFILE", "READ_SOURCE_TYPE_CONTACT")

_NEEDED = {
    "CONTACT": frozenset({f"{SCOPES}contacts", f"{SCOPES}contacts.readonly"}),
    "OTHER_CONTACT": frozenset({f"{SCOPES}contacts.other.readonly"}),
    "DOMAIN_CONTACT": frozenset({f"{SCOPES}directory.readonly"}),
}
"""Contacts need one of these scopes; it is an assumption that they are left out without one."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the People API.

    Attributes:
        fields: The value of `personFields`.
        sources: The values of `sources`.
        scopes: The scopes of the token; None where no tokens are issued, which means all scopes.
        caller: The account that asks.
        with_aliases: See `School.people_tells_aliases`.
    """

    fields: str
    sources: Collection[str]
    scopes: frozenset[str] | None
    caller: Account | None
    with_aliases: bool

    def reads(self, source: str) -> bool:
        """Return whether entries of a source are requested and the token may see them."""
        asked = frozenset().union(*(_READS[each] for each in self.sources or _UNLESS_SAID))
        needed = _NEEDED.get(source)
        return source in asked and (needed is None or self.scopes is None or bool(self.scopes & needed))


@dataclass(frozen=True, slots=True)
class _Entry:
    """An address or a name with its source."""

    value: str
    source: str
    id: str
    verified: bool = False
    first: bool = True
    """Whether it is the first entry of its source."""

    def metadata(self, *, primary: bool) -> dict[str, Any]:
        """Return its FieldMetadata; as in all of Google's JSON, false values are left out."""
        flags = {"primary": primary, "verified": self.verified, "sourcePrimary": self.first}
        return {
            **{name: True for name, is_so in flags.items() if is_so},
            "source": {"type": self.source, "id": self.id},
        }


def person(account: Account | None, user: str, question: Question) -> dict[str, Any] | None:
    """Return the Person for "users/ID"; None if the caller sees nobody."""
    contacts = [each for each in question.caller.contacts if each.user == user] if question.caller else []
    contacts = [each for each in contacts if question.reads(each.kind)]
    is_self = question.caller is not None and question.caller.user == user
    shown = account if account and (account.in_people or is_self) else None
    if shown is None and not contacts:
        return None
    addresses = [each for each in _addresses(shown, contacts, question, is_self=is_self) if question.reads(each.source)]
    names = [each for each in _names(shown, contacts) if question.reads(each.source)]
    asked = question.fields.split(",")
    answer: dict[str, Any] = {"resourceName": user.replace("users/", "people/", 1), "etag": "%EgUBAj03Lg=="}
    if "names" in asked and names:
        answer["names"] = [
            {"metadata": each.metadata(primary=not place), "displayName": each.value}
            for place, each in enumerate(names)
        ]
    if "emailAddresses" in asked and addresses:
        answer["emailAddresses"] = [
            {"metadata": each.metadata(primary=not place), "value": each.value} for place, each in enumerate(addresses)
        ]
    return answer


def _addresses(
    account: Account | None, contacts: Collection[Contact], question: Question, *, is_self: bool
) -> Iterator[_Entry]:
    # Contacts come first: an entry from the caller's contacts can be the person's primary entry.
    for contact in contacts:
        yield _Entry(contact.email, contact.kind, "7f3a", verified=contact.verified)
    if account is None:
        return
    number = account.user.removeprefix("users/")
    for place, profile in enumerate(account.profile_addresses):
        yield _Entry(profile.value, "PROFILE", number, verified=profile.verified, first=not place)
    if not (account.people_shows_address or is_self):
        return
    source = "DOMAIN_PROFILE" if account.in_directory else "ACCOUNT"
    shown = (account.email, *account.aliases) if question.with_aliases else (account.email,)
    for place, address in enumerate(shown):
        yield _Entry(address, source, number, verified=True, first=not place)


def _names(account: Account | None, contacts: Collection[Contact]) -> Iterator[_Entry]:
    for contact in contacts:
        if contact.display_name:
            yield _Entry(contact.display_name, contact.kind, "7f3a")
    if account is not None and account.display_name:
        number = account.user.removeprefix("users/")
        yield _Entry(account.display_name, "PROFILE", number)
        if account.in_directory:
            yield _Entry(account.display_name, "DOMAIN_PROFILE", number)

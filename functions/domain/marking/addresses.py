"""Which account an address belongs to, over time.

People are renamed, get aliases, and give up addresses that others get later. So what is known about an account depends
on time: each address has a time span, and a class meeting uses the addresses of its own time. The reasons:
docs/adr/0022-an-address-belongs-to-an-account-for-a-time.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.domain.classes.sessions import Person
    from functions.domain.conferences.model import Identity

_GMAIL = frozenset({"gmail.com", "googlemail.com"})
EARLIEST = datetime.min.replace(tzinfo=UTC)
"""A time before everything that is known."""


@lru_cache(maxsize=4096)
def mailbox(email: str) -> str:
    """The form in which addresses are compared: two spellings of one mailbox have the same form.

    Gmail ignores dots, and its two domains are one: https://support.google.com/mail/answer/7436150. We know of no other
    service that does this, so nothing else is ignored. To mark a class compares each address a dozen times, so the last
    answers are remembered.
    """
    local, at, domain = email.strip().lower().rpartition("@")
    return f"{local.replace('.', '')}@gmail.com" if domain in _GMAIL else f"{local}{at}{domain}"


def mailboxes(emails: Iterable[str]) -> frozenset[str]:
    """Addresses in the form in which they are compared."""
    return frozenset(map(mailbox, emails))


def searchable(emails: Iterable[str]) -> list[str]:
    """Addresses as they are stored: as given, followed by the compared forms that differ from them."""
    given = list(dict.fromkeys(emails))
    return list(dict.fromkeys([*given, *map(mailbox, given)]))


def as_given(stored: Iterable[str]) -> tuple[str, ...]:
    """The original addresses, without the forms that `searchable` added."""
    found: dict[str, str] = {}
    for email in stored:
        found.setdefault(mailbox(email), email)
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """An address that an account has or had.

    Attributes:
        email: The address as it was given, lower case.
        since: When we asked for the first answer that contained it.
        until: None while the account has it; otherwise when we asked for the last answer that contained it. If another
            account has it now: the time until which it counts as this account's.
        lost_at: None while the account has it; otherwise when we asked for the first answer without it.
        counts_from: None if no other account was known by it before; otherwise the time until which another account had
            it.
    """

    email: str
    since: datetime
    until: datetime | None = None
    lost_at: datetime | None = None
    counts_from: datetime | None = None

    @property
    def current(self) -> bool:
        """Whether the account has it now, as far as known."""
        return self.until is None

    def counts_at(self, moment: datetime | None) -> bool:
        """Whether it belongs to the account in a class meeting whose people were last there at a moment.

        The first answer after this moment decides. An address that was first seen later counts too, because nobody
        asked before, but not for the time in which it belonged to another account.

        Args:
            moment: The moment; None while the class goes on: then the newest answer decides.
        """
        if moment is None:
            return self.current
        return self.reaches(moment) and (self.counts_from is None or self.counts_from < moment)

    def reaches(self, moment: datetime) -> bool:
        """Whether the account had it at a moment or later, as far as known.

        If it was lost between two answers, the exact time is not known: the answer that is nearer to the moment
        decides.
        """
        return self.until is None or moment <= _middle(self.until, self.lost_at or self.until)


def current_of(person: Person) -> tuple[str, ...]:
    """The addresses that an account has now, the primary one first."""
    return tuple(_in_order(person, (known for known in person.addresses if known.current)))


def addresses_at(person: Person, moment: datetime | None) -> tuple[str, ...]:
    """The addresses of an account for a class meeting whose people were last there at the given moment.

    Present addresses come first, the primary one before its aliases; then lost addresses, the one lost last first.
    """
    counting = [known for known in person.addresses if known.counts_at(moment)]
    if len(counting) == 1:
        return (counting[0].email,)  # nearly everybody: a large class need not sort
    lost = sorted((k for k in counting if k.until), key=lambda k: (k.until or EARLIEST, k.email), reverse=True)
    return tuple(
        dict.fromkeys([*_in_order(person, (k for k in counting if k.current)), *(known.email for known in lost)])
    )


def answered_since(person: Person | None, moment: datetime | None) -> bool:
    """Whether it is known which person an account was at a moment: whether we asked for an answer then or later.

    Args:
        person: What is known about the account.
        moment: The moment; None if any answer is enough.
    """
    if person is None or not (person.identity or person.unknown):
        return False
    if moment is None:
        return True
    if person.resolved_at is None or person.resolved_at < moment:
        return False
    # An answer that was right then may be wrong now: it is enough if it says who the account was.
    return not person.outdated or any(known.until and known.counts_at(moment) for known in person.addresses)


def owners(
    wanted: Collection[str],
    people: Mapping[str, Person],
    moment: datetime | None,
    *,
    named_at: datetime | None = None,
    named_before: Mapping[str, datetime] | None = None,
) -> dict[str, str]:
    """The account of each address in a class; without entries for addresses that have no known account.

    At any time an address belongs to one account: the one that was known by it at that moment, otherwise the first one
    that was known by it later. But if a class names the old owner by a newer address, it was entered after the change:
    then the address means its new owner, even if nobody knows yet who this is.

    Args:
        wanted: The addresses of students and teachers in the class.
        people: What is known about accounts.
        moment: When the class's people were last there; None while it goes on.
        named_at: When the students and teachers of the class were set, if known.
        named_before: For addresses (in their compared form) that the class already named before that time: when it
            first named them.

    Returns:
        `users/{id}` by address in its compared form.
    """
    named = mailboxes(wanted)
    set_at = {box: (named_before or {}).get(box, named_at) for box in named}
    # Only addresses that were entered after the people had left can have their later meaning.
    afterwards = {box: at for box, at in set_at.items() if at and moment and at > moment}
    claims: dict[str, list[tuple[KnownAddress, str]]] = {}
    named_by: dict[str, frozenset[str]] = {}
    for user, person in people.items():
        own = [(box, known) for known in person.addresses if (box := mailbox(known.email)) in named]
        named_by[user] = frozenset(
            box
            for box, known in own
            if known.current and (known.counts_at(moment) or ((at := afterwards.get(box)) and known.counts_at(at)))
        )
        for box, known in own:
            claims.setdefault(box, []).append((known, user))
    found = {}
    for box, claiming in claims.items():
        # If a newer address of the old owner is entered in the class, this address means the account that has it at
        # that time.
        otherwise_named = {
            user: max((at for b in (*others, box) if (at := afterwards.get(b))), default=None)
            for _, user in claiming
            if (others := named_by[user] - {box})
        }
        owner = _owner(claiming, otherwise_named, moment)
        if owner:
            found[box] = owner
    return found


def _owner(
    claims: Sequence[tuple[KnownAddress, str]],
    named: Mapping[str, datetime | None],
    moment: datetime | None,
) -> str | None:
    """The account of an address.

    The accounts in `named` are in the class with another address that they have now. For these, the later of the two
    naming times counts, if it was after the people had left.
    """
    in_time = [claim for claim in sorted(claims, key=_order) if moment is None or claim[0].reaches(moment)]
    for number, (known, user) in enumerate(in_time):
        if known.counts_at(moment):
            successor = next((other for _, other in in_time[number + 1 :] if other != user), None)
            if known.current or user not in named:
                return user
            # Its present owner may never have been looked up.
            afterwards = named[user]
            was_given_on = afterwards is not None and known.until is not None and known.until < afterwards
            return successor or (None if was_given_on else user)
    return None


def _order(claim: tuple[KnownAddress, str]) -> tuple[object, ...]:
    """Claims on one address in order of time; if two have the same time, the newer answer comes first."""
    known, user = claim
    return (known.counts_from or EARLIEST, -known.since.timestamp(), user)


def after_answers(
    people: Mapping[str, Person], answers: Mapping[str, Identity | None], *, asked_at: datetime
) -> dict[str, Person]:
    """What is known about accounts after Google answered for some of them.

    Answers that are older than what is known are ignored.

    Args:
        people: What is known about them, and about every other account that has or had one of the addresses in the
            answers.
        answers: The person of each account; None for an account that nobody knows: what was known about it stays.
        asked_at: When we asked for the answers.

    Returns:
        The accounts in the answers, and those that lost an address to one of them.
    """
    fresh = {
        user: identity
        for user, identity in answers.items()
        if not ((known_at := people[user].resolved_at) and asked_at < known_at)
    }
    given = _given(fresh)
    for user, person in people.items():
        # The account that has an address according to a newer answer keeps it.
        if user not in fresh and person.resolved_at and person.resolved_at > asked_at:
            given = {box: owner for box, owner in given.items() if box not in mailboxes(current_of(person))}
    after = {}
    for user, person in people.items():
        identity = fresh.get(user)
        gone = {
            box
            for known in person.addresses
            if known.current
            and (box := mailbox(known.email))
            and (given.get(box) not in (None, user) or (identity and given.get(box) != user))
        }
        # If an account lost an address to another account, its person is not known until it gets a new answer.
        outdated = person.outdated or (bool(gone) and user not in fresh)
        after[user] = replace(_without(person, gone, lost_at=asked_at), outdated=outdated)
    for user in sorted(fresh):
        identity = fresh[user]
        person = after[user]
        if identity is None:
            # A deleted account still was this person when the class was held.
            after[user] = replace(person, unknown=person.identity is None, resolved_at=asked_at, outdated=False)
            continue
        own = {box: email for email in _emails(identity) if given.get(box := mailbox(email)) == user}
        others = {name: other for name, other in after.items() if name != user}
        had = {mailbox(known.email) for known in person.addresses}
        gained = own.keys() - {box for box in had if _is_last(box, person, others.values())}
        others = _with_ends(gained, others, not_before=person.resolved_at)
        after |= others
        after[user] = replace(
            person,
            identity=identity,
            unknown=False,
            resolved_at=asked_at,
            outdated=False,
            known_by=_with(person.addresses, own, others.values(), asked_at),
        )
    return {user: person for user, person in after.items() if user in fresh or person != people[user]}


def _given(answers: Mapping[str, Identity | None]) -> dict[str, str]:
    """The account of each address, from answers of the same time.

    If two accounts have it, the one whose primary address it is.
    """
    claims = sorted(
        (number > 0, user, mailbox(email))
        for user, identity in answers.items()
        if identity
        for number, email in enumerate(_emails(identity))
    )
    return {box: user for _, user, box in reversed(claims)}


def _with_ends(boxes: Iterable[str], others: Mapping[str, Person], *, not_before: datetime | None) -> dict[str, Person]:
    """The accounts that had addresses directly before another account, with the times at which these finally ended.

    Args:
        boxes: The addresses, in their compared form.
        others: All accounts but the one that has them now.
        not_before: When we last asked for that account and it did not have them yet; None if never.
    """
    found = dict(others)
    for box in boxes:
        having = [
            (known.until, user, number)
            for user, other in found.items()
            for number, known in enumerate(other.addresses)
            if known.until and mailbox(known.email) == box
        ]
        if having:
            _, user, number = max(having)
            addresses = list(found[user].addresses)
            known = addresses[number]
            if known.until and known.lost_at:
                earliest = max(known.until, min(not_before or known.until, known.lost_at))
                end = _middle(earliest, known.lost_at)
                addresses[number] = replace(known, until=end, lost_at=end)
                found[user] = replace(found[user], known_by=tuple(addresses))
    return found


def _without(person: Person, boxes: Collection[str], *, lost_at: datetime) -> Person:
    """An account that no longer has some addresses: they end with the last answer that contained them."""

    def closed(known: KnownAddress) -> KnownAddress:
        if not (known.current and mailbox(known.email) in boxes):
            return known
        return replace(known, until=max(known.since, person.resolved_at or known.since), lost_at=lost_at)

    return replace(person, known_by=tuple(map(closed, person.addresses)))


def _with(
    addresses: Iterable[KnownAddress], own: Mapping[str, str], others: Collection[Person], asked_at: datetime
) -> tuple[KnownAddress, ...]:
    """An account's addresses, including all that it has now; `own` has them by their compared form."""
    found = list(addresses)
    for box, email in own.items():
        number, known = next(
            ((n, known) for n, known in reversed(list(enumerate(found))) if mailbox(known.email) == box), (-1, None)
        )
        if known and known.current:
            found[number] = replace(known, email=email)
            continue
        before = _last_known(box, others)
        if known and (before is None or before <= (known.counts_from or EARLIEST)):
            found[number] = replace(known, email=email, until=None, lost_at=None)  # no other account had it meanwhile
        else:
            found.append(KnownAddress(email, since=asked_at, counts_from=before))
    return tuple(found)


def has_changed(before: Person, after: Person) -> bool:
    """Whether an account that was looked up before has other addresses now."""
    return bool(before.resolved_at or before.addresses) and mailboxes(current_of(before)) != mailboxes(
        current_of(after)
    )


def _is_last(box: str, person: Person, others: Iterable[Person]) -> bool:
    """Whether an account has an address, or was the last one that had it."""
    before = _last_known(box, others)
    own = [known for known in person.addresses if mailbox(known.email) == box]
    return any(k.current or before is None or before <= (k.counts_from or EARLIEST) for k in own)


def _last_known(box: str, others: Iterable[Person]) -> datetime | None:
    """When another account was last known by an address; None if that never happened."""
    return max(
        (known.until or known.since for other in others for known in other.addresses if mailbox(known.email) == box),
        default=None,
    )


def _middle(one: datetime, other: datetime) -> datetime:
    return one + (other - one) / 2


def _emails(identity: Identity) -> tuple[str, ...]:
    return (identity.email, *identity.aliases)


def _in_order(person: Person, known: Iterable[KnownAddress]) -> Iterator[str]:
    """Addresses, the account's primary one first, then in alphabetical order."""
    primary = mailbox(person.identity.email) if person.identity else None
    return iter(sorted({k.email for k in known}, key=lambda email: (mailbox(email) != primary, email)))

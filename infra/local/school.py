"""A simulated school: who was in which conference, and what Meet shows about each at a given moment.

These are plain dataclasses without gRPC. What happened is fixed. What Meet shows depends on the clock, because Meet
does not know the future and learns some ends late or never. The nouns are those of
https://developers.google.com/workspace/meet/api/guides/overview
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

# https://developers.google.com/workspace/meet/api/reference/rest/v2/conferenceRecords (expireTime)
RETENTION = timedelta(days=30)


def _learnt(end: datetime | None, settles: datetime | None, now: datetime) -> datetime | None:
    """Return an end if Meet knows it at `now`: it is in the past, it is final, and Meet did not lose it."""
    if end is None or now < end or (settles is not None and now < settles):
        return None
    return end


def _require_aware(*moments: datetime | None) -> None:
    """Refuse times without a zone: an error would otherwise appear only later, in a comparison with the clock."""
    if any(moment is not None and moment.tzinfo is None for moment in moments):
        raise ValueError("Every time needs a zone, for example datetime(2026, 3, 2, 9, tzinfo=UTC)")


@dataclass(frozen=True)
class ProfileAddress:
    """An address that somebody wrote into their own Google profile, and whether Google has verified it."""

    value: str
    verified: bool = False


@dataclass(frozen=True)
class Contact:
    """An entry in somebody's contacts: an account, and the address and the name that this person stored for it.

    `kind` says where it is stored: in the person's contacts, in the addresses that Google stores when the person writes
    to somebody, or in the contacts that an administrator shares with all accounts.
    """

    user: str
    email: str
    display_name: str = ""
    kind: Literal["CONTACT", "OTHER_CONTACT", "DOMAIN_CONTACT"] = "CONTACT"
    verified: bool = False


@dataclass(frozen=True)
class Account:
    """A Google account: "users/ID", its addresses and name, and the services that know it.

    Room devices have no account. An account from outside the school is in neither service.

    Attributes:
        aliases: Further addresses of the account, from the Directory.
        in_directory: Whether it is one of the school's accounts.
        in_people: Whether the People API shows it.
        people_shows_address: Whether the People API shows its address; if not, it shows only the name.
        non_editable_aliases: Addresses that Google adds to the account automatically.
        typed_addresses: Addresses that somebody typed into the account's `emails` in the Directory, such as a private
            one.
        profile_addresses: Addresses that the person wrote into their own profile.
        contacts: The person's entries about other accounts.
    """

    user: str
    email: str
    aliases: tuple[str, ...] = ()
    display_name: str = ""
    in_directory: bool = True
    in_people: bool = True
    people_shows_address: bool = True
    non_editable_aliases: tuple[str, ...] = ()
    typed_addresses: tuple[str, ...] = ()
    profile_addresses: tuple[ProfileAddress, ...] = ()
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True)
class Visit:
    """One participant session: from joining with one device to leaving with it.

    `end=None` means that Meet never learns the end. `settles` is the moment from which Meet shows the end; with None,
    Meet shows it as soon as it has passed. Visits without an `id` get a number from the attendee.
    """

    start: datetime
    end: datetime | None = None
    id: str | None = None
    settles: datetime | None = None

    def __post_init__(self) -> None:
        _require_aware(self.start, self.end, self.settles)

    def shown_end(self, now: datetime) -> datetime | None:
        """Return the end that Meet shows at `now`; None while Meet shows the session as open."""
        return _learnt(self.end, self.settles, now)


@dataclass(frozen=True)
class Attendee:
    """One participant: a person with any number of devices, or the account of a room device.

    `user` is "users/ID" for signed-in participants and None for others. A room device is signed in too, and has the
    device's name.
    """

    id: str
    kind: Literal["signed_in", "anonymous", "phone"]
    display_name: str
    user: str | None = None
    visits: tuple[Visit, ...] = ()

    @cached_property
    def sessions(self) -> tuple[tuple[str, Visit], ...]:
        """Return all visits with their ids, in Meet's order: the latest start first; equal starts by id."""
        numbered = ((visit.id or str(number), visit) for number, visit in enumerate(self.visits, start=1))
        return tuple(sorted(numbered, key=lambda session: (session[1].start, session[0]), reverse=True))

    def shown_sessions(self, now: datetime) -> list[tuple[str, Visit]]:
        """Return the sessions that have begun at `now`, the latest start first."""
        return [session for session in self.sessions if session[1].start <= now]

    def earliest_start(self, now: datetime) -> datetime | None:
        """Return the first join; None if the attendee has not come yet, so that Meet does not list them."""
        first = self.sessions[-1][1].start if self.sessions else None
        return first if first is not None and first <= now else None

    def latest_end(self, now: datetime) -> datetime | None:
        """Return when they left for the last time; None while Meet shows one of their sessions as open."""
        latest: datetime | None = None
        for _, visit in self.shown_sessions(now):
            end = visit.shown_end(now)
            if end is None:
                return None
            latest = end if latest is None else max(latest, end)
        return latest


@dataclass(frozen=True)
class Space:
    """A room and its meeting code. Many conferences take place in it, one at a time."""

    name: str
    meeting_code: str
    owner: str | None = None


@dataclass(frozen=True)
class Conference:
    """One conference record with all its participants.

    `settles` is the moment from which Meet shows its end. `appears` is the moment from which Meet has the record.
    """

    id: str
    space: str
    meeting_code: str
    organizer: str
    start: datetime
    end: datetime | None
    attendees: tuple[Attendee, ...] = ()
    settles: datetime | None = None
    appears: datetime | None = None

    def __post_init__(self) -> None:
        _require_aware(self.start, self.end, self.settles, self.appears)
        if len(self.attendees_by_id) != len(self.attendees):
            raise ValueError(f"Two attendees of {self.name} share an id")

    @cached_property
    def name(self) -> str:
        """Return the resource name, conferenceRecords/{id}."""
        return f"conferenceRecords/{self.id}"

    @cached_property
    def attendees_by_id(self) -> Mapping[str, Attendee]:
        """Return all attendees by participant id, including those who have not come yet."""
        return {attendee.id: attendee for attendee in self.attendees}

    @cached_property
    def attendees_by_user(self) -> Mapping[str, Attendee]:
        """Return the signed-in attendees by "users/ID"."""
        return {attendee.user: attendee for attendee in self.attendees if attendee.user}

    def shown_end(self, now: datetime) -> datetime | None:
        """Return the end that Meet shows at `now`; None while Meet shows the conference as ongoing."""
        return _learnt(self.end, self.settles, now)

    @cached_property
    def attendees_by_arrival(self) -> tuple[Attendee, ...]:
        """Return all attendees who ever come, in Meet's order: the latest first join first; equal ones by id."""
        coming = (attendee for attendee in self.attendees if attendee.visits)
        return tuple(sorted(coming, key=lambda one: (one.sessions[-1][1].start, one.id), reverse=True))

    def shown_attendees(self, now: datetime) -> list[Attendee]:
        """Return the attendees who have come by `now`, in that order."""
        return [attendee for attendee in self.attendees_by_arrival if attendee.earliest_start(now)]

    def exists(self, now: datetime) -> bool:
        """Return whether Meet has a record of it: it has begun, and it ended at most 30 days ago."""
        return (self.appears or self.start) <= now and (self.end is None or now < self.end + RETENTION)

    def admits(self, user: str | None, now: datetime) -> bool:
        """Return whether this user may read it: the organizer and everybody who was in it may."""
        if user is None:
            return False
        attendee = self.attendees_by_user.get(user)
        return user == self.organizer or (attendee is not None and attendee.earliest_start(now) is not None)


def _as_typed(meeting_code: str) -> str:
    """Reduce a meeting code to its letters: it is not case-sensitive, and people may type it without dashes."""
    return meeting_code.replace("-", "").lower()


class School:
    """All conferences and spaces that exist at the clock's time.

    One thread may change it while another reads. `people` maps e-mail addresses to "users/ID", so that a caller with a
    known address is recognised as organizer or attendee.

    Attributes:
        strangers: The Directory's answer for the id of an account outside the school: 403 `forbidden`, or 404. Google
            does not document which one; widely used clients treat both as "no such user".
        people_tells_aliases: Whether the People API shows all addresses of the school's accounts, or only the primary
            address. Google does not document this.
    """

    def __init__(self, clock: Callable[[], datetime], people: Mapping[str, str] | None = None) -> None:
        self.clock = clock
        self.strangers: Literal["forbidden", "missing"] = "forbidden"
        self.people_tells_aliases = True
        self._people = dict(people or {})
        self._accounts: dict[str, Account] = {}
        self._conferences: dict[str, Conference] = {}
        self._spaces: dict[str, Space] = {}
        self._lock = threading.Lock()

    def hold(self, conference: Conference) -> None:
        """Add a conference with its space, or replace the conference of the same name."""
        with self._lock:
            self._conferences[conference.name] = conference
        if self.space(conference.space) is None:
            self.open(Space(conference.space, conference.meeting_code, conference.organizer))

    def forget(self, name: str) -> None:
        """Remove a conference; its space remains. Nothing happens if no conference has this name."""
        with self._lock:
            self._conferences.pop(name, None)

    def conference(self, name: str) -> Conference | None:
        """Return the conference with this resource name, or None when Meet has no record of it now."""
        with self._lock:
            found = self._conferences.get(name)
        return found if found is not None and found.exists(self.clock()) else None

    def conferences(self) -> list[Conference]:
        """Return all conferences that Meet has a record of now, the latest start first, equal ones by id."""
        now = self.clock()
        with self._lock:
            held = list(self._conferences.values())
        shown = (conference for conference in held if conference.exists(now))
        return sorted(shown, key=lambda conference: (conference.start, conference.id), reverse=True)

    def ever_held(self) -> list[Conference]:
        """Return all conferences that have begun, by name, including those whose records Meet has deleted."""
        now = self.clock()
        with self._lock:
            held = [conference for conference in self._conferences.values() if conference.start <= now]
        return sorted(held, key=lambda conference: conference.name)

    def active_conference(self, space: str) -> Conference | None:
        """Return the conference that Meet shows as ongoing in this space."""
        now = self.clock()
        under_way = (one for one in self.conferences() if one.space == space and one.shown_end(now) is None)
        return next(under_way, None)

    def open(self, space: Space) -> None:
        """Add a space without a conference, or replace the space of the same name."""
        with self._lock:
            self._spaces[space.name] = space

    def space(self, name: str) -> Space | None:
        """Return the space with the name spaces/{space} or the alias spaces/{meetingCode}."""
        code = _as_typed(name.removeprefix("spaces/"))
        with self._lock:
            by_code = {_as_typed(space.meeting_code): space for space in self._spaces.values()}
            return self._spaces.get(name) or by_code.get(code)

    def know(self, email: str, user: str) -> None:
        """Record that this e-mail address belongs to "users/ID"."""
        with self._lock:
            self._people[email] = user

    def enrol(self, *accounts: Account) -> None:
        """Add accounts; each is known by all its addresses."""
        for account in accounts:
            with self._lock:
                self._accounts[account.user] = account
            for email in (account.email, *account.aliases):
                self.know(email, account.user)

    def account(self, user: str) -> Account | None:
        """Return the account of "users/ID"; None for rooms and for accounts that were not added."""
        with self._lock:
            return self._accounts.get(user)

    def user(self, caller: str) -> str | None:
        """Return the "users/ID" of a caller given as "users/ID" or e-mail address; None for an unknown address."""
        with self._lock:
            return caller if caller.startswith("users/") else self._people.get(caller)

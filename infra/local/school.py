"""A simulated school: who was in which conference, and what Meet shows about it at a given moment.

Plain dataclasses without gRPC. What happened is fixed; what can be seen depends on the clock, because Meet
knows nothing of the future and learns some ends late or never. The nouns are those of
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
    """Return an end if Meet knows it at `now`: it has come, has settled, and is not lost for good."""
    if end is None or now < end or (settles is not None and now < settles):
        return None
    return end


def _require_aware(*moments: datetime | None) -> None:
    """Refuse times without a zone: they would be compared with the clock only when a test runs elsewhere."""
    if any(moment is not None and moment.tzinfo is None for moment in moments):
        raise ValueError("Every time needs a zone, for example datetime(2026, 3, 2, 9, tzinfo=UTC)")


@dataclass(frozen=True)
class ProfileAddress:
    """An address that somebody wrote into their own Google profile; Google has confirmed that it is theirs, or not."""

    value: str
    verified: bool = False


@dataclass(frozen=True)
class Contact:
    """An entry in somebody's contacts: an account, and the address and the name that they noted for it.

    `kind` says where: their contacts, the addresses that Google noted for them when they wrote to somebody, or the
    contacts that an administrator shares with everybody.
    """

    user: str
    email: str
    display_name: str = ""
    kind: Literal["CONTACT", "OTHER_CONTACT", "DOMAIN_CONTACT"] = "CONTACT"
    verified: bool = False


@dataclass(frozen=True)
class Account:
    """A Google account: "users/ID", its addresses and name, and which services know it.

    Devices in rooms have none. An account of somebody outside the school is in neither service.

    Attributes:
        aliases: Further addresses of the account, as the Directory has them.
        in_directory: Whether it is one of the school's.
        in_people: Whether the People API shows it.
        people_shows_address: Whether the People API shows its address, or nothing but the name.
        non_editable_aliases: Addresses that Google gives the account by itself.
        typed_addresses: What somebody typed into the account's `emails` in the Directory, such as a private address.
        profile_addresses: What the person wrote into their own profile.
        contacts: What the person has noted about others.
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

    `end=None`: Meet never learns the end. `settles`: Meet shows the end only from that moment on; None means
    as soon as it has passed. Without an `id` the attendee numbers its visits.
    """

    start: datetime
    end: datetime | None = None
    id: str | None = None
    settles: datetime | None = None

    def __post_init__(self) -> None:
        _require_aware(self.start, self.end, self.settles)

    def shown_end(self, now: datetime) -> datetime | None:
        """Return the end that Meet shows at `now`; None while it takes the session for open."""
        return _learnt(self.end, self.settles, now)


@dataclass(frozen=True)
class Attendee:
    """One participant: a person, however many devices they join with, or the account of a room device.

    `user` is "users/ID" for those signed in and None for the others. A room device is signed in too and
    carries the device's name.
    """

    id: str
    kind: Literal["signed_in", "anonymous", "phone"]
    display_name: str
    user: str | None = None
    visits: tuple[Visit, ...] = ()

    @cached_property
    def sessions(self) -> tuple[tuple[str, Visit], ...]:
        """All visits with their ids, the latest start first as Meet lists them; equal starts by id."""
        numbered = ((visit.id or str(number), visit) for number, visit in enumerate(self.visits, start=1))
        return tuple(sorted(numbered, key=lambda session: (session[1].start, session[0]), reverse=True))

    def shown_sessions(self, now: datetime) -> list[tuple[str, Visit]]:
        """Return the sessions that have begun at `now`, the latest start first."""
        return [session for session in self.sessions if session[1].start <= now]

    def earliest_start(self, now: datetime) -> datetime | None:
        """Return the first join; None when the attendee has not come yet and Meet does not list them."""
        first = self.sessions[-1][1].start if self.sessions else None
        return first if first is not None and first <= now else None

    def latest_end(self, now: datetime) -> datetime | None:
        """Return when they left for the last time; None while Meet takes one of their sessions for open."""
        latest: datetime | None = None
        for _, visit in self.shown_sessions(now):
            end = visit.shown_end(now)
            if end is None:
                return None
            latest = end if latest is None else max(latest, end)
        return latest


@dataclass(frozen=True)
class Space:
    """A room with its typeable alias. Many conferences are held in it, one at a time."""

    name: str
    meeting_code: str
    owner: str | None = None


@dataclass(frozen=True)
class Conference:
    """One conference record with everyone in it.

    `settles` is the moment from which Meet shows its end, `appears` the one from which Meet knows it at all.
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
        """The resource name, conferenceRecords/{id}."""
        return f"conferenceRecords/{self.id}"

    @cached_property
    def attendees_by_id(self) -> Mapping[str, Attendee]:
        """Everyone by participant id, come or not."""
        return {attendee.id: attendee for attendee in self.attendees}

    @cached_property
    def attendees_by_user(self) -> Mapping[str, Attendee]:
        """Those signed in, by "users/ID"."""
        return {attendee.user: attendee for attendee in self.attendees if attendee.user}

    def shown_end(self, now: datetime) -> datetime | None:
        """Return the end that Meet shows at `now`; None while it takes the conference for ongoing."""
        return _learnt(self.end, self.settles, now)

    @cached_property
    def attendees_by_arrival(self) -> tuple[Attendee, ...]:
        """Everyone who ever comes, the latest first join first as Meet lists them; equal ones by id."""
        coming = (attendee for attendee in self.attendees if attendee.visits)
        return tuple(sorted(coming, key=lambda one: (one.sessions[-1][1].start, one.id), reverse=True))

    def shown_attendees(self, now: datetime) -> list[Attendee]:
        """Return those who have come by `now`, in that order."""
        return [attendee for attendee in self.attendees_by_arrival if attendee.earliest_start(now)]

    def exists(self, now: datetime) -> bool:
        """Tell whether Meet has a record of it: it has begun, and ended no more than 30 days ago."""
        return (self.appears or self.start) <= now and (self.end is None or now < self.end + RETENTION)

    def admits(self, user: str | None, now: datetime) -> bool:
        """Tell whether this user may read it: the organizer, or someone who has been in it."""
        if user is None:
            return False
        attendee = self.attendees_by_user.get(user)
        return user == self.organizer or (attendee is not None and attendee.earliest_start(now) is not None)


def _as_typed(meeting_code: str) -> str:
    """Reduce a meeting code to its letters: it is not case sensitive, and people type it without dashes."""
    return meeting_code.replace("-", "").lower()


class School:
    """All conferences and spaces, as far as they exist at the clock's time.

    One thread may change it while another reads. `people` maps e-mail addresses to "users/ID", so that a
    caller known by address is recognised as organizer or attendee.

    Attributes:
        strangers: What the Directory answers for the number of an account that is not the school's: 403 `forbidden`,
            or 404. Which one is documented nowhere; widely used clients take both for "no such user".
        people_tells_aliases: Whether the People API shows all addresses of the school's accounts, or the primary alone.
            Which one is documented nowhere.
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
        """Add a conference with its space, or replace the one of the same name."""
        with self._lock:
            self._conferences[conference.name] = conference
        if self.space(conference.space) is None:
            self.open(Space(conference.space, conference.meeting_code, conference.organizer))

    def forget(self, name: str) -> None:
        """Remove a conference; its space stays. Nothing happens if no conference has this name."""
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
        """Return all conferences that have begun, also those that Meet has forgotten, by name."""
        now = self.clock()
        with self._lock:
            held = [conference for conference in self._conferences.values() if conference.start <= now]
        return sorted(held, key=lambda conference: conference.name)

    def active_conference(self, space: str) -> Conference | None:
        """Return the conference that is under way in this space to Meet's knowledge."""
        now = self.clock()
        under_way = (one for one in self.conferences() if one.space == space and one.shown_end(now) is None)
        return next(under_way, None)

    def open(self, space: Space) -> None:
        """Add a space without a conference, or replace the one of the same name."""
        with self._lock:
            self._spaces[space.name] = space

    def space(self, name: str) -> Space | None:
        """Return the space called spaces/{space} or, by its alias, spaces/{meetingCode}."""
        code = _as_typed(name.removeprefix("spaces/"))
        with self._lock:
            by_code = {_as_typed(space.meeting_code): space for space in self._spaces.values()}
            return self._spaces.get(name) or by_code.get(code)

    def know(self, email: str, user: str) -> None:
        """Learn that this e-mail address belongs to "users/ID"."""
        with self._lock:
            self._people[email] = user

    def enrol(self, *accounts: Account) -> None:
        """Learn of accounts; each is known by all its addresses."""
        for account in accounts:
            with self._lock:
                self._accounts[account.user] = account
            for email in (account.email, *account.aliases):
                self.know(email, account.user)

    def account(self, user: str) -> Account | None:
        """Return the account of "users/ID"; None for rooms, and for accounts that nobody entered."""
        with self._lock:
            return self._accounts.get(user)

    def user(self, caller: str) -> str | None:
        """Return "users/ID" for a caller given as such or by e-mail address; None for an unknown address."""
        with self._lock:
            return caller if caller.startswith("users/") else self._people.get(caller)

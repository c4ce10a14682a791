"""What Google's services give: conferences, accounts, spaces, reports, subscriptions, Calendar, ID tokens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from functions.domain.classes.calendar import Event, EventChange, EventRemoval, NewEvent
from functions.domain.conferences.model import (
    ConferenceRecord,
    Identity,
    Organizer,
    Participant,
    Reading,
    Space,
    Subscription,
)
from functions.domain.conferences.reported import Endpoint
from functions.domain.conferences.rereading import NOTHING_KNOWN, Known


@dataclass(frozen=True, slots=True)
class Listing:
    """Conference records, read to the last page; `began_at` is when the reading began. Oldest first."""

    began_at: datetime
    records: tuple[ConferenceRecord, ...]


class Conferences(Protocol):
    """Google Meet's conference records."""

    async def read(
        self,
        conference_record: str,
        *,
        organizer: Organizer,
        known: Known = NOTHING_KNOWN,
        keep: Callable[[Participant], None] = lambda _: None,
    ) -> Reading:
        """Read one conference whole: every participant with every session.

        All or nothing: a reading that misses a page is never returned. May be repeated; changes nothing.

        Args:
            conference_record: `conferenceRecords/{id}`.
            organizer: Whose account reads it.
            known: What earlier reads know: sessions are asked for only where that may have changed.
            keep: Called with each participant whose sessions were asked for, so that what was read of a conference
                is not lost if the rest cannot be.

        Raises:
            Retryable: Meet could not answer now.
            NeedsOperator: Meet will not answer until a person fixes the cause.
            Permanent: Meet can never answer.
        """

    async def list(
        self, *, space: str | None, since: datetime, until: datetime | None, organizer: Organizer
    ) -> Listing:
        """The organizer's conference records, to the last page; raises as `read` does.

        Args:
            space: Only those of this space, by when they started; None lists all, by when they ended.
            since: The earliest such time.
            until: The latest such time; None for no limit.
            organizer: Whose they are; this account lists them.
        """


@dataclass(frozen=True, slots=True)
class LookUp:
    """What came of looking accounts up: every one is in exactly one of the three.

    Attributes:
        found: Who they are, by `users/{id}`.
        unknown: The services answered that they know nobody, or nobody with an address.
        unavailable: The services could not be asked now.
        reasons: The slugs of the errors behind that, for the log.
    """

    found: Mapping[str, Identity]
    unknown: frozenset[str]
    unavailable: frozenset[str]
    reasons: frozenset[str] = field(default_factory=frozenset)


class Identities(Protocol):
    """Who Google accounts are."""

    async def look_up(
        self,
        users: Collection[str],
        *,
        acting_as: Organizer,
        known_to_directory: Collection[str] = (),
        expected: Collection[str] | None = None,
    ) -> LookUp:
        """Look accounts up (`users/{id}`), within seconds; a service's failure is returned, never raised.

        For accounts that the Directory knows, other services are used only if the Directory refuses access. Accounts
        without an address in `expected` (in its compared form) are asked for at the Directory too: it alone knows
        aliases. None asks it only for accounts that no other service knows.
        """

    async def account(self, email: str) -> Identity | None:
        """The account with this address, asked for as that person; None if nobody has it.

        Raises:
            Retryable: The services could not answer now.
            NeedsOperator: They will not answer until a person fixes the cause.
        """


class Spaces(Protocol):
    """Google Meet's rooms."""

    async def create(self, *, teacher: Organizer) -> Space:
        """A new room that belongs to the teacher; raises as `Conferences.read` does."""

    async def find(self, meeting_code: str, *, teacher: Organizer) -> Space | None:
        """The room with this meeting code or link, None if Meet has none or shows the teacher none; raises likewise."""


@dataclass(frozen=True, slots=True)
class Report:
    """Rows of a report, read to the last page.

    Attributes:
        began_at: When the reading began.
        endpoints: What the rows tell.
        left_out: How many rows lack what nobody may guess.
    """

    began_at: datetime
    endpoints: frozenset[Endpoint]
    left_out: int


class Reports(Protocol):
    """Google's reports of who was in which call. Rows may come a day late, and reach back 180 days."""

    async def read(self, *, meeting_code: str | None, since: datetime, until: datetime) -> Report:
        """The endpoints that left calls between two moments; all or nothing, and changes nothing.

        Args:
            meeting_code: Only those of this meeting, `abc-mnop-xyz`; None for all of the school.
            since: The earliest leave; it has to be past.
            until: The latest leave.

        Raises:
            Retryable: Reports could not be had now.
            NeedsOperator: They are not available until a person fixes the cause.
            Permanent: They can never be had.
        """


class Subscriptions(Protocol):
    """Workspace Events subscriptions: one for each organizer, for all their rooms."""

    async def ensure(self, *, organizer: Organizer) -> Subscription:
        """The organizer's subscription, made if it does not exist; may be repeated.

        One that is there already may publish elsewhere: its state says so.

        Raises:
            Retryable: The service could not answer now.
            NeedsOperator: It will not until a person fixes the cause.
        """

    async def get(self, name: str, *, organizer: Organizer) -> Subscription | None:
        """A subscription as it is now, None if it no longer exists; raises as `ensure` does."""

    async def renew(self, name: str, *, organizer: Organizer) -> Subscription | None:
        """Give a subscription the longest life that there is, None if it is gone; raises as `ensure` does."""

    async def replace(self, name: str, *, organizer: Organizer) -> Subscription:
        """Have a subscription that publishes elsewhere report to us; raises as `ensure` does.

        Google changes neither topic nor target and allows one for each target: it is ended, and another one made.
        """

    async def reactivate(self, name: str, *, organizer: Organizer) -> Subscription | None:
        """Have a suspended subscription tell events again, None if it is gone. Its end stays where it was.

        Raises:
            AccessDenied: What it was suspended for is still there.
            Retryable, NeedsOperator: As `ensure` does.
        """

    async def remove(self, name: str, *, organizer: Organizer) -> None:
        """End a subscription; that it is gone already is fine."""


class Calendar(Protocol):
    """Google Calendar: events in a teacher's own calendar, made and changed as that teacher.

    Every method raises Retryable if Calendar could not answer now, NeedsOperator if it will not until a person fixes
    the cause, and Permanent if it can never do what it was asked for.
    """

    async def add(self, event: NewEvent, *, organizer: Organizer) -> Event | None:
        """Add an event; None if its id is or was another one's, perhaps by an earlier attempt at the same."""

    async def find(self, event_id: str, *, organizer: Organizer) -> Event | None:
        """An event as it is now; None if it does not exist, or no longer exists."""

    async def occurrences(self, event_id: str, *, organizer: Organizer) -> Mapping[datetime, Event]:
        """All occurrences of an event that recurs, but those that were deleted, by when they would begin by its rule.

        None are there if the event is gone.
        """

    async def change(self, change: EventChange, *, organizer: Organizer) -> bool:
        """Have an event show something else; False, and nothing is done, if it is not any more what was seen."""

    async def remove(self, removal: EventRemoval, *, organizer: Organizer, anyway: bool = False) -> bool:
        """Delete an event; that it is gone already is fine.

        False, and nothing is done, if it is not any more what was seen, unless it is to go `anyway`.
        """


class IdTokens(Protocol):
    """Whose an ID token is that came with a request."""

    async def email(self, token: str) -> str:
        """The verified e-mail address of its account, lower case.

        Raises:
            TokenRefused: It is not valid here.
            CertificatesUnavailable: It cannot be checked at the moment.
            WrongSetting: It cannot be checked before a setting is made.
        """

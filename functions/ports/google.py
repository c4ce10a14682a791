"""What use cases need from Google: conferences, accounts, spaces, reports, subscriptions, Calendar, ID tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from functions.domain.conferences.model import (
    ConferenceRecord,
    Identity,
    Organizer,
    Participant,
    Reading,
    Space,
    Subscription,
)
from functions.domain.conferences.rereading import NOTHING_KNOWN, Known
from functions.domain.conferences.seen import NOTHING_SEEN, SeenSessions
from functions.domain.live.calls import RollCall

if TYPE_CHECKING:  # an instance for events starts sooner without them
    from functions.domain.classes.calendar import Event, EventChange, EventRemoval, NewEvent
    from functions.domain.conferences.reported import Endpoint


@dataclass(frozen=True, slots=True)
class Listing:
    """Conference records, read to the last page; `began_at` is when the reading began. Oldest first."""

    began_at: datetime
    records: tuple[ConferenceRecord, ...]


async def no_events() -> SeenSessions:
    """No event came, or none counts: every participant's sessions are asked for."""
    return NOTHING_SEEN


class Conferences(Protocol):
    """Google Meet's conference records."""

    async def read(
        self,
        conference_record: str,
        *,
        organizer: Organizer,
        known: Known = NOTHING_KNOWN,
        keep: Callable[[Participant], None] = lambda _: None,
        events: Callable[[], Awaitable[SeenSessions]] = no_events,
        on_record: Callable[[ConferenceRecord], None] = lambda _: None,
        on_page: Callable[[Sequence[Participant]], None] = lambda _: None,
    ) -> Reading:
        """Read one conference completely: every participant with every session.

        All or nothing: a reading that misses a page is never returned. May be repeated; changes nothing.

        Args:
            conference_record: `conferenceRecords/{id}`.
            organizer: The person whose account reads it.
            known: What earlier reads showed: sessions are read again only if they may have changed.
            keep: Called with each participant whose sessions were read, so that this data is not lost if the rest
                cannot be read.
            events: Returns what joined and left events said, at the same time as Meet is asked: if they show that a
                participant had one session, Meet is not asked for it.
            on_record: Called with the conference record as soon as Meet returns it, while participants are read.
            on_page: Called with each page of participants as soon as Meet returns it, before their sessions are read.

        Raises:
            Retryable: Meet could not answer now.
            NeedsOperator: Meet will not answer until a person fixes the cause.
            Permanent: Meet can never answer.
        """

    async def record(self, conference_record: str, *, organizer: Organizer) -> ConferenceRecord:
        """One conference record, without participants; raises the same errors as `read`."""

    async def present(self, conference_record: str, *, organizer: Organizer) -> RollCall:
        """The participants who have not left a conference yet, without their sessions, to the last page.

        Raises the same errors as `read`.
        """

    async def list(
        self, *, space: str | None, since: datetime, until: datetime | None, organizer: Organizer
    ) -> Listing:
        """The organizer's conference records, to the last page; raises the same errors as `read`.

        Args:
            space: Only those of this space, by when they started; None lists all, by when they ended.
            since: The earliest such time.
            until: The latest such time; None for no limit.
            organizer: Their organizer, whose account lists them.
        """


@dataclass(frozen=True, slots=True)
class LookUp:
    """The result of looking up accounts: each account is in exactly one of the first three fields.

    Attributes:
        found: The people of known accounts, by `users/{id}`.
        unknown: Accounts for which the services answered that they know nobody, or nobody with an address.
        unavailable: Accounts for which the services could not be asked now.
        reasons: The slugs of the errors that caused this, for the log.
    """

    found: Mapping[str, Identity]
    unknown: frozenset[str]
    unavailable: frozenset[str]
    reasons: frozenset[str] = field(default_factory=frozenset)


class Identities(Protocol):
    """Looks up which person a Google account belongs to."""

    async def look_up(
        self,
        users: Collection[str],
        *,
        acting_as: Organizer,
        known_to_directory: Collection[str] = (),
        expected: Collection[str] | None = None,
    ) -> LookUp:
        """Look accounts up (`users/{id}`), within seconds; a service's failure is returned, never raised.

        For accounts that the Directory knows, other services are used only if the Directory refuses access. The
        Directory is also asked for accounts without an address in `expected` (in its compared form), because only the
        Directory knows aliases. With None it is asked only for accounts that no other service knows.
        """

    async def account(self, email: str) -> Identity | None:
        """The account with this address, looked up as that person; None if nobody has it.

        Raises:
            Retryable: The services could not answer now.
            NeedsOperator: They will not answer until a person fixes the cause.
        """


class Spaces(Protocol):
    """Google Meet's rooms."""

    async def create(self, *, teacher: Organizer) -> Space:
        """Make a new room that belongs to the teacher; raises the same errors as `Conferences.read`."""

    async def find(self, meeting_code: str, *, teacher: Organizer) -> Space | None:
        """The room with this meeting code or link; None if it does not exist or Meet does not show it to the teacher.

        Raises the same errors.
        """


@dataclass(frozen=True, slots=True)
class Report:
    """Rows of a report, read to the last page.

    Attributes:
        began_at: When the reading began.
        endpoints: The content of the rows.
        left_out: How many rows lack a value that cannot be guessed.
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
            since: The earliest time of leaving; it must be in the past.
            until: The latest time of leaving.

        Raises:
            Retryable: Reports are not available now.
            NeedsOperator: They are not available until a person fixes the cause.
            Permanent: They will never be available.
        """


class Subscriptions(Protocol):
    """Workspace Events subscriptions: one for each organizer, for all their rooms."""

    async def ensure(self, *, organizer: Organizer) -> Subscription:
        """The organizer's subscription, made if it does not exist; may be repeated.

        An existing one may publish to another topic: its state says so.

        Raises:
            Retryable: The service could not answer now.
            NeedsOperator: A person must first fix the cause.
        """

    async def get(self, name: str, *, organizer: Organizer) -> Subscription | None:
        """A subscription as it is now; None if it no longer exists; raises the same errors as `ensure`."""

    async def renew(self, name: str, *, organizer: Organizer) -> Subscription | None:
        """Renew a subscription for the longest possible time; None if it no longer exists.

        Raises the same errors as `ensure`.
        """

    async def replace(self, name: str, *, organizer: Organizer) -> Subscription:
        """Make a subscription that publishes elsewhere report to us; raises the same errors as `ensure`.

        Google changes neither topic nor target and allows one for each target: it is ended, and another one made.
        """

    async def reactivate(self, name: str, *, organizer: Organizer) -> Subscription | None:
        """Reactivate a suspended subscription; None if it no longer exists. Its end does not change.

        Raises:
            AccessDenied: The cause of the suspension is still there. Retryable, NeedsOperator: As `ensure` does.
        """

    async def remove(self, name: str, *, organizer: Organizer) -> None:
        """End a subscription; it may already be deleted."""


class Calendar(Protocol):
    """Google Calendar: events in a teacher's own calendar, made and changed as that teacher.

    Every method raises Retryable if Calendar could not answer now, NeedsOperator if a person must first fix the cause,
    and Permanent if Calendar can never do what was requested.
    """

    async def add(self, event: NewEvent, *, organizer: Organizer) -> Event | None:
        """Add an event; None if its id is or was in use, perhaps by an earlier attempt at the same request."""

    async def find(self, event_id: str, *, organizer: Organizer) -> Event | None:
        """An event as it is now; None if it does not exist, or no longer exists."""

    async def occurrences(self, event_id: str, *, organizer: Organizer) -> Mapping[datetime, Event]:
        """All occurrences of a recurring event that were not deleted, by the start that follows from its rule.

        Empty if the event no longer exists.
        """

    async def change(self, change: EventChange, *, organizer: Organizer) -> bool:
        """Change an event; False without a change if the event has changed since it was read."""

    async def remove(self, removal: EventRemoval, *, organizer: Organizer, anyway: bool = False) -> bool:
        """Delete an event; it may already be deleted.

        False without a change if the event has changed since it was read, except with `anyway`.
        """


class IdTokens(Protocol):
    """Finds the account of an ID token that came with a request."""

    async def email(self, token: str) -> str:
        """The verified e-mail address of its account, lower case.

        Raises:
            TokenRefused: It is not valid here.
            CertificatesUnavailable: It cannot be checked at the moment.
            WrongSetting: It cannot be checked until an operator corrects a setting.
        """

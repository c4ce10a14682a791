"""Which account a call to Google uses, and for what.

Every call carries its credentials as metadata, so that one channel serves every organizer. One credentials object
is kept for each organizer and capability. Domain-wide delegation and teachers' own consent each make such objects.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, TypeVar

from functions.domain.conferences.model import Organizer

Metadata = Sequence[tuple[str, str]]
T = TypeVar("T")


class Capability(StrEnum):
    """The purposes of calls. If a scope is not granted, only its capability is missing."""

    MEETINGS = "read meetings"
    FIND_ROOM = "find a room"
    MAKE_ROOM = "make a room"
    PEOPLE = "know people"
    DIRECTORY = "know the school's accounts"
    OWN_ACCOUNT = "know the own account"
    CALENDAR = "put classes into Calendar"
    REPORTS = "read reports"

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that it needs: https://developers.google.com/identity/protocols/oauth2/scopes ."""
        return tuple(f"https://www.googleapis.com/auth/{name}" for name in _SCOPES[self])


_SCOPES = {
    Capability.MEETINGS: ("meetings.space.readonly",),
    Capability.FIND_ROOM: ("meetings.space.readonly",),
    Capability.MAKE_ROOM: ("meetings.space.created",),
    Capability.PEOPLE: ("directory.readonly",),
    Capability.DIRECTORY: ("admin.directory.user.readonly",),
    Capability.OWN_ACCOUNT: ("userinfo.email", "userinfo.profile"),
    Capability.CALENDAR: ("calendar.events",),
    Capability.REPORTS: ("admin.reports.audit.readonly",),
}


class Credentials(Protocol):
    """The right to make calls as one person."""

    async def metadata(self) -> Metadata:
        """The metadata with which a call is made as that person, valid now.

        Raises:
            CredentialsUnavailable, ConsentsUnavailable: The source of the metadata did not answer. NeedsOperator: The
                metadata is refused until a person fixes the cause.
        """

    def renew(self, metadata: Metadata) -> bool:
        """Whether another attempt makes sense after a service did not accept a call's metadata (401)."""


async def accepted(credentials: Credentials, call: Callable[[Metadata], Awaitable[T]], *, unless: type[Exception]) -> T:
    """Make a call as a person and return its result. If the token is not accepted, try once more with a new one.

    Args:
        credentials: Whose account the calls use.
        call: Makes the call with the given metadata.
        unless: The error that it raises when the metadata is not accepted.
    """
    metadata = await credentials.metadata()
    try:
        return await call(metadata)
    except unless:
        if not credentials.renew(metadata):
            raise
    return await call(await credentials.metadata())


class CredentialsPool:
    """One credentials object for each organizer and capability, made once and kept as long as the instance lives.

    Args:
        make: Builds the credentials of one organizer for one capability; makes no network calls.
    """

    def __init__(self, make: Callable[[Organizer, Capability], Credentials]) -> None:
        self.of = lru_cache(maxsize=4096)(make)


class AnonymousCredentials:
    """No credentials: for stand-ins on loopback, which only get the name of the account that the call would use."""

    def __init__(self, organizer: Organizer, _: Capability) -> None:
        self._metadata = (("x-acting-as", organizer.email or organizer.user or ""),)

    async def metadata(self) -> Metadata:
        """See `Credentials`."""
        return self._metadata

    def renew(self, _: Metadata) -> bool:
        """See `Credentials`. Nothing can be renewed here."""
        return False

"""As whom a call to Google is made.

Every call carries its credentials as metadata, so that one channel serves every organizer. One credentials object
is kept for each organizer. Domain-wide delegation and teachers' own consent are further makers of such objects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

from functions.domain.model import Organizer

Metadata = Sequence[tuple[str, str]]


class Credentials(Protocol):
    """The right to make calls as one person."""

    async def metadata(self) -> Metadata:
        """What a call carries to be made as that person, valid now."""


class CredentialsPool:
    """One credentials object for each organizer, made once and kept while the instance is warm.

    Args:
        make: Builds the credentials of one organizer; does no network.
    """

    def __init__(self, make: Callable[[Organizer], Credentials]) -> None:
        self.of = lru_cache(maxsize=4096)(make)


class AnonymousCredentials:
    """No credentials: for stand-ins on loopback, which are told as whom the call would be made."""

    def __init__(self, organizer: Organizer) -> None:
        self._metadata = (("x-acting-as", organizer.email or organizer.user or ""),)

    async def metadata(self) -> Metadata:
        """See `Credentials`."""
        return self._metadata

"""Process parked messages again, once the cause of their failure is fixed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from functions.domain.conferences.model import SyncError
from functions.domain.errors import AttendanceError, NotFound, NotSettled, Permanent, Retryable
from functions.ports.messages import Parked
from functions.services.deps import Deps

Process = Callable[[Parked], Awaitable[SyncError | None]]
"""Does with a parked message what its delivery would do: returning acknowledges it, an error decides what happens to
it.

The returned value is why Meet refused, if it did.
"""


class Fate(StrEnum):
    """What happened to a parked message."""

    DONE = "done"
    UNSETTLED = "unsettled"
    REFUSED = "refused"
    PARKED = "parked"
    LATER = "later"

    @property
    def waits(self) -> bool:
        """Whether the message waits to be replayed once more."""
        return self in {Fate.PARKED, Fate.LATER}

    @property
    def needs_a_person(self) -> bool:
        """Whether a person must act."""
        return self not in {Fate.DONE, Fate.UNSETTLED}


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of replaying a message; `trouble` says why it failed."""

    parked: Parked
    fate: Fate
    trouble: AttendanceError | SyncError | None = None


async def waiting(*, key: str | None, reason: str | None, deps: Deps) -> AsyncIterator[Parked]:
    """The selected parked messages, the longest parked first.

    Args:
        key: The one with this id; None for all.
        reason: Only those parked for this reason; None for any.
        deps: The outside world.

    Raises:
        NotFound: No message with this id waits to be replayed.
    """
    if key is None:
        async for parked in deps.store.parked(reason=reason):
            yield parked
        return
    found = await deps.store.parked_event(key)
    if found is None or reason not in {None, found.event.reason}:
        raise NotFound(
            "No parked message has this id.", hint="A dry run without an id lists all parked messages with their ids."
        )
    yield found


async def replay(parked: Parked, process: Process, *, deps: Deps) -> Replayed:
    """Process a parked message as if it were delivered now, and close it if that acknowledges it.

    What is stored but not settled counts too: the scheduled jobs read it again. May be repeated.

    Raises:
        Retryable: The store does not accept the result; the message still waits.
    """
    try:
        refusal = await process(parked)
    except NotSettled as error:
        outcome = Replayed(parked, Fate.UNSETTLED, error)
    except Retryable as error:
        outcome = Replayed(parked, Fate.LATER, error)
    except Permanent as error:
        outcome = Replayed(parked, Fate.PARKED, error)
    else:
        outcome = Replayed(parked, Fate.REFUSED if refusal else Fate.DONE, refusal)
    if not outcome.fate.waits:
        await deps.store.note_replayed(parked)
    return outcome

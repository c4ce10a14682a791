"""What is done with an event that says that somebody joined or left: it is stored until the conference is read."""

from __future__ import annotations

import re
from typing import Final

from functions.domain.conferences.events import STORABLE_ID, ParticipantJoined, ParticipantLeft
from functions.domain.conferences.seen import joined, left, record_of
from functions.services.deps import Deps
from functions.services.sync.seen.contradicted import look_again

_STORABLE: Final = re.compile(rf"conferenceRecords/{STORABLE_ID}")
_RESERVED: Final = re.compile(r".*/participants/__.*__")
"""Such a name cannot be the key of a stored map, and Meet gives no such names."""


async def note_seen(event: ParticipantJoined | ParticipantLeft, *, deps: Deps) -> None:
    """Store what an event said. After this returns, its message may be acknowledged.

    If it contradicts a conference that was read before, the conference is read again.

    An event whose resource cannot be stored changes nothing, and the sessions of its participant are asked for.

    Raises:
        Retryable: It is not certain that it is stored.
    """
    session = event.participant_session
    record = record_of(session)
    if deps.seen is None or not _STORABLE.fullmatch(record) or _RESERVED.fullmatch(session):
        return
    said = joined if isinstance(event, ParticipantJoined) else left
    is_first = await deps.seen.add(record, said(session, event.origin.occurred_at))
    if is_first:  # of those that were stored together
        await look_again(record, deps=deps)

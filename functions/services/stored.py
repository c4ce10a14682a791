"""Look-ups in the store that several use cases share."""

from __future__ import annotations

from functions.domain.classes.sessions import ClassSession
from functions.domain.conferences.model import Organizer
from functions.domain.errors import SessionNotFound
from functions.ports.store import AttendanceStore, Reader


async def required_session(reader: Reader, session_id: str) -> ClassSession:
    """A class meeting; SessionNotFound if it is not stored."""
    session = await reader.session(session_id)
    if session is None:
        raise SessionNotFound("No class meeting has this session_id.")
    return session


async def account_with(email: str, store: AttendanceStore) -> Organizer:
    """The teacher with this address, with the account if the teacher is tracked."""
    tracked = await store.organizer_with(email)
    return Organizer(tracked.user if tracked else None, email)

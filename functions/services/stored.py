"""Look-ups in the store that several use cases share."""

from __future__ import annotations

from functions.domain.classes.sessions import ClassSession
from functions.domain.classes.timetable import Room
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


async def owner_of(room: Room, session: ClassSession, store: AttendanceStore) -> Organizer:
    """The account with which Meet is asked about a class's room: Meet lists records only to the owner of their space.

    If the owner is not known, it is the class's teacher; unknown if the class has none.
    """
    organizer = room.owner
    if organizer.user is None and (email := organizer.email or next(iter(session.plan.teachers), None)):
        organizer = await account_with(email, store)
    return organizer

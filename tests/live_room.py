"""A class, a call in its room, and what is shown of the room while the class goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.errors import AttendanceError, StoreConflict
from functions.entrypoints.messages.envelope import Message
from functions.entrypoints.messages.events import process
from infra.local.school import Account, Attendee, Visit
from tests.classroom import PUPILS, TEACHER

ADA, BOB = PUPILS[:2]
TYPES = "google.workspace.meet."


def at(minute, second=0):
    """A time of a class that begins at nine."""
    return datetime(2026, 11, 23, 9, tzinfo=UTC) + timedelta(minutes=minute, seconds=second)


def there(account, *times):
    """A pupil with a participant session for each pair of minutes."""
    visits = tuple(Visit(at(start), None if end is None else at(end)) for start, end in times)
    return Attendee(account.user.rpartition("/")[2], "signed_in", account.display_name, account.user, visits)


THE_TEACHER = Account(TEACHER, "teacher@school.example", display_name="The Teacher")


def message(call, account, number, moment, *, left=False, **attributes):
    name = f"{call.name}/participants/{account.user.rpartition('/')[2]}/participantSessions/{number}"
    return Message(
        {
            "ce-type": f"{TYPES}participant.v2.{'left' if left else 'joined'}",
            "ce-subject": f"//cloudidentity.googleapis.com/{TEACHER}",
            "ce-time": moment.isoformat(),
            **attributes,
        },
        {"participantSession": {"name": name}},
    )


def ended(call):
    return Message(
        {
            "ce-type": f"{TYPES}conference.v2.ended",
            "ce-subject": f"//cloudidentity.googleapis.com/{TEACHER}",
            "ce-time": call.end.isoformat(),
        },
        {"conferenceRecord": {"name": call.name}},
    )


class Room:
    """The class's room: events about it, and what is shown of it."""

    def __init__(self, app, api, session_id):
        self.app = app
        self.session_id = session_id
        self._api = api

    def of(self, session_id):
        """What is shown of another class meeting."""
        return Room(self.app, self._api, session_id)

    async def hears(self, *messages):
        for message in messages:
            await process(message, self.app)

    async def live(self):
        answer = await self._api.get(f"/api/sessions/{self.session_id}/live")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def names(self):
        """Who is there by display name, and who is missing by address."""
        shown = await self.live()
        return [one["display_name"] for one in shown["participants"]], [one["email"] for one in shown["missing"]]

    async def is_empty(self, call):
        return await self.app.deps.store.live_with(call.name) == []


class Stubborn(SqliteDatabase):
    """Does not change what is stored about rooms."""

    error: AttendanceError = StoreConflict("Other requests kept changing the same documents.")

    async def commit(self, writes, **about):
        if any(write.path.startswith("live/") for write in writes):
            raise self.error
        return await super().commit(writes, **about)

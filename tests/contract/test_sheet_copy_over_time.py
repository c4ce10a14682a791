"""Copies of attendance only save reads: the documents are the same as from a store that reads every document.

This is true for everything that can happen to class meetings and to the copies of their attendance.
"""

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.databases.database import Write
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.adapters.store.views import DocumentViews
from functions.domain.classes.roster import Mark
from functions.domain.classes.sessions import AuditEntry
from functions.domain.conferences.model import SyncState
from tests.builders import (
    ADA,
    BOB,
    CAT,
    CO_TEACHING,
    EMAILS,
    EVERYBODY,
    TEACHING,
    at,
    call,
    expected,
    guest,
    lesson,
    override,
    sheet_of,
)

SESSIONS = ("maths", "arts")
COLLECTIONS = (
    "sessions",
    "conferences",
    "registers",
    "audit",
    *(f"sessions/{name}/{below}" for name in SESSIONS for below in ("attendance", "corrections")),
)
TIMES_AND_COPY = {"created_at", "updated_at", "at", "sheet_parts"}
OVERRIDES = (override(Mark.EXCUSED, email=EMAILS[ADA.user]), override(Mark.PRESENT, email=EMAILS[BOB.user]))


@dataclass(frozen=True)
class Change:
    """One commit to a class meeting, and what happened to its copy before."""

    name: str
    session: Any
    calls: tuple
    decided: tuple
    known: frozenset
    other_goes: bool
    is_dropped: bool
    retention: timedelta | None
    before: str

    async def made(self, store, number):
        async def decide(work):
            if self.is_dropped:
                work.drop_session(self.name)
            else:
                await self._held(work)
            if self.other_goes:
                work.drop_session(next(name for name in SESSIONS if name != self.name))
            work.note(AuditEntry(f"{number}", None, "lms@school.example", "changed", {}))

        _, changes = await store.transact(decide)
        return changes

    async def _held(self, work):
        for one in await work.corrections(self.name):
            work.drop_correction(self.name, one)
        for one in self.decided:
            work.put_correction(self.name, one)
        for one in self.calls:
            work.put_conference(one)
        people = {user: person for user, person in EVERYBODY.items() if user in self.known}
        work.put_sheet(sheet_of(self.session, *self.calls, corrections=self.decided, people=people))


@st.composite
def calls(draw):
    """Draw calls that are mostly alike, so that only a few people of a class meeting change."""
    people: list[Any] = [TEACHING, CO_TEACHING, ADA, BOB, CAT, guest("Gil")]
    came = [(person, draw(st.sampled_from([(0, 60), (0, 60), (0, 20), None]))) for person in people]
    state = draw(st.sampled_from([SyncState.COMPLETE, SyncState.COMPLETE, SyncState.PROVISIONAL]))
    name = draw(st.sampled_from(["abc", "abc", "def"]))
    return call(*((person, visit) for person, visit in came if visit), name=name, state=state)


@st.composite
def changes(draw):
    name = draw(st.sampled_from(SESSIONS))
    listed = expected(ADA, BOB, CAT)[: draw(st.sampled_from([3, 3, 2, 0]))]
    roster = [dataclasses.replace(entry, class_id=draw(st.sampled_from([None, None, "7c"]))) for entry in listed]
    session = lesson(session_id=name, roster=roster, cancelled=draw(st.integers(0, 5)) == 0)
    about = {
        "class_id": draw(st.sampled_from(["7b", "7b", None])),
        "subject": draw(st.sampled_from(["Maths", "Maths", "Arts"])),
    }
    return Change(
        name=name,
        session=dataclasses.replace(session, plan=dataclasses.replace(session.plan, **about)),
        calls=tuple({one.conference_record: one for one in draw(st.lists(calls(), max_size=2))}.values()),
        decided=draw(st.sampled_from([(), (), *((one,) for one in OVERRIDES), OVERRIDES])),
        known=frozenset(EVERYBODY) - {draw(st.sampled_from(["nobody", "nobody", ADA.user, TEACHING.user]))},
        other_goes=draw(st.integers(0, 5)) == 0,
        is_dropped=draw(st.integers(0, 7)) == 0,
        retention=draw(st.sampled_from([None, None, None, timedelta(days=30)])),
        before=draw(st.sampled_from(["nothing", "nothing", "the copy expired", "an older version wrote"])),
    )


async def without_copies(database, *, expired=False, forgotten=False):
    """Remove the parts of the copies, or remove the note about them from the class meetings."""
    writes = []
    for session in await database.children("sessions"):
        if forgotten:
            fields = {name: value for name, value in session.fields.items() if name != "sheet_parts"}
            writes.append(Write(session.path, fields))
        if expired:
            writes += [Write(part.path, None) for part in await database.children(f"{session.path}/sheet")]
    await database.commit(writes)


async def documents(database):
    found = [document for collection in COLLECTIONS for document in await database.children(collection)]
    return {
        document.path: {name: value for name, value in document.fields.items() if name not in TIMES_AND_COPY}
        for document in found
    }


@settings(max_examples=20)
@given(st.lists(changes(), min_size=2, max_size=8))
async def test_the_documents_are_those_of_a_store_that_reads_every_document(history):
    with TemporaryDirectory() as folder:
        copying, reading = (SqliteDatabase(Path(folder) / name) for name in ("copying.db", "reading.db"))
        for number, change in enumerate(history):
            event(change.before)
            await without_copies(
                copying,
                expired=change.before == "the copy expired",
                forgotten=change.before == "an older version wrote",
            )
            await without_copies(reading, expired=True, forgotten=True)
            by_copy, by_document = [
                await change.made(
                    DocumentAttendanceStore(one, clock=lambda: at(100), retention=change.retention), number
                )
                for one in (copying, reading)
            ]

            assert by_copy == by_document
            assert await documents(copying) == await documents(reading)
            for session in await copying.children("sessions"):
                _, shown = await DocumentViews(copying).attendance(session.fields["session_id"])
                people = await copying.children(f"{session.path}/attendance")
                assert shown == tuple(person.fields for person in people)

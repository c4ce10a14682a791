"""A store publishes each commit that changes a mark, a time or the state of a class meeting, and loses none."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from functions.adapters.store.attendance_store import UNPUBLISHED_AT_ONCE, DocumentAttendanceStore
from functions.adapters.store.databases.database import Write
from functions.domain.classes.roster import Mark
from functions.domain.classes.sessions import AttendanceSheet, SessionState
from functions.domain.errors import ChangesUnavailable
from functions.domain.marking.people import attendee_id
from tests.builders import ADA, BOB, EMAILS, TEACHING, at, call, during, expected, lesson, override, sheet_of


class Listener:
    """Receives changes, or fails to receive them."""

    def __init__(self, database):
        self.heard = []
        self.stored_meanwhile = []
        self.error = None
        self._database = database

    async def publish(self, changes):
        self.stored_meanwhile.append([await self._database.get(f"sessions/{change.session_id}") for change in changes])
        if self.error:
            raise self.error
        self.heard += changes

    def took(self):
        heard, self.heard = self.heard, []
        return [(change.session_id, change.class_id, change.state, change.sync_state) for change in heard]


@pytest.fixture
def listener(database):
    return Listener(database)


@pytest.fixture
def store(database, listener):
    return DocumentAttendanceStore(database, clock=lambda: at(100), retention=None, listening=listener)


def maths(*users, **plan):
    session = lesson(roster=expected(*users))
    return dataclasses.replace(session, plan=dataclasses.replace(session.plan, class_id="7b", **plan))


async def hold(store, session, *there, corrections=()):
    visits = [(user, (0, 60)) for user in (TEACHING, *there)]

    async def decide(work):
        for correction in corrections:
            work.put_correction(session.session_id, correction)
        work.put_sheet(sheet_of(session, call(*visits), corrections=corrections))

    return await store.transact(decide)


async def plan(store, **changes):
    """Stores a class meeting that nobody has attendance in."""
    session = dataclasses.replace(maths(ADA), **changes)

    async def decide(work):
        work.put_sheet(AttendanceSheet(session))

    await store.transact(decide)


def moved(minutes):
    return dataclasses.replace(maths(ADA).plan, scheduled=during(minutes, minutes + 60))


async def drop(store, session_id):
    async def decide(work):
        work.drop_session(session_id)

    await store.transact(decide)


async def waiting(database):
    return [document.fields for document in await database.children("unpublished_changes")]


async def test_a_commit_that_changes_marks_is_told_once_after_it(store, database, listener):
    await hold(store, maths(ADA, BOB), ADA)
    [change] = listener.heard
    [[stored]] = listener.stored_meanwhile

    assert (change.session_id, change.class_id, change.state, change.sync_state) == ("maths", "7b", "ended", "complete")
    assert change.updated_at == stored.fields["updated_at"]
    assert await waiting(database) == []
    assert await database.get("sessions/maths") == stored


async def test_the_same_again_tells_nothing_and_writes_nothing(store, listener, firestore_gate):
    await hold(store, maths(ADA), ADA)
    listener.took()
    firestore_gate.commits.clear()
    await hold(store, maths(ADA), ADA)

    assert listener.took() == []
    assert firestore_gate.commits == []


async def test_a_sync_without_news_tells_nothing_and_writes_no_more_than_without_a_listener(
    store, database, listener, firestore_gate
):
    await hold(store, maths(ADA), ADA)
    listener.took()
    firestore_gate.commits.clear()
    session = maths(ADA)
    later = dataclasses.replace(session.progress, listed_at=at(99))
    await hold(store, dataclasses.replace(session, progress=later), ADA)

    assert listener.took() == await waiting(database) == []
    assert [commit.writes for commit in firestore_gate.commits] == [1]


async def test_a_longer_stay_is_published_and_another_subject_is_not(store, listener):
    await hold(store, maths(ADA), ADA)
    listener.took()
    await hold(store, maths(ADA, subject="Physics"), ADA)
    nothing = listener.took()
    await hold(store, maths(ADA, subject="Physics"))

    assert nothing == []
    assert listener.took() == [("maths", "7b", "ended", "complete")]


async def test_corrections_and_another_roster_are_told(store, listener):
    await hold(store, maths(ADA), ADA)
    listener.took()
    await hold(store, maths(ADA), ADA, corrections=[override(Mark.EXCUSED, email=EMAILS[ADA.user])])
    corrected = listener.took()
    await hold(store, maths(ADA, BOB), ADA, corrections=[override(Mark.EXCUSED, email=EMAILS[ADA.user])])

    assert corrected == listener.took() == [("maths", "7b", "ended", "complete")]


async def test_a_deleted_class_meeting_is_published_with_its_last_known_data(store, database, listener):
    await hold(store, maths(ADA), ADA)
    listener.took()
    await drop(store, "maths")
    gone = listener.took()
    await drop(store, "maths")

    assert gone == [("maths", "7b", "ended", "complete")]
    assert listener.took() == await waiting(database) == []


async def test_a_class_is_published_from_its_first_change_on_even_if_nobody_has_attendance_yet(
    store, database, listener
):
    await plan(store)
    scheduled = listener.took()
    await plan(store, plan=moved(30))
    another_time = listener.took()
    await plan(store, plan=dataclasses.replace(moved(30), subject="Physics"))
    another_subject = listener.took()
    await plan(store, state=SessionState.CANCELLED, plan=dataclasses.replace(moved(30), cancelled=True))
    cancelled = listener.took()
    await drop(store, "maths")

    assert scheduled == another_subject == []
    assert another_time == [("maths", "7b", "scheduled", None)]
    assert cancelled == listener.took() == [("maths", "7b", "cancelled", None)]
    assert await waiting(database) == []


async def test_a_class_without_students_that_was_not_held_is_published_once_that_is_certain(store, listener):
    await plan(store, plan=maths().plan)
    over = sheet_of(maths()).session
    await plan(store, plan=over.plan, state=over.state, sync=over.sync)
    told = listener.took()
    await plan(store, plan=over.plan, state=over.state, sync=over.sync)

    assert told == [("maths", "7b", "not_held", "complete")]
    assert listener.took() == []


async def test_a_failed_publication_has_no_effect_on_the_commit_and_is_repeated_later(store, database, listener):
    listener.error = ChangesUnavailable("The topic is gone.")
    _, changes = await hold(store, maths(ADA), ADA)
    await hold(store, maths(ADA, BOB), ADA)
    before = await database.get("sessions/maths")
    with pytest.raises(ChangesUnavailable):
        await store.publish_changes()
    kept = await waiting(database)

    listener.error = None
    published = await store.publish_changes()

    assert changes["maths"].created
    assert len(kept) == published == 2
    assert listener.took() == [("maths", "7b", "ended", "complete")] * 2
    assert await waiting(database) == []
    assert await database.get("sessions/maths") == before
    assert await store.publish_changes() == 0


async def test_changes_that_an_ended_process_did_not_publish_are_published_later(store, database, listener):
    listener.error = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await hold(store, maths(ADA), ADA)

    listener.error = None
    assert await store.publish_changes() == 1
    assert [change.updated_at for change in listener.heard] == [
        (await database.get("sessions/maths")).fields["updated_at"]
    ]


async def test_a_commit_that_does_not_happen_is_not_told(store, database, listener):
    async def decide(work):
        work.put_sheet(sheet_of(maths(ADA), call((TEACHING, (0, 60)))))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.transact(decide)

    assert (listener.heard, await waiting(database)) == ([], [])


async def test_all_waiting_changes_are_published_even_if_there_are_many(store, database, listener):
    change = {"session_id": "s", "class_id": None, "state": "ended", "sync_state": None}
    many = UNPUBLISHED_AT_ONCE + 1
    await database.commit(
        [
            Write(f"unpublished_changes/{number}", {"schema_version": 1, "changes": [change], "updated_at": at(1)})
            for number in range(many)
        ]
    )

    assert await store.publish_changes() == many
    assert len(listener.heard) == many
    assert await waiting(database) == []


async def test_where_nobody_listens_nothing_is_written_for_it(database):
    silent = DocumentAttendanceStore(database, clock=lambda: at(100), retention=None)
    await hold(silent, maths(ADA), ADA)

    assert await waiting(database) == []
    assert await silent.publish_changes() == 0


async def test_published_changes_contain_no_names(store, database, listener):
    listener.error = ChangesUnavailable("The topic is gone.")
    await hold(store, maths(ADA, BOB), ADA)
    [told] = await waiting(database)

    assert told.keys() == {"schema_version", "changes", "updated_at"}
    assert [change.keys() for change in told["changes"]] == [{"session_id", "class_id", "state", "sync_state"}]
    assert attendee_id("maths", EMAILS[ADA.user]) not in str(told)

"""What every attendance store stores about a class meeting that was too large, and about meetings to mark again."""

import dataclasses

import pytest

from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.views import DocumentViews
from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.sessions import Remark, SessionState
from functions.domain.conferences.model import SyncError, SyncSource, SyncState
from functions.domain.conferences.syncing import wait_after_refusal, waits_after_refusal
from functions.domain.marking.certainty import after_refusal
from tests.builders import TEACHING, at, call, lesson, sheet_of

REFUSED = SyncError("documents-refused", "Too large.", "Split it.", at(100))
REMARK = Remark("decision", (RosterEntry("ada@school.example", None, user="users/1"),), session_id="maths")


@pytest.fixture
def store(database):
    return DocumentAttendanceStore(database, clock=lambda: at(100), retention=None)


async def do(store, change):
    async def decide(work):
        change(work)

    return await store.transact(decide)


def refused(session):
    return after_refusal(session, REFUSED, wait=wait_after_refusal(1), source=SyncSource.EVENT, now=at(101))


async def test_a_class_meeting_put_alone_keeps_its_attendance_and_counts(store, database):
    sheet = sheet_of(lesson(roster=[RosterEntry("ada@school.example")]), call((TEACHING, (0, 60))))
    await do(store, lambda work: work.put_sheet(sheet))
    session, people = await DocumentViews(database).attendance("maths")
    await do(store, lambda work: work.put_session(refused(sheet.session)))
    after, the_same = await DocumentViews(database).attendance("maths")

    assert the_same == people
    assert (after["counts"], after["sheet_parts"], after["created_at"]) == (
        session["counts"],
        session["sheet_parts"],
        session["created_at"],
    )
    assert after["updated_at"] > session["updated_at"]
    assert (after["sync"]["state"], after["sync"]["error"]["hint"]) == ("failed", "Split it.")
    assert await store.due_sessions(at(159)) == []
    assert await store.due_sessions(at(160)) == ["maths"]


async def test_a_repeated_refusal_does_not_move_updated_at_but_another_refusal_does(store, database):
    async def updated_at(error, minute):
        session = after_refusal(lesson(), error, wait=wait_after_refusal(1), source=SyncSource.EVENT, now=at(minute))
        await do(store, lambda work: work.put_session(session))
        return (await database.get("sessions/maths")).fields["updated_at"]

    first = await updated_at(REFUSED, 101)
    again = await updated_at(dataclasses.replace(REFUSED, at=at(200)), 201)
    other = await updated_at(dataclasses.replace(REFUSED, reason="other"), 301)

    assert first == again < other


async def test_a_class_meeting_can_be_put_alone_before_it_has_attendance(store, database):
    await do(store, lambda work: work.put_session(refused(lesson())))
    session, people = await DocumentViews(database).attendance("maths")

    assert (session["state"], session["counts"]["absent"], people) == ("ended", 0, ())


async def test_what_is_to_be_marked_again_stays_until_it_is_forgotten(store):
    other = dataclasses.replace(REMARK, remark_id="other", session_id=None, since=at(-100))
    for remark in (REMARK, other):
        await do(store, lambda work, remark=remark: work.put_remark(remark))
    assert await store.remarks() == [REMARK, other]

    for _ in range(2):
        await store.forget_remark("decision")
    assert await store.remarks() == [other]


def test_the_distances_grow_from_an_hour_to_a_day():
    hours = [wait_after_refusal(attempts).total_seconds() / 3600 for attempts in range(8)]

    assert hours == [1, 1, 2, 4, 8, 16, 24, 24]


@pytest.mark.parametrize(("minutes", "waits"), [(100, True), (159, True), (160, False)])
def test_a_conference_waits_for_an_hour_after_its_first_refusal(minutes, waits):
    failed = call((TEACHING, (0, 60)))
    failed = dataclasses.replace(
        failed, sync=dataclasses.replace(failed.sync, state=SyncState.FAILED, attempts=1, error=REFUSED)
    )

    assert waits_after_refusal(failed, now=at(minutes)) is waits


def test_a_conference_that_meet_refused_or_that_is_unknown_does_not_wait():
    failed = call((TEACHING, (0, 60)))
    error = dataclasses.replace(REFUSED, reason="meet-api-disabled")
    failed = dataclasses.replace(failed, sync=dataclasses.replace(failed.sync, state=SyncState.FAILED, error=error))

    assert not waits_after_refusal(failed, now=at(100))
    assert not waits_after_refusal(None, now=at(100))


def test_a_class_that_meet_has_forgotten_is_not_tried_again():
    late = dataclasses.replace(REFUSED, at=at(31 * 1440))
    session = after_refusal(lesson(), late, wait=wait_after_refusal(1), source=SyncSource.EVENT, now=at(31 * 1440))

    assert (session.progress.due_at, session.state) == (None, SessionState.ENDED)

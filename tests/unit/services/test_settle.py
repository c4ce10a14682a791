"""What one commit stores from Meet's data: conferences, rooms, and the class meetings to mark."""

import dataclasses

import pytest

from functions.domain.classes.sessions import SessionState
from functions.domain.conferences.model import Organizer, Reading, SyncError, SyncSource, SyncState
from functions.domain.errors import Unavailable
from functions.ports.google import Listing
from functions.services.sync.findings import settle, settle_and_mark
from functions.services.sync.meet.gathered import Gathered, Look, Request
from tests.builders import (
    ADA,
    BOB,
    EMAILS,
    EVERYBODY,
    RECORD,
    TEACHER,
    TEACHING,
    at,
    call,
    during,
    participant,
    snapshot,
)
from tests.in_memory import WorkInMemory

OWNER = Organizer(TEACHER, EMAILS[TEACHER])
ROOM = "spaces/room"
WHOLE_REACH = during(-26 * 60, 180)
SECOND_CALL = "conferenceRecords/second"


def said(*people, start=0, end=60, name=RECORD, pulled=61):
    visits = [participant(person, (start, end), record=name) for person in people or (TEACHING, ADA)]
    return Reading(snapshot(*visits, start=start, end=end, name=name), pulled_at=at(pulled), meet_calls=5)


def by_event(*readings, organizer=OWNER, sessions=None):
    """Return the gathered data for an event about the first conference."""
    record = readings[0].snapshot.record.name
    return Gathered(
        SyncSource.EVENT,
        organizer,
        at(61),
        Request(record, organizer, at(60), SyncSource.EVENT),
        sessions=sessions or {},
        outcomes={reading.snapshot.record.name: reading for reading in readings},
    )


def listed(*records, at_minute=75):
    return Look(WHOLE_REACH, OWNER, Listing(at(at_minute), tuple(records)))


def of_the_class(school, *readings, look):
    """Return the gathered data for the class meeting itself."""
    return Gathered(
        SyncSource.RECONCILE,
        OWNER,
        at(75),
        sessions=dict(school.store.documents.sessions),
        outcomes={reading.snapshot.record.name: reading for reading in readings},
        looks={ROOM: look},
    )


@pytest.fixture
def work(school):
    school.store.documents.people = dict(EVERYBODY)
    return WorkInMemory(school.store.documents)


async def test_a_call_during_the_class_belongs_to_it(school, work):
    touched = await settle(work, by_event(said()), school.deps)

    assert touched == {"maths"}
    assert work.documents.conferences[RECORD].session_ids == ("maths",)
    assert [span.conference_record for span in work.documents.rooms[ROOM].spans] == [RECORD]


async def test_a_call_at_another_time_is_a_class_meeting_by_itself(school, work):
    touched = await settle(work, by_event(said(start=300, end=330)), school.deps)

    assert touched == {"abc"}


async def test_a_listed_call_that_was_not_read_is_known_to_its_room(school, work):
    record = said(name=SECOND_CALL).snapshot.record

    await settle(work, of_the_class(school, look=listed(record)), school.deps)

    (span,) = work.documents.rooms[ROOM].spans
    assert (span.conference_record, span.time, span.read) == (SECOND_CALL, during(0, 60), False)


async def test_a_list_that_is_older_than_what_was_read_changes_nothing_of_it(school, work):
    await settle(work, by_event(said(end=60)), school.deps)
    before = work.documents.rooms[ROOM]
    goes_on = dataclasses.replace(said().snapshot.record, end_time=None)

    await settle(work, of_the_class(school, look=listed(goes_on)), school.deps)

    assert work.documents.rooms[ROOM].spans == before.spans


async def test_a_refusal_leaves_what_was_read_before(school, work):
    stored = call((TEACHING, (0, 60)), (ADA, (0, None)), state=SyncState.PROVISIONAL)
    work.put_conference(stored)
    gathered = by_event(said())
    gathered.outcomes[RECORD] = SyncError("access-denied", "Meet refuses access.", "Ask the teacher.", at(75))

    await settle(work, gathered, school.deps)

    conference = work.documents.conferences[RECORD]
    assert conference.snapshot == stored.snapshot
    assert (conference.sync.state, conference.sync.error.reason) == (SyncState.FAILED, "access-denied")


async def test_an_event_teaches_a_room_with_classes_who_owns_it(school, work):
    work.put_room(dataclasses.replace(work.documents.rooms[ROOM], owner=Organizer()))

    await settle(work, by_event(said()), school.deps)

    assert work.documents.rooms[ROOM].owner == OWNER


async def test_a_class_without_any_call_in_a_complete_list_was_not_held(school, work):
    await settle_and_mark(work, of_the_class(school, look=listed()), everybody_known=True, deps=school.deps)

    assert work.documents.sessions["maths"].state is SessionState.NOT_HELD
    assert {person.mark for person in work.documents.attendance["maths"]} == {None}


async def test_a_class_whose_list_failed_is_never_called_not_held(school, work):
    refusal = SyncError("access-denied", "Meet refuses access.", "Ask the teacher.", at(75))

    await settle_and_mark(
        work,
        of_the_class(school, look=Look(WHOLE_REACH, OWNER, refusal)),
        everybody_known=True,
        deps=school.deps,
    )

    session = work.documents.sessions["maths"]
    assert session.state is SessionState.ENDED
    assert {person.mark for person in work.documents.attendance["maths"]} == {"unknown"}
    assert session.progress.error == refusal
    assert session.progress.due_at > at(75)


async def test_a_class_is_due_again_while_somebody_could_not_be_looked_up(school, work):
    record = said(ADA, BOB).snapshot.record

    await settle_and_mark(
        work, of_the_class(school, said(ADA, BOB), look=listed(record)), everybody_known=False, deps=school.deps
    )

    assert work.documents.sessions["maths"].progress.due_at is not None


async def test_what_may_pass_by_itself_is_stored_with_the_class_until_it_does(school, work):
    gathered = of_the_class(school, look=listed())
    gathered.later = Unavailable("Meet did not answer.")

    await settle_and_mark(work, gathered, everybody_known=True, deps=school.deps)

    assert work.documents.sessions["maths"].progress.error.message == "Meet did not answer."


async def test_nothing_counts_as_tried_for_a_class_that_was_moved_while_meet_was_asked(school, work):
    gathered = of_the_class(school, look=listed())
    moved = work.documents.sessions["maths"]
    work.put_session(
        dataclasses.replace(
            moved, plan=dataclasses.replace(moved.plan, scheduled=during(600, 660)), progress=moved.progress
        )
    )

    await settle_and_mark(work, gathered, everybody_known=True, deps=school.deps)

    assert work.documents.sessions["maths"].progress.tried_at is None

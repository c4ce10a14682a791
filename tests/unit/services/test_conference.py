"""The whole main job: an event arrives, and attendance is stored."""

import pytest

from functions.domain.classes.sessions import SessionState
from functions.domain.conferences.model import Organizer, SyncSource, SyncState
from functions.domain.errors import DocumentsRefused, Unavailable
from functions.ports.messages import Job
from functions.services.sync.conference import sync_conference
from functions.services.sync.meet.gathered import Request
from functions.services.sync.session import sync_session
from tests.builders import ADA, BOB, EMAILS, RECORD, TEACHER, TEACHING, at, participant, snapshot


def the_call(*visits, end=60):
    who = visits or ((TEACHING, (0, 60)), (ADA, (0, 60)), (BOB, (12, 60)))
    return snapshot(*(participant(user, *times) for user, *times in who), end=end)


async def event(school, *, minute=61):
    """Process an event that the conference has ended."""
    school.clock.minutes = minute
    return await sync_conference(Request(RECORD, Organizer(TEACHER), at(60), SyncSource.EVENT), deps=school.deps)


async def due(school, *, minute=75):
    """Process the class meeting when it is due, after Meet's data is final."""
    school.clock.minutes = minute
    return await sync_session("maths", source=SyncSource.RECONCILE, deps=school.deps)


def marks(school):
    return {person.email: person.mark for person in school.store.documents.attendance["maths"] if person.mark}


async def test_an_event_becomes_attendance(school):
    school.meet.calls = {RECORD: the_call()}

    recorded = await event(school)

    assert (recorded.people, recorded.read, recorded.refusal) == (3, True, None)
    assert marks(school) == {EMAILS[ADA.user]: "present", EMAILS[BOB.user]: "late"}


async def test_the_same_event_again_asks_nobody_and_changes_nothing(school):
    school.meet.calls = {RECORD: the_call()}
    await event(school, minute=75)
    before, read = school.store.copied(), list(school.meet.read_records)

    recorded = await event(school, minute=76)

    assert not recorded.read
    assert school.meet.read_records == read
    assert school.store.documents.attendance == before.attendance
    assert school.store.documents.conferences == before.conferences


async def test_a_class_in_which_nothing_changed_since_is_read_without_anybody_being_created_or_changed(school):
    school.meet.calls = {RECORD: the_call()}
    await event(school)
    await due(school)
    before = school.store.copied()

    synced = await due(school, minute=90)

    assert (synced.created, synced.updated) == (0, 0)
    assert school.store.documents.attendance == before.attendance


async def test_a_participant_that_meet_shows_late_is_found_when_the_class_is_due(school):
    school.meet.calls = {RECORD: the_call((TEACHING, (0, 60)), (BOB, (0, None)))}
    await event(school)
    school.meet.calls = {RECORD: the_call((TEACHING, (0, 60)), (BOB, (0, 60)), (ADA, (0, 60)))}

    synced = await due(school)

    assert synced.sync.state is SyncState.COMPLETE
    assert marks(school)[EMAILS[ADA.user]] == "present"


async def test_a_class_without_a_call_is_not_held_once_meet_has_listed_its_room(school):
    await due(school)

    assert school.store.documents.sessions["maths"].state is SessionState.NOT_HELD
    assert marks(school) == {}


async def test_an_account_that_cannot_be_looked_up_now_is_stored_and_its_class_is_due_again(school):
    school.meet.calls = {RECORD: the_call()}
    school.directory.unavailable = True

    await due(school)

    session = school.store.documents.sessions["maths"]
    assert {person.user for person in school.store.documents.attendance["maths"]} >= {TEACHER, ADA.user, BOB.user}
    assert session.progress.due_at > at(75)


async def test_an_account_with_another_address_has_its_other_classes_marked_again(school):
    school.meet.calls = {RECORD: the_call()}
    await event(school)
    renamed = school.directory.accounts[ADA.user]
    school.directory.accounts[ADA.user] = type(renamed)(
        ADA.user, "ada.lovelace@school.example", (), None, renamed.source
    )

    await due(school, minute=75)
    await due(school, minute=60 * 24 * 8)

    assert Job("remark-session", {"session_id": "maths"}) in school.jobs.handed_out


async def test_a_reading_that_stopped_half_way_is_tried_again_later_and_marks_nobody(school):
    school.meet.calls = {RECORD: the_call()}
    school.meet.refuses = {RECORD: (Unavailable("Meet did not answer."), 1)}

    with pytest.raises(Unavailable):
        await event(school)

    assert school.store.documents.attendance == {}
    assert school.store.documents.conferences[RECORD].interruption.again_at > at(61)


async def test_a_conference_that_failed_a_moment_ago_waits_when_a_job_hands_it_out(school):
    school.meet.calls = {RECORD: the_call()}
    school.meet.refuses = {RECORD: (Unavailable("Meet did not answer."), 1)}
    with pytest.raises(Unavailable):
        await event(school)

    recorded = await sync_conference(Request(RECORD, Organizer(TEACHER), None, SyncSource.RECONCILE), deps=school.deps)

    assert not recorded.read
    assert school.meet.read_records == [RECORD]


async def test_attendance_that_the_store_refuses_for_good_is_a_failure_with_its_reason(school):
    school.meet.calls = {RECORD: the_call()}
    school.store.refuses = DocumentsRefused("The class is too large.")

    recorded = await event(school)

    assert recorded.refusal.reason == "documents-refused"
    assert school.store.documents.sessions["maths"].sync.state is SyncState.FAILED
    assert school.store.documents.attendance == {}


async def test_what_the_store_refused_is_not_read_again_before_its_time(school):
    school.meet.calls = {RECORD: the_call()}
    school.store.refuses = DocumentsRefused("The class is too large.")
    await event(school)

    again = await event(school, minute=62)

    assert (again.read, again.refusal.reason) == (False, "documents-refused")
    assert school.meet.read_records == [RECORD]

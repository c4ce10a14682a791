"""Class meetings are marked from stored documents, without calls to Google."""

import dataclasses

import pytest

from functions.domain.classes.roster import Mark, RosterEntry
from functions.domain.classes.sessions import AttachedRecord, SessionState
from functions.domain.conferences.model import SyncState
from functions.services.sync.marking import Attempt, compute, mark
from functions.services.sync.placing import place
from tests.builders import (
    ADA,
    BOB,
    CAT,
    EMAILS,
    EVERYBODY,
    RECORD,
    TEACHING,
    at,
    call,
    during,
    expected,
    known,
    override,
    unread_call,
)
from tests.in_memory import WorkInMemory

LISTED = Attempt(at(75), listed=True, error=None, everybody_known=True)


@pytest.fixture
def work(school):
    school.store.documents.people = {
        user: dataclasses.replace(person, resolved_at=at(75)) for user, person in EVERYBODY.items()
    }
    school.clock.minutes = 76
    return WorkInMemory(school.store.documents)


async def marked(school, work, *conferences, attempt=LISTED, changed=None):
    """Return the class meeting after these conferences are stored and Meet's list of the room is known."""
    now = school.deps.clock()
    for conference in conferences:
        await place(work, conference, now=now)
    sheets = await mark(
        work,
        ["maths"],
        rules=school.deps.rules,
        now=now,
        changed=changed,
        attempts={"maths": attempt} if attempt else {},
    )
    return sheets["maths"]


def marks(sheet):
    return {person.email: person.mark for person in sheet.attendance if person.mark}


async def test_students_get_the_marks_of_their_times(school, work):
    sheet = await marked(school, work, call((TEACHING, (0, 60)), (ADA, (0, 60)), (BOB, (12, 60))))

    assert marks(sheet) == {EMAILS[ADA.user]: Mark.PRESENT, EMAILS[BOB.user]: Mark.LATE}


async def test_a_missing_teacher_who_is_on_the_roster_by_another_address_is_not_an_absent_student(school, work):
    documents = work.documents
    documents.people["users/9"] = known("users/9", EMAILS["users/9"], "maiden@school.example")
    maths = documents.sessions["maths"]
    plan = dataclasses.replace(
        maths.plan,
        teachers=(*maths.plan.teachers, EMAILS["users/9"]),
        roster=(*maths.plan.roster, RosterEntry(email="maiden@school.example")),
    )
    documents.sessions["maths"] = dataclasses.replace(maths, plan=plan)

    sheet = await marked(school, work, call((TEACHING, (0, 60)), (ADA, (0, 60)), (BOB, (0, 60))))

    assert set(marks(sheet)) == {EMAILS[ADA.user], EMAILS[BOB.user]}


async def test_a_student_that_meet_shows_late_is_no_longer_absent(school, work):
    first = call((TEACHING, (0, 60)), (BOB, (0, 60)))
    before = await marked(school, work, first)

    after = await marked(school, work, call((TEACHING, (0, 60)), (BOB, (0, 60)), (ADA, (0, 60)), pulled=80))

    assert marks(before)[EMAILS[ADA.user]] is Mark.ABSENT
    assert marks(after)[EMAILS[ADA.user]] is Mark.PRESENT


async def test_a_class_in_which_nobody_met_was_not_held(school, work):
    sheet = await marked(school, work)

    assert sheet.session.state is SessionState.NOT_HELD
    assert marks(sheet) == {}


async def test_a_class_in_which_one_student_waited_alone_was_not_held(school, work):
    sheet = await marked(school, work, call((ADA, (0, 60))))

    assert sheet.session.state is SessionState.NOT_HELD


async def test_nobody_is_absent_while_a_call_of_the_class_could_not_be_read(school, work):
    now = school.deps.clock()
    await place(work, call((TEACHING, (0, 20)), (BOB, (0, 20)), end=20), now=now)
    failed = unread_call("second", state=SyncState.FAILED)
    attached = dataclasses.replace(failed, attached_to=("maths",), session_ids=("maths",))
    work.put_conference(attached)
    session = work.documents.sessions["maths"]
    plan = dataclasses.replace(session.plan, attached=(AttachedRecord("conferenceRecords/second", "office", at(70)),))

    sheet = await marked(school, work, changed={"maths": dataclasses.replace(session, plan=plan)})

    assert marks(sheet)[EMAILS[ADA.user]] is Mark.UNKNOWN


async def test_a_mark_that_a_person_decided_stays(school, work):
    decided = override(Mark.EXCUSED, email=EMAILS[ADA.user])
    work.documents.corrections["maths"] = (decided,)

    sheet = await marked(school, work, call((TEACHING, (0, 60)), (BOB, (0, 60))))

    assert marks(sheet)[EMAILS[ADA.user]] is Mark.EXCUSED


async def test_marking_the_same_again_gives_the_same(school, work):
    there = call((TEACHING, (0, 60)), (ADA, (0, 60)), (BOB, (12, 60)))

    assert await marked(school, work, there) == await marked(school, work, there)


async def test_looking_at_a_class_writes_nothing(school, work):
    await place(work, call((TEACHING, (0, 60)), (ADA, (0, 60))), now=at(76))

    sheet = await compute(work, "maths", rules=school.deps.rules, now=at(76), attempt=LISTED)

    assert marks(sheet)[EMAILS[ADA.user]] is Mark.PRESENT
    assert work.documents.attendance == {}


async def test_a_student_who_is_expected_now_is_marked_too(school, work):
    await marked(school, work, call((TEACHING, (0, 60)), (ADA, (0, 60)), (CAT, (0, 60))))
    session = work.documents.sessions["maths"]
    plan = dataclasses.replace(session.plan, roster=expected(ADA, BOB, CAT))

    sheet = await marked(school, work, changed={"maths": dataclasses.replace(session, plan=plan)})

    assert marks(sheet)[EMAILS[CAT.user]] is Mark.PRESENT
    assert sheet.session.plan.named_at == at(76)


async def test_a_call_without_a_class_is_marked_as_a_class_meeting_by_itself(school, work):
    (session_id,) = await place(work, call((TEACHING, (300, 330)), start=300, end=330), now=at(340))

    sheets = await mark(work, [session_id], rules=school.deps.rules, now=at(340))

    assert [person.user for person in sheets["abc"].attendance] == [TEACHING.user]


async def test_a_class_meeting_by_itself_goes_when_its_call_belongs_elsewhere(school, work):
    (session_id,) = await place(work, call((TEACHING, (300, 330)), start=300, end=330), now=at(340))
    await mark(work, [session_id], rules=school.deps.rules, now=at(340))
    elsewhere = dataclasses.replace(work.documents.conferences[RECORD], attached_to=("maths",))

    touched = await place(work, elsewhere, now=at(341))
    await mark(work, touched, rules=school.deps.rules, now=at(341))

    assert set(work.documents.sessions) == {"maths"}


async def test_the_time_that_a_class_owns_is_stored_with_it(school, work):
    sheet = await marked(school, work)

    assert sheet.session.owned == during(-120, 180)

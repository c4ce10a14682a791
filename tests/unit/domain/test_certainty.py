"""How certain the facts are: whether a class was held, its state, and when it is checked again."""

import dataclasses
from datetime import timedelta

import pytest

from functions.domain.classes.sessions import Progress, SessionState
from functions.domain.classes.timetable import RETENTION
from functions.domain.conferences.model import AnonymousUser, SignedInUser, SyncError, SyncState
from functions.domain.marking.attendance import unscheduled_session
from functions.domain.marking.certainty import after_attempt, due_at
from tests.builders import (
    ADA,
    BOB,
    CO_TEACHING,
    EVERYBODY,
    SETTLE,
    TEACHING,
    TICK,
    at,
    call,
    during,
    expected,
    lesson,
    nobody,
    participant,
    sheet_of,
    unread_call,
)

SCHEDULED, LIVE, ENDED = SessionState.SCHEDULED, SessionState.LIVE, SessionState.ENDED
NOT_HELD, CANCELLED = SessionState.NOT_HELD, SessionState.CANCELLED
DEVICE = SignedInUser("users/80", "Room 12")
REFUSAL = SyncError("meet-api-disabled", "off", "switch it on", at(60))
DAYS = 24 * 60


# --- Held or not ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "state"),
    [
        pytest.param([], NOT_HELD, id="by nobody"),
        pytest.param([(TEACHING, (0, 5))], ENDED, id="by a teacher alone for five minutes to the microsecond"),
        pytest.param([(TEACHING, (0, 5 - TICK))], NOT_HELD, id="by a teacher for a microsecond less"),
        pytest.param([(TEACHING, (0, 2), (30, 33))], ENDED, id="by a teacher who went and returned"),
        pytest.param([(TEACHING, (-20, 0), (60, 80))], NOT_HELD, id="by a teacher before and after"),
        pytest.param([(TEACHING, (-20, 5))], ENDED, id="by a teacher who came before and stayed five minutes"),
        pytest.param([(TEACHING, (57, 90))], NOT_HELD, id="by a teacher who stayed long, but came at the end"),
        pytest.param([(CO_TEACHING, (0, 60))], NOT_HELD, id="by a teacher of other classes alone"),
        pytest.param([(ADA, (0, 60))], NOT_HELD, id="by one student"),
        pytest.param([(ADA, (0, 40), (10, 60))], NOT_HELD, id="by one student with two devices"),
        pytest.param([(ADA, (0, 30)), (BOB, (30, 60))], NOT_HELD, id="by two students, one after the other"),
        pytest.param([(ADA, (0, 30)), (BOB, (25, 60))], ENDED, id="by two students at once for five minutes"),
        pytest.param([(ADA, (0, 30 - TICK)), (BOB, (25, 60))], NOT_HELD, id="by two for a microsecond less"),
        pytest.param([(ADA, (0, 2), (10, 13)), (BOB, (0, 60))], ENDED, id="by two at once, in two pieces"),
        pytest.param([(TEACHING, (0, 3)), (ADA, (1, 5)), (BOB, (3, 60))], ENDED, id="by a teacher, then by two"),
        pytest.param([(TEACHING, (0, 4)), (ADA, (0, 4)), (BOB, (0, 4))], NOT_HELD, id="by all at once, too short"),
        pytest.param([(ADA, (0, 60)), (DEVICE, (0, 60))], NOT_HELD, id="by one student and a device in a room"),
        pytest.param([(ADA, (0, 60)), (AnonymousUser("who"), (0, 60))], ENDED, id="by a student and a guest"),
    ],
)
def test_a_class_is_held(who, state):
    people = EVERYBODY | {"users/80": nobody("users/80")}
    conference = call(*who, start=-30, end=90)
    found = sheet_of(lesson(roster=expected(ADA)), conference, people=people, room_names=("Room *",))

    assert found.session.state is state
    assert found.session.held_elsewhere is (state is NOT_HELD and bool(who))


@pytest.mark.parametrize(
    ("minutes", "there", "state"),
    [(0, 0, ENDED), (20, 20, ENDED), (20, 20 - TICK, NOT_HELD), (60, 60, ENDED), (60, 60 - TICK, NOT_HELD)],
)
def test_the_minimum_length_is_the_schools_rule(minutes, there, state):
    session = lesson(policy={"min_held_minutes": minutes})

    assert sheet_of(session, call((TEACHING, (0, there)))).session.state is state


@pytest.mark.parametrize(("there", "state"), [(3, ENDED), (3 - TICK, NOT_HELD)])
def test_a_class_shorter_than_that_is_held_when_it_is_held_throughout(there, state):
    session = lesson(end=3, listed=13, roster=expected(ADA, BOB))
    found = sheet_of(session, call((TEACHING, (0, there)), (ADA, (0, 2)), end=there), now=14)

    marks = {one.mark and one.mark.value for one in found.attendance if one.entry}
    assert found.session.state is state
    assert marks == ({"absent", "present"} if state is ENDED else {None})


@pytest.mark.parametrize(
    ("listed", "state"),
    [(None, ENDED), (60, ENDED), (70 - TICK, ENDED), (70, NOT_HELD), (70 + TICK, NOT_HELD), (10 * DAYS, NOT_HELD)],
)
def test_a_class_is_called_not_held_only_after_a_list_that_began_when_all_had_settled(listed, state):
    conference = call((ADA, (0, 60)))

    assert sheet_of(lesson(listed=listed), conference, now=20 * DAYS).session.state is state


@pytest.mark.parametrize("state", [SyncState.PROVISIONAL, SyncState.FAILED])
def test_not_held_needs_a_final_read_of_every_call(state):
    short = call((TEACHING, (0, 1)), end=1)
    second = call(start=30, end=31, name="two", state=state)

    assert sheet_of(lesson(), short).session.state is NOT_HELD
    assert sheet_of(lesson(), short, second).session.state is ENDED
    assert sheet_of(lesson(), short, unread_call("two", state)).session.state is ENDED
    assert sheet_of(lesson(), short, missing=["conferenceRecords/two"]).session.state is ENDED


def test_not_held_is_never_final():
    assert sheet_of(lesson()).session.state is NOT_HELD
    assert sheet_of(lesson(), call((TEACHING, ALL))).session.state is ENDED


ALL = (0, 60)


def test_a_list_made_when_meet_may_have_forgotten_is_not_evidence():
    old = (RETENTION - timedelta(minutes=120)) / timedelta(minutes=1)  # the class owns two hours before nine
    states = {}
    for listed in (old - TICK, old):
        before = lesson(listed=None)
        session = after_attempt(before, began_at=at(listed), listed=True, error=None, certain=True)
        states[listed] = sheet_of(session, call((ADA, ALL)), now=60 * DAYS).session.state

    assert states == {old - TICK: NOT_HELD, old: ENDED}


@pytest.mark.parametrize(
    ("who", "elsewhere"),
    [
        pytest.param([(ADA, (-25, -5))], True, id="before the class"),
        pytest.param([(ADA, (65, 80))], True, id="after the class"),
        pytest.param([(ADA, ALL)], True, id="alone, during the class"),
        pytest.param([(DEVICE, ALL)], False, id="a device in a room"),
        pytest.param([], False, id="nobody"),
    ],
)
def test_people_were_there_though_it_was_not_held(who, elsewhere):
    people = EVERYBODY | {"users/80": nobody("users/80")}
    session = sheet_of(lesson(), call(*who, start=-25, end=80), people=people, room_names=("Room *",)).session

    assert (session.state, session.held_elsewhere) == (NOT_HELD, elsewhere)


# --- Where it stands ------------------------------------------------------------------------------------------

GOES_ON = call((TEACHING, (0, None)), end=None, state=SyncState.PROVISIONAL)
IS_OVER = call((TEACHING, (0, 20)), end=20)


@pytest.mark.parametrize(
    ("conferences", "when", "state"),
    [
        pytest.param([], {"listed": None, "now": -10}, SCHEDULED, id="nothing happened yet"),
        pytest.param([], {"listed": 30, "now": 30}, SCHEDULED, id="nobody came yet"),
        pytest.param([], {"listed": 60, "now": 60}, ENDED, id="nobody came, and Meet may still tell otherwise"),
        pytest.param([], {"listed": 70, "now": 70}, NOT_HELD, id="nobody came"),
        pytest.param([GOES_ON], {"listed": None, "now": 30}, LIVE, id="a call goes on"),
        pytest.param([GOES_ON], {"listed": 65, "now": 65}, LIVE, id="a call goes on after the class"),
        pytest.param([IS_OVER], {"listed": 21, "now": 30}, LIVE, id="a call was, and the class is not over"),
        pytest.param([IS_OVER], {"listed": 21, "now": 60 - TICK}, LIVE, id="a microsecond before the class is over"),
        pytest.param([IS_OVER], {"listed": 21, "now": 60}, ENDED, id="the class is over"),
        pytest.param([IS_OVER, GOES_ON], {"listed": 70, "now": 71}, LIVE, id="the second call goes on"),
        pytest.param([unread_call()], {"listed": 70, "now": 71}, ENDED, id="what cannot be read does not go on"),
        pytest.param(
            [call((TEACHING, (0, None)), end=None, state=SyncState.PROVISIONAL, ended_event=55)],
            {"listed": 70, "now": 71},
            ENDED,
            id="an event said that the call is over",
        ),
    ],
)
def test_the_state_of_a_class(conferences, when, state):
    assert sheet_of(lesson(listed=when["listed"]), *conferences, now=when["now"]).session.state is state


def test_a_call_that_meet_named_and_nobody_has_read_may_have_been():
    named = ["conferenceRecords/two"]

    assert sheet_of(lesson(listed=30), missing=named, now=31).session.state is LIVE
    assert sheet_of(lesson(listed=70), missing=named, now=71).session.state is ENDED


def test_a_cancelled_class_has_no_attendance_and_is_never_due():
    found = sheet_of(lesson(roster=expected(ADA), cancelled=True), IS_OVER)

    assert (found.session.state, found.attendance, found.session.conference_records) == (CANCELLED, (), ())
    assert (found.session.progress.due_at, found.session.sync) == (None, None)


def test_before_the_first_attempt_there_is_no_attendance():
    found = sheet_of(lesson(roster=expected(ADA), listed=None), now=-10)

    assert (found.attendance, found.session.sync) == ((), None)
    assert found.session.progress.due_at == at(60)


@pytest.mark.parametrize(
    ("conferences", "listed", "missing", "state"),
    [
        ([IS_OVER], 70, [], SyncState.COMPLETE),
        ([IS_OVER], None, [], SyncState.COMPLETE),
        ([IS_OVER, GOES_ON], 70, [], SyncState.PROVISIONAL),
        ([IS_OVER], 70, ["conferenceRecords/two"], SyncState.PROVISIONAL),
        ([GOES_ON, unread_call()], 70, [], SyncState.FAILED),
        ([], 60, [], SyncState.PROVISIONAL),
        ([], 70, [], SyncState.COMPLETE),
    ],
)
def test_the_reading_of_a_class_is_as_far_as_that_of_its_calls(conferences, listed, missing, state):
    assert sheet_of(lesson(listed=listed), *conferences, missing=missing).session.sync.state is state


# --- When it is looked at again -------------------------------------------------------------------------------


def attempted(session, *attempts):
    """Return the class after attempts: (minute, listed?, certain?)."""
    for minute, listed, certain in attempts:
        error = None if listed else dataclasses.replace(REFUSAL, at=at(minute))
        session = after_attempt(session, began_at=at(minute), listed=listed, error=error, certain=certain)
    return session


@pytest.mark.parametrize(
    ("attempts", "due"),
    [
        pytest.param([], 60, id="at its end"),
        pytest.param([(-5, True, True)], 60, id="at its end, whatever was seen before"),
        pytest.param([(30, False, False)], 60, id="at its end, whatever failed before"),
        pytest.param([(60 - TICK, True, True)], 60, id="at its end, seen a microsecond before"),
        pytest.param([(60, True, True)], 70, id="then when all has settled"),
        pytest.param([(70 - TICK, True, True)], 70, id="then too, seen a microsecond before that"),
        pytest.param([(70, True, True)], None, id="then no more"),
        pytest.param([(60, True, True), (70, True, True)], None, id="the usual life"),
        pytest.param([(60, False, False)], 62, id="two minutes after a failure"),
        pytest.param([(60, False, False), (62, False, False)], 66, id="four after two"),
        pytest.param([(60, True, False)], 62, id="as well if a record could not be read"),
        pytest.param([(60, False, False), (62, True, True)], 70, id="a success begins anew"),
        pytest.param([(70, True, False)], 72, id="again while what was named is not read"),
        pytest.param([(70, True, False), (72, True, True)], None, id="until it is"),
        pytest.param([(70 + 2 * k, False, False) for k in range(9)], 86 + 360, id="never more than six hours later"),
        pytest.param([(70 + k, False, False) for k in range(40)], 109 + 360, id="however often it failed"),
        pytest.param([(70, False, False), (60, True, True)], 72, id="an earlier attempt told late changes nothing"),
        pytest.param([(30 * DAYS + 57, False, False)], 30 * DAYS + 59, id="to the last within Meet's thirty days"),
        pytest.param([(30 * DAYS + 58, False, False)], None, id="and no longer"),
        pytest.param([(40 * DAYS, True, True)], None, id="never, if it was entered when Meet had forgotten it"),
    ],
)
def test_it_is_looked_at_again(attempts, due):
    session = attempted(lesson(listed=None), *attempts)

    assert due_at(session, settle=SETTLE) == (None if due is None else at(due))


def test_a_failure_keeps_the_list_that_worked():
    session = attempted(lesson(listed=None), (60, True, True), (70, False, False))

    assert (session.progress.listed_at, session.progress.failures, session.progress.tried_at) == (at(60), 1, at(70))
    assert session.progress.error.at == at(70)
    assert attempted(session, (80, True, True)).progress == Progress(listed_at=at(80), tried_at=at(80))


def test_a_class_whose_list_failed_is_failed_and_nobody_in_it_absent():
    session = attempted(lesson(listed=None, roster=expected(ADA)), (60, False, False))
    found = sheet_of(session, now=61)

    assert (found.session.state, found.session.sync.state) == (ENDED, SyncState.FAILED)
    assert found.session.sync.error.reason == "meet-api-disabled"
    assert found.counts["unknown"] == 1


def test_a_call_of_no_class_is_looked_at_again_only_after_failures_and_while_meet_knows_it():
    talk = unscheduled_session(call((ADA, (0, 20)), end=20), time_zone="UTC", before=None)
    late = 30 * DAYS + 19

    assert due_at(talk, settle=SETTLE) is None
    assert due_at(attempted(talk, (30, False, False)), settle=SETTLE) == at(32)
    assert due_at(attempted(talk, (30, False, False), (32, False, True)), settle=SETTLE) is None
    assert due_at(attempted(talk, (late - 2 + TICK, False, False)), settle=SETTLE) == at(late + TICK)
    assert due_at(attempted(talk, (late - 1, False, False)), settle=SETTLE) is None


def test_a_class_that_is_moved_is_due_at_its_new_end():
    done = attempted(lesson(listed=None), (70, True, True))
    moved = dataclasses.replace(done, plan=dataclasses.replace(done.plan, scheduled=during(120, 180)))

    assert due_at(done, settle=SETTLE) is None
    assert due_at(moved, settle=SETTLE) == at(180)


def test_the_time_at_which_it_is_due_is_stored_with_the_class():
    conference = call(participant(TEACHING, ALL))

    assert sheet_of(lesson(listed=60), conference, now=61).session.progress.due_at == at(70)
    assert sheet_of(lesson(listed=70), conference, now=71).session.progress.due_at is None

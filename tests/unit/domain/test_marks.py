"""A student's mark for a class, and its reason. The class is from nine to ten; times are in minutes after nine."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.domain.classes.roster import Mark
from functions.domain.classes.sessions import Role, SessionState
from functions.domain.conferences.model import Kind, SignedInUser, SyncState
from tests.builders import (
    ADA,
    BOB,
    CAT,
    CO_TEACHING,
    EMAILS,
    EVERYBODY,
    SECOND,
    TEACHING,
    TICK,
    at,
    call,
    during,
    expected,
    guest,
    lesson,
    minutes_at,
    nobody,
    of,
    override,
    sheet_of,
    unread_call,
)

PRESENT, LATE, LEFT_EARLY, PARTIAL = Mark.PRESENT, Mark.LATE, Mark.LEFT_EARLY, Mark.PARTIAL
ABSENT, EXCUSED, UNKNOWN = Mark.ABSENT, Mark.EXCUSED, Mark.UNKNOWN
ALWAYS = [(0, 60)]
COMES_LATE, GOES_EARLY = "comes late", "goes early"


def ada_with(teacher, visits, *, policy=None, until=90, since=-30):
    """Return Ada's attendance in a class that Bob attends from beginning to end."""
    conference = call((TEACHING, *teacher), (BOB, (0, 60)), (ADA, *visits), start=since, end=until)
    return of(sheet_of(lesson(roster=expected(ADA, BOB), policy=policy), conference), ADA)


def sentences(rows):
    """Return the rows of a table as parameters of a test; the first column is the name of the row."""
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


@pytest.mark.parametrize(
    ("teacher", "visits", "mark", "flags"),
    sentences(
        [
            ("there all the time is present", ALWAYS, [(0, 60)], PRESENT, ""),
            ("longer than the class is present", ALWAYS, [(-20, 80)], PRESENT, ""),
            ("never there is absent", ALWAYS, [], ABSENT, ""),
            ("five minutes late to the microsecond is present", ALWAYS, [(5, 60)], PRESENT, ""),
            ("a second before the limit is present", ALWAYS, [(5 - SECOND, 60)], PRESENT, ""),
            ("a microsecond more than five minutes late is late", ALWAYS, [(5 + TICK, 60)], LATE, COMES_LATE),
            ("a second more than five minutes late is late", ALWAYS, [(5 + SECOND, 60)], LATE, COMES_LATE),
            ("gone five minutes early to the microsecond is present", ALWAYS, [(0, 55)], PRESENT, ""),
            ("gone a microsecond earlier has left early", ALWAYS, [(0, 55 - TICK)], LEFT_EARLY, GOES_EARLY),
            ("gone a second later is present", ALWAYS, [(0, 55 + SECOND)], PRESENT, ""),
            ("half of it to the microsecond is no part", ALWAYS, [(0, 30)], LEFT_EARLY, GOES_EARLY),
            ("a microsecond less than half is a part", ALWAYS, [(0, 30 - TICK)], PARTIAL, GOES_EARLY),
            ("the second half is late", ALWAYS, [(30, 60)], LATE, COMES_LATE),
            ("a part may come late too", ALWAYS, [(31, 60)], PARTIAL, COMES_LATE),
            ("both late and gone early is late", ALWAYS, [(10, 50)], LATE, f"{COMES_LATE}, {GOES_EARLY}"),
            ("a part in the middle came late and left early", ALWAYS, [(20, 40)], PARTIAL, "comes late, goes early"),
            ("two devices at once count once", ALWAYS, [(0, 25), (10, 29)], PARTIAL, GOES_EARLY),
            ("a rejoin counts what was there", ALWAYS, [(0, 20), (40, 60)], PRESENT, ""),
            ("a rejoin with too little is a part", ALWAYS, [(0, 10), (50, 60)], PARTIAL, ""),
            ("gone before the class is absent", ALWAYS, [(-20, 0)], ABSENT, ""),
            ("come in the instant it ends is absent", ALWAYS, [(60, 80)], ABSENT, ""),
            ("there for its first microsecond is a part", ALWAYS, [(-20, TICK)], PARTIAL, GOES_EARLY),
            ("there for its last microsecond is a part", ALWAYS, [(60 - TICK, 80)], PARTIAL, COMES_LATE),
            ("gone in the instant of joining is absent", ALWAYS, [(10, 10)], ABSENT, ""),
            ("five minutes after a late teacher is present", [(12, 60)], [(17, 60)], PRESENT, ""),
            ("a microsecond later than that is late", [(12, 60)], [(17 + TICK, 60)], LATE, COMES_LATE),
            ("five minutes before an early-going teacher is present", [(0, 50)], [(0, 45)], PRESENT, ""),
            ("a microsecond earlier than that left early", [(0, 50)], [(0, 45 - TICK)], LEFT_EARLY, GOES_EARLY),
            ("there before a late teacher is not late", [(30, 60)], [(0, 10), (45, 60)], PRESENT, ""),
            ("there only before the teacher is a part", [(30, 60)], [(0, 20)], PARTIAL, GOES_EARLY),
            ("a teacher who goes away and returns holds it all", [(0, 20), (40, 60)], [(0, 60)], PRESENT, ""),
            ("the class goes on without the teacher", [(0, 20), (40, 60)], [(21, 39)], PARTIAL,
             "comes late, goes early"),
            ("a teacher who came only before leaves the time as planned", [(-30, -5)], [(6, 60)], LATE, COMES_LATE),
            ("a teacher who came only after leaves the time as planned", [(61, 70)], [(6, 60)], LATE, COMES_LATE),
            ("a teacher in for an instant leaves the time as planned", [(20, 20)], [(6, 60)], LATE, COMES_LATE),
            ("a teacher before and after holds all of it", [(-30, -5), (70, 80)], [(6, 60)], LATE, COMES_LATE),
            ("without a teacher the time is as planned", [], [(6, 60)], LATE, COMES_LATE),
        ]
    ),
)  # fmt: skip
def test_marks_by_the_default_rules(teacher, visits, mark, flags):
    ada = ada_with(teacher, visits)

    assert ada.verdict.status == ada.mark == mark
    assert (ada.verdict.is_late, ada.verdict.is_left_early) == (COMES_LATE in flags, GOES_EARLY in flags)


@pytest.mark.parametrize(
    ("policy", "teacher", "visits", "mark"),
    sentences(
        [
            ("without grace on time is present", {"late_after_minutes": 0}, ALWAYS, [(0, 60)], PRESENT),
            ("without grace a microsecond is late", {"late_after_minutes": 0}, ALWAYS, [(TICK, 60)], LATE),
            ("half a minute of grace", {"late_after_minutes": 0.5}, ALWAYS, [(0.5, 60)], PRESENT),
            ("half a minute and a bit", {"late_after_minutes": 0.5}, ALWAYS, [(0.5 + TICK, 60)], LATE),
            ("nobody may go early", {"left_early_minutes": 0}, ALWAYS, [(0, 60 - TICK)], LEFT_EARLY),
            ("staying to the end is enough", {"left_early_minutes": 0}, ALWAYS, [(0, 60)], PRESENT),
            ("any share is enough", {"min_share": 0}, ALWAYS, [(0, TICK)], LEFT_EARLY),
            ("no share is needed, but a moment is", {"min_share": 0}, ALWAYS, [], ABSENT),
            ("all of it is needed and was there", {"min_share": 1}, ALWAYS, [(0, 60)], PRESENT),
            ("all of it is needed", {"min_share": 1}, ALWAYS, [(0, 60 - TICK)], PARTIAL),
            ("three fifths exactly", {"min_share": 0.6}, ALWAYS, [(0, 20), (44, 60)], PRESENT),
            ("a microsecond less than three fifths", {"min_share": 0.6}, ALWAYS, [(0, 20), (44 + TICK, 60)], PARTIAL),
            ("the planned time: a late teacher excuses nobody", {"window": "scheduled"}, [(12, 60)], [(12, 60)], LATE),
            ("the planned time: nor does an early end", {"window": "scheduled"}, [(0, 50)], [(0, 50)], LEFT_EARLY),
            ("the planned time is what a share is of", {"window": "scheduled"}, [(0, 20)], [(0, 29)], PARTIAL),
            ("the held time is what a share is of", {"left_early_minutes": 60}, [(0, 20)], [(0, 10)], PRESENT),
        ]
    ),
)
def test_marks_by_other_rules(policy, teacher, visits, mark):
    assert ada_with(teacher, visits, policy=policy).verdict.status == mark


def test_the_time_of_the_whole_room_and_of_the_class_are_told_apart():
    ada = ada_with(ALWAYS, [(-20, 10), (50, 75)])

    assert (ada.total_duration, ada.in_class) == (timedelta(minutes=55), timedelta(minutes=20))
    assert (ada.first_joined_at, ada.last_left_at) == (at(-20), at(75))


def test_without_marks_there_are_times_only():
    ada = ada_with(ALWAYS, [(10, 60)], policy={"marks": False})

    assert (ada.mark, ada.verdict.reason, ada.verdict.is_late) == (None, None, False)
    assert ada.in_class == timedelta(minutes=50)


def test_without_marks_a_persons_own_mark_still_counts():
    told = [override(Mark.EXCUSED, email=EMAILS["users/2"])]
    found = sheet_of(lesson(roster=expected(ADA), policy={"marks": False}), call((TEACHING, (0, 60))), corrections=told)

    assert of(found, ADA).mark == EXCUSED
    assert found.counts["excused"] == 1


def test_teachers_and_guests_get_no_mark():
    found = sheet_of(lesson(), call((TEACHING, (20, 60)), (ADA, (30, 60))))

    assert {(one.role, one.mark, one.verdict.is_late) for one in found.attendance} == {
        (Role.TEACHER, None, False),
        (Role.GUEST, None, False),
    }


@pytest.mark.parametrize(
    ("teachers", "held"),
    sentences(
        [
            ("from the teacher's coming to the going", {TEACHING: [(10, 50)]}, during(10, 50)),
            ("never longer than planned", {TEACHING: [(-10, 70)]}, during(0, 60)),
            ("from the first teacher's coming to the last one's going",
             {TEACHING: [(10, 30)], CO_TEACHING: [(25, 55)]}, during(10, 55)),
            ("a co-teacher alone holds it", {CO_TEACHING: [(15, 60)]}, during(15, 60)),
            ("over a time without either", {TEACHING: [(0, 10)], CO_TEACHING: [(50, 60)]}, during(0, 60)),
            ("by nobody", {}, None),
            ("by nobody if the teacher went before", {TEACHING: [(-30, 0)]}, None),
            ("by nobody if the teacher stayed for a moment and the others for all of it", {TEACHING: [(-30, TICK)]},
             None),
            ("by a teacher for half of the time that the others were together", {TEACHING: [(0, 30)]}, during(0, 30)),
            ("not by a teacher for a microsecond less than half", {TEACHING: [(0, 30 - TICK)]}, None),
            ("by two teachers for half of it between them", {TEACHING: [(10, 12)], CO_TEACHING: [(38, 40)]},
             during(10, 40)),
            ("not by two teachers for less than half of it",
             {TEACHING: [(10, 12)], CO_TEACHING: [(38, 40 - TICK)]}, None),
            ("by a teacher who left in the first minutes and returned in the last", {TEACHING: [(0, 5), (55, 60)]},
             during(0, 60)),
        ]
    ),
)  # fmt: skip
def test_a_class_is_held(teachers, held):
    both = (EMAILS[TEACHING.user], EMAILS[CO_TEACHING.user])
    conference = call((BOB, (0, 60)), (ADA, (0, 60)), *((one, *v) for one, v in teachers.items()), start=-30, end=80)
    session = sheet_of(lesson(teachers=both, roster=expected(ADA)), conference).session

    assert session.state is SessionState.ENDED
    assert session.held == held


DEVICE = SignedInUser("users/80", "Room 12")


@pytest.mark.parametrize(
    ("others", "held"),
    sentences(
        [
            ("alone", [], during(0, 5)),
            ("with one student, who stayed alone", [(ADA, (0, 60))], during(0, 5)),
            ("with students who came one after the other", [(ADA, (6, 30)), (BOB, (30, 60))], during(0, 5)),
            ("with a student and a device in a room, which is nobody", [(ADA, (6, 60)), (DEVICE, (0, 60))],
             during(0, 5)),
            ("with two devices of one student", [(ADA, (6, 60), (20, 40))], during(0, 5)),
            ("with others who were together before and after the class", [(ADA, (-30, 0), (60, 80)),
             (BOB, (-30, 0), (60, 80))], during(0, 5)),
            ("with others who were together for as long without the teacher",
             [(ADA, (0, 5), (10, 15)), (BOB, (10, 15))], during(0, 5)),
            ("with others who were together a microsecond longer without the teacher",
             [(ADA, (0, 5), (10, 15 + TICK)), (BOB, (10, 16))], None),
            ("with a guest who stayed with a student", [(ADA, (6, 60)), (guest(), (6, 60))], None),
        ]
    ),
)  # fmt: skip
def test_a_teacher_who_left_after_five_minutes_holds_the_class(others, held):
    people = EVERYBODY | {"users/80": nobody("users/80")}
    conference = call((TEACHING, (0, 5)), *others, start=-30, end=80)
    found = sheet_of(lesson(roster=expected(ADA, BOB)), conference, people=people, room_names=("Room *",))

    assert (found.session.state, found.session.held) == (SessionState.ENDED, held)


def test_a_class_whose_teacher_lost_the_connection_is_measured_by_its_planned_time():
    conference = call((TEACHING, (0, 5)), (ADA, (6, 60)), (BOB, (0, 5)), (CAT, (6, 50)))
    found = sheet_of(lesson(roster=expected(ADA, BOB, CAT)), conference)

    assert [of(found, one).mark for one in (ADA, BOB, CAT)] == [LATE, PARTIAL, LATE]
    assert of(found, ADA).verdict.reason == "Joined 6 min after the class began at 09:00; the limit is 5 min."
    assert of(found, CAT).verdict.is_left_early is True


# --- What is not known ----------------------------------------------------------------------------------------

BY_THE_END = {"listed": 60, "now": 60}
ALL_OF_THEM = [(ADA, (0, 60)), (BOB, (0, 20)), (CAT,)]
"""The visits of students who would be present, partial and absent."""


def marks_of(*conferences, listed, now, missing=(), unread_from=None, **about):
    session = lesson(roster=expected(ADA, BOB, CAT), listed=listed, **about)
    found = sheet_of(session, *conferences, now=now, missing=missing, unread_from=unread_from)
    return [of(found, one).verdict.status for one in (ADA, BOB, CAT)]


def teaching(*who, **about):
    return call((TEACHING, (about.get("start", 0), 60)), *who, **about)


@pytest.mark.parametrize(
    ("conferences", "when", "marks"),
    sentences(
        [
            ("everything is known at the end", [teaching(*ALL_OF_THEM)], BY_THE_END, [PRESENT, PARTIAL, ABSENT]),
            ("a microsecond before the end nobody has missed anything",
             [teaching(*ALL_OF_THEM)], {"listed": 60, "now": 60 - TICK}, [PRESENT, UNKNOWN, UNKNOWN]),
            ("before the end nobody has left early",
             [teaching((ADA, (0, 40)), (BOB, (10, 60)), (CAT, (20, 39)))], {"listed": 60, "now": 59},
             [UNKNOWN, LATE, UNKNOWN]),
            ("a list begun a microsecond before the end shows nobody absent",
             [teaching(*ALL_OF_THEM)], {"listed": 60 - TICK, "now": 61}, [PRESENT, PARTIAL, UNKNOWN]),
            ("no list shows nobody absent", [teaching(*ALL_OF_THEM)], {"listed": None, "now": 61},
             [PRESENT, PARTIAL, UNKNOWN]),
            ("a list since the call ended is not enough before the class does: the call may be made again",
             [call((TEACHING, (0, 50)), (ADA, (0, 50)), (BOB, (0, 19)), end=50)], {"listed": 60 - TICK, "now": 60},
             [PRESENT, PARTIAL, UNKNOWN]),
            ("without it a part that a further call may make more of is not given",
             [call((TEACHING, (0, 50)), (ADA, (0, 50)), (BOB, (0, 20)), end=50)], {"listed": 60 - TICK, "now": 60},
             [PRESENT, UNKNOWN, UNKNOWN]),
            ("nor one that counts for the time until the call dropped, while the class went on",
             [call((TEACHING, (0, 10)), (ADA, (0, 10)), (BOB, (6, 10)), end=10)], {"listed": 11, "now": 60},
             [PRESENT, UNKNOWN, UNKNOWN]),
            ("a list since the class ended is enough, though the call ended before",
             [call((TEACHING, (0, 50)), (ADA, (0, 50)), (BOB, (0, 20)), end=50)], {"listed": 60, "now": 60},
             [PRESENT, PARTIAL, ABSENT]),
            ("a list since the first of two calls is not enough",
             [call((TEACHING, (0, 20)), (ADA, (0, 20)), end=20),
              call((TEACHING, (30, 60)), (ADA, (30, 60)), (BOB, (30, 49)), start=30, name="two")],
             {"listed": 20, "now": 60}, [PRESENT, PARTIAL, UNKNOWN]),
            ("who is not seen yet in data that is not final is no absentee",
             [teaching(*ALL_OF_THEM, state=SyncState.PROVISIONAL)], BY_THE_END, [PRESENT, PARTIAL, UNKNOWN]),
            ("who has not left in data that is not final may have stayed longer or shorter",
             [teaching((ADA, (0, None)), (BOB, (0, 20)), state=SyncState.PROVISIONAL)], BY_THE_END,
             [UNKNOWN, PARTIAL, UNKNOWN]),
            ("nor does it help that the last visit is over",
             [teaching((ADA, (0, 60)), (BOB, (0, None), (5, 60)), state=SyncState.PROVISIONAL)], BY_THE_END,
             [PRESENT, UNKNOWN, UNKNOWN]),
            ("nor that the first visit is over",
             [teaching((ADA, (0, 60)), (BOB, (0, 20), (30, None)), state=SyncState.PROVISIONAL)], BY_THE_END,
             [PRESENT, UNKNOWN, UNKNOWN]),
            ("once the data is final an end that is not known is the call's",
             [teaching((ADA, (0, None)), (BOB, (0, 20)))], BY_THE_END, [PRESENT, PARTIAL, ABSENT]),
            ("of a call that goes on nothing is known",
             [teaching((ADA, (0, None)), (BOB, (0, 20)), end=None, state=SyncState.PROVISIONAL, pulled=65)],
             {"listed": 65, "now": 65}, [UNKNOWN, UNKNOWN, UNKNOWN]),
            ("a second call whose data is not final may still show everybody",
             [call((TEACHING, (0, 50)), (ADA, (0, 50)), (BOB, (0, 20)), end=50),
              call((TEACHING, (55, 60)), start=55, name="two", state=SyncState.PROVISIONAL)], BY_THE_END,
             [UNKNOWN, UNKNOWN, UNKNOWN]),
            ("who was there for long enough already is marked, whatever a second call shows",
             [call((TEACHING, (0, 50)), (ADA, (0, 50)), (BOB, (6, 50)), end=50),
              call(start=55, name="two", state=SyncState.PROVISIONAL)], BY_THE_END,
             [PRESENT, LATE, UNKNOWN]),
            ("who shows in a second call that is not final, and has left it, is marked",
             [call((TEACHING, (0, 20)), (ADA, (0, 20)), (BOB, (0, 5)), end=20),
              call((TEACHING, (25, 60)), (ADA, (25, 60)), (BOB, (25, 30)), (CAT, (40, 60)), start=25, name="two",
                   state=SyncState.PROVISIONAL)], BY_THE_END, [PRESENT, PARTIAL, PARTIAL]),
            ("who shows in a second call only after the class may still show in it before",
             [call((TEACHING, (0, 20)), (ADA, (0, 20)), (BOB, (0, 5)), end=20),
              call((TEACHING, (25, 70)), (ADA, (25, 70)), (BOB, (62, 70)), start=25, end=70, name="two",
                   state=SyncState.PROVISIONAL)], {"listed": 70, "now": 71}, [PRESENT, UNKNOWN, UNKNOWN]),
            ("an earlier call that is not final may show that nobody was late",
             [call((TEACHING, (0, 20)), end=20, state=SyncState.PROVISIONAL),
              call((TEACHING, (25, 60)), (ADA, (3, 60)), (BOB, (25, 60)), (CAT, (25, 50)), start=3, name="two")],
             BY_THE_END, [PRESENT, UNKNOWN, UNKNOWN]),
            ("an earlier call that is not final cannot show that somebody stayed longer",
             [call((TEACHING, (0, 20)), end=20, state=SyncState.PROVISIONAL),
              call((TEACHING, (25, 60)), (ADA, (3, 50)), (BOB, (3, 28)), start=3, name="two")],
             BY_THE_END, [LEFT_EARLY, UNKNOWN, UNKNOWN]),
            ("a call after the class that is not final changes no mark that was given before it began",
             [teaching(*ALL_OF_THEM), call(start=61, end=65, name="two", state=SyncState.PROVISIONAL)],
             {"listed": 70, "now": 71}, [PRESENT, PARTIAL, ABSENT]),
            ("a call after the class that is not final makes nobody absent who was not before",
             [teaching(*ALL_OF_THEM, pulled=66), call(start=61, end=65, name="two", state=SyncState.PROVISIONAL)],
             {"listed": 70, "now": 71}, [PRESENT, PARTIAL, UNKNOWN]),
            ("while Meet does not say when the teacher left, nobody is a part",
             [call((TEACHING, (0, None)), (ADA, (0, 60)), (BOB, (0, 20)), (CAT, (6, 60)),
                   state=SyncState.PROVISIONAL)], BY_THE_END, [PRESENT, UNKNOWN, LATE]),
            ("while the teacher does not show yet, nobody is late by the planned time",
             [call((ADA, (0, 60)), (BOB, (0, 60)), (CAT, (6, 60)), state=SyncState.PROVISIONAL)], BY_THE_END,
             [PRESENT, PRESENT, UNKNOWN]),
            ("while others may still show, it is open whether a teacher's short time counts",
             [call((TEACHING, (0, 5)), (BOB, (6, 60)), state=SyncState.PROVISIONAL)],
             BY_THE_END, [UNKNOWN, UNKNOWN, UNKNOWN]),
            ("a call that could not be read says nothing of anybody: it may hold most of the class",
             [teaching(*ALL_OF_THEM), unread_call("two")], BY_THE_END, [UNKNOWN, UNKNOWN, UNKNOWN]),
            ("a call that could not be read says nothing of anybody while no other one is final",
             [teaching(*ALL_OF_THEM, state=SyncState.PROVISIONAL), unread_call("two")], BY_THE_END,
             [UNKNOWN, UNKNOWN, UNKNOWN]),
            ("a call whose last read failed before it was final says nothing of anybody",
             [teaching(*ALL_OF_THEM, state=SyncState.FAILED)], BY_THE_END, [UNKNOWN, UNKNOWN, UNKNOWN]),
        ]
    ),
)  # fmt: skip
def test_what_is_known(conferences, when, marks):
    assert marks_of(*conferences, **when) == marks


@pytest.mark.parametrize(
    ("unread", "marks"),
    [
        ({}, [UNKNOWN, UNKNOWN, UNKNOWN]),
        ({"unread_from": 60}, [UNKNOWN, UNKNOWN, UNKNOWN]),
        ({"unread_from": 61}, [PRESENT, PARTIAL, ABSENT]),
    ],
    ids=["whenever it was", "it began before the other one was read", "it began after the class and its marks"],
)
def test_a_listed_call_that_nobody_has_read_takes_no_mark_back(unread, marks):
    held = teaching(*ALL_OF_THEM, pulled=61)

    assert marks_of(held, missing=["conferenceRecords/two"], listed=70, now=71, **unread) == marks


def test_a_call_made_again_that_could_not_be_read_lets_only_good_marks_stand():
    dropped = call((TEACHING, (0, 20)), (ADA, (0, 20)), (BOB, (6, 20)), end=20, pulled=20)
    again = call((TEACHING, (30, 60)), (BOB, (30, 40)), (CAT, (30, 60)), start=30, name="three")
    failed = {"missing": ["conferenceRecords/two"], "unread_from": 25, "listed": 60, "now": 61}

    assert marks_of(dropped, **failed) == [PRESENT, LATE, UNKNOWN]
    # A student who was there too briefly, or came late, may have been in the call between.
    assert marks_of(dropped, again, **failed) == [UNKNOWN, UNKNOWN, UNKNOWN]


def test_an_unknown_mark_is_neither_late_nor_early():
    session = lesson(roster=expected(ADA), listed=None)
    ada = of(sheet_of(session, teaching((ADA, (10, None)), end=None, state=SyncState.PROVISIONAL)), ADA)

    assert (ada.verdict.status, ada.verdict.is_late, ada.verdict.is_left_early) == (UNKNOWN, False, False)


def test_while_it_is_not_certain_that_the_class_was_held_nobody_is_absent():
    conference = call((ADA, (0, 60)))  # she is alone, and Meet's data may still change

    assert marks_of(conference, listed=60, now=61) == [PRESENT, UNKNOWN, UNKNOWN]
    assert marks_of(conference, listed=70 - TICK, now=71) == [PRESENT, UNKNOWN, UNKNOWN]
    assert marks_of(conference, listed=70, now=71) == [None, None, None]


# --- What people decide ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [one for one in Mark if one is not Mark.UNKNOWN])
def test_a_mark_set_by_a_person_has_priority_over_the_rules(mark):
    told = [override(mark, email=EMAILS["users/2"])]
    found = sheet_of(lesson(roster=expected(ADA, BOB)), teaching((ADA, (10, 60)), (BOB, (0, 60))), corrections=told)
    ada = of(found, ADA)

    assert (ada.mark, ada.verdict.status, ada.verdict.is_late) == (mark, LATE, True)
    assert of(found, BOB).override is None
    assert found.counts[mark.value] == (2 if mark is PRESENT else 1)
    assert found.counts["late"] == (1 if mark is LATE else 0)


def test_somebody_excused_in_advance_is_excused_before_the_class_is_over_and_after():
    told = [override(EXCUSED, email=EMAILS["users/4"])]
    roster = expected(ADA, CAT)
    before = sheet_of(lesson(roster=roster, listed=None), teaching((ADA, (0, 60))), now=30, corrections=told)
    after = sheet_of(lesson(roster=roster), teaching((ADA, (0, 60))), corrections=told)

    assert (of(before, CAT).mark, of(before, CAT).verdict.status) == (EXCUSED, UNKNOWN)
    assert (of(after, CAT).mark, of(after, CAT).verdict.status) == (EXCUSED, ABSENT)


def test_of_a_class_that_was_not_held_only_peoples_own_marks_count():
    told = [override(EXCUSED, email=EMAILS["users/4"])]
    found = sheet_of(lesson(roster=expected(ADA, CAT)), corrections=told)

    assert found.session.state is SessionState.NOT_HELD
    assert {(one.mark, one.verdict.status, one.kind) for one in found.attendance} == {
        (None, None, Kind.EXPECTED),
        (EXCUSED, None, Kind.EXPECTED),
    }
    assert {name: number for name, number in found.counts.items() if number} == {"excused": 1}


# --- Why ------------------------------------------------------------------------------------------------------


def reason(teacher, visits, policy=None):
    return ada_with(teacher, visits, policy=policy).verdict.reason


@pytest.mark.parametrize(
    ("teacher", "visits", "sentence"),
    [
        ([(0, 60)], [(0, 58.5)], "Was there for 97 % of the class, 09:00 to 10:00."),
        ([(9, 60)], [(0, 60)], "Was there for 100 % of the time that the teacher held the class, 09:09 to 10:00."),
        ([(9, 60)], [(9 + 12 + 4 * SECOND, 60)],
         "Joined 12 min 4 s after the teacher, who began at 09:09; the limit is 5 min."),
        ([(0, 60)], [(5.5, 60)], "Joined 5 min 30 s after the class began at 09:00; the limit is 5 min."),
        ([(0, 60)], [(5 + TICK, 60)], "Joined just over 5 min after the class began at 09:00; the limit is 5 min."),
        ([(0, 60)], [(0, 48)], "Left 12 min before the class ended at 10:00; the limit is 5 min."),
        ([(0, 50)], [(0, 44)], "Left 6 min before the teacher, who ended at 09:50; the limit is 5 min."),
        ([(0, 60)], [(0, 55 - TICK)], "Left just over 5 min before the class ended at 10:00; the limit is 5 min."),
        ([(0, 60)], [(0, 12.25)],
         "Was there for 12 min 15 s of the class, 09:00 to 10:00 (20 %); at least 50 % is needed."),
        ([(0, 60)], [(0, 30 - TICK)],
         "Was there for 29 min 59 s of the class, 09:00 to 10:00 (49 %); at least 50 % is needed."),
        ([(10, 50.5)], [(10, 15)],
         ("Was there for 5 min of the time that the teacher held the class, 09:10 to 09:50:30 (12 %); "
          "at least 50 % is needed.")),
        ([(0, 60)], [], "Was not in the meeting during the class, 09:00 to 10:00."),
        ([(0, 60)], [(-9, -1)], "Was in the meeting only outside the time of the class, 09:00 to 10:00."),
    ],
)  # fmt: skip
def test_a_mark_says_why(teacher, visits, sentence):
    assert reason(teacher, visits) == sentence


def test_a_share_just_below_an_odd_limit_does_not_look_like_the_limit():
    needed = "(33.2 %); at least 33.3 % is needed."

    assert reason([(0, 60)], [(0, 60 * 0.333 - TICK)], {"min_share": 0.333}).endswith(needed)


@pytest.mark.parametrize(
    ("conference", "when", "sentence"),
    [
        (call((TEACHING, (0, 60))), {"listed": 60, "now": 30}, "the class goes on until 10:00."),
        (call((TEACHING, (0, 60)), state=SyncState.PROVISIONAL), BY_THE_END,
         "Google Meet's data of this class is not final."),
        (call((TEACHING, (0, 60)), (ADA, (0, None)), state=SyncState.PROVISIONAL), BY_THE_END,
         "Google Meet does not say when this person left."),
        (call((TEACHING, (0, 60)), (ADA, (0, 10)), end=None, state=SyncState.PROVISIONAL), BY_THE_END,
         "Google Meet does not say when the meeting ended."),
        (call((TEACHING, (0, None)), (ADA, (0, 10)), state=SyncState.PROVISIONAL), BY_THE_END,
         "Google Meet's data of the teacher is not final."),
        (call((TEACHING, (0, 60))), {"listed": None, "now": 61},
         "Google Meet has not been asked about all of its meetings since the class."),
        (call((BOB, (0, 60))), {"listed": 61, "now": 61}, "it is not certain that the class was held."),
        (unread_call(), BY_THE_END, "a meeting of this class could not be read from Google Meet."),
    ],
)  # fmt: skip
def test_what_is_unknown_says_why(conference, when, sentence):
    session = lesson(roster=expected(ADA, BOB), listed=when["listed"])

    assert of(sheet_of(session, conference, now=when["now"]), ADA).verdict.reason == f"Not decided yet: {sentence}"


@pytest.mark.parametrize(
    ("time_zone", "begins", "ends", "told"),
    [
        ("Europe/Berlin", datetime(2026, 10, 24, 22, 30, tzinfo=UTC), 60, "00:30 to 01:30"),
        ("Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), 90, "02:30 to 03:00"),
        ("Europe/Berlin", datetime(2026, 10, 25, 8, tzinfo=UTC), 60, "09:00 to 10:00"),
        ("Europe/Berlin", datetime(2026, 3, 29, 0, 30, tzinfo=UTC), 60, "01:30 to 03:30"),
        ("Europe/Berlin", datetime(2026, 3, 29, 7, tzinfo=UTC), 60, "09:00 to 10:00"),
        ("Pacific/Auckland", datetime(2026, 11, 22, 20, tzinfo=UTC), 60, "09:00 to 10:00"),
        ("Pacific/Auckland", datetime(2026, 9, 26, 13, 30, tzinfo=UTC), 60, "01:30 to 03:30"),
        ("Asia/Kathmandu", datetime(2026, 11, 23, 3, 15, tzinfo=UTC), 60, "09:00 to 10:00"),
    ],
)
def test_the_clock_is_the_classs_own_also_in_the_nights_when_it_is_changed(time_zone, begins, ends, told):
    start = minutes_at(begins)
    session = lesson(
        start=start,
        end=start + ends,
        roster=expected(ADA, BOB),
        time_zone=time_zone,
        listed=start + ends + 10,
        policy={"min_share": 0.125},
    )
    conference = call((TEACHING, (start, start + ends)), (ADA, (start, start + 1)), start=start, end=start + ends)
    found = sheet_of(session, conference, now=start + ends + 11)

    assert of(found, BOB).verdict.reason == f"Was not in the meeting during the class, {told}."
    assert f"1 min of the class, {told} ({'1.1' if ends == 90 else '1.6'} %)" in of(found, ADA).verdict.reason

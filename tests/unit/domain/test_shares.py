"""Who attended too small a share of a month, and which share they can still reach."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from functions.domain.classes.policy import Policy
from functions.domain.classes.roster import Mark, RosterEntry
from functions.domain.classes.sessions import ClassSession, Plan, SessionState
from functions.domain.conferences.model import Space
from functions.domain.intervals import Interval
from functions.domain.marking.addresses import mailboxes
from functions.domain.marking.shares import ATTENDED, MISSED, MonthOfStudent, at_risk, share_of

ADA = RosterEntry("ada@school.example", "4711")
PRESENT, ABSENT, EXCUSED, UNKNOWN = Mark.PRESENT, Mark.ABSENT, Mark.EXCUSED, Mark.UNKNOWN
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def month_of(*marks, student_id="4711", email="ada@school.example", user=None, more=None):
    """Return a row of a register: one class meeting for each mark, and further meetings in `more`."""
    given = {**{f"held-{number}": mark for number, mark in enumerate(marks)}, **(more or {})}
    attended, missed = (sum(mark in kind for mark in given.values()) for kind in (ATTENDED, MISSED))
    return MonthOfStudent(
        student_id=student_id,
        email=email,
        display_name="Ada",
        student_ids=frozenset([student_id] if student_id else []),
        users=frozenset([user] if user else []),
        emails=mailboxes([email] if email else []),
        marks=given,
        share=share_of(attended, missed),
    )


numbers = count()


def planned(*roster, state=SessionState.SCHEDULED, start=NOON, class_id="7b", session_id=None, zone="UTC", **plan):
    return ClassSession(
        session_id or f"to-come-{next(numbers)}",
        Space("spaces/room", "abc-mnop-xyz", None),
        zone,
        state,
        owned=None,
        plan=Plan(
            Interval(start, start + timedelta(hours=1)),
            cancelled=state is SessionState.CANCELLED,
            class_id=class_id,
            roster=roster or (ADA,),
            teachers=("teacher@school.example",),
            **plan,
        ),
    )


def risks(*students, sessions=(), below=0.8, month="2026-11"):
    found = at_risk(students, sessions, class_id="7b", month=month, below=below)
    return [(risk.share, risk.best_possible) for risk in found]


def test_what_is_still_to_come_counts_as_present():
    assert risks(month_of(PRESENT, ABSENT), sessions=[planned(), planned()]) == [(0.5, 0.75)]
    assert risks(month_of(PRESENT, ABSENT)) == [(0.5, 0.5)]


def test_exactly_at_the_limit_is_not_below_it():
    four_of_five = month_of(PRESENT, PRESENT, PRESENT, PRESENT, ABSENT)

    assert risks(four_of_five, below=0.8) == []
    assert risks(four_of_five, below=0.801) == [(0.8, 0.8)]
    assert risks(month_of(ABSENT), below=0) == []
    assert risks(month_of(PRESENT), month_of(PRESENT, ABSENT), below=1) == [(0.5, 0.5)]


def test_the_share_that_is_shown_is_the_one_that_is_compared():
    assert risks(month_of(PRESENT, PRESENT, ABSENT), below=0.667) == []
    assert risks(month_of(PRESENT, PRESENT, ABSENT), below=0.668) == [(0.667, 0.667)]


def test_the_lowest_share_comes_first():
    assert risks(month_of(PRESENT, ABSENT), month_of(ABSENT), month_of(PRESENT)) == [(0.0, 0.0), (0.5, 0.5)]


def test_a_student_without_a_share_is_not_at_risk():
    assert risks(month_of(), month_of(EXCUSED), month_of(UNKNOWN), month_of(None), sessions=[planned()], below=1) == []


@pytest.mark.parametrize(("mark", "share"), [(EXCUSED, 0.5), (UNKNOWN, 0.5), (None, 0.5), (PRESENT, 0.667)])
def test_marks_that_do_not_count_change_no_share(mark, share):
    assert risks(month_of(PRESENT, ABSENT, mark)) == [(share, share)]


@pytest.mark.parametrize(
    ("state", "best"),
    [
        (SessionState.SCHEDULED, 0.667),
        (SessionState.LIVE, 0.667),
        (SessionState.ENDED, 0.5),
        (SessionState.NOT_HELD, 0.5),
        (SessionState.CANCELLED, 0.5),
    ],
)
def test_only_class_meetings_that_are_not_over_are_to_come(state, best):
    assert risks(month_of(PRESENT, ABSENT), sessions=[planned(state=state)]) == [(0.5, best)]


@pytest.mark.parametrize(
    ("mark", "result"),
    [
        (UNKNOWN, (0.5, 0.667)),
        (None, (0.5, 0.667)),
        (PRESENT, (0.667, 0.667)),
        (Mark.LATE, (0.667, 0.667)),
        (ABSENT, (0.333, 0.333)),
        (EXCUSED, (0.5, 0.5)),
    ],
)
def test_a_class_that_goes_on_counts_once_and_a_mark_that_is_decided_already_stays(mark, result):
    student = month_of(PRESENT, ABSENT, more={"now": mark})

    assert risks(student, sessions=[planned(state=SessionState.LIVE, session_id="now")]) == [result]


def test_a_class_without_marks_raises_no_share():
    assert risks(month_of(ABSENT), sessions=[planned(policy=Policy(marks=False))]) == [(0.0, 0.0)]


def test_only_class_meetings_with_the_student_on_the_roster_are_to_come():
    bob = RosterEntry("bob@school.example", "4712")
    left, joined = planned(bob), planned(bob, ADA)

    assert risks(month_of(PRESENT, ABSENT), sessions=[left, joined]) == [(0.5, 0.667)]


def test_a_section_counts_only_its_own_class_meetings():
    here = RosterEntry(ADA.email, ADA.student_id, class_id="7b")
    elsewhere = RosterEntry(ADA.email, ADA.student_id, class_id="8a")
    sessions = [planned(here, class_id="both"), planned(elsewhere), planned(ADA, class_id="8a")]

    assert risks(month_of(ABSENT), sessions=sessions) == [(0.0, 0.5)]


@pytest.mark.parametrize(
    ("entry", "best"),
    [
        (RosterEntry("ada.l@gmail.com"), 0.5),
        (RosterEntry("adal@googlemail.com", "4711"), 0.5),
        (RosterEntry("new@school.example", "4711"), 0.5),
        (RosterEntry("new@school.example", user="users/7"), 0.5),
        (RosterEntry("adal@gmail.com", "4712"), 0.0),
        (RosterEntry("adal@gmail.com", user="users/8"), 0.0),
        (RosterEntry(None, "4712"), 0.0),
    ],
)
def test_a_student_is_recognised_by_id_then_account_then_address(entry, best):
    student = month_of(ABSENT, email="ada.l@gmail.com", user="users/7")

    assert risks(student, sessions=[planned(entry)]) == [(0.0, best)]


def test_who_teaches_a_class_meeting_is_no_student_in_it():
    teaching = month_of(ABSENT, student_id=None, email="teacher@school.example")

    assert risks(teaching, sessions=[planned(RosterEntry("teacher@school.example"))]) == [(0.0, 0.0)]


def test_the_month_is_that_of_the_clocks_in_the_class():
    begins = datetime(2026, 11, 30, 22, 30, tzinfo=UTC)

    assert risks(month_of(ABSENT), sessions=[planned(start=begins)]) == [(0.0, 0.5)]
    assert risks(month_of(ABSENT), sessions=[planned(start=begins, zone="Asia/Tokyo")]) == [(0.0, 0.0)]
    assert risks(month_of(ABSENT), sessions=[planned(start=begins, zone="Asia/Tokyo")], month="2026-12") == [(0.0, 0.5)]

"""Who is expected, and which student a decision is about."""

import pytest

from functions.domain.classes.roster import Mark, RosterEntry, checked_roster
from functions.domain.errors import InvalidRequest
from tests.builders import override

ADA = RosterEntry(email="ada@school.example", student_id="A1", user="users/2")
BOB = RosterEntry(email="bob@school.example")
CAT = RosterEntry(student_id="C3")


def problems_with(*students):
    with pytest.raises(InvalidRequest) as refused:
        checked_roster(students)
    return [(error.field, error.reason) for error in refused.value.errors]


def test_students_who_can_be_told_apart_are_a_roster():
    assert checked_roster([ADA, BOB, CAT]) == (ADA, BOB, CAT)
    assert checked_roster([]) == ()


@pytest.mark.parametrize(
    ("twin", "reason"),
    [
        (RosterEntry(student_id="A1"), "is the same student as students.0"),
        (RosterEntry(email="ada@school.example"), "has the same e-mail as students.0: each student needs their own"),
        (
            RosterEntry(student_id="other", email="ada@school.example"),
            "has the same e-mail as students.0: each student needs their own",
        ),
        (
            RosterEntry(student_id="other", user="users/2"),
            "has the same user as students.0: each student needs their own",
        ),
    ],
    ids=["by student id", "by e-mail", "siblings with one e-mail", "by account"],
)
def test_nobody_is_on_a_roster_twice(twin, reason):
    assert problems_with(ADA, BOB, twin) == [("students.2", reason)]


def test_who_sends_siblings_with_one_address_is_told_what_to_do():
    with pytest.raises(InvalidRequest) as refused:
        checked_roster([RosterEntry("a@b.example", "1"), RosterEntry("a@b.example", "2")])

    assert refused.value.message == "students.1 has the same e-mail as students.0: each student needs their own."
    assert "Give each student a student_id" in refused.value.hint
    assert "keep the e-mail" in refused.value.hint


def test_everybody_has_an_address_or_an_id():
    assert problems_with(ADA, RosterEntry(display_name="Ada"), RosterEntry(user="users/7")) == [
        ("students.1", "needs an email or a student_id"),
        ("students.2", "needs an email or a student_id"),
    ]


def test_two_students_of_one_name_are_two_students():
    twins = [RosterEntry(student_id="1", display_name="Sam"), RosterEntry(student_id="2", display_name="Sam")]

    assert checked_roster(twins) == tuple(twins)


def test_a_student_is_recognised_by_the_id_and_without_one_by_the_address():
    assert (ADA.key, BOB.key, CAT.key) == ("A1", "bob@school.example", "C3")


@pytest.mark.parametrize(
    ("entry", "named", "is_meant"),
    [
        (ADA, {"student_id": "A1"}, True),
        (ADA, {"email": "ada@school.example"}, True),
        (ADA, {"student_id": "A2", "email": "ada@school.example"}, False),
        (BOB, {"student_id": "A1"}, False),
        (BOB, {"email": "bob@school.example"}, True),
        (CAT, {"email": ""}, False),
        (CAT, {}, False),
    ],
)
def test_naming_a_student(entry, named, is_meant):
    assert entry.is_named_by(**{"student_id": None, "email": None, **named}) is is_meant


@pytest.mark.parametrize(
    ("told", "entry", "attendee", "concerns"),
    [
        pytest.param({"student_id": "A1"}, ADA, "x", True, id="the same id"),
        pytest.param({"email": "ada@school.example"}, ADA, "x", True, id="the same address"),
        pytest.param({"student_id": "A2"}, ADA, "x", False, id="another id"),
        pytest.param({"email": "bob@school.example"}, ADA, "x", False, id="another address"),
        pytest.param({"student_id": "A1"}, BOB, "x", False, id="an id, but the student has none"),
        pytest.param({"attendee": "x"}, CAT, "x", True, id="the same attendance"),
        pytest.param({"attendee": "y"}, CAT, "x", False, id="another attendance"),
        pytest.param({"attendee": "x"}, None, "x", True, id="the attendance of somebody not on the roster"),
        pytest.param({"attendee": "x", "student_id": "C3"}, CAT, "moved", True, id="a student whose attendance moved"),
    ],
)
def test_a_decision_concerns(told, entry, attendee, concerns):
    assert override(Mark.EXCUSED, **told).concerns(entry, attendee) is concerns

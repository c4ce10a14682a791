"""The rules that a school or a class can set."""

from datetime import timedelta

import pytest

from functions.domain.classes.policy import Policy
from functions.domain.errors import InvalidRequest

MINUTES = [
    "late_after_minutes",
    "left_early_minutes",
    "min_held_minutes",
    "open_before_minutes",
    "open_after_minutes",
]


def test_the_usual_rules():
    policy = Policy()

    assert (policy.marks, policy.window, policy.min_share) == (True, "held", 0.5)
    assert (policy.late_after, policy.left_early, policy.min_held) == (timedelta(minutes=5),) * 3
    assert (policy.open_before, policy.open_after) == (timedelta(minutes=30),) * 2


def test_a_class_changes_what_it_names_and_keeps_the_rest():
    school = Policy().changed({"late_after_minutes": 10, "min_share": 0.8})
    course = school.changed({"late_after_minutes": 0.5, "window": "scheduled", "marks": False})

    assert course.late_after == timedelta(seconds=30)
    assert (course.min_share, course.window, course.marks) == (0.8, "scheduled", False)
    assert school.late_after == timedelta(minutes=10)
    assert school.changed({}) == school


@pytest.mark.parametrize(
    "wanted",
    [
        *({name: value} for name in MINUTES for value in (0, 0.25, 1440)),
        *({"min_share": value} for value in (0, 0.0, 0.333, 1, 1.0)),
        *({"window": value} for value in ("held", "scheduled")),
        *({"marks": value} for value in (True, False)),
    ],
    ids=str,
)
def test_a_policy_may_have_these_values(wanted):
    ((name, value),) = wanted.items()

    assert getattr(Policy().changed(wanted), name) == value


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        *(
            ({name: value}, "should be a number of minutes between 0 and 1440")
            for name in MINUTES
            for value in (-1, -0.001, 1440.001, "5", None, True, float("nan"), float("inf"))
        ),
        *(
            ({"min_share": value}, "should be a share between 0 and 1")
            for value in (-0.1, 1.01, 50, "half", None, True, float("nan"))
        ),
        *({"window": value} and ({"window": value}, "should be 'held' or 'scheduled'") for value in ("", "Held", None)),
        *(({"marks": value}, "should be true or false") for value in (1, 0, "yes", None)),
        ({"late_after": 5}, "is not a field of a policy"),
        ({"": 5}, "is not a field of a policy"),
    ],
    ids=str,
)
def test_a_policy_may_not_have_these_values(wanted, reason):
    with pytest.raises(InvalidRequest) as refused:
        Policy().changed(wanted)

    (name,) = wanted
    assert [(error.field, error.reason) for error in refused.value.errors] == [(f"policy.{name}", reason)]


def test_all_wrong_values_are_named_at_once():
    with pytest.raises(InvalidRequest) as refused:
        Policy().changed({"min_share": 2, "marks": True, "colour": "red"})

    assert [error.field for error in refused.value.errors] == ["policy.min_share", "policy.colour"]

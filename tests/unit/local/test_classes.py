import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from infra.local.classes import believable_class

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
TEN_TO_TEN = NINE + timedelta(minutes=50)
SEEDS = range(12)


def overlapping(attendee):
    visits = sorted(attendee.visits, key=lambda visit: visit.start)
    return any(left.end > right.start for left, right in pairwise(visits))


def test_the_same_seed_makes_the_same_class_and_another_seed_another():
    assert believable_class(7, start=NINE) == believable_class(7, start=NINE)
    assert believable_class(7, start=NINE) != believable_class(8, start=NINE)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("people", [8, 30, 120])
def test_every_special_kind_appears_from_eight_people_on(seed, people):
    lesson = believable_class(seed, people=people, start=NINE)
    teacher, *others = lesson.attendees
    kinds = {attendee.kind for attendee in lesson.attendees}

    assert len(lesson.attendees) == people
    assert kinds == {"signed_in", "anonymous", "phone"}
    assert teacher.user == lesson.organizer
    assert teacher.visits[0].start == lesson.start < NINE
    assert overlapping(teacher)
    assert any(overlapping(attendee) for attendee in others)
    assert any(len(one.visits) > 1 and not overlapping(one) for one in others)
    assert any(one.visits[0].start > NINE + timedelta(minutes=9) for one in others)
    assert any(all(visit.end < TEN_TO_TEN for visit in one.visits) for one in others)
    assert any(one.display_name.startswith("Room") and one.user for one in others)
    assert any(re.fullmatch(r"\+49 ••• ••• \d\d", one.display_name) for one in others)


@pytest.mark.parametrize("seed", SEEDS)
def test_everyone_comes_and_goes_within_the_conference(seed):
    lesson = believable_class(seed, people=60, start=NINE, length=timedelta(minutes=5))

    assert lesson.end == NINE + timedelta(minutes=5)
    for attendee in lesson.attendees:
        for visit in attendee.visits:
            assert lesson.start <= visit.start < visit.end <= lesson.end


@pytest.mark.parametrize("seed", SEEDS)
def test_most_pupils_have_one_session_and_times_have_microseconds(seed):
    lesson = believable_class(seed, people=100, start=NINE)
    steady = [one for one in lesson.attendees if len(one.visits) == 1]

    assert len(steady) > 50
    assert any(visit.start.microsecond % 1000 for one in steady for visit in one.visits)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("people", [8, 30])
def test_an_unsettled_class_leaves_ends_open_of_which_some_come_later(seed, people):
    lesson = believable_class(seed, people=people, start=NINE, settled=False)
    just_after, later = TEN_TO_TEN + timedelta(seconds=10), TEN_TO_TEN + timedelta(minutes=2)
    open_at_first = {one.id for one in lesson.attendees if one.latest_end(just_after) is None}
    open_for_ever = {one.id for one in lesson.attendees if one.latest_end(later) is None}

    assert len(open_for_ever) == 1
    assert open_for_ever < open_at_first
    assert len(open_at_first) < people / 2


def test_a_settled_class_is_complete_when_it_ends():
    lesson = believable_class(7, start=NINE)

    assert all(one.latest_end(TEN_TO_TEN) is not None for one in lesson.attendees)


def test_identifiers_look_like_those_of_google():
    lesson = believable_class(7, people=200, start=NINE)

    assert re.fullmatch(r"conferenceRecords/[A-Za-z0-9_-]{42}", lesson.name)
    assert re.fullmatch(r"spaces/[A-Za-z0-9_-]{12}", lesson.space)
    assert re.fullmatch(r"[a-z]{3}-[a-z]{4}-[a-z]{3}", lesson.meeting_code)
    users = [one.user for one in lesson.attendees if one.kind == "signed_in"]
    assert all(re.fullmatch(r"users/\d{21}", user) for user in users)
    assert len(set(users)) == len(users)


def test_classes_can_share_a_room_and_an_organizer():
    first, second = (
        believable_class(seed, start=NINE, organizer="users/5", space="spaces/room", meeting_code="abc-mnop-xyz")
        for seed in (1, 2)
    )

    assert first.name != second.name
    assert {first.space, second.space} == {"spaces/room"}
    assert {first.organizer, second.organizer} == {"users/5"}


@pytest.mark.parametrize("people", range(8))
def test_small_classes_are_possible(people):
    assert len(believable_class(7, people=people, start=NINE, settled=False).attendees) == people

"""Half-open intervals: the union of a person's time."""

import itertools
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from functions.domain.intervals import Interval, covered, gaps, union
from tests.builders import NINE, during

SECONDS = st.integers(min_value=0, max_value=300)


def seconds(start: int, end: int) -> Interval:
    return Interval(NINE + timedelta(seconds=start), NINE + timedelta(seconds=end))


intervals = st.lists(st.builds(seconds, SECONDS, SECONDS), max_size=12)


def test_two_devices_at_once_count_once():
    assert covered([during(0, 30), during(10, 40)]) == timedelta(minutes=40)


def test_time_away_does_not_count():
    assert covered([during(0, 10), during(20, 30)]) == timedelta(minutes=20)


def test_a_rejoin_in_the_instant_of_leaving_leaves_no_gap():
    assert union([during(0, 10), during(10, 20)]) == [during(0, 20)]


def test_an_end_before_its_start_is_no_time():
    assert covered([during(10, 5)]) == timedelta(0)


@given(intervals)
def test_the_union_is_every_second_in_which_somebody_was_there(visits):
    there = {
        second
        for visit in visits
        for second in range(int((visit.start - NINE).total_seconds()), int((visit.end - NINE).total_seconds()))
    }

    assert covered(visits) == timedelta(seconds=len(there))


@given(intervals, st.randoms(use_true_random=False))
def test_the_order_of_sessions_does_not_matter(visits, dice):
    shuffled = list(visits)
    dice.shuffle(shuffled)

    assert union(shuffled) == union(visits)


@given(intervals, st.data())
def test_a_contained_session_changes_nothing(visits, data):
    for outer in union(visits)[:1]:
        length = int(outer.length.total_seconds())
        start = data.draw(st.integers(0, length))
        end = data.draw(st.integers(start, length))
        inner = Interval(outer.start + timedelta(seconds=start), outer.start + timedelta(seconds=end))

        assert union([*visits, inner]) == union(visits)


@given(intervals)
def test_the_union_is_disjoint_and_ordered(visits):
    merged = union(visits)

    assert all(before.end < after.start for before, after in itertools.pairwise(merged))


@given(intervals, SECONDS, SECONDS)
def test_the_clipped_union_never_exceeds_the_window(visits, start, end):
    window = seconds(start, end)
    clipped = [part for visit in visits if (part := visit.clip(window))]

    assert covered(clipped) <= window.length
    assert all(window.start <= part.start <= part.end <= window.end for part in clipped)


@given(intervals, SECONDS)
def test_two_neighbouring_windows_share_nothing_and_lose_nothing(visits, border):
    before = [part for visit in visits if (part := visit.clip(seconds(0, border)))]
    after = [part for visit in visits if (part := visit.clip(seconds(border, 301)))]

    assert covered(before) + covered(after) == covered(visits)


def test_a_visit_that_only_touches_a_window_lies_outside():
    assert during(0, 10).clip(during(10, 20)) is None
    assert during(20, 30).clip(during(10, 20)) is None


def test_a_visit_without_length_lies_in_the_window_that_holds_its_instant():
    assert during(10, 10).clip(during(10, 20)) == during(10, 10)
    assert during(20, 20).clip(during(10, 20)) is None


@given(intervals)
def test_the_gaps_of_a_window_are_what_is_left_of_it(times):
    window = seconds(50, 250)
    left = gaps(window, times)
    inside = [clipped for time in times if (clipped := time.clip(window))]

    assert covered([*inside, *left]) == window.length
    assert covered(inside) + covered(left) == window.length
    assert all(one.end < other.start for one, other in itertools.pairwise(left))

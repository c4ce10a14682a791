"""Never more calls in any minute than the ceiling."""

from hypothesis import given
from hypothesis import strategies as st

from functions.adapters.pacing import WINDOW, Ceiling


class Clock:
    """Seconds that pass only when told."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_calls_below_the_ceiling_do_not_wait():
    ceiling = Ceiling(3, clock=Clock())

    assert [ceiling.reserve() for _ in range(3)] == [0, 0, 0]


def test_the_next_call_waits_until_the_oldest_is_a_minute_ago():
    clock = Clock()
    ceiling = Ceiling(2, clock=clock)
    ceiling.reserve()
    clock.now += 10
    ceiling.reserve()
    clock.now += 10

    assert [ceiling.reserve() for _ in range(3)] == [40, 50, 100]


def test_zero_is_no_ceiling():
    ceiling = Ceiling(0, clock=Clock())

    assert {ceiling.reserve() for _ in range(10_000)} == {0}


@given(st.integers(1, 5), st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_no_minute_ever_sees_more_calls_than_the_ceiling(limit, pauses):
    clock = Clock()
    ceiling = Ceiling(limit, clock=clock)
    times = []
    for pause in pauses:
        clock.now += pause
        times.append(clock.now + ceiling.reserve())

    for first in times:
        assert sum(first <= time < first + WINDOW - 1e-6 for time in times) <= limit

"""There are never more calls in a minute than the limit."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from functions.adapters.google.calls.pacing import WINDOW, Ceiling, Pacing


class Clock:
    """Seconds that pass only when a test says so, or when a task sleeps."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        wake = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, wake)


def go(ceiling, clock):
    """Make the next call as soon as it is allowed; return its time."""
    clock.now += ceiling.wait()
    ceiling.record()
    return clock.now


def test_calls_below_the_ceiling_do_not_wait():
    clock = Clock()
    ceiling = Ceiling(3, clock=clock)

    assert [go(ceiling, clock) for _ in range(3)] == [1000] * 3


def test_the_next_call_waits_until_the_oldest_is_a_minute_ago():
    clock = Clock()
    ceiling = Ceiling(2, clock=clock)
    go(ceiling, clock)
    clock.now += 10
    go(ceiling, clock)

    assert [go(ceiling, clock) for _ in range(3)] == [1060, 1070, 1120]


def test_zero_is_not_a_ceiling():
    clock = Clock()
    ceiling = Ceiling(0, clock=clock)

    assert {go(ceiling, clock) for _ in range(1000)} == {1000}


@given(st.integers(1, 5), st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_no_minute_ever_sees_more_calls_than_the_ceiling(limit, pauses):
    clock = Clock()
    ceiling = Ceiling(limit, clock=clock)
    times = []
    for pause in pauses:
        clock.now += pause
        times.append(go(ceiling, clock))

    assert_never_more_than(limit, times)


def assert_never_more_than(limit, times):
    for first in times:
        assert sum(first <= time < first + WINDOW - 1e-6 for time in times) <= limit


async def calls_of(pacing, clock, **how_many):
    """Make the calls of all organizers at once; return the times of the calls, by organizer."""
    times = {organizer: [] for organizer in how_many}

    async def call(organizer):
        await pacing.turn(organizer)
        times[organizer].append(clock.now)

    await asyncio.gather(*(call(organizer) for organizer, number in how_many.items() for _ in range(number)))
    return times


async def test_each_organizer_has_a_ceiling_and_all_together_have_one():
    clock = Clock()
    pacing = Pacing(per_organizer=4, overall=6, clock=clock, sleep=clock.sleep)
    times = await calls_of(pacing, clock, ada=13, ben=9, eve=2)

    assert {name: len(calls) for name, calls in times.items()} == {"ada": 13, "ben": 9, "eve": 2}
    for calls in times.values():
        assert_never_more_than(4, calls)
    assert_never_more_than(6, [time for calls in times.values() for time in calls])


async def test_one_organizer_at_the_ceiling_takes_nothing_from_another():
    clock = Clock()
    pacing = Pacing(per_organizer=2, overall=20, clock=clock, sleep=clock.sleep)
    times = await calls_of(pacing, clock, busy=30, quiet=2)

    assert times["quiet"] == [1000, 1000]


async def test_a_call_that_was_given_up_leaves_no_trace():
    clock = Clock()
    pacing = Pacing(per_organizer=1, overall=0, clock=clock)
    await pacing.turn("ada")
    waiting = [asyncio.create_task(pacing.turn("ada")) for _ in range(50)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    clock.now += WINDOW

    async with asyncio.timeout(1):
        await pacing.turn("ada")


async def test_what_an_organizer_did_in_the_last_minute_is_never_forgotten():
    clock = Clock()
    pacing = Pacing(per_organizer=1, overall=0, clock=clock, sleep=clock.sleep)
    for number in range(100):
        await pacing.turn(f"users/{number}")
    await pacing.turn("users/99")

    assert clock.now == 1000 + WINDOW

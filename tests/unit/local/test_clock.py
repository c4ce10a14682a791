"""A clock that only moves when it is turned."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from infra.local.clock import TurnableClock

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_it_stands_still_until_it_is_turned():
    clock = TurnableClock(NINE)

    assert [clock(), clock()] == [NINE, NINE]


def test_it_is_turned_by_a_while_or_to_a_moment():
    clock = TurnableClock(NINE)

    clock.turn(timedelta(hours=1))
    assert clock() == NINE + timedelta(hours=1)

    clock.turn_to(NINE + timedelta(days=7))
    assert clock() == NINE + timedelta(days=7)


def test_it_tells_utc_whatever_zone_it_was_set_in():
    clock = TurnableClock(NINE.astimezone(timezone(timedelta(hours=-5))))

    assert clock().isoformat() == "2026-03-02T09:00:00+00:00"


def test_it_may_be_turned_to_the_moment_that_it_shows():
    clock = TurnableClock(NINE)

    clock.turn_to(NINE)
    clock.turn(timedelta(0))

    assert clock() == NINE


@pytest.mark.parametrize(
    "turn",
    [
        lambda clock: clock.turn(timedelta(microseconds=-1)),
        lambda clock: clock.turn_to(NINE - timedelta(microseconds=1)),
        lambda clock: clock.turn_to(datetime(2026, 3, 3, 9)),  # noqa: DTZ001 - the mistake that is refused
    ],
    ids=["by", "to", "without a zone"],
)
def test_it_never_goes_back_and_takes_no_time_without_a_zone(turn):
    clock = TurnableClock(NINE)

    with pytest.raises(ValueError, match=r"already|zone"):
        turn(clock)

    assert clock() == NINE


def test_threads_that_turn_it_at_once_lose_no_time():
    clock = TurnableClock(NINE)

    def turn_often():
        for _ in range(1000):
            clock.turn(timedelta(seconds=1))

    threads = [threading.Thread(target=turn_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert clock() == NINE + timedelta(seconds=4000)

"""A series keeps its local time, also when a clock change repeats or skips an hour."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from functions.domain.classes.series import occurrences, require_known_clock
from functions.domain.errors import InvalidRequest

BERLIN = ZoneInfo("Europe/Berlin")
SECOND_HALF_PAST_TWO = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 02:30+01:00; at 00:30 UTC it was 02:30+02:00


def starts(start, rule):
    return occurrences(start, rule, time_zone="Europe/Berlin")


def test_a_series_that_begins_in_the_hour_that_comes_again_begins_there():
    found = starts(SECOND_HALF_PAST_TWO, "FREQ=DAILY;COUNT=3")

    assert found == tuple(SECOND_HALF_PAST_TWO + timedelta(days=day) for day in range(3))


def test_a_series_that_begins_in_the_first_of_two_equal_hours_begins_there():
    first = SECOND_HALF_PAST_TWO - timedelta(hours=1)

    assert starts(first, "FREQ=DAILY;COUNT=2") == (first, SECOND_HALF_PAST_TWO + timedelta(days=1))


def test_a_time_that_comes_twice_on_a_later_day_is_the_first():
    before = datetime(2026, 10, 24, 0, 30, tzinfo=UTC)

    assert starts(before, "FREQ=DAILY;COUNT=2")[1] == SECOND_HALF_PAST_TWO - timedelta(hours=1)


def test_a_time_that_a_night_skips_is_that_much_later():
    before = datetime(2027, 3, 27, 1, 30, tzinfo=UTC)

    assert starts(before, "FREQ=DAILY;COUNT=2")[1].astimezone(BERLIN) == datetime(2027, 3, 28, 3, 30, tzinfo=BERLIN)


@pytest.mark.parametrize("end", ["COUNT=2", "UNTIL=20261028", "UNTIL=20261028T080000Z"])
def test_a_part_of_a_second_is_kept_as_in_a_time_that_a_program_writes(end):
    start = datetime(2026, 10, 21, 7, 0, 0, 123_456, tzinfo=UTC)

    assert starts(start, f"FREQ=WEEKLY;{end}") == (start, start + timedelta(days=7, hours=1))


@pytest.mark.parametrize("until", ["20261025T023000", "20261025", "20261025T013000Z"])
def test_an_end_at_the_start_holds_one_class_in_the_second_hour_too(until):
    assert starts(SECOND_HALF_PAST_TWO, f"FREQ=DAILY;UNTIL={until}") == (SECOND_HALF_PAST_TWO,)


def test_an_end_before_the_start_is_refused_within_the_two_equal_hours_too():
    with pytest.raises(InvalidRequest):
        starts(SECOND_HALF_PAST_TWO, "FREQ=DAILY;UNTIL=20261025T003000Z")


@pytest.mark.parametrize(("hours", "month"), [(1, 1), (2, 7)])
def test_a_clock_is_known_by_the_offset_that_its_zone_has_on_that_day(hours, month):
    require_known_clock(datetime(2026, month, 5, 9, tzinfo=timezone(timedelta(hours=hours))), time_zone="Europe/Berlin")


@pytest.mark.parametrize(("hours", "month"), [(1, 7), (2, 1), (0, 1), (5.5, 7)])
def test_a_clock_is_not_known_by_another_offset(hours, month):
    start = datetime(2026, month, 5, 9, tzinfo=timezone(timedelta(hours=hours)))
    with pytest.raises(InvalidRequest) as refused:
        require_known_clock(start, time_zone="Europe/Berlin")

    assert [one.field for one in refused.value.errors] == ["time_zone"]


def test_an_offset_within_two_equal_hours_says_which_one():
    for hours in (1, 2):
        start = datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=hours)))
        require_known_clock(start, time_zone="Europe/Berlin")

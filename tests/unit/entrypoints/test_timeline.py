"""Bars are drawn at the right times."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from functions.domain.intervals import Interval, covered
from functions.entrypoints.api.pages.parts.timeline import LEAST_WIDTH, Axis, bars, visits
from functions.entrypoints.api.pages.wording import Clock
from functions.entrypoints.api.schemas.answers import PresenceAnswer
from tests.builders import NINE, at, during, minutes_at

UTC_CLOCK = Clock.of("UTC", NINE.date(), [NINE])
HOUR = Axis(at(0), at(60))
UNTOLD = "end not told"


def presence(start, end, *, is_open=False):
    return PresenceAnswer(
        conference_record="conferenceRecords/abc",
        participant_session="s",
        start_time=at(start),
        end_time=at(end),
        duration_seconds=0,
        open=is_open,
    )


def drawn(*presences, axis=HOUR):
    return bars(presences, axis, UTC_CLOCK, open_end=UNTOLD)


def place(bar):
    return float(bar.x.removesuffix("%")), float(bar.width.removesuffix("%"))


def test_an_hour_is_drawn_in_percent_of_the_axis():
    (bar,) = drawn(presence(15, 45))

    assert place(bar) == (25, 50)
    assert (bar.start, bar.end) == (at(15).isoformat(), at(45).isoformat())
    assert bar.text == "09:15:00 to 09:45:00"


def test_two_devices_are_one_bar_and_a_rejoin_leaves_a_gap():
    shown = drawn(presence(0, 20), presence(10, 30), presence(36, 60))

    assert [place(bar) for bar in shown] == [(0, 50), (60, 40)]


def test_somebody_who_left_in_the_moment_of_joining_is_still_seen():
    (bar,) = drawn(presence(60, 60))

    assert place(bar) == (100 - LEAST_WIDTH, LEAST_WIDTH)
    assert bar.text == "10:00:00 to 10:00:00"
    assert not bar.open


def test_a_moment_within_another_visit_is_not_a_bar_of_its_own():
    assert len(drawn(presence(0, 30), presence(10, 10), presence(30, 30))) == 1


def test_only_what_meet_did_not_tell_is_drawn_as_open():
    shown = drawn(presence(0, 30), presence(12, 60, is_open=True), presence(60, 60, is_open=True))

    assert [(minutes_at(datetime.fromisoformat(bar.end)), bar.open) for bar in shown] == [(30, False), (60, True)]
    assert shown[1].text == "09:30:00 to 10:00:00 (end not told)"
    assert drawn(presence(5, 5, is_open=True))[0].open


@given(st.lists(st.tuples(st.integers(0, 3600), st.integers(0, 3600), st.booleans()), min_size=1, max_size=8))
def test_bars_cover_the_union_of_all_sessions_and_nothing_else(times):
    sessions = [presence(min(a, b) / 60, max(a, b) / 60, is_open=is_open) for a, b, is_open in times]
    shown = [Interval(datetime.fromisoformat(bar.start), datetime.fromisoformat(bar.end)) for bar in drawn(*sessions)]

    assert sum((bar.length for bar in shown), timedelta()) == covered(
        Interval(session.start_time, session.end_time) for session in sessions
    )
    assert shown == sorted(shown)
    for session in sessions:
        assert any(bar.start <= session.start_time <= bar.end for bar in shown)


def test_an_axis_shows_round_times_few_enough_for_a_telephone():
    ticks = Axis(at(-6), at(51)).ticks(UTC_CLOCK)

    assert [tick.label for tick in ticks] == ["09:00", "09:10", "09:20", "09:30", "09:40", "09:50"]
    assert [tick.anchor for tick in ticks] == ["middle"] * 5 + ["end"]
    assert len(Axis(at(0), at(60 * 24 * 3)).ticks(UTC_CLOCK)) <= 7


def test_round_times_are_those_of_the_place():
    clock = Clock.of("Asia/Kathmandu", NINE.date(), [NINE])

    assert [tick.label for tick in Axis(at(0), at(60)).ticks(clock)] == [
        "14:50",
        "15:00",
        "15:10",
        "15:20",
        "15:30",
        "15:40",
    ]


def test_an_axis_needs_a_moment_and_has_a_length():
    assert Axis.over([None]) is None
    assert Axis.over([NINE, None]) == Axis(NINE, NINE + timedelta(minutes=1))


def test_on_the_night_of_the_clocks_each_time_says_which_clock_it_means():
    """The hour from two to three comes twice: the bars are separate, and their times can be distinguished."""
    before, after = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    clock = Clock.of("Europe/Berlin", date(2026, 10, 25), [before, after])
    axis = Axis(before, after)

    assert clock.time(before) == "02:30:00 CEST"
    assert clock.time(after) == "02:30:00 CET"
    assert axis.bar(Interval(before, after), clock).text == "02:30:00 CEST to 02:30:00 CET"
    ticks = ["02:30", "02:40", "02:50", "02:00 CET", "02:10", "02:20", "02:30"]
    assert [tick.label for tick in axis.ticks(clock)] == ticks
    assert clock.named(before) == "Europe/Berlin, where clocks change meanwhile"


def test_on_an_axis_of_several_days_a_label_names_the_day():
    days = 1440
    three = [tick.label for tick in Axis(at(0), at(3 * days)).ticks(UTC_CLOCK)]
    forty = [tick.label for tick in Axis(at(0), at(40 * days)).ticks(UTC_CLOCK)]

    assert three == ["24 Nov", "25 Nov", "26 Nov"]
    assert len(forty) <= 7
    assert forty[0] == "30 Nov"


def test_a_time_of_the_next_day_names_it():
    assert UTC_CLOCK.span(at(14 * 60 + 30), at(15 * 60 + 30)) == "23:30:00 to 00:30:00 on 24 November"


def test_visits_are_ordered_and_keep_moments():
    assert visits([presence(30, 40), presence(20, 20), presence(0, 10)]) == [
        during(0, 10),
        during(20, 20),
        during(30, 40),
    ]

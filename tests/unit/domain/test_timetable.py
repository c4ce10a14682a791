"""The time that each class owns in its room, and the calls that belong to it. Times are in minutes after nine."""

from datetime import UTC, date, datetime, timedelta

import pytest

from functions.domain.classes.roster import Mark
from functions.domain.classes.sessions import SessionState
from functions.domain.classes.timetable import KEPT, Room, Slot, Span
from functions.domain.conferences.model import SyncState
from functions.domain.marking.attendance import unscheduled_session
from tests.builders import (
    ADA,
    BOB,
    SECOND,
    TEACHING,
    TICK,
    at,
    call,
    during,
    expected,
    lesson,
    minutes_at,
    of,
    sheet_of,
)

HALF_AN_HOUR = timedelta(minutes=30)


def slot(session_id, start, end, *, before=30, after=30):
    return Slot(session_id, during(start, end), timedelta(minutes=before), timedelta(minutes=after))


def room(*slots, calls=()):
    """Return a room with classes, and with calls: (name, start, end)."""
    found = Room("spaces/room")
    for one in slots:
        found = found.with_slot(one)
    for name, start, end in calls:
        found = found.with_span(Span(name, during(start, end)))
    return found


MATHS = slot("maths", 0, 60)
PHYSICS = slot("physics", 70, 130)


@pytest.mark.parametrize(
    ("neighbours", "owned"),
    [
        pytest.param([], during(-120, 180), id="alone: two hours on either side"),
        pytest.param([slot("art", 60, 120)], during(-120, 60), id="back to back: up to the bell"),
        pytest.param([slot("art", 80, 120)], during(-120, 70), id="a gap: half of it"),
        pytest.param([slot("art", 300, 360)], during(-120, 180), id="a gap of four hours: half of it is two hours"),
        pytest.param([slot("art", 300 - TICK * 2, 360)], during(-120, 180 - TICK), id="a gap just below four hours"),
        pytest.param([slot("art", 301, 360)], during(-120, 180), id="a gap of more: two hours all the same"),
        pytest.param([slot("art", -90, -30)], during(-15, 180), id="a class before: half of that gap"),
        pytest.param([slot("art", -60, 0)], during(0, 180), id="a class right before"),
        pytest.param([slot("art", -90, -30), slot("pe", 80, 90)], during(-15, 70), id="between two classes"),
        pytest.param([slot("art", 80, 90), slot("pe", 65, 70)], during(-120, 62.5), id="the nearest one counts"),
        pytest.param([slot("art", 60 + 4 * TICK, 90)], during(-120, 60 + 2 * TICK), id="a gap of four microseconds"),
    ],
)
def test_a_class_owns(neighbours, owned):
    assert room(MATHS, *neighbours).owned("maths") == owned


@pytest.mark.parametrize("odd", [1, 3, 5, 7, 10_000_001])
def test_a_gap_of_an_odd_number_of_microseconds_is_shared_without_rest(odd):
    both = room(MATHS, slot("art", 60 + odd * TICK, 120))
    border = both.owned("maths").end

    assert border == both.owned("art").start
    assert abs((border - at(60)) - (at(60 + odd * TICK) - border)) == timedelta(microseconds=1)


def test_a_class_that_is_not_in_the_room_owns_nothing():
    assert room(MATHS).owned("art") is None
    assert room(MATHS).records_of("art") == ()


@pytest.mark.parametrize(
    ("start", "end", "belongs"),
    [
        pytest.param(0, 60, True, id="during the class"),
        pytest.param(-90, 90, True, id="long before and after it too"),
        pytest.param(-45, -30, False, id="gone when the door opens"),
        pytest.param(-45, -30 + TICK, True, id="gone a microsecond after the door opens"),
        pytest.param(-45, -30 + SECOND, True, id="gone a second after the door opens"),
        pytest.param(-10, -5, True, id="only before the class"),
        pytest.param(90, 100, False, id="begun when the door closes"),
        pytest.param(90 - TICK, 100, True, id="begun a microsecond before the door closes"),
        pytest.param(60, 65, True, id="begun when the class ends"),
        pytest.param(-60, -40, False, id="a talk with parents an hour before"),
        pytest.param(110, 130, False, id="a talk an hour after"),
        pytest.param(10, 10, True, id="over in the instant it began"),
        pytest.param(90, 90, False, id="over in the instant it began, when the door closes"),
        pytest.param(-30, -30, True, id="over in the instant it began, when the door opens"),
    ],
)
def test_a_call_belongs_to_the_class(start, end, belongs):
    found = room(MATHS, calls=[("call", start, end)])

    assert found.records_of("maths") == (("call",) if belongs else ())
    assert found.sessions_of(during(start, end)) == (("maths",) if belongs else ())


@pytest.mark.parametrize(
    ("start", "end", "owners"),
    [
        pytest.param(0, 120, ("maths", "art"), id="a call through both classes"),
        pytest.param(0, 60, ("maths",), id="a call until the bell"),
        pytest.param(0, 60 + TICK, ("maths", "art"), id="a call until a microsecond after the bell"),
        pytest.param(60, 120, ("art",), id="a call from the bell on"),
        pytest.param(60 - TICK, 120, ("maths", "art"), id="a call from a microsecond before the bell"),
    ],
)
def test_a_call_around_two_classes_back_to_back(start, end, owners):
    assert room(MATHS, slot("art", 60, 120)).sessions_of(during(start, end)) == owners


def test_an_open_door_ends_at_the_border_to_a_neighbour():
    both = room(MATHS, slot("art", 80, 140))

    assert both.sessions_of(during(62, 70)) == ("maths",)
    assert both.sessions_of(during(70, 78)) == ("art",)
    assert both.sessions_of(during(62, 70 + TICK)) == ("maths", "art")


def test_a_wide_open_door_never_reaches_beyond_two_hours():
    wide = slot("maths", 0, 60, before=600, after=600)

    assert room(wide).sessions_of(during(-200, -120)) == ()
    assert room(wide).sessions_of(during(-200, -120 + TICK)) == ("maths",)
    assert room(wide).sessions_of(during(180, 190)) == ()
    assert room(wide).sessions_of(during(180 - TICK, 190)) == ("maths",)


def test_a_closed_door_lets_in_what_reaches_into_the_class_only():
    closed = slot("maths", 0, 60, before=0, after=0)

    assert room(closed).sessions_of(during(-10, 0)) == ()
    assert room(closed).sessions_of(during(-10, TICK)) == ("maths",)
    assert room(closed).sessions_of(during(60, 70)) == ()


def test_a_class_that_moves_or_goes_leaves_its_time_to_its_neighbours():
    both = room(MATHS, slot("art", 80, 140))

    assert both.with_slot(slot("art", 100, 160)).owned("maths").end == at(80)
    assert both.without_slot("art").owned("maths").end == at(180)


def test_classes_overlap_only_if_they_share_time():
    taken = room(MATHS)

    assert taken.overlapping(during(60, 120)) is None
    assert taken.overlapping(during(-60, 0)) is None
    assert taken.overlapping(during(60 - TICK, 120)) == MATHS
    assert taken.overlapping(during(10, 20)) == MATHS
    assert taken.overlapping(during(-60, 120)) == MATHS
    assert taken.overlapping(during(0, 60), but=["maths"]) is None


def test_a_call_is_known_by_what_was_said_of_it_last():
    again = room(MATHS, calls=[("call", 0, 10), ("other", 5, 6), ("call", 0, 60)])

    assert [span.time for span in again.spans] == [during(0, 60), during(5, 6)]
    assert again.with_span(Span("call", during(0, 60))) is again


def test_a_room_forgets_what_was_long_ago():
    later = at(60) + KEPT
    whole = room(MATHS, PHYSICS, calls=[("call", 0, 60), ("old", -5000, -4000)])

    assert whole.since(later - timedelta(seconds=1)).slots == whole.slots
    assert whole.since(later).slots == whole.slots  # the last earlier one stays
    assert whole.since(later + timedelta(minutes=70)).slots == whole.slots[1:]
    assert [span.conference_record for span in whole.since(later).spans] == ["call"]


def test_a_class_keeps_its_borders_when_its_room_forgets_what_was_before():
    whole = room(MATHS, PHYSICS)

    assert whole.since(at(60) + KEPT).owned("physics") == whole.owned("physics")


def test_the_calls_at_some_time_are_those_that_were_there_at_a_moment_of_it():
    calls = [("before", -10, 0), ("into", -10, TICK), ("within", 5, 10), ("after", 60, 70)]

    assert room(calls=calls).records_touching(during(0, 60)) == ("into", "within")


# --- What comes of it for people ------------------------------------------------------------------------------


def test_a_call_that_dropped_and_was_made_again_is_one_class():
    first = call((TEACHING, (0, 20)), (ADA, (0, 20)), end=20, name="first")
    second = call((TEACHING, (25, 60)), (ADA, (26, 60)), start=25, name="second")
    found = sheet_of(lesson(roster=expected(ADA)), first, second)
    ada = of(found, ADA)

    assert found.session.conference_records == ("conferenceRecords/first", "conferenceRecords/second")
    assert (found.session.actual_start, found.session.actual_end) == (at(0), at(60))
    assert (ada.in_class, len(ada.presences), ada.mark) == (timedelta(minutes=54), 2, Mark.PRESENT)
    assert {presence.conference_record for presence in ada.presences} == set(found.session.conference_records)


def test_two_classes_in_one_call_are_two():
    whole = call((TEACHING, (0, 120)), (ADA, (0, 120)), (BOB, (70, 120)), end=120)
    roster = expected(ADA, BOB)
    maths = sheet_of(lesson(roster=roster, owned=during(-120, 60)), whole)
    art = sheet_of(
        lesson(session_id="art", start=60, end=120, roster=roster, owned=during(60, 240), listed=130), whole, now=131
    )

    assert [of(maths, one).mark for one in (ADA, BOB)] == [Mark.PRESENT, Mark.ABSENT]
    assert [of(art, one).mark for one in (ADA, BOB)] == [Mark.PRESENT, Mark.LATE]
    assert (maths.session.actual_end, art.session.actual_start) == (at(60), at(60))
    assert of(maths, ADA).last_left_at == of(art, ADA).first_joined_at == at(60)
    assert of(maths, BOB).presences == ()


def test_what_lies_beyond_the_owned_time_does_not_count():
    found = sheet_of(lesson(roster=expected(ADA), owned=during(-10, 65)), call((ADA, (-30, 90)), start=-30, end=90))

    assert of(found, ADA).total_duration == timedelta(minutes=75)
    assert (found.session.actual_start, found.session.actual_end) == (at(-10), at(65))


def test_somebody_who_was_in_the_call_but_not_in_the_owned_time_was_not_in_the_class():
    early = call((TEACHING, (-30, 60)), (ADA, (-30, -20)), (BOB, (-30, -20)), start=-30)
    found = sheet_of(lesson(roster=expected(ADA), owned=during(-20, 180)), early)

    assert {(one.display_name, one.kind.value) for one in found.attendance} == {
        ("Ms T.", "signed_in"),
        ("", "expected"),
    }


def test_an_attached_call_counts_whole():
    elsewhere = call((TEACHING, (-300, -200)), (ADA, (-300, -200)), start=-300, end=-200, name="else")
    found = sheet_of(lesson(roster=expected(ADA), attached=["else"]), elsewhere)
    ada = of(found, ADA)

    assert (ada.total_duration, ada.in_class) == (timedelta(minutes=100), timedelta(0))
    assert found.session.actual_start == at(-300)


def test_a_call_of_no_class_is_a_class_meeting_by_itself_and_owns_exactly_its_time():
    talk = call((TEACHING, (-100, -80)), (ADA, (-95, -70)), start=-100, end=-80, name="talk")
    session = unscheduled_session(talk, time_zone="UTC", before=None)
    found = sheet_of(session, talk)

    assert (session.session_id, session.owned) == ("talk", during(-100, -80))
    assert (found.session.state, found.session.plan.scheduled) == (SessionState.ENDED, None)
    assert of(found, ADA).total_duration == of(found, ADA).in_class == timedelta(minutes=15)


@pytest.mark.parametrize("state", list(SyncState))
def test_a_call_that_was_over_in_an_instant_is_a_class_meeting_too(state):
    empty = call(end=None, state=state, pulled=0)
    found = sheet_of(unscheduled_session(empty, time_zone="UTC", before=None), empty)

    assert found.session.start == at(0)
    assert found.attendance == ()


@pytest.mark.parametrize(
    ("time_zone", "begins", "day"),
    [
        ("UTC", datetime(2026, 11, 23, 23, 59, 59, 999_999, tzinfo=UTC), date(2026, 11, 23)),
        ("Europe/Berlin", datetime(2026, 3, 28, 22, 59, 59, tzinfo=UTC), date(2026, 3, 28)),
        ("Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC), date(2026, 3, 29)),
        ("Europe/Berlin", datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC), date(2026, 3, 29)),
        ("Europe/Berlin", datetime(2026, 3, 29, 22, tzinfo=UTC), date(2026, 3, 30)),
        ("Europe/Berlin", datetime(2026, 10, 24, 21, 59, 59, tzinfo=UTC), date(2026, 10, 24)),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), date(2026, 10, 25)),
        ("Europe/Berlin", datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC), date(2026, 10, 25)),
        ("Europe/Berlin", datetime(2026, 10, 25, 23, tzinfo=UTC), date(2026, 10, 26)),
        ("Pacific/Auckland", datetime(2026, 11, 23, 10, 59, 59, tzinfo=UTC), date(2026, 11, 23)),
        ("Pacific/Auckland", datetime(2026, 11, 23, 11, tzinfo=UTC), date(2026, 11, 24)),
        ("Pacific/Auckland", datetime(2026, 6, 23, 11, 59, 59, tzinfo=UTC), date(2026, 6, 23)),
        ("Pacific/Auckland", datetime(2026, 6, 23, 12, tzinfo=UTC), date(2026, 6, 24)),
    ],
)
def test_the_day_of_a_class_is_the_day_where_it_is_held(time_zone, begins, day):
    start = minutes_at(begins)

    assert lesson(start=start, end=start + 60, time_zone=time_zone).local_date == day

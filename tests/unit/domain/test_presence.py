"""Who is in a call now, by events and lists."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.domain.conferences.model import AnonymousUser, Organizer, Participant
from functions.domain.live.calls import MOST_DEVICES, LiveCall, LiveClass, RollCall, Sighting

CALL = "conferenceRecords/rec"
START = datetime(2026, 11, 23, 9, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=seconds)


def session(person, number=1):
    return f"{CALL}/participants/{person}/participantSessions/{number}"


def joined(person, seconds, number=1):
    return Sighting(session(person, number), at(seconds), left=False)


def left(person, seconds, number=1):
    return Sighting(session(person, number), at(seconds), left=True)


def listed(seconds, *people, first=0):
    there = (Participant(f"{CALL}/participants/{name}", AnonymousUser(name), at(first), None, ()) for name in people)
    return RollCall(at(seconds), tuple(there))


@pytest.fixture
def call():
    return LiveCall(CALL, Organizer("users/1"), START, "spaces/room")


def there(call):
    return sorted(name.rpartition("/")[2] for name in call.there)


def test_who_joined_and_has_not_left_is_there(call):
    assert there(call.with_notes([joined("ada", 1), joined("bob", 2), left("ada", 9)])) == ["bob"]


def test_who_comes_back_is_there_again(call):
    assert there(call.with_notes([joined("ada", 1), left("ada", 9), joined("ada", 20, number=2)])) == ["ada"]


def test_who_left_on_one_device_is_still_there_on_the_other(call):
    assert there(call.with_notes([joined("ada", 1), joined("ada", 2, number=2), left("ada", 9)])) == ["ada"]


NOTES = [joined("ada", 1), left("ada", 9), joined("ada", 20, number=2), joined("bob", 3), left("bob", 3)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))))
def test_the_order_of_events_changes_nothing(call, order):
    assert call.with_notes(NOTES[index] for index in order) == call.with_notes(NOTES)


@given(
    st.lists(
        st.builds(
            Sighting,
            st.builds(session, st.sampled_from(["ada", "bob"]), st.integers(1, 3)),
            st.integers(0, 100).map(at),
            left=st.booleans(),
        ),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_events_that_come_twice_and_in_any_order_lead_to_the_same(notes, random):
    call = LiveCall(CALL, Organizer("users/1"), START, "spaces/room")
    again = [*notes, *notes]
    random.shuffle(again)
    assert call.with_notes(again) == call.with_notes(notes)


def test_events_of_another_call_change_nothing(call):
    other = Sighting("conferenceRecords/rec2/participants/ada/participantSessions/1", at(1), left=False)
    assert call.with_notes([other]) == call


def test_somebody_whose_left_event_was_lost_is_gone_after_the_next_list(call):
    call = call.with_notes([joined("ada", 1), joined("bob", 1)]).with_list(listed(300, "bob"))
    assert there(call) == ["bob"]


def test_somebody_whose_joined_event_was_lost_is_there_after_the_next_list(call):
    assert there(call.with_list(listed(300, "ada"))) == ["ada"]


def test_somebody_who_joined_a_moment_ago_may_be_missing_in_a_list(call):
    call = call.with_notes([joined("ada", 299)]).with_list(listed(300))
    assert there(call) == ["ada"]
    assert there(call.with_list(listed(331))) == []


def test_somebody_who_left_a_moment_ago_may_still_be_in_a_list(call):
    call = call.with_notes([joined("ada", 1), left("ada", 299)])
    assert there(call.with_list(listed(300, "ada"))) == []
    assert there(call.with_list(listed(331, "ada"))) == ["ada"]


def test_a_list_that_began_before_somebody_left_does_not_bring_them_back(call):
    call = call.with_notes([joined("ada", 1), left("ada", 301)])
    assert there(call.with_list(listed(300, "ada"))) == []


def test_a_joined_event_that_comes_after_the_list_is_not_a_second_device(call):
    call = call.with_list(listed(300, "ada")).with_notes([joined("ada", 1)])
    assert there(call.with_notes([left("ada", 400)])) == []


def test_a_left_event_without_a_joined_event_ends_what_only_a_list_showed(call):
    call = call.with_list(listed(300, "ada")).with_notes([left("ada", 400)])
    assert there(call) == []


def test_a_late_left_event_of_an_earlier_device_leaves_what_the_list_showed(call):
    call = call.with_list(listed(300, "ada")).with_notes([left("ada", 200)])
    assert there(call) == ["ada"]


def test_an_older_list_changes_nothing(call):
    call = call.with_list(listed(300, "ada"))
    assert call.with_list(listed(299, "bob")) == call


def test_a_late_joined_event_does_not_bring_back_somebody_who_left(call):
    call = call.with_notes([left("ada", 100)]).with_list(listed(300))
    assert there(call.with_notes([joined("ada", 1)])) == []


def test_participants_who_were_in_no_list_are_unknown(call):
    call = call.with_notes([joined("ada", 1), joined("bob", 1)]).with_list(listed(2, "bob"))
    assert [name.rpartition("/")[2] for name in call.unknown] == ["ada"]


def test_a_call_remembers_a_bounded_number_of_devices(call):
    call = call.with_notes(joined(f"p{number}", 1) for number in range(MOST_DEVICES + 100))
    assert len(call.devices) == MOST_DEVICES
    assert len(call.with_list(listed(100_000)).with_list(listed(200_000)).devices) == 0


def test_a_watched_class_is_compared_with_meet_more_often(call):
    call = call.with_list(listed(0))
    alone = LiveClass("s").with_call(call)
    watched = LiveClass("s", looked_at=at(0)).with_call(call)
    assert [live.needs_list(call, at(5 * 60)) for live in (alone, watched)] == [False, True]
    assert [live.check_at(at(1)) for live in (alone, watched)] == [at(20 * 60), at(4 * 60)]

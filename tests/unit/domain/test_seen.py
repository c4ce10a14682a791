"""Events decide for whom Meet is asked, and nothing else: marks and durations are those of a full read."""

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.domain.conferences.model import SessionsSource, SyncState
from functions.domain.conferences.rereading import NOTHING_KNOWN, KnownSessions, known_of, sessions_without_call
from functions.domain.conferences.seen import (
    AGREES,
    NOTHING_SEEN,
    SeenSession,
    SeenSessions,
    digest,
    is_worth_waiting,
    joined,
    left,
    needs_call,
    participant_of,
    record_of,
    session_from_events,
)
from infra.local.event_faults import compared
from tests.builders import RECORD, at, conference, participant, snapshot, student
from tests.examples import examples

ADA = student(2)
SECOND = timedelta(seconds=1)


def listed(person):
    """As the list of participants shows them."""
    return dataclasses.replace(person, sessions=())


def events_of(person, *, skew=timedelta(0)):
    """Everything that events say about somebody if all of them come."""
    seen = NOTHING_SEEN
    for session in person.sessions:
        seen = seen.merged(joined(session.name, session.start_time + skew))
        if session.end_time:
            seen = seen.merged(left(session.name, session.end_time + skew))
    return seen


def is_asked_for(person, seen):
    return needs_call(listed(person), seen.by_participant().get(person.name, {}))


def test_a_person_who_joined_once_has_the_session_that_meet_would_return():
    person = participant(ADA, (0, 60))

    seen = events_of(person).by_participant()[person.name]

    assert (session_from_events(listed(person), seen),) == person.sessions


@pytest.mark.parametrize(
    "person",
    [
        participant(ADA, (0, 20), (30, 60)),  # came again
        participant(ADA, (0, 60), (10, 20)),  # on two devices
        participant(ADA, (0, None)),  # still there
        participant(ADA),
    ],
)
def test_meet_is_asked_for_a_person_with_several_sessions_or_without_an_end(person):
    assert is_asked_for(person, events_of(person))


def test_meet_is_asked_for_a_person_who_lacks_an_event():
    person = participant(ADA, (0, 60))
    (session,) = person.sessions

    assert is_asked_for(person, NOTHING_SEEN)
    assert is_asked_for(person, joined(session.name, at(0)))
    assert is_asked_for(person, left(session.name, at(60)))
    assert is_asked_for(person, joined(session.name, None).merged(left(session.name, at(60))))


@pytest.mark.parametrize(("seconds", "asked"), [(0, False), (60, False), (-60, False), (61, True), (-61, True)])
def test_an_event_counts_if_its_time_is_meets_to_a_minute(seconds, asked):
    person = participant(ADA, (0, 60))

    assert is_asked_for(person, events_of(person, skew=seconds * SECOND)) is asked


def test_one_of_several_events_that_contradicts_the_list_is_enough():
    person = participant(ADA, (0, 60))
    again = joined(person.sessions[0].name, at(0) + AGREES + SECOND)

    assert is_asked_for(person, events_of(person).merged(again))


def test_times_are_those_of_the_list_and_never_those_of_an_event():
    person = participant(ADA, (0, 60))

    seen = events_of(person, skew=30 * SECOND).by_participant()[person.name]

    assert session_from_events(listed(person), seen) == person.sessions[0]


def test_a_session_that_meet_showed_before_and_no_event_named_counts_as_seen():
    """The first read showed a second session, and the events about it were lost."""
    person = participant(ADA, (0, None), (10, 20))
    known = known_of(conference(snapshot(person, end=None), state=SyncState.PROVISIONAL, pulled=30))
    now = participant(ADA, (0, 60), (10, 20))
    only_the_first = events_of(participant(ADA, (0, 60))).by_participant()[person.name]

    assert sessions_without_call(listed(now), known, only_the_first, ended_at=at(60)) is None
    assert sessions_without_call(listed(now), NOTHING_KNOWN, only_the_first, ended_at=at(60)) is not None


def test_a_known_person_is_asked_for_if_an_event_names_a_session_that_was_not_read():
    person = participant(ADA, (0, 60))
    known = known_of(conference(snapshot(person)))
    other = joined(f"{person.name}/participantSessions/other", at(10)).by_participant()[person.name]

    assert sessions_without_call(listed(person), known, {}, ended_at=at(60)) == KnownSessions(
        person.sessions, SessionsSource.MEET
    )
    assert sessions_without_call(listed(person), known, other, ended_at=at(60)) is None


def test_the_name_of_a_participant_session_leads_to_its_participant_and_its_conference():
    name = f"{RECORD}/participants/p1/participantSessions/s1"

    assert participant_of(name) == f"{RECORD}/participants/p1"
    assert record_of(name) == RECORD
    assert participant_of(f"{RECORD}/participants/p1") == f"{RECORD}/participants/p1"


moments = st.none() | st.integers(0, 90).map(at)
names = st.builds("{}/participants/{}/participantSessions/{}".format, st.just(RECORD), *[st.sampled_from("abc")] * 2)
said = st.builds(SeenSession, st.frozensets(moments, max_size=2), st.frozensets(moments, max_size=2))
seens = st.dictionaries(names, said, max_size=4).map(SeenSessions)


@settings(max_examples=examples(100))
@given(seens, seens, seens)
def test_order_and_repetition_of_events_make_no_difference(one, other, third):
    assert one.merged(other) == other.merged(one)
    assert one.merged(one) == one
    assert one.merged(other).merged(third) == one.merged(other.merged(third))
    assert one.merged(other).merged(one) == one.merged(other)


@settings(max_examples=examples(100))
@given(seens, seens)
def test_further_events_never_make_a_session_out_of_doubt_about_another_one(seen, further):
    """Whoever is asked for because two sessions were seen is asked for whatever comes."""
    person = participant(ADA, (0, 60), name="a")
    if len(seen.by_participant().get(person.name, {})) > 1:
        assert is_asked_for(person, seen.merged(further))


@pytest.mark.parametrize(("missing", "worth_it"), [(5, False), (6, True)])
def test_left_events_are_worth_waiting_for_if_more_than_a_few_are_missing(missing, worth_it):
    seen = NOTHING_SEEN
    for number in range(10):
        name = f"{RECORD}/participants/p{number}/participantSessions/1"
        seen = seen.merged(joined(name, at(0))).merged(NOTHING_SEEN if number < missing else left(name, at(60)))

    assert is_worth_waiting(seen) is worth_it


def test_left_events_are_not_waited_for_if_meet_is_asked_for_these_people_anyway():
    seen = NOTHING_SEEN
    for number in range(10):
        for session in (1, 2):
            seen = seen.merged(joined(f"{RECORD}/participants/p{number}/participantSessions/{session}", at(session)))

    assert not is_worth_waiting(seen)


def test_a_digest_shows_other_names_and_nothing_else():
    name = f"{RECORD}/participants/p1/participantSessions/s1"

    assert digest([]) is None
    assert digest([name, name]) == digest([name])
    assert digest([name]) != digest([name, f"{name}2"])
    assert digest(joined(name, at(0)).names) == digest(left(name, at(5)).names)


@pytest.mark.parametrize("first", range(1, 61, 20))
def test_faulty_events_change_no_mark_and_no_duration(first):
    """`python -m infra.local.event_faults` compares a thousand classes."""
    found = [compared(seed) for seed in range(first, first + 20)]

    assert [text for comparison in found for text in comparison.differences] == []
    assert sum(comparison.asked for comparison in found) < sum(comparison.people for comparison in found)

"""A second read only requests people who may have changed, and gives the same result as a full read."""

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.domain.backoff import LONGEST
from functions.domain.conferences.model import (
    AnonymousUser,
    ConferenceRecord,
    Organizer,
    Participant,
    ParticipantSession,
    Reading,
    Snapshot,
    Space,
    SyncSource,
    SyncState,
)
from functions.domain.conferences.rereading import (
    LAG,
    NOTHING_KNOWN,
    after_interruption,
    is_deferred,
    known_of,
)
from functions.domain.conferences.syncing import after_reading
from tests.builders import RECORD, SETTLE, TEACHER, at, conference, participant, reading, snapshot, student
from tests.examples import examples

ADA, BOB = student(2), student(3)


def listed(person):
    """Return participants as their list shows them."""
    return dataclasses.replace(person, sessions=())


def is_asked_for(before, now, *, pulled=61, ended=60, ended_now=60):
    known = known_of(conference(snapshot(before, end=ended), state=SyncState.PROVISIONAL, pulled=pulled))
    return known.sessions_of(listed(now), ended_at=None if ended_now is None else at(ended_now)) is None


@pytest.mark.parametrize(
    ("before", "now", "asked"),
    [
        (participant(ADA, (0, 60)), participant(ADA, (0, 60)), False),
        (participant(ADA, (0, 20), (30, 60)), participant(ADA, (0, 20), (30, 60)), False),
        (participant(ADA, (0, None)), participant(ADA, (0, None)), True),
        (participant(ADA, (0, None)), participant(ADA, (0, 60)), True),
        (participant(ADA, (0, 60), (10, None)), participant(ADA, (0, 60), (10, None)), True),
        (participant(ADA, (0, 50)), participant(ADA, (0, 50), (55, 60)), True),
        (participant(ADA, (5, 60)), participant(ADA, (0, 2), (5, 60)), True),
        (participant(ADA), participant(ADA, (0, 60)), True),
        (participant(ADA), participant(ADA), True),
        (participant(BOB, (0, 60)), participant(ADA, (0, 60)), True),
    ],
    ids=[
        "unchanged",
        "unchanged, who came twice",
        "still open",
        "open, and has an end now",
        "one device still open",
        "came back",
        "an earlier session appeared",
        "had no session",
        "has none yet",
        "somebody new",
    ],
)
def test_sessions_are_asked_for_where_they_may_have_changed(before, now, asked):
    assert is_asked_for(before, now) is asked


def test_a_list_of_sessions_that_was_behind_the_list_of_participants_is_asked_for_again():
    behind = dataclasses.replace(participant(ADA, (0, 20)), latest_end_time=at(60))

    assert is_asked_for(behind, participant(ADA, (0, 20), (30, 60)))


def test_somebody_who_left_just_before_a_read_of_a_call_that_went_on_is_asked_for_again():
    """A second device may have joined and left during the first one's time, and may not be listed yet."""
    left = participant(ADA, (0, 29))

    assert is_asked_for(left, left, pulled=30, ended=None)
    assert not is_asked_for(left, left, pulled=29 + LAG / timedelta(minutes=1), ended=None)


def test_who_left_just_before_a_read_that_began_after_the_end_is_not_asked_for_again():
    assert not is_asked_for(participant(ADA, (0, 60)), participant(ADA, (0, 60)), pulled=60)


def test_a_full_read_knows_nothing():
    assert NOTHING_KNOWN.sessions_of(listed(participant(ADA, (0, 60))), ended_at=at(60)) is None


# --- Every sequence of growing truths ---

END = 15
"""The length of the call in minutes: it is short, so that sessions often contain each other."""
STARTS = st.integers(0, END - 1)
LENGTHS = st.integers(1, 12)
LATE = st.sampled_from([0, 0, 0, 10])
SESSIONS = st.tuples(STARTS, LENGTHS, LATE, st.integers(0, 4))
PEOPLE = st.lists(st.lists(SESSIONS, min_size=1, max_size=4), min_size=1, max_size=4)
READS = st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=2, max_size=6, unique_by=lambda read: read[0])


def truth(people, now):
    """Return what Meet shows at a minute.

    A session appears up to four minutes after its start, its end up to twenty minutes after it.
    """
    shown = []
    for number, sessions in enumerate(people):
        name = f"{RECORD}/participants/p{number}"
        visible = []
        for index, (start, length, late, unlisted) in enumerate(sessions):
            end = min(start + length, END)
            # When the call is over, everything that began is listed.
            if now >= start + unlisted or now >= END:
                ended = at(end) if now >= end + late else None
                visible.append(ParticipantSession(f"{name}/participantSessions/{index}", at(start), ended))
        if visible:
            visible.sort(key=lambda session: (session.start_time, session.name))
            ends = [session.end_time for session in visible]
            shown.append(
                Participant(
                    name,
                    AnonymousUser("A"),
                    min(session.start_time for session in visible),
                    max(ends) if all(ends) else None,
                    tuple(visible),
                )
            )
    record = ConferenceRecord(RECORD, "spaces/room", at(0), at(END) if now >= END else None, None)
    return Snapshot(record, Space("spaces/room", None, None), tuple(sorted(shown, key=lambda person: person.name)))


def read_again(stored, full, now, *, gives_up_after=None):
    """Make a second read that requests as little as possible; return it with the requested participants."""
    known, asked = known_of(stored), []
    ended_at = full.record.end_time if known.interrupted else known.ended_at
    people = []
    for person in full.participants:
        sessions = known.sessions_of(listed(person), ended_at=ended_at)
        if sessions is None:
            if len(asked) == gives_up_after:
                return None, asked
            asked.append(person)
            sessions = person.sessions
        people.append(dataclasses.replace(listed(person), sessions=sessions))
    return Reading(dataclasses.replace(full, participants=tuple(people)), pulled_at=at(now), meet_calls=1), asked


@settings(max_examples=examples(500))
@given(PEOPLE, READS)
def test_reading_again_what_may_have_changed_gives_what_a_full_read_gives(people, reads):
    """This is true for any growth of the data, and also if a read stops halfway and the next read continues."""
    stored = None
    for now, broken_off in sorted(reads):
        full = truth(people, now)
        again, asked = read_again(stored, full, now, gives_up_after=1 if broken_off else None)
        if again is None:
            kept = after_interruption(
                stored,
                asked,
                began_at=at(now),
                conference_record=RECORD,
                organizer=Organizer(user=TEACHER),
                ended_event_at=None,
                source=SyncSource.EVENT,
            )
            stored = kept or stored
            continue
        assert again.snapshot == full
        stored = after_reading(
            stored,
            again,
            organizer=Organizer(user=TEACHER),
            ended_event_at=None,
            source=SyncSource.EVENT,
            settle=SETTLE,
        )


# --- Reads that do not get to their end ---


def interrupted(stored, *people, began=61):
    return after_interruption(
        stored,
        people,
        began_at=at(began),
        conference_record=RECORD,
        organizer=Organizer(user=TEACHER),
        ended_event_at=at(60),
        source=SyncSource.EVENT,
    )


def test_what_was_read_before_a_read_broke_off_is_known_to_the_next_one():
    stored = interrupted(interrupted(None, participant(ADA, (0, 60))), participant(BOB, (0, 60)), began=70)
    known = known_of(stored)

    assert known.interrupted
    assert sorted(known.participants) == [participant(who, (0, 60)).name for who in (ADA, BOB)]
    assert (stored.snapshot, stored.sync.pulled_at, stored.session_ids) == (None, None, ())


def test_a_conference_that_cannot_be_read_to_its_end_waits_twice_as_long_each_time():
    stored, waits, now = None, [], 61.0
    for _ in range(12):
        stored = interrupted(stored, began=now)
        waits.append(stored.interruption.again_at - at(now))
        now += waits[-1] / timedelta(minutes=1)

    assert waits[:4] == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]
    assert waits[-1] == LONGEST
    assert is_deferred(stored, now=stored.interruption.began_at)
    assert not is_deferred(stored, now=stored.interruption.again_at)


def test_a_read_that_broke_off_changes_nothing_that_was_read_before():
    before = conference(snapshot(participant(ADA, (0, None))), state=SyncState.PROVISIONAL, pulled=61)
    after = interrupted(before, participant(BOB, (0, 60)), began=62)

    assert dataclasses.replace(after, interruption=None) == before


@pytest.mark.parametrize("began", [60.5, 61], ids=["an older one", "the same one"])
def test_a_read_that_broke_off_before_another_succeeded_is_forgotten(began):
    before = conference(snapshot(participant(ADA, (0, None))), state=SyncState.PROVISIONAL, pulled=61)

    assert interrupted(before, began=began) is None


def test_a_read_that_succeeds_ends_all_waiting():
    stored = after_reading(
        interrupted(None, participant(ADA, (0, 60))),
        reading(participant(ADA, (0, 60)), pulled=63),
        organizer=Organizer(user=TEACHER),
        ended_event_at=at(60),
        source=SyncSource.EVENT,
        settle=SETTLE,
    )

    assert (stored.sync.state, stored.interruption) == (SyncState.COMPLETE, None)


def test_a_read_that_began_before_the_call_was_over_is_not_final():
    """A participant is missing if they joined after their page was read and left before the record was read."""
    stored = after_reading(
        None,
        reading(participant(ADA, (0, 59)), pulled=59.9),
        organizer=Organizer(user=TEACHER),
        ended_event_at=None,
        source=SyncSource.EVENT,
        settle=SETTLE,
    )

    assert stored.sync.state is SyncState.PROVISIONAL

"""The progress of reading a conference."""

import dataclasses
import itertools

import pytest

from functions.domain.conferences.model import Organizer, SyncError, SyncSource, SyncState
from functions.domain.conferences.syncing import after_failure, after_reading, needs_reading
from tests.builders import RECORD, SETTLE, TEACHER, at, conference, participant, reading, snapshot, student

ADA = participant(student(2), (0, 60))
OPEN = participant(student(2), (0, None))
SILENT = participant(student(2))


def read(stored, what, *, ended_event=60, organizer=TEACHER):
    return after_reading(
        stored,
        what,
        organizer=Organizer(user=organizer),
        ended_event_at=None if ended_event is None else at(ended_event),
        source=SyncSource.EVENT,
        settle=SETTLE,
    )


def fail(stored, minute, *, ended_event=60):
    return after_failure(
        stored,
        SyncError("meet-api-disabled", "off", "switch it on", at(minute)),
        conference_record=RECORD,
        organizer=Organizer(user=TEACHER),
        ended_event_at=None if ended_event is None else at(ended_event),
        source=SyncSource.EVENT,
        settle=SETTLE,
    )


@pytest.mark.parametrize(
    ("what", "state"),
    [
        (reading(ADA, pulled=61), SyncState.COMPLETE),
        (reading(OPEN, pulled=61), SyncState.PROVISIONAL),
        (reading(OPEN, pulled=69.99), SyncState.PROVISIONAL),
        (reading(OPEN, pulled=70), SyncState.COMPLETE),
        (reading(pulled=61), SyncState.PROVISIONAL),
        (reading(pulled=70), SyncState.COMPLETE),
        (reading(SILENT, pulled=61), SyncState.PROVISIONAL),
        (reading(ADA, end=None, pulled=61), SyncState.PROVISIONAL),
        (reading(ADA, end=None, pulled=70), SyncState.COMPLETE),
    ],
    ids=[
        "all ends known",
        "a session still open",
        "just before the settling time is over",
        "open, but the settling time is over",
        "nobody in it yet",
        "nobody in it for good",
        "somebody without any session",
        "the conference's own end unknown",
        "never an end, but the settling time after the event is over",
    ],
)
def test_a_read_is_final_when_all_ends_are_known_or_the_settling_time_is_over(what, state):
    assert read(None, what).sync.state is state


def test_without_end_and_event_the_settling_time_counts_from_the_first_read():
    first = read(None, reading(ADA, end=None, pulled=30), ended_event=None)
    second = read(first, reading(ADA, end=None, pulled=39), ended_event=None)
    third = read(second, reading(ADA, end=None, pulled=40), ended_event=None)

    assert [one.sync.state for one in (first, second, third)] == ["provisional", "provisional", "complete"]


def test_a_call_in_which_somebody_still_is_goes_on_until_meet_must_have_ended_it():
    """It began at nine. Without this rule, a lesson that overruns would be final while it continues."""
    day = 24 * 60
    states = [
        read(None, reading(OPEN, end=None, pulled=30), ended_event=None).sync.state,
        *(
            read(
                read(None, reading(OPEN, end=None, pulled=30), ended_event=None),
                reading(OPEN, end=None, pulled=at),
                ended_event=None,
            ).sync.state
            for at in (120, day + 9, day + 10)
        ),
    ]

    assert states == ["provisional", "provisional", "provisional", "complete"]


def test_an_older_read_never_replaces_a_newer_one():
    after = read(read(None, reading(ADA, pulled=62)), reading(OPEN, pulled=61))

    assert (after.snapshot, after.sync.state, after.sync.pulled_at) == (snapshot(ADA), SyncState.COMPLETE, at(62))


def test_every_order_of_the_same_reads_ends_in_the_same_conference():
    reads = [reading(OPEN, pulled=61), reading(ADA, pulled=62), reading(ADA, pulled=63)]
    outcomes = []
    for order in itertools.permutations(reads):
        stored = None
        for what in order:
            stored = read(stored, what)
        outcomes.append((stored.snapshot, stored.sync.state, stored.sync.pulled_at, stored.sync.first_pulled_at))

    assert len(set(outcomes)) == 1


def test_a_failure_before_any_read_is_kept_with_its_reason_and_hint():
    failed = fail(None, 61)

    assert (failed.sync.state, failed.snapshot, failed.sync.attempts) == (SyncState.FAILED, None, 1)
    assert failed.sync.error.hint == "switch it on"


def test_a_failure_keeps_what_was_read_before():
    failed = fail(read(None, reading(OPEN, pulled=61)), 62)

    assert failed.sync.state is SyncState.FAILED
    assert failed.snapshot == snapshot(OPEN)


def test_a_failure_changes_nothing_about_a_complete_read():
    complete = read(None, reading(ADA, pulled=61))

    assert fail(complete, 62) == complete


def test_a_failure_that_began_before_a_successful_read_is_forgotten():
    provisional = read(None, reading(OPEN, pulled=62))

    assert fail(provisional, 61) == provisional


def test_an_end_that_came_with_a_failure_is_kept_though_a_read_that_began_later_came_before_it():
    provisional = read(None, reading(OPEN, end=None, pulled=62), ended_event=None)

    assert fail(provisional, 61).sync.ended_event_at == at(60)


def test_a_read_is_complete_once_an_end_is_known_that_was_long_ago_then_though_asking_again_fails():
    provisional = read(None, reading(OPEN, end=None, pulled=70), ended_event=None)

    assert fail(provisional, 90).sync.state is SyncState.COMPLETE


def test_an_older_read_does_not_forget_the_end_that_an_event_said():
    told = read(None, reading(OPEN, end=None, pulled=61))

    assert read(told, reading(OPEN, end=None, pulled=40), ended_event=None).sync.ended_event_at == at(60)


def test_an_end_is_kept_when_two_reads_failed_before_any_succeeded():
    failed = fail(fail(None, 62, ended_event=None), 61)

    assert failed.sync.ended_event_at == at(60)


def test_a_success_fixes_a_failure():
    fixed = read(fail(None, 61), reading(ADA, pulled=62))

    assert (fixed.sync.state, fixed.sync.error, fixed.sync.attempts) == (SyncState.COMPLETE, None, 2)


def test_a_read_that_began_before_a_failure_tells_what_it_saw_and_that_it_failed_since():
    late = read(fail(None, 62), reading(OPEN, pulled=61))

    assert late.sync.state is SyncState.FAILED
    assert late.snapshot == snapshot(OPEN)


def test_the_organizer_that_is_known_stays_known():
    again = read(read(None, reading(OPEN, pulled=61)), reading(ADA, pulled=62), organizer=None)

    assert again.organizer.user == TEACHER


@pytest.mark.parametrize(
    ("stored", "ended_event", "needed"),
    [
        (None, 60, True),
        (conference(snapshot(ADA), pulled=61), 60, False),
        (conference(snapshot(ADA), pulled=61), None, True),
        (conference(snapshot(ADA), pulled=30), 60, True),
        (conference(snapshot(OPEN), state=SyncState.PROVISIONAL, pulled=61), 60, True),
        (conference(snapshot(OPEN), state=SyncState.PROVISIONAL, pulled=65), 60, False),
        (fail(None, 63), 60, True),
        (fail(None, 65), 60, False),
        (fail(conference(snapshot(OPEN), state=SyncState.PROVISIONAL, pulled=62), 63), 60, True),
    ],
    ids=[
        "never read",
        "read for good after it ended: the same event again",
        "read for good, but somebody asks for it",
        "read before it ended",
        "not settled",
        "not settled, but read after this message came in",
        "failed",
        "failed after this message came in",
        "failed after it was read",
    ],
)
def test_meet_is_asked_only_when_it_can_tell_something_new(stored, ended_event, needed):
    ended_event_at = None if ended_event is None else at(ended_event)

    assert needs_reading(stored, asked_at=at(64), ended_event_at=ended_event_at) is needed


def test_an_older_failure_never_replaces_a_newer_one():
    newer = fail(None, 65)

    assert fail(newer, 62) == newer


@pytest.mark.parametrize(
    "minute", [-29_000_000, -1, 1_000_000, 4_000_000_000], ids=["1971", "before it began", "in two years", "9999"]
)
def test_a_time_at_which_it_cannot_have_ended_is_not_believed(minute):
    """Without it, the settling time counts from the first read."""
    first = read(None, reading(ADA, end=None, pulled=61), ended_event=minute)
    later = read(first, reading(ADA, end=None, pulled=71), ended_event=minute)

    assert (first.sync.state, first.sync.ended_event_at) == (SyncState.PROVISIONAL, None)
    assert later.sync.state is SyncState.COMPLETE


def test_of_two_events_the_earlier_time_counts_in_whatever_order_they_come():
    reads = [(60, 61), (62, 63)]
    outcomes = set()
    for order in (reads, reads[::-1]):
        stored = None
        for ended_event, pulled in order:
            stored = read(stored, reading(OPEN, end=None, pulled=pulled), ended_event=ended_event)
        outcomes.add(stored.sync.ended_event_at)

    assert outcomes == {at(60)}


def test_a_meeting_code_that_was_found_once_is_not_lost_by_a_read_that_finds_none():
    found = reading(OPEN, pulled=61)
    without = dataclasses.replace(
        reading(ADA, pulled=62),
        snapshot=dataclasses.replace(snapshot(ADA), space=dataclasses.replace(found.snapshot.space, meeting_code=None)),
    )

    assert read(read(None, found), without).snapshot.space == found.snapshot.space

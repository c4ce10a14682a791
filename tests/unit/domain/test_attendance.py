"""From Meet's data to everybody's attendance."""

import dataclasses
import hashlib
import unicodedata
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from functions.domain.classes.sessions import Role, SessionState
from functions.domain.conferences.model import Kind, PhoneUser, SignedInUser, SyncState, clean_display_name
from functions.domain.marking.attendance import sheet, unscheduled_session, whole_seconds
from functions.domain.marking.evidence import Evidence
from tests.builders import RECORD, SETTLE, TEACHER, at, conference, guest, participant, snapshot, student


def sheet_of(*people, time_zone="UTC", **about):
    state = about.pop("state", SyncState.COMPLETE)
    pulled = about.pop("pulled", 61)
    ended_event = about.pop("ended_event", None)
    said = conference(snapshot(*people, **about), state=state, pulled=pulled, ended_event=ended_event)
    session = unscheduled_session(said, time_zone=time_zone, before=None)
    assert session
    return sheet(session, Evidence(conferences=[said], people={}, now=at(pulled), settle=SETTLE))


def attendance_of(*people, **about):
    return {person.user or person.display_name: person for person in sheet_of(*people, **about).attendance}


def test_everybody_who_was_there_has_one_attendance():
    people = attendance_of(
        participant(student(2), (0, 60)),
        participant(guest("Bo"), (5, 10)),
        participant(PhoneUser("+49 ••• 12"), (1, 2)),
    )

    assert {name: person.kind for name, person in people.items()} == {
        "users/2": Kind.SIGNED_IN,
        "Bo": Kind.ANONYMOUS,
        "+49 ••• 12": Kind.PHONE,
    }


def test_the_organizer_is_the_teacher_and_everybody_else_a_guest():
    people = attendance_of(participant(SignedInUser(TEACHER, "T"), (0, 60)), participant(student(2), (0, 60)))

    assert (people[TEACHER].role, people["users/2"].role) == (Role.TEACHER, Role.GUEST)


def test_two_devices_and_a_rejoin_are_one_persons_union():
    ada = attendance_of(participant(student(2), (0, 20), (10, 30), (40, 50)))["users/2"]

    assert ada.total_duration == timedelta(minutes=40)
    assert (ada.first_joined_at, ada.last_left_at) == (at(0), at(50))
    assert len(ada.presences) == 3


def test_one_account_listed_as_two_participants_is_one_person():
    people = attendance_of(
        participant(student(2, "Ada"), (0, 20), name="p1"), participant(student(2, "Ada L."), (10, 30), name="p2")
    )

    assert list(people) == ["users/2"]
    assert people["users/2"].total_duration == timedelta(minutes=30)
    assert people["users/2"].display_name == "Ada L."


def test_two_guests_of_one_name_are_two_people():
    found = sheet_of(participant(guest("Sam"), (0, 20), name="p1"), participant(guest("Sam"), (10, 30), name="p2"))

    assert sorted(person.total_duration for person in found.attendance) == [timedelta(minutes=20)] * 2


def test_an_open_session_lasts_until_the_person_was_last_seen():
    ada = dataclasses.replace(participant(student(2), (0, None)), latest_end_time=at(25))

    assert attendance_of(ada)["users/2"].total_duration == timedelta(minutes=25)


def test_an_open_session_of_somebody_last_seen_before_it_lasts_until_the_end():
    ada = dataclasses.replace(participant(student(2), (0, 10), (20, None)), latest_end_time=at(20))

    assert attendance_of(ada)["users/2"].total_duration == timedelta(minutes=50)


def test_an_open_session_is_marked_open():
    ada = attendance_of(participant(student(2), (0, 10), (20, None)))["users/2"]

    assert [presence.open for presence in ada.presences] == [False, True]


def test_a_running_conference_counts_until_it_was_read():
    found = sheet_of(participant(student(2), (0, None)), end=None, state=SyncState.PROVISIONAL, pulled=42)

    assert found.session.state is SessionState.LIVE
    assert found.attendance[0].total_duration == timedelta(minutes=42)


def test_a_conference_without_end_counts_until_the_event_said_it_ended():
    found = sheet_of(
        participant(student(2), (0, None)), end=None, state=SyncState.PROVISIONAL, pulled=52, ended_event=50
    )

    assert found.session.state is SessionState.ENDED
    assert found.session.actual_end == at(50)


def test_a_conference_that_never_got_an_end_ends_with_the_last_moment_anybody_shows():
    found = sheet_of(
        participant(student(2), (0, None)), participant(student(3), (5, 47)), end=None, pulled=90, ended_event=50
    )

    assert found.session.actual_end == at(47)
    assert {person.total_duration for person in found.attendance} == {timedelta(minutes=47), timedelta(minutes=42)}


def test_nobody_is_counted_outside_the_conference():
    ada = attendance_of(participant(student(2), (-5, 70)))["users/2"]

    assert (ada.first_joined_at, ada.last_left_at) == (at(0), at(60))


def test_who_left_in_the_instant_of_joining_is_there_with_no_time():
    ada = attendance_of(participant(student(2), (10, 10)))["users/2"]

    assert ada.total_duration == timedelta(0)
    assert len(ada.presences) == 1


def test_seconds_are_summed_exactly_and_cut_once():
    visits = [(0, 0.016), (1, 1.016), (2, 2.016)]  # 0.96 s each
    ada = attendance_of(participant(student(2), *visits))["users/2"]

    assert whole_seconds(ada.total_duration) == 2


def test_the_local_date_is_that_of_the_school():
    found = sheet_of(participant(student(2), (0, 60)), time_zone="Pacific/Auckland", start=180)

    assert found.session.local_date == date(2026, 11, 24)


def test_the_attendee_id_is_a_pseudonym_that_anybody_can_compute_again():
    ada = attendance_of(participant(student(2), (0, 60)))["users/2"]
    sam = sheet_of(participant(guest("Sam"), (0, 60), name="p1")).attendance[0]

    assert ada.attendee_id == hashlib.sha256(b"abc/users/2").hexdigest()[:20]
    assert sam.attendee_id == hashlib.sha256(f"abc/{RECORD}/participants/p1".encode()).hexdigest()[:20]


minutes = st.integers(min_value=-10, max_value=70)
visit = st.tuples(minutes, st.one_of(st.none(), minutes))
people = st.lists(st.tuples(st.integers(2, 6), st.lists(visit, max_size=5)), max_size=8)


@given(people, st.one_of(st.none(), st.integers(1, 60)))
def test_a_second_and_naive_computation_gives_the_same_minutes(who, end):
    participants = [participant(student(user), *visits, name=f"p{i}") for i, (user, visits) in enumerate(who)]
    found = sheet_of(*participants, end=end)

    if end is None:
        shown = [0]
        for one in participants:
            ends = [v[1] for v in who[int(one.name[-1])][1]]
            shown += [m for v in who[int(one.name[-1])][1] for m in v if m is not None]
            assert (one.latest_end_time is None) == (not ends or None in ends)
        end = max(shown)
    minutes_of = {}
    for user, visits in who:
        known = [last for _, last in visits]
        seen = max(known) if known and None not in known else None
        for first, last in visits:
            stop = last if last is not None else (seen if seen is not None and seen > first else end)
            there = minutes_of.setdefault(f"users/{user}", set())
            there |= {minute for minute in range(first, stop) if 0 <= minute < end}

    computed = {person.user: person.total_duration for person in found.attendance if person.total_duration}
    assert computed == {user: timedelta(minutes=len(there)) for user, there in minutes_of.items() if there}


@given(people)
def test_what_a_person_shows_agrees_with_itself(who):
    participants = [participant(student(user), *visits, name=f"p{i}") for i, (user, visits) in enumerate(who)]

    for person in sheet_of(*participants).attendance:
        assert person.first_joined_at == person.presences[0].interval.start
        assert person.last_left_at == max(presence.interval.end for presence in person.presences)
        assert person.total_duration <= person.last_left_at - person.first_joined_at


@given(people, st.randoms(use_true_random=False))
def test_the_order_in_which_meet_lists_people_does_not_matter(who, dice):
    participants = [participant(student(user), *visits, name=f"p{i}") for i, (user, visits) in enumerate(who)]
    shuffled = list(participants)
    dice.shuffle(shuffled)

    assert sheet_of(*shuffled) == sheet_of(*participants)


def test_a_display_name_is_stored_on_one_line_without_control_characters_and_bounded():
    assert clean_display_name("  Ada\r\n\tLove\x00lace\u2028 \x1b[31m ") == "Ada Lovelace [31m"
    assert clean_display_name("x" * 10_000) == "x" * 200
    assert clean_display_name("") == ""
    assert clean_display_name("a\u202egpj.exe\u202c") == "agpj.exe"
    assert clean_display_name("x" * 199 + " y") == "x" * 199
    assert clean_display_name("<script>") == "<script>"


@given(st.text(max_size=400))
def test_no_display_name_is_too_long_or_holds_a_control_character(typed):
    stored = clean_display_name(typed)

    assert len(stored) <= 200
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in stored)
    stored.encode()

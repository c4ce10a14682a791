"""Who is removed, and from which documents: one module decides this."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from functions.domain.classes.roster import (
    Assignment,
    Correction,
    Decision,
    Mark,
    Override,
    Remembered,
    RoomDevice,
    RosterEntry,
)
from functions.domain.classes.sessions import Person, Plan, Remark
from functions.domain.classes.timetable import Room
from functions.domain.conferences.model import (
    AnonymousUser,
    DeviceUser,
    EmailUser,
    Identity,
    IdentitySource,
    Interruption,
    Organizer,
    Participant,
    PhoneUser,
    SignedInUser,
)
from functions.domain.erasure import NOBODY, Erased, Name, NameKind, names_in
from functions.domain.marking.people import attendee_id
from tests.builders import at, call, lesson

KEY = b"a key that only the system has"
ADA = [
    Name(NameKind.USER, "users/17"),
    Name.of(NameKind.EMAIL, "Ada.L@googlemail.com"),
    Name(NameKind.STUDENT_ID, "4711"),
    Name(NameKind.PARTICIPANT, "conferenceRecords/1/participants/guest"),
]
ERASED = Erased(KEY, {name.fingerprint(KEY): "token" for name in ADA}, {"token": frozenset(NameKind)})
BY_ADDRESS = Erased(KEY, {ADA[1].fingerprint(KEY): "token"}, {"token": frozenset({NameKind.EMAIL})})
"""The erased person if only an address was ever known."""
BY = Decision("head@school.example", None, datetime(2026, 11, 27, tzinfo=UTC))


def participant(user, name="p"):
    return Participant(f"conferenceRecords/1/participants/{name}", user, at(0), at(60), ())


def with_people(*people):
    conference = call()
    return replace(conference, snapshot=replace(conference.snapshot, participants=people))


@pytest.mark.parametrize(
    "user",
    [
        SignedInUser("users/17", "Ada"),
        EmailUser("adal@gmail.com", None, ""),
        EmailUser("other@school.example", "users/17", ""),
    ],
)
def test_a_participant_is_dropped_by_account_and_by_address_in_any_spelling(user):
    conference = ERASED.conference(with_people(participant(user), participant(SignedInUser("users/2", "B"), "b")))

    assert [p.user for p in conference.snapshot.participants] == [SignedInUser("users/2", "B")]
    assert conference.erased == ("token",)


def test_a_guest_who_was_assigned_is_dropped_by_the_participants_own_name():
    conference = ERASED.conference(with_people(participant(AnonymousUser("Tablet"), "guest")))

    assert conference.snapshot.participants == ()


@pytest.mark.parametrize("user", [AnonymousUser("Ada"), PhoneUser("Ada"), DeviceUser("Ada"), SignedInUser("", "Ada")])
def test_nobody_is_dropped_by_a_name_that_somebody_typed(user):
    conference = with_people(participant(user))

    assert ERASED.conference(conference) is conference


def test_what_a_reading_left_behind_that_was_broken_off_is_dropped_too():
    read = ((participant(SignedInUser("users/17", "Ada")), at(5)), (participant(SignedInUser("users/2", "B")), at(5)))
    conference = replace(call(), interruption=Interruption(at(5), 1, at(6), read))

    assert [p.user.user for p, _ in ERASED.conference(conference).interruption.participants] == ["users/2"]


def test_erasing_a_conference_again_keeps_the_count_of_erased_people():
    once = ERASED.conference(with_people(participant(SignedInUser("users/17", "Ada"))))

    assert ERASED.conference(once) is once
    assert once.erased == ("token",)


@pytest.mark.parametrize(
    "entry",
    [
        RosterEntry("ada.l@gmail.com"),
        RosterEntry("new@school.example", "4711"),
        RosterEntry("new@school.example", user="users/17"),
    ],
)
def test_a_student_of_the_roster_is_dropped_by_every_name(entry):
    planned = lesson()
    session = replace(planned, plan=replace(planned.plan, roster=(entry, RosterEntry("b@school.example"))))

    after = ERASED.session(session)

    assert after.plan.roster == (RosterEntry("b@school.example"),)
    assert after.plan.erased == ("token",)


def test_an_address_that_was_given_on_means_the_person_only_where_the_attendance_does():
    planned, entry = lesson(), RosterEntry("given.on@school.example")
    session = replace(planned, plan=replace(planned.plan, roster=(entry,)))
    own = attendee_id(session.session_id, entry.key)

    assert Erased(KEY, attendees={own: "token"}).session(session).plan.roster == ()
    assert Erased(KEY, attendees={attendee_id("another", entry.key): "token"}).session(session).plan.roster == (entry,)


def test_corrections_about_the_person_go_and_those_by_the_person_lose_the_name():
    gone: list[Correction] = [
        Override("1", "4711", None, Mark.LATE, None, BY),
        Override("1", None, "adal@gmail.com", Mark.LATE, None, BY),
        Assignment("g", None, "ada.l@gmail.com", BY),
        Assignment("g", "1", None, BY, user="users/17"),
    ]
    by_ada = Override("2", "2", None, Mark.LATE, None, replace(BY, by="ada.l@gmail.com"))
    device = RoomDevice("3", BY)

    assert [ERASED.correction(correction) for correction in gone] == [None] * 4
    assert ERASED.correction(by_ada).decision.by == "erased"
    assert ERASED.correction(device) is device


def test_whose_an_account_is_that_has_the_address_by_now_is_a_question_and_no_answer():
    identity = Identity("users/99", "adal@gmail.com", ("b@school.example",), "Ada", IdentitySource.PEOPLE)

    assert BY_ADDRESS.in_question(Person("users/99", identity, resolved_at=at(0))) == {ADA[1]}
    assert BY_ADDRESS.in_question(Person("users/2")) == frozenset()
    assert ERASED.in_question(Person("users/17", identity, resolved_at=at(0))) == frozenset()
    assert (BY_ADDRESS.has_account("token"), ERASED.has_account("token")) == (False, True)


def test_an_account_that_reports_name_with_an_erased_address_is_not_dropped_for_it():
    reported = with_people(participant(EmailUser("adal@gmail.com", "users/99", "")))

    assert BY_ADDRESS.conference(reported) is reported


def test_the_next_owner_of_an_address_is_somebody_else():
    identity = Identity("users/99", "adal@gmail.com", (), "Bob", IdentitySource.PEOPLE)
    owner = Person("users/99", identity, resolved_at=at(0))
    reported = with_people(participant(EmailUser("ada.l@googlemail.com", "users/99", "")))
    entry = RosterEntry("ada.l@gmail.com", "4712")
    planned = lesson()
    session = replace(planned, plan=replace(planned.plan, roster=(entry,), named_before=(("adal@gmail.com", at(0)),)))
    override = Override("1", "4712", "adal@gmail.com", Mark.LATE, None, BY)

    assert ERASED.in_question(owner) == {Name.of(NameKind.EMAIL, "ada.l@gmail.com")}
    assert ERASED.conference(reported) is reported
    assert ERASED.session(session) is session
    assert ERASED.correction(override) is override


def test_an_address_that_the_lms_gives_to_a_student_with_another_id_is_free_again():
    planned = lesson()

    def on(*roster):
        return replace(planned, plan=replace(planned.plan, roster=roster))

    assert ERASED.claimed_in(on(RosterEntry("ada.l@gmail.com", "4712"))) == {ADA[1]}
    for entry in (
        RosterEntry("ada.l@gmail.com"),
        RosterEntry("ada.l@gmail.com", "4711"),
        RosterEntry("b@x.example", "2"),
    ):
        assert ERASED.claimed_in(on(entry)) == frozenset()
    assert BY_ADDRESS.claimed_in(on(RosterEntry("ada.l@gmail.com", "4712"))) == frozenset()


def test_an_account_that_came_with_another_students_id_leaves_that_student_on_the_roster_without_it():
    planned = lesson()
    session = replace(
        planned, plan=replace(planned.plan, roster=(RosterEntry("b@school.example", "2", user="users/17"),))
    )

    assert ERASED.session(session).plan.roster == (RosterEntry("b@school.example", "2"),)


def test_somebody_elses_account_that_was_lent_stays_and_is_not_remembered_as_the_person_any_more():
    decided = (BY.by, BY.at)

    assert ERASED.remembered(Remembered("4711", "b@school.example", *decided)) is None
    assert ERASED.remembered(Remembered("2", "adal@gmail.com", *decided)) == Remembered("2", "adal@gmail.com", *decided)


def test_a_call_and_a_room_of_the_person_lose_their_owner():
    conference = replace(call(), organizer=Organizer("users/17", "ada.l@gmail.com"))
    others = replace(call(), organizer=Organizer("users/2", "b@school.example"))
    unscheduled = replace(lesson(), plan=Plan(teachers=("adal@gmail.com", "b@school.example")))

    assert ERASED.conference(conference).organizer == Organizer()
    assert ERASED.conference(others) is others
    assert ERASED.room(Room("spaces/1", Organizer("users/17"))).owner == Organizer()
    assert ERASED.room(room := Room("spaces/1", Organizer("users/2"))) is room
    assert ERASED.session(unscheduled).plan.teachers == ("b@school.example",)


def test_what_is_to_be_marked_again_loses_the_person_and_goes_if_nobody_is_left():
    other = RosterEntry("b@school.example")

    assert ERASED.remark(Remark("1", (RosterEntry(student_id="4711"), other))).accounts == (other,)
    assert ERASED.remark(Remark("1", (RosterEntry(student_id="4711"),))) is None


def test_without_erased_people_nothing_changes():
    conference, session = call(), lesson()

    assert NOBODY.conference(conference) is conference
    assert NOBODY.session(session) is session
    assert not NOBODY


def test_a_fingerprint_tells_nothing_without_the_key_and_names_of_different_kinds_apart():
    assert Name(NameKind.USER, "4711").fingerprint(KEY) != Name(NameKind.STUDENT_ID, "4711").fingerprint(KEY)
    assert Name(NameKind.USER, "4711").fingerprint(KEY) != Name(NameKind.USER, "4711").fingerprint(b"another key")
    assert Name.of(NameKind.EMAIL, "A.B@GoogleMail.com").fingerprint(KEY) == Name.of(
        NameKind.EMAIL, "ab@gmail.com"
    ).fingerprint(KEY)


@pytest.mark.parametrize(
    "message",
    [
        '{"organizer": "ada.l@gmail.com"}',
        "Ada <Ada.L@GoogleMail.com>, please",
        json.dumps({"message": {"data": base64.b64encode(b'{"organizer": "users/17"}').decode()}}),
        json.dumps({"students": [{"student_id": "4711"}]}),
    ],
)
def test_a_message_is_searched_for_names_however_it_is_encoded(message):
    assert ERASED.mentioned_in(message)


@pytest.mark.parametrize("message", ["", "{", "[" * 100_000, '{"id": "4711"}', "users/170", "b@school.example", "QUJD"])
def test_a_message_about_others_names_nobody(message):
    assert not ERASED.mentioned_in(message)
    assert Name(NameKind.USER, "users/17") not in names_in(message)


@pytest.mark.parametrize(
    "text", ["x" * 500_000, "@" * 100_000, "a@" * 50_000, "a" * 64 + "@", "users/" * 100_000, "@example", "a@ b"]
)
def test_a_long_message_is_searched_in_proportion_to_its_length(text):
    """Each of these texts took minutes when every character was tried as the beginning of an address."""
    assert names_in(text) <= {Name(NameKind.EMAIL, "a@a")}


def test_an_address_is_found_wherever_it_is_in_a_long_message():
    local, domain = "l" * 64, "d" * 63 + ".example"
    text = "x " * 100_000 + f"mailto:{local}@{domain}." + " y" * 100_000

    assert names_in(text) == {Name.of(NameKind.EMAIL, f"{local}@{domain}")}

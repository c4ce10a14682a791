"""Which person a participant is: the account and people's decisions decide, never the name."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.domain.classes.roster import Mark, Remembered, RosterEntry
from functions.domain.classes.sessions import EmailSource, Person, Role
from functions.domain.conferences.model import (
    AnonymousUser,
    DeviceUser,
    EmailUser,
    IdentitySource,
    Kind,
    Organizer,
    PhoneUser,
    SignedInUser,
)
from functions.domain.marking.people import attendee_id
from functions.domain.marking.who import NameIndex
from tests.builders import (
    ADA,
    BOB,
    CO_TEACHING,
    EMAILS,
    EVERYBODY,
    NINE,
    TEACHER,
    TEACHING,
    assignment,
    call,
    expected,
    known,
    lesson,
    nobody,
    of,
    participant,
    room_device,
    sheet_of,
)

STRANGER = SignedInUser("users/77", "Ada Lovelace")
PHONE = PhoneUser("+49 ••• 12")
ADAS = RosterEntry(email="ada@school.example", student_id="A1", display_name="Ada Lovelace")
BOBS = RosterEntry(email="bob@school.example", student_id="B2", display_name="Bob Byte")
ALL_CLASS = (0, 60)


def own_id(key, session_id="maths"):
    return attendee_id(session_id, key)


def who_was(*people, roster=(ADAS, BOBS), known_people=EVERYBODY, told=(), rooms=(), **about):
    """Return the attendance of a class with its teacher and these participants, who are all there the whole time."""
    there = [one if isinstance(one, tuple) else (one, ALL_CLASS) for one in people]
    return sheet_of(
        lesson(roster=roster, **about),
        call((TEACHING, ALL_CLASS), *there),
        people=known_people,
        corrections=told,
        room_names=rooms,
    )


def remembered(person, *, student_id=None, email=None):
    return Person(
        person.user, person.identity, person.unknown, person.resolved_at, Remembered(student_id, email, "office", NINE)
    )


ACCOUNT = SignedInUser("users/50", "A. L.")
HER_ADDRESS = known("users/50", "ada@school.example")
BOBS_ADDRESS = known("users/50", "bob@school.example")


@pytest.mark.parametrize(
    ("person", "roster", "student"),
    [
        pytest.param(HER_ADDRESS, (ADAS, BOBS), "A1", id="the account's address"),
        pytest.param(
            known("users/50", "ada@school.example", source=IdentitySource.PEOPLE), (ADAS, BOBS), "A1", id="by People"
        ),
        pytest.param(known("users/50", "a.l@school.example", "ada@school.example"), (ADAS, BOBS), "A1", id="an alias"),
        pytest.param(
            known("users/50", "ada@school.example", "bob@school.example"), (BOBS, ADAS), "A1", id="address before alias"
        ),
        pytest.param(
            known("users/50", "new@school.example"),
            (RosterEntry(student_id="A1", user="users/50"), BOBS),
            "A1",
            id="the account that the roster names",
        ),
        pytest.param(
            None,
            (RosterEntry(student_id="A1", user="users/50"), BOBS),
            "A1",
            id="the same, of an account never looked up",
        ),
        pytest.param(
            known("users/50", "x@school.example", "ada@school.example"),
            (RosterEntry(student_id="B2", user="users/50"), ADAS),
            "A1",
            id="alias before the account that the roster names",
        ),
        pytest.param(remembered(BOBS_ADDRESS, student_id="A1"), (ADAS, BOBS), "A1", id="remembered before address"),
        pytest.param(
            remembered(BOBS_ADDRESS, email="ada@school.example"), (ADAS, BOBS), "A1", id="remembered by its address"
        ),
        pytest.param(
            remembered(HER_ADDRESS, student_id="gone"), (ADAS, BOBS), "A1", id="remembered as somebody of another class"
        ),
        pytest.param(
            remembered(nobody("users/50"), student_id="A1"), (ADAS, BOBS), "A1", id="remembered, else unknown"
        ),
    ],
)
def test_a_student_is_known_by(person, roster, student):
    people = {TEACHER: EVERYBODY[TEACHER]} | ({"users/50": person} if person else {})
    found = who_was(ACCOUNT, roster=roster, known_people=people)
    here = [one for one in found.attendance if one.role is Role.STUDENT and one.presences]

    assert [one.entry.student_id for one in here] == [student]
    assert here[0].attendee_id == own_id(student)
    assert here[0].mark is Mark.PRESENT
    assert found.counts["guests"] == 0


def test_what_people_say_of_this_class_is_stronger_than_what_they_once_said():
    people = EVERYBODY | {"users/50": remembered(HER_ADDRESS, student_id="A1")}
    found = who_was(ACCOUNT, known_people=people, told=[assignment(own_id("users/50"), student_id="B2")])

    assert [one.mark for one in (of(found, "A1"), of(found, "B2"))] == [Mark.ABSENT, Mark.PRESENT]


@pytest.mark.parametrize("guest", [PHONE, AnonymousUser("me"), STRANGER], ids=lambda guest: type(guest).__name__)
def test_an_assigned_guest_is_that_student_and_nobody_else(guest):
    there = participant(guest, (0, 40), name="p7")
    key = guest.user if isinstance(guest, SignedInUser) else there.name
    found = who_was((ADA, (30, 60)), told=[assignment(own_id(key), student_id="A1")])
    both = sheet_of(
        lesson(roster=(ADAS, BOBS)),
        call((TEACHING, ALL_CLASS), (ADA, (30, 60)), there),
        corrections=[assignment(own_id(key), student_id="A1")],
    )
    ada = of(both, "A1")

    assert of(found, "A1").mark is Mark.LATE
    assert (ada.mark, len(ada.presences), ada.user) == (Mark.PRESENT, 2, ADA.user)
    assert [(one.attendee_id, one.display_name, one.by) for one in ada.merged] == [
        (own_id(key), guest.display_name, EMAILS[TEACHER])
    ]
    assert ada.email_source is EmailSource.ASSIGNED
    assert both.counts["guests"] == 0


def test_somebody_known_only_by_assignment_keeps_the_kind_of_device():
    found = who_was(PHONE, told=[assignment(own_id(participant(PHONE, ALL_CLASS).name), email="ada@school.example")])
    ada = of(found, "A1")

    assert (ada.kind, ada.user, ada.display_name, ada.email) == (
        Kind.PHONE,
        None,
        "Ada Lovelace",
        "ada@school.example",
    )


def test_an_assignment_to_somebody_who_is_not_expected_here_changes_nothing():
    found = who_was(STRANGER, told=[assignment(own_id("users/77"), student_id="gone")])

    assert of(found, STRANGER).role is Role.GUEST


def test_an_assignment_never_moves_to_another_student_who_now_has_the_address():
    told = [assignment(own_id("users/77"), student_id="gone", email="ada@school.example")]
    found = who_was(STRANGER, told=told)

    assert (of(found, "A1").mark, of(found, "users/77").role) == (Mark.ABSENT, Role.GUEST)


def test_what_is_remembered_never_moves_to_another_student_who_now_has_the_address():
    people = EVERYBODY | {"users/50": remembered(HER_ADDRESS, student_id="gone", email="bob@school.example")}
    found = who_was(ACCOUNT, known_people=people)

    assert of(found, "B2").mark is Mark.ABSENT


def test_an_assignment_finds_by_the_address_a_student_that_the_roster_gives_an_id_only_later():
    found = who_was(STRANGER, told=[assignment(own_id("users/77"), email="ada@school.example")])

    assert of(found, "A1").mark is Mark.PRESENT


def test_an_assignment_concerns_one_class_only():
    found = who_was(STRANGER, told=[assignment(own_id("users/77", session_id="art"), student_id="A1")])

    assert of(found, STRANGER).role is Role.GUEST


def test_two_accounts_of_one_student_are_one_student():
    people = EVERYBODY | {"users/50": known("users/50", "ada.home@mail.example")}
    named = dataclasses.replace(ADAS, user="users/50")
    found = who_was((ADA, (0, 30)), (ACCOUNT, (20, 60)), roster=(named, BOBS), known_people=people)
    ada = of(found, "A1")

    assert (len(ada.presences), ada.in_class.total_seconds()) == (2, 3600)
    assert ada.emails == ("ada@school.example", "ada.home@mail.example")
    assert ada.user == "users/50"  # the latest


@pytest.mark.parametrize("guest", [STRANGER, AnonymousUser("Ada Lovelace"), PhoneUser("Ada Lovelace")])
def test_a_name_makes_nobody_a_student(guest):
    found = who_was(guest)
    (stranger,) = [one for one in found.attendance if one.role is Role.GUEST]

    assert of(found, "A1").mark is Mark.ABSENT
    assert [(one.attendee_id, one.match) for one in stranger.suggestions] == [(own_id("A1"), "same")]
    assert (stranger.email, stranger.mark) == (None, None)


def test_guests_of_one_name_are_never_mixed():
    there = [participant(AnonymousUser("Sam"), ALL_CLASS, name=f"p{number}") for number in range(3)]
    found = sheet_of(lesson(), call(*there))

    assert len({one.attendee_id for one in found.attendance}) == 3
    assert found.counts["guests"] == 3


def test_signed_in_people_without_an_account_from_meet_are_people_of_their_own():
    """Google only documents `SignedinUser.user` as output: nothing guarantees that it is set."""
    nameless = SignedInUser("", "Ada Lovelace")
    found = sheet_of(lesson(), call(*(participant(nameless, ALL_CLASS, name=name) for name in "xy")))

    guests = [one for one in found.attendance if one.role is Role.GUEST]
    assert [(one.kind, one.user, one.email) for one in guests] == [(Kind.SIGNED_IN, None, None)] * 2
    assert len({one.attendee_id for one in guests}) == 2


def test_students_of_one_name_are_never_mixed():
    sams = [RosterEntry(student_id=number, user=f"users/{number}", display_name="Sam Doe") for number in ("61", "62")]
    there = [(SignedInUser("users/61", "Sam Doe"), ALL_CLASS), (SignedInUser("users/62", "Sam Doe"), (30, 60))]
    found = who_was(*there, AnonymousUser("Sam Doe"), roster=sams)
    (guest,) = [one for one in found.attendance if one.kind is Kind.ANONYMOUS]

    assert [of(found, number).mark for number in ("61", "62")] == [Mark.PRESENT, Mark.LATE]
    assert {one.attendee_id for one in guest.suggestions} == {own_id("61"), own_id("62")}


# --- Teachers -------------------------------------------------------------------------------------------------


def test_a_teacher_who_is_on_the_roster_is_a_teacher_and_not_expected():
    found = who_was(CO_TEACHING, teachers=(EMAILS[TEACHER], EMAILS["users/9"]), roster=[*expected(CO_TEACHING), ADAS])

    assert {(one.role, one.mark) for one in found.attendance} == {(Role.TEACHER, None), (Role.STUDENT, Mark.ABSENT)}
    assert sum(found.counts.values()) == 1


def test_a_teacher_is_known_by_an_alias_too():
    people = EVERYBODY | {"users/9": known("users/9", "c@school.example", EMAILS["users/9"])}
    found = who_was(CO_TEACHING, known_people=people, teachers=(EMAILS["users/9"],))

    assert of(found, CO_TEACHING).role is Role.TEACHER
    assert of(found, TEACHING).role is Role.GUEST


def test_a_teacher_is_a_teacher_whatever_people_assigned():
    people = EVERYBODY | {TEACHER: remembered(EVERYBODY[TEACHER], student_id="A1")}
    found = who_was(known_people=people, told=[assignment(own_id(TEACHER), student_id="A1")])

    assert of(found, TEACHING).role is Role.TEACHER
    assert of(found, "A1").kind is Kind.EXPECTED


def test_a_teacher_who_never_came_has_no_attendance():
    found = sheet_of(lesson(roster=expected(ADA)), call((ADA, ALL_CLASS), (BOB, ALL_CLASS)))

    assert {one.role for one in found.attendance} == {Role.STUDENT, Role.GUEST}


def test_an_organizer_whose_account_cannot_be_looked_up_is_known_by_the_address_of_enrolment():
    hers = Organizer(TEACHER, EMAILS[TEACHER])
    own = call((TEACHING, (0, 30)), (ADA, ALL_CLASS), organizer=hers)
    found = sheet_of(lesson(), own, people={})

    assert of(found, TEACHING).role is Role.TEACHER


def test_an_organizer_is_the_same_person_in_another_persons_call():
    hers, other = Organizer(TEACHER, EMAILS[TEACHER]), Organizer("users/9", EMAILS["users/9"])
    own = call((TEACHING, (0, 30)), (ADA, (0, 30)), end=30, organizer=hers)
    elsewhere = call((TEACHING, (30, 60)), (ADA, (30, 60)), start=30, name="else", organizer=other)
    teacher = of(sheet_of(lesson(attached=["else"]), own, elsewhere, people={}), TEACHING)

    assert (teacher.role, len(teacher.presences)) == (Role.TEACHER, 2)


# --- Room devices ---------------------------------------------------------------------------------------------

DEVICE = SignedInUser("users/80", "Room 12")


@pytest.mark.parametrize(
    ("guest", "person", "patterns", "kind"),
    [
        pytest.param(DEVICE, nobody("users/80"), ("Room *",), Kind.ROOM, id="unknown, and named like one"),
        pytest.param(DEVICE, nobody("users/80"), ("lab*", "rOOm ??"), Kind.ROOM, id="whatever the case"),
        pytest.param(DEVICE, nobody("users/80"), (), Kind.SIGNED_IN, id="unknown, but no name is one's"),
        pytest.param(DEVICE, nobody("users/80"), ("Room",), Kind.SIGNED_IN, id="unknown, and named otherwise"),
        pytest.param(DEVICE, None, ("Room *",), Kind.SIGNED_IN, id="not looked up yet"),
        pytest.param(DEVICE, Person("users/80"), ("Room *",), Kind.SIGNED_IN, id="the look-up did not work"),
        pytest.param(DEVICE, known("users/80", "r@school.example"), ("Room *",), Kind.SIGNED_IN, id="a known person"),
        pytest.param(AnonymousUser("Room 12"), None, ("Room *",), Kind.ANONYMOUS, id="not signed in"),
    ],
)
def test_a_room_device_is_recognised_by_its_account_and_name(guest, person, patterns, kind):
    people = EVERYBODY | ({"users/80": person} if person else {})
    found = who_was(guest, known_people=people, rooms=patterns)
    (device,) = [one for one in found.attendance if one.display_name == "Room 12"]

    assert (device.kind, device.role) == (kind, Role.GUEST)
    assert found.counts["guests"] == (0 if kind is Kind.ROOM else 1)


@pytest.mark.parametrize(
    "guest", [DEVICE, AnonymousUser("Ada Lovelace"), PHONE], ids=lambda guest: type(guest).__name__
)
def test_a_guest_that_people_call_a_room_device_is_one(guest):
    key = guest.user if isinstance(guest, SignedInUser) else participant(guest, ALL_CLASS).name
    found = who_was(guest, told=[room_device(own_id(key))])
    (device,) = [one for one in found.attendance if one.attendee_id == own_id(key)]

    assert (device.kind, device.role, device.mark, device.suggestions) == (Kind.ROOM, Role.GUEST, None, ())
    assert found.counts["guests"] == 0


def test_a_student_stays_one_though_named_like_a_room():
    people = EVERYBODY | {"users/80": nobody("users/80")}
    found = who_was(
        DEVICE, known_people=people, roster=[RosterEntry(student_id="R", user="users/80")], rooms=("Room*",)
    )

    assert of(found, "R").mark is Mark.PRESENT


# --- What stands in a document --------------------------------------------------------------------------------


def test_a_student_has_every_address_the_rosters_first():
    people = EVERYBODY | {"users/2": known("users/2", "zoe@school.example", "ada@school.example", "l@school.example")}
    ada = of(who_was(ADA, known_people=people), "A1")

    assert ada.email == "ada@school.example"
    assert ada.emails == ("ada@school.example", "zoe@school.example", "l@school.example")
    assert (ada.email_source, ada.display_name) == (EmailSource.DIRECTORY, "Ada Lovelace")


def test_a_student_that_the_roster_names_by_account_alone_has_the_accounts_address():
    ada = of(who_was(ADA, roster=[RosterEntry(student_id="A1", user="users/2")]), "A1")

    assert (ada.email, ada.email_source, ada.display_name) == (EMAILS["users/2"], EmailSource.DIRECTORY, "Ada")


def test_a_student_who_never_came_is_expected_with_what_the_roster_says():
    bob = of(who_was(roster=[RosterEntry(email="bob@school.example", student_id="B2", user="users/3")]), "B2")

    assert (bob.kind, bob.user, bob.email, bob.email_source) == (
        Kind.EXPECTED,
        "users/3",
        "bob@school.example",
        EmailSource.ROSTER,
    )
    assert (bob.presences, bob.first_joined_at, bob.last_left_at) == ((), None, None)


def test_a_guest_with_a_known_address_has_it():
    guest = of(who_was(SignedInUser("users/3", "Bob"), roster=[ADAS]), EMAILS["users/3"])

    assert (guest.role, guest.emails, guest.email_source) == (
        Role.GUEST,
        (EMAILS["users/3"],),
        EmailSource.DIRECTORY,
    )


# --- Names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("student", "guest", "match"),
    [
        ("Ada Lovelace", "Ada Lovelace", "same"),
        ("Ada Lovelace", "lovelace, ADA", "same"),
        ("Ada Lovelace", "Ada", "similar"),
        ("Ada", "Ada Lovelace (phone)", "similar"),
        ("Zoë Müller", "zoe muller", "same"),
        ("José", "Jose\u0301", "same"),
        ("Ada Lovelace", "Ada Byron", None),
        ("Ada Lovelace", "Adam", None),
        ("Ada Lovelace", "", None),
        ("", "", None),
        ("...", "...", None),
        ("李雷", "李雷", "same"),
        ("राम", "रोमी", None),  # vowel signs are letters, in Hindi,
        ("रामा", "रोमी", None),
        ("रोमा", "रोमी", "similar"),
        ("राम", "राम", "same"),
        ("র", "রা", None),
        ("রাম", "রুমা", None),  # Bengali,
        ("ราม", "ริม", None),  # Thai,
        ("שָׂרָה", "שְׂרֶה", None),  # Hebrew with points,
        ("عَلِي", "عُلَا", None),  # Arabic with points,
        ("かな", "がな", None),  # and the two dots that change a syllable in Japanese
        ("ज़", "ज", None),
        ("\u095b\u093e\u092b\u093c\u0930", "\u091c\u093c\u093e\u095e\u0930", "same"),  # a nukta in both forms
        ("がなこ", "か\u3099なこ", "same"),
        ("김민수", "\u1100\u1175\u11b7\u1106\u1175\u11ab\u1109\u116e", "same"),
        ("김민수", "김민서", None),
        ("क्\u200dष", "क्ष", "same"),
        ("葛󠄀城", "葛城", "same"),  # a variation selector
        ("Ada \u2764\ufe0f", "Ada", "same"),
        ("ὈΔΥΣΣΕΎΣ", "οδυσσευς", "same"),
        ("Андрей", "Андреи\u0306", "same"),
        ("Семён", "Семен", "same"),
        ("Nguyễn", "nguyen", "same"),
        ("Straße", "STRASSE", "same"),
        ("İpek", "ipek", "same"),
        ("\uff21\uff44\uff41", "ada", "same"),
        ("A", "B", None),
        ("A", "A B", "similar"),
        ("Tim", "Tom", None),
        ("John Doe", "Jon Doe", "similar"),
        ("Lena", "Lina", "similar"),
        ("Lena Roth", "Lina Rath", None),
        ("Sofia", "Soffia", "similar"),
        ("Maria", "Mario Rossi", None),
    ],
)
def test_similar_names_are_recognised(student, guest, match):
    assert NameIndex([("id", student)]).like(guest) == ([("id", match)] if match else [])


@given(st.text(st.characters(max_codepoint=127)))
def test_a_joiner_that_nobody_sees_changes_no_name(name):
    """A name of ASCII characters alone takes a shorter way through the code."""
    index, joiner = NameIndex([("id", name)]), "\u200d"

    assert index.like(name + joiner) == index.like(name)


def test_of_names_that_differ_in_their_vowel_signs_only_the_nearest_is_offered():
    names = [("a", "राम"), ("b", "रामा"), ("c", "रोमा")]

    assert NameIndex(names).like("रोमी") == [("c", "similar")]


def test_the_same_names_are_offered_first_and_never_more_than_five():
    names = [(f"id{number}", "Sam Doe") for number in range(8)] + [("exact", "Sam")]

    assert NameIndex(names).like("Sam") == [("exact", "same"), *((f"id{number}", "similar") for number in range(4))]


# --- As reports name people -----------------------------------------------------------------------------------------


def in_reports(*people, roster=(ADAS, BOBS), known_people=EVERYBODY, beside=()):
    """Return the attendance of a class.

    Reports show these people, and Meet shows the people `beside` in another call.
    """
    named = [participant(user, ALL_CLASS, name=f"p{n}", record=REPORT) for n, user in enumerate(people)]
    return sheet_of(
        lesson(roster=roster),
        call(*[(user, (-20, -10)) for user in beside], start=-20, end=-10),
        call(*named, name="reports-c1"),
        people=known_people,
    )


REPORT = "conferenceRecords/reports-c1"


def test_a_person_that_reports_name_by_address_is_the_student_with_it():
    found = in_reports(EmailUser("ada@school.example", None, "someone"), known_people={})

    assert of(found, "A1").mark is Mark.PRESENT
    assert (of(found, "A1").email_source, of(found, "A1").user) == (EmailSource.REPORTS, None)
    assert of(found, "B2").mark is Mark.UNKNOWN


def test_a_person_that_reports_name_by_account_is_found_by_the_accounts_other_addresses():
    people = {"users/2": known("users/2", "ada.lovelace@school.example", "ada@school.example")}
    found = in_reports(EmailUser("ada.lovelace@school.example", "users/2", "Ada"), known_people=people)

    assert of(found, "A1").mark is Mark.PRESENT
    assert of(found, "A1").email_source is EmailSource.DIRECTORY


def test_a_guest_is_one_person_in_what_meet_and_reports_tell():
    visitor = SignedInUser("users/77", "Visitor")
    people = {**EVERYBODY, "users/77": known("users/77", "visitor@other.example")}
    found = in_reports(EmailUser("visitor@other.example", None, "V."), known_people=people, beside=[visitor])

    assert len(of(found, "visitor@other.example").presences) == 2
    assert of(found, "users/77").attendee_id == own_id("users/77")


def test_a_guest_that_reports_name_is_recognised_by_the_address_and_never_by_the_name():
    found = in_reports(EmailUser("private@other.example", None, "Ada Lovelace"))

    assert of(found, "private@other.example").role is Role.GUEST
    assert of(found, "private@other.example").attendee_id == own_id("private@other.example")


def test_the_teacher_is_known_by_the_address_that_reports_name():
    found = in_reports(EmailUser(EMAILS[TEACHER], None, "Ms T."), known_people={})

    assert of(found, EMAILS[TEACHER]).role is Role.TEACHER


def test_hardware_that_reports_name_is_a_room_and_in_no_count():
    found = in_reports(DeviceUser("Room 1"))

    assert of(found, "Room 1").kind is Kind.ROOM
    assert found.counts["guests"] == 0

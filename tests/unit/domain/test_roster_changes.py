"""A roster is replaced, and earlier corrections stay with their students."""

import dataclasses

import pytest

from functions.domain.classes.roster import Mark, Remembered, RosterEntry
from functions.domain.classes.roster_changes import corrections_after
from functions.domain.classes.sessions import Person
from functions.domain.marking.people import attendee_id
from functions.domain.marking.who import accounts_by_email
from tests.builders import NINE, assignment, known, override, room_device

TYPO = RosterEntry(email="ada@schol.example")
RIGHT = RosterEntry(email="ada@school.example")
BOB = RosterEntry(email="bob@school.example", student_id="2")


def id_of(key):
    return attendee_id("maths", key)


def after(corrections, before, students, people=()):
    known_people = {person.user: person for person in people}
    return corrections_after(
        corrections,
        session_id="maths",
        before=before,
        after=students,
        people=known_people,
        accounts_by_email=accounts_by_email(known_people),
    )


def excused(entry):
    told = override(Mark.EXCUSED, email=entry.email, student_id=entry.student_id, attendee=id_of(entry.key))
    return dataclasses.replace(told, reason=entry.key)


@pytest.mark.parametrize(
    ("before", "now", "people"),
    [
        pytest.param(
            RosterEntry(email=TYPO.email, student_id="1"), RosterEntry(email=RIGHT.email, student_id="1"), [], id="id"
        ),
        pytest.param(RosterEntry(email=RIGHT.email), RosterEntry(email=RIGHT.email, student_id="1"), [], id="address"),
        pytest.param(
            RosterEntry(email=TYPO.email, user="users/2"), RosterEntry(email=RIGHT.email, user="users/2"), [], id="user"
        ),
        pytest.param(
            RosterEntry(email="ada.l@school.example"),
            RIGHT,
            [known("users/2", RIGHT.email, "ada.l@school.example")],
            id="account with both addresses",
        ),
        pytest.param(
            RosterEntry(email="ada.l@school.example"),
            RosterEntry(student_id="1", user="users/2"),
            [known("users/2", "ada.l@school.example")],
            id="account named by the roster now",
        ),
        pytest.param(
            TYPO,
            RIGHT,
            [
                Person(
                    "users/2", known("users/2", RIGHT.email).identity, student=Remembered(None, TYPO.email, "x", NINE)
                )
            ],
            id="account that was said to be this student",
        ),
    ],
)
def test_a_mark_follows_a_student_who_is_the_same_by(before, now, people):
    told = excused(before)
    found = after([told], [before, BOB], [BOB, now], people)

    (moved,) = found.put
    assert (found.dropped, found.unapplied) == ((told,), ())
    assert (moved.attendee_id, moved.student_id, moved.email) == (id_of(now.key), now.student_id, now.email)
    assert (moved.mark, moved.reason, moved.decision) == (told.mark, told.reason, told.decision)


def test_two_changes_one_after_the_other_are_followed_too():
    first, second = RosterEntry(email="a@x.example", student_id="1"), RosterEntry(email="b@x.example", student_id="1")
    told = after([excused(RosterEntry(email="a@x.example"))], [RosterEntry(email="a@x.example")], [first]).put
    (moved,) = after(told, [first], [second]).put

    assert (moved.student_id, moved.email) == ("1", "b@x.example")


def test_a_mark_of_a_student_that_nothing_recognises_is_reported_and_kept():
    told = excused(TYPO)
    found = after([told], [TYPO, BOB], [RIGHT, BOB])

    assert (found.dropped, found.put, found.unapplied) == ((), (), (told,))
    assert after([told], [RIGHT, BOB], [RIGHT, BOB]).unapplied == (told,)  # a second call gets the same answer
    assert after([told], [RIGHT], [TYPO]).unapplied == ()


def test_the_same_name_is_not_a_reason_to_follow():
    found = after(
        [excused(TYPO)],
        [dataclasses.replace(TYPO, display_name="Ada Lovelace")],
        [dataclasses.replace(RIGHT, display_name="Ada Lovelace")],
    )

    assert len(found.unapplied) == 1


def test_the_lmss_own_ids_say_that_an_address_is_another_students_now():
    old, new = RosterEntry(email="ada@x.example", student_id="1"), RosterEntry(email="ada@x.example", student_id="9")

    assert after([excused(old)], [old], [new]).unapplied == (excused(old),)


def test_students_who_exchange_their_addresses_keep_their_marks():
    one, two = RosterEntry(email="a@x.example", student_id="1"), RosterEntry(email="b@x.example", student_id="2")
    swapped = [RosterEntry(email="b@x.example", student_id="1"), RosterEntry(email="a@x.example", student_id="2")]
    found = after([excused(one), excused(two)], [one, two], swapped)

    assert {(told.student_id, told.email, told.reason) for told in found.put} == {
        ("1", "b@x.example", "1"),
        ("2", "a@x.example", "2"),
    }


def test_a_students_new_address_is_stronger_than_an_account_that_somebody_else_has_now():
    old = RosterEntry(email="ada@x.example", user="users/2")
    found = after(
        [excused(old)], [old], [RosterEntry(email="ada@x.example"), RosterEntry("bob@x.example", user="users/2")]
    )

    assert (found.put, found.unapplied) == ((), ())


def test_an_unchanged_roster_changes_no_correction():
    told = [excused(BOB), assignment(id_of("users/7"), student_id="2", email=BOB.email), room_device(id_of("users/8"))]
    found = after(told, [BOB, TYPO], [BOB, TYPO])

    assert (found.dropped, found.put, found.unapplied) == ((), (), ())


def test_a_guest_who_was_assigned_to_a_student_follows_or_is_reported():
    told = assignment(id_of("conferenceRecords/abc/participants/p"), email=TYPO.email)
    followed = after([told], [dataclasses.replace(TYPO, user="users/2")], [dataclasses.replace(RIGHT, user="users/2")])

    assert followed.put == (dataclasses.replace(told, email=RIGHT.email),)
    assert after([told], [TYPO], [RIGHT]).unapplied == (told,)


def test_an_account_that_is_remembered_as_a_student_follows_or_is_reported():
    phone = Person("users/7", student=Remembered(None, TYPO.email, "office", NINE))
    before, now = dataclasses.replace(TYPO, user="users/2"), dataclasses.replace(RIGHT, user="users/2")
    (told,) = after([], [before], [now], [phone]).put
    (lost,) = after([], [TYPO], [RIGHT], [phone]).unapplied

    assert (told.attendee_id, told.email, told.user, told.remembered) == (
        id_of("users/7"),
        RIGHT.email,
        "users/7",
        False,
    )
    assert (lost.attendee_id, lost.email, lost.decision.by) == (id_of("users/7"), TYPO.email, "office")
    assert after([], [BOB], [RIGHT], [phone]).unapplied == ()  # it never applied in this class meeting
    assert after([], [TYPO], [TYPO], [phone]).put == ()


def test_a_guest_does_not_become_another_student_who_has_the_address_now():
    shared = RosterEntry(email=RIGHT.email, student_id="1")
    other = RosterEntry(email=RIGHT.email, student_id="2")
    told = assignment(id_of("users/7"), student_id="1", email=RIGHT.email)
    found = after([told], [shared], [other])

    assert (found.dropped, found.put, found.unapplied) == ((), (), (told,))
    assert after([told], [other], [other]).unapplied == (told,)


def test_a_mark_follows_a_student_whose_gmail_address_is_spelled_otherwise():
    told = excused(RosterEntry(email="ada.lovelace@gmail.com"))
    found = after(
        [told], [RosterEntry(email="ada.lovelace@gmail.com")], [RosterEntry(email="adalovelace@googlemail.com")]
    )

    assert [one.email for one in found.put] == ["adalovelace@googlemail.com"]

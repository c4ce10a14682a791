"""Accounts that were not in a class, and have an address of it: which of them need not be known for its sheet."""

import dataclasses

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from functions.domain.classes.roster import Remembered, RosterEntry
from functions.domain.classes.sessions import Person
from functions.domain.conferences.model import Identity, IdentitySource, SignedInUser
from functions.domain.marking.addresses import KnownAddress, after_answers
from functions.domain.marking.attendance import sheet
from functions.domain.marking.evidence import Evidence, changes_nothing
from functions.domain.marking.people import attendee_id
from tests.builders import EMAILS, NINE, SETTLE, TEACHER, TEACHING, assignment, at, call, known, lesson, room_device
from tests.examples import examples

ADDRESSES = [*(f"s{n}@school.example" for n in range(6)), EMAILS[TEACHER], "other@school.example", "s0@gmail.com"]
USERS = [f"users/{n}" for n in range(20, 28)]


@st.composite
def accounts(draw):
    """Draw who has which address, with some that had other addresses before."""
    people = {}
    for asked in range(draw(st.integers(1, 3))):
        boxes = draw(st.permutations(ADDRESSES))
        answers = {}
        for user in draw(st.lists(st.sampled_from(USERS), unique=True, max_size=6)):
            email, alias, *boxes = boxes
            aliases = (alias,) if draw(st.integers(0, 3)) == 0 else ()
            source = draw(st.sampled_from([IdentitySource.DIRECTORY, IdentitySource.PEOPLE]))
            answers[user] = Identity(user, email, aliases, None, source) if draw(st.integers(0, 8)) else None
            if len(boxes) < 2:
                break
        before = {user: people.get(user, Person(user)) for user in [*answers, *people]}
        people |= after_answers(before, answers, asked_at=at(draw(st.sampled_from([-500, -10, 30, 90])) + asked))
    for user in draw(st.lists(st.sampled_from(USERS), max_size=1)):
        remembered = Remembered("S2", "s2@school.example", "office", NINE)
        people[user] = dataclasses.replace(people.get(user, Person(user)), student=remembered)
    return people


@st.composite
def classes(draw):
    roster = []
    for number in draw(st.lists(st.integers(0, 5), unique=True, min_size=1)):
        user = draw(st.sampled_from([*USERS, *[None] * 40]))
        roster.append(RosterEntry(email=ADDRESSES[number], student_id=f"S{number}", user=user))
    roster += draw(
        st.lists(st.sampled_from([RosterEntry(email=EMAILS[TEACHER]), RosterEntry(user=USERS[0])]), max_size=1)
    )
    session = lesson(roster=roster, listed=draw(st.sampled_from([70, None])))
    plan = dataclasses.replace(
        session.plan,
        named_at=draw(st.sampled_from([None, at(-100), at(100)])),
        named_before=draw(st.sampled_from([(), (("s1@school.example", at(-300)),)])),
    )
    return dataclasses.replace(session, plan=plan)


@st.composite
def evidences(draw, session):
    visits = [(5, 55)], [(0, 20), (30, 60)], [(50, 60)]
    there = draw(st.lists(st.sampled_from(USERS), unique=True, max_size=5))
    everybody = [(SignedInUser(user, f"Name {user}"), *draw(st.sampled_from(visits))) for user in there]
    corrections = draw(
        st.lists(
            st.sampled_from(
                [
                    assignment(attendee_id(session.session_id, "users/21"), email="s1@school.example"),
                    room_device(attendee_id(session.session_id, "users/22")),
                ]
            ),
            max_size=1,
        )
    )
    return Evidence(
        conferences=[call((TEACHING, (0, 60)), *everybody)],
        people={},
        now=at(200),
        settle=SETTLE,
        corrections=corrections,
        identities_in_use=draw(st.booleans()),
    )


@settings(max_examples=examples(1000), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_sheet_is_the_same_with_accounts_that_change_nothing(data):
    session, people = data.draw(classes()), data.draw(accounts())
    evidence = data.draw(evidences(session))
    asked = {p.user.user for c in evidence.conferences for p in c.snapshot.participants}
    asked |= {entry.user for entry in session.plan.roster}
    evidence = dataclasses.replace(evidence, people={user: one for user, one in people.items() if user in asked})

    nothing = changes_nothing(people, session, evidence)

    event(f"changes nothing: {nothing}, further accounts: {len(people.keys() - asked)}")
    if nothing:
        assert sheet(session, evidence) == sheet(session, dataclasses.replace(evidence, people=people))


ADA, BOB = RosterEntry(email="ada@school.example"), RosterEntry(email="bob@school.example")


def judged(*further, roster=(ADA, BOB), conference=None, people=(), **plan):
    evidence = Evidence(
        conferences=[conference or call((TEACHING, (0, 60)))],
        people={person.user: person for person in people},
        now=at(200),
        settle=SETTLE,
        identities_in_use=True,
    )
    session = lesson(roster=roster)
    session = dataclasses.replace(session, plan=dataclasses.replace(session.plan, **plan))
    return changes_nothing({person.user: person for person in further}, session, evidence)


def test_absent_students_who_are_known_from_earlier_classes_change_nothing():
    assert judged(
        known("users/2", "ada@school.example", "ada.l@school.example"), known("users/3", "bob@school.example")
    )
    assert judged()


def test_a_teacher_who_was_not_there_changes_nothing():
    assert judged(known("users/1", EMAILS[TEACHER]))


def test_a_teacher_may_change_a_sheet_if_the_roster_has_another_address_of_the_teacher():
    assert not judged(known("users/1", EMAILS[TEACHER], "ada@school.example"))


def test_accounts_may_change_a_sheet_if_they_have_the_same_address():
    assert not judged(known("users/2", "ada@school.example"), known("users/3", "ada@school.example"))


def test_an_account_may_change_a_sheet_if_somebody_who_was_there_has_its_address():
    assert not judged(known("users/2", "ada@school.example"), people=[known("users/5", "ada@school.example")])


def test_an_account_may_change_a_sheet_if_the_roster_names_another_account_for_its_address():
    assert not judged(known("users/2", "ada@school.example"), roster=[dataclasses.replace(ADA, user="users/4")])


def test_an_account_may_change_a_sheet_if_the_roster_names_it():
    assert not judged(known("users/2", "ada@school.example"), roster=[ADA, RosterEntry(user="users/2")])


def test_an_account_may_change_a_sheet_if_its_address_means_nobody_by_now():
    before = {"users/2": known("users/2", "ada@school.example")}
    renamed = Identity("users/2", "ada.new@school.example", (), None, IdentitySource.DIRECTORY)

    (person,) = after_answers(before, {"users/2": renamed}, asked_at=at(30)).values()

    assert not judged(person)


def test_an_account_may_change_a_sheet_if_it_got_its_address_only_after_the_class():
    person = Person("users/2", known_by=(KnownAddress("ada@school.example", at(100), counts_from=at(90)),))

    assert not judged(person)


def test_an_account_may_change_a_sheet_if_the_class_names_both_its_old_and_its_new_address():
    old = KnownAddress("ada@school.example", at(-100), until=at(80), lost_at=at(90))
    person = Person("users/2", known_by=(old, KnownAddress("new@school.example", at(90))))
    roster = (ADA, RosterEntry(email="new@school.example"))
    edited = {"roster": roster, "named_at": at(100)}

    assert not judged(person, **edited)
    assert judged(person, roster=roster, named_at=at(-200))
    assert judged(person, **edited, named_before=tuple((entry.email, at(-50)) for entry in roster))


def test_an_account_may_change_a_sheet_if_reports_name_people_by_address():
    reported = dataclasses.replace(call((TEACHING, (0, 60))), conference_record="conferenceRecords/reports-abc")

    assert reported.reported
    assert not judged(known("users/2", "ada@school.example"), conference=reported)

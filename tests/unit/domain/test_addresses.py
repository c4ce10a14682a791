"""Which account an address means over time, for any order of the look-ups."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.domain.classes.sessions import Person
from functions.domain.conferences.model import Identity, IdentitySource
from functions.domain.marking.addresses import (
    addresses_at,
    after_answers,
    answered_since,
    as_given,
    current_of,
    has_changed,
    mailbox,
    owners,
    searchable,
)
from tests.builders import NINE

USERS = ("users/1", "users/2", "users/3")
SHARED = ("a@x.example", "b@x.example", "c@x.example")
HOUR = timedelta(hours=1)


def asked_at(step):
    return NINE + step * HOUR


def ended_at(step):
    """Return when the class of a step ended; the accounts are looked up after it."""
    return asked_at(step) - HOUR / 60


def identity(user, *emails):
    return Identity(user, emails[0], tuple(sorted(emails[1:])), None, IdentitySource.DIRECTORY)


def told(people, step, **answers):
    """Return the accounts after a look-up at a step: `u1=("primary", "alias")`.

    An empty answer means an unknown account.
    """
    found = {f"users/{name[1:]}": emails for name, emails in answers.items()}
    before = {**{user: Person(user) for user in found}, **people}
    identities = {user: identity(user, *emails) if emails else None for user, emails in found.items()}
    return before | after_answers(before, identities, asked_at=asked_at(step))


@st.composite
def histories(draw):
    """Draw for each step which account has each shared address, and which accounts are looked up."""
    steps = []
    for _ in range(draw(st.integers(1, 6))):
        having = {email: draw(st.sampled_from([*USERS, None])) for email in SHARED}
        steps.append((having, draw(st.lists(st.sampled_from(USERS), unique=True, min_size=1))))
    return steps


def emails_of(user, having):
    return (f"{user[6:]}@own.example", *(email for email, owner in having.items() if owner == user))


def known_after(history, *, one_by_one=None):
    people = {user: Person(user) for user in USERS}
    for step, (having, asked) in enumerate(history):
        answers = {user: identity(user, *emails_of(user, having)) for user in asked}
        if one_by_one is None:
            people |= after_answers(people, answers, asked_at=asked_at(step))
        else:
            for user in sorted(asked, key=one_by_one.index):
                people |= after_answers(people, {user: answers[user]}, asked_at=asked_at(step))
    return people


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("anna.b@gmail.com", "annab@googlemail.com", True),
        ("Anna.B@GMail.com", "an.nab@gmail.com", True),
        ("anna+maths@gmail.com", "anna@gmail.com", False),
        ("anna.b@school.example", "annab@school.example", False),
        ("anna.b@gmail.com.example", "annab@gmail.com.example", False),
        ("anna.b@mail.gmail.com", "annab@gmail.com", False),
        ("anna@school.example", "anna@other.example", False),
    ],
)
def test_only_gmails_spellings_of_one_mailbox_are_one(one, other, same):
    assert (mailbox(one) == mailbox(other)) is same


def test_stored_addresses_are_those_that_were_given_and_can_be_found_by_any_spelling():
    stored = searchable(["anna.b@gmail.com", "home@mail.example"])

    assert stored == ["anna.b@gmail.com", "home@mail.example", "annab@gmail.com"]
    assert as_given(stored) == ("anna.b@gmail.com", "home@mail.example")


def test_an_account_keeps_for_a_past_class_the_address_that_was_given_on():
    people = told({}, 1, u1=("sam@x.example",))
    people = told(people, 5, u1=("sam.old@x.example",), u2=("sam@x.example",))

    assert owners(["sam@x.example"], people, ended_at(1)) == {"sam@x.example": "users/1"}
    assert owners(["sam@x.example"], people, ended_at(5)) == {"sam@x.example": "users/2"}
    assert owners(["sam@x.example"], people, None) == {"sam@x.example": "users/2"}


def test_a_class_that_names_the_old_owner_by_the_newer_address_means_the_new_owner():
    people = told({}, 1, u1=("sam@x.example",))
    people = told(people, 5, u1=("sam.old@x.example",), u2=("sam@x.example",))
    named = ["sam.old@x.example", "sam@x.example"]

    assert owners(named, people, ended_at(1)) == {"sam.old@x.example": "users/1", "sam@x.example": "users/2"}


def test_a_class_entered_after_a_renaming_means_nobody_known_by_an_address_whose_new_owner_was_never_asked_for():
    people = told(told({}, 1, u1=("dana@x.example",)), 5, u1=("dana.new@x.example",))
    named = ["dana.new@x.example", "dana@x.example"]

    assert owners(named, people, ended_at(1), named_at=asked_at(4)) == {"dana.new@x.example": "users/1"}
    assert owners(["dana@x.example"], people, ended_at(1), named_at=asked_at(4)) == {"dana@x.example": "users/1"}


def test_a_class_after_which_an_answer_still_had_the_address_means_its_old_owner_whatever_else_it_names():
    people = told(told({}, 1, u1=("dana@x.example",)), 5, u1=("sam@x.example",))
    named = ["dana@x.example", "sam@x.example"]

    for named_at in (None, ended_at(0), asked_at(1)):
        assert owners(named, people, ended_at(1), named_at=named_at)["dana@x.example"] == "users/1"


def test_a_class_entered_after_two_renamings_means_the_account_by_its_last_address_alone():
    people = told(told(told({}, 1, u1=("a@x.example",)), 2, u1=("b@x.example",)), 3, u1=("c@x.example",))

    assert owners(SHARED, people, ended_at(1), named_at=asked_at(4)) == {"c@x.example": "users/1"}


def test_a_class_entered_after_addresses_were_given_on_in_a_chain_means_each_ones_last_owner():
    people = told({}, 1, u1=("a@x.example",), u2=("b@x.example",))
    people = told(people, 5, u1=("c@x.example",), u2=("a@x.example",))

    found = owners(SHARED, people, ended_at(1), named_at=asked_at(6))
    assert found == {"a@x.example": "users/2", "c@x.example": "users/1"}


def test_a_class_entered_after_two_students_swapped_their_addresses_means_each_by_the_newer_one():
    people = told({}, 1, u1=("a@x.example",), u2=("b@x.example",))
    people = told(people, 5, u1=("b@x.example",), u2=("a@x.example",))
    named = ["a@x.example", "b@x.example"]

    swapped = {"a@x.example": "users/2", "b@x.example": "users/1"}
    assert owners(named, people, ended_at(1), named_at=asked_at(6)) == swapped
    assert owners(named, people, ended_at(1), named_at=ended_at(0)) == {
        "a@x.example": "users/1",
        "b@x.example": "users/2",
    }


def test_an_address_that_a_class_goes_on_to_name_keeps_its_meaning_when_others_are_named_after_a_swap():
    people = told({}, 1, u1=("a@x.example",), u2=("b@x.example",))
    people = told(people, 5, u1=("b@x.example",), u2=("a@x.example",))
    before = {"a@x.example": ended_at(0), "b@x.example": ended_at(0)}

    found = owners([*before, "c@x.example"], people, ended_at(1), named_at=asked_at(6), named_before=before)
    assert found == {"a@x.example": "users/1", "b@x.example": "users/2"}


def test_a_class_that_is_told_a_students_newer_address_later_means_somebody_else_by_the_old_one_from_then_on():
    people = told({}, 1, u1=("dana@x.example",))
    people = told(people, 3, u1=("dana.new@x.example",))
    named, before = ["dana.new@x.example", "dana@x.example"], {"dana@x.example": ended_at(0)}

    found = owners(named, people, ended_at(1), named_at=asked_at(4), named_before=before)
    assert found == {"dana.new@x.example": "users/1"}


def test_classmates_who_got_each_others_addresses_keep_their_own_for_a_past_class():
    people = told({}, 1, u1=("sam@x.example",), u2=("tim@x.example",))
    people = told(people, 5, u1=("sam.old@x.example",), u2=("sam@x.example",))
    named = ["sam@x.example", "tim@x.example"]

    assert owners(named, people, ended_at(1)) == {"sam@x.example": "users/1", "tim@x.example": "users/2"}


def test_an_alias_that_comes_later_counts_for_a_past_class_unless_it_was_anothers():
    people = told({}, 1, u1=("dana@x.example",), u2=("ben@x.example",))
    people = told(people, 5, u1=("dana@x.example", "d@x.example", "ben@x.example"), u2=("b@x.example",))

    assert addresses_at(people["users/1"], ended_at(1)) == ("dana@x.example", "d@x.example")
    assert addresses_at(people["users/2"], ended_at(1)) == ("b@x.example", "ben@x.example")


def test_an_address_stays_with_its_account_for_as_long_as_the_next_one_did_not_have_it():
    people = told({}, 1, u1=("sam@x.example",))
    people = told(people, 3, u2=("tim@x.example",))
    people = told(people, 5, u1=("sam.old@x.example",), u2=("sam@x.example",))

    assert owners(["sam@x.example"], people, ended_at(3)) == {"sam@x.example": "users/1"}
    assert owners(["sam@x.example"], people, ended_at(5)) == {"sam@x.example": "users/2"}


@pytest.mark.parametrize(("step", "owner"), [(1.5, "users/1"), (2.5, "users/1"), (3.5, "users/2"), (4.5, "users/2")])
def test_between_two_answers_the_nearer_one_tells_whose_an_address_was(step, owner):
    people = told({}, 1, u1=("sam@x.example",))
    people = told(people, 5, u1=("sam.old@x.example",), u2=("sam@x.example",))

    assert owners(["sam@x.example"], people, asked_at(step)) == {"sam@x.example": owner}


def test_an_address_that_is_lost_and_comes_back_was_never_away():
    people = told({}, 1, u1=("sam@x.example", "s@x.example"))
    people = told(told(people, 3, u1=("sam@x.example",)), 5, u1=("sam@x.example", "s@x.example"))

    assert addresses_at(people["users/1"], ended_at(3)) == ("sam@x.example", "s@x.example")


def test_an_account_that_is_gone_keeps_what_it_was_known_by():
    people = told(told({}, 1, u1=("sam@x.example",)), 5, u1=())

    assert current_of(people["users/1"]) == ("sam@x.example",)
    assert answered_since(people["users/1"], ended_at(5))


def test_an_older_answer_changes_nothing():
    people = told({}, 5, u1=("new@x.example",))

    assert told(people, 3, u1=("old@x.example",)) == people
    assert told(people, 3, u2=("new@x.example",))["users/1"] == people["users/1"]
    assert owners(["new@x.example"], told(people, 3, u2=("new@x.example",)), None) == {"new@x.example": "users/1"}


def test_a_dot_in_a_gmail_address_is_not_a_change():
    before = told({}, 1, u1=("anna.b@gmail.com",))
    after = told(before, 5, u1=("annab@googlemail.com",))

    assert not has_changed(before["users/1"], after["users/1"])
    assert has_changed(before["users/1"], told(after, 6, u1=("anna@gmail.com",))["users/1"])


@given(histories())
def test_at_no_time_does_an_address_count_for_two_accounts(history):
    people = known_after(history)
    for step in range(-1, len(history) + 1):
        for email in SHARED:
            having = [user for user in USERS if email in addresses_at(people[user], ended_at(step))]
            assert len(having) <= 1


@given(histories(), st.permutations(USERS))
def test_the_order_in_which_accounts_are_looked_up_makes_no_difference(history, order):
    at_once, one_by_one = known_after(history), known_after(history, one_by_one=order)
    for step in range(-1, len(history) + 1):
        assert owners(SHARED, one_by_one, ended_at(step)) == owners(SHARED, at_once, ended_at(step))


@given(histories())
def test_a_match_that_rests_on_an_answer_from_after_the_class_never_turns_around(history):
    for step, (having, asked) in enumerate(history):
        proven = {email: user for email, user in having.items() if user in asked}
        for later in range(step + 1, len(history) + 1):
            # The address is alone on the roster, so that nothing shows that the roster is newer than the change.
            for email, user in proven.items():
                found = owners([email], known_after(history[:later]), ended_at(step))
                assert found == {email: user}


@given(histories())
def test_the_newest_answers_are_what_counts_now(history):
    people = known_after(history)
    now = {}
    for having, asked in history:
        now = {email: user for email, user in now.items() if user not in asked}
        now |= {email: user for email, user in having.items() if user in asked}
    assert owners(SHARED, people, None) == now

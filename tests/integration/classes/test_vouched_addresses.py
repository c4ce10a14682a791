"""Whose account is in a class: only addresses that Google guarantees decide, and strangers delay nothing."""

from __future__ import annotations

import dataclasses

import pytest

from infra.local.google_apis import RestFault
from infra.local.school import Account, Attendee, Contact, ProfileAddress
from tests.classroom import PUPILS, TEACHER, event, held, job, marks, scheduled, sheet, teacher, visits

STRANGER = Account("users/4711", "stranger@mail.example", in_directory=False, people_shows_address=False)
PUNCTUAL = PUPILS[0]


def there(account, name="Somebody"):
    return Attendee(account.user.removeprefix("users/"), "signed_in", name, account.user, visits((0, 60)))


async def the_class_with(api, app, school, *accounts):
    """Hold a class with the teacher and these accounts; no pupil comes with their own account."""
    made = await scheduled(api)
    conference = held(made["space"], made["meeting_code"], teacher((0, 60)), *map(there, accounts))
    school.hold(conference)
    await event(app, conference)
    await job(app, "sync-due")
    return made["session_id"], (await sheet(api, made["session_id"]))["attendance"]


def guests(people):
    return [(person["user"], person["email"]) for person in people if person["role"] == "guest"]


async def test_a_pupils_address_in_a_strangers_profile_makes_nobody_present(api, app, school):
    school.enrol(dataclasses.replace(STRANGER, profile_addresses=(ProfileAddress(PUNCTUAL.email),)))

    session_id, people = await the_class_with(api, app, school, STRANGER)

    assert (await marks(api, session_id))["punctual"] == "absent"
    assert guests(people) == [(STRANGER.user, None)]


async def test_the_teachers_address_in_a_pupils_profile_makes_no_teacher(api, app, school):
    late = PUPILS[1]
    school.enrol(dataclasses.replace(late, profile_addresses=(ProfileAddress("teacher@school.example"),)))

    session_id, people = await the_class_with(api, app, school, late)

    assert (await marks(api, session_id))["late"] == "present"
    assert [person["user"] for person in people if person["role"] == "teacher"] == [TEACHER]


async def test_what_the_teacher_has_noted_for_somebody_decides_no_mark_and_names_nobody(api, app, school):
    noted = Contact(STRANGER.user, PUNCTUAL.email, "Row 3, talks all the time")
    noted_too = Contact(PUPILS[1].user, "parent@mail.example", "Divorced parents")
    school.enrol(Account(TEACHER, "teacher@school.example", display_name="The Teacher", contacts=(noted, noted_too)))
    school.enrol(STRANGER)

    session_id, people = await the_class_with(api, app, school, STRANGER, PUPILS[1])

    assert (await marks(api, session_id))["punctual"] == "absent"
    assert (await marks(api, session_id))["late"] == "present"
    assert {person["display_name"] for person in people} & {noted.display_name, noted_too.display_name} == set()
    assert not [person for person in people if "parent@mail.example" in person["emails"]]


async def test_a_private_account_with_an_address_of_the_school_is_nobody_of_the_school(
    api, instance, google, workspace_events, school
):
    """A private account that was once made with a school's address keeps this address as verified.

    The school's account has the address too.
    """
    app = instance(
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
        workspace_events_api_endpoint=workspace_events.endpoint,
        allowed_domains="school.example",
    )
    private = Account("users/4712", PUNCTUAL.email, in_directory=False)
    school.enrol(private)
    school.know(PUNCTUAL.email, PUNCTUAL.user)

    session_id, people = await the_class_with(api, app, school, private)

    assert (await marks(api, session_id))["punctual"] == "absent"
    assert guests(people) == [(private.user, None)]


@pytest.mark.parametrize("strangers", ["forbidden", "missing"])
async def test_a_stranger_that_the_directory_does_not_show_holds_no_class_up(api, app, school, google, strangers):
    school.strangers = strangers
    session_id, people = await the_class_with(api, app, school, STRANGER, *PUPILS[:2])
    asked = len(google.calls)

    assert guests(people) == [(STRANGER.user, None)]
    assert (await marks(api, session_id))["punctual"] == "present"
    assert (await marks(api, session_id))["absent"] == "absent"
    assert (await sheet(api, session_id))["session"]["sync"]["state"] == "complete"
    await job(app, "sync-due")
    assert len(google.calls) == asked


async def test_a_stranger_is_left_open_while_the_directory_refuses_the_teacher(api, app, school, google, caplog):
    """A refusal of the Directory then says nothing about the account."""
    google.fail(RestFault("users.get", 403, "forbidden"))

    _, people = await the_class_with(api, app, school, STRANGER)
    assert guests(people) == [(STRANGER.user, None)]
    assert [record.reasons for record in caplog.records if record.message == "identities.unavailable"][:1] == [
        ["identity-access-denied"]
    ]

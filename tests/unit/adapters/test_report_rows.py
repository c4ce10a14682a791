"""Reading rows of the Meet audit log: nothing is guessed, and no input causes an error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.adapters.google.reports.rows import NOBODYS_ID, endpoints_of
from functions.domain.conferences.model import AnonymousUser, DeviceUser, EmailUser, PhoneUser
from functions.domain.conferences.reported import conferences_of
from infra.local.reports import row

LEFT = datetime(2026, 11, 23, 10, 0, 0, 250_000, tzinfo=UTC)
CALL = {
    "conference_id": "c1",
    "endpoint_id": "e1",
    "meeting_code": "ABCMNOPXYZ",
    "display_name": "Ada",
    "organizer_email": "Teacher@School.example",
    "identifier_type": "email_address",
    "identifier": "Ada@School.example",
}
ACTOR = {"email": "ada@school.example", "profileId": "2"}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def read(actor=ACTOR, seconds=600, left=LEFT, **fields):
    return endpoints_of([row(left, seconds, {**CALL, **fields}, actor)])


def test_a_row_is_one_stay_that_ended_when_the_device_left():
    told = read()
    [endpoint] = told.endpoints

    assert told.left_out == 0
    assert endpoint.meeting_code == "abc-mnop-xyz"
    assert (endpoint.time.end, endpoint.time.length) == (LEFT, timedelta(minutes=10))
    assert endpoint.user == EmailUser("ada@school.example", "users/2", "Ada")
    assert endpoint.organizer_email == "teacher@school.example"


@pytest.mark.parametrize(
    ("fields", "user"),
    [
        ({"identifier_type": "phone_number", "identifier": "+49301234567"}, PhoneUser("Ada")),
        ({"identifier_type": "device_id", "identifier": "d1"}, DeviceUser("Ada")),
        ({"identifier_type": None, "identifier": None}, AnonymousUser("Ada")),
        ({"identifier_type": "something_new"}, AnonymousUser("Ada")),
        ({"identifier": "a***@s***.example"}, AnonymousUser("Ada")),
        ({"identifier": "no address"}, AnonymousUser("Ada")),
        ({"identifier": None, "display_name": None}, AnonymousUser("")),
    ],
)
def test_a_person_that_a_row_does_not_name_clearly_is_not_recognised(fields, user):
    assert read(**fields).endpoints[0].user == user


@pytest.mark.parametrize(
    "actor",
    [
        {},
        {"email": "ada@school.example"},
        {"email": "ada@school.example", "profileId": NOBODYS_ID},
        {"email": "ada@school.example", "profileId": "x/y"},
        {"email": "bob@school.example", "profileId": "2"},
        {"profileId": "2"},
    ],
)
def test_an_account_is_taken_only_from_an_actor_with_this_very_address(actor):
    assert read(actor=actor).endpoints[0].user == EmailUser("ada@school.example", None, "Ada")


@pytest.mark.parametrize("missing", ["conference_id", "endpoint_id", "meeting_code"])
def test_a_row_that_lacks_what_is_needed_is_left_out_and_counted(missing):
    told = endpoints_of([row(LEFT, 600, {**CALL, missing: None}), row(LEFT, 600, CALL)])

    assert (len(told.endpoints), told.left_out) == (1, 1)


@pytest.mark.parametrize("seconds", ["", "-1", "x", "1.5", "9" * 30, None, True, -1, 10**9])
def test_an_impossible_duration_is_unknown(seconds):
    activity = row(LEFT, 0, CALL)
    [duration] = [p for p in activity["events"][0]["parameters"] if p["name"] == "duration_seconds"]
    duration["intValue"] = seconds

    assert endpoints_of([activity]).left_out == 1


@pytest.mark.parametrize("time", ["", "yesterday", "2026-11-23T10:00:00", "0001-01-01T00:00:00Z", 5, None])
def test_an_impossible_time_is_unknown(time):
    activity = row(LEFT, 600, CALL)
    activity["id"]["time"] = time

    assert endpoints_of([activity]).left_out == 1


@pytest.mark.parametrize("address", ["\ud800@school.example", "pupil\u202e@school.example", "a\x00b@school.example"])
def test_what_no_document_could_hold_or_nobody_can_read_is_not_an_address(address):
    named = {"identifier_type": "email_address", "identifier": address, "organizer_email": address}
    [endpoint] = endpoints_of([row(LEFT, 600, {**CALL, **named})]).endpoints

    assert endpoint.user == AnonymousUser("Ada")
    assert endpoint.organizer_email is None


def test_other_events_are_not_rows():
    activity = row(LEFT, 600, CALL)
    activity["events"][0]["name"] = "abuse_report_submitted"

    assert (endpoints_of([activity]).endpoints, endpoints_of([activity]).left_out) == ((), 0)


@given(st.lists(JSON | st.fixed_dictionaries({"id": JSON, "actor": JSON, "events": JSON}), max_size=4))
def test_any_input_is_read_without_an_error(activities):
    assert endpoints_of(activities).endpoints == ()


@given(st.dictionaries(st.sampled_from([*CALL, "duration_seconds"]), JSON, max_size=8), JSON, JSON)
def test_rows_with_any_parameters_are_left_out_or_become_a_call(values, time, actor):
    activity = row(LEFT, 600, CALL)
    parameters = {one["name"]: one for one in activity["events"][0]["parameters"]}
    for name, value in values.items():
        parameters[name] = {"name": name, "value": value}
    activity["events"][0]["parameters"] = list(parameters.values())
    activity["actor"] = actor
    activity["id"] = time if isinstance(time, dict) else activity["id"]
    told = endpoints_of([activity])

    assert len(told.endpoints) + told.left_out == 1
    assert len(conferences_of(told.endpoints)) == len(told.endpoints)

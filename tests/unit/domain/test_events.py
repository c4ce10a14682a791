"""Workspace events are distinguished by their attributes."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.domain.conferences import events
from functions.domain.conferences.model import Organizer
from functions.domain.errors import UnreadableMessage
from functions.entrypoints.messages.envelope import unwrap

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.json"))
ENDED = {
    "ce-type": "google.workspace.meet.conference.v2.ended",
    "ce-subject": "//cloudidentity.googleapis.com/users/42",
    "ce-time": "2026-11-23T10:00:00.123456789Z",
    "ce-id": "id",
}


def ended(name="conferenceRecords/abc", **attributes):
    changed = {"ce-" + key: value for key, value in attributes.items()}
    return events.parse({**ENDED, **changed}, {"conferenceRecord": {"name": name}})


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_every_documented_event_is_recognised(sample):
    case = json.loads(sample.read_text())
    message = unwrap(case["envelope"])

    assert type(events.parse(message.attributes, message.payload)).__name__ == case["expect"]


def test_an_ended_conference_tells_its_record_whose_it_is_and_when():
    event = ended()

    assert event.conference_record == "conferenceRecords/abc"
    assert event.origin.organizer == Organizer(user="users/42")
    assert event.origin.occurred_at == datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)


def test_names_without_the_two_slashes_before_the_host_are_understood_too():
    event = ended(
        subject="cloudidentity.googleapis.com/users/42",
        source="workspaceevents.googleapis.com/subscriptions/meet-users-1",
    )

    assert event.origin.organizer == Organizer(user="users/42")
    assert event.origin.subscription == "subscriptions/meet-users-1"


@pytest.mark.parametrize("source", ["", "//workspaceevents.googleapis.com/", "//elsewhere.example/subscriptions/1"])
def test_a_source_that_is_not_a_subscription_names_none(source):
    event = ended(source=source)

    assert event.origin.subscription is None
    assert event.origin.organizer.known


@pytest.mark.parametrize("subject", ["//meet.googleapis.com/spaces/room", "//cloudidentity.googleapis.com/users/__x__"])
def test_the_subscription_of_a_space_or_of_no_possible_user_tells_no_organizer(subject):
    assert not ended(subject=subject).origin.organizer.known


@pytest.mark.parametrize("time", ["", "yesterday", "2026-11-23T10:00:00", "0001-01-01T00:00:00+23:59", "²"])
def test_a_time_that_cannot_be_read_does_not_lose_the_conference(time):
    event = ended(time=time)

    assert (event.conference_record, event.origin.occurred_at) == ("conferenceRecords/abc", None)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "abc",
        "conferenceRecords/",
        "conferenceRecords/..",
        "conferenceRecords/__x__",
        "conferenceRecords/a/b",
        "conferenceRecords/a/participants/b",
        "conferenceRecords/a b",
        "conferenceRecords/a\n",
        "conferenceRecords/" + "a" * 257,
        "spaces/abc",
        None,
        7,
        ["conferenceRecords/abc"],
    ],
)
def test_a_name_that_is_not_a_conference_record_is_unreadable(name):
    with pytest.raises(UnreadableMessage):
        ended(name)


@pytest.mark.parametrize("payload", [None, [], "text", {}, {"conferenceRecord": "x"}, {"conferenceRecord": {}}])
def test_an_ended_conference_without_its_resource_is_unreadable(payload):
    with pytest.raises(UnreadableMessage):
        events.parse(ENDED, payload)


def test_a_message_without_event_type_is_unreadable():
    with pytest.raises(UnreadableMessage):
        events.parse({}, {"conferenceRecord": {"name": "conferenceRecords/abc"}})


def test_a_type_that_only_looks_like_one_of_ours_is_unknown():
    assert isinstance(events.parse({"ce-type": "meet.conference.v2.ended"}, None), events.Unknown)


def test_ids_and_types_are_bounded_before_anything_logs_them():
    origin = events.parse({"ce-type": "x" * 400_000, "ce-id": "y" * 400_000}, None).origin

    assert (origin.event_type, origin.event_id) == ("x" * 256, "y" * 256)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from([*ENDED, "x"]), st.text() | st.sampled_from(list(ENDED.values()))), json_values)
def test_any_message_is_an_event_or_unreadable_and_nothing_else(attributes, payload):
    try:
        event = events.parse(attributes, payload)
    except UnreadableMessage:
        return
    assert event.origin.event_type

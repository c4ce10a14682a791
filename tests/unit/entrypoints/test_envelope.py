"""Unwrapping the body that a trigger posts, and what is stored if this fails."""

import base64
import dataclasses
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.domain.errors import UnreadableMessage
from functions.entrypoints.messages.envelope import unwrap
from functions.ports.messages import Parked, ParkedEvent
from functions.services.operations.parking import parked, restored

ERROR = UnreadableMessage("not one of ours")


def posted(data, **attributes):
    return {"message": {"data": data, "attributes": attributes, "messageId": "7"}, "subscription": "s"}


def test_the_workspace_event_lies_inside_the_pubsub_message():
    data = base64.b64encode(b'{"conferenceRecord": {"name": "conferenceRecords/abc"}}').decode()
    message = unwrap(posted(data, **{"ce-type": "t"}))

    assert message.attributes == {"ce-type": "t"}
    assert message.payload == {"conferenceRecord": {"name": "conferenceRecords/abc"}}


@pytest.mark.parametrize(
    "data", [None, 7, "", "EVENT_DATA", "a", "ä", base64.b64encode(b"\xff").decode(), "W" * 600_000, "W1tb" * 10_000]
)
def test_data_that_is_not_json_is_not_a_payload(data):
    assert unwrap(posted(data)).payload is None


@pytest.mark.parametrize("body", [None, b"", b"no json", [], "text", 7, {}, {"message": 1}, {"message": {}}])
def test_a_body_without_pubsub_message_is_unreadable(body):
    with pytest.raises(UnreadableMessage):
        unwrap(body)


def test_a_message_is_parked_under_the_same_key_however_often_it_is_delivered():
    first = parked({**posted("x"), "deliveryAttempt": 1}, ERROR)
    second = parked({**posted("x"), "deliveryAttempt": 2}, ERROR)

    assert first.key == second.key
    assert first.key != parked(posted("y"), ERROR).key


def test_a_parked_message_tells_why_and_what_to_do():
    event = parked(posted("x"), ERROR)

    assert (event.reason, event.hint) == (ERROR.reason, ERROR.hint)
    assert json.loads(event.message) == posted("x")


@pytest.mark.parametrize(
    ("body", "encoding", "text"),
    [(b"no json", "text", "no json"), (b"\xff\x00", "base64", "/wA="), (None, "json", "null"), ([1], "json", "[1]")],
)
def test_whatever_was_posted_is_kept(body, encoding, text):
    event = parked(body, ERROR)

    assert (event.encoding, event.message) == (encoding, text)


@given(
    st.recursive(
        st.none() | st.text() | st.floats() | st.binary(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_anything_can_be_parked_as_text_that_a_store_can_hold(body):
    parked(body, ERROR).message.encode()


BODIES = [b"no json", b"\xff\x00", b"", None, [1], posted("x", **{"ce-type": "t"})]


def kept(body, **changes):
    return dataclasses.replace(Parked(parked(body, ERROR), truncated=False, parked_at=datetime.now(UTC)), **changes)


@pytest.mark.parametrize("body", BODIES)
def test_what_was_parked_is_restored_as_it_was_posted(body):
    assert restored(kept(body)) == body


def test_a_message_of_which_only_a_part_was_kept_is_not_taken_for_whole():
    with pytest.raises(UnreadableMessage, match="first part"):
        restored(kept(b"no json", truncated=True))


@pytest.mark.parametrize(("encoding", "message"), [("json", "{"), ("base64", "ä"), ("json", "[" * 100_000)])
def test_a_damaged_document_is_unreadable(encoding, message):
    spoiled = ParkedEvent(key="k", message=message, encoding=encoding, reason="r", hint="h")

    with pytest.raises(UnreadableMessage):
        restored(kept(None, event=spoiled))


def test_a_job_that_cannot_be_done_is_parked_once_however_often_the_clock_asks_for_it():
    error = UnreadableMessage("no")
    asked = [
        {"message": {"attributes": {"job": "sync-session"}, "data": data, "messageId": number, "publishTime": number}}
        for number, data in (("1", "e30="), ("2", "e30="), ("3", "e30K"))
    ]

    keys = [parked(body, error).key for body in asked]
    assert keys[0] == keys[1] != keys[2]

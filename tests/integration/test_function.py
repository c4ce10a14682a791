"""`main.py`, served by the real functions-framework, with the real Firestore emulator."""

import asyncio
import base64
import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from functions.adapters.store.databases.database import Write
from functions.adapters.store.databases.firestore import FirestoreDatabase
from infra.local.classes import believable_class
from infra.local.delivery import Trigger, http_client
from infra.local.faults import Fault
from infra.local.function_server import function_server
from infra.local.meet import MeetSimulator
from infra.local.workspace_events import Message, conference_ended, meet_event
from tests.builders import until
from tests.documented import rows

NOW = datetime.now(UTC)
LENGTH = timedelta(minutes=50)
TIMES_OF_PROCESSING = {"pulled_at", "first_pulled_at", "created_at", "updated_at", "attempts", "meet_calls"}


@pytest.fixture(autouse=True)
def this_moment(monkeypatch):
    """Use the present time for each test: data that was not final when the test suite began is final now."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC))


@pytest.fixture
def meet(school):
    """Start a simulated Meet on its own thread, because the test sometimes waits for processes."""
    with MeetSimulator(school).in_thread() as simulator:
        yield simulator


@pytest.fixture
def serve(meet, firestore_address, tmp_path):
    """Return a function that serves the function with its own project."""

    @contextmanager
    def serve(project, **settings):
        env = {
            "AUTH_MODE": "anonymous",
            "MEET_API_ENDPOINT": meet.endpoint,
            "FIRESTORE_EMULATOR_HOST": firestore_address,
            "GOOGLE_CLOUD_PROJECT": project,
            **settings,
        }
        log = tmp_path / f"function-{len(list(tmp_path.iterdir()))}.log"
        with function_server("on_workspace_event", env=env, log=log) as served:
            yield served

    return serve


@pytest.fixture
def database(firestore_client):
    return FirestoreDatabase(firestore_client)


def trigger(served):
    return Trigger(
        url=served.url, topic="projects/p/topics/workspace-events", subscription="projects/p/subscriptions/s"
    )


async def post(served, *messages):
    """Deliver messages at the same time; return the statuses in order."""
    async with http_client() as client:
        return await asyncio.gather(*(trigger(served).post(client, message) for message in messages))


async def post_raw(served, content, **headers):
    """Post a CloudEvent whose body is not a Pub/Sub message."""
    attributes = {
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-source": "//pubsub.googleapis.com/projects/p/topics/t",
        "ce-id": "1",
        "content-type": "application/json",
        **headers,
    }
    async with http_client() as client:
        return (await client.post(served.url, content=content, headers=attributes)).status_code


def a_class(seed=5, people=12, *, ended_ago=timedelta(hours=1), settled=True):
    return believable_class(seed, people=people, start=NOW - ended_ago - LENGTH, length=LENGTH, settled=settled)


def ended(held):
    return conference_ended(held.name, organizer=held.organizer, at=held.end)


def log_lines(served):
    return [json.loads(line) for line in served.program.log.read_text().splitlines() if line.startswith("{")]


async def documents(database, held):
    """Return every document of a conference, by path."""
    found = [await database.get(f"conferences/{held.id}"), await database.get(f"sessions/{held.id}")]
    found += await database.children(f"sessions/{held.id}/attendance")
    return {document.path: document.fields for document in found if document}


def without_times_of_processing(fields):
    if isinstance(fields, dict):
        return {k: without_times_of_processing(v) for k, v in fields.items() if k not in TIMES_OF_PROCESSING}
    return fields


async def test_an_event_gives_the_documents_of_the_contract(serve, school, database, project):
    held = a_class()
    school.hold(held)
    with serve(project, SCHOOL_TIME_ZONE="Europe/Berlin") as served:
        assert await post(served, ended(held)) == [200]

    found = await documents(database, held)
    conference, session = found[f"conferences/{held.id}"], found[f"sessions/{held.id}"]
    people = [fields for path, fields in found.items() if "/attendance/" in path]

    assert set(conference) == rows("conferences")
    assert set(session) == rows("sessions")
    assert all(set(person) == rows("attendance") for person in people)
    assert (conference["conference_record"], conference["space"]) == (held.name, held.space)
    assert (conference["start_time"], conference["end_time"]) == (held.start, held.end)
    assert conference["organizer"] == {"user": held.organizer, "email": None}
    assert conference["session_ids"] == [held.id]
    assert conference["participant_count"] == len(conference["participants"]) == 12
    assert conference["participant_session_count"] == sum(len(a.visits) for a in held.attendees)
    assert conference["sync"]["state"] == "complete"
    assert conference["sync"]["source"] == "event"
    assert conference["sync"]["meet_calls"] == 12 + 3
    assert session["state"] == "ended"
    assert session["time_zone"] == "Europe/Berlin"
    assert session["conference_records"] == [held.name]
    assert session["counts"]["guests"] == 11
    assert sorted(person["role"] for person in people) == ["guest"] * 11 + ["teacher"]
    by_participant = {person["sessions"][0]["participant_session"].split("/")[3]: person for person in people}
    for attendee in held.attendees:
        person = by_participant[attendee.id]
        assert person["display_name"] == attendee.display_name
        assert (person["user"], person["kind"]) == (attendee.user, attendee.kind)
        assert person["first_joined_at"] == min(visit.start for visit in attendee.visits)
        assert person["last_left_at"] == max(visit.end for visit in attendee.visits)
        assert person["session_count"] == len(attendee.visits)
        assert person["status"] is None
        assert person["mark"] is None


async def test_the_same_event_ten_times_at_once_gives_the_same_documents_once(serve, school, meet, database, project):
    held = a_class(people=20)
    school.hold(held)
    message = ended(held)
    with serve(project) as served:
        assert await post(served, *[message] * 10) == [200] * 10

    found = await documents(database, held)
    assert len(found) == 2 + 20
    assert len(meet.calls) == 20 + 3


async def test_two_instances_at_once_give_the_same_documents_once(serve, school, database, project):
    held = a_class(people=20)
    school.hold(held)
    with serve(project) as one, serve(project) as other:
        statuses = await asyncio.gather(*(post(served, *[ended(held)] * 3) for served in (one, other)))

    assert statuses == [[200] * 3] * 2
    assert len(await documents(database, held)) == 2 + 20


async def test_what_has_not_settled_is_stored_and_asked_for_again_after_one_log_line(serve, school, database, project):
    held = a_class(ended_ago=timedelta(seconds=1), settled=False)
    school.hold(held)
    with serve(project) as served:
        assert await post(served, ended(held)) == [503]
        lines = log_lines(served)

    assert [(line["message"], line["outcome"]) for line in lines] == [("conference.recorded", "provisional")]
    assert (await database.get(f"sessions/{held.id}")).fields["sync"]["state"] == "provisional"


async def test_an_event_that_was_killed_and_delivered_again_has_the_same_result(serve, school, meet, database, project):
    held = a_class(people=40)
    school.hold(held)
    for call in (2, 20, 42):
        meet.calls.clear()
        meet.delay = timedelta(milliseconds=200)
        with serve(project) as served:
            delivery = asyncio.create_task(post(served, ended(held)))
            await until(lambda call=call: len(meet.calls) >= call)
            served.program.kill()
            assert await delivery == [599]
    meet.delay = timedelta(0)
    with serve(project) as served:
        assert await post(served, ended(held)) == [200]
        disturbed = await documents(database, held)
    await database.commit([Write(path, None) for path in disturbed])
    with serve(project) as served:
        assert await post(served, ended(held)) == [200]

    assert without_times_of_processing(disturbed) == without_times_of_processing(await documents(database, held))


async def test_half_of_all_calls_failing_is_answered_200_and_complete(serve, school, meet, database, project):
    held = a_class(people=40)
    school.hold(held)
    meet.faults.set(
        *(
            Fault(method, status=status, share=0.25, at_most_in_a_row=6)
            for status in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
            for method in ("GetConferenceRecord", "GetSpace", "ListParticipants", "ListParticipantSessions")
        )
    )
    with serve(project) as served:
        assert await post(served, ended(held)) == [200]

    assert len(await documents(database, held)) == 2 + 40


async def test_what_only_an_operator_can_fix_is_acknowledged_and_marked_failed(serve, school, meet, database, project):
    held = a_class()
    school.hold(held)
    meet.faults.set(
        Fault("ListParticipants", status=grpc.StatusCode.PERMISSION_DENIED, reason="SERVICE_DISABLED"),
    )
    with serve(project) as served:
        assert await post(served, ended(held)) == [200]
        failed = [line for line in log_lines(served) if line["message"] == "conference.failed"]

    error = (await database.get(f"conferences/{held.id}")).fields["sync"]["error"]
    assert error["reason"] == "meet-api-disabled"
    assert "gcloud services enable meet.googleapis.com" in error["hint"]
    assert [(line["severity"], line["reason"]) for line in failed] == [("ERROR", "meet-api-disabled")]


async def test_a_conference_record_that_is_gone_is_parked_once_and_acknowledged(serve, meet, database, project):
    meet.hides_missing = False
    message = ended(a_class())
    with serve(project) as served:
        assert await post(served, message, message, message) == [200] * 3

    parked = await database.children("parked_events")
    assert [document.fields["reason"] for document in parked] == ["conference-record-gone"]
    kept = json.loads(parked[0].fields["message"])
    assert kept["message"]["attributes"] == message.attributes


def with_data(data):
    """Return a body whose message has these characters as data."""
    return b'{"message": {"data": %b, "attributes": {"ce-type": "google.workspace.meet.conference.v2.ended"}}}' % data


def with_payload(payload):
    return with_data(b'"%b"' % base64.b64encode(payload))


BAD_BODIES = {
    "an empty body": b"",
    "no JSON": b"hello",
    "not even text": b"\xff\xfe\x00",
    "JSON that is no object": b"[1, 2]",
    "no message": b"{}",
    "a message that is none": b'{"message": "x"}',
    "no attributes": b'{"message": {"data": ""}}',
    "an attribute that is no text": b'{"message": {"data": "", "attributes": {"ce-type": 7}}}',
    "wrong base64": with_data(b'"%%%"'),
    "no data": with_data(b"null"),
    "another resource": with_payload(b'{"conferenceRecord": {"name": "spaces/abc"}}'),
    "half a surrogate": with_data(b'"\\ud800"'),
    "numbers that JSON does not know": with_data(b"NaN"),
    "600 KB of data": with_payload(b"x" * 600_000),
    "characters of four bytes": "🎓".encode() * 300_000,
}


async def test_every_unreadable_message_is_parked_with_one_log_line_and_acknowledged(serve, database, project):
    with serve(project) as served:
        statuses = {what: await post_raw(served, body) for what, body in BAD_BODIES.items()}
        lines = log_lines(served)

    assert statuses == dict.fromkeys(BAD_BODIES, 200)
    parked = await database.children("parked_events")
    assert len(parked) == len(BAD_BODIES)
    assert {document.fields["reason"] for document in parked} == {"unreadable-message"}
    assert [line["message"] for line in lines] == ["message.parked"] * len(BAD_BODIES)
    assert [document.fields["truncated"] for document in parked].count(True) == 2


async def test_events_that_ask_for_nothing_are_acknowledged_and_store_nothing(serve, database, project):
    record = "conferenceRecords/abc"
    session = f"{record}/participants/p/participantSessions/s"
    # So long ago that Meet would show the conference if it existed: newer ones come again.
    about: Any = {"organizer": "users/1", "at": NOW - timedelta(hours=1)}
    messages = [
        meet_event("conference.v2.started", {"conferenceRecord": {"name": record}}, **about),
        meet_event("participant.v2.joined", {"participantSession": {"name": session}}, **about),
        meet_event("participant.v2.left", {"participantSession": {"name": session}}, **about),
        meet_event("recording.v2.fileGenerated", {"recording": {"name": f"{record}/recordings/r"}}, **about),
        meet_event("whiteboard.v2.drawn", {"anything": 1}, **about),
        Message({"ce-type": "google.workspace.chat.message.v1.updated"}, b"EVENT_DATA"),
    ]
    with serve(project) as served:
        assert await post(served, *messages) == [200] * len(messages)
        lines = log_lines(served)

    assert await database.children("parked_events") == []
    assert sorted(line["message"] for line in lines) == ["event.noted"] * 4 + ["event.unknown"] * 2


async def test_a_wrong_setting_is_named_and_the_message_is_kept(serve, project):
    with serve(project, SETTLE_SECONDS="soon") as served:
        assert await post(served, ended(a_class())) == [503]
        lines = log_lines(served)

    assert [(line["severity"], line["reason"]) for line in lines] == [("ERROR", "wrong-setting")]
    assert "SETTLE_SECONDS" in lines[0]["detail"]


async def test_a_request_that_is_not_a_cloudevent_is_answered_400(serve, project):
    with serve(project) as served:
        async with http_client() as client:
            assert (await client.post(served.url, json={"message": {}})).status_code == 400


async def test_logs_hold_ids_and_the_trace_but_no_name(serve, school, project):
    held = a_class()
    school.hold(held)
    message = ended(held)
    with serve(project) as served:
        body = {"message": {"data": base64.b64encode(message.data).decode(), "attributes": message.attributes}}
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        assert await post_raw(served, json.dumps(body).encode(), **{"ce-traceparent": trace}) == 200
        text, lines = served.program.log.read_text(), log_lines(served)

    assert [line["message"] for line in lines] == ["conference.recorded"]
    line = lines[0]
    assert line["severity"] == "INFO"
    assert line["conference_record"] == held.name
    assert line["event_id"] == message.attributes["ce-id"]
    assert line["logging.googleapis.com/trace"] == f"projects/{project}/traces/0af7651916cd43dd8448eb211c80319c"
    assert (line["outcome"], line["people"], line["meet_calls"]) == ("complete", 12, 15)
    for attendee in held.attendees:
        assert attendee.display_name not in text
        assert not attendee.user or attendee.user not in text

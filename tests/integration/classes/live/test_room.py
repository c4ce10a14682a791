"""Who is in a class's room while the class goes on."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from functions.entrypoints.messages.events import process
from infra.local.faults import Fault
from tests.classroom import job
from tests.live_room import ADA, BOB, at, ended, message


async def test_an_event_shows_who_is_there_and_who_is_not(room, made, call, clock):
    clock.turn_to(at(1, 1))
    await room.hears(message(call, ADA, 1, at(1)))

    shown = await room.live()
    assert shown["session_id"] == made["session_id"]
    assert shown["as_of"] == "2026-11-23T09:01:01Z"
    assert [(one["display_name"], one["email"], one["student_id"], one["role"]) for one in shown["participants"]] == [
        ("The Teacher", "teacher@school.example", None, "teacher"),
        ("Punctual", ADA.email, "S-1", "student"),
    ]
    assert shown["participants"][1]["joined_at"] == "2026-11-23T09:01:00Z"
    assert [(one["email"], one["left_at"]) for one in shown["missing"]] == [(BOB.email, None)]


async def test_everybody_has_the_id_of_their_attendance(room, api, call, clock):
    clock.turn_to(at(12))
    await room.hears(message(call, BOB, 1, at(10)))
    shown = await room.live()
    clock.turn_to(at(75))
    await job(room.app, "sync-session", session_id=room.session_id)

    sheet = (await api.get(f"/api/sessions/{room.session_id}/attendance")).json()["attendance"]
    assert {one["attendee_id"] for one in shown["participants"]} <= {person["attendee_id"] for person in sheet}


async def test_people_come_and_go_and_come_back(room, call, clock):
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    await room.hears(message(call, BOB, 1, at(10)))
    clock.turn_to(at(20))
    await room.hears(message(call, ADA, 1, at(20), left=True))
    assert await room.names() == (["The Teacher", "Late"], [ADA.email])
    assert (await room.live())["missing"][0]["left_at"] == "2026-11-23T09:20:00Z"

    clock.turn_to(at(30))
    await room.hears(message(call, ADA, 2, at(30)))
    assert await room.names() == (["The Teacher", "Late", "Punctual"], [])


async def test_events_that_come_twice_and_late_change_nothing(room, call, clock):
    clock.turn_to(at(21))
    await room.hears(message(call, ADA, 1, at(20), left=True))
    for _ in range(3):
        await room.hears(message(call, ADA, 1, at(1)))
        await room.hears(message(call, ADA, 1, at(20), left=True))

    assert await room.names() == (["The Teacher", "Late"], [ADA.email])


async def test_a_left_event_that_was_lost_is_corrected_while_somebody_looks(room, app, call, clock):
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    assert (await room.names())[0] == ["The Teacher", "Punctual", "Late"]

    clock.turn_to(at(25))
    await job(app, "sync-due")
    assert await room.names() == (["The Teacher", "Late"], [ADA.email])


async def test_the_end_of_the_conference_clears_it(room, call, clock):
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(61))
    await room.hears(ended(call))
    await room.hears(message(call, BOB, 1, at(10)))  # late

    assert await room.names() == ([], [])
    assert await room.is_empty(call)


async def test_an_end_that_was_lost_is_found(room, app, call, clock):
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(81))
    await job(app, "sync-due")

    assert await room.is_empty(call)


async def test_a_late_event_on_another_instance_does_not_bring_a_call_back(room, instance, call, clock):
    other = instance(clock=clock)
    clock.turn_to(at(58))
    await process(message(call, ADA, 1, at(1)), other)
    clock.turn_to(at(61))
    await room.hears(ended(call))
    await process(message(call, BOB, 1, at(10)), other)

    assert await room.is_empty(call)


@pytest.mark.usefixtures("call")
async def test_without_events_looking_asks_meet_at_most_once_a_minute(room, clock, meet):
    clock.turn_to(at(12))
    assert await room.names() == (["The Teacher", "Punctual", "Late"], [])
    asked = len(meet.calls)
    for _ in range(5):
        await room.live()
    assert len(meet.calls) == asked


@pytest.mark.usefixtures("call")
async def test_many_who_look_at_the_same_moment_ask_meet_once(room, clock, meet):
    clock.turn_to(at(12))
    before = meet.calls.by_method()
    await asyncio.gather(*(room.live() for _ in range(10)))
    assert meet.calls.by_method() - before == {"ListConferenceRecords": 1, "ListParticipants": 1}

    clock.turn_to(at(17))
    before = meet.calls.by_method()
    await asyncio.gather(*(room.live() for _ in range(10)))
    assert meet.calls.by_method() - before == {"ListParticipants": 1}


@pytest.mark.parametrize("status", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT])
async def test_looking_again_asks_nothing_for_a_minute_if_meet_refuses(room, api, clock, meet, status):
    clock.turn_to(at(12))
    meet.faults.set(Fault("ListConferenceRecords", status))
    before = meet.calls.by_method()
    answers = [await api.get(f"/api/sessions/{room.session_id}/live") for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].is_error
    assert meet.calls.by_method() - before == {"ListConferenceRecords": 1}

    meet.faults.clear()
    clock.turn_to(at(13))
    assert await room.names() == ([], sorted([ADA.email, BOB.email]))


@pytest.mark.usefixtures("impatient")
async def test_while_meet_fails_looking_shows_what_events_said_and_asks_once_a_minute(room, call, clock, meet):
    clock.turn_to(at(12))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(40))
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.UNAVAILABLE))
    await room.hears(message(call, ADA, 1, at(40), left=True))
    before = meet.calls.by_method()["ListParticipants"]
    for _ in range(3):
        assert (await room.names())[0] == ["The Teacher", "Late"]
    assert meet.calls.by_method()["ListParticipants"] == before + 1


async def test_after_the_class_nobody_is_expected_although_somebody_looked_just_before(room, clock):
    clock.turn_to(at(175))  # people may still come back until three hours after the beginning
    assert await room.names() == ([], sorted([ADA.email, BOB.email]))
    clock.turn_to(at(181))
    assert await room.names() == ([], [])


async def test_long_before_the_class_everybody_is_missing_and_meet_is_not_asked(room, meet):
    asked = len(meet.calls)
    assert await room.names() == ([], sorted([ADA.email, BOB.email]))
    assert len(meet.calls) == asked


async def test_a_class_meeting_that_does_not_exist_is_not_found(api):
    assert (await api.get("/api/sessions/none/live")).status_code == 404


@pytest.mark.usefixtures("call")
async def test_a_cancelled_class_expects_nobody(room, api, made, clock):
    assert (await api.delete(f"/api/schedule/class/{made['session_id']}")).status_code in {200, 204}
    clock.turn_to(at(12))
    assert await room.names() == ([], [])

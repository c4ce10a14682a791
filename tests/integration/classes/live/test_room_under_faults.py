"""Live presence while events or services fail, and what it costs."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from functions.adapters.store.databases.database import Write
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.conferences.model import SyncState
from functions.domain.errors import DocumentsRefused, Retryable
from functions.entrypoints.messages.envelope import Message
from functions.entrypoints.messages.events import process
from infra.local.faults import Fault
from infra.local.school import Account, Conference
from tests.builders import until
from tests.classroom import PUPILS, TEACHER, job
from tests.counting import Counting
from tests.live_room import ADA, BOB, THE_TEACHER, Stubborn, at, ended, message, there


@pytest.mark.parametrize("junk", ["rec-unknown", "x" * 200])
async def test_events_of_conferences_that_nobody_tracks_store_nothing(room, call, clock, junk, meet):
    clock.turn_to(at(12))
    name = f"conferenceRecords/{junk}/participants/p/participantSessions/1"
    event = message(call, ADA, 1, at(1))
    for _ in range(10):
        await room.hears(Message(event.attributes, {"participantSession": {"name": name}}))

    assert await room.app.deps.store.live_with(f"conferenceRecords/{junk}") == []
    assert len([call_ for call_ in meet.calls if junk in call_.resource]) <= 1


async def test_a_participant_who_is_not_in_meets_list_is_not_shown_and_the_event_comes_again(room, call, clock):
    clock.turn_to(at(5))
    nobody = Account("users/404", "nobody@school.example")
    with pytest.raises(Retryable, match="does not list"):
        await room.hears(message(call, nobody, 1, at(5)))
    clock.turn_to(at(6))
    await room.hears(message(call, nobody, 1, at(5)))

    assert (await room.names())[0] == ["The Teacher", "Punctual"]


async def test_what_events_said_is_stored_although_meet_fails(room, call, clock, meet):
    clock.turn_to(at(12))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(21))
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.UNAVAILABLE))
    await room.hears(message(call, ADA, 1, at(20), left=True))

    assert (await room.names())[0] == ["The Teacher", "Late"]


async def test_a_room_that_meet_no_longer_shows_is_an_error_and_not_an_empty_room(room, api, call, clock, meet):
    clock.turn_to(at(12))
    await room.hears(message(call, ADA, 1, at(1)))
    assert (await room.names())[0] == ["The Teacher", "Punctual", "Late"]
    clock.turn_to(at(25))
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.UNAUTHENTICATED))
    before = meet.calls.by_method()
    answers = [await api.get(f"/api/sessions/{room.session_id}/live") for _ in range(3)]

    assert {(answer.status_code, answer.json()["title"]) for answer in answers} == {(502, "Insufficient permissions")}
    assert meet.calls.by_method() - before == {"ListParticipants": 1}
    meet.faults.clear()
    clock.turn_to(at(27))
    assert (await room.names())[0] == ["The Teacher", "Late"]


@pytest.mark.usefixtures("impatient")
async def test_only_events_about_people_who_are_not_known_come_again_while_meet_fails(room, call, clock, meet):
    clock.turn_to(at(12))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(40))
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.UNAVAILABLE))
    await room.hears(message(call, BOB, 1, at(40), left=True))  # a list is due, and Bob is known
    with pytest.raises(Retryable):
        await room.hears(message(call, PUPILS[2], 1, at(40)))

    meet.faults.clear()
    assert (await room.names())[0] == ["The Teacher", "Punctual"]


@pytest.mark.usefixtures("impatient")
async def test_a_check_that_meet_does_not_answer_is_left_to_the_next_one(room, app, call, clock, meet):
    clock.turn_to(at(12))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(40))
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.UNAVAILABLE))
    await job(app, "check-live", session_id=room.session_id)

    assert await app.deps.store.live_to_check(at(45)) == [room.session_id]


async def test_an_event_whose_message_is_given_up_does_not_take_others_with_it(room, app, going, clock, meet):
    call = going(*(there(pupil, (10, 60)) for pupil in PUPILS[:3]))
    clock.turn_to(at(12))
    meet.faults.set(Fault("ListParticipants", drop=True, times=2))
    before = meet.calls.by_method()["ListParticipants"]
    events = [asyncio.create_task(process(message(call, pupil, 1, at(10)), app)) for pupil in PUPILS[:3]]
    await until(lambda: meet.calls.by_method()["ListParticipants"] == before + 1)
    events[0].cancel()  # the others have waited for it, and are now stored together
    await until(lambda: meet.calls.by_method()["ListParticipants"] == before + 2)
    events[1].cancel()
    await events[2]

    assert len((await room.names())[0]) == 3


async def test_an_event_that_comes_before_meet_shows_its_conference_comes_again(room, going, clock, meet):
    call = going(there(ADA, (0, 60)))
    clock.turn_to(at(0, 1))
    meet.faults.set(Fault("GetConferenceRecord", grpc.StatusCode.NOT_FOUND))
    with pytest.raises(Retryable, match="does not show"):
        await room.hears(message(call, ADA, 1, at(0)))
    meet.faults.clear()
    clock.turn_to(at(0, 12))
    await room.hears(message(call, ADA, 1, at(0)))

    assert (await room.names())[0] == ["Punctual"]


@pytest.mark.usefixtures("impatient")
async def test_events_that_wait_for_the_same_answer_ask_once_if_meet_fails(app, going, clock, meet):
    call = going(*(there(pupil, (0, 60)) for pupil in PUPILS))
    clock.turn_to(at(1))
    before = meet.calls.by_method()["GetConferenceRecord"]
    meet.faults.set(Fault("GetConferenceRecord", grpc.StatusCode.UNAVAILABLE))
    events = [process(message(call, pupil, 1, at(0)), app) for pupil in PUPILS]
    answers = await asyncio.gather(*events, return_exceptions=True)

    assert all(isinstance(answer, Retryable) for answer in answers)
    assert meet.calls.by_method()["GetConferenceRecord"] == before + 1


async def test_late_events_after_the_end_ask_once(app, instance, going, clock, meet):
    call = going(*(there(pupil, (0, 60)) for pupil in PUPILS))
    other = instance(clock=clock, meet_full_reads=True)
    clock.turn_to(at(58))
    await process(message(call, ADA, 1, at(0)), other)
    clock.turn_to(at(61))
    await process(ended(call), app)
    before = meet.calls.by_method()["GetConferenceRecord"]
    for pupil in PUPILS:
        await process(message(call, pupil, 1, at(60), left=True), other)
    assert meet.calls.by_method()["GetConferenceRecord"] == before + 1


async def test_many_events_at_once_are_stored_together(room, app, going, clock, meet):
    people = [there(account, (1, 60)) for account in PUPILS]
    call = going(there(THE_TEACHER, (0, 60)), *people)
    clock.turn_to(at(2))
    before = len(meet.calls)
    events = [message(call, account, 1, at(1)) for account in PUPILS]
    await asyncio.gather(*(process(event, app) for event in events))

    assert len((await room.live())["participants"]) == len(PUPILS) + 1
    lists = [request for request in meet.calls[before:] if request.method == "ListParticipants"]
    assert len(lists) <= 2


async def test_live_presence_can_be_switched_off(instance, call, clock):
    quiet = instance(clock=clock, live_presence=False)
    clock.turn_to(at(5))
    await process(message(call, ADA, 1, at(1)), quiet)

    assert await quiet.deps.store.live_with(call.name) == []


async def test_rooms_are_emptied_also_after_live_presence_was_switched_off(instance, call, clock):
    before = instance(clock=clock, meet_full_reads=True)
    clock.turn_to(at(5))
    await process(message(call, ADA, 1, at(1)), before)
    quiet = instance(clock=clock, live_presence=False)
    clock.turn_to(at(30))
    assert await quiet.deps.store.live_to_check(at(30)) != []
    await job(quiet, "sync-due")
    assert await quiet.deps.store.live_to_check(at(30)) == []

    clock.turn_to(at(61))
    await process(ended(call), quiet)
    assert await quiet.deps.store.live_with(call.name) == []


async def test_events_of_a_room_that_is_too_large_to_store_are_not_parked(instance, call, clock, tmp_path):
    full = Stubborn(tmp_path / "attendance.db")
    full.error = DocumentsRefused("The document is too large.")
    app = instance(clock=clock, documents=full, meet_full_reads=True)
    clock.turn_to(at(5))
    await process(message(call, ADA, 1, at(1)), app)

    assert await app.deps.store.live_with(call.name) == []


async def test_a_room_that_cannot_be_emptied_does_not_fail_the_record_of_the_class(
    room, instance, call, clock, tmp_path
):
    clock.turn_to(at(5))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(80))
    stubborn = instance(clock=clock, documents=Stubborn(tmp_path / "attendance.db"), meet_full_reads=True)
    await process(ended(call), stubborn)

    conference = await stubborn.deps.store.reader().conference(call.name)
    assert conference.sync.state is SyncState.COMPLETE


async def test_the_room_of_a_class_that_no_longer_exists_is_removed(room, app, call, clock, tmp_path):
    clock.turn_to(at(5))
    await room.hears(message(call, ADA, 1, at(1)))
    await SqliteDatabase(tmp_path / "attendance.db").commit([Write(f"sessions/{room.session_id}", None)])
    clock.turn_to(at(30))
    await job(app, "sync-due")

    assert await room.is_empty(call)


async def test_a_class_of_thirty_costs_what_the_documentation_says(  # noqa: PLR0917 - fixtures
    school, api, instance, google, clock, meet, tmp_path
):
    """Everybody comes and goes at a time of their own; docs/cost.md has the figures."""
    pupils = [Account(f"users/{n}", f"p{n}@school.example", display_name=f"P {n}") for n in range(100, 130)]
    school.enrol(*pupils)
    body = {"teacher_email": "teacher@school.example", "subject": "Physics", "duration_minutes": 60}
    body |= {"start_time": at(0).isoformat(), "students": [{"email": pupil.email} for pupil in pupils]}
    made = (await api.post("/api/schedule/class", json=body)).json()
    times = [(number / 10, 50 + number / 10) for number in range(30)]
    people = [there(pupil, time) for pupil, time in zip(pupils, times, strict=True)]
    call = Conference("rec", made["space"], made["meeting_code"], TEACHER, at(0), at(60), tuple(people))
    school.hold(call)
    counted = Counting(tmp_path / "attendance.db")
    app = instance(
        clock=clock,
        documents=counted,
        meet_full_reads=True,
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
    )
    before = meet.calls.by_method()
    for left in (False, True):
        for pupil, time in zip(pupils, times, strict=True):
            clock.turn_to(at(time[left]))
            await process(message(call, pupil, 1, at(time[left]), left=left), app)

    asked = meet.calls.by_method() - before
    assert asked == {"GetConferenceRecord": 2, "ListParticipants": 31}
    assert counted.writes == 60 + 30  # each event, and each account that was not known before
    assert 2_000 < counted.reads < 2_500

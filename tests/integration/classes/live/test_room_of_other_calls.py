"""The room of a class whose calls begin again, belong to other classes, or are no class."""

from __future__ import annotations

from infra.local.school import Conference, Space
from tests.classroom import TEACHER, job
from tests.live_room import ADA, BOB, THE_TEACHER, at, ended, message, there


async def test_a_call_that_dropped_and_began_again_goes_on(room, going, clock):
    first = going(there(ADA, (1, 20)), end=20)
    second = going(there(BOB, (25, 60)), record="rec-2")
    clock.turn_to(at(5))
    await room.hears(message(first, ADA, 1, at(1)))
    clock.turn_to(at(26))
    await room.hears(message(second, BOB, 1, at(25)))
    await room.hears(message(first, ADA, 1, at(20), left=True))

    assert await room.names() == (["Late"], [ADA.email])


async def test_a_call_that_goes_on_is_the_next_class_s_when_its_time_begins(room, app, going, clock, scheduled):
    following = room.of(await scheduled())
    call = going(there(THE_TEACHER, (0, 120)), there(ADA, (1, 120)), end=120)
    clock.turn_to(at(50))
    await room.hears(message(call, ADA, 1, at(1)))
    assert (await room.names())[0] == ["The Teacher", "Punctual"]

    clock.turn_to(at(61))
    await job(app, "sync-due")
    assert await app.deps.store.live_with(call.name) == [following.session_id]
    assert await room.names() == ([], [])
    assert await following.names() == (["The Teacher", "Punctual"], [])


async def test_events_after_the_beginning_of_the_next_class_are_stored_with_it(room, app, going, clock, scheduled):
    following = await scheduled()
    call = going(there(THE_TEACHER, (0, 120)), there(ADA, (58, 120)), there(BOB, (61, 120)), end=120)
    clock.turn_to(at(58))
    await room.hears(message(call, ADA, 1, at(58)))
    clock.turn_to(at(61))
    await room.hears(message(call, BOB, 1, at(61)))

    assert following in await app.deps.store.live_with(call.name)


async def test_a_class_that_is_moved_during_its_call_shows_nobody(room, api, call, clock):
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    moved = {"start_time": at(24 * 60).isoformat()}
    answer = await api.patch(f"/api/schedule/class/{room.session_id}", json=moved)
    assert answer.status_code == 200, answer.text

    assert await room.names() == ([], sorted([ADA.email, BOB.email]))
    assert await room.is_empty(call)


async def test_a_call_that_is_assigned_to_another_class_is_shown_there(room, api, call, clock, scheduled):
    other = room.of(await scheduled())
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    body = {"conference_record": call.name, "by": "office"}
    answer = await api.post(f"/api/sessions/{other.session_id}/conference-records", json=body)
    assert answer.status_code == 200, answer.text

    assert (await room.names())[0] == []
    assert (await other.names())[0] == ["The Teacher", "Punctual", "Late"]


async def test_a_class_that_is_cancelled_during_its_call_expects_nobody(room, api, call, clock):
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    await api.delete(f"/api/schedule/class/{room.session_id}")

    assert await room.names() == ([], [])
    assert await room.is_empty(call)


async def test_a_call_that_is_no_scheduled_class_is_shown_to_who_looks(room, app, school, clock):
    school.open(Space("spaces/spontaneous", "spo-ntan-eou", TEACHER))
    people = (there(THE_TEACHER, (0, 60)), there(ADA, (1, 60)))
    call = Conference("spontaneous", "spaces/spontaneous", "spo-ntan-eou", TEACHER, at(0), at(60), people)
    school.hold(call)
    clock.turn_to(at(5))
    await room.hears(message(call, ADA, 1, at(1)))
    assert await room.is_empty(call)
    await job(app, "sync-conference", conference_record=call.name, organizer=TEACHER)

    spontaneous = room.of("spontaneous")
    assert await spontaneous.names() == (["The Teacher", "Punctual"], [])
    clock.turn_to(at(26))
    await job(app, "sync-due")
    assert (await spontaneous.names())[0] == ["The Teacher", "Punctual"]
    clock.turn_to(at(61))
    await room.hears(ended(call))
    assert await room.is_empty(call)

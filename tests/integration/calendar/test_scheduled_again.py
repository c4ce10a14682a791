"""A class in Calendar that was cancelled and is scheduled again: people find it in their calendars again."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from functions.services.classes.follow_calendar import follow
from infra.local.google_apis import RestFault
from tests.integration.calendar.class_in_calendar import ADA, BOB, CY, guests


async def again(lesson, **changes):
    answer = await lesson.ask(external_id="lesson-1", **changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("recurrence", [None, "FREQ=WEEKLY;COUNT=3"])
async def test_it_is_a_new_event_with_its_students_invited_and_its_old_link(lesson, recurrence):
    made = await lesson.made(external_id="lesson-1", recurrence=recurrence)
    for _ in range(2):
        await lesson.cancel(made["session_id"], scope="following")
        assert lesson.shown() == []
        restored = await again(lesson, recurrence=recurrence)

        assert (restored["meeting_uri"], restored["calendar"]["state"]) == (made["meeting_uri"], "active")
        assert await lesson.agrees()
        assert guests(lesson.shown()[0]) == {ADA, BOB}
    assert len(lesson.shown()) == (3 if recurrence else 1)


async def test_it_is_shown_as_it_is_asked_for_now(lesson):
    made = await lesson.made(external_id="lesson-1")
    await lesson.cancel(made["session_id"])
    await again(lesson, subject="Physics", student_emails=[CY], duration_minutes=30)

    assert await lesson.agrees()
    assert guests(lesson.shown()[0]) == {CY}


async def test_a_class_can_be_scheduled_again_with_or_without_calendar(lesson):
    made = await lesson.made(external_id="lesson-1", calendar=False)
    await lesson.cancel(made["session_id"])
    assert (await again(lesson))["calendar"]["state"] == "active"
    assert await lesson.agrees()

    await lesson.cancel(made["session_id"])
    assert "calendar" not in await again(lesson, calendar=False)
    assert lesson.shown() == []


async def test_an_old_event_that_is_not_deleted_yet_is_used_for_the_class_again(lesson, calendar):
    made = await lesson.made(external_id="lesson-1")
    calendar.fail(RestFault("events.delete", 503))
    assert (await lesson.cancel(made["session_id"]))["calendar"]["state"] == "pending"
    calendar.fail()
    await again(lesson, subject="Physics")

    assert [event["summary"] for event in lesson.shown()] == ["Physics"]
    assert await lesson.agrees()


async def test_an_instance_with_older_data_does_not_delete_the_event(lesson, calendar, start):
    """One instance is about to delete the event when the other schedules the class again and changes the event."""
    made = await lesson.made(external_id="lesson-1")
    calendar.fail(RestFault("events.delete", 503))
    await lesson.cancel(made["session_id"])
    calendar.fail()
    slow = start()
    original, about_to, go_on = slow.deps.calendar, asyncio.Event(), asyncio.Event()

    class Slow:
        def __getattr__(self, name):
            return getattr(original, name)

        async def remove(self, removal, **about):
            about_to.set()
            await go_on.wait()
            return await original.remove(removal, **about)

    late = asyncio.create_task(follow(made["session_id"], deps=dataclasses.replace(slow.deps, calendar=Slow())))
    await about_to.wait()
    await again(lesson, subject="Physics")
    go_on.set()
    await late

    assert [event["summary"] for event in lesson.shown()] == ["Physics"]
    assert await lesson.agrees()


async def test_one_class_of_a_series_takes_place_again_without_an_event_and_says_what_to_do(lesson):
    made = await lesson.made(external_id="lesson-1", recurrence="FREQ=WEEKLY;COUNT=3")
    ids = [one["session_id"] for one in made["sessions"]]
    await lesson.cancel(ids[1])
    await again(lesson, recurrence="FREQ=WEEKLY;COUNT=3")
    restored = await lesson.session(ids[1])

    assert (restored["state"], restored["calendar"]["state"]) == ("scheduled", "gone")
    assert "Invite people to the Meet link by hand" in restored["calendar"]["hint"]
    assert len(lesson.shown()) == 2
    assert {(await lesson.session(one))["calendar"]["state"] for one in (ids[0], ids[2])} == {"active"}


async def test_when_its_time_is_taken_no_event_is_left_behind(lesson):
    made = await lesson.made(external_id="lesson-1")
    await lesson.cancel(made["session_id"])
    await lesson.made(calendar=False, meeting_code=made["meeting_code"])
    answer = await lesson.ask(external_id="lesson-1")

    assert answer.status_code == 409
    assert lesson.shown() == []

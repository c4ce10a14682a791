"""Calendar shows the changes of the LMS: immediately, or as soon as possible."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest

from functions.adapters.google.calendar import GoogleCalendar
from functions.domain.errors import Unavailable
from functions.services.classes.follow_calendar import follow
from infra.local.google_apis import RestFault
from tests.api import client
from tests.classroom import job
from tests.integration.calendar.class_in_calendar import ADA, BOB, CY, MRS_TEACHER, OTHER_TEACHER, guests, times

HOUR = timedelta(hours=1)
DOWN = RestFault("events.patch", 403, "forbidden")


def at(made, number, by=timedelta(0)):
    return (datetime.fromisoformat(made["sessions"][number]["start_time"]) + by).isoformat()


@pytest.fixture
async def single(lesson):
    return (await lesson.made())["session_id"]


@pytest.fixture
async def series(lesson):
    """Return six weekly classes from 5 October; summer time ends before the fourth."""
    return await lesson.made(recurrence="FREQ=WEEKLY;COUNT=6")


async def test_calendar_shows_that_a_class_is_moved_lengthened_and_renamed(lesson, single):
    session = await lesson.change(
        single, start_time=(lesson.first + HOUR).isoformat(), duration_minutes=90, subject="Physics"
    )
    (event,) = lesson.shown()

    assert session["calendar"]["state"] == "active"
    assert times([event]) == [(lesson.first + HOUR, lesson.first + HOUR * 2.5)]
    assert event["summary"] == "Physics"
    assert event["conferenceData"]["conferenceId"] == session["meeting_code"]
    assert [updates for _, updates, _ in lesson.calendar.calendars.sent] == ["all", "all"]
    assert await lesson.agrees()


async def test_a_class_that_is_cancelled_is_gone_from_calendar_and_its_guests_are_told(lesson, single):
    session = await lesson.cancel(single)

    assert session["calendar"]["state"] == "active"
    assert lesson.shown() == []
    assert lesson.calendar.calendars.sent[-1] == (session["calendar"]["event_id"], "all", frozenset({ADA, BOB}))
    assert (await lesson.cancel(single))["state"] == "cancelled"


async def test_a_changed_roster_changes_the_guests_and_keeps_what_others_answered(lesson, single):
    (event,) = lesson.shown()
    next(one for one in event["attendees"] if one["email"] == BOB)["responseStatus"] = "accepted"
    session = await lesson.roster(single, BOB, CY)
    (event,) = lesson.shown()

    assert session["calendar"]["state"] == "active"
    assert {one["email"]: one["responseStatus"] for one in event["attendees"]} == {BOB: "accepted", CY: "needsAction"}


async def test_guests_get_no_mail_about_a_class_that_is_over(lesson, single, clock):
    clock.turn(timedelta(days=8))
    await lesson.roster(single, BOB, CY)

    assert [updates for _, updates, _ in lesson.calendar.calendars.sent] == ["all", "externalOnly"]
    assert await lesson.agrees()


async def test_another_teacher_becomes_a_guest_of_the_event_in_the_first_one_s_calendar(lesson, single):
    await lesson.change(single, teacher_email=OTHER_TEACHER, co_teacher_emails=[MRS_TEACHER])
    (event,) = lesson.shown()

    assert guests(event) == {ADA, BOB, OTHER_TEACHER}
    assert lesson.shown(OTHER_TEACHER) == []
    assert {call.acting_as for call in lesson.calendar.calls} == {MRS_TEACHER}


async def test_a_change_that_calendar_does_not_show_changes_nothing_there(lesson, single):
    before = len(lesson.calendar.calls)
    await lesson.api.put(f"/api/sessions/{single}/policy", json={"late_after_minutes": 10, "by": "office"})
    await lesson.change(single, subject="Mathematics")

    assert len(lesson.calendar.calls) == before


async def test_one_class_of_a_series_is_moved_and_the_others_stay(lesson, series):
    await lesson.change(series["sessions"][2]["session_id"], start_time=at(series, 2, HOUR))

    assert await lesson.agrees()
    assert lesson.calendar.calls.by_method()["events.patch"] == 2  # the change that invites, and this one


async def test_a_class_of_a_series_and_all_later_ones_are_moved_by_the_clock_on_the_wall(lesson, series):
    sent = len(lesson.calendar.calendars.sent)
    await lesson.change(series["sessions"][2]["session_id"], scope="following", start_time=at(series, 2, HOUR))
    await lesson.change(series["sessions"][4]["session_id"], start_time=at(series, 4, HOUR * 3))

    assert await lesson.agrees()
    assert [updates for _, updates, _ in lesson.calendar.calendars.sent[sent:]] == ["all", *["externalOnly"] * 3, "all"]


async def test_a_series_is_cancelled_in_part_and_then_whole(lesson, series):
    ids = [one["session_id"] for one in series["sessions"]]
    await lesson.cancel(ids[1])
    assert len(lesson.shown()) == 5
    assert await lesson.agrees()

    await lesson.cancel(ids[4], scope="following")
    assert len(lesson.shown()) == 3
    assert [updates for _, updates, _ in lesson.calendar.calendars.sent[-2:]] == ["all", "externalOnly"]
    assert await lesson.agrees()

    await lesson.cancel(ids[0], scope="following")
    assert lesson.shown() == []
    assert await lesson.agrees()
    # Two events are deleted together. The second may have a new version after the first is deleted, so it is read
    # again.
    assert lesson.calendar.calls.by_method()["events.delete"] == 1 + 3 + 1


async def test_what_all_of_a_series_have_in_common_is_changed_once(lesson, series):
    patched = lesson.calendar.calls.by_method()["events.patch"]
    await lesson.change(series["sessions"][0]["session_id"], scope="following", subject="Physics")
    body = {"students": [{"email": CY}], "by": "office", "from": lesson.first.isoformat()}
    answer = await lesson.api.put("/api/classes/7b/roster", json=body)

    assert answer.status_code == 200
    assert await lesson.agrees()
    assert lesson.calendar.calls.by_method()["events.patch"] == patched + 2


async def test_a_part_of_a_series_is_renamed_and_gets_other_students(lesson, series):
    ids = [one["session_id"] for one in series["sessions"]]
    await lesson.change(ids[3], scope="following", subject="Physics")
    await lesson.roster(ids[5], CY)
    await lesson.change(ids[0], scope="following", subject="Both")

    assert await lesson.agrees()


async def test_a_series_is_followed_even_if_calendar_shows_a_guest_by_another_address(lesson, monkeypatch):
    served = lesson.calendar.calendars.patch

    def by_main_address(owner, event_id, body, *more):
        for guest in body.get("attendees", ()):
            guest["email"] = guest["email"].replace(BOB, "main@school.example")
        return served(owner, event_id, body, *more)

    monkeypatch.setattr(lesson.calendar.calendars, "patch", by_main_address)
    made = await lesson.made(recurrence="FREQ=WEEKLY;COUNT=4")
    session = await lesson.change(made["sessions"][2]["session_id"], start_time=at(made, 2, HOUR))
    await lesson.cancel(made["sessions"][3]["session_id"])

    assert session["calendar"]["state"] == "active"
    starts = [datetime.fromisoformat(at(made, number, HOUR * (number == 2))) for number in range(3)]
    assert [start for start, _ in times(lesson.shown())] == starts
    assert {frozenset(guests(event)) for event in lesson.shown()} == {frozenset({ADA, "main@school.example"})}


async def test_while_calendar_refuses_the_class_is_still_moved_and_the_job_updates_calendar_later(lesson, single):
    lesson.calendar.fail(DOWN)
    session = await lesson.change(single, start_time=(lesson.first + HOUR).isoformat())
    assert datetime.fromisoformat(session["scheduled_start"]) == lesson.first + HOUR
    assert session["calendar"]["state"] == "failed"
    assert "Calendar is switched on" in session["calendar"]["hint"]
    assert times(lesson.shown())[0][0] == lesson.first

    await lesson.due(timedelta(minutes=2))
    assert (await lesson.session(single))["calendar"]["state"] == "failed"

    lesson.calendar.fail()
    await lesson.due(timedelta(minutes=3))  # not due yet: the pauses get longer
    assert times(lesson.shown())[0][0] == lesson.first
    await lesson.due(timedelta(minutes=1))
    assert await lesson.agrees()
    assert (await lesson.session(single))["calendar"]["hint"] is None


async def test_while_calendar_does_not_answer_a_change_is_pending(lesson, single):
    lesson.calendar.fail(RestFault("events.patch", 503))
    session = await lesson.change(single, subject="Physics")

    assert session["calendar"]["state"] == "pending"
    assert session["calendar"]["hint"] == Unavailable.default_hint


async def test_a_change_that_calendar_always_refuses_is_reported_and_not_tried_again_automatically(lesson, single, app):
    lesson.calendar.fail(RestFault("events.patch", 400, "invalid"))
    session = await lesson.change(single, subject="Physics")
    calls = len(lesson.calendar.calls)
    await lesson.due(timedelta(hours=6))

    assert session["calendar"]["state"] == "failed"
    assert len(lesson.calendar.calls) == calls

    lesson.calendar.fail()
    await job(app, "follow-calendar", session_id=single)  # started by hand, like a replay
    assert await lesson.agrees()


async def test_a_cancellation_is_not_lost_while_calendar_refuses(lesson, series):
    lesson.calendar.fail(RestFault("events.delete", 403, "forbidden"))
    ids = [one["session_id"] for one in series["sessions"]]
    await lesson.cancel(ids[1])
    await lesson.cancel(ids[3], scope="following")
    assert len(lesson.shown()) == 6

    lesson.calendar.fail()
    await lesson.due(timedelta(hours=6))
    assert len(lesson.shown()) == 2
    assert await lesson.agrees()


async def test_jobs_that_come_twice_late_or_for_nothing_end_in_the_same(lesson, series, app):
    ids = [one["session_id"] for one in series["sessions"]]
    lesson.calendar.fail(DOWN)
    await lesson.change(ids[2], start_time=at(series, 2, HOUR))
    await lesson.change(ids[2], start_time=at(series, 2, HOUR * 2))
    lesson.calendar.fail()
    await asyncio.gather(*(job(app, "follow-calendar", session_id=one) for one in [*ids, *ids]))
    calls = lesson.calendar.calls.by_method()["events.patch"]
    await job(app, "follow-calendar", session_id=ids[2])

    assert lesson.calendar.calls.by_method()["events.patch"] == calls
    assert await lesson.agrees()


async def test_an_instance_with_older_data_writes_nothing(lesson, series, start):
    """One instance has read the store and is about to write when the other instance moves the class again."""
    session_id = series["sessions"][2]["session_id"]
    lesson.calendar.fail(DOWN)
    await lesson.change(session_id, start_time=at(series, 2, HOUR))
    lesson.calendar.fail()
    slow = start()
    original, about_to, go_on = slow.deps.calendar, asyncio.Event(), asyncio.Event()

    class Slow:
        def __getattr__(self, name):
            return getattr(original, name)

        async def change(self, change, *, organizer):
            about_to.set()
            await go_on.wait()
            return await GoogleCalendar.change(original, change, organizer=organizer)

    late = asyncio.create_task(follow(session_id, deps=dataclasses.replace(slow.deps, calendar=Slow())))
    await about_to.wait()
    await lesson.change(session_id, start_time=at(series, 2, HOUR * 5))
    assert await lesson.agrees()
    sent = list(lesson.calendar.calendars.sent)
    go_on.set()
    await late

    assert await lesson.agrees()
    assert lesson.calendar.calendars.sent == sent


async def test_a_change_that_is_stored_while_calendar_is_compared_is_not_taken_for_shown(lesson, single, start):
    lesson.calendar.fail(DOWN)
    await lesson.change(single, subject="Physics")
    lesson.calendar.fail()
    other, meanwhile = start(), []

    class Store:
        def __getattr__(self, name):
            return getattr(other.deps.store, name)

        async def transact(self, decide, **begins):
            if "_note_shown" in decide.__qualname__ and not meanwhile:
                lesson.calendar.fail(RestFault("events.get", 403, "forbidden"))
                meanwhile.append(await lesson.change(single, subject="Chemistry"))
                lesson.calendar.fail()
            return await other.deps.store.transact(decide, **begins)

    await follow(single, deps=dataclasses.replace(other.deps, store=Store()))

    assert [one["calendar"]["state"] for one in meanwhile] == ["failed"]
    assert lesson.shown()[0]["summary"] == "Chemistry"
    assert await lesson.agrees()


async def test_an_event_that_people_deleted_stays_deleted(lesson, single, calendar):
    (event,) = lesson.shown()
    calendar.calendars.delete(MRS_TEACHER, event["id"], {})
    session = await lesson.change(single, subject="Physics")

    assert session["calendar"]["state"] == "gone"
    assert lesson.shown() == []
    assert (await lesson.cancel(single))["state"] == "cancelled"


async def test_a_single_class_of_a_series_that_people_deleted_stays_deleted(lesson, series, calendar):
    ids = [one["session_id"] for one in series["sessions"]]
    calendar.calendars.delete(MRS_TEACHER, lesson.shown()[1]["id"], {})
    await lesson.change(ids[0], scope="following", start_time=at(series, 0, HOUR))
    states = [(await lesson.session(one))["calendar"]["state"] for one in ids]

    assert states == ["active", "gone", *["active"] * 4]
    assert len(lesson.shown()) == 5


async def test_an_event_that_calendar_no_longer_has_is_gone(lesson, single, calendar):
    calendar.fail(RestFault("events.get", 410, "deleted"))

    assert (await lesson.change(single, subject="Physics"))["calendar"]["state"] == "gone"


async def test_a_class_that_is_in_calendar_while_it_is_not_in_use_any_more_says_so(single, start):
    async with client(start(calendar_in_use=False), caller=None) as api:
        answer = await api.patch(f"/api/schedule/class/{single}", json={"subject": "Physics"})

    assert answer.status_code == 200
    assert answer.json()["session"]["calendar"]["state"] == "failed"
    assert "CALENDAR_API_ENDPOINT" in answer.json()["session"]["calendar"]["hint"]


async def test_an_event_that_its_teacher_made_one_of_a_whole_day_can_be_moved(lesson):
    made = await lesson.made()
    [event] = lesson.shown()
    day = {"dateTime": None, "timeZone": None}
    whole_day = {"start": {**day, "date": "2026-10-05"}, "end": {**day, "date": "2026-10-06"}}
    lesson.calendar.calendars.patch(MRS_TEACHER, event["id"], whole_day, {}, None)

    await lesson.change(made["session_id"], start_time=(lesson.first + timedelta(hours=1)).isoformat())

    assert await lesson.agrees()


@pytest.mark.parametrize("recurrence", [None, "FREQ=WEEKLY;COUNT=2"])
async def test_a_room_that_its_teacher_booked_for_the_class_stays_booked(lesson, recurrence):
    made = await lesson.made(recurrence=recurrence)
    session_id = (made["sessions"][0] if recurrence else made)["session_id"]
    event_id = lesson.shown()[0].get("recurringEventId", lesson.shown()[0]["id"])
    event = lesson.calendar.calendars.get(MRS_TEACHER, event_id)
    lab: dict[str, Any] = {"email": "lab@resource.calendar.google.com", "resource": True, "responseStatus": "accepted"}
    attendees = {"attendees": [*event["attendees"], lab]}
    lesson.calendar.calendars.patch(MRS_TEACHER, event_id, attendees, {}, None)

    await lesson.roster(session_id, ADA)

    invited: dict[str, Any] = {attendee["email"]: attendee for attendee in lesson.shown()[0]["attendees"]}
    assert invited.keys() == {ADA, lab["email"]}
    assert invited[lab["email"]] == lab


@pytest.mark.parametrize("recurrence", [None, "FREQ=WEEKLY;COUNT=2"])
async def test_all_that_people_entered_about_those_who_stay_invited_is_kept_when_guests_change(lesson, recurrence):
    made = await lesson.made(recurrence=recurrence)
    session_id = (made["sessions"][0] if recurrence else made)["session_id"]
    event_id = lesson.shown()[0].get("recurringEventId", lesson.shown()[0]["id"])
    ada = {
        "email": ADA,
        "displayName": "Ada",
        "responseStatus": "declined",
        "comment": "I am at the dentist's.",
        "optional": True,
        "additionalGuests": 2,
    }
    teacher = {"email": MRS_TEACHER, "displayName": "The Teacher", "responseStatus": "accepted", "comment": "In room 7"}
    attendees = {"attendees": [ada, {"email": BOB}, teacher]}
    lesson.calendar.calendars.patch(MRS_TEACHER, event_id, attendees, {}, None)

    await lesson.roster(session_id, ADA, CY)

    shown = {one["email"]: one for one in lesson.shown()[0]["attendees"]}
    assert shown == {
        ADA: ada,
        CY: {"email": CY, "responseStatus": "needsAction"},
        MRS_TEACHER: {**teacher, "organizer": True, "self": True},
    }

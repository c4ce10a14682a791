"""A class is scheduled together with its event: both are made, or neither."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from functions.domain.errors import StoreUnavailable
from functions.services.classes.schedule import Scheduling
from infra.local.google_apis import RestFault
from infra.local.school import Attendee, Conference, Space, Visit
from tests.api import client, fields, slug
from tests.classroom import TEACHER, job
from tests.integration.calendar.class_in_calendar import ADA, BOB, MRS_TEACHER, OTHER_TEACHER, guests, times

BERLIN = ZoneInfo("Europe/Berlin")
NO_MEET = json.dumps(
    {
        "error": {
            "code": 400,
            "message": "Invalid conference type value.",
            "errors": [{"domain": "global", "reason": "invalid", "message": "Invalid conference type value."}],
        }
    }
)
"""The answer that Calendar is reported to give if a calendar may have no Meet links."""


async def test_a_class_is_an_event_with_its_students_invited_and_its_link_leads_to_the_class_s_room(lesson, school):
    made = await lesson.made(co_teacher_emails=[OTHER_TEACHER])
    (event,) = lesson.shown()

    assert made["calendar"] == {"event_id": event["id"], "state": "active", "hint": None}
    assert times([event]) == [(lesson.first, lesson.first + timedelta(hours=1))]
    assert (event["summary"], event["start"]["timeZone"]) == ("Mathematics", "Europe/Berlin")
    assert guests(event) == {ADA, BOB, OTHER_TEACHER}
    assert event["guestsCanSeeOtherGuests"] is False
    assert event["extendedProperties"]["private"]["session_id"] == made["session_id"]
    assert made["meeting_code"] == event["conferenceData"]["conferenceId"]
    assert made["space"] == school.space(f"spaces/{made['meeting_code']}").name
    assert lesson.calendar.calendars.sent == [(event["id"], "all", frozenset({ADA, BOB, OTHER_TEACHER}))]
    assert {call.acting_as for call in lesson.calendar.calls} == {MRS_TEACHER}


async def test_without_calendar_there_is_no_event(lesson):
    made = await lesson.made(calendar=False)

    assert "calendar" not in made
    assert lesson.calendar.calls == []


async def test_students_without_an_address_are_not_invited(lesson):
    await lesson.made(student_emails=None, students=[{"student_id": "s1"}, {"student_id": "s2", "email": ADA}])
    (event,) = lesson.shown()

    assert guests(event) == {ADA}


async def test_an_existing_link_is_the_location_of_the_event(lesson, school):
    school.open(Space("spaces/room", "abc-mnop-xyz", TEACHER))
    made = await lesson.made(meeting_code="abc-mnop-xyz")
    (event,) = lesson.shown()

    assert made["space"] == "spaces/room"
    assert event["location"] == made["meeting_uri"]
    assert "conferenceData" not in event


async def test_a_weekly_class_across_the_end_of_summer_time_is_scheduled_once_and_each_call_is_in_its_own_week(
    lesson, school, app, clock
):
    """There are ten Mondays from 5 October 2026; summer time ends on 25 October."""
    first = datetime(2026, 10, 5, 9, tzinfo=BERLIN)
    made = await lesson.made(start_time=first.isoformat(), recurrence="FREQ=WEEKLY;COUNT=10")
    starts = [datetime.fromisoformat(one["start_time"]) for one in made["sessions"]]

    assert lesson.calendar.calls.by_method()["events.insert"] == 1
    assert len({one["recurringEventId"] for one in lesson.shown()}) == 1
    assert [start for start, _ in times(lesson.shown())] == starts
    assert {start.astimezone(BERLIN).hour for start in starts} == {9}
    assert {start.astimezone(UTC).hour for start in starts} == {7, 8}
    assert await lesson.agrees()
    assert [updates for _, updates, _ in lesson.calendar.calendars.sent] == ["all"]

    for number, start in enumerate(starts):
        end = start + timedelta(minutes=60)
        visit = (Visit(start, end),)
        people = Attendee("t", "signed_in", "T", TEACHER, visit), Attendee("a", "signed_in", "A", "users/10", visit)
        school.hold(Conference(f"week{number}", made["space"], made["meeting_code"], TEACHER, start, end, people))
        clock.turn_to(end + timedelta(minutes=20))
        await job(app, "sync-due")
    sessions = await lesson.sessions()

    assert [one["conference_records"] for one in sessions] == [[f"conferenceRecords/week{n}"] for n in range(10)]
    assert [one["state"] for one in sessions] == ["ended"] * 10
    assert await lesson.agrees()


async def test_occurrences_are_read_to_the_last_page(lesson):
    lesson.calendar.page_size = 3
    await lesson.made(recurrence="FREQ=DAILY;COUNT=10")

    assert await lesson.agrees()


@pytest.mark.parametrize(("status", "reason"), [(400, "invalid"), (410, "updatedMinTooLongAgo")])
async def test_occurrences_are_read_from_the_first_page_again_when_a_page_token_is_no_longer_valid(
    *, lesson, status, reason
):
    lesson.calendar.page_size = 3
    lesson.calendar.fail(RestFault("events.instances", status, reason, times=1, following=True))
    await lesson.made(recurrence="FREQ=DAILY;COUNT=10")

    assert await lesson.agrees()


async def test_calendar_that_refuses_its_own_page_tokens_counts_as_unavailable(lesson):
    lesson.calendar.page_size = 3
    lesson.calendar.fail(RestFault("events.instances", 400, "invalid", following=True))
    answer = await lesson.ask(recurrence="FREQ=DAILY;COUNT=10")

    assert (answer.status_code, slug(answer)) == (503, "calendar-unavailable")


async def test_calendar_that_repeats_the_same_page_token_counts_as_unavailable(lesson):
    lesson.calendar.fail(RestFault("events.instances", content='{"items": [], "nextPageToken": "again"}'))
    answer = await lesson.ask(recurrence="FREQ=DAILY;COUNT=10")

    assert (answer.status_code, slug(answer)) == (503, "calendar-unavailable")


@pytest.mark.parametrize(
    ("rule", "number"),
    [
        ("FREQ=WEEKLY;UNTIL=20261102", 5),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20261029T225959Z", 8),
        ("freq=monthly;byday=1mo;count=3;until=20271231", 3),
        ("FREQ=DAILY;INTERVAL=2;COUNT=3", 3),
    ],
)
async def test_whatever_rule_is_given_calendar_has_the_same_class_meetings(lesson, rule, number):
    made = await lesson.made(recurrence=rule)

    assert len(made["sessions"]) == number
    assert await lesson.agrees()


async def test_a_rule_that_calendar_understands_in_another_way_is_refused_whole(lesson, monkeypatch):
    served = lesson.calendar.calendars.instances

    def one_fewer(*asked, **how):
        found, more = served(*asked, **how)
        return found[1:], more

    monkeypatch.setattr(lesson.calendar.calendars, "instances", one_fewer)
    answer = await lesson.ask(recurrence="FREQ=WEEKLY;COUNT=4")

    assert (answer.status_code, slug(answer)) == (502, "calendar-request-refused")
    assert "one by one" in answer.json()["hint"]
    assert (await lesson.sessions(), lesson.shown()) == ([], [])


async def test_a_link_that_is_not_made_in_time_leaves_nothing_behind(lesson, pauses):
    lesson.calendar.calendars.reads_until_link = 1000
    answer = await lesson.ask()

    assert (answer.status_code, slug(answer)) == (503, "calendar-unavailable")
    assert 10 < sum(pauses) < 60
    assert (await lesson.sessions(), lesson.shown(), lesson.calendar.calendars.sent) == ([], [], [])


async def test_a_request_whose_time_is_over_while_it_waits_for_the_link_leaves_nothing_behind(lesson, app):
    waits = asyncio.Event()

    async def pause(_):
        waits.set()
        await asyncio.Event().wait()

    waiting = dataclasses.replace(app, deps=dataclasses.replace(app.deps, pause=pause))
    async with client(waiting, caller=None) as api:
        request = asyncio.create_task(api.post("/api/schedule/class", json=lesson.body()))
        await waits.wait()
        request.cancel()
        await asyncio.wait([request])

    assert lesson.shown() == []
    assert await lesson.sessions() == []


async def test_a_link_that_cannot_be_made_leaves_nothing_behind_and_the_request_can_be_sent_again(lesson):
    lesson.calendar.calendars.links_fail = True
    answer = await lesson.ask(external_id="lms-1")

    assert (answer.status_code, slug(answer)) == (502, "calendar-link-failed")
    assert "Meet is switched on" in answer.json()["hint"]
    assert (await lesson.sessions(), lesson.shown(), lesson.calendar.calendars.sent) == ([], [], [])

    lesson.calendar.calendars.links_fail = False
    await lesson.made(external_id="lms-1")
    assert await lesson.agrees()


async def test_the_same_request_can_be_sent_again_after_any_number_of_failures(lesson):
    lesson.calendar.calendars.links_fail = True
    failed = [(await lesson.ask(external_id="lms-1")).status_code for _ in range(10)]

    lesson.calendar.calendars.links_fail = False
    await lesson.made(external_id="lms-1")
    assert set(failed) == {502}
    assert await lesson.agrees()


@pytest.mark.parametrize(
    ("fault", "status", "problem", "hint"),
    [
        (RestFault("events.insert", 503), 503, "calendar-unavailable", "tries again"),
        (RestFault("events.insert", 403, "dailyLimitExceeded"), 503, "calendar-unavailable", "tries again"),
        (RestFault("events.insert", 403, "accessNotConfigured"), 502, "calendar-api-disabled", "calendar-json"),
        (RestFault("events.insert", 403, "insufficientPermissions"), 502, "calendar-access-denied", "calendar.events"),
        (RestFault("events.insert", 400, "invalid"), 502, "calendar-request-refused", "without calendar"),
        (RestFault("events.insert", 400, content=NO_MEET), 502, "calendar-link-failed", "Meet is switched on"),
        (RestFault("events.insert", 404, "notFound"), 502, "calendar-access-denied", "Calendar is switched on"),
        (RestFault("events.get", 403, "forbidden"), 502, "calendar-access-denied", "Calendar is switched on"),
    ],
)
async def test_what_calendar_refuses_is_reported_with_what_to_do_and_not_stored(lesson, fault, status, problem, hint):
    lesson.calendar.fail(fault)
    answer = await lesson.ask()

    assert (answer.status_code, slug(answer)) == (status, problem)
    assert hint in answer.json()["hint"]
    assert not any(email in answer.text for email in (MRS_TEACHER, ADA))
    assert await lesson.sessions() == []
    assert lesson.calendar.calendars.sent == []


async def test_a_teacher_without_a_calendar_is_told_so(lesson):
    answer = await lesson.ask(teacher_email="nobody@school.example")

    assert (answer.status_code, slug(answer)) == (502, "calendar-access-denied")
    assert "Calendar is switched on" in answer.json()["hint"]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k1"}])
async def test_an_event_that_was_left_behind_is_taken_by_the_next_attempt_at_the_same(lesson, headers):
    body = lesson.body(external_id=None if headers else "lms-1")
    lesson.calendar.fail(RestFault("events.get", 403, "forbidden"))
    failed = await lesson.api.post("/api/schedule/class", json=body, headers=headers)
    assert failed.status_code == 502
    (left,) = lesson.shown()

    lesson.calendar.fail()
    made = await lesson.api.post("/api/schedule/class", json=body, headers=headers)
    assert made.json()["calendar"]["event_id"] == left["id"]
    assert await lesson.agrees()


async def test_an_event_of_an_earlier_attempt_with_another_body_goes(lesson):
    lesson.calendar.fail(RestFault("events.get", 403, "forbidden"))
    await lesson.ask(external_id="lms-1", subject="Wrong")

    lesson.calendar.fail()
    await lesson.made(external_id="lms-1")
    assert await lesson.agrees()


@pytest.mark.parametrize("same", [{"external_id": "lms-1"}, {}])
async def test_a_request_that_is_repeated_makes_no_second_event(lesson, same):
    headers = {} if same else {"Idempotency-Key": "k1"}
    body = lesson.body(**same)
    first, *others = await asyncio.gather(
        *(lesson.api.post("/api/schedule/class", json=body, headers=headers) for _ in range(3))
    )
    again = await lesson.api.post("/api/schedule/class", json=body, headers=headers)

    assert sorted(answer.status_code for answer in (first, *others)) == [200, 200, 201]
    assert again.status_code == 200
    assert again.json()["session_id"] == first.json()["session_id"]
    assert len(lesson.shown()) == 1
    assert await lesson.agrees()


async def test_a_class_that_overlaps_leaves_no_event(lesson, school):
    school.open(Space("spaces/room", "abc-mnop-xyz", TEACHER))
    await lesson.made(meeting_code="abc-mnop-xyz")
    answer = await lesson.ask(meeting_code="abc-mnop-xyz")

    assert (answer.status_code, slug(answer)) == (409, "overlapping-class")
    assert len(lesson.shown()) == 1
    assert await lesson.agrees()


async def test_too_many_guests_are_refused_before_anything_is_made(lesson):
    answer = await lesson.ask(student_emails=[f"s{n}@school.example" for n in range(201)])

    assert fields(answer) == ["students"]
    assert lesson.calendar.calls == []

    made = await lesson.made(student_emails=[f"s{n}@school.example" for n in range(200)])
    body = {"students": [{"email": f"s{n}@school.example"} for n in range(201)], "by": "office"}
    refused = await lesson.api.put(f"/api/sessions/{made['session_id']}/roster", json=body)
    assert fields(refused) == ["students"]
    assert await lesson.agrees()


async def test_where_calendar_is_not_in_use_the_field_is_refused(start, lesson):
    async with client(start(calendar_in_use=False), caller=None) as api:
        answer = await api.post("/api/schedule/class", json=lesson.body())

    assert fields(answer) == ["calendar"]
    assert "CALENDAR_API_ENDPOINT" in answer.json()["hint"]


async def test_no_address_is_logged(lesson, caplog):
    lesson.calendar.fail(RestFault("events.patch", 403, "forbidden"))
    await lesson.made()

    assert "calendar.waits" in [record.message for record in caplog.records]
    assert "@school.example" not in json.dumps([record.__dict__ for record in caplog.records], default=str)


async def test_a_class_keeps_its_event_if_the_answer_of_the_store_was_lost(lesson, app):
    class LosesAnswers:
        def __getattr__(self, name):
            return getattr(app.deps.store, name)

        async def transact(self, decide, **begins):
            done = await app.deps.store.transact(decide, **begins)
            if isinstance(done[0], Scheduling):
                raise StoreUnavailable("The store did not answer.")
            return done

    failing = dataclasses.replace(app, deps=dataclasses.replace(app.deps, store=LosesAnswers()))
    async with client(failing, caller=None) as api:
        answer = await api.post("/api/schedule/class", json=lesson.body(external_id="lms-1"))
    assert (answer.status_code, slug(answer)) == (503, "store-unavailable")
    assert len(lesson.shown()) == 1

    again = await lesson.ask(external_id="lms-1")
    assert (again.status_code, again.json()["calendar"]["state"]) == (200, "pending")
    await lesson.due(timedelta(minutes=2))
    assert await lesson.agrees()

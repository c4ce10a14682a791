"""An erased person is no longer a guest of any class."""

from __future__ import annotations

from datetime import timedelta

from infra.local.google_apis import RestFault
from tests.integration.calendar.class_in_calendar import ADA, BOB, guests


async def test_calendar_loses_a_guest_who_is_erased(lesson):
    await lesson.made()
    await lesson.made(recurrence="FREQ=WEEKLY;COUNT=3", start_time=(lesson.first + timedelta(days=1)).isoformat())

    answer = await lesson.api.delete(f"/api/students/{ADA}")

    assert answer.status_code == 200, answer.text
    assert [guests(event) for event in lesson.shown()] == [{BOB}] * 4
    assert await lesson.agrees()


async def test_calendar_that_does_not_answer_loses_the_guest_later(lesson):
    await lesson.made()
    lesson.calendar.fail(RestFault("events.patch", 403, "forbidden"))

    answer = await lesson.api.delete(f"/api/students/{ADA}")
    assert answer.status_code == 200, answer.text
    lesson.calendar.fail()
    await lesson.due(timedelta(hours=7))

    assert [guests(event) for event in lesson.shown()] == [{BOB}]

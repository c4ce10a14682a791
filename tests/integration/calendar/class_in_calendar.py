"""A class: how the LMS plans it, and how people see it in their calendars."""

from __future__ import annotations

from datetime import datetime

from infra.local.calendars import moment_of
from tests.classroom import PUPILS, job

MRS_TEACHER = "teacher@school.example"
OTHER_TEACHER = "other@school.example"
ADA, BOB, CY = (account.email for account in PUPILS[:3])


def times(shown):
    return [(moment_of(event["start"]), moment_of(event["end"])) for event in shown]


def guests(event):
    return {one["email"] for one in event.get("attendees", ())}


class ClassInCalendar:
    """Plans a class and reads the result; `first` is its default start."""

    def __init__(self, api, app, calendar, clock, *, first):
        self.api, self.app, self.calendar, self.clock, self.first = api, app, calendar, clock, first

    def body(self, **changes):
        body = {
            "teacher_email": MRS_TEACHER,
            "student_emails": [ADA, BOB],
            "subject": "Mathematics",
            "class_id": "7b",
            "start_time": self.first.isoformat(),
            "duration_minutes": 60,
            "calendar": True,
            "time_zone": "Europe/Berlin" if changes.get("recurrence") else None,
            **changes,
        }
        return {name: value for name, value in body.items() if value is not None}

    async def ask(self, **changes):
        return await self.api.post("/api/schedule/class", json=self.body(**changes))

    async def made(self, **changes):
        answer = await self.ask(**changes)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def change(self, session_id, *, scope="this", **changes):
        answer = await self.api.patch(f"/api/schedule/class/{session_id}?scope={scope}", json=changes)
        assert answer.status_code == 200, answer.text
        return answer.json()["session"]

    async def cancel(self, session_id, *, scope="this"):
        answer = await self.api.delete(f"/api/schedule/class/{session_id}?scope={scope}")
        assert answer.status_code == 200, answer.text
        return answer.json()["session"]

    async def roster(self, session_id, *emails):
        body = {"students": [{"email": email} for email in emails], "by": "office"}
        answer = await self.api.put(f"/api/sessions/{session_id}/roster", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def session(self, session_id):
        return (await self.api.get(f"/api/sessions/{session_id}")).json()

    async def sessions(self):
        return (await self.api.get("/api/sessions?page_size=500")).json()["sessions"]

    def shown(self, owner=MRS_TEACHER):
        return self.calendar.calendars.shown(owner)

    async def agrees(self):
        """Return whether the calendar shows exactly the planned class meetings, and the application reports this."""
        sessions = [one for one in await self.sessions() if one["state"] != "cancelled"]
        planned = [
            (
                datetime.fromisoformat(one["scheduled_start"]),
                datetime.fromisoformat(one["scheduled_end"]),
                one["subject"],
                {*one["teacher_emails"], *(entry["email"] for entry in one["roster"])} - {MRS_TEACHER},
            )
            for one in sessions
        ]
        shown = self.shown()
        found = [(*time, event["summary"], guests(event)) for time, event in zip(times(shown), shown, strict=True)]
        assert found == planned
        return all(one["calendar"]["state"] == "active" for one in await self.sessions())

    async def due(self, after):
        """Let this much time pass, and run the scheduled job."""
        self.clock.turn(after)
        await job(self.app, "sync-due")

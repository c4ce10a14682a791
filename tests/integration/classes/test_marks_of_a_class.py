"""A class from its scheduling to its marks: with the API, the events, the jobs, and a simulated Google."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc

from infra.local.faults import Fault
from infra.local.school import Attendee, Conference, Visit
from tests.classroom import (
    MARKS,
    NOW,
    START,
    TEACHER,
    at,
    event,
    held,
    job,
    marks,
    pupil,
    scheduled,
    sheet,
    teacher,
    the_class,
)

# --- From the scheduling to the marks ---


async def test_an_event_alone_gives_every_student_the_right_mark_with_its_reason(api, app, school):
    made = await scheduled(api)
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)

    await event(app, conference)

    assert made["tracking"] == "active"
    assert await marks(api, made["session_id"]) == MARKS
    reasons = {p["email"]: p["status_reason"] for p in (await sheet(api, made["session_id"]))["attendance"]}
    assert "12 min" in reasons["late@school.example"]
    assert "the limit is 5 min" in reasons["late@school.example"]


async def test_guests_phones_and_room_devices_are_told_apart(api, app, school):
    made = await scheduled(api)
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)

    await event(app, conference)

    answer = await sheet(api, made["session_id"])
    others = {p["kind"]: p for p in answer["attendance"] if p["role"] == "guest"}
    assert {"anonymous", "phone", "room"} == set(others)
    assert {name: others["phone"][name] for name in ("status", "mark")} == {"status": None, "mark": None}
    assert answer["session"]["counts"]["guests"] == 2


async def test_asking_by_hand_gives_the_same_and_asking_twice_changes_nothing(api, school):
    made = await scheduled(api)
    school.hold(the_class(made["space"], made["meeting_code"]))
    url = f"/api/webhook/sessions/{made['session_id']}/sync-participants"

    first, second = (await api.post(url)).json(), (await api.post(url)).json()

    assert {name: first[name] for name in ("status", "message", "created", "updated")} == {
        "status": "success",
        "message": "Synced 9 participants",
        "created": 9,
        "updated": 0,
    }
    assert {name: second[name] for name in ("created", "updated")} == {"created": 0, "updated": 0}
    assert first["participants"] == second["participants"]
    times = [person["total_duration_seconds"] for person in first["participants"]]
    assert sorted(times, reverse=True) == times
    assert await marks(api, made["session_id"]) == MARKS


async def test_without_any_event_the_due_time_gives_the_same_marks(api, app, school):
    made = await scheduled(api)
    school.hold(the_class(made["space"], made["meeting_code"]))

    await job(app, "sync-due")

    assert await marks(api, made["session_id"]) == MARKS
    session = (await sheet(api, made["session_id"]))["session"]
    assert session["state"] == "ended"
    assert len(await app.deps.store.due_sessions(datetime.now(UTC))) == 0


async def test_a_call_that_dropped_and_was_made_again_is_one_class(api, app, school):
    made = await scheduled(api)
    room = (made["space"], made["meeting_code"])
    first = held(*room, teacher((0, 20)), pupil(0, (0, 20)), pupil(1, (0, 20)), record="one", end=20)
    second = held(*room, teacher((22, 60)), pupil(0, (22, 60)), record="two", start=22)
    school.hold(first)
    school.hold(second)

    await event(app, second)

    session = (await sheet(api, made["session_id"]))["session"]
    assert session["conference_records"] == ["conferenceRecords/one", "conferenceRecords/two"]
    assert {"present", "partial"} == {(await marks(api, made["session_id"]))[name] for name in ("punctual", "late")}


async def test_two_classes_back_to_back_in_one_call_are_two(api, app, school):
    made = await scheduled(api, duration_minutes=30)
    second = await scheduled(
        api, duration_minutes=30, start_time=at(30).isoformat(), meeting_code=made["meeting_code"], class_id="7c"
    )
    conference = held(made["space"], made["meeting_code"], teacher((0, 60)), pupil(0, (0, 60)), pupil(1, (30, 60)))
    school.hold(conference)

    await event(app, conference)

    assert {
        name: mark for name, mark in (await marks(api, made["session_id"])).items() if name in {"punctual", "late"}
    } == {"punctual": "present", "late": "absent"}
    assert (await marks(api, second["session_id"]))["late"] == "present"


async def test_a_class_that_nobody_came_to_was_not_held_and_nobody_is_absent(api, app):
    made = await scheduled(api)

    await job(app, "sync-due")

    answer = await sheet(api, made["session_id"])
    assert answer["session"]["state"] == "not_held"
    assert {None} == set((await marks(api, made["session_id"])).values())


async def test_a_class_entered_afterwards_takes_over_what_was_stored_unscheduled(api, app, school, database):
    made = await scheduled(api, start_time=(NOW - timedelta(days=20)).isoformat())
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    await event(app, conference)
    assert await database.get("sessions/rec-1")

    afterwards = await scheduled(api, meeting_code=made["meeting_code"])

    assert not await database.get("sessions/rec-1")
    await job(app, "sync-due")
    assert await marks(api, afterwards["session_id"]) == MARKS


# --- Certainty ---


async def test_a_class_that_ends_early_has_nobody_unknown_one_due_time_after_its_end(api, app, school):
    start = NOW - timedelta(minutes=61)
    made = await scheduled(api, start_time=start.isoformat())
    shift = start - START
    early = Conference(
        "rec-1",
        made["space"],
        made["meeting_code"],
        TEACHER,
        start,
        start + timedelta(minutes=58),
        tuple(
            Attendee(one.id, one.kind, one.display_name, one.user, tuple(_moved(v, shift, 58) for v in one.visits))
            for one in (teacher((0, 58)), pupil(0, (0, 58)), pupil(1, (12, 58)))
        ),
    )
    school.hold(early)
    await event(app, early)

    await job(app, "sync-due")

    found = await marks(api, made["session_id"])
    assert "unknown" not in found.values()
    assert {"punctual": "present", "late": "late", "absent": "absent"}.items() <= found.items()


def _moved(visit, shift, _end):
    return Visit(visit.start + shift, visit.end + shift if visit.end else None)


async def test_while_the_teachers_credentials_are_dead_nobody_is_absent_and_nothing_not_held(api, app, school, meet):
    made = await scheduled(api)
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    dead = [
        Fault(method, grpc.StatusCode.UNAUTHENTICATED)
        for method in ("GetConferenceRecord", "ListParticipants", "ListParticipantSessions", "ListConferenceRecords")
    ]
    meet.faults.set(*dead)

    await event(app, conference)
    await job(app, "sync-due")

    answer = await sheet(api, made["session_id"])
    assert {"unknown"} == set((await marks(api, made["session_id"])).values())
    assert answer["session"]["state"] != "not_held"
    meet.faults.set()
    await job(app, "sync-session", session_id=made["session_id"])
    assert await marks(api, made["session_id"]) == MARKS

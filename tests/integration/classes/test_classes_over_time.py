"""Classes over a day and over a year: at each moment, results use only what is known at that moment."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from functions.ports.messages import Job
from functions.services.operations.run_job import run_job
from infra.local.clock import TurnableClock
from infra.local.faults import Fault
from infra.local.google_apis import RestFault
from infra.local.school import Account, Attendee, Conference, Visit
from tests.classroom import PUPILS, TEACHER, everything, job, marks, sheet

BY = {"by": "Mrs Head"}
ADA, BOB = PUPILS[:2]
"""The pupils of the class, with the addresses `punctual` and `late`."""


def at(hour, minute=0, *, days=0):
    """Return a time on 23 November 2026, or this many days later."""
    return datetime(2026, 11, 23, hour, minute, tzinfo=UTC) + timedelta(days=days)


@pytest.fixture
def clock():
    return TurnableClock(at(6))


def there(account, *times, key=None):
    visits = tuple(Visit(start, end) for start, end in times)
    return Attendee(key or account.user.rpartition("/")[2], "signed_in", account.display_name, account.user, visits)


def the_teacher(*times):
    return there(Account(TEACHER, "teacher@school.example", display_name="The Teacher"), *times)


def held(made, start, end, *people, record="rec"):
    return Conference(record, made["space"], made["meeting_code"], TEACHER, start, end, tuple(people))


async def scheduled(api, start, *, students=(ADA, BOB), **changes):
    body = {
        "teacher_email": "teacher@school.example",
        "student_emails": [student.email for student in students],
        "subject": "Mathematics",
        "class_id": "7b",
        "start_time": start.isoformat(),
        "duration_minutes": 60,
        **changes,
    }
    answer = await api.post("/api/schedule/class", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def run_due(app, clock, *moments):
    for moment in moments:
        clock.turn_to(moment)
        await job(app, "sync-due")


async def state(api, made):
    return (await sheet(api, made["session_id"]))["session"]["state"]


async def test_a_call_that_goes_on_after_the_class_is_not_final_and_is_read_again(api, app, school, clock):
    """There is no event. A guest left early; a pupil joined later and stays to the end of the call."""
    made = await scheduled(api, at(9))
    leaves = Attendee("guest", "anonymous", "Somebody", None, (Visit(at(9), at(9, 10)),))
    pupils = there(ADA, (at(9), at(12))), there(BOB, (at(9, 12), at(12)))
    school.hold(held(made, at(9), at(12), the_teacher((at(9), at(12))), leaves, *pupils))

    for moment in (at(10), at(10, 10), at(10, 20)):
        await run_due(app, clock, moment)
        assert await state(api, made) == "live"
        assert set((await marks(api, made["session_id"])).values()) <= {"unknown", "present", "late"}

    await run_due(app, clock, at(13), at(19))
    assert await state(api, made) == "ended"
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "late"}


async def test_two_classes_in_one_call_that_was_left_open_both_have_it(api, app, school, clock):
    first = await scheduled(api, at(9))
    second = await scheduled(api, at(11), meeting_code=first["meeting_code"])
    everybody = the_teacher((at(9), at(12))), there(ADA, (at(9), at(12))), there(BOB, (at(11), at(12)))
    school.hold(held(first, at(9), at(12), *everybody))
    await run_due(app, clock, at(10), at(10, 10), at(10, 30), at(11), at(12), at(12, 10), at(18))

    assert await marks(api, first["session_id"]) == {"punctual": "present", "late": "absent"}
    assert await marks(api, second["session_id"]) == {"punctual": "present", "late": "present"}
    assert await state(api, second) == "ended"


async def test_a_call_that_was_read_long_before_the_class_still_counts_for_it(api, app, school, clock):
    made = await scheduled(api, at(11))
    everybody = the_teacher((at(9), at(12))), there(ADA, (at(11), at(12)))
    school.hold(held(made, at(9), at(12), *everybody))
    clock.turn_to(at(9, 5))
    await job(app, "sync-conference", conference_record="conferenceRecords/rec", organizer=TEACHER)
    await run_due(app, clock, at(12), at(12, 10))

    assert await state(api, made) == "ended"
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "absent"}


async def test_a_list_from_before_the_end_moves_no_end_that_was_read_since(api, app, school, clock):
    """Another instance reads the final data of the conference between this instance's list and its commit."""
    made = await scheduled(api, at(9))
    times = (at(9), at(9, 50))
    late = dataclasses.replace(held(made, *times, the_teacher(times)), settles=at(10, 1))
    school.hold(late)
    clock.turn_to(at(10))

    class Slow:
        def __getattr__(self, name):
            return getattr(app.deps.conferences, name)

        async def list(self, **wanted):
            listing = await app.deps.conferences.list(**wanted)
            clock.turn_to(at(10, 2))
            await job(app, "sync-conference", conference_record="conferenceRecords/rec", organizer=TEACHER)
            return listing

    deps = dataclasses.replace(app.deps, conferences=Slow())
    await run_job(Job("sync-session", {"session_id": made["session_id"]}), deps=deps)

    async def load(work):
        return await work.room(made["space"])

    room, _ = await app.deps.store.transact(load)
    assert [span.time.end for span in room.spans] == [at(9, 50)]


async def test_a_class_is_not_called_not_held_while_its_participants_are_unknown(api, app, school, clock, google):
    made = await scheduled(api, at(9), teacher_email="teacher@school.example", co_teacher_emails=[ADA.email])
    school.hold(held(made, at(9), at(10), there(ADA, (at(9), at(10)))))
    google.fail(RestFault("people.batchGet", 503), RestFault("users.get", 503))
    await run_due(app, clock, at(10), at(10, 10))
    assert await state(api, made) == "ended"

    google.fail()
    await run_due(app, clock, at(10, 30))
    answer = await sheet(api, made["session_id"])
    assert answer["session"]["held_start"] is not None


async def test_a_class_whose_call_another_ones_sync_brought_is_due_again_until_everybody_is_known(
    api, app, school, clock, google
):
    first = await scheduled(api, at(9))
    second = await scheduled(api, at(10), meeting_code=first["meeting_code"])
    await run_due(app, clock, at(10), at(10, 10), at(11), at(11, 10))
    assert await state(api, second) == "not_held"

    times = (at(9, 30), at(10, 30))
    school.hold(held(first, *times, the_teacher(times), there(ADA, times)))
    google.fail(RestFault("people.batchGet", 503), RestFault("users.get", 503))
    await job(app, "sync-session", session_id=first["session_id"])
    assert await marks(api, second["session_id"]) == {"punctual": "unknown", "late": "unknown"}

    google.fail()
    await run_due(app, clock, at(11, 20))
    assert await marks(api, second["session_id"]) == {"punctual": "present", "late": "absent"}


async def test_a_call_after_the_class_that_cannot_be_read_takes_no_mark_back(api, app, school, clock, meet):
    made = await scheduled(api, at(9))
    school.hold(held(made, at(9), at(9, 50), the_teacher((at(9), at(9, 50))), there(ADA, (at(9), at(9, 50)))))
    await run_due(app, clock, at(10))
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "absent"}

    school.hold(held(made, at(10, 2), at(10, 9), there(BOB, (at(10, 2), at(10, 9))), record="second"))
    meet.faults.set(Fault("ListParticipants", status=grpc.StatusCode.PERMISSION_DENIED, resource="second"))
    await run_due(app, clock, at(10, 10))
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "absent"}


async def test_after_a_call_that_dropped_nobody_is_absent_before_meet_was_asked_for_further_calls(
    api, app, school, clock, meet
):
    made = await scheduled(api, at(9))
    dropped = held(made, at(9), at(9, 10), the_teacher((at(9), at(9, 10))), there(ADA, (at(9), at(9, 10))))
    school.hold(dropped)
    clock.turn_to(at(9, 11))
    await job(app, "sync-conference", conference_record=dropped.name, organizer=TEACHER)
    everybody = [there(one, (at(9, 12), at(10))) for one in (ADA, BOB)]
    school.hold(held(made, at(9, 12), at(10), the_teacher((at(9, 12), at(10))), *everybody, record="again"))

    meet.faults.set(Fault("ListConferenceRecords", status=grpc.StatusCode.PERMISSION_DENIED))
    await run_due(app, clock, at(10), at(10, 10), at(14), at(20))
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "unknown"}
    assert await state(api, made) == "ended"

    meet.faults.clear()
    await run_due(app, clock, at(9, days=1))
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "late"}


async def test_a_list_for_the_class_before_makes_nobody_absent_in_the_class_after(api, app, school, clock, meet):
    first = await scheduled(api, at(9))
    second = await scheduled(api, at(10), meeting_code=first["meeting_code"])
    school.hold(held(first, at(9), at(10), the_teacher((at(9), at(10))), there(ADA, (at(9), at(10)))))
    school.hold(
        held(first, at(10, 1), at(10, 20), the_teacher((at(10, 1), at(10, 20))), there(ADA, (at(10, 1), at(10, 20))),
             record="two")
    )  # fmt: skip
    clock.turn_to(at(10, 30))
    for name in ("rec", "two"):
        await job(app, "sync-conference", conference_record=f"conferenceRecords/{name}", organizer=TEACHER)
    assert await marks(api, first["session_id"]) == {"punctual": "present", "late": "absent"}

    meet.faults.set(Fault("ListConferenceRecords", status=grpc.StatusCode.PERMISSION_DENIED))
    await run_due(app, clock, at(11), at(12))
    assert await marks(api, second["session_id"]) == {"punctual": "present", "late": "unknown"}


async def test_a_class_that_was_moved_to_end_later_needs_another_list(api, app, school, clock, meet):
    made = await scheduled(api, at(9))
    school.hold(held(made, at(9), at(9, 50), the_teacher((at(9), at(9, 50))), there(ADA, (at(9), at(9, 50)))))
    await run_due(app, clock, at(10))
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "absent"}

    meet.faults.set(Fault("ListConferenceRecords", status=grpc.StatusCode.PERMISSION_DENIED))
    answer = await api.patch(f"/api/schedule/class/{made['session_id']}", json={"duration_minutes": 62})
    assert answer.is_success
    await run_due(app, clock, at(10, 3))
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "unknown"}

    meet.faults.clear()
    await run_due(app, clock, at(10, 30))
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "absent"}


async def test_a_second_call_that_is_not_final_gives_no_partial_mark(api, app, school, clock):
    """Both pupils are in the second call. Meet does not know about Bob yet, nor when a guest in the call left."""
    made = await scheduled(api, at(9))
    first = [there(one, (at(9), at(9, 20))) for one in (ADA, BOB)]
    school.hold(held(made, at(9), at(9, 20), the_teacher((at(9), at(9, 20))), *first))
    everybody = the_teacher((at(9, 25), at(10))), there(ADA, (at(9, 25), at(10)))
    stays = Attendee("guest", "anonymous", "Somebody", None, (Visit(at(9, 25), None),))
    school.hold(held(made, at(9, 25), at(10), *everybody, stays, record="again"))
    await run_due(app, clock, at(10))
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "unknown"}

    bob = there(BOB, (at(9, 25), at(10)))
    school.hold(held(made, at(9, 25), at(10), *everybody, bob, stays, record="again"))
    await run_due(app, clock, at(10, 10))
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "present"}


async def test_a_class_whose_teacher_lost_the_connection_is_measured_by_the_planned_time(api, app, school, clock):
    made = await scheduled(api, at(9))
    pupils = there(ADA, (at(9, 6), at(10))), there(BOB, (at(9), at(9, 5)))
    stays = Attendee("guest", "anonymous", "Somebody", None, (Visit(at(9, 5), at(10)),))
    school.hold(held(made, at(9), at(10), the_teacher((at(9), at(9, 5))), *pupils, stays))
    await run_due(app, clock, at(10))

    answer = await sheet(api, made["session_id"])
    reasons = {p["email"]: p["status_reason"] for p in answer["attendance"] if p["role"] == "student"}
    assert (answer["session"]["held_start"], answer["session"]["held_end"]) == (None, None)
    assert await marks(api, made["session_id"]) == {"punctual": "late", "late": "partial"}
    assert reasons[ADA.email] == "Joined 6 min after the class began at 09:00; the limit is 5 min."
    assert reasons[BOB.email].startswith("Was there for 5 min of the class, 09:00 to 10:00 (8 %)")


async def test_a_class_of_three_minutes_is_held(api, app, school, clock):
    made = await scheduled(api, at(9), duration_minutes=3)
    everybody = the_teacher((at(9), at(9, 3))), there(ADA, (at(9), at(9, 3)))
    school.hold(held(made, at(9), at(9, 3), *everybody))
    await run_due(app, clock, at(9, 3), at(9, 13))

    assert await state(api, made) == "ended"
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "absent"}


async def test_a_class_keeps_its_result_when_its_room_no_longer_has_it(api, app, school, clock, database):
    made = await scheduled(api, at(9))
    school.hold(held(made, at(9), at(10), the_teacher((at(9), at(10))), there(ADA, (at(9), at(10)))))
    await run_due(app, clock, at(10), at(10, 10))
    for days in (205, 206):
        clock.turn_to(at(12, days=days))
        await scheduled(api, at(13, days=days), meeting_code=made["meeting_code"])
    before = await everything(database)

    await job(app, "remark-session", session_id=made["session_id"])
    assert await everything(database) == before
    [bob] = [p for p in (await sheet(api, made["session_id"]))["attendance"] if p["email"] == BOB.email]
    url = f"/api/sessions/{made['session_id']}/attendance/{bob['attendee_id']}/override"
    assert (await api.put(url, json={"status": "excused", **BY})).is_success
    assert await marks(api, made["session_id"]) == {"punctual": "present", "late": "excused"}
    assert (await api.delete(f"/api/schedule/class/{made['session_id']}")).is_success
    assert await state(api, made) == "cancelled"


async def test_who_an_account_is_said_to_be_counts_in_every_class_and_is_taken_back_in_every_class(
    api, app, school, clock, database
):
    stranger = Account("users/4711", "private@elsewhere.example", display_name="B", in_people=False, in_directory=False)
    made = []
    for number, hour in enumerate((8, 10, 12)):
        made.append(await scheduled(api, at(hour)))
        times = (at(hour), at(hour + 1))
        school.hold(held(made[-1], *times, the_teacher(times), there(stranger, times), record=f"rec-{number}"))
    await run_due(app, clock, at(9), at(9, 10), at(11), at(11, 10), at(13), at(13, 10))
    before = await everything(database)
    people = (await sheet(api, made[1]["session_id"]))["attendance"]
    [guest] = [person for person in people if person["role"] == "guest"]
    url = f"/api/sessions/{made[1]['session_id']}/attendance/{guest['attendee_id']}/assign"

    assert (await api.post(url, json={"email": BOB.email, **BY})).is_success
    assert [(await marks(api, one["session_id"]))["late"] for one in made] == ["present"] * 3

    assert (await api.post(url, json={"email": None, **BY})).is_success
    assert await everything(database) == before


async def test_what_people_decided_about_a_meeting_that_nobody_scheduled_waits_for_it_to_come_back(
    api, app, school, clock
):
    made = await scheduled(api, at(9))
    device = Attendee("device", "anonymous", "Board", None, (Visit(at(14), at(15)),))
    substitute = held(made, at(14), at(15), the_teacher((at(14), at(15))), device, record="sub")
    school.hold(dataclasses.replace(substitute, space="spaces/other", meeting_code="xyz-abcd-efg"))
    clock.turn_to(at(15))
    await job(app, "sync-conference", conference_record="conferenceRecords/sub", organizer=TEACHER)
    people = (await sheet(api, "sub"))["attendance"]
    [board] = [person["attendee_id"] for person in people if person["kind"] == "anonymous"]
    assert (await api.post(f"/api/sessions/sub/attendance/{board}/assign", json={"kind": "room", **BY})).is_success
    before = await sheet(api, "sub")

    records = f"/api/sessions/{made['session_id']}/conference-records"
    assert (await api.post(records, json={"session_id": "sub", **BY})).is_success
    assert (await api.get("/api/sessions/sub")).status_code == 404
    assert (await api.delete(f"{records}/sub", params=BY)).is_success

    after = await sheet(api, "sub")
    assert [p["kind"] for p in after["attendance"]] == [p["kind"] for p in before["attendance"]]
    assert after["session"]["counts"] == before["session"]["counts"]


async def test_the_same_external_id_gives_the_class_also_when_it_is_long_ago(api, clock):
    made = await scheduled(api, at(9), external_id="lms-1")
    clock.turn_to(at(9, days=190))
    body = {
        "teacher_email": "teacher@school.example",
        "student_emails": [ADA.email, BOB.email],
        "subject": "Mathematics",
        "class_id": "7b",
        "start_time": at(9).isoformat(),
        "duration_minutes": 60,
        "external_id": "lms-1",
    }
    answer = await api.post("/api/schedule/class", json=body)

    assert (answer.status_code, answer.json()["session_id"]) == (200, made["session_id"])


@pytest.mark.parametrize(("before", "after"), [(BOB.email, BOB.email), ("bob.by@gmail.com", "bobby@googlemail.com")])
async def test_a_pupil_who_changes_section_is_on_the_roster_once(api, before, after):
    students = [{"student_id": "1", "email": ADA.email}, {"email": before, "class_id": "7c"}]
    body = {
        "teacher_email": "teacher@school.example",
        "students": students,
        "subject": "Mathematics",
        "class_id": "7b",
        "start_time": at(9).isoformat(),
        "duration_minutes": 60,
    }
    made = (await api.post("/api/schedule/class", json=body)).json()
    roster = [students[0], {"student_id": "2", "email": after}]
    assert (await api.put("/api/classes/7b/roster", json={"students": roster, **BY})).is_success

    session = (await api.get(f"/api/sessions/{made['session_id']}")).json()
    assert [entry["email"] for entry in session["roster"]] == [ADA.email, after]


async def test_a_student_is_found_by_an_id_that_looks_like_an_address(api, app, school, clock):
    body = {
        "teacher_email": "teacher@school.example",
        "students": [{"student_id": "jo@lms.example", "email": ADA.email}],
        "subject": "Mathematics",
        "start_time": at(9).isoformat(),
        "duration_minutes": 60,
    }
    made = (await api.post("/api/schedule/class", json=body)).json()
    school.hold(held(made, at(9), at(10), the_teacher((at(9), at(10)))))
    await run_due(app, clock, at(10))

    for name in ("jo@lms.example", ADA.email):
        found = (await api.get(f"/api/students/{name}/attendance")).json()["attendance"]
        assert [one["session_id"] for one in found] == [made["session_id"]]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"recurrence": "FREQ=DAILY;UNTIL=99991231"}, "recurrence"),
        ({"recurrence": "FREQ=DAILY;BYHOUR=9,10,11;COUNT=3"}, "recurrence"),
        ({"recurrence": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=3"}, "recurrence"),
        ({"recurrence": "FREQ=DAILY;COUNT=200", "students": 2000}, "recurrence"),
        ({"time_zone": "localtime"}, "time_zone"),
        ({"time_zone": "posix/Europe/Berlin"}, "time_zone"),
        ({"students": [{"student_id": ADA.email}, {"email": ADA.email}]}, "students.1"),
    ],
)
async def test_what_cannot_be_scheduled_is_refused_before_a_room_is_made(api, meet, change, field):
    body = {
        "teacher_email": "teacher@school.example",
        "students": [{"email": ADA.email}],
        "subject": "Mathematics",
        "start_time": at(9).isoformat(),
        "duration_minutes": 60,
        **change,
    }
    if body["students"] == 2000:
        body["students"] = [{"email": f"student{n}@school.example"} for n in range(2000)]
    answer = await api.post("/api/schedule/class", json=body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not meet.calls

"""The HTTP API as an LMS uses it: plan a class, see who came, correct it. Meet is simulated, the rest is real."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions.adapters.store.databases.database import Write
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.adapters.store.documents.register import register_id
from infra.local.school import Attendee, Conference, Space, Visit
from tests.api import CALLERS, LMS, client, fields, slug

TEACHER = "teacher@school.example"
NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(hours=2)
CODE = "abc-mnop-xyz"
LMS_PAGE = Path(__file__).parents[2] / "docs/lms.md"


def at(minutes):
    return START + timedelta(minutes=minutes)


def iso(moment):
    return moment.isoformat()


def a_class(**fields):
    return {
        "teacher_email": TEACHER,
        "students": [
            {"student_id": "s1", "user": "users/11", "email": "Ada@School.example", "display_name": "Ada"},
            {"student_id": "s2", "email": "bob@school.example"},
        ],
        "subject": "Maths",
        "class_id": "7b/maths",
        "start_time": iso(START),
        "duration_minutes": 50,
        "meeting_code": CODE,
        **fields,
    }


def held(*, people=True):
    """Return the class: the teacher, Ada on two devices, and a guest."""
    attendees = (
        Attendee("1", "signed_in", "Ms Teacher", "users/1", (Visit(at(-2), at(50)),)),
        Attendee("2", "signed_in", "ada l.", "users/11", (Visit(at(0), at(30)), Visit(at(20), at(50)))),
        Attendee("3", "anonymous", "<b>guest</b>", None, (Visit(at(10), at(20)),)),
    )
    return Conference(
        "rec1", "spaces/room", CODE, "users/1", at(-2), at(50) if people else at(49), attendees if people else ()
    )


@pytest.fixture
def school(school):
    school.open(Space("spaces/room", CODE))
    school.know(TEACHER, "users/1")
    return school


@pytest.fixture
def app(instance, school):  # noqa: ARG001 - the room is there before anybody asks for it
    return instance(api_callers=CALLERS, school_time_zone="Europe/Berlin")


@pytest.fixture
async def api(app):
    async with client(app, caller=LMS) as calls:
        yield calls


@pytest.fixture
async def scheduled(api):
    answer = await api.post("/api/schedule/class", json=a_class())
    assert answer.status_code == 201, answer.text
    return answer.json()["session_id"]


@pytest.fixture
async def synced(api, school, scheduled):
    school.hold(held())
    answer = await api.post(f"/api/webhook/sessions/{scheduled}/sync-participants")
    assert answer.status_code == 200, answer.text
    return scheduled


async def people_of(api, session_id):
    found = (await api.get(f"/api/sessions/{session_id}/attendance")).json()["attendance"]
    return {person["student_id"] or person["display_name"]: person for person in found}


async def test_a_class_is_scheduled_and_found(api):
    answer = await api.post("/api/schedule/class", json=a_class(external_id="lms-1"))
    body = answer.json()

    assert answer.status_code == 201
    assert body["status"] == "success"
    assert (body["meeting_code"], body["space"]) == (CODE, "spaces/room")
    assert body["meeting_uri"].endswith(CODE)
    assert datetime.fromisoformat(body["start_time"]) == START
    assert datetime.fromisoformat(body["end_time"]) == at(50)
    assert body["tracking"] in {"active", "pending", "failed"}
    assert "sessions" not in body
    session = await api.get(f"/api/sessions/{body['session_id']}")
    assert session.headers["etag"] == answer.headers["etag"]
    assert session.json()["roster"][0]["email"] == "ada@school.example"
    assert not {"fingerprint", "progress", "owned_start"} & set(session.json())
    by_id = (await api.get("/api/sessions?external_id=lms-1")).json()["sessions"]
    assert [one["session_id"] for one in by_id] == [body["session_id"]]
    again = await api.post("/api/schedule/class", json=a_class(external_id="lms-1"))
    assert (again.status_code, again.json()["session_id"]) == (200, body["session_id"])
    other = await api.post("/api/schedule/class", json=a_class(external_id="lms-1", subject="Physics"))
    assert (other.status_code, slug(other)) == (409, "external-id-in-use")


async def test_the_same_idempotency_key_schedules_once(api):
    answers = [
        await api.post("/api/schedule/class", json=a_class(), headers={"Idempotency-Key": "k1"}) for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json()["session_id"] == answers[1].json()["session_id"]


async def test_a_class_that_overlaps_names_the_other_one(api, scheduled):
    answer = await api.post("/api/schedule/class", json=a_class(start_time=iso(at(10))))

    assert (answer.status_code, slug(answer)) == (409, "overlapping-class")
    assert answer.json()["session_id"] == scheduled


async def test_a_series_names_all_its_meetings(api):
    answer = await api.post(
        "/api/schedule/class",
        json=a_class(start_time=iso(at(24 * 60)), recurrence="FREQ=WEEKLY;COUNT=3", time_zone="UTC"),
    )
    body = answer.json()

    assert answer.status_code == 201
    assert body["series_id"]
    assert len({one["session_id"] for one in body["sessions"]}) == 3
    assert [body["time_zone"], *(one["time_zone"] for one in body["sessions"])] == ["UTC"] * 4
    assert body["sessions"][0]["session_id"] == body["session_id"]
    starts = [datetime.fromisoformat(one["start_time"]) for one in body["sessions"]]
    assert [start.date() for start in starts] == [(at(24 * 60) + timedelta(weeks=week)).date() for week in range(3)]


async def test_a_sync_answers_who_joined_in_the_shape_that_an_lms_expects(api, school, scheduled):
    school.hold(held())
    answer = await api.post(f"/api/webhook/sessions/{scheduled}/sync-participants?full=1")
    body = answer.json()

    assert answer.status_code == 200
    assert (body["status"], body["message"]) == ("success", "Synced 3 participants")
    assert (body["created"], body["updated"]) == (3, 0)
    assert [person["total_duration_seconds"] for person in body["participants"]] == [52 * 60, 50 * 60, 10 * 60]
    ada = body["participants"][1]
    assert (ada["email"], ada["session_count"]) == ("ada@school.example", 2)
    assert [set(session) for session in ada["sessions"]] == [{"start_time", "end_time", "duration_seconds"}] * 2
    assert [session["duration_seconds"] for session in ada["sessions"]] == [1800, 1800]
    assert answer.headers["etag"]


async def test_a_conference_that_nobody_joined_is_not_an_error(api, school, scheduled):
    school.hold(held(people=False))
    body = (await api.post(f"/api/webhook/sessions/{scheduled}/sync-participants")).json()

    assert body["message"] == "Conference has no participants yet"
    assert (body["created"], body["updated"], body["participants"]) == (0, 0, [])


async def test_a_class_without_a_conference_is_reported(api, scheduled):
    answer = await api.post(f"/api/webhook/sessions/{scheduled}/sync-participants")

    assert (answer.status_code, slug(answer)) == (404, "no-conference-record")


async def test_attendance_is_found_by_session_student_and_class(api, synced):
    people = await people_of(api, synced)
    assert set(people) == {"Ms Teacher", "s1", "s2", "<b>guest</b>"}
    assert people["s1"]["mark"] == "present"
    assert (people["s2"]["kind"], people["s2"]["mark"]) == ("expected", "absent")

    for student in ("s1", "11", "ADA@school.example"):
        found = (await api.get(f"/api/students/{student}/attendance")).json()["attendance"]
        assert [one["attendee_id"] for one in found] == [people["s1"]["attendee_id"]]
    in_class = (await api.get("/api/classes/7b%2Fmaths/attendance")).json()["attendance"]
    assert {one["attendee_id"] for one in in_class} == {one["attendee_id"] for one in people.values()}
    elsewhere = await api.get("/api/students/s1/attendance?class_id=8a")
    assert elsewhere.json() == {"attendance": [], "next_page_token": None}


async def test_a_register_has_a_mark_for_each_class(api, synced):
    session = (await api.get(f"/api/sessions/{synced}")).json()
    register = (await api.get(f"/api/classes/7b%2Fmaths/register?month={session['local_date'][:7]}")).json()

    assert [(one["session_id"], one["state"], one["time_zone"]) for one in register["sessions"]] == [
        (synced, "ended", "Europe/Berlin")
    ]
    assert {one["student_id"]: one["marks"] for one in register["students"]} == {
        "s1": {synced: "present"},
        "s2": {synced: "absent"},
    }
    assert (await api.get("/api/classes/none/register?month=2026-01")).json()["students"] == []


async def test_an_etag_spares_the_answer_and_guards_the_change(api, synced):
    url = f"/api/sessions/{synced}"
    etag = (await api.get(url)).headers["etag"]

    for path in (url, f"{url}/attendance"):
        same = await api.get(path, headers={"If-None-Match": f'"x", W/{etag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    refused = await api.put(f"{url}/policy", json={"late_after_minutes": 1}, headers={"If-Match": '"other"'})
    assert (refused.status_code, slug(refused)) == (412, "precondition-failed")
    changed = await api.put(f"{url}/policy", json={"late_after_minutes": 1}, headers={"If-Match": etag})
    assert (changed.status_code, changed.json()["policy"]["late_after_minutes"]) == (200, 1)
    assert changed.headers["etag"] == (await api.get(url)).headers["etag"] != etag
    assert (await api.get(url, headers={"If-None-Match": etag})).status_code == 200


async def test_people_decide_marks_one_by_one_and_many_at_once(api, synced):
    bob = (await people_of(api, synced))["s2"]["attendee_id"]
    url = f"/api/sessions/{synced}/attendance/{bob}/override"

    decided = await api.put(url, json={"status": "excused", "reason": "ill", "by": "ms@school.example"})
    assert (decided.status_code, decided.json()["mark"], decided.json()["status"]) == (200, "excused", "absent")
    assert decided.json()["override"]["by"] == "ms@school.example"
    back = await api.delete(url, params={"by": "ms@school.example"})
    assert (back.status_code, back.json()["override"]) == (200, None)
    assert fields(await api.delete(url)) == ["by"]
    many = {"overrides": [{"student_id": "s1", "status": "late"}, {"attendee_id": bob, "status": "excused"}], "by": "x"}
    both = await api.put(f"/api/sessions/{synced}/overrides", json=many)
    assert {one["student_id"]: one["mark"] for one in both.json()["attendance"]} == {"s1": "late", "s2": "excused"}
    nobody = {"overrides": [{"student_id": "s9", "status": "late"}], "by": "x"}
    assert (await api.put(f"/api/sessions/{synced}/overrides", json=nobody)).status_code == 422
    twice = {"overrides": [{"student_id": "s1", "email": "a@b.example", "status": "late"}], "by": "x"}
    assert fields(await api.put(f"/api/sessions/{synced}/overrides", json=twice)) == ["overrides.0"]


async def test_a_student_is_excused_before_anything_was_synced(api, scheduled):
    many = {"overrides": [{"student_id": "s2", "status": "excused"}], "by": "x"}
    answer = await api.put(f"/api/sessions/{scheduled}/overrides", json=many)

    assert answer.status_code == 200
    assert len(answer.json()["attendee_ids"]) == 1


async def test_a_guest_becomes_a_student_and_a_guest_again(api, synced):
    guest = (await people_of(api, synced))["<b>guest</b>"]["attendee_id"]
    url = f"/api/sessions/{synced}/attendance/{guest}/assign"

    assigned = await api.post(url, json={"student_id": "s2", "by": "x"})
    assert (assigned.status_code, assigned.json()["student_id"]) == (200, "s2")
    assert [one["attendee_id"] for one in assigned.json()["merged"]] == [guest]
    undone = await api.post(url, json={"email": None, "by": "x"})
    assert (undone.status_code, undone.json()["role"]) == (200, "guest")
    room = await api.post(url, json={"kind": "room", "by": "x"})
    assert (room.status_code, room.json()["kind"]) == (200, "room")
    assert fields(await api.post(url, json={"by": "x"})) == ["email"]
    assert fields(await api.post(url, json={"email": "a@b.example", "student_id": "s1", "by": "x"})) == ["email"]


async def test_the_roster_of_a_session_and_of_a_class_is_replaced(api, synced):
    roster = {"students": [{"student_id": "s3"}], "by": "x"}
    one = await api.put(f"/api/sessions/{synced}/roster", json=roster)
    assert [entry["student_id"] for entry in one.json()["roster"]] == ["s3"]
    whole = {"students": [{"student_id": "s4"}], "by": "x", "from": "2026-01-01"}
    answer = await api.put("/api/classes/7b%2Fmaths/roster", json=whole)
    assert answer.json() == {"status": "success", "session_ids": [synced], "unapplied_corrections": []}
    assert set(await people_of(api, synced)) == {"s4", "Ms Teacher", "ada l.", "<b>guest</b>"}


async def test_a_class_is_moved_and_cancelled(api, scheduled):
    url = f"/api/schedule/class/{scheduled}"
    moved = await api.patch(url, json={"subject": "Physics", "duration_minutes": 60})
    assert moved.status_code == 200
    assert moved.json()["session_ids"] == [scheduled]
    assert datetime.fromisoformat(moved.json()["session"]["scheduled_end"]) == at(60)
    assert fields(await api.patch(url, json={})) == ["body"]
    cancelled = await api.delete(url)
    assert (cancelled.status_code, cancelled.json()["session"]["state"]) == (200, "cancelled")
    assert (await api.delete("/api/schedule/class/none")).status_code == 404


async def test_a_record_of_another_room_is_attached_and_detached(api, school, scheduled):
    school.open(Space("spaces/other", "xyz-mnop-abc"))
    elsewhere = held()
    school.hold(
        Conference(
            "rec2", "spaces/other", "xyz-mnop-abc", "users/1", elsewhere.start, elsewhere.end, elsewhere.attendees
        )
    )
    url = f"/api/sessions/{scheduled}/conference-records"
    attached = await api.post(url, json={"conference_record": "conferenceRecords/rec2", "by": "x"})
    assert (attached.status_code, attached.json()["conference_records"]) == (200, ["conferenceRecords/rec2"])
    detached = await api.delete(f"{url}/rec2", params={"by": "x"})
    assert (detached.status_code, detached.json()["conference_records"]) == (200, [])
    assert fields(await api.post(url, json={"by": "x"})) == ["conference_record"]


async def test_pages_show_one_moment_each_thing_once_and_oldest_first(api):
    ids = []
    for day in range(5):
        body = a_class(start_time=iso(at(24 * 60 * (5 - day))))
        ids.append((await api.post("/api/schedule/class", json=body)).json()["session_id"])
    first = (await api.get("/api/sessions?page_size=2&class_id=7b/maths")).json()
    await api.post("/api/schedule/class", json=a_class(start_time=iso(at(24 * 60 * 6))))
    found, token = [one["session_id"] for one in first["sessions"]], first["next_page_token"]
    while token:
        page = (
            await api.get("/api/sessions", params={"page_size": 2, "class_id": "7b/maths", "page_token": token})
        ).json()
        found += [one["session_id"] for one in page["sessions"]]
        token = page["next_page_token"]

    assert found == ids[::-1]
    other = {"page_token": first["next_page_token"], "class_id": "8a"}
    assert fields(await api.get("/api/sessions", params=other)) == ["page_token"]
    of_a_student = {"page_token": first["next_page_token"], "class_id": "7b/maths"}
    assert fields(await api.get("/api/students/s1/attendance", params=of_a_student)) == ["page_token"]


@pytest.fixture
def poll(api):
    """Return the polling function from docs/lms.md, unchanged."""
    [code] = [
        block for block in re.findall(r"```python\n(.*?)```", LMS_PAGE.read_text(), re.DOTALL) if "# poll.py" in block
    ]
    defined = {}
    exec(code, defined)  # noqa: S102 - our own page

    async def ask(moment):
        loop = asyncio.get_running_loop()

        def get(path, query):
            answer = api.get(path, params={"page_size": 2, **query})
            return asyncio.run_coroutine_threadsafe(answer, loop).result().json()

        return await asyncio.to_thread(defined["changed_since"], moment, get)

    return ask


async def test_a_poll_finds_each_change_once_it_is_stored(api, poll):
    ids = []
    for day in range(5):
        body = a_class(start_time=iso(at(24 * 60 * (5 - day))))
        ids.append((await api.post("/api/schedule/class", json=body)).json()["session_id"])
    everything, moment = await poll(datetime(2026, 1, 1, tzinfo=UTC))
    again, the_same = await poll(moment)
    await api.patch(f"/api/schedule/class/{ids[3]}", json={"subject": "Physics"})
    after, _ = await poll(datetime.fromisoformat(everything[ids[4]]["updated_at"]))

    assert list(everything) == list(again) == ids
    assert the_same == moment
    assert [(name, session["subject"]) for name, session in after.items()] == [(ids[4], "Maths"), (ids[3], "Physics")]


async def test_what_changed_since_a_moment_can_be_narrowed_down_and_the_moment_is_checked(api):
    for number, class_id in enumerate(("7b", "8a")):
        await api.post("/api/schedule/class", json=a_class(class_id=class_id, start_time=iso(at(24 * 60 * number))))

    async def found(**query):
        return [one["class_id"] for one in (await api.get("/api/sessions", params=query)).json()["sessions"]]

    assert await found(updated_since="2026-01-01", class_id="8a", state="scheduled") == ["8a"]
    assert await found(updated_since="2026-01-01", to=iso(at(60))) == ["7b"]
    assert await found(updated_since=iso(NOW + timedelta(days=1))) == []
    for sent in ("yesterday", "2026-11-23T09:00", "0001-01-01T00:00:00+14:00"):
        assert fields(await api.get("/api/sessions", params={"updated_since": sent})) == ["updated_since"]


@pytest.mark.any_field
async def test_who_is_at_risk_and_what_they_can_still_reach(api, tmp_path):
    tenth = (START.replace(day=1) + timedelta(days=70)).replace(day=10)
    month = f"{tenth:%Y-%m}"
    assert (await api.post("/api/schedule/class", json=a_class(start_time=iso(tenth)))).status_code == 201
    names = {"user": None, "emails": [], "otherwise": {}}
    ada = {"student_id": "s1", "email": "ada@school.example", "display_name": "Ada"}
    bob = {"student_id": "s2", "email": "bob@school.example", "display_name": "Bob"}
    students = {
        "a": {**ada, **names, "marks": {"first": "absent", "second": "late"}, "share": 0.5},
        "b": {**bob, **names, "marks": {"first": "present", "second": "late"}, "share": 1.0},
    }
    register = Write(f"registers/{register_id('7b/maths', month)}", {"students": students, "sessions": [], "parts": 0})
    await SqliteDatabase(tmp_path / "attendance.db").commit([register])

    async def found(**query):
        answer = await api.get("/api/classes/7b%2Fmaths/at-risk", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert await found(month=month) == {
        "class_id": "7b/maths",
        "month": month,
        "students": [{**ada, "share": 0.5, "best_possible_share": 0.667}],
    }
    assert (await found(month=month, below=0.5))["students"] == []
    assert (await found())["students"] == []
    for extreme in ("0000-01", "0001-01", "9999-12"):
        assert await found(month=extreme) == {"class_id": "7b/maths", "month": extreme, "students": []}
    for below in ("1.1", "-0.1", "nan", "many"):
        assert fields(await api.get("/api/classes/7b/at-risk", params={"below": below})) == ["below"]


async def test_without_a_month_who_is_at_risk_is_told_of_the_schools_current_month(instance):
    last_moment = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    app = instance(api_callers=CALLERS, clock=lambda: last_moment, school_time_zone="Europe/Berlin")

    async with client(app) as api:
        answer = await api.get("/api/classes/7b/at-risk")
        assert answer.json()["month"] == "2026-12", answer.text


@pytest.mark.any_field
async def test_a_students_attendance_is_paged_whatever_it_is_found_by(api, tmp_path):
    database = SqliteDatabase(tmp_path / "attendance.db")
    await api.get("/api/sessions")
    documents = [("s1" if n % 3 else None, "users/s1" if n % 2 else "users/7", n) for n in range(12)]
    await database.commit(
        [
            Write(f"sessions/m{n}/attendance/a{n}", attendance_document(n, student_id=student, user=user))
            for student, user, n in documents
        ]
    )
    expected = [f"a{n}" for student, user, n in documents if student == "s1" or user == "users/s1"]
    found, params = [], {"page_size": 3}
    while True:
        page = (await api.get("/api/students/s1/attendance", params=params)).json()
        found += [one["attendee_id"] for one in page["attendance"]]
        if not page["next_page_token"]:
            break
        params["page_token"] = page["next_page_token"]

    assert found == expected


def attendance_document(number, **fields):
    return {
        "schema_version": 1,
        "attendee_id": f"a{number}",
        "session_id": f"m{number}",
        "session_start": at(number // 2),
        "session_state": "ended",
        "kind": "signed_in",
        "role": "student",
        "secret": "internal",
        **fields,
    }


@pytest.mark.any_field
async def test_from_is_inclusive_to_is_not_and_a_date_is_the_schools_midnight(api, tmp_path):
    midnight = datetime(2026, 11, 22, 23, tzinfo=UTC)  # in Berlin it is already the 23rd
    second = timedelta(seconds=1)
    database = SqliteDatabase(tmp_path / "attendance.db")
    await api.get("/api/sessions")
    for n, start in enumerate(
        [midnight - second, midnight, midnight + timedelta(days=1) - second, midnight + timedelta(days=1)]
    ):
        await database.commit(
            [
                Write(
                    f"sessions/m{n}/attendance/a{n}", attendance_document(n, student_id="s1") | {"session_start": start}
                )
            ]
        )

    async def found(**params):
        answer = await api.get("/api/students/s1/attendance", params=params)
        return [one["attendee_id"] for one in answer.json()["attendance"]]

    assert await found(**{"from": "2026-11-23", "to": "2026-11-24"}) == ["a1", "a2"]
    assert await found(**{"from": "2026-11-23T00:00:00+01:00"}) == ["a1", "a2", "a3"]
    assert await found(to="2026-11-22T23:00:00Z") == ["a0"]
    backwards = await api.get("/api/students/s1/attendance?from=2026-11-24&to=2026-11-23")
    assert fields(backwards) == ["from"]


@pytest.mark.any_field
async def test_documents_show_their_fields_and_nothing_else(api, tmp_path):
    await api.get("/api/sessions")
    await SqliteDatabase(tmp_path / "attendance.db").commit(
        [Write("sessions/m1/attendance/a1", attendance_document(1, student_id="s1"))]
    )
    [found] = (await api.get("/api/students/s1/attendance")).json()["attendance"]

    assert "secret" not in found
    assert found["session_start"].endswith("Z")


@pytest.mark.any_field
async def test_a_document_of_a_later_version_is_refused_clearly(api, tmp_path):
    await api.get("/api/sessions")
    newer = attendance_document(1, student_id="s1") | {"schema_version": 2}
    await SqliteDatabase(tmp_path / "attendance.db").commit([Write("sessions/m1/attendance/a1", newer)])
    answer = await api.get("/api/students/s1/attendance")

    assert (answer.status_code, slug(answer)) == (503, "document-too-new")


async def test_the_status_names_what_needs_a_person_by_ids(app, tmp_path):
    database = SqliteDatabase(tmp_path / "attendance.db")
    error = {"reason": "meet-api-disabled", "message": "m", "hint": "Enable it.", "at": NOW}
    sync = {"state": "failed", "error": error, "pulled_at": None}
    parked = {"schema_version": 1, "reason": "unreadable-message", "hint": "Look.", "parked_at": NOW}
    await database.commit(
        [
            *(
                Write(f"conferences/c{n}", {"conference_record": f"conferenceRecords/c{n}", "sync": sync})
                for n in range(25)
            ),
            Write("parked_events/p1", {**parked, "message": "secret", "replayed_at": None}),
            Write("parked_events/p2", {**parked, "message": "secret", "replayed_at": NOW}),
        ]
    )
    async with client(app) as calls:
        body = (await calls.get("/api/status")).json()

    failed = body["failed_conferences"]
    assert (failed["count"], failed["more"], len(failed["first"])) == (20, True, 20)
    assert failed["first"][0]["reason"] == "meet-api-disabled"
    assert failed["first"][0]["hint"].startswith("Enable it.")
    assert [one["id"] for one in body["parked_events"]["first"]] == ["p1"]
    assert "secret" not in str(body)
    assert body["needs_a_person"]
    assert (body["organizers"], body["active_organizers"], body["last_sync_at"]) == (0, 0, None)
    assert (body["oldest_provisional_seconds"], body["most_overdue_seconds"]) == (0, 0)

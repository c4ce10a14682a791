"""A class that was cancelled and is posted again with the LMS's own id takes place again."""

from datetime import datetime, timedelta

import pytest

from functions.adapters.store.databases.database import Query
from infra.local.school import Account, Attendee
from tests.api import slug
from tests.classroom import (
    LENGTH,
    PUPILS,
    START,
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
    visits,
)

BODY = {
    "teacher_email": "teacher@school.example",
    "student_emails": [account.email for account in PUPILS],
    "subject": "Mathematics",
    "class_id": "7b",
    "start_time": START.isoformat(),
    "duration_minutes": 60,
    "external_id": "lesson-1",
}
SERIES = {**BODY, "recurrence": "FREQ=DAILY;COUNT=4", "start_time": (START + timedelta(days=1)).isoformat()}


async def post(api, body=BODY, status=200, key=None, **changes):
    headers = {"Idempotency-Key": key} if key else {}
    sent = {name: value for name, value in {**body, **changes}.items() if value is not None}
    answer = await api.post("/api/schedule/class", json=sent, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def cancel(api, session_id, scope="this"):
    answer = await api.delete(f"/api/schedule/class/{session_id}?scope={scope}")
    assert answer.status_code == 200, answer.text


async def session(api, session_id):
    return (await api.get(f"/api/sessions/{session_id}")).json()


async def states(api, session_ids):
    return [(await session(api, session_id))["state"] for session_id in session_ids]


async def test_the_same_request_schedules_it_again(api):
    made = await post(api, status=201)
    await cancel(api, made["session_id"])
    again = await post(api)

    assert (again["session_id"], again["state"]) == (made["session_id"], "scheduled")
    assert (again["space"], again["meeting_code"]) == (made["space"], made["meeting_code"])
    assert await states(api, [made["session_id"]]) == ["scheduled"]
    assert (await post(api))["state"] == "scheduled"


async def test_its_attendance_is_its_own_again_and_what_people_decided_counts(app, api, school):
    made = await post(api, status=201)
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    await event(app, conference)
    await job(app, "sync-session", session_id=made["session_id"])
    decided = {"overrides": [{"email": PUPILS[3].email, "status": "excused", "reason": "ill"}], "by": "office"}
    assert (await api.put(f"/api/sessions/{made['session_id']}/overrides", json=decided)).status_code == 200
    before = await marks(api, made["session_id"])

    await cancel(api, made["session_id"])
    assert [one["session_id"] for one in (await api.get("/api/sessions?state=ended")).json()["sessions"]] == ["rec-1"]
    await post(api)
    await job(app, "sync-session", session_id=made["session_id"])

    assert await marks(api, made["session_id"]) == before
    assert before["absent"] == "excused"
    assert (await api.get("/api/sessions/rec-1")).status_code == 404
    listed = (await api.get("/api/sessions")).json()["sessions"]
    assert [one["session_id"] for one in listed] == [made["session_id"]]
    month = (await session(api, made["session_id"]))["local_date"][:7]
    register = (await api.get(f"/api/classes/7b/register?month={month}")).json()
    assert [one["session_id"] for one in register["sessions"]] == [made["session_id"]]


async def test_a_call_that_was_held_while_it_was_cancelled_becomes_its_own(app, api, school):
    made = await post(api, status=201)
    await cancel(api, made["session_id"])
    conference = held(made["space"], made["meeting_code"], teacher((0, 60)), pupil(0, (0, 60)))
    school.hold(conference)
    await event(app, conference)
    assert (await api.get("/api/sessions/rec-1")).status_code == 200

    await post(api)
    await job(app, "sync-session", session_id=made["session_id"])
    assert (await api.get("/api/sessions/rec-1")).status_code == 404
    assert (await marks(api, made["session_id"]))["punctual"] == "present"


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"start_time": at(30).isoformat()}, "scheduled_start", at(30)),
        ({"duration_minutes": 30}, "scheduled_end", at(30)),
        ({"subject": "Physics"}, "subject", "Physics"),
        (
            {"co_teacher_emails": ["other@school.example"]},
            "teacher_emails",
            [BODY["teacher_email"], "other@school.example"],
        ),
        ({"class_id": "8a"}, "class_id", "8a"),
        ({"student_emails": ["new@school.example"]}, "roster", ["new@school.example"]),
        ({"policy": {"late_after_minutes": 20}}, "policy", 20),
    ],
)
async def test_another_request_with_its_id_schedules_it_again_as_it_is_asked_for_now(api, change, field, expected):
    made = await post(api, status=201)
    await cancel(api, made["session_id"])
    again = await post(api, **change)
    found = (await session(api, made["session_id"]))[field]

    assert (again["session_id"], again["state"], again["space"]) == (made["session_id"], "scheduled", made["space"])
    if isinstance(expected, datetime):
        found = datetime.fromisoformat(found)
    elif field == "roster":
        found = [entry["email"] for entry in found]
    elif field == "policy":
        found = found["late_after_minutes"]
    assert found == expected
    await post(api, **change)
    assert slug(await api.post("/api/schedule/class", json={**BODY, **change, "subject": "x"})) == "external-id-in-use"


async def test_while_it_takes_place_another_request_with_its_id_is_refused_and_the_class_is_named(api):
    made = await post(api, status=201)
    answer = await api.post("/api/schedule/class", json={**BODY, "subject": "Physics"})

    assert (answer.status_code, slug(answer)) == (409, "external-id-in-use")
    assert answer.json()["session_id"] == made["session_id"]


async def test_a_class_that_took_its_time_meanwhile_is_named_and_nothing_is_changed(api):
    made = await post(api, status=201)
    await cancel(api, made["session_id"])
    other = await post(api, status=201, external_id=None, meeting_code=made["meeting_code"])
    answer = await api.post("/api/schedule/class", json=BODY)

    assert (answer.status_code, slug(answer)) == (409, "overlapping-class")
    assert answer.json()["session_id"] == other["session_id"]
    assert await states(api, [made["session_id"]]) == ["cancelled"]
    later = await post(api, start_time=at(70).isoformat())
    assert (later["session_id"], later["state"]) == (made["session_id"], "scheduled")


async def test_another_meet_link_is_the_one_it_takes_place_in(api):
    made, elsewhere = await post(api, status=201), await scheduled(api, start_time=at(-200).isoformat())
    await cancel(api, made["session_id"])
    again = await post(api, meeting_code=elsewhere["meeting_code"])

    assert (again["session_id"], again["space"]) == (made["session_id"], elsewhere["space"])


async def test_a_repeated_request_of_before_the_cancellation_schedules_nothing_again_and_says_so(api):
    made = await post(api, status=201, key="k-1")
    await cancel(api, made["session_id"])
    repeated = await post(api, key="k-1")
    assert (repeated["state"], "another Idempotency-Key" in repeated["hint"]) == ("cancelled", True)
    assert await states(api, [made["session_id"]]) == ["cancelled"]

    assert (await post(api, key="k-2"))["state"] == "scheduled"
    await cancel(api, made["session_id"])
    assert (await post(api, key="k-2"))["state"] == "cancelled"


async def test_without_an_id_of_the_lms_it_is_another_class(api):
    made = await post(api, status=201, external_id=None)
    await cancel(api, made["session_id"])
    other = await post(api, status=201, external_id=None)

    assert other["session_id"] != made["session_id"]
    assert await states(api, [made["session_id"], other["session_id"]]) == ["cancelled", "scheduled"]


async def test_of_a_series_what_was_cancelled_takes_place_again_and_the_others_stay_as_they_are(api):
    made = await post(api, SERIES, status=201)
    ids = [one["session_id"] for one in made["sessions"]]
    moved = (START + timedelta(days=3, hours=2)).isoformat()
    assert (await api.patch(f"/api/schedule/class/{ids[2]}", json={"start_time": moved})).status_code == 200
    await cancel(api, ids[1])
    again = await post(api, SERIES)

    assert [one["session_id"] for one in again["sessions"]] == ids
    assert await states(api, ids) == ["scheduled"] * 4
    starts = [datetime.fromisoformat((await session(api, one))["scheduled_start"]) for one in ids]
    assert starts == [
        START + timedelta(days=1),
        START + timedelta(days=2),
        datetime.fromisoformat(moved),
        START + timedelta(days=4),
    ]
    assert {one["state"] for one in again["sessions"]} == {"scheduled"}


async def test_a_series_of_which_a_part_takes_place_is_not_scheduled_by_another_request(api):
    made = await post(api, SERIES, status=201)
    ids = [one["session_id"] for one in made["sessions"]]
    await cancel(api, ids[0])
    answer = await api.post("/api/schedule/class", json={**SERIES, "subject": "Physics"})
    single = await api.post("/api/schedule/class", json=BODY)

    for refused in (answer, single):
        assert (refused.status_code, slug(refused)) == (409, "external-id-in-use")
        assert refused.json()["session_id"] in ids[1:]
    assert await states(api, ids) == ["cancelled", "scheduled", "scheduled", "scheduled"]


@pytest.mark.parametrize(
    ("rule", "number"), [("FREQ=DAILY;COUNT=4", 4), ("FREQ=DAILY;COUNT=6", 6), ("FREQ=DAILY;COUNT=2", 2)]
)
async def test_a_series_that_was_cancelled_whole_is_scheduled_again_longer_or_shorter_too(api, rule, number):
    made = await post(api, SERIES, status=201)
    ids = [one["session_id"] for one in made["sessions"]]
    await cancel(api, ids[0], scope="following")
    assert await states(api, ids) == ["cancelled"] * 4
    again = await post(api, SERIES, recurrence=rule, subject="Physics")
    again_ids = [one["session_id"] for one in again["sessions"]]

    assert again_ids[:4] == ids[:number]
    assert (len(again_ids), again["series_id"]) == (number, made["series_id"])
    assert await states(api, again_ids) == ["scheduled"] * number
    assert await states(api, ids[number:]) == ["cancelled"] * max(4 - number, 0)
    assert {one["space"] for one in [await session(api, one) for one in again_ids]} == {made["space"]}


async def test_the_audit_says_that_it_was_scheduled_again(api, database):
    made = await post(api, status=201)
    await cancel(api, made["session_id"])
    await post(api)
    entries = [one.fields for one in (await database.find(Query("audit"))).documents]

    assert sorted(entry["what"] for entry in entries) == ["class.cancelled", "class.restored", "class.scheduled"]
    (restored,) = [entry for entry in entries if entry["what"] == "class.restored"]
    assert restored["references"] == {"session_id": made["session_id"], "sessions": "1"}


async def test_it_can_be_cancelled_and_scheduled_again_over_and_over(app, api, school):
    made = await post(api, status=201)
    for _ in range(3):
        await cancel(api, made["session_id"])
        await post(api)
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    await event(app, conference)

    assert (await sheet(api, made["session_id"]))["session"]["conference_records"] == [conference.name]
    assert datetime.fromisoformat((await session(api, made["session_id"]))["scheduled_end"]) == START + LENGTH


SAME = [
    {"student_emails": [account.email for account in reversed(PUPILS)]},
    {"student_emails": None, "students": [{"email": account.email.upper()} for account in PUPILS]},
    {"co_teacher_emails": []},
    {"co_teacher_emails": None},
    {"co_teacher_emails": ["teacher@school.example"]},
    {"calendar": False},
    {"calendar": None},
    {"policy": {}},
    {"policy": {"late_after_minutes": 5, "window": "held"}},
    {"policy": {"late_after_minutes": 5.0, "marks": None}},
    {"time_zone": "UTC"},
    {"time_zone": "UTC", "policy": {"min_share": 0.5}},
    {"start_time": START.astimezone(datetime.now().astimezone().tzinfo).isoformat(), "duration_minutes": 60},
    {"recurrence": None, "meeting_code": None},
]


@pytest.mark.parametrize("change", SAME, ids=[f"spelling {number}" for number in range(len(SAME))])
async def test_the_same_class_written_in_another_way_is_the_same_request(api, change):
    made = await post(api, status=201)
    sent = {name: value for name, value in {**BODY, **change}.items() if value is not None or name in change}
    again = await api.post("/api/schedule/class", json=sent)

    assert (again.status_code, again.json().get("session_id")) == (200, made["session_id"])


@pytest.mark.parametrize("change", SAME[:-1], ids=[f"spelling {number}" for number in range(len(SAME) - 1)])
async def test_the_request_that_leaves_out_what_the_first_one_wrote_is_the_same_too(api, change):
    made = await post(api, **change, status=201)
    again = await api.post("/api/schedule/class", json=BODY)

    assert (again.status_code, again.json().get("session_id")) == (200, made["session_id"])


async def test_a_link_and_its_code_are_the_same_room_of_the_same_request(api):
    room = await scheduled(api, start_time=at(-200).isoformat())
    made = await post(api, status=201, meeting_code=room["meeting_code"])
    for spelling in (
        room["meeting_uri"],
        room["meeting_code"].replace("-", "").upper(),
        f"{room['meeting_uri']}?pli=1",
    ):
        assert (await post(api, meeting_code=spelling))["session_id"] == made["session_id"]


@pytest.mark.parametrize(
    "change",
    [
        {"student_emails": [account.email for account in PUPILS[1:]]},
        {"co_teacher_emails": ["other@school.example"]},
        {"policy": {"late_after_minutes": 6}},
        {"time_zone": "Europe/Berlin"},
        {"duration_minutes": 61},
    ],
    ids=str,
)
async def test_what_is_another_class_is_another_request(api, change):
    await post(api, status=201)

    assert slug(await api.post("/api/schedule/class", json={**BODY, **change})) == "external-id-in-use"


BY = {"by": "Mrs Head"}


@pytest.mark.parametrize("held_before", [False, True], ids=["not held yet", "held before"])
async def test_corrections_follow_their_students_when_it_is_posted_again_with_another_roster(
    api, app, school, database, held_before
):
    school.enrol(Account("users/77", "dana@school.example", aliases=("dana.d@school.example",)))
    roster = [
        {"email": "first@school.example", "student_id": "1"},
        {"email": "dana.d@school.example"},
        {"email": "third@schol.example"},
    ]
    made = await post(api, status=201, student_emails=None, students=roster)
    if held_before:
        dana = Attendee("dana", "signed_in", "Dana", "users/77", visits((0, 60)))
        conference = held(made["space"], made["meeting_code"], teacher((0, 60)), dana)
        school.hold(conference)
        await event(app, conference)
    url = f"/api/sessions/{made['session_id']}"
    decided = [{"email": one["email"], "status": "excused"} for one in roster]
    assert (await api.put(f"{url}/overrides", json={"overrides": decided, **BY})).is_success
    await cancel(api, made["session_id"])

    now = [
        {"email": "other@school.example", "student_id": "1"},
        {"email": "dana@school.example"},
        {"email": "third@school.example"},
    ]
    answer = await post(api, student_emails=None, students=now)
    kept = {
        document.fields["email"] for document in await database.children(f"sessions/{made['session_id']}/corrections")
    }

    # When the account was in the class, it is known that both addresses belong to it.
    lost = {"third@schol.example"} | (set() if held_before else {"dana.d@school.example"})
    assert {one["email"] for one in answer["unapplied_corrections"]} == lost
    assert {one["session_id"] for one in answer["unapplied_corrections"]} == {made["session_id"]}
    assert kept == {"other@school.example", "third@schol.example", f"dana{'' if held_before else '.d'}@school.example"}


async def test_a_series_posted_again_with_another_roster_says_for_each_class_what_applies_to_nobody(api):
    made = await post(api, SERIES, status=201)
    ids = [one["session_id"] for one in made["sessions"]]
    for session_id in ids:
        decided = [{"email": PUPILS[0].email, "status": "excused"}]
        assert (await api.put(f"/api/sessions/{session_id}/overrides", json={"overrides": decided, **BY})).is_success
    await cancel(api, ids[0], scope="following")

    answer = await post(api, SERIES, student_emails=[account.email for account in PUPILS[1:]])
    assert [one["session_id"] for one in answer["unapplied_corrections"]] == ids


async def test_a_student_who_becomes_a_teacher_has_the_corrections_listed_that_apply_no_longer(api):
    made = await post(api, status=201)
    url = f"/api/sessions/{made['session_id']}"
    decided = [{"email": account.email, "status": "excused"} for account in PUPILS[:2]]
    assert (await api.put(f"{url}/overrides", json={"overrides": decided, **BY})).is_success

    async def change(**about):
        answer = await api.patch(f"/api/schedule/class/{made['session_id']}", json=about)
        assert answer.status_code == 200, answer.text
        return [one["email"] for one in answer.json()["unapplied_corrections"]]

    assert await change(subject="Algebra") == []
    assert await change(co_teacher_emails=[PUPILS[0].email]) == [PUPILS[0].email]
    assert await change(co_teacher_emails=[]) == []

"""Accounts are renamed, and get aliases and other people's addresses: each mark goes to the person who was there."""

from __future__ import annotations

import dataclasses

import pytest

from functions.domain.errors import JobsUnavailable
from infra.local.google_apis import RestFault
from infra.local.school import Account, Attendee, Visit
from tests.classroom import TEACHER, at, event, guest, held, job, scheduled, sheet, teacher, visits

ALL_CLASS = (0, 60)


def signed_in(key, user, *times):
    return Attendee(key, "signed_in", key.title(), user, visits(*times or [ALL_CLASS]))


async def hold(app, api, school, made, *people, record="rec-1", end=60):
    space = (await api.get(f"/api/sessions/{made['session_id']}")).json()["space"]
    conference = held(space, made["meeting_code"], *people, record=record, end=end)
    school.hold(conference)
    await event(app, conference)
    await job(app, "sync-session", session_id=made["session_id"])
    return await sheet(api, made["session_id"])


def marks_in(found):
    return {p["email"]: p["mark"] for p in found["attendance"] if p["role"] == "student"}


async def history(api, student):
    answer = await api.get(f"/api/students/{student}/attendance")
    return {one["session_id"]: one["mark"] for one in answer.json()["attendance"]}


async def test_a_student_who_was_renamed_is_present_under_the_new_address_and_stays_so_under_the_old(app, api, school):
    school.enrol(Account("users/77", "dana@old.example"))
    first = await scheduled(api, student_emails=["dana@old.example"])
    await hold(app, api, school, first, teacher(ALL_CLASS), signed_in("dana", "users/77"))
    school.enrol(Account("users/77", "dana@new.example"))
    second = await scheduled(api, student_emails=["dana@new.example"])
    found = await hold(app, api, school, second, teacher(ALL_CLASS), signed_in("dana", "users/77"), record="rec-2")

    assert marks_in(found) == {"dana@new.example": "present"}
    assert marks_in(await sheet(api, first["session_id"])) == {"dana@old.example": "present"}
    both = {first["session_id"]: "present", second["session_id"]: "present"}
    for name in ("dana@new.example", "dana@old.example", "77"):
        assert await history(api, name) == both


async def test_a_class_is_put_right_when_an_alias_comes_later(app, api, school):
    school.enrol(Account("users/77", "dana@old.example"))
    first = await scheduled(api, student_emails=["dana@new.example"])
    found = await hold(app, api, school, first, teacher(ALL_CLASS), signed_in("dana", "users/77"))
    assert marks_in(found) == {"dana@new.example": "absent"}

    school.enrol(Account("users/77", "dana@old.example", aliases=("dana@new.example",)))
    second = await scheduled(api, student_emails=["dana@new.example"])
    await hold(app, api, school, second, teacher(ALL_CLASS), signed_in("dana", "users/77"), record="rec-2")

    assert marks_in(await sheet(api, first["session_id"])) == {"dana@new.example": "present"}


async def test_classes_that_could_not_be_handed_out_are_marked_again_by_the_next_run(app, api, school):
    class Broken:
        async def publish(self, _):
            raise JobsUnavailable("The jobs' topic does not take messages.")

    school.enrol(Account("users/77", "dana@old.example"))
    first = await scheduled(api, student_emails=["dana@new.example"])
    await hold(app, api, school, first, teacher(ALL_CLASS), signed_in("dana", "users/77"))
    school.enrol(Account("users/77", "dana@old.example", aliases=("dana@new.example",)))
    second = await scheduled(api, student_emails=["dana@new.example"])
    broken = dataclasses.replace(app, deps=dataclasses.replace(app.deps, jobs=Broken()))
    await hold(broken, api, school, second, teacher(ALL_CLASS), signed_in("dana", "users/77"), record="rec-2")
    assert marks_in(await sheet(api, first["session_id"])) == {"dana@new.example": "absent"}

    await job(app, "sync-due")

    assert marks_in(await sheet(api, first["session_id"])) == {"dana@new.example": "present"}


async def test_nobody_is_absent_while_an_account_cannot_be_asked_for_since_the_class(app, api, school, google):
    google.fail(RestFault("people.batchGet", 503), RestFault("users.get", 503))
    school.enrol(Account("users/77", "dana@school.example"))
    made = await scheduled(api, student_emails=["dana@school.example", "ben@school.example"])
    found = await hold(app, api, school, made, teacher(ALL_CLASS), signed_in("dana", "users/77"))
    assert set(marks_in(found).values()) == {"unknown"}
    assert all("could not be looked up yet" in p["status_reason"] for p in found["attendance"] if p["mark"])

    google.fail()
    await job(app, "sync-session", session_id=made["session_id"])

    found = await sheet(api, made["session_id"])
    assert marks_in(found) == {"dana@school.example": "present", "ben@school.example": "absent"}


@pytest.mark.parametrize("listed", ["anna.b@gmail.com", "annab@gmail.com", "a.n.n.a.b@googlemail.com"])
async def test_a_gmail_address_is_known_however_it_is_spelled(app, api, school, listed):
    school.enrol(Account("users/77", "anna.b@gmail.com"))
    made = await scheduled(api, student_emails=[listed])
    found = await hold(app, api, school, made, teacher(ALL_CLASS), signed_in("anna", "users/77"))

    assert marks_in(found) == {listed: "present"}
    assert len([p for p in found["attendance"] if p["role"] == "guest"]) == 0
    for spelling in ("anna.b@gmail.com", "annab@googlemail.com"):
        assert await history(api, spelling) == {made["session_id"]: "present"}


async def test_a_mark_set_by_hand_finds_a_gmail_address_by_another_spelling_and_a_roster_has_it_once(api):
    made = await scheduled(api, student_emails=["anna.b@gmail.com"])
    body = {"overrides": [{"email": "annab@googlemail.com", "status": "excused", "reason": "Choir"}], "by": "office"}
    answer = await api.put(f"/api/sessions/{made['session_id']}/overrides", json=body)
    assert answer.is_success, answer.text

    url = f"/api/sessions/{made['session_id']}/roster"
    twice = {"students": [{"email": "anna.b@gmail.com"}, {"email": "annab@gmail.com"}], "by": "office"}
    assert (await api.put(url, json=twice)).status_code == 422


async def test_a_teacher_is_a_teacher_by_any_address_after_a_marriage_and_on_the_roster_too(app, api, school):
    school.enrol(Account("users/66", "tina.old@school.example"))
    made = await scheduled(api, teacher_email="tina.old@school.example", student_emails=["tina.new@school.example"])
    school.enrol(Account("users/66", "tina.new@school.example", aliases=("tina.old@school.example",)))
    found = await hold(app, api, school, made, signed_in("tina", "users/66"), guest("Someone", ALL_CLASS))

    assert [(p["role"], p["user"]) for p in found["attendance"] if p["kind"] == "signed_in"] == [
        ("teacher", "users/66")
    ]
    assert marks_in(found) == {}
    assert found["session"]["held_start"] == found["session"]["scheduled_start"]


async def test_a_co_teacher_who_was_renamed_holds_the_class(app, api, school):
    school.enrol(Account("users/66", "tom@old.example"), Account("users/77", "dana@school.example"))
    first = await scheduled(api, co_teacher_emails=["tom@old.example"], student_emails=["dana@school.example"])
    await hold(app, api, school, first, signed_in("tom", "users/66"), signed_in("dana", "users/77"))
    school.enrol(Account("users/66", "tom@new.example"))
    second = await scheduled(api, co_teacher_emails=["tom@new.example"], student_emails=["dana@school.example"])
    people = signed_in("tom", "users/66", (20, 60)), signed_in("dana", "users/77", (21, 60))
    found = await hold(app, api, school, second, *people, record="rec-2")

    assert marks_in(found) == {"dana@school.example": "present"}
    assert {p["role"] for p in found["attendance"] if p["user"] == "users/66"} == {"teacher"}


async def test_a_missed_class_is_in_the_history_by_every_address_and_id(app, api, school):
    school.enrol(Account("users/77", "dana@school.example", aliases=("d@school.example",)))
    first = await scheduled(api, student_emails=None, students=[{"email": "d@school.example", "student_id": "1001"}])
    await hold(app, api, school, first, teacher(ALL_CLASS), signed_in("dana", "users/77"))
    second = await scheduled(api, student_emails=["dana@school.example"])
    await hold(app, api, school, second, teacher(ALL_CLASS), guest("Someone", ALL_CLASS), record="rec-2")

    missed = {first["session_id"]: "present", second["session_id"]: "absent"}
    for name in ("dana@school.example", "d@school.example", "1001", "77"):
        assert await history(api, name) == missed, name


async def test_siblings_with_one_address_keep_their_own_histories(app, api, school):
    made = [
        await scheduled(api, student_emails=None, students=[{"email": "family@mail.example", "student_id": number}])
        for number in ("1001", "1002")
    ]
    for number, one in enumerate(made):
        await hold(app, api, school, one, teacher(ALL_CLASS), guest("Someone", ALL_CLASS), record=f"rec-{number}")

    assert [list(await history(api, number)) for number in ("1001", "1002")] == [[one["session_id"]] for one in made]
    assert len(await history(api, "family@mail.example")) == 2


@pytest.mark.parametrize("with_id_first", [True, False])
async def test_a_student_whose_id_comes_or_goes_is_one_row(app, api, school, with_id_first):
    school.enrol(Account("users/77", "dana@school.example", aliases=("d@school.example",)))
    rosters = [{"email": "dana@school.example", "student_id": "1001"}, {"email": "d@school.example"}]
    for number, entry in enumerate(rosters if with_id_first else reversed(rosters)):
        made = await scheduled(
            api,
            student_emails=None,
            students=[entry],
            duration_minutes=20,
            start_time=at(30 * number).isoformat(),
        )
        there = (Visit(at(30 * number), at(30 * number + 20)),)
        people = [Attendee("t", "signed_in", "T", TEACHER, there)]
        people += (
            [Attendee("d", "signed_in", "Dana", "users/77", there)]
            if number
            else [Attendee("g", "anonymous", "Someone", None, there)]
        )
        await hold(app, api, school, made, *people, record=f"rec-{number}", end=30 * number + 20)
    month = (await api.get(f"/api/sessions/{made['session_id']}")).json()["local_date"][:7]
    rows = (await api.get(f"/api/classes/7b/register?month={month}")).json()["students"]

    assert [(row["student_id"], row["share"]) for row in rows] == [("1001", 0.5)]


async def test_a_class_that_is_entered_after_a_renaming_takes_nobody_for_absent_by_an_older_answer(
    app, api, school, google
):
    """Its call was read earlier, when the old address was Dana's. The class uses this address for Sam."""
    school.enrol(Account("users/77", "dana@school.example"), Account("users/78", "sam@school.example"))
    first = await scheduled(api, student_emails=["dana@school.example"], duration_minutes=20)
    room = (await api.get(f"/api/sessions/{first['session_id']}")).json()["space"]
    people = [
        Attendee(key, "signed_in", key.title(), user, (Visit(at(30), at(50)),))
        for key, user in (("t", TEACHER), ("dana", "users/77"))
    ]
    call = held(room, first["meeting_code"], *people, record="rec-2", start=30, end=50)
    school.hold(call)
    await event(app, call)

    school.enrol(Account("users/77", "dana@new.example"), Account("users/78", "dana@school.example"))
    google.fail(RestFault("people.batchGet", 503), RestFault("users.get", 503))
    roster = ["dana@new.example", "dana@school.example"]
    second = {"meeting_code": first["meeting_code"], "start_time": at(30).isoformat(), "duration_minutes": 20}
    made = await scheduled(api, student_emails=roster, **second)
    assert "absent" not in marks_in(await sheet(api, made["session_id"])).values()
    await job(app, "sync-session", session_id=made["session_id"])
    assert "absent" not in marks_in(await sheet(api, made["session_id"])).values()


async def entered_afterwards(app, api, school, *, before, after, people, body):
    """Hold and read a call, rename accounts, and only then make a class from the call."""
    school.enrol(*before)
    first = await scheduled(api, duration_minutes=20)
    room = (await api.get(f"/api/sessions/{first['session_id']}")).json()["space"]
    there = [
        Attendee(key, "signed_in", key.title(), user, (Visit(at(30), at(50)),))
        for key, user in [("t", TEACHER), *people]
    ]
    call = held(room, first["meeting_code"], *there, record="rec-2", start=30, end=50)
    school.hold(call)
    await event(app, call)
    school.enrol(*after)
    made = await scheduled(
        api, meeting_code=first["meeting_code"], start_time=at(30).isoformat(), duration_minutes=20, **body
    )
    await job(app, "sync-session", session_id=made["session_id"])
    return await sheet(api, made["session_id"])


async def test_a_class_that_is_entered_after_a_renaming_knows_a_student_by_the_new_address(app, api, school):
    """By then, Sam has the old address. Sam was never in a call."""
    found = await entered_afterwards(
        app,
        api,
        school,
        before=[Account("users/77", "dana@school.example")],
        after=[Account("users/77", "dana@new.example"), Account("users/78", "dana@school.example")],
        people=[("dana", "users/77")],
        body={"student_emails": ["dana@new.example", "dana@school.example"]},
    )

    assert marks_in(found) == {"dana@new.example": "present", "dana@school.example": "absent"}
    assert [p["emails"] for p in found["attendance"] if p["email"] == "dana@new.example"] == [["dana@new.example"]]
    session_id = found["session"]["session_id"]
    for name in ("dana@new.example", "77"):
        assert (await history(api, name)).get(session_id) == "present", name
        answer = await api.get(f"/api/students/{name}/attendance")
        assert [one["email"] for one in answer.json()["attendance"] if one["session_id"] == session_id] == [
            "dana@new.example"
        ], name
    assert "absent" in [
        one["mark"] for one in (await api.get("/api/students/dana@school.example/attendance")).json()["attendance"]
    ]


async def test_a_class_that_is_entered_after_a_swap_of_addresses_means_each_student_by_the_newer_one(app, api, school):
    """Only Dana came; she has Sam's old address, and Sam has hers."""
    found = await entered_afterwards(
        app,
        api,
        school,
        before=[Account("users/77", "dana@school.example"), Account("users/78", "sam@school.example")],
        after=[Account("users/77", "sam@school.example"), Account("users/78", "dana@school.example")],
        people=[("dana", "users/77")],
        body={"student_emails": ["dana@school.example", "sam@school.example"]},
    )

    assert marks_in(found) == {"dana@school.example": "absent", "sam@school.example": "present"}


@pytest.mark.parametrize("edit", ["another pupil", "a co-teacher"])
async def test_an_edit_of_other_names_after_a_swap_of_addresses_leaves_past_marks_with_their_students(
    app, api, school, edit
):
    """The class named both before the swap, so each address still means the student who had it then."""
    school.enrol(Account("users/77", "dana@school.example"), Account("users/78", "sam@school.example"))
    roster = ["dana@school.example", "sam@school.example"]
    first = await scheduled(api, student_emails=roster)
    people = signed_in("dana", "users/77"), signed_in("sam", "users/78", (0, 10))
    await hold(app, api, school, first, teacher(ALL_CLASS), *people)
    right = {"dana@school.example": "present", "sam@school.example": "partial"}
    assert marks_in(await sheet(api, first["session_id"])) == right
    school.enrol(Account("users/77", "sam@school.example"), Account("users/78", "dana@school.example"))
    second = await scheduled(api, student_emails=roster)
    await hold(app, api, school, second, teacher(ALL_CLASS), *people, record="rec-2")

    url = f"/api/sessions/{first['session_id']}"
    if edit == "another pupil":
        body = {"students": [{"email": email} for email in [*roster, "ben@school.example"]], "by": "office"}
        answer = await api.put(f"{url}/roster", json=body)
    else:
        answer = await api.patch(
            f"/api/schedule/class/{first['session_id']}", json={"co_teacher_emails": ["tom@school.example"]}
        )
    assert answer.is_success, answer.text
    await job(app, "sync-session", session_id=first["session_id"])

    marks = marks_in(await sheet(api, first["session_id"]))
    assert {email: marks[email] for email in roster} == right


async def test_a_class_that_is_entered_after_a_teachers_marriage_expects_the_student_with_her_old_address(
    app, api, school
):
    found = await entered_afterwards(
        app,
        api,
        school,
        before=[Account("users/50", "ms.grey@school.example")],
        after=[Account("users/50", "ms.white@school.example"), Account("users/78", "ms.grey@school.example")],
        people=[("grey", "users/50")],
        body={
            "co_teacher_emails": ["ms.white@school.example"],
            "student_emails": ["ms.grey@school.example"],
        },
    )

    assert marks_in(found) == {"ms.grey@school.example": "absent"}
    assert [p["role"] for p in found["attendance"] if p["user"] == "users/50"] == ["teacher"]


async def test_each_class_of_a_series_entered_after_a_renaming_knows_a_student_by_the_new_address(app, api, school):
    found = await entered_afterwards(
        app,
        api,
        school,
        before=[Account("users/77", "dana@school.example")],
        after=[Account("users/77", "dana@new.example"), Account("users/78", "dana@school.example")],
        people=[("dana", "users/77")],
        body={
            "student_emails": ["dana@new.example", "dana@school.example"],
            "recurrence": "FREQ=DAILY;COUNT=2",
            "time_zone": "UTC",
        },
    )

    assert marks_in(found) == {"dana@new.example": "present", "dana@school.example": "absent"}

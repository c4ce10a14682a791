"""People's decisions about a class survive every sync, and can be undone."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import pytest

from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.databases.sqlite import SqliteDatabase
from infra.local.google_apis import RestFault
from infra.local.school import Account, Attendee
from tests.api import slug
from tests.classroom import (
    PUPILS,
    START,
    at,
    event,
    everything,
    guest,
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

BY = {"by": "Mrs Head"}
IDS = [{"email": "second@school.example", "student_id": "2"}, {"email": "third@schol.example"}]
DANA = Attendee("dana", "signed_in", "Dana", "users/77", visits((0, 60)))


async def students(api, made):
    return [one for one in (await sheet(api, made["session_id"]))["attendance"] if one["role"] == "student"]


@pytest.fixture
async def held_class(api, app, school):
    """Return a past class with its marks."""
    made = await scheduled(api)
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    await event(app, conference)
    return made["session_id"]


async def person(api, session_id, **wanted):
    people = (await sheet(api, session_id))["attendance"]
    return next(p for p in people if all(p[name] == value for name, value in wanted.items()))


async def audit(database):
    return [document.fields for document in await database.children("audit")]


async def resync(api, app, session_id, times=10):
    for _ in range(times):
        answer = await api.post(f"/api/webhook/sessions/{session_id}/sync-participants?full=1")
        assert answer.status_code == 200, answer.text
    await job(app, "remark-session", session_id=session_id)


class ChangedAfterRead(SqliteDatabase):
    """Something else happens, once, right after the corrections of a class meeting were read."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def children(self, collection, **about):
        found = await super().children(collection, **about)
        if collection.endswith("/corrections") and self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return found


async def test_what_people_decide_after_a_sync_has_read_the_corrections_is_not_lost(api, app, school, tmp_path):
    """The sync has news, so it writes; it must not write marks without the decision."""
    made = await scheduled(api)
    room = (made["space"], made["meeting_code"])
    first = held(*room, teacher((0, 30)), pupil(0, (0, 30)), record="one", end=30)
    second = held(*room, teacher((31, 60)), pupil(0, (31, 60)), guest("Early", (31, 60)), record="two", start=31)
    school.hold(first)
    await event(app, first)
    absent = await person(api, made["session_id"], email="absent@school.example")
    override = f"/api/sessions/{made['session_id']}/attendance/{absent['attendee_id']}/override"
    database = ChangedAfterRead(tmp_path / "attendance.db")

    async def excuse():
        answer = await api.put(override, json={"status": "excused", **BY})
        assert answer.status_code == 200, answer.text

    database.meanwhile = excuse
    store = DocumentAttendanceStore(database, clock=app.deps.clock, retention=None)
    school.hold(second)
    await event(dataclasses.replace(app, deps=dataclasses.replace(app.deps, store=store)), second)

    assert database.meanwhile is None
    assert {name: (await marks(api, made["session_id"]))[name] for name in ("punctual", "absent")} == {
        "punctual": "present",
        "absent": "excused",
    }


async def test_a_mark_set_by_hand_survives_syncs_and_new_rules_and_undoing_restores_all(api, app, database, held_class):
    before = await everything(database)
    absent = await person(api, held_class, email="absent@school.example")
    url = f"/api/sessions/{held_class}/attendance/{absent['attendee_id']}/override"

    answer = await api.put(url, json={"status": "excused", "reason": "Doctor", **BY})
    assert answer.status_code == 200, answer.text
    await resync(api, app, held_class)
    await api.put(f"/api/sessions/{held_class}/policy", json={"late_after_minutes": 20, **BY})

    assert (await marks(api, held_class))["absent"] == "excused"
    assert (await marks(api, held_class))["late"] == "present"
    kept = await audit(database)
    assert {"override.set", "policy.set"} <= {entry["what"] for entry in kept}
    changed = next(entry for entry in kept if entry["what"] == "override.set")
    assert changed["by"] == "Mrs Head"
    assert changed["marks"] == {absent["attendee_id"]: {"before": "absent", "after": "excused"}}
    await api.put(f"/api/sessions/{held_class}/policy", json=BY)
    assert (await api.delete(url, params=BY)).is_success
    assert await everything(database) == before


async def test_a_guest_assigned_to_a_student_is_one_person_until_it_is_undone(api, app, database, held_class):
    before = await everything(database)
    phone = await person(api, held_class, kind="phone")
    url = f"/api/sessions/{held_class}/attendance/{phone['attendee_id']}/assign"

    answer = await api.post(url, json={"email": "absent@school.example", **BY})
    assert answer.status_code == 200, answer.text
    await resync(api, app, held_class)

    student = await person(api, held_class, email="absent@school.example")
    assert (student["mark"], student["email_source"], student["total_duration_seconds"]) == (
        "present",
        "assigned",
        3420,
    )
    assert [merged["attendee_id"] for merged in student["merged"]] == [phone["attendee_id"]]
    assert phone["attendee_id"] not in [p["attendee_id"] for p in (await sheet(api, held_class))["attendance"]]
    undone = await api.post(url, json={"email": None, **BY})
    assert undone.is_success, undone.text
    assert await everything(database) == before


async def test_an_account_assigned_once_is_that_student_in_the_next_class_too(api, app, school):
    grandma = Attendee("g", "signed_in", "Oma", "users/77", visits((0, 60)))
    other = await scheduled(api, class_id="8a")
    school.hold(held(other["space"], other["meeting_code"], teacher((0, 60)), grandma, record="other"))
    await job(app, "sync-due")
    oma = await person(api, other["session_id"], user="users/77")
    url = f"/api/sessions/{other['session_id']}/attendance/{oma['attendee_id']}/assign"
    assert (await api.post(url, json={"email": "absent@school.example", **BY})).is_success

    later = await scheduled(api, class_id="9c")
    school.hold(held(later["space"], later["meeting_code"], teacher((0, 60)), grandma, record="later"))
    await job(app, "sync-session", session_id=later["session_id"])

    assert (await person(api, later["session_id"], email="absent@school.example"))["mark"] == "present"


async def test_an_account_on_the_roster_cannot_be_assigned_to_somebody_else(api, held_class):
    late = await person(api, held_class, email="late@school.example")

    answer = await api.post(
        f"/api/sessions/{held_class}/attendance/{late['attendee_id']}/assign",
        json={"email": "absent@school.example", **BY},
    )

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "already-on-roster")


async def test_a_guest_marked_as_a_room_counts_for_nothing_until_it_is_undone(api, app, database, held_class):
    before = await everything(database)
    anonymous = await person(api, held_class, kind="anonymous")
    url = f"/api/sessions/{held_class}/attendance/{anonymous['attendee_id']}/assign"

    assert (await api.post(url, json={"kind": "room", **BY})).is_success
    await resync(api, app, held_class, times=2)

    assert (await person(api, held_class, attendee_id=anonymous["attendee_id"]))["kind"] == "room"
    assert (await sheet(api, held_class))["session"]["counts"]["guests"] == 1
    undone = await api.post(url, json={"email": None, **BY})
    assert undone.is_success, undone.text
    assert await everything(database) == before


async def test_a_changed_roster_survives_syncs_and_its_undoing_restores_all(api, app, database, held_class):
    before = await everything(database)
    url = f"/api/sessions/{held_class}/roster"
    students = [{"email": account.email} for account in PUPILS]

    shorter = await api.put(url, json={"students": students[:3], **BY})
    assert shorter.status_code == 200, shorter.text
    await resync(api, app, held_class)

    assert (await marks(api, held_class)).keys() == {"punctual", "late", "early"}
    assert (await api.put(url, json={"students": students, **BY})).is_success
    assert await everything(database) == before


async def test_students_can_be_excused_before_the_class(api, app, school):
    made = await scheduled(api)
    overrides = [{"email": "absent@school.example", "status": "excused", "reason": "Trip"}]

    answer = await api.put(f"/api/sessions/{made['session_id']}/overrides", json={"overrides": overrides, **BY})
    assert answer.status_code == 200, answer.text
    assert (await sheet(api, made["session_id"]))["attendance"] == []
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    await event(app, conference)

    assert (await marks(api, made["session_id"]))["absent"] == "excused"


async def test_a_substitutes_record_can_be_made_part_of_the_class_and_taken_out_again(api, app, school, database):
    made = await scheduled(api)
    await job(app, "sync-due")
    elsewhere = held("spaces/elsewhere", "xyz-mnop-abc", teacher((0, 60)), pupil(0, (0, 60)), record="substitute")
    school.hold(elsewhere)
    await event(app, elsewhere)
    before = await everything(database)
    url = f"/api/sessions/{made['session_id']}/conference-records"

    attached = await api.post(url, json={"session_id": "substitute", **BY})
    assert attached.is_success, attached.text

    assert (await marks(api, made["session_id"]))["punctual"] == "present"
    assert not await database.get("sessions/substitute")
    detached = await api.delete(f"{url}/substitute", params=BY)
    assert detached.is_success, detached.text
    assert await everything(database) == before


# --- Who is who ---


async def test_two_students_of_one_name_are_never_mixed_and_an_impostor_stays_a_guest(api, app, school):
    twins = [Account(f"users/{n}", f"sam{n}@school.example", display_name="Sam Doe") for n in (61, 62)]
    school.enrol(*twins)
    students = [{"email": twin.email, "display_name": "Sam Doe"} for twin in twins]
    made = await scheduled(api, student_emails=None, students=students)
    impostor = Attendee("i", "signed_in", "Sam Doe", "users/666", visits((0, 60)))
    sam = Attendee("s", "signed_in", "Sam Doe", "users/61", visits((0, 60)))
    conference = held(made["space"], made["meeting_code"], teacher((0, 60)), sam, impostor, guest("Sam Doe", (0, 60)))
    school.hold(conference)

    await event(app, conference)

    assert await marks(api, made["session_id"]) == {"sam61": "present", "sam62": "absent"}
    stranger = await person(api, made["session_id"], user="users/666")
    assert stranger["role"] == "guest"
    assert {suggestion["match"] for suggestion in stranger["suggestions"]} == {"same"}
    assert len(stranger["suggestions"]) == 2


async def test_an_identity_that_is_told_only_the_second_time_leaves_one_document(api, app, school, google, database):
    made = await scheduled(api)
    conference = held(made["space"], made["meeting_code"], teacher((0, 60)), pupil(0, (0, 60)))
    school.hold(conference)
    google.fail(RestFault("people.batchGet", status=503), RestFault("users.get", status=503))

    await event(app, conference)
    assert (await person(api, made["session_id"], user="users/10"))["role"] == "guest"
    assert set((await marks(api, made["session_id"])).values()) == {"unknown"}
    google.fail()
    await job(app, "sync-session", session_id=made["session_id"])

    people = [p for p in (await sheet(api, made["session_id"]))["attendance"] if p["user"] == "users/10"]
    assert [(p["email"], p["role"], p["mark"]) for p in people] == [("punctual@school.example", "student", "present")]
    stored = await database.children(f"sessions/{made['session_id']}/attendance")
    assert len(stored) == 1 + len(PUPILS)


async def test_who_cannot_be_looked_up_now_is_looked_up_when_the_class_is_due_again(api, app, school, google, database):
    made = await scheduled(api)
    conference = held(made["space"], made["meeting_code"], teacher((0, 60)), pupil(0, (0, 60)))
    school.hold(conference)
    google.fail(RestFault("people.batchGet", status=503), RestFault("users.get", status=503))

    await event(app, conference)

    session = await database.get(f"sessions/{made['session_id']}")
    assert session.fields["due_at"] is not None


async def test_a_mark_follows_a_student_whose_address_is_corrected(api, app, school):
    school.enrol(Account("users/77", "dana@school.example", aliases=("dana.d@school.example",)))
    made = await scheduled(api, student_emails=None, students=[{"email": "dana.d@school.example"}, *IDS])
    conference = held(made["space"], made["meeting_code"], teacher((0, 60)), pupil(0, (0, 60)), DANA)
    school.hold(conference)
    await event(app, conference)
    url = f"/api/sessions/{made['session_id']}"
    decided = [
        {"email": "dana.d@school.example", "status": "excused", "reason": "Doctor"},
        {"student_id": "2", "status": "excused", "reason": "Choir"},
        {"email": "third@schol.example", "status": "absent", "reason": "Left"},
    ]
    answer = await api.put(f"{url}/overrides", json={"overrides": decided, **BY})
    assert answer.status_code == 200, answer.text

    roster = [{"email": "dana@school.example"}, {"email": "new@school.example", "student_id": "2"}]
    roster += [{"email": "third@school.example"}]
    for _ in range(2):  # a second call gets the same answer
        answer = await api.put(f"{url}/roster", json={"students": roster, **BY})
        assert answer.status_code == 200, answer.text
        (lost,) = answer.json()["unapplied_corrections"]
        assert (lost["kind"], lost["email"], lost["status"]) == ("override", "third@schol.example", "absent")
        assert (lost["reason"], lost["by"], lost["session_id"]) == ("Left", "Mrs Head", made["session_id"])
        assert "set the mark again" in lost["hint"]
        found = {p["email"]: (p["mark"], p["override"] and p["override"]["reason"]) for p in await students(api, made)}
        assert found == {
            "dana@school.example": ("excused", "Doctor"),
            "new@school.example": ("excused", "Choir"),
            "third@school.example": ("absent", None),
        }

    gone = await api.delete(f"{url}/attendance/{lost['attendee_id']}/override", params=BY)
    assert gone.is_success
    assert (await api.put(f"{url}/roster", json={"students": roster, **BY})).json()["unapplied_corrections"] == []


async def test_the_roster_of_a_whole_class_takes_its_corrections_along_or_says_which_it_does_not(api, database):
    series = await scheduled(
        api,
        student_emails=None,
        students=[{"email": "second@schol.example", "student_id": "2"}, {"email": "third@schol.example"}],
        start_time=at(24 * 60).isoformat(),
        recurrence="FREQ=DAILY;COUNT=2",
    )
    first, second = (one["session_id"] for one in series["sessions"])
    for session_id in (first, second):
        decided = [{"email": f"{name}@schol.example", "status": "excused"} for name in ("second", "third")]
        assert (await api.put(f"/api/sessions/{session_id}/overrides", json={"overrides": decided, **BY})).is_success

    roster = [{"email": "second@school.example", "student_id": "2"}, {"email": "third@school.example"}]
    answer = await api.put("/api/classes/7b/roster", json={"students": roster, **BY})
    assert answer.json()["session_ids"] == [first, second]
    assert [(one["session_id"], one["email"]) for one in answer.json()["unapplied_corrections"]] == [
        (first, "third@schol.example"),
        (second, "third@schol.example"),
    ]
    for session_id in (first, second):
        kept = [document.fields for document in await database.children(f"sessions/{session_id}/corrections")]
        assert {one["email"] for one in kept} == {"second@school.example", "third@schol.example"}


async def test_a_guest_who_was_assigned_stays_the_student_whose_entry_changes(api, app, school):
    made = await scheduled(api, student_emails=None, students=[{"email": "dana@schol.example", "student_id": "1"}])
    conference = held(made["space"], made["meeting_code"], teacher((0, 60)), guest("Dana", (0, 60)))
    school.hold(conference)
    await event(app, conference)
    stranger = await person(api, made["session_id"], role="guest")
    url = f"/api/sessions/{made['session_id']}"
    assigned = f"{url}/attendance/{stranger['attendee_id']}/assign"
    assert (await api.post(assigned, json={"email": "dana@schol.example", **BY})).is_success

    answer = await api.put(f"{url}/roster", json={"students": [{"email": "d@x.example", "student_id": "1"}], **BY})
    assert answer.json()["unapplied_corrections"] == []
    assert (await marks(api, made["session_id"])) == {"d": "present"}
    answer = await api.put(f"{url}/roster", json={"students": [{"email": "dana@school.example"}], **BY})
    (lost,) = answer.json()["unapplied_corrections"]
    assert (lost["kind"], lost["attendee_id"], lost["student_id"]) == ("assignment", stranger["attendee_id"], "1")


async def test_an_alias_on_the_roster_is_the_students_account(api, app, school):
    school.enrol(Account("users/70", "kim@school.example", ("kim.old@school.example",), "Kim"))
    made = await scheduled(api, student_emails=["kim.old@school.example"])
    conference = held(
        made["space"],
        made["meeting_code"],
        teacher((0, 60)),
        Attendee("k", "signed_in", "Kim", "users/70", visits((0, 60))),
    )
    school.hold(conference)

    await event(app, conference)

    kim = await person(api, made["session_id"], role="student")
    assert (kim["mark"], kim["emails"]) == ("present", ["kim.old@school.example", "kim@school.example"])


# --- The timetable ---


async def test_two_posts_at_once_for_one_slot_make_one_class(api):
    first = await scheduled(api, start_time=at(-10_000).isoformat())
    body = {
        "teacher_email": "teacher@school.example",
        "student_emails": [PUPILS[0].email],
        "subject": "Physics",
        "start_time": START.isoformat(),
        "duration_minutes": 45,
        "meeting_code": first["meeting_code"],
    }

    answers = await asyncio.gather(*(api.post("/api/schedule/class", json=body) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    made = next(answer.json()["session_id"] for answer in answers if answer.status_code == 201)
    assert {answer.json()["session_id"] for answer in answers if answer.status_code == 409} == {made}


async def test_the_same_external_id_gives_the_same_class_and_another_request_with_it_is_refused(api):
    body = {
        "teacher_email": "teacher@school.example",
        "student_emails": [PUPILS[0].email],
        "subject": "Physics",
        "start_time": START.isoformat(),
        "duration_minutes": 45,
        "external_id": "lms-1",
    }

    first, again = [await api.post("/api/schedule/class", json=body) for _ in range(2)]
    other = await api.post("/api/schedule/class", json={**body, "subject": "Chemistry"})

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json()["session_id"] == again.json()["session_id"]


async def test_a_cancelled_class_has_no_attendance_and_its_conference_belongs_to_no_class(
    api, app, database, held_class
):
    assert (await api.delete(f"/api/schedule/class/{held_class}")).is_success
    await job(app, "sync-due")

    answer = await sheet(api, held_class)
    assert (answer["session"]["state"], answer["attendance"]) == ("cancelled", [])
    unscheduled = await database.get("sessions/rec-1")
    assert unscheduled.fields["scheduled_start"] is None


async def test_a_moved_class_is_marked_by_its_new_time(api, app, held_class):
    answer = await api.patch(f"/api/schedule/class/{held_class}", json={"start_time": at(10).isoformat()})
    assert answer.is_success, answer.text
    await job(app, "sync-due")

    assert (await marks(api, held_class))["late"] == "present"


async def test_a_sections_roster_is_replaced_without_the_other_sections(api, database):
    students = [
        {"email": "punctual@school.example", "class_id": "7b-north"},
        {"email": "late@school.example", "class_id": "7b-south"},
    ]
    made = await scheduled(api, student_emails=None, students=students)

    answer = await api.put(
        "/api/classes/7b-south/roster",
        json={"students": [{"email": "early@school.example"}], "from": START.isoformat(), **BY},
    )
    assert answer.status_code == 200, answer.text

    session = await database.get(f"sessions/{made['session_id']}")
    assert {(entry["email"], entry["class_id"]) for entry in session.fields["roster"]} == {
        ("punctual@school.example", "7b-north"),
        ("early@school.example", "7b-south"),
    }


async def test_a_cancelled_class_no_longer_has_its_attached_record(api, app, school, database):
    made = await scheduled(api)
    elsewhere = held("spaces/elsewhere", "xyz-mnop-abc", teacher((0, 60)), pupil(0, (0, 60)), record="substitute")
    school.hold(elsewhere)
    await event(app, elsewhere)
    url = f"/api/sessions/{made['session_id']}/conference-records"
    assert (await api.post(url, json={"conference_record": elsewhere.name, **BY})).is_success

    assert (await api.delete(f"/api/schedule/class/{made['session_id']}")).is_success

    assert await database.get("sessions/substitute")


async def test_a_teacher_by_another_address_of_the_account_is_not_a_student_of_the_roster_for_corrections_either(
    api, app, school
):
    other = "teacher.private@school.example"
    account = school.account("users/1")
    school.enrol(dataclasses.replace(account, aliases=(*account.aliases, other)))
    made = await scheduled(api, student_emails=[other, PUPILS[0].email])
    conference = held(made["space"], made["meeting_code"], teacher((0, 60)), guest("Somebody", (0, 60)))
    school.hold(conference)
    await event(app, conference)
    url = f"/api/sessions/{made['session_id']}"
    assert set(await marks(api, made["session_id"])) == {PUPILS[0].email.partition("@")[0]}

    marked = await api.put(f"{url}/overrides", json={"overrides": [{"email": other, "status": "excused"}], **BY})
    somebody = await person(api, made["session_id"], role="guest")
    assigned = await api.post(f"{url}/attendance/{somebody['attendee_id']}/assign", json={"email": other, **BY})

    assert [(answer.status_code, slug(answer)) for answer in (marked, assigned)] == [(422, "invalid-request")] * 2

"""An account gets an address of an erased person: either it is this person's account, or it is not changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from functions.adapters.store.databases.database import Query
from infra.local.clock import TurnableClock
from infra.local.google_apis import RestFault
from infra.local.school import Account
from tests.api import slug
from tests.classroom import NOW, event, held, job, scheduled, sheet, teacher
from tests.erasing import a_class, dumped, erased, marks_of, naming, signed_in, student

ADA, NINE, FAMILY = "ada@school.example", "nine@school.example", "family@home.example"


@pytest.fixture
def clock():
    return TurnableClock(NOW)


@pytest.fixture
def enrolled():
    return ()


async def settled(app, clock):
    """Run the scheduled jobs of the next hour."""
    for _ in range(3):
        clock.turn(timedelta(minutes=20))
        await job(app, "sync-due")


@pytest.mark.parametrize("who", ["S-1", ADA])
@pytest.mark.parametrize("with_id", [True, False])
async def test_an_account_that_is_renamed_to_an_erased_address_keeps_everything(  # noqa: PLR0917 - fixtures
    app, api, school, database, clock, who, with_id
):
    """The erased student never joined, so it is unknown which account was theirs."""
    school.enrol(Account("users/71", NINE, display_name="Nina"))
    nine = student("S-9" if with_id else None, NINE)
    before = await a_class(app, api, school, [nine], signed_in("n", "users/71"), record="before")
    await a_class(app, api, school, [student("S-1" if who == "S-1" else None, ADA)], record="missed", start=90)
    await erased(api, who)
    clock.turn(timedelta(days=10))
    school.enrol(Account("users/71", ADA, display_name="Nina"))

    after = await a_class(app, api, school, [nine], signed_in("n", "users/71"), record="after", start=180)
    await settled(app, clock)
    await job(app, "remark-session", session_id=before)

    assert list((await marks_of(api, before)).values()).count("present") == 1
    people = [p for p in (await sheet(api, after))["attendance"] if p["user"] == "users/71"]
    assert [ADA in p["emails"] for p in people] == [True]
    assert (await database.find(Query("erasures"))).documents == []
    answer = await api.delete(f"/api/students/{ADA}")
    assert (answer.status_code, slug(answer)) == (409, "person-not-unique")
    assert list((await marks_of(api, before)).values()).count("present") == 1


@pytest.mark.parametrize("has_joined", [True, False])
async def test_a_sibling_whose_account_gets_the_erased_family_address_keeps_everything(
    app, api, school, clock, has_joined
):
    sibling = student("S-2", "sib@school.example")
    account = Account("users/72", "sib@school.example", display_name="Sib")
    school.enrol(account)
    there = [signed_in("sib", "users/72")] if has_joined else []
    before = await a_class(app, api, school, [sibling], *there, record="before")
    await a_class(app, api, school, [student(None, FAMILY)], record="missed", start=90)
    await erased(api, FAMILY)
    clock.turn(timedelta(days=10))
    school.enrol(replace(account, aliases=(FAMILY,)))

    after = await a_class(app, api, school, [sibling], signed_in("sib", "users/72"), record="after", start=180)
    await settled(app, clock)
    await job(app, "remark-session", session_id=before)

    assert (await marks_of(api, before))["S-2"] == ("present" if has_joined else "absent")
    assert (await marks_of(api, after))["S-2"] == "present"


async def test_an_account_without_other_names_is_erased_with_its_attendance_as_a_guest(  # noqa: PLR0917 - fixtures
    app, api, school, database, clock, google
):
    """Google was unavailable when she came, so nothing connected the account with her when she was erased."""
    school.enrol(Account("users/70", ADA, display_name="Ada Lovelace"))
    google.fail(RestFault("people.batchGet", 503), RestFault("users.get", 503))
    entry = student(None, ADA)
    early = await a_class(app, api, school, [entry], signed_in("ada", "users/70", name="Ada"), record="early")
    assert naming(await dumped(database), "users/70")
    await erased(api, ADA)
    google.fail()
    await api.post(f"/api/webhook/sessions/{early}/sync-participants?full=1")
    await settled(app, clock)

    assert naming(await dumped(database), "users/70", ADA, "Ada Lovelace") == []
    assert (await database.find(Query("erasures"))).documents == []


@pytest.mark.parametrize("known_by", ["student_id", "user"])
async def test_a_known_student_who_gets_an_erased_address_stays_on_the_roster(app, api, school, known_by):
    """Only the address of the erased student was known."""
    school.enrol(Account("users/71", NINE, display_name="Nina"))
    nine = student("S-9" if known_by == "student_id" else None, NINE)
    before = await a_class(app, api, school, [nine], signed_in("n", "users/71"), record="before")
    await a_class(app, api, school, [student(None, ADA)], record="missed", start=90)
    await erased(api, ADA)

    entry = {"email": ADA, known_by: {"student_id": "S-9", "user": "users/71"}[known_by]}
    answer = await api.put(f"/api/sessions/{before}/roster", json={"students": [entry], "by": "LMS"})

    assert answer.status_code == 200, answer.text
    assert (await marks_of(api, before)).keys() & {"S-9", ADA}
    assert (await sheet(api, before))["session"]["counts"]["erased"] == 0


async def test_a_planned_student_who_gets_an_erased_address_stays_on_the_roster(app, api, school):
    await a_class(app, api, school, [student(None, ADA)], record="missed")
    later = (NOW + timedelta(days=2)).isoformat()
    made = await scheduled(api, student_emails=None, students=[student("S-9", NINE)], start_time=later)
    await erased(api, ADA)

    body = {"students": [student("S-9", ADA)], "by": "LMS"}
    answer = await api.put(f"/api/sessions/{made['session_id']}/roster", json=body)

    assert answer.status_code == 200, answer.text
    session = (await api.get(f"/api/sessions/{made['session_id']}")).json()
    assert [(entry["student_id"], entry["email"]) for entry in session["roster"]] == [("S-9", ADA)]


async def test_a_student_without_stored_data_is_left_out_by_the_erased_address(app, api, school, database):
    """It may be the erased student, for whom the LMS now uses an id."""
    missed = await a_class(app, api, school, [student(None, ADA)], record="missed")
    await erased(api, ADA)

    answer = await api.put(f"/api/sessions/{missed}/roster", json={"students": [student("S-1", ADA)], "by": "LMS"})

    assert answer.status_code == 200, answer.text
    assert naming(await dumped(database), ADA, "S-1") == []


async def test_an_account_that_turns_out_to_be_an_erased_person_s_is_left_out_at_once(app, api, school, database):
    """Its address is looked up while the first call is recorded, so the account is known before the commit."""
    school.enrol(Account("users/70", ADA, display_name="Ada Lovelace"))
    made = await scheduled(api, student_emails=None, students=[student(None, ADA)])
    await erased(api, ADA)
    call = held(made["space"], made["meeting_code"], teacher((0, 60)), signed_in("ada", "users/70"))
    school.hold(call)

    await event(app, call)

    assert naming(await dumped(database), "users/70", ADA, "Ada Lovelace") == []

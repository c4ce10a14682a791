"""Erasing one person deletes nothing of other people: code that deletes must not guess."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cloudevents.http import CloudEvent
from starlette.exceptions import HTTPException

from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.databases.database import Query, Write
from functions.adapters.store.documents.people import person_to_document
from functions.adapters.store.erasing.erasures import DocumentErasures
from functions.adapters.store.erasing.names import ErasedNames
from functions.adapters.store.erasing.subjects import MOST_NAMES
from functions.adapters.store.paths import person_path
from functions.domain.classes.roster import Remembered
from functions.domain.classes.sessions import Person
from functions.domain.errors import StoreUnavailable
from functions.entrypoints.messages import jobs
from functions.ports.messages import Job
from functions.services.operations.erase_student import GRACE
from functions.services.operations.run_job import run_job
from infra.local.clock import TurnableClock
from infra.local.school import Account, Space
from tests.api import client, slug
from tests.classroom import NOW, START, event, guest, held, job, scheduled, sheet
from tests.erasing import ALL_CLASS, WatchedSqlite, a_class, dumped, erased, marks_of, naming, signed_in, student


async def refused(api, database, name, expected):
    """Assert that an erasure is refused with this reason and a hint. Its texts name nobody, and nothing was written."""
    before = await dumped(database)
    for query in ({}, {"dry_run": 1}):
        answer = await api.delete(f"/api/students/{name}", params=query)
        assert (answer.status_code, slug(answer)) == (409, expected)
        assert "@" not in answer.text
        assert answer.json()["hint"]
    assert await dumped(database) == before
    assert (await database.find(Query("erased"))).documents == []
    assert (await database.find(Query("audit"))).documents == await _audit_of_before(database)


async def _audit_of_before(database):
    found = (await database.find(Query("audit"))).documents
    return [document for document in found if document.fields["what"] != "student.erased"]


# --- Siblings with one family address ---

FAMILY = "family@home.example"


@pytest.fixture
def clock():
    return TurnableClock(NOW)


@pytest.fixture
def enrolled():
    return ()


@pytest.fixture
def database(tmp_path):
    return WatchedSqlite(tmp_path / "attendance.db")


@pytest.fixture
def store_settings(database):
    return {"documents": database}


@pytest.fixture
async def siblings(app, api, school):
    """Hold classes of two siblings: each is in a different class, and both join with the family's account."""
    school.enrol(Account("users/50", FAMILY, display_name="The Family"))
    first = await a_class(app, api, school, [student("S-1", FAMILY)], signed_in("fam", "users/50"), record="first")
    second = await a_class(app, api, school, [student("S-2", FAMILY)], signed_in("fam", "users/50"), record="second")
    return first, second


@pytest.mark.usefixtures("siblings")
@pytest.mark.parametrize("name", [FAMILY, "Family@Home.example", "users/50", "50"])
async def test_an_address_or_account_of_two_students_is_refused(api, database, name):
    await refused(api, database, name, "person-not-unique")


async def test_a_sibling_with_the_same_address_and_account_keeps_everything(app, api, school, database, siblings):
    first, second = siblings
    before = await dumped(database, but=[first, "first"])

    answer = await erased(api, "S-1")

    assert answer["left"] == 2  # the account and the address
    assert "GET /api/students" in answer["hint"]
    assert answer["erased"]["attendance"] == 1
    after = await dumped(database, but=[first, "first"])
    assert {path: text for path, text in after.items() if "erased" in path} == {}
    assert after == before
    assert naming(await dumped(database), "S-1") == []
    assert await marks_of(api, first) == {"S-0": "absent"}
    await job(app, "remark-session", session_id=second)
    await api.post(f"/api/webhook/sessions/{second}/sync-participants?full=1")
    assert (await marks_of(api, second))["S-2"] == "present"
    third = await a_class(app, api, school, [student("S-2", FAMILY)], signed_in("fam", "users/50"), record="third")
    assert (await marks_of(api, third))["S-2"] == "present"


async def test_siblings_are_erased_one_after_the_other(api, database, siblings):  # noqa: ARG001 - set up
    await erased(api, "S-1")
    answer = await erased(api, "S-2")

    assert (answer["left"], answer["hint"]) == (0, None)
    assert naming(await dumped(database), "S-1", "S-2", FAMILY, "users/50", "The Family") == []


async def test_a_sibling_who_is_only_planned_keeps_the_place(api, database):
    """Only rosters of future classes name the siblings; they have no attendance."""
    later = (NOW + timedelta(days=2)).isoformat()
    for student_id in ("S-1", "S-2"):
        await scheduled(
            api, student_emails=None, students=[student(student_id, FAMILY)], subject=student_id, start_time=later
        )
    await refused(api, database, FAMILY, "person-not-unique")

    await erased(api, "S-1")

    assert naming(await dumped(database), "S-1") == naming(await dumped(database), '"S-1"')
    rosters = [d.fields["roster"] for d in (await database.find(Query("sessions"))).documents]
    assert sorted([entry.get("student_id") for entry in roster] for roster in rosters) == [[], ["S-2"]]


# --- An account that was lent once ---


async def _lend(app, api, school, *, remember):
    """Put Tom's account in Sue's class once; people say that it was Sue."""
    school.enrol(Account("users/60", "tom@school.example", display_name="Tom"))
    own = await a_class(
        app, api, school, [student("T-1", "tom@school.example")], signed_in("tom", "users/60"), record="own"
    )
    lent = await a_class(
        app, api, school, [student("S-1", "sue@school.example")], signed_in("tom", "users/60"), record="lent"
    )
    people = (await sheet(api, lent))["attendance"]
    guest_id = next(p["attendee_id"] for p in people if p["user"] == "users/60")
    body = {"student_id": "S-1", "by": "Head", **({"remember": False} if remember is False else {})}
    answer = await api.post(f"/api/sessions/{lent}/attendance/{guest_id}/assign", json=body)
    assert answer.status_code == 200, answer.text
    assert (await marks_of(api, lent))["S-1"] == "present"
    return own, lent


@pytest.mark.parametrize("remember", [False, None])
async def test_a_person_who_lent_an_account_keeps_it(app, api, school, database, remember):
    own, lent = await _lend(app, api, school, remember=remember)
    before = await dumped(database, but=[lent, "lent", "people/60"])

    await erased(api, "S-1")

    after = await dumped(database, but=[lent, "lent", "people/60"])
    assert after == before
    assert naming(await dumped(database), "S-1", "sue@school.example") == []
    [account] = [d.fields for d in (await database.find(Query("people"))).documents if d.fields["user"] == "users/60"]
    assert (account["email"], account["student"]) == ("tom@school.example", None)
    await api.post(f"/api/webhook/sessions/{own}/sync-participants?full=1")
    assert (await marks_of(api, own))["T-1"] == "present"
    others = [p for p in (await sheet(api, lent))["attendance"] if p["user"] == "users/60"]
    assert [p["role"] for p in others] == ["guest"]


async def test_a_lent_account_does_not_identify_a_person(app, api, school, database):
    await _lend(app, api, school, remember=None)

    for name in ("users/60", "tom@school.example"):
        await refused(api, database, name, "person-not-unique")


async def test_another_student_who_used_the_persons_account_keeps_the_time(app, api, school, database):
    """Sue was in a class with Tom's account. Without this account, nothing would show that she was there."""
    _, lent = await _lend(app, api, school, remember=False)

    for name in ("T-1", "tom@school.example", "users/60"):
        await refused(api, database, name, "account-assigned")
    assert (await marks_of(api, lent))["S-1"] == "present"


# --- An address that was given on ---


async def test_the_next_owner_of_an_address_is_stored_and_marked(app, api, school, database):
    school.enrol(Account("users/70", "ada@school.example", display_name="Ada Before"))
    first = await a_class(
        app, api, school, [student("S-1", "ada@school.example")], signed_in("ada", "users/70"), record="before"
    )
    await erased(api, "S-1")
    school.enrol(Account("users/70", "ada.left@school.example", display_name="Ada Before"))
    school.enrol(Account("users/71", "ada@school.example", display_name="Ada After"))

    second = await a_class(
        app, api, school, [student("S-9", "ada@school.example")], signed_in("new", "users/71"), record="after"
    )
    third = await a_class(
        app, api, school, [student(email="ada@school.example")], signed_in("new", "users/71"), record="third"
    )

    assert (await marks_of(api, second))["S-9"] == "present"
    assert (await marks_of(api, third))["ada@school.example"] == "present"
    assert naming(await dumped(database), "S-1", "users/70", "Ada Before") == []
    assert (await sheet(api, second))["session"]["counts"]["erased"] == 0
    assert (await sheet(api, first))["session"]["counts"]["erased"] == 1


async def test_the_next_owner_is_stored_although_the_erased_student_never_came(app, api, school):
    """Nothing shows whose account it is, except another student_id from the LMS."""
    await a_class(app, api, school, [student("S-1", "ada@school.example")], record="missed")
    await erased(api, "S-1")
    school.enrol(Account("users/71", "ada@school.example", display_name="Ada After"))

    after = await a_class(
        app, api, school, [student("S-9", "ada@school.example")], signed_in("new", "users/71"), record="after"
    )

    assert (await marks_of(api, after))["S-9"] == "present"


async def test_somebody_who_teaches_by_an_erased_students_address_is_stored(app, api, school):
    await a_class(app, api, school, [student("S-1", "ada@school.example")], record="missed")
    await erased(api, "S-1")
    school.enrol(Account("users/71", "ada@school.example", display_name="Ada After"))

    taught = await a_class(
        app,
        api,
        school,
        [student("S-9", "nine@school.example")],
        signed_in("new", "users/71"),
        record="after",
        teacher_email="ada@school.example",
    )
    await api.post(f"/api/webhook/sessions/{taught}/sync-participants?full=1")

    roles = {p["user"]: p["role"] for p in (await sheet(api, taught))["attendance"]}
    assert roles["users/71"] == "teacher"


async def test_an_erased_student_who_teaches_with_others_by_now_is_stored_and_the_students_are_marked(
    app, api, school, database
):
    """Without the only teacher who came, the class would count as not held, and nobody would have a mark."""
    school.enrol(
        Account("users/70", "ada@school.example", display_name="Ada"),
        Account("users/73", "bob@school.example", display_name="Bob"),
    )
    await a_class(app, api, school, [student("S-1", "ada@school.example")], signed_in("ada", "users/70"), record="was")
    await erased(api, "S-1")

    made = await scheduled(
        api,
        student_emails=None,
        students=[student("S-3", "bob@school.example")],
        start_time=START.isoformat(),
        class_id="taught",
        co_teacher_emails=["ada@school.example"],
    )
    space = (await api.get(f"/api/sessions/{made['session_id']}")).json()["space"]
    people = [signed_in("ada", "users/70"), signed_in("bob", "users/73")]
    call = held(space, made["meeting_code"], *people, record="taught")
    school.hold(call)
    await event(app, call)

    shown = await sheet(api, made["session_id"])
    assert {p["user"]: (p["role"], p["mark"]) for p in shown["attendance"]} == {
        "users/70": ("teacher", None),
        "users/73": ("student", "present"),
    }
    assert shown["session"]["counts"]["erased"] == 0
    assert naming(await dumped(database), "S-1") == []


async def test_erasing_who_had_an_address_before_leaves_its_owner(app, api, school, database, clock):
    school.enrol(Account("users/70", "ada@school.example", display_name="Ada Before"))
    first = await a_class(
        app,
        api,
        school,
        [student(email="ada@school.example")],
        signed_in("ada", "users/70"),
        record="before",
    )
    school.enrol(Account("users/70", "ada.new@school.example", display_name="Ada Before"))
    school.enrol(Account("users/71", "ada@school.example", display_name="Bob"))
    clock.turn(timedelta(days=10))
    second = await a_class(
        app,
        api,
        school,
        [student(email="ada@school.example")],
        signed_in("bob", "users/71"),
        record="after",
        start=9 * 24 * 60,
    )
    await refused(api, database, "ada@school.example", "person-not-unique")
    before = await dumped(database, but=[first, "before"])

    await erased(api, "users/70")

    after = await dumped(database)
    assert naming(after, "users/70", "Ada Before", "ada.new@") == []
    assert {path: after.get(path) for path in before if "people/70" not in path} == {
        path: text for path, text in before.items() if "people/70" not in path
    }
    assert (await marks_of(api, second))["ada@school.example"] == "present"


# --- A teacher who is met on the way ---


async def test_a_teacher_whose_address_is_on_a_childs_roster_stays(app, api, school, database):
    school.enrol(Account("users/80", "parent@school.example", display_name="The Parent"))
    child = await a_class(
        app,
        api,
        school,
        [student("S-1", "parent@school.example")],
        signed_in("parent", "users/80"),
        record="child",
    )
    own = await a_class(
        app,
        api,
        school,
        [student("S-7", "other@school.example")],
        signed_in("parent", "users/80"),
        record="taught",
        teacher_email="parent@school.example",
    )
    before = await dumped(database, but=[child, "child"])
    await refused(api, database, "parent@school.example", "person-teaches")
    await refused(api, database, "users/80", "person-teaches")

    assert (await erased(api, "S-1"))["left"] == 2

    assert await dumped(database, but=[child, "child"]) == before
    assert (await sheet(api, own))["attendance"]
    assert naming(await dumped(database), "S-1") == []


async def test_a_teacher_stays_if_a_planned_class_names_an_earlier_address_of_theirs(app, api, school, database, clock):
    school.enrol(Account("users/80", "parent@school.example", display_name="The Parent"))
    later = (NOW + timedelta(days=20)).isoformat()
    await scheduled(api, student_emails=[], co_teacher_emails=["parent@school.example"], start_time=later)
    await a_class(app, api, school, [student("S-7", "other@school.example")], signed_in("p", "users/80"), record="met")
    clock.turn(timedelta(days=8))
    school.enrol(Account("users/80", "parent.new@school.example", display_name="The Parent"))
    await a_class(
        app,
        api,
        school,
        [student("S-1", "parent.new@school.example")],
        signed_in("p", "users/80"),
        record="child",
        start=8 * 24 * 60,
    )
    await refused(api, database, "users/80", "person-teaches")

    assert (await erased(api, "S-1"))["left"] == 2

    [account] = [d.fields for d in (await database.find(Query("people"))).documents if d.fields["user"] == "users/80"]
    assert account["email"] == "parent.new@school.example"


# --- Names that somebody typed ---


async def test_somebody_with_the_same_name_stays_and_the_erased_persons_name_goes(app, api, school, database):
    school.enrol(
        Account("users/90", "lena1@school.example", display_name="Lena Fischer"),
        Account("users/91", "lena2@school.example", display_name="Lena Fischer"),
    )
    session_id = await a_class(
        app,
        api,
        school,
        [
            student("S-1", "lena1@school.example", display_name="Lena F. from the LMS"),
            student("S-2", "lena2@school.example"),
        ],
        signed_in("l1", "users/90", name="Lena Fischer"),
        signed_in("l2", "users/91", name="Lena Fischer"),
        guest("Lena Fischer", (0, 30)),
        record="both",
    )
    others = [p for p in (await sheet(api, session_id))["attendance"] if p["student_id"] != "S-1"]

    await erased(api, "S-1")

    def shown(people):
        return [{k: v for k, v in p.items() if k not in {"updated_at", "suggestions"}} for p in people]

    assert shown((await sheet(api, session_id))["attendance"]) == shown(others)
    assert naming(await dumped(database), "S-1", "users/90", "lena1@", "from the LMS") == []


# --- Somebody who organized a call ---


async def test_a_student_who_began_a_call_is_erased_and_the_call_stays_for_the_others(app, api, school, database):
    school.enrol(Account("users/95", "sam@school.example", display_name="Sam"))
    await scheduled(api, student_emails=["sam@school.example"], start_time=(NOW + timedelta(days=2)).isoformat())
    school.open(Space("spaces/club", "clu-bclu-clu", "users/95"))
    call = held("spaces/club", "clu-bclu-clu", signed_in("sam", "users/95"), guest("Someone", ALL_CLASS), record="club")
    call = replace(call, organizer="users/95")
    school.hold(call)
    await event(app, call)
    assert naming(await dumped(database), "users/95")

    await erased(api, "users/95")

    assert naming(await dumped(database), "users/95", "sam@school.example", '"Sam"') == []
    shown = await sheet(api, "club")
    assert [p["display_name"] for p in shown["attendance"]] == ["Someone"]
    assert shown["session"]["counts"]["erased"] == 1


# --- Class meetings that are too large ---


async def test_a_class_too_large_for_one_commit_does_not_end_the_erasure(app, api, school, database, firestore_gate):
    school.enrol(Account("users/70", "ada@school.example", display_name="Ada Lovelace"))
    crowd = [student(f"C-{n}", f"c{n}@school.example", display_name="x" * 150) for n in range(60)]
    large = await a_class(
        app,
        api,
        school,
        [*crowd, student("S-1", "ada@school.example")],
        signed_in("ada", "users/70"),
        record="large",
    )
    small = await a_class(
        app, api, school, [student("S-1", "ada@school.example")], signed_in("ada", "users/70"), record="small"
    )
    before = [p for p in (await sheet(api, large))["attendance"] if p["student_id"] != "S-1"]
    most = firestore_gate.most_bytes
    firestore_gate.most_bytes = 35_000

    answer = await api.delete("/api/students/S-1")

    firestore_gate.most_bytes = most
    assert {refusal.words for refusal in firestore_gate.take()} == {"Transaction too big. Decrease transaction size."}
    assert answer.status_code == 200, answer.text
    assert answer.json()["erased"]["attendance"] == 2
    assert naming(await dumped(database), "S-1", "users/70", "ada@", "Ada Lovelace") == []
    after = await sheet(api, large)
    assert after["attendance"] == before
    assert after["session"]["counts"]["erased"] == 1
    assert (await marks_of(api, small)) == {"S-0": "absent"}
    await job(app, "remark-session", session_id=large)
    assert len((await sheet(api, large))["attendance"]) == len(before)


# --- Class meetings whose conferences are gone ---


async def test_people_in_a_call_that_has_expired_keep_their_marks(app, api, school, database):
    """Each document expires separately, so a conference may be deleted before its class meeting."""
    school.enrol(
        Account("users/70", "ada@school.example", display_name="Ada Lovelace"),
        Account("users/73", "bob@school.example", display_name="Bob"),
    )
    session_id = await a_class(
        app,
        api,
        school,
        [student("S-1", "ada@school.example"), student("S-3", "bob@school.example")],
        signed_in("ada", "users/70"),
        signed_in("bob", "users/73"),
        record="maths",
    )
    await database.commit([Write("conferences/maths", None)])

    await erased(api, "S-1")

    assert await marks_of(api, session_id) == {"S-3": "present", "S-0": "absent"}
    shown = (await sheet(api, session_id))["session"]["counts"]
    assert (shown["present"], shown["absent"], shown["erased"]) == (1, 1, 1)
    assert naming(await dumped(database), "S-1", "users/70", "ada@", "Ada Lovelace") == []


# --- How much is read ---


async def test_the_rosters_of_planned_classes_are_read_once_to_find_who_is_meant(app, api, school, database):
    school.enrol(Account("users/70", "ada@school.example", ("al@school.example",), display_name="Ada Lovelace"))
    later = (NOW + timedelta(days=2)).isoformat()
    await a_class(app, api, school, [student("S-1", "ada@school.example")], signed_in("a", "users/70"), record="maths")
    await scheduled(api, student_emails=None, students=[student(None, "al@school.example")], start_time=later)
    database.queries.clear()
    await erased(api, "S-1")

    scans = [w.value for q in database.queries if q.collection == "sessions" for w in q.where if w.field == "state"]
    assert sorted(scans) == ["cancelled", "scheduled"]
    assert naming(await dumped(database), "al@school.example", "ada@school.example") == []


# --- What was cut ---


async def test_a_parked_message_that_was_cut_loses_its_content(app, api, school, database):
    """It can never be processed, and it may end with half a name."""
    await a_class(app, api, school, [student("S-1", "ada@school.example")], record="maths")
    parked = {"schema_version": 1, "expire_at": None, "encoding": "text", "reason": "r", "hint": "h", "parked_at": NOW}
    parked |= {"replayed_at": None}
    await database.commit(
        [
            Write("parked_events/cut", {**parked, "message": '{"who": "ada@scho', "truncated": True}),
            Write("parked_events/whole", {**parked, "message": '{"who": "bob@school.example"}', "truncated": False}),
        ]
    )

    await erased(api, "S-1")

    found = {d.path: d.fields["message"] for d in (await database.find(Query("parked_events"))).documents}
    assert found == {"parked_events/cut": "", "parked_events/whole": '{"who": "bob@school.example"}'}


# --- The first commit, and the key ---


async def test_the_first_commit_keeps_the_names_and_who_asked_and_changes_nothing_else(app, api, school, database):
    """The process is killed right after the first commit.

    Then nothing about the person is stored again, and the same call completes the erasure.
    """
    school.enrol(Account("users/70", "ada@school.example", display_name="Ada Lovelace"))
    session_id = await a_class(
        app, api, school, [student("S-1", "ada@school.example")], signed_in("ada", "users/70"), record="maths"
    )
    before = await dumped(database)

    database.commits_left = 1
    assert (await api.delete("/api/students/S-1")).status_code == 503
    database.commits_left = None

    assert await dumped(database) == before
    assert len((await database.find(Query("erased"))).documents) == 3
    assert [d.fields["what"] for d in (await database.find(Query("audit"))).documents].count("student.erased") == 1
    await api.post(f"/api/webhook/sessions/{session_id}/sync-participants?full=1")
    assert "S-1" not in await marks_of(api, session_id)

    assert (await api.delete("/api/students/ada@school.example")).status_code == 200

    assert naming(await dumped(database), "S-1", "users/70", "ada@", "Ada Lovelace") == []
    audit = (await database.find(Query("audit"))).documents
    assert [d.fields["what"] for d in audit].count("student.erased") == 1


async def test_a_guest_who_was_assigned_goes_although_the_class_is_marked_again_before_the_erasure_carries_on(
    app, api, school, database
):
    """Marking leaves out the assignment of an erased person, and only this assignment said who the guest was."""
    session_id = await a_class(
        app, api, school, [student("S-1", "ada@school.example")], guest("Borrowed tablet", (0, 30)), record="maths"
    )
    guest_id = next(p["attendee_id"] for p in (await sheet(api, session_id))["attendance"] if p["role"] == "guest")
    body = {"student_id": "S-1", "by": "Head"}
    assert (await api.post(f"/api/sessions/{session_id}/attendance/{guest_id}/assign", json=body)).status_code == 200
    database.commits_left = 1
    assert (await api.delete("/api/students/S-1")).status_code == 503
    database.commits_left = None

    await job(app, "remark-session", session_id=session_id)
    await erased(api, "S-1")
    await api.post(f"/api/webhook/sessions/{session_id}/sync-participants?full=1")

    assert naming(await dumped(database), "S-1", "ada@", "Borrowed tablet") == []


async def test_without_the_key_a_message_is_delivered_again_and_never_acknowledged(app, api, school, database):
    school.enrol(Account("users/70", "ada@school.example", display_name="Ada Lovelace"))
    session_id = await a_class(
        app, api, school, [student("S-1", "ada@school.example")], signed_in("ada", "users/70"), record="maths"
    )
    await erased(api, "S-1")
    before = await dumped(database)
    keyless = replace(
        app.deps, store=DocumentAttendanceStore(database, clock=app.deps.clock, retention=None, key_is_required=True)
    )
    message = as_cloud_event({"job": "remark-session"}, {"session_id": session_id})

    with pytest.raises(HTTPException) as answered:
        await jobs.handle(message, lambda: replace(app, deps=keyless))

    assert (answered.value.status_code, answered.value.detail) == (503, "erasure-not-set-up")
    assert await dumped(database) == before


def as_cloud_event(attributes, data):
    body = {"message": {"data": base64.b64encode(json.dumps(data).encode()).decode(), "attributes": attributes}}
    return CloudEvent({"type": "google.cloud.pubsub.topic.v1.messagePublished", "source": "//pubsub"}, body)


@pytest.mark.parametrize("key", [None, b"another key"])
async def test_without_the_key_nobody_is_erased(app, api, school, database, key):
    await a_class(app, api, school, [student("S-1", "ada@school.example"), student("S-5")], record="maths")
    await erased(api, "S-5")
    before = await dumped(database)
    names = ErasedNames(database, key, clock=app.deps.clock)
    erasures = DocumentErasures(database, names, clock=app.deps.clock, retention=None)

    async with client(replace(app, deps=replace(app.deps, erasures=erasures)), caller=None) as keyless:
        answer = await keyless.delete("/api/students/S-1")

    assert (answer.status_code, slug(answer)) == (502, "erasure-not-set-up")
    assert "ERASURE_KEY" in answer.text
    assert await dumped(database) == before


class HandedOut:
    """Jobs that nobody processes."""

    def __init__(self):
        self.jobs = []

    async def publish(self, jobs):
        self.jobs += jobs


async def test_an_erasure_goes_on_although_class_meetings_cannot_be_asked_for(app, api, school, database):
    """One scheduled job starts both, and a failure of one must not stop the other."""
    await a_class(app, api, school, [student("S-1", "ada@school.example")], record="maths")
    await erased(api, "S-1")
    assert (await database.find(Query("erasures"))).documents
    database.refuses = lambda query: any(where.field == "due_at" for where in query.where)
    app.deps.clock.turn(GRACE)
    handed_out = HandedOut()
    with pytest.raises(StoreUnavailable):
        await run_job(Job("sync-due"), deps=replace(app.deps, jobs=handed_out))

    assert [job.name for job in handed_out.jobs] == ["erase-student"]


async def test_an_id_of_the_lms_that_looks_like_an_account_is_distinguished_from_it(app, api, school, database):
    """`500` may be an id of the LMS or the number of an account; `users/500` may be an account or an id of the LMS."""
    school.enrol(
        Account("users/500", "ada@school.example", display_name="Ada"),
        Account("users/501", "bob@school.example", display_name="Bob"),
    )
    await a_class(
        app,
        api,
        school,
        [
            student("S-1", "ada@school.example"),
            student("500", "bob@school.example"),
            student("users/600", "eve@school.example"),
        ],
        signed_in("ada", "users/500"),
        signed_in("bob", "users/501"),
        record="maths",
    )
    await refused(api, database, "500", "person-not-unique")

    await erased(api, "users/500")
    assert naming(await dumped(database), "users/500", "ada@school.example") == []
    await erased(api, "users/600")
    assert naming(await dumped(database), "users/600", "eve@school.example") == []
    assert naming(await dumped(database), "bob@school.example")
    await erased(api, "500")

    assert naming(await dumped(database), "bob@school.example", "users/501") == []


async def test_an_erasure_with_too_many_names_for_one_person_is_refused(app, api, school, database):
    """An example is a device that was remembered as a student's many times."""
    await a_class(app, api, school, [student("S-1", "ada@school.example")], record="maths")
    for number in range(MOST_NAMES + 1):
        remembered = Remembered("S-1", None, "Head", NOW)
        person = person_to_document(Person(f"users/{9000 + number}", student=remembered), retention=None)
        await database.commit([Write(person_path(person["user"]), person)])

    await refused(api, database, "S-1", "person-not-unique")

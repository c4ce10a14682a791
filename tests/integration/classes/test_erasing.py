"""A person is erased everywhere and permanently: no stored document names them, and nothing that is read later does."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from functions.domain.classes.sessions import TrackedOrganizer
from functions.entrypoints.messages.envelope import Message
from functions.entrypoints.messages.events import process
from functions.services.operations.backfill import backfill
from functions.services.operations.erase_student import GRACE
from infra.local.clock import TurnableClock
from infra.local.firestore_gate.gate import EXPIRING
from infra.local.school import Account, Attendee, School, Space
from tests.api import slug
from tests.classroom import (
    NOW,
    PUPILS,
    TEACHER,
    event,
    guest,
    job,
    marks,
    pupil,
    scheduled,
    sheet,
    teacher,
    told,
    visits,
)
from tests.classroom import held as held_call
from tests.erasing import WatchedFirestore, dump, traces

ADMIN = "admin@school.example"
CODE = "abc-mnop-xyz"
LENA = Account(
    "users/778899001",
    "lena.fischer@school.example",
    aliases=("lfischer@school.example",),
    display_name="Lena Fischer",
)
PRIVATE = Account("users/778899002", "fischerl@private.example", display_name="LF at home", in_directory=False)
STUDENT_ID = "S-20471"
BORROWED = "Borrowed tablet"
TRACES = ("fischer", "778899001", "778899002", "20471", "at home", "lfischer")
"""Texts that no document may contain any more: parts of names, addresses, accounts and ids."""
ROSTER = [
    {"email": LENA.email, "student_id": STUDENT_ID, "display_name": "Lena Fischer"},
    *({"email": account.email} for account in PUPILS),
]


@pytest.fixture
def clock():
    return TurnableClock(NOW)


@pytest.fixture
def school():
    school = School(lambda: datetime.now(UTC))
    school.enrol(Account(TEACHER, "teacher@school.example", display_name="The Teacher"), LENA, PRIVATE, *PUPILS)
    school.open(Space("spaces/room", CODE, TEACHER))
    return school


@pytest.fixture
def watched(firestore_client):
    return WatchedFirestore(firestore_client)


@pytest.fixture
def store_settings(request, firestore, watched):
    """Return the emulator's settings, with further settings that a test names."""
    return {**firestore, "documents": watched, **getattr(request, "param", {})}


@pytest.fixture
def home(project):
    return project


@pytest.fixture
def starting(instance, google, workspace_events, store_settings, clock):
    """Return a function that makes separate instances on one store, like several instances of a function."""
    google.reports.admins = frozenset({ADMIN})

    def start(**settings):
        return instance(
            clock=clock,
            pause=lambda _: asyncio.sleep(0),
            **{
                **store_settings,
                "people_api_endpoint": google.endpoint,
                "directory_api_endpoint": google.endpoint,
                "workspace_events_api_endpoint": workspace_events.endpoint,
                "reports_api_endpoint": google.endpoint,
                "reports_admin": ADMIN,
                "api_callers": "*=admin",
                "room_device_names": "Room *",
                "settle_seconds": 600,
                **settings,
            },
        )

    return start


@pytest.fixture
def app(starting):
    return starting()


@pytest.fixture
def documents(emulated_firestore, project):
    """Return every stored document."""
    return lambda: dump(emulated_firestore, project)


def lena(*times):
    return Attendee("778899001", "signed_in", "Lena Fischer", LENA.user, visits(*times))


def at_home(*times):
    return Attendee("778899002", "signed_in", "LF at home", PRIVATE.user, visits(*times))


def the_call(space, code, record="rec-1", start=0):
    end = start + 60
    return held_call(
        space,
        code,
        teacher((start, end)),
        lena((start, start + 30)),
        at_home((start + 30, end)),
        guest(BORROWED, (start + 5, start + 9), key="tablet"),
        pupil(0, (start, end)),
        pupil(1, (start + 12, end)),
        record=record,
        start=start,
        end=end,
    )


@pytest.fixture
async def lived(api, app, school):
    """Store some weeks of a student: past, planned and cancelled classes, marks by hand, guests, a parked message."""
    made = await scheduled(api, meeting_code=CODE, student_emails=None, students=ROSTER)
    session_id = made["session_id"]
    call = the_call("spaces/room", CODE)
    school.hold(call)
    await told(app, call)
    await event(app, call)
    people = (await sheet(api, session_id))["attendance"]
    for name in ("LF at home", BORROWED):
        attendee = next(one["attendee_id"] for one in people if one["display_name"] == name)
        answer = await api.post(
            f"/api/sessions/{session_id}/attendance/{attendee}/assign", json={"student_id": STUDENT_ID, "by": "Head"}
        )
        assert answer.status_code == 200, answer.text
    answer = await api.put(
        f"/api/sessions/{session_id}/overrides",
        json={"overrides": [{"student_id": STUDENT_ID, "status": "excused", "reason": "ill"}], "by": "Head"},
    )
    assert answer.status_code == 200, answer.text
    planned = await scheduled(
        api,
        student_emails=None,
        students=ROSTER,
        start_time=(NOW + timedelta(days=2)).isoformat(),
        subject="Next week",
    )
    cancelled = await scheduled(
        api, student_emails=None, students=ROSTER, start_time=(NOW + timedelta(days=3)).isoformat(), subject="Off"
    )
    assert (await api.delete(f"/api/schedule/class/{cancelled['session_id']}")).status_code in {200, 204}
    calls = [
        held_call("spaces/club", "clu-bclu-clu", teacher((60, 90)), lena((60, 70)), record="club", start=60, end=90),
        # A call next to a planned class: only its conference shows a participant, and no class meeting does.
        held_call("spaces/room", CODE, teacher((62, 63)), lena((200, 201)), record="rec-after", start=62, end=63),
    ]
    for call in calls:
        school.hold(call)
        await told(app, call)
        await event(app, call)
    await _park(app, LENA.user)
    return {"session": session_id, "planned": planned["session_id"], "cancelled": cancelled["session_id"]}


async def _park(app, organizer):
    from functions.domain.errors import UnreadableMessage  # noqa: PLC0415
    from functions.services.operations.parking import parked  # noqa: PLC0415

    data = base64.b64encode(json.dumps({"organizer": organizer}).encode()).decode()
    body = {"message": {"attributes": {"job": "unheard-of"}, "data": data}}
    await app.deps.store.park(parked(body, UnreadableMessage("No job.")))


async def erased(api, name, **query):
    answer = await api.delete(f"/api/students/{name}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_nothing_that_is_stored_names_a_person_who_was_erased(api, lived, documents, caplog):
    assert len(traces(documents(), *TRACES)) > 10
    with caplog.at_level(logging.DEBUG, logger="functions"):
        answer = await erased(api, STUDENT_ID)

    after = documents()
    assert traces(after, *TRACES, BORROWED) == []
    assert answer["status"] == "success"
    assert answer["erased"]["attendance"] == 2
    assert answer["erased"]["parked_events"] == 1
    # Numbers are left out: the time and the thread of a log line can contain the digits of an id by chance.
    told = "\n".join(
        f"{record.getMessage()} {[value for value in vars(record).values() if not isinstance(value, int | float)]}"
        for record in caplog.records
    )
    assert "student.erasing" in told
    assert [trace for trace in TRACES if trace in told.casefold()] == []
    session = (await sheet(api, lived["session"]))["session"]
    assert session["counts"]["erased"] == 1
    assert (await marks(api, lived["session"]))["punctual"] == "present"
    assert [path for path in after if path.startswith("erased/") and len(path.rpartition("/")[2]) == 64]


@pytest.mark.parametrize(
    "name",
    [LENA.email, "LFischer@School.example", "778899001", PRIVATE.email, PRIVATE.user],
)
@pytest.mark.usefixtures("lived")
async def test_a_person_is_found_by_every_name(api, documents, name):
    await erased(api, name)

    assert traces(documents(), *TRACES) == []


async def test_a_person_is_found_by_an_earlier_address(api, school, lived, documents, clock):
    school.enrol(Account(LENA.user, "lena.weber@school.example", display_name="Lena Weber"))
    clock.turn(timedelta(days=8))
    await api.post(f"/api/webhook/sessions/{lived['session']}/sync-participants?full=1")
    assert traces(documents(), "weber")

    await erased(api, LENA.email)

    assert traces(documents(), *TRACES, "weber") == []


async def test_what_is_read_later_leaves_out_who_was_erased(api, starting, school, lived, documents):
    await erased(api, STUDENT_ID)
    missed = held_call("spaces/old", "old-code", teacher((70, 80)), lena((70, 80)), record="missed", start=70, end=80)
    school.hold(missed)
    other = starting()
    session = lived["session"]

    answer = await api.post(f"/api/webhook/sessions/{session}/sync-participants?full=1")
    assert answer.status_code == 200, answer.text
    assert traces(documents(), *TRACES) == []
    await job(other, "sync-conference", conference_record="conferenceRecords/club", organizer=TEACHER)
    await job(other, "sync-session", session_id=session)
    await job(other, "remark-session", session_id=session)
    await job(other, "reconcile", organizer=TEACHER)
    told = []
    tracked = TrackedOrganizer(TEACHER, "teacher@school.example", NOW)
    await backfill(tracked, since=NOW - timedelta(days=20), tell=told.append, deps=other.deps)
    assert told
    assert "conferences/missed" in documents()
    assert traces(documents(), *TRACES) == []
    answer = await api.post(f"/api/webhook/sessions/{session}/sync-participants?source=reports")
    assert answer.status_code == 200, answer.text

    assert traces(documents(), *TRACES) == []
    assert (await sheet(api, session))["session"]["counts"]["erased"] == 1


async def test_events_that_come_later_bring_nobody_back(api, app, school, lived, documents):
    """Events hold the number of a participant until they expire; erased people stay out of everything that is read."""
    await erased(api, STUDENT_ID)
    call = school.conference("conferenceRecords/rec-1")

    await told(app, call)
    await job(app, "sync-conference", conference_record=call.name)
    await job(app, "sync-session", session_id=lived["session"])

    kept = {path: fields for path, fields in documents().items() if "/seen/" not in path}
    assert traces(kept, *TRACES, BORROWED) == []


@pytest.mark.usefixtures("lived")
async def test_a_call_read_for_the_first_time_leaves_out_who_was_erased(api, app, school, documents):
    await erased(api, LENA.email)
    call = held_call("spaces/new", "new-code", teacher((70, 80)), lena((70, 80)), pupil(0, (70, 80)), record="rec-new")
    school.hold(call)

    await event(app, call)

    assert traces(documents(), *TRACES) == []
    assert (await sheet(api, "rec-new"))["session"]["counts"]["erased"] == 1


async def test_an_account_that_nobody_knew_is_left_out_by_its_address(api, app, school, documents):
    """The person is erased by the address on a roster, before the first call."""
    await scheduled(api, meeting_code=CODE, student_emails=[LENA.email, PUPILS[0].email])
    await erased(api, LENA.email)
    call = the_call("spaces/room", CODE)
    school.hold(call)

    await event(app, call)
    await event(app, call)

    assert traces(documents(), LENA.email, LENA.user, "Lena Fischer", "778899001") == []


async def test_a_roster_that_names_an_erased_person_again_is_stored_without_them(api, lived, documents):
    await erased(api, STUDENT_ID)

    answer = await api.put(f"/api/sessions/{lived['session']}/roster", json={"students": ROSTER, "by": "LMS"})
    assert answer.status_code == 200, answer.text
    made = await scheduled(
        api, student_emails=None, students=ROSTER, start_time=(NOW + timedelta(days=5)).isoformat(), subject="Again"
    )

    assert traces(documents(), *TRACES) == []
    assert (await api.get(f"/api/sessions/{made['session_id']}")).json()["counts"]["erased"] == 1


@pytest.mark.usefixtures("lived")
async def test_a_parked_message_that_names_an_erased_person_is_kept_without_its_content(api, app, documents):
    await erased(api, STUDENT_ID)

    await _park(app, LENA.email)

    assert traces(documents(), *TRACES) == []


@pytest.mark.usefixtures("lived")
async def test_a_dry_run_writes_nothing_and_lists_what_would_be_deleted(api, documents):
    before = documents()

    answer = await erased(api, STUDENT_ID, dry_run=1)

    assert documents() == before
    assert (answer["dry_run"], answer["status"]) == (True, "success")
    assert answer["erased"]["attendance"] == 2
    assert answer["erased"]["sessions"] == 4
    assert answer["erased"]["people"] == 2
    assert answer["erased"]["registers"] == 1


@pytest.mark.parametrize("name", ["nobody@school.example", "4711-0", "users/1234567", "users/%2F"])
@pytest.mark.usefixtures("lived")
async def test_erasing_somebody_who_does_not_exist_writes_nothing(api, documents, name):
    before = documents()

    answer = await api.delete(f"/api/students/{name}")

    assert (answer.status_code, slug(answer)) == (404, "not-found")
    assert documents() == before


@pytest.mark.usefixtures("lived")
async def test_erasing_somebody_twice_finds_nobody(api, documents):
    await erased(api, STUDENT_ID)
    before = documents()

    answer = await api.delete(f"/api/students/{STUDENT_ID}")

    assert answer.status_code == 404
    assert documents() == before


@pytest.mark.usefixtures("lived")
async def test_a_teacher_is_not_erased(api, documents):
    before = documents()

    answer = await api.delete("/api/students/teacher@school.example")

    assert (answer.status_code, slug(answer)) == (409, "person-teaches")
    assert documents() == before


@pytest.mark.usefixtures("lived")
async def test_only_an_administrator_erases(starting):
    app = starting(api_callers="lms@school.example=lms")
    from tests.api import client  # noqa: PLC0415

    async with client(app, caller="lms@school.example") as lms:
        answer = await lms.delete(f"/api/students/{STUDENT_ID}")

    assert (answer.status_code, slug(answer)) == (403, "not-permitted")


async def test_who_is_in_a_room_is_shown_without_an_erased_person(api, school, documents):
    made = await scheduled(
        api, student_emails=None, students=ROSTER, start_time=(NOW - timedelta(minutes=10)).isoformat(), subject="Now"
    )
    people = [teacher((110, None)), lena((112, None)), pupil(0, (112, None))]
    school.hold(held_call(made["space"], made["meeting_code"], *people, record="now", start=110, end=None))
    path = f"/api/sessions/{made['session_id']}/live"
    assert len((await api.get(path)).json()["participants"]) == 3
    assert traces(documents(), *TRACES)

    assert (await erased(api, STUDENT_ID))["erased"]["live"] == 1
    assert traces(documents(), *TRACES) == []
    shown = (await api.get(path)).json()

    assert len(shown["participants"]) == 2
    assert traces(documents(), *TRACES) == []
    assert not any(trace in str(shown).casefold() for trace in TRACES)


async def test_the_room_of_an_erased_person_s_own_call_does_not_name_them(api, app, school, documents):
    made = await scheduled(
        api, student_emails=None, students=ROSTER, start_time=(NOW - timedelta(minutes=10)).isoformat(), subject="Now"
    )
    people = [teacher((110, None)), lena((112, None)), pupil(0, (112, None))]
    school.hold(held_call(made["space"], made["meeting_code"], *people, record="now", start=110, end=None))
    await erased(api, STUDENT_ID)
    session = f"conferenceRecords/now/participants/{pupil(0, (112, None)).id}/participantSessions/1"
    about = {
        "ce-type": "google.workspace.meet.participant.v2.joined",
        "ce-subject": f"//cloudidentity.googleapis.com/{LENA.user}",
        "ce-time": NOW.isoformat(),
    }
    await process(Message(about, {"participantSession": {"name": session}}), app)

    assert traces(documents(), *TRACES) == []


@pytest.mark.parametrize("afterwards", [False, True])
@pytest.mark.usefixtures("lived")
async def test_an_erasure_that_is_interrupted_anywhere_can_be_completed(api, documents, watched, afterwards):
    """Each attempt makes one or two more commits than the attempt before, so that an attempt ends at every step."""
    watched.dies_afterwards = afterwards
    statuses = []
    while not statuses or statuses[-1] == 503:
        watched.commits_left = len(statuses) % 2 + (not afterwards)
        if not statuses and not afterwards:
            watched.commits_left = 0
        statuses.append((await api.delete(f"/api/students/{STUDENT_ID}")).status_code)
        assert len(statuses) < 100
    watched.commits_left = None

    assert len(statuses) > 5
    assert statuses[-1] in {200, 404}  # 404: the previous attempt made the very last commit
    assert traces(documents(), *TRACES, BORROWED) == []


@pytest.mark.parametrize("step", [0, 3, 8])
@pytest.mark.usefixtures("lived")
async def test_a_scheduled_job_continues_an_interrupted_erasure(  # noqa: PLR0917 - fixtures
    api, app, documents, clock, watched, step
):
    watched.dies_afterwards = True
    watched.commits_left = step
    assert (await api.delete(f"/api/students/{STUDENT_ID}")).status_code == 503
    watched.commits_left = None

    clock.turn(timedelta(minutes=11))
    await job(app, "sync-due")
    assert traces(documents(), *TRACES, BORROWED) == []
    clock.turn(GRACE)
    await job(app, "sync-due")

    assert [path for path in documents() if path.startswith("erasures/")] == []


async def test_data_from_a_reading_that_began_before_the_erasure_is_found_later(  # noqa: PLR0917 - fixtures
    api, app, lived, documents, clock, firestore_client
):
    """The reading asked who is erased just before the erasure, and committed after it: it stored everything again."""
    names = (*TRACES, BORROWED)
    paths = {path for path, _ in traces(documents(), *names)}
    groups = {path.split("/")[-2] for path in paths}
    assert groups >= {"conferences", "sessions", "attendance", "sheet", "corrections", "people", "registers"}
    before = {path: (await firestore_client.document(path).get()).to_dict() for path in paths}
    await erased(api, STUDENT_ID)
    for path, fields in before.items():
        changed = {"updated_at": datetime.now(UTC)} if len(path.split("/")) == 2 and "updated_at" in fields else {}
        await firestore_client.document(path).set({**fields, **changed})
    assert {path for path, _ in traces(documents(), *names)} == paths

    await job(app, "sync-due")
    clock.turn(GRACE)
    await job(app, "sync-due")

    assert traces(documents(), *names) == []
    assert [path for path in documents() if path.startswith("erasures/")] == []
    assert (await marks(api, lived["session"]))["punctual"] == "present"


WITHOUT_EXPIRY = {
    "organizers": "a teacher is tracked until removed",
    "spaces": "of a person it holds whose room it is, and it is needed as long as there are classes in it",
}
"""Documents with personal data that remain, and why."""


@pytest.mark.parametrize("store_settings", [{"retention_days": 400}], indirect=True)
@pytest.mark.usefixtures("lived")
async def test_every_document_with_personal_data_has_its_end(api, documents, watched):
    body = {"teacher_email": "teacher@school.example", "student_emails": [], "subject": "Once", "duration_minutes": 5}
    once = {**body, "start_time": (NOW + timedelta(days=9)).isoformat()}
    await api.post("/api/schedule/class", json=once, headers={"Idempotency-Key": "once"})
    await erased(api, STUDENT_ID)

    groups = {write.path.split("/")[-2]: set() for write in watched.written}
    for write in watched.written:
        groups[write.path.split("/")[-2]].add(write.fields.get("expire_at") is not None)
    assert {group for group, has_one in groups.items() if has_one != {True}} == WITHOUT_EXPIRY.keys()
    # Documents that only large classes have get the same time as the document that they are part of: see
    # tests/contract.
    assert groups.keys() - WITHOUT_EXPIRY.keys() == EXPIRING - {"live", "parts", "snapshot"}
    for path, fields in documents().items():
        assert path.split("/")[-2] in WITHOUT_EXPIRY or "timestampValue" in fields["expire_at"]

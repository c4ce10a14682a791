"""Two instances of the application on one Firestore, at the same moment: nothing is lost, in any order."""

from __future__ import annotations

import asyncio
import dataclasses

import httpx
import pytest

from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.databases.database import Query
from functions.adapters.store.databases.firestore import FirestoreDatabase
from functions.domain.conferences.model import Organizer, SyncSource
from functions.entrypoints.api.function import guarded
from functions.ports.messages import Job
from functions.services.operations.run_job import run_job
from functions.services.sync.conference import sync_conference
from functions.services.sync.meet.gathered import Request
from functions.services.sync.session import sync_session
from infra.local.school import Attendee
from tests.classroom import (
    MARKS,
    PUPILS,
    START,
    at,
    event,
    everything,
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
SYNC = "/api/webhook/sessions/{}/sync-participants?full=1"


@pytest.fixture
def database(firestore_client):
    return FirestoreDatabase(firestore_client)


@pytest.fixture
def home(project):
    return project


@pytest.fixture
def apps(instance, google, workspace_events, firestore):
    """Start two instances of the application."""
    return [
        instance(
            people_api_endpoint=google.endpoint,
            directory_api_endpoint=google.endpoint,
            workspace_events_api_endpoint=workspace_events.endpoint,
            **firestore,
            api_callers="*=admin",
            settle_seconds=600,
            room_device_names="Room *",
        )
        for _ in range(2)
    ]


@pytest.fixture
def app(apps):
    return apps[0]


@pytest.fixture
async def apis(apps):
    """Return an API client for each instance."""
    clients = [httpx.AsyncClient(transport=httpx.ASGITransport(guarded(app)), base_url="http://api") for app in apps]
    yield clients
    for client in clients:
        await client.aclose()


@pytest.fixture
def api(apis):
    return apis[0]


class Interrupted:
    """Lets something else happen at a certain point, once."""

    def __init__(self, inner, meanwhile):
        self._inner = inner
        self._meanwhile = meanwhile

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def _interrupt(self):
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile:
            await meanwhile()


class InterruptedListing(Interrupted):
    async def list(self, **wanted):
        listing = await self._inner.list(**wanted)
        await self._interrupt()
        return listing


class InterruptedReading(Interrupted):
    async def read(self, record, **wanted):
        reading = await self._inner.read(record, **wanted)
        await self._interrupt()
        return reading


class InterruptedLookUp(Interrupted):
    async def look_up(self, users, **wanted):
        answer = await self._inner.look_up(users, **wanted)
        await self._interrupt()
        return answer


class Watched:
    """A unit of work that reports when a class meeting is about to be written."""

    def __init__(self, work):
        self._work = work
        self.writes = False

    def __getattr__(self, name):
        return getattr(self._work, name)

    def put_sheet(self, sheet):
        self.writes = True
        self._work.put_sheet(sheet)


class InterruptedCommit(Interrupted):
    async def transact(self, decide, **begins):
        async def interrupted(work):
            watched = Watched(work)
            value = await decide(watched)
            # A unit of work that only reads has nothing to lose.
            if watched.writes:
                await self._interrupt()
            return value

        return await self._inner.transact(interrupted, **begins)


class InterruptedReads(Interrupted):
    """A database in which something else happens right after a document of a collection was read."""

    def __init__(self, inner, meanwhile, collection):
        super().__init__(inner, meanwhile)
        self._collection = collection

    async def get(self, path, **about):
        found = await self._inner.get(path, **about)
        await self._after([path])
        return found

    async def get_many(self, paths):
        found = await self._inner.get_many(paths)
        await self._after(paths)
        return found

    async def _after(self, paths):
        if any(path.startswith(f"{self._collection}/") for path in paths):
            await self._interrupt()


def after_reading(collection):
    """Each document is read once and used until the commit: changes by others after the read must still count."""

    def changes(deps, act):
        reads = InterruptedReads(deps.store._database, act, collection)
        return {"store": DocumentAttendanceStore(reads, clock=deps.clock, retention=None)}

    return changes


POINTS = {
    "after the conference was looked up": after_reading("conferences"),
    "after the room was looked up": after_reading("spaces"),
    "after the class meeting was looked up": after_reading("sessions"),
    "after the people were looked up": after_reading("people"),
    "after the list of records": lambda deps, act: {"conferences": InterruptedListing(deps.conferences, act)},
    "after the reading": lambda deps, act: {"conferences": InterruptedReading(deps.conferences, act)},
    "before the commit": lambda deps, act: {"store": InterruptedCommit(deps.store, act)},
}


WHO = {"after the accounts were asked for": lambda deps, act: {"identities": InterruptedLookUp(deps.identities, act)}}
"""A point that a sync only passes if a person was not looked up after the class."""


def interrupted(app, point, meanwhile):
    """Return an application in which something else happens at one point of the work."""
    return dataclasses.replace(app.deps, **{**POINTS, **WHO}[point](app.deps, meanwhile))


def anywhere(function):
    return pytest.mark.parametrize("point", POINTS)(function)


def request(conference):
    return Request(conference.name, Organizer(user=conference.organizer), conference.end, SyncSource.EVENT)


def new_class(**changes):
    return {
        "teacher_email": "teacher@school.example",
        "student_emails": [account.email for account in PUPILS],
        "subject": "Physics",
        "class_id": "7b",
        "start_time": START.isoformat(),
        "duration_minutes": 60,
        **changes,
    }


async def sessions(database):
    return [document.fields for document in (await database.find(Query("sessions"))).documents]


async def unscheduled(database):
    return [fields["session_id"] for fields in await sessions(database) if fields["scheduled_start"] is None]


async def settled(app, database):
    """Return every document, after a check that marking everything again does not change them."""
    before = await everything(database)
    for fields in await sessions(database):
        await job(app, "remark-session", session_id=fields["session_id"])
    assert await everything(database) == before
    return before


async def a_room(api):
    """Return a room of the teacher that is known from a class long ago."""
    made = await scheduled(api, start_time=at(-30_000).isoformat())
    return made["space"], made["meeting_code"]


# --- The timetable ---


async def test_of_two_instances_that_schedule_the_same_slot_at_once_one_makes_the_class(apis, database):
    _, code = await a_room(apis[0])
    bodies = [new_class(meeting_code=code, start_time=at(minutes).isoformat()) for minutes in (0, 10, 20)]

    answers = await asyncio.gather(
        *(api.post("/api/schedule/class", json=body) for body in bodies for api in (*apis, *apis))
    )

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    [winner] = [answer.json()["session_id"] for answer in answers if answer.status_code == 201]
    assert {answer.json()["session_id"] for answer in answers if answer.status_code == 409} == {winner}
    assert len(await sessions(database)) == 2


@pytest.mark.parametrize(
    ("body", "headers"),
    [({"external_id": "lms-1"}, {}), ({}, {"Idempotency-Key": "once"})],
    ids=["external id", "idempotency key"],
)
async def test_one_request_posted_five_times_at_once_makes_one_class_in_one_room(apis, database, body, headers):
    posts = [
        (apis * 3)[number].post("/api/schedule/class", json=new_class(**body), headers=headers) for number in range(5)
    ]

    answers = await asyncio.gather(*posts)

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    [made] = await sessions(database)
    assert {answer.json()["session_id"] for answer in answers} == {made["session_id"]}
    assert {answer.json()["space"] for answer in answers} == {made["space"]}
    assert [room.path for room in await database.children("spaces")] == [made["space"]]


async def test_a_series_posted_by_two_instances_at_once_is_made_once(apis, database):
    body = new_class(external_id="series-1", recurrence="FREQ=DAILY;COUNT=20")

    answers = await asyncio.gather(*(api.post("/api/schedule/class", json=body) for api in apis * 2))

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len(await sessions(database)) == 20


@anywhere
async def test_a_class_entered_while_its_conference_is_recorded_gets_the_marks(api, apps, database, school, point):
    space, code = await a_room(api)
    conference = the_class(space, code)
    school.hold(conference)
    made = {}

    async def enter():
        made.update(await scheduled(api, meeting_code=code))

    deps = interrupted(apps[1], point, enter)
    await sync_conference(request(conference), deps=deps)
    await sync_conference(request(conference), deps=deps)
    if not made:  # nothing is listed before a class exists
        await enter()
    await job(apps[1], "sync-due")

    assert await marks(api, made["session_id"]) == MARKS
    assert await unscheduled(database) == []
    await settled(apps[0], database)


async def test_a_conference_recorded_while_its_class_is_entered_gives_the_class_its_marks(apis, apps, database, school):
    space, code = await a_room(apis[0])
    conference = the_class(space, code)
    school.hold(conference)

    made, *_ = await asyncio.gather(
        scheduled(apis[0], meeting_code=code),
        event(apps[1], conference),
        event(apps[0], conference),
        job(apps[1], "sync-conference", conference_record=conference.name, organizer=conference.organizer),
    )
    await job(apps[1], "sync-due")

    assert await marks(apis[0], made["session_id"]) == MARKS
    assert await unscheduled(database) == []
    await settled(apps[0], database)


# --- Several readings of one class ---


@anywhere
async def test_two_records_of_one_class_recorded_at_once_both_count(api, apps, database, school, point):
    made = await scheduled(api)
    room = (made["space"], made["meeting_code"])
    first = held(*room, teacher((0, 20)), pupil(0, (0, 20)), pupil(1, (0, 20)), record="one", end=20)
    second = held(*room, teacher((22, 60)), pupil(0, (22, 60)), record="two", start=22)
    school.hold(first)
    school.hold(second)

    async def record_the_other():
        await event(apps[0], second)

    await sync_conference(request(first), deps=interrupted(apps[1], point, record_the_other))

    session = (await sheet(api, made["session_id"]))["session"]
    assert session["conference_records"] == ["conferenceRecords/one", "conferenceRecords/two"]
    assert {name: (await marks(api, made["session_id"]))[name] for name in ("punctual", "late")} == {
        "punctual": "present",
        "late": "partial",
    }
    await settled(apps[0], database)


@anywhere
async def test_of_two_reads_of_one_conference_the_later_counts(api, apps, database, school, point):
    made = await scheduled(api)
    room = (made["space"], made["meeting_code"])
    whole = the_class(*room)
    school.hold(held(*room, teacher((0, 20)), pupil(0, (0, 20)), record=whole.id, end=20))

    async def read_the_rest():
        school.hold(whole)
        await event(apps[0], whole)

    deps = interrupted(apps[1], point, read_the_rest)
    await sync_conference(request(whole), deps=deps)

    assert await marks(api, made["session_id"]) == MARKS
    await settled(apps[0], database)


async def test_ten_calls_to_sync_at_once_give_what_one_gives(apis, apps, database, school):
    made = await scheduled(apis[0])
    school.hold(the_class(made["space"], made["meeting_code"]))

    answers = await asyncio.gather(*(api.post(SYNC.format(made["session_id"])) for api in apis * 5))

    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["created"] for answer in answers) == 9
    assert sum(answer.json()["updated"] for answer in answers) == 0
    assert await marks(apis[0], made["session_id"]) == MARKS
    await settled(apps[0], database)


# --- People decide meanwhile ---


@anywhere
async def test_nothing_that_people_decide_during_a_sync_is_lost(apis, apps, database, school, point):
    made = await scheduled(apis[0])
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    await event(apps[0], conference)
    session_id = made["session_id"]
    people = {p["email"] or p["kind"]: p for p in (await sheet(apis[0], session_id))["attendance"]}
    of = f"/api/sessions/{session_id}"
    absent, phone, guest = people["absent@school.example"], people["phone"], people["anonymous"]
    roster = [{"email": account.email} for account in PUPILS if "partial" not in account.email]

    async def decide():
        answers = [
            await apis[0].put(f"{of}/attendance/{absent['attendee_id']}/override", json={"status": "excused", **BY}),
            await apis[0].post(
                f"{of}/attendance/{phone['attendee_id']}/assign", json={"email": "early@school.example", **BY}
            ),
            await apis[0].post(f"{of}/attendance/{guest['attendee_id']}/assign", json={"kind": "room", **BY}),
            await apis[0].put(f"{of}/roster", json={"students": roster, **BY}),
        ]
        assert [answer.status_code for answer in answers] == [200] * 4

    deps = interrupted(apps[1], point, decide)
    await sync_session(session_id, source=SyncSource.MANUAL, full=True, deps=deps)

    expected = {name: mark for name, mark in MARKS.items() if name != "partial"}
    assert await marks(apis[0], session_id) == {**expected, "absent": "excused", "early": "present"}
    found = (await sheet(apis[0], session_id))["attendance"]
    assert {p["kind"] for p in found if p["attendee_id"] == guest["attendee_id"]} == {"room"}
    assert len(await database.children("audit")) == 5
    await settled(apps[0], database)


@pytest.mark.parametrize("point", ["after the reading", "after the list of records", *WHO])
async def test_a_guest_who_is_found_to_be_a_student_elsewhere_meanwhile_is_that_student_here(
    apis, apps, database, school, point
):
    earlier, made = await scheduled(apis[0], start_time=at(-3000).isoformat()), await scheduled(apis[0])
    stranger = Attendee("s", "signed_in", "Somebody", "users/4711", visits((-3000, -2940)))
    before = held(
        earlier["space"], earlier["meeting_code"], teacher((-3000, -2940)), stranger, record="b", start=-3000, end=-2940
    )
    school.hold(before)
    await event(apps[0], before)
    of = f"/api/sessions/{earlier['session_id']}"
    [guest] = [p for p in (await sheet(apis[0], earlier["session_id"]))["attendance"] if p["role"] == "guest"]
    here = dataclasses.replace(stranger, visits=visits((0, 60)))
    conference = held(made["space"], made["meeting_code"], teacher((0, 60)), pupil(0, (0, 60)), here)
    school.hold(conference)

    async def assign():
        answer = await apis[0].post(
            f"{of}/attendance/{guest['attendee_id']}/assign", json={"email": "absent@school.example", **BY}
        )
        assert answer.is_success, answer.text

    await sync_conference(request(conference), deps=interrupted(apps[1], point, assign))

    assert (await marks(apis[0], made["session_id"]))["absent"] == "present"
    await settled(apps[0], database)


async def test_many_marks_set_one_by_one_during_syncs_are_all_kept(apis, apps, database, school):
    accounts = [
        dataclasses.replace(PUPILS[0], user=f"users/{n}", email=f"s{n}@school.example") for n in range(100, 120)
    ]
    made = await scheduled(apis[0], student_emails=[account.email for account in accounts])
    session_id = made["session_id"]
    school.hold(held(made["space"], made["meeting_code"], teacher((0, 60))))
    await job(apps[0], "sync-due")
    people = [p for p in (await sheet(apis[0], session_id))["attendance"] if p["role"] == "student"]

    answers = await asyncio.gather(
        *(
            apis[number % 2].put(
                f"/api/sessions/{session_id}/attendance/{person['attendee_id']}/override",
                json={"status": "excused", **BY},
            )
            for number, person in enumerate(people)
        ),
        *(api.post(SYNC.format(session_id)) for api in apis),
    )

    assert {answer.status_code for answer in answers} == {200}
    assert set((await marks(apis[0], session_id)).values()) == {"excused"}
    await settled(apps[0], database)


# --- The neighbours move meanwhile ---


@anywhere
@pytest.mark.parametrize("change", ["cancelled", "moved away", "moved nearer"])
async def test_a_neighbours_change_during_a_sync_gives_the_same_result_as_a_change_before_it(
    apis, apps, database, school, *, point, change
):
    made = await scheduled(apis[0], duration_minutes=30)
    neighbour = await scheduled(
        apis[0], duration_minutes=30, start_time=at(40).isoformat(), meeting_code=made["meeting_code"], class_id="7c"
    )
    school.hold(
        held(made["space"], made["meeting_code"], teacher((0, 70)), pupil(0, (0, 70)), pupil(1, (38, 70)), end=70)
    )

    async def meanwhile():
        url = f"/api/schedule/class/{neighbour['session_id']}"
        match change:
            case "cancelled":
                answer = await apis[0].delete(url)
            case "moved away":
                answer = await apis[0].patch(url, json={"start_time": at(-300).isoformat()})
            case _:
                answer = await apis[0].patch(url, json={"start_time": at(32).isoformat()})
        assert answer.is_success, answer.text

    deps = interrupted(apps[1], point, meanwhile)
    await sync_session(made["session_id"], source=SyncSource.RECONCILE, deps=deps)
    await job(apps[0], "sync-due")

    assert (await marks(apis[0], made["session_id"]))["punctual"] == "present"
    assert await unscheduled(database) == []
    await settled(apps[0], database)


@anywhere
async def test_a_class_moved_during_its_own_sync_is_not_called_not_held_without_a_new_check(
    apis, apps, database, school, point
):
    made = await scheduled(apis[0], start_time=at(-600).isoformat())
    space, code = made["space"], made["meeting_code"]
    school.hold(held(space, code, teacher((-600, -590)), record="short", start=-600, end=-590))
    school.hold(held(space, code, teacher((0, 60)), pupil(0, (0, 60)), record="real"))

    async def move():
        answer = await apis[0].patch(
            f"/api/schedule/class/{made['session_id']}", json={"start_time": START.isoformat()}
        )
        assert answer.is_success, answer.text

    deps = interrupted(apps[1], point, move)
    await run_job(Job("sync-session", {"session_id": made["session_id"]}), deps=deps)
    await job(apps[0], "sync-due")

    answer = await sheet(apis[0], made["session_id"])
    assert answer["session"]["state"] == "ended"
    assert (await marks(apis[0], made["session_id"]))["punctual"] == "present"
    await settled(apps[0], database)


@anywhere
async def test_a_class_cancelled_during_its_own_sync_stays_cancelled(apis, apps, database, school, point):
    made = await scheduled(apis[0])
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)

    async def cancel():
        assert (await apis[0].delete(f"/api/schedule/class/{made['session_id']}")).is_success

    deps = interrupted(apps[1], point, cancel)
    await sync_session(made["session_id"], source=SyncSource.RECONCILE, deps=deps)
    await event(apps[0], conference)  # if a class was cancelled early enough, its conferences are not searched

    answer = await sheet(apis[0], made["session_id"])
    assert (answer["session"]["state"], answer["attendance"]) == ("cancelled", [])
    assert await unscheduled(database) == ["rec-1"]
    await settled(apps[0], database)


async def test_classes_moved_cancelled_and_synced_all_at_once_end_as_if_one_after_the_other(
    apis, apps, database, school
):
    first = await scheduled(apis[0], duration_minutes=20)
    others = [
        await scheduled(
            apis[0], duration_minutes=20, start_time=at(minutes).isoformat(), meeting_code=first["meeting_code"]
        )
        for minutes in (20, 40)
    ]
    stranger = Attendee("s", "signed_in", "Somebody", "users/4711", visits((0, 60)))
    school.hold(held(first["space"], first["meeting_code"], teacher((0, 60)), pupil(0, (0, 60)), stranger))
    ids = [made["session_id"] for made in (first, *others)]

    answers = await asyncio.gather(
        *(api.post(SYNC.format(session_id)) for session_id in ids for api in apis),
        apis[1].delete(f"/api/schedule/class/{ids[1]}"),
        apis[0].patch(f"/api/schedule/class/{ids[2]}", json={"start_time": at(45).isoformat()}),
        job(apps[0], "sync-due"),
        job(apps[1], "sync-due"),
    )
    await job(apps[1], "sync-due")

    assert {answer.status_code for answer in answers if isinstance(answer, httpx.Response)} <= {200, 404}
    assert {(await marks(apis[0], ids[n]))["punctual"] for n in (0, 2)} == {"present"}
    assert await unscheduled(database) == []
    await settled(apps[0], database)

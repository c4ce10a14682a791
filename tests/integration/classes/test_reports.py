"""Attendance from Google's reports compared with Meet's data, with the official client and the real application."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import grpc
import httpx
import pytest

from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.conferences import model
from functions.domain.conferences.reported import conferences_of
from functions.entrypoints.api.function import guarded
from functions.services.sync.from_reports import record_reported
from infra.local.faults import Fault
from infra.local.google_apis import RestFault
from infra.local.reports import report_id, row
from infra.local.school import Account, Attendee, School, Space
from tests.api import slug
from tests.classroom import (
    MARKS,
    NOW,
    PUPILS,
    TEACHER,
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
)

ADMIN = "admin@school.example"
CODE = "abc-mnop-xyz"
ROOM = model.Space("spaces/room", CODE, None)
SECOND = timedelta(seconds=1)
UNKNOWN_FOR_ABSENT = {**MARKS, "absent": "unknown"}


@pytest.fixture
def school():
    school = School(lambda: datetime.now(UTC))
    school.enrol(Account(TEACHER, "teacher@school.example", display_name="The Teacher"), *PUPILS)
    school.open(Space("spaces/room", CODE, TEACHER))
    return school


@pytest.fixture
def reporting(instance, google, workspace_events):
    """Return a function that makes instances that may read reports."""
    google.reports.admins = frozenset({ADMIN})

    def start(**settings):
        return instance(
            **{
                "people_api_endpoint": google.endpoint,
                "directory_api_endpoint": google.endpoint,
                "workspace_events_api_endpoint": workspace_events.endpoint,
                "reports_api_endpoint": google.endpoint,
                "reports_admin": ADMIN,
                "api_callers": "*=admin",
                "room_device_names": "Room *",
                **settings,
            }
        )

    return start


@pytest.fixture
def app(reporting):
    return reporting()


def calling(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(guarded(app)), base_url="http://api")


async def reported(api, session_id, source="reports"):
    return await api.post(f"/api/webhook/sessions/{session_id}/sync-participants?source={source}")


async def a_class(api, **changes):
    return (await scheduled(api, meeting_code=CODE, **changes))["session_id"]


def the_report(conference):
    return f"conferences/reports-{report_id(conference)}"


def times(people):
    """Return all people's sessions, by address or name."""
    return {
        person["email"] or person["display_name"]: [
            (datetime.fromisoformat(one["start_time"]), datetime.fromisoformat(one["end_time"]))
            for one in person["sessions"]
        ]
        for person in people
    }


async def test_both_sources_tell_the_same_people_times_and_marks_to_the_second(reporting, school, tmp_path):
    school.hold(the_class("spaces/room", CODE))
    found = []
    for source in ("meet", "reports"):
        app = reporting(attendance_store=f"sqlite:///{tmp_path / source}.db")
        async with calling(app) as api:
            session_id = await a_class(api)
            answer = await reported(api, session_id, source)
            assert answer.status_code == 200, answer.text
            whole = await sheet(api, session_id)
            found.append((answer.json(), whole, await marks(api, session_id)))
    (meet, meets, meet_marks), (reports, reportss, report_marks) = found
    meet_times, report_times = times(meet["participants"]), times(reports["participants"])

    assert meet_times.keys() == report_times.keys()
    for who, visits in meet_times.items():
        assert len(visits) == len(report_times[who])
        for one, other in zip(visits, report_times[who], strict=True):
            assert max(abs(one[0] - other[0]), abs(one[1] - other[1])) <= SECOND
    assert meet_marks == MARKS
    assert report_marks == UNKNOWN_FOR_ABSENT
    assert reportss["session"]["counts"]["guests"] == meets["session"]["counts"]["guests"] == 2
    assert {p["kind"] for p in reportss["attendance"]} == {p["kind"] for p in meets["attendance"]}
    assert (reports["created"], reports["message"]) == (meet["created"], meet["message"])
    assert "up to a day" in reports["notice"]
    assert meet["notice"] is None
    assert reportss["session"]["sync"]["source"] == "reports"
    assert reportss["session"]["sync"]["state"] == "provisional"


async def test_nobody_is_absent_and_no_class_not_held_by_reports_alone(app, api, school):
    school.hold(held("spaces/room", CODE, pupil(0, (0, 2)), record="alone"))
    school.forget("conferenceRecords/alone")
    session_id = await a_class(api)
    await job(app, "sync-session", session_id=session_id)
    before = (await sheet(api, session_id))["session"]["state"]
    school.hold(held("spaces/room", CODE, pupil(0, (0, 2)), record="alone"))
    assert (await reported(api, session_id)).status_code == 200
    after = await sheet(api, session_id)

    assert before == "not_held"
    assert after["session"]["state"] == "ended"
    assert await marks(api, session_id) == dict.fromkeys(MARKS, "unknown") | {"punctual": "partial"}
    absent = next(p for p in after["attendance"] if p["email"] == "absent@school.example")
    assert "Google's reports" in absent["status_reason"]


@pytest.mark.parametrize(
    "order", [*itertools.permutations(["meet", "reports"]), ("reports", "meet", "reports"), ("meet", "reports", "meet")]
)
async def test_meets_data_counts_in_any_order_and_with_any_repetition(reporting, school, tmp_path, order):
    conference = the_class("spaces/room", CODE)
    school.hold(conference)
    left = []
    for number, sources in enumerate([("meet",), order]):
        database = tmp_path / f"{number}.db"
        app = reporting(attendance_store=f"sqlite:///{database}")
        async with calling(app) as api:
            session_id = await a_class(api)
            for source in sources:
                if source == "meet":
                    await event(app, conference)
                else:
                    assert (await reported(api, session_id)).status_code == 200
        left.append(SqliteDatabase(database))
    told = (await left[1].get(the_report(conference))).fields

    assert told["superseded_by"] == conference.name
    assert told["session_ids"] == []
    assert told["participant_count"] == 10
    plain, both = [_by_content(await everything(database)) for database in left]
    for one, other in zip(plain, both, strict=True):
        assert one == other


def _by_content(documents):
    """Return documents without the ids that each store generates."""
    hidden = {"session_id", "attendee_id", "first_pulled_at"}

    def bare(value):
        if isinstance(value, dict):
            return {k: bare(v) for k, v in value.items() if k not in hidden and not k.startswith(("marks", "students"))}
        return [bare(one) for one in value] if isinstance(value, list) else value

    return sorted((bare(fields) for path, fields in documents.items() if "registers" not in path), key=str)


@pytest.mark.parametrize("seed", range(3))
async def test_both_at_the_same_moment_in_two_instances_leave_one_class_meeting(reporting, school, database, seed):
    conference = the_class("spaces/room", CODE)
    school.hold(conference)
    first, second = reporting(), reporting()
    [reported_call] = conferences_of(
        (await second.deps.reports.read(meeting_code=CODE, since=at(-60), until=NOW)).endpoints
    )
    store = record_reported(reported_call, ROOM, pulled_at=NOW, deps=second.deps)
    await asyncio.gather(*([event(first, conference), store] if seed % 2 else [store, event(first, conference)]))
    sessions = [document.path for document in await database.children("sessions")]

    assert sessions == ["sessions/rec-1"]
    assert (await database.get(the_report(conference))).fields["superseded_by"] == conference.name


async def test_reports_add_a_call_that_meet_does_not_show(app, api, school):
    session_id = await a_class(api)
    first = held("spaces/room", CODE, teacher((0, 20)), pupil(0, (0, 20)), record="first", end=20)
    second = held("spaces/room", CODE, teacher((25, 60)), pupil(0, (25, 60)), record="second", start=25)
    school.hold(second)
    await event(app, second)
    school.hold(first)
    assert (await reported(api, session_id)).status_code == 200
    person = next(p for p in (await sheet(api, session_id))["attendance"] if p["email"] == "punctual@school.example")

    assert person["in_class_seconds"] == 55 * 60
    assert [one["conference_record"] for one in person["sessions"]] == [
        f"conferenceRecords/reports-{report_id(first)}",
        "conferenceRecords/second",
    ]


async def test_a_call_that_meet_lists_and_does_not_show_is_told_by_reports_until_it_does(app, api, school, meet):
    conference = the_class("spaces/room", CODE)
    school.hold(conference)
    session_id = await a_class(api)
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.PERMISSION_DENIED))
    await job(app, "sync-session", session_id=session_id)
    refused = await marks(api, session_id)
    assert (await reported(api, session_id)).status_code == 200
    told = await marks(api, session_id)
    meet.faults.clear()
    await job(app, "sync-session", session_id=session_id)

    assert set(refused.values()) == {"unknown"}
    assert told == UNKNOWN_FOR_ABSENT
    assert await marks(api, session_id) == MARKS


async def test_meet_is_never_asked_for_what_only_reports_show(app, api, school, meet):
    conference = the_class("spaces/room", CODE)
    school.hold(conference)
    session_id = await a_class(api)
    assert (await reported(api, session_id)).status_code == 200
    school.forget(conference.name)
    meet.calls.clear()
    for name, data in [("sync-session", {"session_id": session_id}), ("sync-due", {}), ("reconcile", {})]:
        await job(app, name, **data)
    answer = await api.post(f"/api/webhook/sessions/{session_id}/sync-participants?full=1")
    status = (await api.get("/api/status")).json()

    assert answer.status_code == 200
    assert set(meet.calls.by_method()) <= {"ListConferenceRecords", "GetSpace"}
    assert status["provisional_conferences"]["count"] == 0
    assert await marks(api, session_id) == UNKNOWN_FOR_ABSENT


async def test_rows_that_come_late_are_found_later_and_nothing_becomes_less(api, school, google):
    school.hold(the_class("spaces/room", CODE))
    session_id = await a_class(api)
    google.reports.lag = timedelta(days=1)
    nothing = await reported(api, session_id)
    to_the_end = datetime.now(UTC) - at(60) + timedelta(minutes=5)
    google.reports.lag = to_the_end  # the rows of people who stayed are still missing
    assert (await reported(api, session_id)).status_code == 200
    early = await marks(api, session_id)
    google.reports.lag = timedelta(0)
    assert (await reported(api, session_id)).status_code == 200
    google.reports.lag = to_the_end
    assert (await reported(api, session_id)).status_code == 200

    assert (nothing.status_code, slug(nothing)) == (404, "no-conference-record")
    assert "up to a day late" in nothing.json()["hint"]
    assert early["punctual"] == "unknown"
    assert await marks(api, session_id) == UNKNOWN_FOR_ABSENT


async def test_asking_again_changes_nothing_that_a_reader_sees(api, school, database):
    school.hold(the_class("spaces/room", CODE))
    session_id = await a_class(api)
    first = await reported(api, session_id)
    before = await database.get(f"sessions/{session_id}")
    again = await reported(api, session_id)

    assert first.json()["created"] == 9
    assert (again.json()["created"], again.json()["updated"]) == (0, 0)
    assert again.json()["participants"] == first.json()["participants"]
    after = await database.get(f"sessions/{session_id}")
    assert after.fields["updated_at"] == before.fields["updated_at"]


@pytest.mark.parametrize("profile_ids", [True, False])
async def test_addresses_that_nobody_else_knows_come_from_reports_by_account_and_never_by_name(
    app, api, school, google, profile_ids
):
    hidden = Account("users/77", "hidden@school.example", display_name="Hidden", in_directory=False, in_people=False)
    school.enrol(hidden)
    conference = held(
        "spaces/room",
        CODE,
        teacher((0, 60)),
        Attendee("h", "signed_in", "Hidden", "users/77", pupil(0, (0, 60)).visits),
    )
    school.hold(conference)
    session_id = await a_class(api, student_emails=[hidden.email])
    google.reports.profile_ids = profile_ids
    await event(app, conference)
    before = {p["display_name"]: p["role"] for p in (await sheet(api, session_id))["attendance"]}
    assert (await reported(api, session_id)).status_code == 200
    people = [p for p in (await sheet(api, session_id))["attendance"] if p["role"] != "teacher"]

    assert before["Hidden"] == "guest"
    if profile_ids:
        assert [(p["email"], p["email_source"], p["mark"]) for p in people] == [(hidden.email, "reports", "present")]
    else:
        assert sorted(p["role"] for p in people) == ["guest", "student"]


async def test_every_page_is_read_or_nothing_is_changed(api, school, google, database):
    school.hold(the_class("spaces/room", CODE))
    session_id = await a_class(api)
    before = await everything(database)
    google.reports.page_size = 3
    google.fail(RestFault("activities.list", times=1), RestFault("activities.list", 503))
    broken = await reported(api, session_id)
    unchanged = await everything(database)
    google.fail()
    google.calls.clear()
    whole = await reported(api, session_id)

    assert (broken.status_code, slug(broken)) == (503, "reports-unavailable")
    assert unchanged == before
    assert whole.status_code == 200
    assert await marks(api, session_id) == UNKNOWN_FOR_ABSENT
    assert google.calls.by_method()["activities.list"] == 4
    assert {call.acting_as for call in google.calls if call.method == "activities.list"} == {ADMIN}


async def test_reports_are_read_from_the_first_page_again_when_a_page_token_is_no_longer_valid(api, school, google):
    school.hold(the_class("spaces/room", CODE))
    session_id = await a_class(api)
    google.reports.page_size = 3
    google.fail(RestFault("activities.list", 400, "invalid", times=1, following=True))
    whole = await reported(api, session_id)

    assert whole.status_code == 200
    assert await marks(api, session_id) == UNKNOWN_FOR_ABSENT
    assert google.calls.by_method()["activities.list"] == 2 + 4


@pytest.mark.parametrize(
    "fault",
    [
        RestFault("activities.list", 400, "invalid", following=True),
        RestFault("activities.list", content='{"items": [], "nextPageToken": "again"}'),
    ],
    ids=["refuse-their-tokens", "repeat-one-token"],
)
async def test_reports_without_a_last_page_change_nothing_and_are_asked_later(*, api, school, google, database, fault):
    school.hold(the_class("spaces/room", CODE))
    session_id = await a_class(api)
    before = await everything(database)
    google.reports.page_size = 3
    google.fail(fault)
    broken = await reported(api, session_id)

    assert (broken.status_code, slug(broken)) == (503, "reports-unavailable")
    assert await everything(database) == before


@pytest.mark.parametrize(
    ("status", "reason", "name"),
    [
        (403, "SERVICE_DISABLED", "reports-api-disabled"),
        (403, "insufficientPermissions", "reports-access-denied"),
        (401, "authError", "reports-access-denied"),
        (400, "invalid", "reports-request-refused"),
    ],
)
async def test_what_reports_refuse_is_reported_with_what_to_do(*, api, school, google, status, reason, name):
    school.hold(the_class("spaces/room", CODE))
    session_id = await a_class(api)
    google.fail(RestFault("activities.list", status, reason))
    answer = await reported(api, session_id)

    assert (answer.status_code, slug(answer)) == (502, name)
    assert answer.json()["hint"]


async def test_a_used_up_quota_which_is_a_503_there_is_waited_for(api, school, google):
    school.hold(the_class("spaces/room", CODE))
    session_id = await a_class(api)
    google.fail(RestFault("activities.list", 503, "rateLimitExceeded", times=2))
    answer = await reported(api, session_id)

    assert answer.status_code == 200
    assert google.calls.by_method()["activities.list"] == 3


async def test_only_an_administrator_is_shown_reports(api, school, google):
    school.hold(the_class("spaces/room", CODE))
    session_id = await a_class(api)
    google.reports.admins = frozenset({"somebody.else@school.example"})
    answer = await reported(api, session_id)

    assert (answer.status_code, slug(answer)) == (502, "reports-access-denied")
    assert "REPORTS_ADMIN" in answer.json()["hint"]


async def test_without_an_administrator_the_variable_is_named_and_nobody_is_asked(reporting, school, google):
    school.hold(the_class("spaces/room", CODE))
    async with calling(reporting(reports_admin=None)) as api:
        answer = await reported(api, await a_class(api))

    assert (answer.status_code, slug(answer)) == (502, "reports-not-set-up")
    assert "REPORTS_ADMIN" in answer.json()["hint"]
    assert google.calls.by_method()["activities.list"] == 0


async def test_a_class_out_of_the_reports_reach_is_answered_without_a_call(reporting, api, school, google):
    session_id = await a_class(api)
    cancelled = await a_class(api, start_time=at(600).isoformat())
    late = reporting(clock=lambda: datetime.now(UTC) + timedelta(days=181))
    async with calling(late) as calls:
        too_old = await reported(calls, session_id)
    to_come = await reported(api, cancelled)

    assert school.ever_held() == []
    assert (too_old.status_code, slug(too_old)) == (404, "no-conference-record")
    assert "180 days" in too_old.json()["detail"]
    assert to_come.status_code == 404
    assert google.calls.by_method()["activities.list"] == 0


async def test_what_reports_hold_is_hostile_until_it_is_cleaned(api, school, google, database):
    school.hold(held("spaces/room", CODE, teacher((0, 60)), guest("<script>\u202e" + "x" * 500, (0, 60))))
    call = {"conference_id": "../../x", "meeting_code": "ABCMNOPXYZ", "endpoint_id": "e/1"}
    google.reports.extra = [
        row(at(30), 600, {**call, "identifier_type": "email_address", "identifier": "pu***@s***.example"}),
        row(at(31), 600, {**call, "endpoint_id": None}),
        row(at(32), 600, {**call, "meeting_code": "not a code"}),
        {"id": {"time": at(33).isoformat()}, "actor": {}, "events": [{"name": "call_ended", "parameters": []}]},
    ]
    session_id = await a_class(api)
    answer = await reported(api, session_id)
    people = (await sheet(api, session_id))["attendance"]
    stored = [document.path for document in await database.children("conferences")]

    assert answer.status_code == 200
    assert {p["display_name"] for p in people if p["role"] == "guest"} == {("<script>" + "x" * 500)[:200], ""}
    assert len(stored) == 2
    assert not any(".." in path or path.count("/") > 1 for path in stored)


async def test_a_phone_is_a_guest_at_each_join_and_hardware_is_a_room(api, school):
    phone = Attendee("phone", "phone", "+49 ••• 12", None, pupil(0, (0, 10), (20, 30)).visits)
    room = Attendee("room", "signed_in", "Aula", "users/999", pupil(0, (0, 60), (5, 10)).visits)
    school.hold(held("spaces/room", CODE, teacher((0, 60)), phone, room))
    session_id = await a_class(api)
    answer = await reported(api, session_id)
    whole = await sheet(api, session_id)
    others = [(p["kind"], p["session_count"], p["email"]) for p in whole["attendance"] if p["role"] == "guest"]

    assert sorted(others) == [("phone", 1, None), ("phone", 1, None), ("room", 2, None)]
    assert "+4930123456" not in str(whole)
    assert whole["session"]["counts"]["guests"] == 2
    assert "Aula" not in {p["display_name"] for p in answer.json()["participants"]}

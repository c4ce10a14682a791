"""Common mistakes of callers: different spellings for the same thing, and errors that say what is wrong."""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.entrypoints.api.application import application
from functions.entrypoints.api.lists.paging import _digest, next_token
from functions.ports.views import Page
from infra.local.school import Attendee, Conference, Space, Visit
from tests.api import CALLERS, client, fields, slug

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
CODE = "abc-mnop-xyz"
STUDENTS = [{"student_id": "7/8 (b)", "email": "ada@school.example", "user": "users/11"}, {"student_id": "s2"}]


@pytest.fixture
def app(instance, school):
    for space in (Space("spaces/room", CODE), Space("spaces/other", "xyz-mnop-abc")):
        school.open(space)
    school.know("teacher@school.example", "users/1")
    return instance(api_callers=CALLERS, school_time_zone="Europe/Berlin")


@pytest.fixture
async def api(app):
    async with client(app) as calls:
        yield calls


def a_class(**changes):
    usual = {
        "teacher_email": "teacher@school.example",
        "students": STUDENTS,
        "subject": "Maths",
        "class_id": "7b",
        "start_time": START.isoformat(),
        "duration_minutes": 50,
        "meeting_code": CODE,
    }
    return {**usual, **changes}


async def made(api, **changes):
    answer = await api.post("/api/schedule/class", json=a_class(**changes))
    assert answer.status_code == 201, answer.text
    return answer.json()["session_id"]


@pytest.fixture
async def synced(api, school):
    session_id = await made(api)
    end = START + timedelta(minutes=50)
    people = [
        Attendee("1", "signed_in", "Ms Teacher", "users/1", (Visit(START, end),)),
        Attendee("2", "signed_in", "Ada", "users/11", (Visit(START, end),)),
        Attendee("3", "anonymous", "A guest", None, (Visit(START, end),)),
    ]
    school.hold(Conference("rec1", "spaces/room", CODE, "users/1", START, end, tuple(people)))
    assert (await api.post(f"/api/webhook/sessions/{session_id}/sync-participants")).status_code == 200
    return session_id


async def people(api, session_id):
    return (await api.get(f"/api/sessions/{session_id}/attendance")).json()["attendance"]


# --- Who is meant ------------------------------------------------------------------------------------------------

UNKNOWN = "0" * 20
MARK = {"status": "excused", "by": "office"}


@pytest.mark.parametrize("attendee_id", [UNKNOWN, "x", "__x__", "a b"])
async def test_an_attendee_id_that_nobody_has_is_not_found_wherever_a_path_names_it(api, synced, attendee_id):
    url = f"/api/sessions/{synced}/attendance/{quote(attendee_id)}"
    answers = [
        await api.put(f"{url}/override", json=MARK),
        await api.delete(f"{url}/override?by=office"),
        await api.post(f"{url}/assign", json={"student_id": "s2", "by": "office"}),
        await api.post(f"{url}/assign", json={"email": None, "by": "office"}),
        await api.post(f"{url}/assign", json={"kind": "room", "by": "office"}),
    ]

    assert [(answer.status_code, slug(answer)) for answer in answers] == [(404, "not-found")] * 5
    assert all(answer.json()["hint"] for answer in answers)


async def test_an_attendee_id_that_nobody_has_is_not_found_in_a_body_either_and_none_is_set(api, synced):
    known = {one["student_id"]: one["attendee_id"] for one in await people(api, synced)}
    wanted = [{"attendee_id": known["s2"], "status": "excused"}, {"attendee_id": UNKNOWN, "status": "late"}]
    answer = await api.put(f"/api/sessions/{synced}/overrides", json={"overrides": wanted, "by": "office"})

    assert (answer.status_code, slug(answer)) == (404, "not-found")
    assert [one["field"] for one in answer.json()["errors"]] == ["overrides.1.attendee_id"]
    assert not [one for one in await people(api, synced) if one["override"]]


async def test_before_a_class_its_students_are_known_and_nobody_else(api):
    session_id = await made(api, start_time=(START + timedelta(days=1)).isoformat())
    url = f"/api/sessions/{session_id}/attendance/{UNKNOWN}/override"

    assert (await api.put(url, json=MARK)).status_code == 404


async def test_a_guest_or_a_teacher_is_known_and_has_no_mark(api, synced):
    for person in await people(api, synced):
        if person["role"] != "student":
            url = f"/api/sessions/{synced}/attendance/{person['attendee_id']}/override"
            answer = await api.put(url, json=MARK)
            assert fields(answer) == ["overrides.0"]
            assert "assign the guest" in answer.json()["hint"]


async def test_a_class_meeting_that_does_not_exist_is_reported_with_what_finds_it(api):
    body = {"students": [], "by": "office"}
    answers = [
        await api.put("/api/sessions/nothing/roster", json=body),
        await api.put("/api/sessions/nothing/policy", json={"marks": False}),
        await api.put(
            "/api/sessions/nothing/overrides", json={"overrides": [{"student_id": "1", "status": "late"}], "by": "x"}
        ),
        await api.put(f"/api/sessions/nothing/attendance/{UNKNOWN}/override", json=MARK),
        await api.patch("/api/schedule/class/nothing", json={"subject": "x"}),
        await api.delete("/api/schedule/class/nothing"),
        await api.get("/api/sessions/nothing"),
        await api.post("/api/webhook/sessions/nothing/sync-participants"),
        await api.post("/api/sessions/nothing/conference-records", json={"conference_record": "x", "by": "x"}),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["hint"] for answer in answers} == {
        "GET /api/sessions finds class meetings; each has its session_id."
    }


@pytest.mark.parametrize(
    "student",
    ["7%2F8%20%28b%29", "7/8%20(b)", "users/11", "users%2F11", "11", "ada@school.example", "ada%40school.example"],
)
async def test_a_student_is_found_by_every_spelling(api, synced, student):
    found = await api.get(f"/api/students/{student}/attendance")

    assert [one["session_id"] for one in found.json()["attendance"]] == [synced]


@pytest.mark.parametrize(
    "student_id", ["a/b", "/", "a..b", "ä ü", "学生 7", "100%", "a?b#c", "a.b+c", '"x"', "attendance", "x/attendance"]
)
async def test_a_student_id_may_hold_any_printable_character(api, student_id):
    session_id = await made(api, students=[{"student_id": student_id}])
    decided = {"overrides": [{"student_id": student_id, "status": "excused"}], "by": "office"}
    assert (await api.put(f"/api/sessions/{session_id}/overrides", json=decided)).status_code == 200
    assert (await api.post(f"/api/webhook/sessions/{session_id}/sync-participants")).status_code in {200, 404}
    found = await api.get(f"/api/students/{quote(student_id, safe='')}/attendance")

    assert (found.status_code, slug(found) if found.status_code != 200 else "") == (200, "")


@pytest.mark.parametrize("user", ["1", "users/1", "users%2F1"])
async def test_an_organizer_is_named_as_answers_name_them(api, user):
    answer = await api.delete(f"/api/organizers/{user}")

    assert answer.json()["detail"] != "Unknown path."


async def test_a_record_is_named_as_answers_name_it(api, school):
    session_id = await made(api)
    end = START + timedelta(minutes=50)
    people = (Attendee("1", "signed_in", "T", "users/1", (Visit(START, end),)),)
    school.hold(Conference("rec2", "spaces/other", "xyz-mnop-abc", "users/1", START, end, people))
    url = f"/api/sessions/{session_id}/conference-records"
    for name in ("conferenceRecords/rec2", "conferenceRecords%2Frec2", "rec2"):
        attached = await api.post(url, json={"conference_record": "conferenceRecords/rec2", "by": "x"})
        assert attached.json()["conference_records"] == ["conferenceRecords/rec2"]
        assert (await api.delete(f"{url}/{name}?by=x")).json()["conference_records"] == []


async def test_an_earlier_call_that_is_attached_does_not_begin_a_class_of_next_week(api, school):
    session_id = await made(api, start_time=(START + timedelta(days=7)).isoformat())
    end = START + timedelta(minutes=50)
    people = (Attendee("1", "signed_in", "T", "users/1", (Visit(START, end),)),)
    school.hold(Conference("rec2", "spaces/other", "xyz-mnop-abc", "users/1", START, end, people))
    body = {"conference_record": "conferenceRecords/rec2", "by": "x"}
    attached = await api.post(f"/api/sessions/{session_id}/conference-records", json=body)

    assert (attached.status_code, attached.json()["state"]) == (200, "scheduled")


# --- Times -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("2026-11-23T09:00:00 01:00", "2026-11-23T09:00:00%2B01:00"),
        ("2026-11-23T09:00+01:00", "2026-11-23T09:00%2B01:00"),
        ("2026-11-23T09:00:00.250+0100", "2026-11-23T09:00:00.250%2B01:00"),
        ("2026-11-23 09:00:00+05:30", "2026-11-23T09:00:00%2B05:30"),
    ],
)
async def test_a_plus_that_arrived_as_a_blank_is_understood(api, sent, meant):
    pages = [await api.get(f"/api/sessions?page_size=1&from={one}") for one in (sent, meant)]

    assert [page.status_code for page in pages] == [200, 200]
    for name in ("from", "to"):
        assert (await api.get(f"/api/students/s1/attendance?{name}={sent}")).status_code == 200


@pytest.mark.parametrize(
    "sent", ["2026-11-23 09:00", "2026-11-23T09:00", "2026-11-23T09:00 x", "09:00 01:00", " 01:00"]
)
async def test_a_time_without_an_offset_is_still_refused(api, sent):
    answer = await api.get("/api/sessions", params={"from": sent})

    assert fields(answer) == ["from"]
    assert "+01:00" in answer.json()["errors"][0]["reason"]


def local(offset, **changes):
    begins = (START + timedelta(days=1)).astimezone(offset)
    return a_class(start_time=begins.isoformat(), recurrence="FREQ=DAILY;COUNT=2", **changes)


async def test_a_series_without_a_time_zone_needs_the_school_s_offset(api):
    from datetime import timezone  # noqa: PLC0415 - only here
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - likewise

    other = await api.post("/api/schedule/class", json=local(timezone(timedelta(hours=-7))))
    assert fields(other) == ["time_zone"]
    assert '"time_zone": "Europe/Berlin"' in other.json()["hint"]
    single = {**local(timezone(timedelta(hours=-7))), "recurrence": None}
    assert (await api.post("/api/schedule/class", json=single)).status_code == 201
    named = local(timezone(timedelta(hours=-7)), time_zone="America/Phoenix", meeting_code="xyz-mnop-abc")
    assert (await api.post("/api/schedule/class", json=named)).status_code == 201
    as_the_school = {**local(ZoneInfo("Europe/Berlin")), "meeting_code": None}
    assert (await api.post("/api/schedule/class", json=as_the_school)).status_code == 201


# --- Versions ----------------------------------------------------------------------------------------------------


async def test_a_tag_that_is_weak_or_not_quoted_is_told_so(api):
    session_id = await made(api)
    url = f"/api/sessions/{session_id}"
    etag = (await api.get(url)).headers["etag"]
    told = {}
    for tag in (f"W/{etag}", f"w/{etag}", f'"x", W/{etag}', etag.strip('"'), '"another"'):
        for call, arguments in (
            ("put", {"json": {"marks": False}}),
            ("patch", {"json": {"subject": "x"}}),
            ("delete", {}),
        ):
            path = f"{url}/policy" if call == "put" else f"/api/schedule/class/{session_id}"
            answer = await getattr(api, call)(path, headers={"If-Match": tag}, **arguments)
            assert (answer.status_code, slug(answer)) == (412, "precondition-failed")
            told.setdefault(tag, set()).add(answer.json()["detail"])

    weak = {"If-Match has a weak ETag (W/), but a change needs a strong ETag."}
    assert list(told.values()) == [
        weak,
        weak,
        weak,
        {"The ETag in If-Match is not in double quotes."},
        {"The class meeting was changed after it was read."},
    ]
    for tag in ("*", etag, f"W/{etag}, {etag}"):
        answer = await api.put(f"{url}/policy", json={}, headers={"If-Match": tag})
        assert answer.status_code == 200


# --- Errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "detail"),
    [
        ("GET", "/api/sessions?course_id=7b", None, "course_id is unknown: did you mean class_id?"),
        ("GET", "/api/sessions?clas_id=7b", None, "clas_id is unknown: did you mean class_id?"),
        ("GET", "/api/sessions?colour=7b", None, "colour is unknown."),
        ("PUT", "/api/sessions/x/attendance/y/override", {"mark": "late", "status": "late", "by": "x"},
         "mark is unknown: did you mean status?"),
        ("PUT", "/api/sessions/x/roster", {"students": [{"student_id": "1", "name": "Ada"}], "by": "x"},
         "students.0.name is unknown: did you mean display_name?"),
        ("PUT", "/api/sessions/x/policy", {"late_after": 5},
         "late_after is unknown: did you mean late_after_minutes?"),
        ("PUT", "/api/sessions/x/overrides", {"overrides": [{"student_id": "1", "mark": "late"}], "by": "x"},
         "overrides.0.mark is unknown: did you mean status? (and 1 more in errors)"),
        ("GET", "/api/sessions?limit=5", None, "limit is unknown: did you mean page_size?"),
        ("GET", "/api/sessions?cursor=abc", None, "cursor is unknown: did you mean page_token?"),
        ("PUT", "/api/sessions/x/roster", {"students": []}, "by is required."),
        ("PUT", "/api/sessions/x/roster", {"students": [{"student_id": 4711}], "by": "x"},
         "students.0.student_id should be a string, in double quotes."),
        ("PATCH", "/api/schedule/class/x", {"duration_minutes": "45"},
         "duration_minutes should be a whole number, without quotes."),
    ],
)  # fmt: skip
async def test_the_detail_says_what_is_wrong_in_one_line(api, method, path, body, detail):
    answer = await api.request(method, path, **({"json": body} if body else {}))

    assert (answer.status_code, answer.json()["detail"]) == (422, detail)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/sessions//attendance"), ("POST", "/api/webhook/sessions//sync-participants")],
)
async def test_a_path_without_its_id_is_answered_with_what_is_missing(api, method, path):
    answer = await api.request(method, path)

    assert (answer.status_code, answer.json()["detail"]) == (404, "A part of the path is empty.")
    assert "session_id" in answer.json()["hint"]


async def test_siblings_with_one_address_are_told_apart_by_their_ids(api):
    shared = [{"email": "family@home.example", "student_id": "1"}, {"email": "family@home.example", "student_id": "2"}]
    answer = await api.post("/api/schedule/class", json=a_class(students=shared))

    assert fields(answer) == ["students.1"]
    assert answer.json()["detail"] == "students.1 has the same e-mail as students.0: each student needs their own."
    assert "Give each student a student_id" in answer.json()["hint"]
    assert await made(api, students=[shared[0], {"student_id": "2"}])


NULLS = [
    "co_teacher_emails",
    "class_id",
    "external_id",
    "policy",
    "time_zone",
    "recurrence",
    "calendar",
    "student_emails",
]


async def test_null_is_the_same_as_leaving_a_field_out(api):
    session_id = await made(api, **dict.fromkeys(NULLS))
    nulls = {"late_after_minutes": None, "marks": None, "by": None}

    assert (await api.put(f"/api/sessions/{session_id}/policy", json=nulls)).status_code == 200
    changes = {"subject": "Physics", "start_time": None, "duration_minutes": None, "co_teacher_emails": None}
    assert (await api.patch(f"/api/schedule/class/{session_id}", json=changes)).status_code == 200


# --- Files and defaults ------------------------------------------------------------------------------------------


def declared_defaults():
    """Return every query parameter with a default, by path, for all calls that read."""
    for path, calls in application(None).openapi()["paths"].items():
        found = {one["name"]: one["schema"]["default"] for one in calls.get("get", {}).get("parameters", ())
                 if one["in"] == "query" and "default" in one["schema"]}  # fmt: skip
        formats = [
            one["schema"].get("enum", ["json"])
            for one in calls.get("get", {}).get("parameters", ())
            if one["name"] == "format"
        ]
        for kind in formats[0] if formats else [None]:
            yield (
                path,
                {name: json.dumps(value) if isinstance(value, bool) else value for name, value in found.items()},
                kind,
            )


@pytest.mark.parametrize(("path", "defaults", "kind"), [one for one in declared_defaults() if one[1]], ids=str)
async def test_a_client_that_sends_every_declared_default_is_answered_with_every_format(
    api, synced, path, defaults, kind
):
    url = path.format(session_id=synced, student="s2", class_id="7b")
    extra = {"month": "2026-11"} if "register" in path else {}
    answer = await api.get(url, params={**defaults, **extra, **({"format": kind} if kind else {})})

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "query", ["bom=1", "sep=;", "format=html&sep=;", "format=csv&sep=x", "format=csv&sep=", "format=csv&bom=2"]
)
async def test_what_is_for_files_alone_is_refused_elsewhere(api, synced, query):
    assert fields(await api.get(f"/api/sessions/{synced}/attendance?{query}")) == [query.split("&")[-1].split("=")[0]]


async def test_a_file_for_a_spreadsheet_with_a_decimal_comma(api, synced):
    month = (await api.get(f"/api/sessions/{synced}")).json()["local_date"][:7]
    for url in (f"/api/sessions/{synced}/attendance", "/api/students/s2/attendance", "/api/classes/7b/attendance"):
        lines = (await api.get(f"{url}?format=csv&sep=;&bom=1")).text.splitlines()
        assert lines[0].startswith("\ufeffsession_id;class_id;subject;")
        assert (await api.get(f"{url}?format=csv&sep=%3B")).status_code == 200
    register = (await api.get(f"/api/classes/7b/register?month={month}&format=csv&sep=;")).text.splitlines()
    assert [line.rpartition(";")[2] for line in register] == ["share", "1,0", "0,0"]


async def test_a_name_is_not_a_formula_in_a_program_that_looks_for_commas(api):
    session_id = await made(api, students=[{"student_id": "1", "display_name": "Ada, =1+1"}])
    decided = {"overrides": [{"student_id": "1", "status": "excused", "reason": "ill,=1+1;=2"}], "by": "office"}
    await api.put(f"/api/sessions/{session_id}/overrides", json=decided)
    await api.post(f"/api/webhook/sessions/{session_id}/sync-participants")
    text = (await api.get(f"/api/sessions/{session_id}/attendance?format=csv&sep=;")).text

    assert ",=" not in text
    assert ", =" not in text
    assert ";=" not in text


# --- Page tokens -------------------------------------------------------------------------------------------------

SEARCHED = ["teacher_email", "class_id", "external_id", "state", "since", "until", "updated_since"]
QUERY = {"list": "sessions", **dict.fromkeys(SEARCHED)}
CHANGES = "2026-11-27T00:00:00+00:00"
NOW = int(datetime.now(UTC).timestamp() * 1_000_000)


def forged(*what, query=QUERY):
    """Return a token with a correct digest: the method is not secret."""
    text = json.dumps([_digest(list(what), query), *what])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_a_token_is_forged_as_it_is_made():
    moment = datetime.fromtimestamp(NOW / 1_000_000, UTC)
    page = Page((), moment, (moment, "s1", "sessions/s1"))
    micro = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    assert next_token(page, query=QUERY) == forged(micro, micro, "s1", "sessions/s1")


values = st.one_of(
    st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=5), st.just(NOW), st.just("s1"),
    st.sampled_from(["sessions/s1", "sessions/", "sessions", "a/b/c", "sessions/__x__", "\ud800", ""]),
    st.sampled_from(["sessions/s1/attendance/a", "people/1", "sessions/.", "sessions/s1/"]),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
)  # fmt: skip


async def test_no_forged_token_is_an_error_of_ours(api):
    @given(what=st.lists(values, max_size=5), recent=st.booleans())
    @settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def tokens(what, recent):
        found.append(forged(*([NOW, *what] if recent else what)))

    found = [forged(), forged(NOW), forged(NOW, NOW), forged(NOW, NOW, "s1"), forged(NOW, "s1", "sessions/s1", NOW)]
    found += ["", "=", "a", "....", "e30", base64.urlsafe_b64encode(b"[" * 2000).decode(), "é", "null", forged(10**30)]
    tokens()
    for token in found:
        answer = await api.get("/api/sessions", params={"page_token": token})
        assert answer.status_code in {200, 410, 422}, (token, answer.text)
    empty = await api.get("/api/sessions", params={"page_token": forged(NOW)})
    assert fields(empty) == ["page_token"]
    assert (await api.get("/api/sessions", params={"page_token": forged(1, 1, "s1", "sessions/s1")})).status_code == 410


@pytest.mark.parametrize(
    ("asked", "token", "status"),
    [
        ({}, (NOW, NOW, "s1", "sessions/s1"), 200),
        ({}, (NOW, NOW, "sessions/s1"), 422),
        ({"updated_since": CHANGES}, (NOW, NOW, "sessions/s1"), 200),
        ({"updated_since": CHANGES}, (NOW, NOW, "s1", "sessions/s1"), 422),
    ],
)
async def test_a_forged_token_of_one_order_is_refused_by_a_list_in_the_other(api, asked, token, status):
    since = datetime.fromisoformat(CHANGES) if asked else None
    made = forged(*token, query={**QUERY, "updated_since": since})

    answer = await api.get("/api/sessions", params={**asked, "page_token": made})

    assert answer.status_code == status

"""Workbooks and files for gradebooks from the real application, for a class that is scheduled, held and synced."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from functions.entrypoints.api.application import application
from functions.entrypoints.api.schemas.gradebook import DEFAULT_STATUSES
from functions.entrypoints.api.tables.workbook import MEDIA_TYPE
from infra.local.school import Attendee, Conference, Space, Visit
from tests.api import CALLERS, LMS, client, fields
from tests.moodle_attendance import Session, User, import_into_session, import_into_sessions

ROOT = Path(__file__).parents[2]
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
END = START + timedelta(minutes=50)
CODE = "abc-mnop-xyz"
HOSTILE = '=HYPERLINK("http://x.example","Ada")'
STUDENTS = [
    {"student_id": "007", "user": "users/11", "email": "ada@school.example", "display_name": HOSTILE},
    {"student_id": "0042", "user": "users/12", "email": "bob@school.example", "display_name": "林 小雨"},
    {"student_id": "s-3", "email": "eve@school.example", "display_name": "Eve"},
]
USERS = [User(n, idnumber=one["student_id"], email=one["email"]) for n, one in enumerate(STUDENTS)]


@pytest.fixture
def app(instance, school):
    school.open(Space("spaces/room", CODE))
    school.know("teacher@school.example", "users/1")
    return instance(api_callers=CALLERS, school_time_zone="Europe/Berlin")


@pytest.fixture
async def api(app):
    async with client(app, caller=LMS) as calls:
        yield calls


async def scheduled(api, **changes):
    body = {
        "teacher_email": "teacher@school.example",
        "students": STUDENTS,
        "subject": "Maths",
        "class_id": "7b",
        "start_time": START.isoformat(),
        "duration_minutes": 50,
        "meeting_code": CODE,
        **changes,
    }
    answer = await api.post("/api/schedule/class", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["session_id"]


@pytest.fixture
async def held(api, school):
    """Hold a class: Ada came, Bob left after ten minutes, Eve never came but is excused; a guest was there too."""
    session_id = await scheduled(api, external_id="81452")
    people = [
        Attendee("1", "signed_in", "Ms Teacher", "users/1", (Visit(START, END),)),
        Attendee("2", "signed_in", HOSTILE, "users/11", (Visit(START, END),)),
        Attendee("3", "signed_in", "Bob", "users/12", (Visit(START, START + timedelta(minutes=10)),)),
        Attendee("4", "anonymous", "@guest", None, (Visit(START, END),)),
    ]
    school.hold(Conference("rec1", "spaces/room", CODE, "users/1", START, END, tuple(people)))
    await api.post(f"/api/webhook/sessions/{session_id}/sync-participants")
    excused = {"overrides": [{"student_id": "s-3", "status": "excused", "reason": "ill, by phone"}], "by": "office"}
    assert (await api.put(f"/api/sessions/{session_id}/overrides", json=excused)).status_code == 200
    return session_id


@pytest.fixture
async def register(api, held):
    month = (await api.get(f"/api/sessions/{held}")).json()["local_date"][:7]
    return f"/api/classes/7b/register?month={month}"


async def content(api, path, media_type="text/csv; charset=utf-8"):
    answer = await api.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    return answer.content


async def sheet(api, path):
    return load_workbook(io.BytesIO(await content(api, path, MEDIA_TYPE))).worksheets[0]


async def marks(api, session_id):
    people = (await api.get(f"/api/sessions/{session_id}/attendance")).json()["attendance"]
    return {person["student_id"]: person["mark"] for person in people if person["role"] == "student"}


async def test_a_workbook_has_the_same_cells_as_the_csv_file_wherever_there_is_one(api, held, register):
    for path in (
        f"/api/sessions/{held}/attendance?",
        "/api/students/007/attendance?",
        "/api/classes/7b/attendance?",
        f"{register}&",
    ):
        text = (await content(api, f"{path}format=csv")).decode()
        expected = list(csv.reader(io.StringIO(text, newline="")))
        found = await sheet(api, f"{path}format=xlsx")
        texts = [n for n, name in enumerate(expected[0]) if name in {"student_id", "display_name", "email", "mark"}]

        assert [one.value for one in found[1]] == expected[0]
        for row, cells in zip(expected[1:], found.iter_rows(min_row=2), strict=True):
            assert [cells[n].value or "" for n in texts] == [row[n] for n in texts]
            assert {one.data_type for one in cells} <= {"s", "n", "d"}  # not "f", which is a formula


async def test_a_workbook_is_the_same_version_as_the_answer_in_json(api, held):
    path = f"/api/sessions/{held}/attendance"
    etag = (await api.get(path)).headers["etag"]
    answer = await api.get(f"{path}?format=xlsx")

    assert answer.headers["etag"] == etag
    assert (await api.get(f"{path}?format=xlsx", headers={"If-None-Match": etag})).status_code == 304
    assert (await api.get(f"{path}?format=xlsx")).content == answer.content


async def test_moodle_takes_the_file_of_a_class_meeting(api, held):
    path = f"/api/sessions/{held}/attendance?format=moodle"
    by_id = import_into_session(await content(api, path), session=5, users=USERS)
    by_email = import_into_session(
        await content(api, f"{path}&student_by=email&sep=;&bom=1"), session=5, users=USERS, separator="semicolon"
    )

    assert await marks(api, held) == {"007": "present", "0042": "partial", "s-3": "excused"}
    assert by_id.problems == []
    assert by_id.marks == {(5, 0): ("P", ""), (5, 1): ("A", ""), (5, 2): ("E", "")}
    assert by_email == by_id


async def test_moodle_takes_the_file_of_a_month_with_reasons(api, held, register):
    local = START.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None, second=0)
    sessions = [Session(81452, local), Session(9, local + timedelta(minutes=5))]
    by_start = import_into_sessions(await content(api, f"{register}&format=moodle"), sessions=sessions, users=USERS)
    by_id = import_into_sessions(
        await content(api, f"{register}&format=moodle&session_by=external_id"), sessions=sessions, users=USERS
    )
    people = (await api.get(f"/api/sessions/{held}/attendance")).json()["attendance"]
    reasons = {person["student_id"]: person["status_reason"] for person in people}

    assert by_start.problems == []
    assert by_start.marks == {
        (81452, 0): ("P", reasons["007"]),
        (81452, 1): ("A", reasons["0042"]),
        (81452, 2): ("E", "ill, by phone"),
    }
    assert by_id == by_start


async def test_a_class_meeting_that_is_not_decided_gives_moodle_no_row(api):
    session_id = await scheduled(api, class_id="8c", start_time=(START + timedelta(days=1)).isoformat())
    month = f"{START + timedelta(days=1):%Y-%m}"
    for path, head in (
        (f"/api/sessions/{session_id}/attendance?format=moodle", b"idnumber,status\r\n"),
        (f"/api/sessions/{session_id}/attendance?format=grades", b"student_id,share\r\n"),
        (f"/api/classes/8c/register?month={month}&format=moodle", b"sessiondate,idnumber,status,remarks\r\n"),
        (f"/api/classes/8c/register?month={month}&format=grades", b"student_id,share\r\n"),
    ):
        assert await content(api, path) == head


async def test_grade_rows_have_a_share_for_each_student_who_has_one(api, held, register):
    expected = b"student_id,share\r\n007,1.0\r\n0042,0.0\r\n"
    of_month = await content(api, f"{register}&format=grades")

    assert sorted((await content(api, f"/api/sessions/{held}/attendance?format=grades")).split()) == sorted(
        expected.split()
    )
    assert sorted(of_month.split()) == sorted(expected.split())
    assert b"ada@school.example;1,0" in await content(api, f"{register}&format=grades&student_by=email&sep=;")


async def test_names_of_files_name_nobody(api, held, register):
    for path in (
        f"/api/sessions/{held}/attendance?format=moodle",
        f"{register}&format=grades",
        f"{register}&format=xlsx",
    ):
        name = (await api.get(path)).headers["content-disposition"]

        assert not {"ada", "7b", "school"} & set(name.replace('"', "-").split("-"))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("format=xlsx&bom=1", "bom"),
        ("format=xlsx&sep=;", "sep"),
        ("format=excel", "format"),
        ("format=moodle&statuses=late", "statuses"),
        ("format=moodle&statuses=late:LATE", "statuses"),
        ("format=csv&statuses=late:T", "statuses"),
        ("format=moodle&student_by=name", "student_by"),
        ("student_by=email", "student_by"),
        ("format=moodle&session_by=external_id", "session_by"),
    ],
)
async def test_a_parameter_that_does_not_fit_is_named(api, held, query, field):
    assert fields(await api.get(f"/api/sessions/{held}/attendance?{query}")) == [field]


@pytest.mark.parametrize(
    ("query", "field"),
    [("format=moodle", "format"), ("format=grades", "format"), ("format=xlsx&page_size=5", "page_size")],
)
async def test_a_list_has_no_file_for_gradebooks_and_a_workbook_holds_all_pages(api, held, query, field):  # noqa: ARG001
    assert fields(await api.get(f"/api/classes/7b/attendance?{query}")) == [field]


async def test_a_student_that_the_file_cannot_name_is_an_error_that_says_what_to_do(api, school):
    session_id = await scheduled(api, class_id="9d", students=[{"email": "ada@school.example", "user": "users/11"}])
    people = (
        Attendee("1", "signed_in", "Ms Teacher", "users/1", (Visit(START, END),)),
        Attendee("2", "signed_in", "Ada", "users/11", (Visit(START, END),)),
    )
    school.hold(Conference("rec1", "spaces/room", CODE, "users/1", START, END, people))
    await api.post(f"/api/webhook/sessions/{session_id}/sync-participants")
    answer = await api.get(f"/api/sessions/{session_id}/attendance?format=moodle")

    assert fields(answer) == ["student_by"]
    assert answer.json()["detail"] == "student_by cannot be student_id: 1 of 1 students have none."
    assert "student_by=email" in answer.json()["hint"]
    assert await content(api, f"/api/sessions/{session_id}/attendance?format=grades&student_by=email")


async def test_every_file_that_the_documentation_asks_for_is_answered(api, held, register):
    month = register.partition("month=")[2]
    asked = [
        address.replace("$SESSION", held).replace("month=2026-11", f"month={month}")
        for page in ("docs/lms.md", "docs/api.md")
        for address in re.findall(r'^curl .*"\$API(/\S+format=\S+)"$', (ROOT / page).read_text(), re.MULTILINE)
    ]

    assert len(asked) >= 7
    for path in asked:
        answer = await api.get(path)
        assert (answer.status_code, answer.headers["content-disposition"][:10]) == (200, "attachment"), path


def test_the_description_names_each_format_and_its_media_type():
    calls = {path: found["get"] for path, found in application(None).openapi()["paths"].items() if "get" in found}
    for path, formats in (
        ("/api/sessions/{session_id}/attendance", ["json", "csv", "xlsx", "html", "moodle", "grades"]),
        ("/api/classes/{class_id}/register", ["json", "csv", "xlsx", "html", "moodle", "grades"]),
        ("/api/classes/{class_id}/attendance", ["json", "csv", "xlsx"]),
        ("/api/students/{student}/attendance", ["json", "csv", "xlsx"]),
    ):
        parameters = {one["name"]: one["schema"] for one in calls[path]["parameters"]}
        content_of = calls[path]["responses"]["200"]["content"]

        assert parameters["format"]["enum"] == formats
        assert content_of[MEDIA_TYPE]["schema"] == {"type": "string", "format": "binary"}
        assert "text/csv" in content_of
    assert parameters.keys() & {"statuses", "student_by", "session_by"} == set()
    assert calls["/api/sessions/{session_id}/attendance"]["parameters"]
    of_register = {one["name"]: one["schema"] for one in calls["/api/classes/{class_id}/register"]["parameters"]}
    assert of_register["statuses"]["default"] == DEFAULT_STATUSES

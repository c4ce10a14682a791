"""Pages and files of the real application, as an LMS's back end fetches them."""

import csv
import io
import re
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from functions.adapters.store.databases.database import Write
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.errors import InvalidRequest
from functions.entrypoints.api.tables.attendance import whole_list
from functions.ports.views import AttendanceFilter
from infra.local.school import Attendee, Conference, Space, Visit
from tests.api import CALLERS, LMS, client, fields, slug

TEACHER = "teacher@school.example"
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
CODE = "abc-mnop-xyz"
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "{{ 7 * 7 }}{% raw %}",
    '=HYPERLINK("http://x.example";"Ada")',
    "＋1 ＠SUM(A1)",  # noqa: RUF001 - on purpose
    "أحمد (1)",
    "漢" * 200,
    "👩‍👩‍👧‍👦 ﷽",
    "x;=1+1",
]
VOID = {"meta", "link", "br", "img", "input", "hr", "wbr"}


def at(minutes):
    return START + timedelta(minutes=minutes)


def the_class(**changes):
    body = {
        "teacher_email": TEACHER,
        "students": [
            {"student_id": "s1", "user": "users/11", "email": "ada@school.example", "display_name": "Ada"},
            {"student_id": "s2", "email": "bob@school.example", "display_name": HOSTILE[0]},
        ],
        "subject": "Maths",
        "class_id": "7b/maths",
        "start_time": START.isoformat(),
        "duration_minutes": 50,
        "meeting_code": CODE,
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def held(*guests):
    people = (
        Attendee("1", "signed_in", "Ms Teacher", "users/1", (Visit(at(0), at(50)),)),
        Attendee("2", "signed_in", "ada l.", "users/11", (Visit(at(0), at(20)), Visit(at(25), at(50)))),
        *(Attendee(f"g{n}", "anonymous", name, None, (Visit(at(5), at(30)),)) for n, name in enumerate(guests)),
    )
    return Conference("rec1", "spaces/room", CODE, "users/1", at(0), at(50), people)


@pytest.fixture
def school(school):
    school.open(Space("spaces/room", CODE))
    school.know(TEACHER, "users/1")
    return school


@pytest.fixture
def app(instance, school):  # noqa: ARG001 - the room is there before anybody asks for it
    return instance(api_callers=CALLERS, school_time_zone="Europe/Berlin")


@pytest.fixture
async def api(app):
    async with client(app, caller=LMS) as calls:
        yield calls


@pytest.fixture
async def scheduled(api):
    answer = await api.post("/api/schedule/class", json=the_class())
    assert answer.status_code == 201, answer.text
    return answer.json()["session_id"]


@pytest.fixture
async def synced(api, school, scheduled):
    """Hold and sync a class, with guests who have the worst possible names."""
    school.hold(held(*HOSTILE))
    answer = await api.post(f"/api/webhook/sessions/{scheduled}/sync-participants")
    assert answer.status_code == 200, answer.text
    return scheduled


class Page(HTMLParser):
    """A page as a browser sees it: its elements and their texts."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.text = ""
        self._open = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += "" if self._open[-1:] == ["style"] else data

    def all(self, tag, **wanted):
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in wanted.items()}
        return [one for name, one in self.elements if name == tag and wanted.items() <= one.items()]


async def page(api, path):
    answer = await api.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer.text)


async def rows(api, path):
    """Return a file's rows by the names of its columns."""
    answer = await api.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment; ")
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def month():
    """Return the month of the class in the school's time zone; in its first hours, it differs from the month in UTC."""
    return f"{START.astimezone(ZoneInfo('Europe/Berlin')):%Y-%m}"


# --- Pages -------------------------------------------------------------------------------------------------------


async def test_a_report_shows_everybody_with_a_bar_for_each_visit(api, synced):
    shown = await page(api, f"/api/sessions/{synced}/attendance?format=html")

    (table,) = shown.all("table", aria_labelledby="students-title")
    bars = [one for one in shown.all("rect") if one.get("class") == "bar" and "data-start" in one]
    assert len(bars) == 1 + 2 + len(HOSTILE)
    assert (table["data-start"], table["data-end"]) == (START.isoformat(), at(50).isoformat())
    assert [(bar["x"], bar["width"]) for bar in bars[:2]] == [("0%", "40%"), ("50%", "50%")]
    assert [bar["data-end"] for bar in bars[:2]] == [at(20).isoformat(), at(50).isoformat()]
    assert "Maths" in shown.text
    assert "Europe/Berlin" in shown.text


async def test_every_name_is_shown_as_text_and_reverses_no_other_text(api, synced):
    shown = await page(api, f"/api/sessions/{synced}/attendance?format=html")

    assert not shown.all("script")
    assert not shown.all("img")
    assert len(shown.all("bdi", class_="name")) == 3 + len(HOSTILE)
    for name in HOSTILE:
        assert name in shown.text
    assert not [one for _, attributes in shown.elements for one in attributes if one.startswith("on") or one == "style"]


async def test_a_page_loads_nothing_runs_nothing_and_is_not_cached(api, synced):
    for path in (
        f"/api/sessions/{synced}/attendance?format=html",
        f"/api/classes/7b%2Fmaths/register?month={month()}&format=html",
    ):
        answers = [await api.get(path) for _ in range(2)]
        policies = [answer.headers["content-security-policy"] for answer in answers]
        nonces = [re.findall(r"'nonce-([^']{20,})'", policy) for policy in policies]

        assert policies[0].startswith("default-src 'none'; ")
        assert {"base-uri 'none'", "form-action 'none'", "frame-ancestors 'self'"} <= set(policies[0].split("; "))
        assert nonces[0] != nonces[1]
        assert answers[0].headers["cache-control"] == "no-store"
        assert answers[0].headers["x-content-type-options"] == "nosniff"
        assert answers[0].headers["referrer-policy"] == "no-referrer"
        shown = Page(answers[0].text)
        assert [one["nonce"] for one in shown.all("style")] == nonces[0]
        addresses = [one[name] for _, one in shown.elements for name in ("href", "src") if name in one]
        assert all(address.startswith("#") for address in addresses)
        assert not shown.all("link")


async def test_a_page_that_is_known_already_is_not_sent_again(api, synced):
    path = f"/api/sessions/{synced}/attendance"
    known = (await api.get(path)).headers["etag"]

    for kind, expected in (("html", f"W/{known}"), ("csv", known)):
        answer = await api.get(f"{path}?format={kind}")
        assert answer.headers["etag"] == expected
        again = await api.get(f"{path}?format={kind}", headers={"If-None-Match": expected})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", expected)


async def test_a_page_of_the_same_content_is_never_twice_the_same_bytes_so_its_tag_is_a_weak_one(api, synced):
    path = f"/api/sessions/{synced}/attendance?format=html"
    first, second = [await api.get(path) for _ in range(2)]

    assert first.content != second.content
    assert first.headers["etag"] == second.headers["etag"]
    assert first.headers["etag"].startswith("W/")


async def test_a_class_to_come_and_a_cancelled_one_have_pages_without_tables(api, scheduled):
    to_come = await page(api, f"/api/sessions/{scheduled}/attendance?format=html")
    assert "Nobody has been seen in this class yet" in to_come.text
    assert not to_come.all("table")

    await api.delete(f"/api/schedule/class/{scheduled}")
    assert "was cancelled" in (await page(api, f"/api/sessions/{scheduled}/attendance?format=html")).text


async def test_a_decision_is_shown_with_its_reason_and_whose_it_is(api, synced):
    people = (await api.get(f"/api/sessions/{synced}/attendance")).json()["attendance"]
    (bob,) = [one for one in people if one["student_id"] == "s2"]
    decided = {"status": "excused", "reason": "<b>ill</b>", "by": "office@school.example"}
    answer = await api.put(f"/api/sessions/{synced}/attendance/{bob['attendee_id']}/override", json=decided)
    assert answer.status_code == 200, answer.text
    shown = await page(api, f"/api/sessions/{synced}/attendance?format=html")
    (row,) = [
        one for one in await rows(api, f"/api/sessions/{synced}/attendance?format=csv") if one["mark"] == "excused"
    ]

    assert shown.all("table", aria_labelledby="decisions-title")
    assert not shown.all("b", id="ill")
    assert "<b>ill</b>" in shown.text
    assert "office@school.example" in shown.text
    assert (row["status"], row["override_reason"], row["override_by"]) == (
        "absent",
        "<b>ill</b>",
        "office@school.example",
    )


async def test_a_register_is_a_table_of_students_and_class_meetings(api, synced):
    shown = await page(api, f"/api/classes/7b%2Fmaths/register?month={month()}&format=html")

    assert [one["data-session-id"] for one in shown.all("th") if "data-session-id" in one] == [synced]
    letters = [one["aria-label"] for one in shown.all("span", role="img")]
    assert letters.count("present") == 1
    assert letters.count("absent") == 1
    (region,) = shown.all("div", role="region")
    assert (region["tabindex"], region["aria-labelledby"]) == ("0", "title")
    assert HOSTILE[0] in shown.text


async def test_students_are_in_the_order_in_which_people_look_names_up(api, school):
    names = ["Zoe", "Özlem", "ada", "Émile", "Bob", "Ольга"]
    students = [{"student_id": f"s{n}", "display_name": name} for n, name in enumerate(names)]
    session_id = (await api.post("/api/schedule/class", json=the_class(students=students))).json()["session_id"]
    school.hold(held())
    await api.post(f"/api/webhook/sessions/{session_id}/sync-participants")
    path = f"/api/classes/7b%2Fmaths/register?month={month()}"
    expected = ["ada", "Bob", "Émile", "Özlem", "Zoe", "Ольга"]

    assert [one["display_name"] for one in (await api.get(path)).json()["students"]] == expected
    assert [row["display_name"] for row in await rows(api, f"{path}&format=csv")] == expected
    for page_of in (f"{path}&format=html", f"/api/sessions/{session_id}/attendance?format=html"):
        text = (await page(api, page_of)).text
        assert sorted(expected, key=text.index) == expected


async def test_a_month_without_classes_is_an_empty_page_and_a_file_with_a_head(api):
    shown = await page(api, "/api/classes/<i>/register?month=2020-02&format=html")
    file = await api.get("/api/classes/7b/register?month=2020-02&format=csv")

    assert "There are no class meetings with marks in February 2020" in shown.text
    assert "<i>" in shown.text
    assert not shown.all("table")
    assert file.text.count("\r\n") == 1
    assert file.text.startswith("class_id,month,")


@pytest.mark.parametrize("wrong", ["0000-01", "9999-12"])
async def test_months_at_the_end_of_time_are_empty_pages_too(api, wrong):
    assert await page(api, f"/api/classes/7b/register?month={wrong}&format=html")


async def held_class_of(api, school, number, *, space, code):
    """Hold a class of this many students, who all came twice; return its path."""
    school.open(Space(space, code))
    students = [
        {"student_id": f"s{n}", "user": f"users/{n}", "display_name": f"Pupil {n}"} for n in range(100, 100 + number)
    ]
    body = the_class(students=students, meeting_code=code)
    session_id = (await api.post("/api/schedule/class", json=body)).json()["session_id"]
    people = [
        Attendee(f"p{n}", "signed_in", f"P {n}", f"users/{n}", (Visit(at(0), at(20)), Visit(at(21), at(50))))
        for n in range(100, 100 + number)
    ]
    school.hold(Conference(f"rec-{number}", space, code, "users/1", at(0), at(50), tuple(people)))
    await api.post(f"/api/webhook/sessions/{session_id}/sync-participants")
    return f"/api/sessions/{session_id}/attendance"


async def steps_of(api, path):
    """Return how many functions are called to answer a request: this number is the same on a busy machine."""
    number = 0

    def count(_frame, event, _argument):
        nonlocal number
        number += event == "call"

    await api.get(path)  # a first request makes everything that is made only once
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        answer = await api.get(path)
    finally:
        sys.setprofile(before)
    assert answer.status_code == 200
    return number


@pytest.mark.parametrize("kind", ["json", "html", "csv"])
async def test_an_answer_about_five_hundred_people_costs_ten_times_that_about_fifty(api, school, kind):
    small = await held_class_of(api, school, 50, space="spaces/small", code="abc-mnop-sml")
    large = await held_class_of(api, school, 500, space="spaces/large", code="abc-mnop-lrg")
    costs = [await steps_of(api, f"{path}?format={kind}") for path in (small, large)]

    assert costs[1] < 11 * costs[0]
    if kind == "html":
        assert len((await page(api, f"{large}?format=html")).all("svg", class_="track")) == 500


# --- Files -------------------------------------------------------------------------------------------------------


async def test_a_file_of_a_class_meeting_has_a_row_for_each_person_in_local_time(api, synced):
    found = await rows(api, f"/api/sessions/{synced}/attendance?format=csv")
    session = (await api.get(f"/api/sessions/{synced}")).json()
    (ada,) = [row for row in found if row["student_id"] == "s1"]

    assert len(found) == 3 + len(HOSTILE)
    assert (ada["session_id"], ada["class_id"], ada["mark"], ada["role"]) == (synced, "7b/maths", "present", "student")
    assert (ada["start_date"], ada["time_zone"]) == (session["local_date"], "Europe/Berlin")
    assert (ada["total_duration_seconds"], ada["session_count"], ada["is_late"]) == ("2700", "2", "false")
    left = f"{ada['last_left_date']}T{ada['last_left_time']}"
    assert (datetime.fromisoformat(left) - at(50).replace(tzinfo=None)).total_seconds() in {3600, 7200}


async def test_no_name_is_a_formula(api, synced):
    names = {row["display_name"] for row in await rows(api, f"/api/sessions/{synced}/attendance?format=csv")}

    assert {f"'{HOSTILE[3]}", f"'{HOSTILE[4]}", "x;'=1+1", HOSTILE[5], HOSTILE[6]} <= names


async def test_a_file_says_that_it_is_utf_8_if_asked_and_its_name_names_nobody(api, synced):
    for path in (
        f"/api/sessions/{synced}/attendance?format=csv",
        "/api/students/ada@school.example/attendance?format=csv",
        "/api/classes/7b%2Fmaths/attendance?format=csv",
        f"/api/classes/7b%2Fmaths/register?format=csv&month={month()}",
    ):
        plain, marked = [await api.get(path + more) for more in ("", "&bom=1")]

        assert marked.content == b"\xef\xbb\xbf" + plain.content
        assert re.fullmatch(r'attachment; filename="[a-z0-9-]+\.csv"', marked.headers["content-disposition"])
        assert "ada" not in marked.headers["content-disposition"]


async def fill(tmp_path, number):
    """Store this many class meetings with a participant."""
    documents = [
        {
            "schema_version": 1,
            "attendee_id": f"a{n:05}",
            "session_id": f"m{n:05}",
            "class_id": "7b",
            "session_start": START - timedelta(hours=number - n),
            "session_state": "ended",
            "kind": "signed_in",
            "role": "student",
            "student_id": "s1",
            "mark": "present",
        }
        for n in range(number)
    ]
    database = SqliteDatabase(tmp_path / "attendance.db")
    await database.commit([Write(f"sessions/{one['session_id']}/attendance/a", one) for one in documents])


async def test_a_list_is_one_file_however_many_pages_it_has(api, tmp_path):
    await fill(tmp_path, 1_100)
    found = await rows(api, "/api/students/s1/attendance?format=csv&class_id=7b")

    assert [row["session_id"] for row in found] == [f"m{n:05}" for n in range(1_100)]
    assert await rows(api, "/api/classes/7b/attendance?format=csv&to=2000-01-01") == []


async def test_a_list_that_is_too_long_for_a_file_is_refused_and_never_cut(app, tmp_path):
    await fill(tmp_path, 21)
    wanted = AttendanceFilter(class_id="7b")
    whole = await whole_list(wanted, views=app.views, time_zone="UTC", limit=21)
    with pytest.raises(InvalidRequest, match="shorter time") as refused:
        await whole_list(wanted, views=app.views, time_zone="UTC", limit=20)

    assert len(whole) == 1 + 21
    assert [error.field for error in refused.value.errors] == ["from"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("format=csv&page_size=5", "page_size"),
        ("format=csv&page_token=x", "page_token"),
        ("bom=1", "bom"),
        ("format=csv&bom=yes", "bom"),
        ("format=html", "format"),
    ],
)
async def test_what_does_not_go_together_is_named(api, query, field):
    assert fields(await api.get(f"/api/classes/7b/attendance?{query}")) == [field]


async def test_an_error_is_a_problem_whatever_the_format(api):
    for kind in ("html", "csv"):
        answer = await api.get(f"/api/sessions/nothing/attendance?format={kind}")

        assert (answer.status_code, slug(answer)) == (404, "not-found")

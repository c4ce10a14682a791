"""The page in docs/lms in a browser: with the Firestore emulator, the real rules, and documents of the system.

The emulator accepts claims without a signature, so nobody signs in here; `test_lms_sign_in.py` tests this.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from google.cloud.firestore_v1.types import StructuredQuery
from playwright.async_api import expect

from infra.local.lms_page import emulator_config, lms_page, load_rules
from infra.local.month import FIRST_DAY, ZONE, Month, signed_in, the_teacher
from infra.local.school import Account, Attendee
from infra.local.showcase import HOSTILE_NAMES

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
PATIENCE = 60_000  # milliseconds; the machine may be busy

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}

ADA, BEN, CARLA = "Ada Byron", "Ben Marquardt", "Carla Iversen"
NAMES = [ADA, BEN, CARLA, *HOSTILE_NAMES[:6], HOSTILE_NAMES[16]]
TEACHER = {"email": "Petra.Lindner@school.example", "email_verified": True}
ANOTHER_TEACHER = {"email": "colleague@school.example", "email_verified": True}
ADA_BY_ID, BEN_BY_ID = {"student_id": "7000"}, {"student_id": "7001"}
ADA_BY_ADDRESS = {"email": "Pupil.7000@School.example", "email_verified": True}

ROWS = """list => list.flatMap(rows => [...rows.querySelectorAll("li")].map(row =>
  ["what", "mark", "why"].map(name => row.querySelector("." + name).innerText.trim().replaceAll("\\n", " "))))"""


@dataclass(frozen=True)
class School:
    """A class with three past meetings and one planned; a test may hold more meetings for other pupils."""

    project: str
    firestore: str
    month: Month
    pupils: list[Account]
    others: list[Account]
    sessions: list[dict[str, Any]]

    def day(self, number: int) -> date:
        return datetime.fromisoformat(self.sessions[number]["start_time"]).astimezone(ZONE).date()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def school(emulated_firestore, firestore_address):
    project = f"demo-{uuid.uuid4().hex[:12]}"
    load_rules(emulated_firestore, project)
    store = {"firestore_emulator_host": firestore_address, "google_cloud_project": project}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", firestore_address)  # Google's client reads it
        async with Month.opened(attendance_store="firestore", **store) as month:
            pupils = month.enrol(NAMES, first_id=7000)
            rule = "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=4"
            made = await month.schedule("Mathematics", "7b", pupils, FIRST_DAY, recurrence=rule, time_zone=ZONE.key)
            others = month.enrol(NAMES[:3], first_id=8000)
            school = School(project, emulated_firestore, month, pupils, others, made["sessions"])
            for number in range(3):
                ada = signed_in(pupils[0], (12 if number == 1 else -1, 45))
                guest = Attendee("guest", "anonymous", HOSTILE_NAMES[2], None, ada.visits)
                others = [signed_in(pupil, (0, 45)) for pupil in pupils[2:]]
                await month.hold(made, school.day(number), [the_teacher((-2, 45)), ada, guest, *others])
            yield school


@pytest.fixture(scope="module")
def address():
    with lms_page() as address:
        yield address


@pytest_asyncio.fixture(loop_scope="session")
async def look(browser, address, school):
    """Open the page as a person with these claims; its requests and its console errors are stored with it.

    A page that is not started does nothing by itself: a test can use its modules.
    """
    contexts = []

    async def look(claims, query="", *, viewport=DESKTOP, starts=True, **options):
        context = await browser.new_context(viewport=viewport, locale="en-GB", **options)
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        page.asked, page.queries, page.complaints = [], [], []
        page.on("request", lambda request: _keep(page, request))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("dialog", lambda dialog: page.complaints.append(dialog.message))
        config = emulator_config(school.project, school.firestore, claims, time_zone=ZONE.key)
        await page.route("**/config.js", lambda route: route.fulfill(body=config, content_type="text/javascript"))
        if not starts:
            await page.route("**/page.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        await page.goto(f"{address}/{query}")
        if starts:
            await page.locator(".rows, .problem, .content > p:not([role])").first.wait_for()
        return page

    yield look
    for context in contexts:
        await context.close()


def _keep(page, request):
    page.asked.append(request.url)
    for name, values in parse_qs(request.post_data or "").items():
        if name.endswith("__data__"):
            target = json.loads(values[0]).get("addTarget", {})
            page.queries += [target["query"]["structuredQuery"]] if "query" in target else []


async def rows(page, name=None):
    """Return the subject, mark and reason of each row, in the list with this name or in all lists."""
    lists = page.locator("ul.rows") if name is None else page.get_by_role("list", name=name, exact=True)
    return await lists.evaluate_all(ROWS)


def of_teacher(day, session=None):
    return f"?view=teacher&day={day}" + (f"&session={session['session_id']}" if session else "")


@pytest.mark.parametrize("claims", [ADA_BY_ID, ADA_BY_ADDRESS], ids=["by the LMS's id", "by address"])
async def test_a_student_sees_own_attendance_of_the_term_with_reasons_and_nobody_else(look, claims):
    page = await look(claims)

    assert [(what, mark) for what, mark, _ in await rows(page)] == [
        ("Fri, 6 Nov 2026, 09:00 Mathematics", "present"),
        ("Wed, 4 Nov 2026, 09:00 Mathematics", "late"),
        ("Mon, 2 Nov 2026, 09:00 Mathematics", "present"),
    ]
    assert "12 min after the class began" in (await rows(page))[1][2]
    text = await page.locator("main").inner_text()
    assert "Attended 3 of 3 class meetings that count (100 %)" in text
    assert not [name for name in [*NAMES[1:], "pupil.7001"] if name in text]


async def test_a_student_who_missed_classes_sees_the_share(look):
    page = await look(BEN_BY_ID)

    assert {mark for _, mark, _ in await rows(page)} == {"absent"}
    assert "Attended 0 of 3 class meetings that count (0 %)" in await page.locator("main").inner_text()


@pytest.mark.parametrize(
    ("claims", "query", "why"),
    [
        ({}, "", "It has neither a student number nor an e-mail address."),
        ({"student_id": ""}, "", "It has neither a student number nor an e-mail address."),
        ({"student_id": 7000}, "", "It has neither a student number nor an e-mail address."),
        ({"email": "pupil.7000@school.example"}, "", "Nobody has verified its address pupil.7000@school.example."),
        (ADA_BY_ID, "?view=teacher", "It has no e-mail address."),
    ],
    ids=["no claim", "empty claim", "claim that is no text", "address not verified", "student as a teacher"],
)
async def test_a_person_whose_token_has_no_name_sees_no_attendance_and_reads_why(look, claims, query, why):
    page = await look(claims, query)

    problem = await page.get_by_role("alert").inner_text()
    assert "Your sign-in does not say which" in problem
    assert why in problem
    assert "Sign in with your school account." in problem
    assert await rows(page) == []
    assert page.queries == []


async def test_the_rules_refuse_what_the_page_asks_for_a_student_whose_token_does_not_name_them(look):
    page = await look({"email": "pupil.7000@school.example", "email_verified": False}, starts=False)

    found = await page.evaluate(
        "query => import('./queries.js').then(async queries => {"
        + SIGNED_IN
        + "return queries.read(queries.ofStudent(db, query, new Date('2026-08-01'), new Date('2027-02-01')))"
        + "}).then(found => found.length, async error => (await import('./reasons.js')).reason(error))",
        {"email": "pupil.7000@school.example"},
    )

    assert (found["code"], found["title"]) == ("permission-denied", "You may not see this")


async def test_a_student_of_another_school_reads_that_there_is_no_attendance_and_for_which_account(look):
    page = await look({"student_id": "S9"})

    assert "attendance of student number S9 yet" in await page.locator(".content").inner_text()


async def test_a_teacher_sees_marks_appear_while_the_page_is_open_and_who_has_none_yet(look, school):
    pupils = school.others
    day = date(2026, 11, 10)
    made = await school.month.schedule("Physics", "8a", pupils, day)
    page = await look(TEACHER, of_teacher(day))
    assert await rows(page, "No mark yet") == [[name, "", "Not seen yet."] for name in (ADA, BEN, CARLA)]
    assert "planned" in await page.locator("header").inner_text()

    people = [the_teacher((-2, 45)), signed_in(pupils[0], (0, 45)), signed_in(pupils[1], (20, 45))]
    await school.month.hold(made, day, people)

    marked = page.get_by_role("list", name="Marked", exact=True)
    await expect(marked.get_by_role("listitem")).to_have_count(3, timeout=PATIENCE)
    assert [row[:2] for row in await rows(page, "Marked")] == [[CARLA, "absent"], [BEN, "late"], [ADA, "present"]]
    assert "Everybody on the roster has a mark." in await page.locator(".content").inner_text()

    marks = [{"email": pupils[2].email, "status": "excused", "reason": "At the dentist"}]
    path = f"/api/sessions/{made['session_id']}/overrides"
    await school.month.call("PUT", path, overrides=marks, by="office@school.example")

    news = page.locator(".news")
    await expect(news).to_have_text(f"New: {CARLA}: excused", timeout=PATIENCE)
    assert [CARLA, "excused", "Decided by hand: At the dentist"] in await rows(page, "Marked")
    assert await page.evaluate("performance.getEntriesByType('navigation').length") == 1


async def test_a_teacher_sees_people_come_and_go_while_the_page_is_open(look, school):
    pupils, day = school.others, date(2026, 12, 1)  # later than all other classes here, because time only goes on
    made = await school.month.schedule("Biology", "8b", pupils, day)
    ada, ben = signed_in(pupils[0], (1, 45)), signed_in(pupils[1], (2, 20))
    held = school.month.begin(made, day, [the_teacher((0, 45)), ada, ben])
    page = await look(TEACHER, of_teacher(day))
    assert await page.get_by_role("heading", name=re.compile("In the room")).count() == 0

    await school.month.comes_and_goes(held, ada.id, 1)
    missing = page.get_by_role("list", name="Not in the room", exact=True)
    await expect(missing.get_by_role("listitem")).to_have_count(2, timeout=PATIENCE)
    assert await rows(page, "Not in the room") == [[BEN, "", "Not here yet."], [CARLA, "", "Not here yet."]]
    assert await rows(page, "In the room at 09:01") == [
        ["Petra Lindner", "", "Since 09:00."],
        [ADA, "", "Since 09:01."],
    ]

    await school.month.comes_and_goes(held, ben.id, 2)
    await expect(missing.get_by_role("listitem")).to_have_count(1, timeout=PATIENCE)
    assert [name for name, _, _ in await rows(page, "In the room at 09:02")] == ["Petra Lindner", ADA, BEN]

    await school.month.comes_and_goes(held, ben.id, 20, left=True)
    await expect(missing.get_by_role("listitem")).to_have_count(2, timeout=PATIENCE)
    assert (await rows(page, "Not in the room"))[0] == [BEN, "", "Left at 09:20."]
    assert await page.evaluate("performance.getEntriesByType('navigation').length") == 1


async def test_a_teacher_chooses_a_day_and_a_class_with_the_keyboard_alone(look, school):
    day = date(2026, 11, 11)  # the same day and month, because the field may begin with either
    for hour, subject in ((9, "Geography"), (11, "Chemistry")):
        await school.month.schedule(subject, "8a", school.others[:2], day, hour=hour)
    page = await look(TEACHER, of_teacher(school.day(0)))
    heading = page.get_by_role("heading", level=2)

    await _tab_to(page, "day")
    await page.keyboard.type("11112026")
    await expect(heading).to_have_text("Geography", timeout=PATIENCE)
    await _tab_to(page, "meeting")
    await page.keyboard.press("ArrowDown")
    await expect(heading).to_have_text("Chemistry", timeout=PATIENCE)

    assert await page.evaluate("document.activeElement.id") == "meeting"
    assert [name for name, _, _ in await rows(page, "No mark yet")] == [ADA, BEN]
    assert await _outline(page) != "0px"


async def test_a_student_chooses_a_term_with_the_keyboard_alone(look):
    page = await look(ADA_BY_ID)

    await _tab_to(page, "term")
    await page.keyboard.press("ArrowUp")

    await expect(page.locator(".content")).to_contain_text("No class of this term", timeout=PATIENCE)
    assert await _outline(page) != "0px"
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("ul.rows > li")).to_have_count(3, timeout=PATIENCE)


async def _tab_to(page, identifier):
    for _ in range(8):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.id") == identifier:
            return
    pytest.fail(f"#{identifier} cannot be reached with the key Tab")


async def _outline(page):
    return await page.evaluate("getComputedStyle(document.activeElement).outlineWidth")


async def test_a_colleague_is_refused_and_reads_why_and_can_try_again_by_keyboard(look, school):
    page = await look(ANOTHER_TEACHER, of_teacher(school.day(0), school.sessions[0]))

    problem = page.get_by_role("alert")
    text = await problem.inner_text()
    assert "You may not see this" in text
    assert "You are signed in as colleague@school.example" in text
    assert "permission-denied" in text
    assert not [name for name in NAMES if name in await page.locator("main").inner_text()]

    await page.get_by_role("button", name="Try again").focus()
    async with page.expect_request(lambda request: "addTarget" in (request.post_data or ""), timeout=PATIENCE):
        await page.keyboard.press("Enter")
    await expect(problem).to_contain_text("You may not see this", timeout=PATIENCE)


async def test_a_class_meeting_that_does_not_exist_looks_like_one_that_is_not_ones_own(look, school):
    pages = [
        await look(ANOTHER_TEACHER, of_teacher(school.day(0), session))
        for session in (school.sessions[0], {"session_id": "unknown"})
    ]

    own, unknown = [await page.locator("main").inner_text() for page in pages]
    assert own == unknown


async def test_without_a_connection_the_page_keeps_what_it_has_says_so_and_goes_on(look, school):
    page = await look(TEACHER, of_teacher(school.day(0)))
    before = await rows(page, "Marked")

    await page.context.set_offline(True)
    await expect(page.locator(".connection")).to_contain_text("No connection.", timeout=PATIENCE)
    assert await rows(page, "Marked") == before

    await page.context.set_offline(False)
    await expect(page.locator(".connection")).to_be_empty(timeout=PATIENCE)


async def test_what_people_typed_is_shown_as_text(look, school):
    page = await look(TEACHER, of_teacher(school.day(0), school.sessions[0]))

    shown = await page.locator("ul.rows bdi").all_text_contents()
    people = await school.month.call("GET", f"/api/sessions/{school.sessions[0]['session_id']}/attendance")
    names = {person["display_name"] for person in people["attendance"] if person["role"] != "teacher"}
    assert names <= set(shown)
    assert set(HOSTILE_NAMES[1:4]) <= names
    assert HOSTILE_NAMES[2] in await page.get_by_role("list", name="Guests").inner_text()
    assert await page.title() == "Attendance"
    assert await page.locator("main").locator("script, img, iframe, style, [onerror], [style]").count() == 0
    assert page.complaints == []


async def test_a_student_without_a_name_and_a_mark_without_a_reason_are_shown_in_words(look, school):
    day = date(2026, 11, 19)
    pupils = [replace(pupil, display_name="") for pupil in school.others[:2]]
    made = await school.month.schedule("Geography", "9d", pupils, day)
    await school.month.hold(made, day, [the_teacher((0, 45)), signed_in(pupils[0], (0, 45))])
    absent = {"student_id": "8001", "status": "excused"}
    await school.month.call("PUT", f"/api/sessions/{made['session_id']}/overrides", overrides=[absent], by="office")

    page = await look(TEACHER, of_teacher(day, made))

    marked = {name: (mark, why) for name, mark, why in await rows(page, "Marked")}
    assert marked["pupil.8001@school.example"] == ("excused", "Decided by hand.")
    assert "" not in marked


VIEWS = {
    "student": (ADA_BY_ID, lambda _: ""),
    "teacher": (TEACHER, lambda school: of_teacher(school.day(0), school.sessions[0])),
    "planned": (TEACHER, lambda school: of_teacher(school.day(3), school.sessions[3])),
    "denied": (ANOTHER_TEACHER, lambda school: of_teacher(school.day(0), school.sessions[0])),
    "unnamed": ({"email": "somebody.with.a.long.name@a.long.domain.of.a.school.example"}, lambda _: ""),
}


@pytest.fixture
def view(look, school):
    def view(name, **options):
        claims, query = VIEWS[name]
        return look(claims, query(school), **options)

    return view


@pytest.mark.parametrize("name", VIEWS)
async def test_nothing_overflows_on_a_telephone(view, name):
    page = await view(name, viewport=PHONE)

    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    outside = """() => [...document.querySelectorAll("body *")].filter(element => {
      const box = element.getBoundingClientRect();
      return box.width > 0 && (box.right > window.innerWidth + 1 || box.left < -1);
    }).map(element => element.outerHTML.slice(0, 200))"""
    assert await page.evaluate(outside) == []


@pytest.mark.parametrize(("name", "scheme"), [("student", "light"), ("teacher", "dark"), ("denied", "light")])
async def test_axe_finds_no_barrier(view, name, scheme):
    # The policy refuses the script that looks for them, so here alone it is left out.
    page = await view(name, color_scheme=scheme, bypass_csp=True)

    found = await Axe().run(page, options={"resultTypes": ["violations"]})

    checked = [(rule["id"], [node["html"] for node in rule["nodes"]][:3]) for rule in found.response["violations"]]
    assert checked == []


@pytest.mark.parametrize("name", ["student", "teacher"])
async def test_the_page_asks_nobody_but_its_server_and_the_database_and_complains_of_nothing(
    view, name, address, school
):
    page = await view(name)

    assert {re.match(r"\w+://[^/]*", url)[0] for url in page.asked if not url.startswith("data:")} == {
        address,
        f"http://{school.firestore}",
    }
    assert page.complaints == []
    assert await page.locator("[onclick], [onload], [onchange], [style]").count() == 0


SIGNED_IN = """
  const { signIn } = await import('./sign-in.js');
  const { config } = await import('./config.js');
  const { db, claims } = await signIn(config);
  const [begin, end] = [new Date('2026-08-01'), new Date('2027-02-01')];
"""


def documented():
    """Return the queries of docs/lms.md, as they are written there."""
    blocks = re.findall(r"^```js\n(.*?)^```$", (ROOT / "docs/lms.md").read_text(), re.MULTILINE | re.DOTALL)
    [queries] = [block for block in blocks if block.startswith("// queries.js")]
    return queries


async def test_the_queries_of_the_documentation_are_those_of_the_page():
    assert documented() == (ROOT / "docs/lms/queries.js").read_text()


@pytest.fixture
def ask(look):
    """Run code with the documented queries as this person; return its result and the queries that it sent."""

    async def ask(claims, code):
        page = await look(claims, starts=False)
        body = documented()
        await page.route("**/queries.js", lambda route: route.fulfill(body=body, content_type="text/javascript"))
        result = await page.evaluate(f"async () => {{ const q = await import('./queries.js'); {SIGNED_IN} {code} }}")
        return result, page.queries

    return ask


def short(people):
    return sorted((person["session_id"], person["student_id"], person["mark"]) for person in people)


async def test_each_documented_query_gives_what_the_api_gives_and_has_its_index(ask, school, firestore_gate):
    sheets = [
        (await school.month.call("GET", f"/api/sessions/{session['session_id']}/attendance"))["attendance"]
        for session in school.sessions[:3]
    ]
    plain = "const plain = (people) => JSON.parse(JSON.stringify(people));"
    first = json.dumps(school.sessions[0]["session_id"])
    expected = [
        (ADA_BY_ID, "q.read(q.ofStudent(db, claims, begin, end))", _own(sheets, "7000")),
        (ADA_BY_ADDRESS, "q.read(q.ofStudent(db, claims, begin, end))", _own(sheets, "7000")),
        (TEACHER, f"q.read(q.ofSession(db, {first}, claims.email))", sheets[0]),
        (TEACHER, "q.ofClass(db, claims.email, '7b', begin, end)", [person for sheet in sheets for person in sheet]),
    ]
    sent = []
    for claims, code, people in expected:
        found, queries = await ask(claims, f"{plain} return plain(await {code});")
        assert short_of(found, sheets) == short_of(people, sheets), code
        sent += queries

    assert sent
    for structured in sent:
        firestore_gate.query(StructuredQuery.from_json(json.dumps(structured), ignore_unknown_fields=True)._pb)


def _own(sheets, student_id):
    return [person for sheet in sheets for person in sheet if person["student_id"] == student_id]


def short_of(people, sheets):
    """Return who has which mark, without people of class meetings that another test may have held."""
    ours = {person["attendee_id"] for sheet in sheets for person in sheet}
    return sorted(
        (p["attendee_id"], p["student_id"] or "", p["mark"] or "") for p in people if p["attendee_id"] in ours
    )


async def test_a_listener_hears_of_a_changed_class_meeting_with_its_whole_attendance(ask, school):
    day = date(2026, 11, 12)
    made = await school.month.schedule("Biology", "9c", school.others[:2], day)
    await school.month.hold(made, day, [the_teacher((0, 45)), signed_in(school.others[0], (0, 45))])
    found, _ = await ask(
        TEACHER,
        f"""return new Promise((done, fail) => q.watchChanges(db, claims.email, begin, end, (meeting, people) => {{
          if (meeting.session_id === {json.dumps(made["session_id"])}) done(people.map(({{ mark }}) => mark));
        }}, fail));""",
    )

    assert sorted(map(str, found)) == ["None", "absent", "present"]


async def test_who_has_no_mark_yet_is_found_by_id_and_by_any_address(ask):
    found, _ = await ask(
        TEACHER,
        """const roster = [
          { student_id: "1", email: "old@school.example" }, { email: "a@school.example" }, { student_id: "3" },
          { email: "open@school.example" }, { email: "nobody@school.example" }, { email: "teacher@school.example" },
        ];
        const people = [
          { student_id: "1", emails: [], mark: "absent" },
          { student_id: null, emails: ["other@school.example", "a@school.example"], mark: "late" },
          { student_id: null, emails: ["open@school.example"], mark: "unknown" },
          { student_id: null, emails: [], mark: null },
        ];
        return q.withoutMark({ roster, teacher_emails: ["teacher@school.example"] }, people);""",
    )

    assert found == [{"student_id": "3"}, {"email": "open@school.example"}, {"email": "nobody@school.example"}]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("failed-precondition", ["An index is missing or is still being built.", "make deploy"]),
        ("unavailable", ["No connection to the database", "Check the connection"]),
        ("unauthenticated", ["Your sign-in has ended", "Load the page again."]),
        ("resource-exhausted", ["quota"]),
        ("auth/custom-token-mismatch", ["another Google Cloud project"]),
        ("auth/something-new", ["The sign-in failed", "report the code below"]),
        ("something-new", ["The attendance could not be read", "report the code below"]),
    ],
)
async def test_an_error_is_explained_with_what_to_do(look, code, words):
    page = await look(ADA_BY_ID, starts=False)

    found = await page.evaluate("code => import('./reasons.js').then(({ reason }) => reason({ code }))", code)

    text = " ".join(found.values())
    assert [word for word in words if word not in text] == []
    assert found["code"] == code

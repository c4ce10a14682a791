"""The pages in a browser, through an LMS's back end; the function itself refuses browsers."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime

import httpx
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe

from infra.local.month import MONTH, ZONE
from infra.local.showcase import CLASS_ID, FULL_CLASS_ID, HOSTILE_CLASS_ID, HOSTILE_NAMES, LARGE_CLASS_ID
from tests.api import token

pytestmark = pytest.mark.asyncio(loop_scope="session")

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
PAGES = ["report", "hostile report", "full register", "hostile register"]

BARS = """() => [...document.querySelectorAll("table.people tbody tr")].map(row => {
  const track = row.querySelector("svg.track").getBoundingClientRect();
  const axis = row.closest("table").dataset;
  return {
    name: row.querySelector(".name").textContent,
    axis: [axis.start, axis.end],
    track: [track.left, track.right],
    bars: [...row.querySelectorAll("rect.bar")].map(bar => {
      const box = bar.getBoundingClientRect();
      return {left: box.left, right: box.right, open: bar.classList.contains("open"), text: bar.textContent};
    }),
  };
})"""
TICKS = """() => [...document.querySelectorAll("svg.axis")].filter(axis => axis.checkVisibility()).map(axis => {
  const lines = [...axis.querySelectorAll("line.tick")].map(tick => tick.getBoundingClientRect().left);
  const labels = [...axis.querySelectorAll("text")].map(text => text.textContent);
  const box = axis.getBoundingClientRect();
  const times = {...axis.closest("table").dataset};
  return {box: [box.left, box.right], ticks: lines.map((x, place) => [x, labels[place]]), axis: times};
})"""

SCROLLED = """() => new Promise(done => {
  const region = document.querySelector(".scroll");
  const look = left => region.scrollLeft > 50 || !left ? done(left > 0) : requestAnimationFrame(() => look(left - 1));
  look(600);
})"""


@pytest.fixture
def path_of(showcase):
    """Return each page's path below the LMS's own address, and the class that it belongs to."""
    paths = {
        "report": (CLASS_ID, f"/sessions/{showcase.report}/attendance?format=html"),
        "large report": (LARGE_CLASS_ID, f"/sessions/{showcase.large}/attendance?format=html"),
        "hostile report": (HOSTILE_CLASS_ID, f"/sessions/{showcase.hostile}/attendance?format=html"),
        "register": (CLASS_ID, f"/classes/{CLASS_ID}/register?month={MONTH}&format=html"),
        "full register": (FULL_CLASS_ID, f"/classes/{FULL_CLASS_ID}/register?month={MONTH}&format=html"),
        "hostile register": (HOSTILE_CLASS_ID, f"/classes/{HOSTILE_CLASS_ID}/register?month={MONTH}&format=html"),
    }
    return paths.__getitem__


@pytest_asyncio.fixture(loop_scope="session")
async def look(browser, lms_in_python, path_of):
    """Open a page in a new browser context; its requests and its console errors are stored with it."""
    contexts = []

    async def look(name, *, viewport=DESKTOP, **options):
        class_id, path = path_of(name)
        context = await browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        await context.add_cookies([{"name": "teacher", "value": class_id, "url": lms_in_python}])
        page = await context.new_page()
        page.asked, page.answered, page.complaints = [], [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("response", lambda response: page.answered.append(response.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("dialog", lambda dialog: page.complaints.append(dialog.message))
        page.answer = await page.goto(lms_in_python + path)
        assert page.answer.status == 200
        return page

    yield look
    for context in contexts:
        await context.close()


def attendance(api, session_id):
    answer = httpx.get(
        f"{api}/api/sessions/{session_id}/attendance",
        headers={"Authorization": token(aud=api)},
        trust_env=False,
        timeout=60,
    )
    return answer.json()["attendance"]


def stays(person):
    """Return when a person was there: start, end, and whether the end is unknown. Adjacent sessions are joined."""
    found = []
    for session in sorted(person["sessions"], key=lambda one: one["start_time"]):
        start, end = (datetime.fromisoformat(session[name]) for name in ("start_time", "end_time"))
        if found and start <= found[-1][1]:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end, session["open"]])
    return [tuple(stay) for stay in found]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_bars_are_drawn_at_the_right_times(look, api, showcase, viewport):
    page = await look("report", viewport=viewport)
    shown = await page.evaluate(BARS)
    people = attendance(api, showcase.report)

    assert sorted(row["name"] for row in shown) == sorted(person["display_name"] for person in people)
    expected = sorted((person["display_name"], stays(person)) for person in people)
    for (_, there), row in zip(expected, sorted(shown, key=_who_and_when), strict=True):
        begin, end = map(datetime.fromisoformat, row["axis"])
        left, right = row["track"]
        assert len(row["bars"]) == len(there)
        for bar, (start, stop, is_open) in zip(row["bars"], there, strict=True):
            scale = (right - left) / (end - begin).total_seconds()
            assert bar["left"] == pytest.approx(left + (start - begin).total_seconds() * scale, abs=1)
            assert bar["right"] == pytest.approx(left + (stop - begin).total_seconds() * scale, abs=1)
            assert bar["open"] == is_open
            assert f"{start.astimezone(ZONE):%H:%M:%S}" in bar["text"]
            assert f"{stop.astimezone(ZONE):%H:%M:%S}" in bar["text"]


def _who_and_when(row):
    """Return the sort key of a row: if two people have the same name, their bars decide."""
    return row["name"], [bar["left"] for bar in row["bars"]]


async def test_several_devices_are_one_bar_rejoining_makes_several_and_an_unknown_end_looks_different(look):
    page = await look("report")
    bars = {row["name"]: row["bars"] for row in await page.evaluate(BARS)}

    assert len(bars["Henry Quandt"]) == 1  # three devices
    assert len(bars["Finn Demir"]) == 1  # a phone, then a laptop
    assert len(bars["Ben Marquardt"]) == 3  # the connection was lost twice
    assert [bar["open"] for row in bars.values() for bar in row].count(True) == 1
    assert bars["Oskar Frank"][0]["open"]
    assert "not reported" in bars["Oskar Frank"][0]["text"]
    assert bars["Nele Engel"] == []


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_labels_of_the_axis_are_at_their_times(look, viewport):
    page = await look("report", viewport=viewport)

    axes = await page.evaluate(TICKS)
    assert axes
    for axis in axes:
        begin, end = (datetime.fromisoformat(axis["axis"][name]) for name in ("start", "end"))
        left, right = axis["box"]
        assert len(axis["ticks"]) >= 3
        for x, label in axis["ticks"]:
            hour, minute = map(int, label.split(":"))
            moment = begin.astimezone(ZONE).replace(hour=hour, minute=minute, second=0, microsecond=0)
            assert x == pytest.approx(left + (moment - begin) / (end - begin) * (right - left), abs=1)


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_asks_for_nothing_but_itself_and_complains_of_nothing(look, name):
    page = await look(name)

    assert page.asked == [page.url]
    assert page.complaints == []
    assert await page.title() not in {"", "run"}
    assert await page.locator("script, img, iframe, object, embed, form, link, [style], [onerror]").count() == 0


ATTACK = """expected => new Promise(done => {
  const refused = new Set();
  const tell = () => done([...refused].sort());
  setTimeout(tell, 10000);
  document.addEventListener("securitypolicyviolation", event => {
    refused.add(event.effectiveDirective);
    if (refused.size >= expected) tell();
  });
  const script = document.createElement("script");
  script.textContent = "document.title = 'run'";
  document.body.append(script);
  document.body.insertAdjacentHTML("beforeend",
    `<img src=/x onerror="document.title='run'"><p style="color:red">x</p><iframe src=/x></iframe><form action=/x>`);
  document.forms[0].requestSubmit();
})"""
ATTACKED = ["form-action", "frame-src", "img-src", "script-src-attr", "script-src-elem", "style-src-attr"]


@pytest.mark.parametrize("name", ["report", "register"])
async def test_the_content_security_policy_comes_through_and_holds(look, name):
    page = await look(name)
    assert "default-src 'none'" in page.answer.headers["content-security-policy"]

    assert await page.evaluate(ATTACK, len(ATTACKED)) == ATTACKED
    assert await page.title() != "run"
    assert page.answered == [page.url]


@pytest.mark.parametrize(("scheme", "options"), [("light", {}), ("dark", {"runOnly": ["color-contrast"]})])
@pytest.mark.parametrize("name", ["report", "register"])
async def test_axe_finds_no_barrier(look, name, scheme, options):
    # The policy refuses axe's script, so only this test leaves the policy out.
    page = await look(name, color_scheme=scheme, bypass_csp=True)

    found = await Axe().run(page, options={"resultTypes": ["violations"], **options})

    checked = [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found.response["violations"]]
    assert checked == []
    assert any(one["id"] == "color-contrast" for one in found.response["passes"])


@pytest.mark.parametrize("name", PAGES)
async def test_nothing_overflows_on_a_telephone(look, name):
    page = await look(name, viewport=PHONE)

    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    outside = await page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter(element => {
          const box = element.getBoundingClientRect();
          return box.width > 0 && !element.closest(".scroll, svg") && box.right > window.innerWidth + 1;
        }).map(element => element.outerHTML.slice(0, 200))"""
    )
    assert outside == []


async def test_hostile_names_are_shown_as_they_were_typed(look):
    page = await look("hostile report")
    shown = await page.locator("table.people .name").all_inner_texts()

    for name in HOSTILE_NAMES:
        # Invisible characters are dropped.
        if name not in {"\u202egnirts\u202c نور القمري\u200f", "\t=1", "  =1+1", "\u3164"}:
            assert name in shown
    assert "Name that shows nothing" in shown
    # A name's writing direction has no effect on other text.
    assert await page.locator("table.people .name").evaluate_all(
        "names => names.every(name => getComputedStyle(name).unicodeBidi === 'isolate')"
    )


async def printed(page, folder, *, paper="A4", landscape=False):
    """Return the text of each printed page, and its size in points."""
    file = folder / "page.pdf"
    await page.pdf(path=file, prefer_css_page_size=True, format=paper, landscape=landscape)
    text, facts = await asyncio.gather(run("pdftotext", "-layout", file, "-"), run("pdfinfo", file))
    width, height = map(float, re.search(r"Page size:\s+([\d.]+) x ([\d.]+)", facts).groups())
    return text.split("\f")[:-1], (width, height)


async def run(*command):
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, error = await process.communicate()
    assert process.returncode == 0, error
    return output.decode()


async def test_a_printed_report_is_a_few_sheets_with_everybody_once(look, api, showcase, tmp_path):
    page = await look("report")
    for paper, points in [("A4", [595, 842]), ("Letter", [612, 792])]:
        sheets, size = await printed(page, tmp_path, paper=paper)
        text = "\n".join(sheets)

        assert sorted(size) == pytest.approx(points, abs=1)
        assert len(sheets) <= 4
        assert all(len(sheet.split()) > 20 for sheet in sheets)  # no sheet is almost empty
        for person in attendance(api, showcase.report):
            if person["role"] == "student":
                assert len(re.findall(rf"(?<!\.)\b{person['student_id']}\b", text)) == 1
        # A heading is on the same sheet as its content, and no line ends with a separator.
        for heading, first in [("Guests who may be students", "by telephone"), ("Decided by people", "The bus was")]:
            assert [first in sheet for sheet in sheets if heading in sheet] == [True]
        assert not re.search(r"·(?:\s\s|$)", text, flags=re.MULTILINE)


async def test_500_people_are_printed_on_sheets_that_each_have_a_head(look, tmp_path):
    page = await look("large report")
    sheets, _ = await printed(page, tmp_path)

    assert len(sheets) <= 40
    headed = [sheet for sheet in sheets if re.search(r"Name\s+Mark and reason", sheet)]
    assert len(headed) >= len(sheets) - 2  # the last ones contain guests and notes


@pytest.mark.parametrize(("name", "students", "meetings"), [("register", 30, 9), ("full register", 8, 40)])
async def test_a_printed_register_is_wide_and_nothing_of_it_is_cut_off(look, tmp_path, name, students, meetings):
    page = await look(name)
    sheets, (width, height) = await printed(page, tmp_path, landscape=True)
    text = "\n".join(sheets)

    assert width > height
    assert len(sheets) <= students // 10 + 1
    assert len(re.findall(r"\b\d{2,3}(?:\.\d)? %", text)) == students  # everybody's share, in the last column
    assert len(re.findall(r"\b(?:Mon|Tue|Wed|Thu|Fri)\b", sheets[0])) == meetings


@pytest.mark.parametrize("name", PAGES)
async def test_nothing_is_wider_than_the_paper(look, name):
    millimetre = 96 / 25.4
    wide = (297 - 16) if "register" in name else (210 - 24)
    page = await look(name, viewport={"width": int(wide * millimetre), "height": 1000})
    await page.emulate_media(media="print")

    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    cut = await page.evaluate(
        """() => [...document.querySelectorAll(".scroll, th, td")]
          .filter(one => one.scrollWidth > one.clientWidth + 1)
          .map(one => one.outerHTML.slice(0, 200))"""
    )
    assert cut == []


@pytest.mark.parametrize("name", ["report", "register"])
async def test_the_keyboard_reaches_all_that_can_be_done_in_the_order_of_the_page(look, name):
    page = await look(name, viewport=PHONE)
    reached = []
    while True:
        await page.keyboard.press("Tab")
        at = await page.evaluate(
            """() => {
              const one = document.activeElement;
              if (one === document.body) return null;
              const all = [...document.querySelectorAll("*")];
              return {place: all.indexOf(one), outline: getComputedStyle(one).outlineStyle,
                      label: one.getAttribute("aria-labelledby") || one.getAttribute("aria-label") || one.textContent};
            }"""
        )
        if at is None or any(at["place"] == earlier["place"] for earlier in reached):
            break
        reached.append(at)

    assert reached
    assert [at["place"] for at in reached] == sorted(at["place"] for at in reached)
    assert all(at["outline"] != "none" and at["label"].strip() for at in reached)
    scrolling = await page.evaluate(
        """() => [...document.querySelectorAll("*")]
          .filter(one => /auto|scroll/.test(getComputedStyle(one).overflowX) && one.scrollWidth > one.clientWidth)
          .map(one => one.tabIndex)"""
    )
    assert all(index == 0 for index in scrolling)


@pytest.mark.parametrize("viewport", [{"width": 740, "height": 360}, {"width": 320, "height": 256}])
async def test_in_a_low_window_enough_of_a_register_is_visible(look, viewport):
    """The windows are a telephone in landscape, and a screen of 1280 by 1024 with a zoom of 400 %."""
    page = await look("register", viewport=viewport)

    assert await page.locator(".scroll").evaluate("one => one.scrollHeight <= one.clientHeight + 1")
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_a_wide_register_scrolls_by_keyboard_and_keeps_names_and_dates_in_sight(look):
    page = await look("register", viewport=PHONE)
    region = page.locator(".scroll")
    await region.focus()
    for _ in range(5):
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("ArrowDown")
    assert await page.evaluate(SCROLLED)

    name, box = page.locator("tbody th.name").nth(10), await region.bounding_box()
    assert (await name.bounding_box())["x"] == pytest.approx(box["x"], abs=2)

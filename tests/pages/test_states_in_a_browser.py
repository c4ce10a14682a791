"""Pages of rare class meetings in a browser: nothing is cut off, overlapped or lost."""

from __future__ import annotations

import dataclasses

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe

from functions.domain.conferences.model import SyncState
from functions.entrypoints.api.pages.rendering import report_html
from tests.builders import ADA, BOB, TEACHING, call, expected, guest, lesson, sheet_of, unread_call
from tests.report_page import report_page

pytestmark = pytest.mark.asyncio(loop_scope="session")

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 320, "height": 640}
CLASS = expected(ADA, BOB)
ACCENTS = "\u0301\u0316" * 90
DAY = 1440


def clocks_put_back_around_midnight():
    """Return a class during a clock change.

    In Beirut, clocks are put back on 25 October at midnight, which is 21:00 UTC on the 24th.
    """
    start = 11 * 60 + 30.5 - 30 * DAY
    held = call((TEACHING, (start, None)), (ADA, (start + 1, start + 59)), start=start, end=start + 61)
    session = lesson(start=start, end=start + 60, roster=CLASS, time_zone="Asia/Beirut", listed=start + 75)
    return sheet_of(session, held, now=start + 76)


def a_zone_of_many_letters():
    return sheet_of(
        lesson(roster=CLASS, time_zone="America/Argentina/ComodRivadavia"),
        call((TEACHING, (0, 60)), (ADA, *((minute, minute + 0.5) for minute in range(60)))),
    )


def a_call_that_goes_on():
    held = call((TEACHING, (0, None)), (ADA, (1, None)), end=None, state=SyncState.PROVISIONAL, pulled=20)
    return sheet_of(lesson(roster=CLASS, listed=None), held, now=20)


def a_call_that_could_not_be_read():
    return sheet_of(lesson(roster=CLASS), unread_call())


def a_class_that_nobody_held():
    return sheet_of(lesson(roster=CLASS, listed=75), call((ADA, (0, 3)), end=3), now=76)


def a_class_that_was_cancelled():
    return sheet_of(lesson(roster=CLASS, cancelled=True))


@pytest_asyncio.fixture(loop_scope="session")
async def show(browser):
    """Return a function that shows the page of a class meeting in a new browser context."""
    contexts = []

    async def show(sheet, *, viewport=DESKTOP, **options):
        context = await browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = await context.new_page()
        await page.set_content(report_html(report_page(sheet)).body.decode())
        return page

    yield show
    for context in contexts:
        await context.close()


@pytest.mark.parametrize("state", [clocks_put_back_around_midnight, a_zone_of_many_letters, a_call_that_goes_on])
async def test_no_time_and_no_zone_is_too_long_for_a_telephone(show, state):
    page = await show(state(), viewport=PHONE)

    outside = await page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter(element => {
          const box = element.getBoundingClientRect();
          return box.width > 0 && !element.closest("svg") && box.right > window.innerWidth + 1;
        }).map(element => element.outerHTML.slice(0, 200))"""
    )
    assert outside == []
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_many_accents_on_a_name_do_not_cover_other_names(show, viewport):
    async def others(name):
        held = call((TEACHING, (0, 60)), (ADA, (0, 60)), (BOB, (0, 60)), (guest(name), (5, 60)))
        page = await show(sheet_of(lesson(roster=CLASS), held), viewport=viewport)
        rows = page.locator("table.people tbody tr")
        assert await rows.count() == 4
        return [await element.screenshot() for element in (page.locator("h1"), *map(rows.nth, range(3)))]

    pairs = zip(await others(f"Cat{ACCENTS}"), await others("Cat"), strict=True)
    assert [heaped == plain for heaped, plain in pairs] == [True] * 4


async def test_bars_and_the_time_of_the_class_are_visible_in_a_users_own_colours(show):
    held = call((TEACHING, (5, 55)), (ADA, (0, 60)))
    page = await show(sheet_of(lesson(roster=CLASS), held), forced_colors="active", color_scheme="dark")

    def drawn(shape, attribute):
        return page.locator(f"tbody .{shape}").first.evaluate(f"one => getComputedStyle(one).{attribute}")

    text = await page.locator("body").evaluate("one => getComputedStyle(one).color")
    paper = await page.locator("body").evaluate("one => getComputedStyle(one).backgroundColor")
    assert await drawn("bar", "fill") == text
    for shape in ("planned", "taught"):
        assert await drawn(shape, "fill") == paper
        assert await drawn(shape, "stroke") not in {paper, "none"}


async def test_a_note_about_a_guest_is_not_written_as_if_it_were_the_name(show):
    held = call((TEACHING, (0, 60)), (ADA, (0, 60)), (guest("ada"), (0, 30)))
    roster = [
        dataclasses.replace(one, display_name=user.display_name) for one, user in zip(CLASS, (ADA, BOB), strict=True)
    ]
    page = await show(sheet_of(lesson(roster=roster), held))

    weight = "one => getComputedStyle(one).fontWeight"
    assert await page.locator("#guests .note").evaluate(weight) == "400"
    assert await page.locator("#guests .name").evaluate(weight) == "600"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "state",
    [a_call_that_goes_on, a_call_that_could_not_be_read, a_class_that_nobody_held, a_class_that_was_cancelled],
)
async def test_axe_finds_no_barrier_in_incomplete_pages(show, state, scheme):
    page = await show(state(), color_scheme=scheme)

    found = await Axe().run(page, options={"resultTypes": ["violations"]})

    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found.response["violations"]] == []

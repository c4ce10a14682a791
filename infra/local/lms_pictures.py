"""Pictures of the page in `docs/lms`: with an invented class, in the Firestore emulator with the deployment's rules."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Browser

from infra.local.emulators import firestore_emulator
from infra.local.function_server import ROOT
from infra.local.lms_page import emulator_config, lms_page, load_rules
from infra.local.month import FIRST_DAY, LENGTH, ZONE, Month, names, signed_in, the_teacher, visits
from infra.local.school import Attendee

_PROJECT = "demo-pictures"
_FIRST_ID, _PUPILS = 7000, 14
_DESKTOP = {"viewport": {"width": 1280, "height": 1000}}
_PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
_TEACHER = {"email": "petra.lindner@school.example", "email_verified": True}
_STUDENT = {"student_id": str(_FIRST_ID + 1)}


async def take_lms_page(folder: Path, browser: Browser, work: Path, *, tell: Callable[[str], None]) -> None:
    """Take every picture; files with the same names in the folder are replaced.

    Raises:
        StartError: The emulator or the Firebase SDK is missing.
    """
    with lms_page() as address, firestore_emulator(work) as firestore:
        load_rules(firestore, _PROJECT)
        os.environ["FIRESTORE_EMULATOR_HOST"] = firestore  # the client's own variable
        store = {"attendance_store": "firestore", "firestore_emulator_host": firestore}
        async with Month.opened(**store, google_cloud_project=_PROJECT) as month:
            await _hold_classes(month)
            for person, claims, query in (
                ("teacher", _TEACHER, f"?view=teacher&day={FIRST_DAY}"),
                ("student", _STUDENT, ""),
                ("without-a-claim", {"email": "ada@elsewhere.example"}, ""),
            ):
                config = emulator_config(_PROJECT, firestore, claims, time_zone=ZONE.key)
                for name, options in ((f"lms-{person}", _DESKTOP), (f"lms-{person}-phone", _PHONE)):
                    file = folder / f"{name}.png"
                    await _take(browser, f"{address}/{query}", config, options, file)
                    tell(str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file))


async def _hold_classes(month: Month) -> None:
    """Hold two weeks of a class; most pupils of the first day come on time."""
    pupils = month.enrol(names(_PUPILS), first_id=_FIRST_ID)
    rule = "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=4"
    made = await month.schedule("Mathematics", "7b", pupils, FIRST_DAY, recurrence=rule, time_zone=ZONE.key)
    special = {1: ((12.8, LENGTH),), 4: ((0.3, 31.6),), 7: ((0, 9), (38, LENGTH)), 9: ()}
    there = [
        signed_in(pupil, *coming)
        for number, pupil in enumerate(pupils)
        if (coming := special.get(number, ((0, LENGTH),)))
    ]
    guest = Attendee("guest", "anonymous", "Tablet of Ida", None, visits((2, LENGTH)))
    await month.hold(made, FIRST_DAY, [the_teacher((-2, LENGTH)), *there, guest])
    for days_later in (3, 7, 10):
        await month.hold(made, FIRST_DAY + timedelta(days=days_later), month.ordinary(pupils))


async def _take(browser: Browser, address: str, config: str, options: dict[str, Any], file: Path) -> None:
    context = await browser.new_context(**options)
    try:
        page = await context.new_page()
        await page.route("**/config.js", lambda route: route.fulfill(body=config, content_type="text/javascript"))
        await page.goto(address)
        await page.locator(".rows, .problem").first.wait_for()
        await page.screenshot(path=file, full_page=True)
    finally:
        await context.close()

"""The pages that people read.

A register of 200 students in 40 class meetings and a report of 500 people, through the API.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import httpx

from bench.conference.function import WrongResult
from bench.figures.model import Page, Samples
from bench.reads import CountedReads
from bench.stack import FOLDER
from infra.local.function_server import function_server
from infra.local.month import LAST_DAY, MONTH, ZONE, Month, names
from infra.local.showcase import hold_full_class

PROJECT = "demo-bench-pages"
STUDENTS, MEETINGS, PEOPLE = 200, 40, 500


async def measure_pages(firestore: str, *, runs: int, step: Callable[[str], None]) -> tuple[Page, ...]:
    """Hold the classes, count what each page reads, then measure the time of each in turn.

    Args:
        firestore: `host:port` of the emulator.
        runs: The number of requests for each page, after all are warm.
        step: Is called with the next step.

    Raises:
        WrongResult: A page does not show the expected content.
    """
    step("holding classes")
    pages = await _hold(firestore)
    step("counting reads")
    async with CountedReads.serving(firestore) as (counter, counted):
        reads = {}
        async with _api(counted) as ask:
            for name, path in pages.items():
                before = counter.documents
                await ask(path)
                reads[name] = counter.documents - before
    async with _api(firestore) as ask:
        step("warming up")
        sizes = {name: len(await ask(path)) for name, path in pages.items()}
        seconds: dict[str, list[float]] = {name: [] for name in pages}
        for run in range(1, runs + 1):
            step(f"pages {run} of {runs}")
            for name, path in pages.items():
                began = time.perf_counter()
                await ask(path)
                seconds[name].append(time.perf_counter() - began)
    return tuple(Page(name, Samples(tuple(seconds[name])), reads[name], sizes[name]) for name in pages)


async def _hold(firestore: str) -> Mapping[str, str]:
    """Return the measured paths, by name."""
    store = {"firestore_emulator_host": firestore, "google_cloud_project": PROJECT}
    async with Month.opened(**store) as month:
        pupils = month.enrol(names(STUDENTS), first_id=1000)
        await hold_full_class(month, "7b", pupils)
        register = f"/api/classes/7b/register?month={MONTH}"
        found = await month.call("GET", register)
        if (len(found["students"]), len(found["sessions"])) != (STUDENTS, MEETINGS):
            raise WrongResult(f"The register has {len(found['students'])} students, {len(found['sessions'])} meetings.")
        many = month.enrol(names(PEOPLE - 1), first_id=5000)
        made = await month.schedule("School assembly", "assembly", many, LAST_DAY, hour=13)
        await month.hold(made, LAST_DAY, month.ordinary(many), hour=13)
        report = f"/api/sessions/{made['session_id']}/attendance"
        found = await month.call("GET", report)
        if len(found["attendance"]) != PEOPLE:
            raise WrongResult(f"The report shows {len(found['attendance'])} people, not {PEOPLE}.")
    return {
        "register, HTML": f"{register}&format=html",
        "register, JSON": register,
        "report, HTML": f"{report}?format=html",
        "report, JSON": report,
    }


@contextlib.asynccontextmanager
async def _api(firestore: str) -> AsyncIterator[Callable[[str], Awaitable[bytes]]]:
    """Run the real function in its own process; give a function that requests a path over HTTP.

    Args:
        firestore: The address of the function's Firestore.
    """
    env = {
        "AUTH_MODE": "anonymous",
        "API_CALLERS": "*=admin",
        "FIRESTORE_EMULATOR_HOST": firestore,
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "MEET_API_ENDPOINT": "http://127.0.0.1:9",  # pages do not call Meet
        "SCHOOL_TIME_ZONE": str(ZONE),
    }
    with contextlib.ExitStack() as stack:
        server = function_server("api", env=env, log=FOLDER / "api.log", signature="http")
        # Starting it blocks, and the counter of reads needs this event loop.
        served = await asyncio.to_thread(stack.enter_context, server)
        async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as client:

            async def ask(path: str) -> bytes:
                answer = await client.get(path)
                if answer.status_code != httpx.codes.OK:
                    raise WrongResult(f"The API answered {answer.status_code}: {answer.text[:200]}")
                return answer.content

            yield ask

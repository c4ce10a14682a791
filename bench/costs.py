"""What a school's classes cost: measured for one class meeting and one teacher, and computed for a month.

`python -m bench.costs` measures, writes `bench/costs.json`, and puts the tables into `docs/cost.md`. `--tables` only
computes the tables again from earlier measurements.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import os
import re
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx

from bench.charged import LEAST_BYTES, ChargedFirestore, ChargedPubsub, charged, size_of
from bench.stack import FOLDER, ROOT, running_firestore
from infra.local.classes import believable_class
from infra.local.delivery import Trigger, http_client
from infra.local.demo import demo_accounts
from infra.local.function_server import Served, function_server
from infra.local.google_apis import GoogleApis
from infra.local.meet import MeetSimulator
from infra.local.processes import bypass_proxies
from infra.local.school import School
from infra.local.subscriptions import WorkspaceEventsSimulator
from infra.local.workspace_events import Message, conference_ended

MEASURED = ROOT / "bench" / "costs.json"
PAGE = ROOT / "docs" / "cost.md"

PEOPLE = 30
CLASSES = 8
"""The number of measured class meetings, after a first one that warms everything up."""

FUNCTIONS: Mapping[str, Literal["cloudevent", "http"]] = {
    "on_workspace_event": "cloudevent",
    "on_job": "cloudevent",
    "api": "http",
}
JOBS = "projects/demo-costs/topics/attendance-jobs"
CHANGES = "projects/demo-costs/topics/attendance-changed"
Unit = dict[str, float]

# -- a month --
DAYS = 30
MONTHS = (100, 10_000, 1_000_000)
CLASSES_OF_A_TEACHER = 80  # four on each school day
SYNC_DUE, RECONCILE, RENEW = 288 * DAYS, 48 * DAYS, 4 * DAYS  # runs of each scheduled job
MEMORY_GIB = 0.5  # MEMORY in infra/deploy/names.sh

# -- list prices in US dollars, and the free amount each month; docs/cost.md names their sources --
PRICES = {
    "Cloud Run, CPU": ("vcpu_seconds", 0.000024, 180_000, "vCPU-s"),
    "Cloud Run, memory": ("gib_seconds", 0.0000025, 360_000, "GiB-s"),
    "Cloud Run, requests": ("requests", 0.40 / 1e6, 2_000_000, "requests"),
    "Firestore, reads": ("reads", 0.06 / 1e5, 50_000 * DAYS, "documents"),
    "Firestore, writes": ("writes", 0.18 / 1e5, 20_000 * DAYS, "documents"),
    "Firestore, deletes": ("deletes", 0.02 / 1e5, 20_000 * DAYS, "documents"),
    "Pub/Sub": ("pubsub_gib", 40 / 1024, 10, "GiB"),
    "Cloud Logging": ("log_gib", 0.50, 50, "GiB"),
}


@dataclass(slots=True)
class Parts:
    """The parts that are needed to measure."""

    school: School
    meet: MeetSimulator
    apis: GoogleApis
    firestore: ChargedFirestore
    pubsub: ChargedPubsub
    served: Mapping[str, Served]
    client: httpx.AsyncClient

    def now(self) -> Unit:
        """Return the present value of every counter."""
        documents, messages = self.firestore.documents, self.pubsub.messages
        return {
            "meet_calls": len(self.meet.calls),
            "people_and_directory_calls": len(self.apis.calls),
            "reads": documents.reads,
            "writes": documents.writes,
            "deletes": documents.deletes,
            "written_bytes": documents.written_bytes,
            "messages": messages.published,
            "changes": messages.to[CHANGES],
            "pubsub_bytes": messages.charged_bytes,
            "log_bytes": sum(served.program.log.stat().st_size for served in self.served.values()),
            "cpu_seconds": sum(_cpu_seconds(served) for served in self.served.values()),
        }

    async def requested(self, function: str, ask: Callable[[], Any], spent: Unit) -> Any:  # noqa: ANN401 - what is asked for
        """Make one request; its charged time is in whole tenths of a second."""
        began = time.monotonic()
        answer = await ask()
        took = time.monotonic() - began
        spent["requests"] = spent.get("requests", 0) + 1
        spent["seconds"] = spent.get("seconds", 0) + took
        spent["charged_seconds"] = spent.get("charged_seconds", 0) + (int(took * 10) + 1) / 10
        if isinstance(answer, int) and answer != httpx.codes.OK:
            raise SystemExit(f"{function} answered {answer}:\n{self.served[function].program.tail()}")
        return answer

    async def job(self, name: str, data: Mapping[str, str], spent: Unit) -> None:
        """Run a job."""
        trigger = Trigger(self.served["on_job"].url, JOBS, "projects/demo-costs/subscriptions/attendance-jobs")
        message = Message({"job": name}, json.dumps(data).encode())
        await self.requested("on_job", lambda: trigger.post(self.client, message), spent)


def _cpu_seconds(served: Served) -> float:
    """Return the user and system time of a function's processes, including children."""
    ticks, pids = 0, [served.program.pid]
    while pids:
        pid = pids.pop()
        with contextlib.suppress(OSError):
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
            pids.extend(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return ticks / os.sysconf("SC_CLK_TCK")


def _most_memory(served: Served) -> float:
    """Return the maximum memory of the function's worker, in MiB."""
    children = Path(f"/proc/{served.program.pid}/task/{served.program.pid}/children").read_text().split()
    status = Path(f"/proc/{children[0] if children else served.program.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0


async def _difference(parts: Parts, work: Callable[[Unit], Any]) -> Unit:
    before, spent = parts.now(), Unit()
    await work(spent)
    after = parts.now()
    counted = {name: after[name] - before[name] for name in after}
    return {name: counted.get(name, 0) + spent.get(name, 0) for name in {**counted, **spent}}


async def _class_meeting(parts: Parts, number: int, spent: Unit) -> None:
    """Schedule and hold a class, read it at its event and when it is due twice; the LMS requests it once."""
    api, length = parts.served["api"].url, timedelta(minutes=50)
    teacher, *pupils = demo_accounts(PEOPLE)
    start = datetime.now(UTC) - timedelta(hours=3 * number + 3)
    body = {
        "teacher_email": teacher.email,
        "student_emails": [pupil.email for pupil in pupils],
        "subject": "Mathematics",
        "class_id": "7b",
        "start_time": start.isoformat(),
        "duration_minutes": 50,
    }

    async def schedule() -> dict[str, Any]:
        answer = await parts.client.post(f"{api}/api/schedule/class", json=body)
        answer.raise_for_status()
        return dict(answer.json())

    scheduled = await parts.requested("api", schedule, spent)
    held = believable_class(
        number,
        people=PEOPLE,
        start=start,
        length=length,
        organizer=teacher.user,
        space=scheduled["space"],
        meeting_code=scheduled["meeting_code"],
        pupils=pupils,
    )
    parts.school.hold(held)
    event = conference_ended(held.name, organizer=held.organizer, at=held.end or datetime.now(UTC))
    spent["messages"] = 1
    spent["pubsub_bytes"] = 2 * max(1000, size_of(event.attributes, event.data))
    topic = "projects/demo-costs/topics/workspace-events"
    trigger = Trigger(parts.served["on_workspace_event"].url, topic, "projects/demo-costs/subscriptions/events")
    await parts.requested("on_workspace_event", lambda: trigger.post(parts.client, event), spent)
    for _ in range(2):
        job = Message({"job": "sync-session"}, json.dumps({"session_id": scheduled["session_id"]}).encode())
        spent["messages"] += 1
        spent["pubsub_bytes"] += 2 * max(1000, size_of(job.attributes, job.data))
        await parts.job("sync-session", {"session_id": scheduled["session_id"]}, spent)

    async def look() -> None:
        answer = await parts.client.get(f"{api}/api/sessions/{scheduled['session_id']}/attendance")
        answer.raise_for_status()
        marks = Counter(person["mark"] for person in answer.json()["attendance"])
        if not marks["present"]:
            raise SystemExit(f"Nobody is present: {marks}")

    await parts.requested("api", look, spent)


@contextlib.asynccontextmanager
async def _parts() -> AsyncIterator[Parts]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    school = School(lambda: datetime.now(UTC))
    school.enrol(*demo_accounts(PEOPLE))
    with contextlib.ExitStack() as running:
        emulator = running.enter_context(running_firestore())
        firestore, pubsub = running.enter_context(charged(emulator))
        meet = running.enter_context(MeetSimulator(school, delay=timedelta(milliseconds=30)).in_thread())
        apis = running.enter_context(GoogleApis(school).in_thread())
        events = running.enter_context(WorkspaceEventsSimulator(school).in_thread())
        env = {
            "AUTH_MODE": "anonymous",
            "API_CALLERS": "*=admin",
            "MEET_API_ENDPOINT": meet.endpoint,
            "PEOPLE_API_ENDPOINT": apis.endpoint,
            "DIRECTORY_API_ENDPOINT": apis.endpoint,
            "WORKSPACE_EVENTS_API_ENDPOINT": events.endpoint,
            "FIRESTORE_EMULATOR_HOST": firestore.address,
            "PUBSUB_EMULATOR_HOST": pubsub.address,
            "GOOGLE_CLOUD_PROJECT": "demo-costs",
            "CHANGES_TOPIC": CHANGES.rpartition("/")[2],
        }
        served = {}
        for target, kind in FUNCTIONS.items():
            log = FOLDER / f"costs-{target}.log"
            function = function_server(target, env=env, log=log, signature=kind)
            served[target] = await asyncio.to_thread(running.enter_context, function)
        async with http_client() as client:
            yield Parts(school, meet, apis, firestore, pubsub, served, client)


async def _measured() -> dict[str, Any]:
    async with _parts() as parts:
        teacher = demo_accounts(1)[0]
        answer = await parts.client.post(f"{parts.served['api'].url}/api/organizers", json={"email": teacher.email})
        answer.raise_for_status()
        organizer = {"organizer": teacher.user}
        await _class_meeting(parts, 0, Unit())  # this warms everything up
        for name in ("sync-due", "reconcile", "renew-subscriptions"):
            await parts.job(name, {}, Unit())
            if name != "sync-due":
                await parts.job(name, organizer, Unit())

        classes = [
            await _difference(parts, functools.partial(_class_meeting, parts, number))
            for number in range(1, CLASSES + 1)
        ]

        async def repeated(name: str, data: Mapping[str, str]) -> Unit:
            return _median(
                [await _difference(parts, lambda spent: parts.job(name, data, spent)) for _ in range(CLASSES)]
            )

        return {
            "measured_on": f"{datetime.now(UTC):%Y-%m-%d}",
            "people": PEOPLE,
            "class_meeting": _median(classes),
            "sync_due": await repeated("sync-due", {}),
            "reconcile": await repeated("reconcile", {}),
            "reconcile_a_teacher": await repeated("reconcile", organizer),
            "renew": await repeated("renew-subscriptions", {}),
            "renew_a_teacher": await repeated("renew-subscriptions", organizer),
            "most_memory_mib": max(_most_memory(served) for served in parts.served.values()),
        }


def _median(units: list[Unit]) -> Unit:
    return {name: round(statistics.median(unit[name] for unit in units), 3) for name in units[0]}


def month(measured: Mapping[str, Any], meetings: int) -> Unit:
    """Return the units of a month with this many class meetings."""
    teachers = -(-meetings // CLASSES_OF_A_TEACHER)
    total: Counter[str] = Counter()
    for unit, times in (
        ("class_meeting", meetings),
        ("sync_due", SYNC_DUE),
        ("reconcile", RECONCILE),
        ("reconcile_a_teacher", RECONCILE * teachers),
        ("renew", RENEW),
        ("renew_a_teacher", RENEW * teachers),
    ):
        for name, value in measured[unit].items():
            if unit in {"reconcile", "renew"} and name == "pubsub_bytes":
                continue  # these publish the messages for each teacher
            total[name] += value * times
        if unit != "class_meeting":
            # The job's own message: Cloud Scheduler publishes it, or, for one teacher, the job for all teachers does.
            total["pubsub_bytes"] += 2 * LEAST_BYTES * times
    return {
        **total,
        "teachers": teachers,
        "vcpu_seconds": total["charged_seconds"],
        "gib_seconds": total["charged_seconds"] * MEMORY_GIB,
        "pubsub_gib": total["pubsub_bytes"] / 2**30,
        "log_gib": total["log_bytes"] / 2**30,
        "stored_gib": total["written_bytes"] / 2**30,
    }


def tables(measured: Mapping[str, Any]) -> dict[str, str]:
    """Return the tables of the page, by their names in it."""
    return {"measured": _measured_table(measured), "month": _month_table(measured)}


ROWS = {
    "meet_calls": "calls to Meet",
    "people_and_directory_calls": "calls to People and the Directory",
    "reads": "Firestore: documents read",
    "writes": "documents written",
    "deletes": "documents deleted",
    "written_bytes": "bytes of written documents",
    "messages": "Pub/Sub: messages",
    "changes": "of these to `attendance-changed`",
    "pubsub_bytes": "bytes charged",
    "requests": "requests to functions",
    "charged_seconds": "seconds charged",
    "cpu_seconds": "CPU seconds used",
    "log_bytes": "bytes logged",
}
COLUMNS = {
    "class_meeting": "a class of {people}",
    "sync_due": "`sync-due`",
    "reconcile": "`reconcile`",
    "reconcile_a_teacher": "for each teacher",
    "renew": "`renew-subscriptions`",
    "renew_a_teacher": "for each teacher",
}


def _measured_table(measured: Mapping[str, Any]) -> str:
    heads = [title.format(people=measured["people"]) for title in COLUMNS.values()]
    rows = [[title, *(_number(measured[column][name]) for column in COLUMNS)] for name, title in ROWS.items()]
    told = (
        f"Measured on {measured['measured_on']}; the most memory of a function: {measured['most_memory_mib']:.0f} MiB."
    )
    return f"{_table(['', *heads], rows)}\n\n{told}"


def _month_table(measured: Mapping[str, Any]) -> str:
    months = [month(measured, meetings) for meetings in MONTHS]
    rows = [["teachers", *(_number(each["teachers"]) for each in months)]]
    dollars = [0.0] * len(MONTHS)
    for title, (name, price, free, unit) in PRICES.items():
        row = [f"{title}: {unit}"]
        for index, each in enumerate(months):
            cost = max(0.0, each[name] - free) * price
            dollars[index] += cost
            row.append(f"{_number(each[name])}: ${cost:,.2f}")
        rows.append(row)
    rows.append(["**together**", *(f"**${each:,.2f}**" for each in dollars)])
    rows.append(["without what is free", *(f"${_full_price(each):,.2f}" for each in months)])
    rows.append(["calls to Meet", *(_number(each["meet_calls"]) for each in months)])
    rows.append(["documents that are added, GiB", *(_number(each["stored_gib"]) for each in months)])
    return _table(["a month", *(f"{meetings:,} class meetings" for meetings in MONTHS)], rows)


def _full_price(units: Unit) -> float:
    return sum(units[name] * price for name, price, _, _ in PRICES.values())


def _number(value: float) -> str:
    if value and abs(value) < 10:  # noqa: PLR2004 - a figure with decimals
        return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.005 else "<0.01"  # noqa: PLR2004 - likewise
    return f"{value:,.0f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def written(page: str, measured: Mapping[str, Any]) -> str:
    """The page with its tables; raises ValueError if a table has no place in it."""
    for name, table in tables(measured).items():
        pattern = rf"(<!-- {name}: [^\n]*-->\n)\n.*?\n\n(<!-- /{name} -->)"
        page, places = re.subn(pattern, rf"\1\n{table}\n\n\2", page, flags=re.DOTALL)
        if places != 1:
            raise ValueError(f"The page has no place for the table {name!r}, or several.")
    return page


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.costs", description=__doc__)
    parser.add_argument("--tables", action="store_true", help="measure nothing: reckon again from bench/costs.json")
    if not parser.parse_args().tables:
        bypass_proxies()
        MEASURED.write_text(json.dumps(asyncio.run(_measured()), indent=2) + "\n")
    measured = json.loads(MEASURED.read_text())
    for table in tables(measured).values():
        print(table, end="\n\n")
    if PAGE.exists():
        PAGE.write_text(written(PAGE.read_text(), measured))


if __name__ == "__main__":
    main()

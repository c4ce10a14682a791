"""A demo: a class is scheduled and held, and then every mark appears. It needs no Google account and no Java.

These parts are real: the functions (served by functions-framework from `main.py`), Google's official clients, and the
embedded store. These parts are simulated: Google's services, and the delivery of the event.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.local.classes import believable_class
from infra.local.delivery import Trigger, deliver
from infra.local.function_server import ROOT, function_server
from infra.local.google_apis import GoogleApis
from infra.local.meet import MeetSimulator
from infra.local.processes import StartError, bypass_proxies, terminate_as_interrupt
from infra.local.school import Account, School
from infra.local.subscriptions import WorkspaceEventsSimulator
from infra.local.workspace_events import conference_ended

FOLDER = ROOT / ".local" / "demo"
LENGTH = timedelta(minutes=50)
SETTLE = timedelta(seconds=4)


def main() -> None:
    """The command `make demo`."""
    parser = argparse.ArgumentParser(
        prog="make demo",
        usage="make demo [PEOPLE=40] [SEED=2]  (or .venv/bin/python -m infra.local.demo --people 40 --seed 2)",
        description=__doc__,
    )
    parser.add_argument("--people", type=_people, default=14, help="how many were in the class (default: 14)")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another class (default: 7)")
    arguments = parser.parse_args()
    terminate_as_interrupt()
    bypass_proxies()
    try:
        run(FOLDER, people=arguments.people, seed=arguments.seed, console=Console(highlight=False, soft_wrap=True))
    except StartError as error:
        sys.exit(f"The demo cannot start. {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped.")


def run(folder: Path, *, people: int, seed: int, console: Console) -> None:
    """Schedule a class, hold it, and show every mark. The folder's old content is deleted."""
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    start = datetime.now(UTC) - LENGTH
    teacher, *pupils = demo_accounts(people)
    school = School(lambda: datetime.now(UTC))
    school.enrol(teacher, *pupils)
    store = folder / "attendance.db"
    with contextlib.ExitStack() as stack:
        meet = stack.enter_context(MeetSimulator(school, delay=timedelta(milliseconds=30)).in_thread())
        apis = stack.enter_context(GoogleApis(school).in_thread())
        subscriptions = stack.enter_context(WorkspaceEventsSimulator(school).in_thread())
        env = {
            "AUTH_MODE": "anonymous",
            "API_CALLERS": "*=admin",
            "MEET_API_ENDPOINT": meet.endpoint,
            "PEOPLE_API_ENDPOINT": apis.endpoint,
            "DIRECTORY_API_ENDPOINT": apis.endpoint,
            "WORKSPACE_EVENTS_API_ENDPOINT": subscriptions.endpoint,
            "ATTENDANCE_STORE": f"sqlite:///{store}",
            "ROOM_DEVICE_NAMES": "Room *",
            "SETTLE_SECONDS": str(int(SETTLE.total_seconds())),
        }
        api = stack.enter_context(function_server("api", env=env, log=folder / "api.log", signature="http"))
        function = stack.enter_context(function_server("on_workspace_event", env=env, log=folder / "function.log"))
        made = _schedule(api.url, teacher, pupils, start)
        console.print(f"[bold]1.[/] The LMS schedules a class of {len(pupils)} (POST {api.url}/api/schedule/class):")
        console.print(f"   {made['meeting_uri']}, session {made['session_id']}, teacher tracked: {made['tracking']}.")
        ended = datetime.now(UTC)
        held = believable_class(
            seed,
            people=people,
            start=start,
            length=ended - start,
            organizer=teacher.user,
            space=made["space"],
            meeting_code=made["meeting_code"],
            pupils=pupils,
            settled=False,
        )
        school.hold(held)
        console.print(f"[bold]2.[/] The class is held in the simulated Meet and ends ({held.name}).")
        console.print(f"[bold]3.[/] Its event is delivered to on_workspace_event at {function.url}:")
        trigger = Trigger(
            url=function.url,
            topic="projects/demo/topics/workspace-events",
            subscription="projects/demo/subscriptions/demo",
            backoff=(SETTLE, SETTLE),
            max_attempts=5,
        )
        message = conference_ended(held.name, organizer=held.organizer, at=ended)
        if not asyncio.run(deliver(trigger, message, on_answer=lambda status: _explain(status, console))):
            sys.exit(f"The function did not accept the event; its log is {function.program.log}.")
        sheet = _sheet(api.url, made["session_id"])
        pages = _save_pages(api.url, sheet["session"], folder)
    session, attendance = sheet["session"], sheet["attendance"]
    console.print(f"[bold]4.[/] The LMS requests the attendance (GET /api/sessions/{made['session_id']}/attendance):")
    console.print(_table(session, attendance))
    counts = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in session["counts"].items() if number)
    sync = session["sync"]
    console.print(
        f"   {counts}. {len(attendance)} attendance documents are stored, sync {sync['state']} after "
        f"{sync['attempts']} reads; the last took {sync['meet_calls']} calls to Meet."
    )
    console.print("   Pages to open in a browser or to print:")
    for page in pages:
        console.print(f"   {page}")
    console.print(f"   Documents: {store} (table 'documents'); the functions' logs: {folder}/*.log")
    console.print(f"   Took {time.monotonic() - began:.1f} s.")


def demo_accounts(people: int) -> list[Account]:
    """Return the teacher, and one pupil for every other person in the class. All are invented."""
    names = [
        "Ayşe Wróbel",
        "Мила Щука",
        "Ίων Ξηρός",
        "نور القمري",
        "林 小雨",
        "Chloé Quill",
        "Björn Ångmo",
        "मीरा झरना",
    ]
    return [
        Account("users/104729104729104729104", "teacher@school.example", display_name="Edna Moreau-Lys"),
        *(
            Account(
                f"users/1{number:020}",
                f"pupil{number}@school.example",
                display_name=names[(number - 1) % len(names)] + (f" {number}" if number > len(names) else ""),
            )
            for number in range(1, people)
        ),
    ]


def _schedule(url: str, teacher: Account, pupils: Sequence[Account], start: datetime) -> dict[str, Any]:
    body = {
        "teacher_email": teacher.email,
        "students": [{"email": pupil.email, "display_name": pupil.display_name} for pupil in pupils],
        "subject": "Mathematics",
        "class_id": "7b",
        "start_time": start.isoformat(),
        "duration_minutes": int(LENGTH.total_seconds()) // 60,
    }
    return _answer(httpx.post(f"{url}/api/schedule/class", json=body, timeout=60, trust_env=False))


def _sheet(url: str, session_id: str) -> dict[str, Any]:
    return _answer(httpx.get(f"{url}/api/sessions/{session_id}/attendance", timeout=60, trust_env=False))


def _save_pages(url: str, session: dict[str, Any], folder: Path) -> list[Path]:
    """Save the class's report, its register and its file for spreadsheets, as the API returns them."""
    report = f"/api/sessions/{session['session_id']}/attendance?format="
    register = f"/api/classes/{session['class_id']}/register?month={session['local_date'][:7]}&format="
    wanted = {
        "report.html": f"{report}html",
        "register.html": f"{register}html",
        "attendance.csv": f"{report}csv&bom=1",
    }
    for name, path in wanted.items():
        (folder / name).write_bytes(_good(httpx.get(f"{url}{path}", timeout=60, trust_env=False)).content)
    return [folder / name for name in wanted]


def _good(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        sys.exit(f"The API answered {response.status_code}: {response.text}")
    return response


def _answer(response: httpx.Response) -> dict[str, Any]:
    _good(response)
    answer: dict[str, Any] = response.json()
    return answer


def _people(text: str) -> int:
    people = int(text) if text.isdecimal() else 0
    if not 2 <= people <= 1000:  # noqa: PLR2004 - a teacher and a student; Meet's own largest conference
        raise argparse.ArgumentTypeError("should be between 2 and 1000")
    return people


def _explain(status: int, console: Console) -> None:
    if status == 503:  # noqa: PLR2004 - HTTP's own number
        console.print(
            f"   HTTP {status}: stored, but Meet does not show all ends yet. Delivered again in {SETTLE.seconds} s …"
        )
    else:
        console.print(f"   HTTP {status}: " + ("acknowledged." if status < 300 else "not taken."))  # noqa: PLR2004


def _table(session: dict[str, Any], people: Sequence[dict[str, Any]]) -> Table:
    """Show marks with their reasons and their sessions, so that a reader can check them."""
    table = Table(
        title=f"{session['subject']} {session['class_id']}, {_clock(session['scheduled_start'])} to "
        f"{_clock(session['scheduled_end'])} UTC, held {_clock(session['held_start'])} to "
        f"{_clock(session['held_end'])}",
        title_justify="left",
        caption="Present is the union of a person's sessions: two devices at once count once, time away does not "
        "count. A session whose end Meet never reports (…) counts until the end of the conference. Times are shown in "
        "whole seconds, rounded down; present is summed exactly and then rounded down.",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1),
    )
    table.add_column("Who")
    table.add_column("Mark", no_wrap=True)
    table.add_column("Why", min_width=44)
    table.add_column("Present", no_wrap=True, justify="right")
    table.add_column("Sessions", no_wrap=True)
    order = {"teacher": 0, "student": 1, "guest": 2}
    for person in sorted(people, key=lambda person: (order[person["role"]], person["display_name"])):
        who = person["display_name"] + ("" if person["role"] == "student" else f" ({_role(person)})")
        table.add_row(
            Text(who),
            Text((person["mark"] or "").replace("_", " ")),
            Text(person["status_reason"] or ""),
            str(timedelta(seconds=person["total_duration_seconds"])),
            _visits(person["sessions"]),
        )
    return table


def _role(person: dict[str, Any]) -> str:
    return person["role"] if person["role"] == "teacher" else f"{person['kind']} guest".replace("room guest", "room")


def _visits(sessions: Sequence[dict[str, Any]]) -> str:
    return "\n".join(
        f"{_clock(session['start_time'])}-{'…' if session['open'] else _clock(session['end_time'])}"
        for session in sessions
    )


def _clock(moment: str | None) -> str:
    return f"{datetime.fromisoformat(moment):%H:%M:%S}" if moment else "?"


if __name__ == "__main__":
    main()

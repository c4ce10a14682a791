"""See it happen: a simulated class ends, and its attendance appears. No Google account, no Java.

Real are the function (served by functions-framework from `main.py`), the official Meet client on the wire, and the
embedded store. Simulated are Meet itself and the delivery of the event.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from functions.adapters.database import Document
from functions.adapters.sqlite import SqliteDatabase
from infra.local.classes import believable_class
from infra.local.delivery import Trigger, deliver
from infra.local.function_server import ROOT, function_server
from infra.local.meet import MeetSimulator
from infra.local.processes import StartError, bypass_proxies, terminate_as_interrupt
from infra.local.school import Attendee, Conference, School
from infra.local.workspace_events import conference_ended

FOLDER = ROOT / ".local" / "demo"
SETTLE = timedelta(seconds=4)


def main() -> None:
    """The command `make demo`."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
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
    """Hold a class, let it end, and show what stands in the store; what was in the folder goes."""
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ended = datetime.now(UTC)
    held = believable_class(
        seed, people=people, start=ended - timedelta(minutes=50), length=timedelta(minutes=50), settled=False
    )
    school = School(lambda: datetime.now(UTC))
    school.hold(held)
    store = folder / "attendance.db"
    with MeetSimulator(school, delay=timedelta(milliseconds=30)).in_thread() as meet:
        env = {
            "AUTH_MODE": "anonymous",
            "MEET_API_ENDPOINT": meet.endpoint,
            "ATTENDANCE_STORE": f"sqlite:///{store}",
            "SETTLE_SECONDS": str(int(SETTLE.total_seconds())),
        }
        with function_server("on_workspace_event", env=env, log=folder / "function.log") as function:
            console.print(f"[bold]1.[/] A class of {people} ends in the simulated Meet ({held.name}).")
            console.print(f"[bold]2.[/] Its event is delivered to on_workspace_event at {function.url}:")
            trigger = Trigger(
                url=function.url,
                topic="projects/demo/topics/workspace-events",
                subscription="projects/demo/subscriptions/demo",
                backoff=(SETTLE, SETTLE),
                max_attempts=5,
            )
            message = conference_ended(held.name, organizer=held.organizer, at=ended)
            if not asyncio.run(deliver(trigger, message, on_answer=lambda status: _explain(status, console))):
                sys.exit(f"The function did not take the event; its log is {function.program.log}.")
    session, people_documents = asyncio.run(_stored(store, held))
    console.print(_table(session, people_documents, held))
    sync = session["sync"]
    console.print(
        f"[bold]3.[/] {len(people_documents)} attendance documents are stored, sync {sync['state']} after "
        f"{sync['attempts']} reads; the last took {sync['meet_calls']} calls to Meet."
    )
    console.print(f"   Documents: {store} (table 'documents'); the function's log: {folder / 'function.log'}")
    console.print(f"   Took {time.monotonic() - began:.1f} s.")


def _people(text: str) -> int:
    if not 1 <= int(text) <= 1000:  # noqa: PLR2004 - Meet's own largest conference
        raise argparse.ArgumentTypeError("should be between 1 and 1000")
    return int(text)


def _explain(status: int, console: Console) -> None:
    if status == 503:  # noqa: PLR2004 - HTTP's own number
        console.print(
            f"   HTTP {status}: stored, but Meet does not show all ends yet. Delivered again in {SETTLE.seconds} s …"
        )
    else:
        console.print(f"   HTTP {status}: " + ("acknowledged." if status < 300 else "not taken."))  # noqa: PLR2004


async def _stored(store: Path, held: Conference) -> tuple[dict[str, Any], Sequence[Document]]:
    database = SqliteDatabase(store)
    session = await database.get(f"sessions/{held.id}")
    if session is None:
        sys.exit(f"No session stands in {store}; the function's log is beside it.")
    return session.fields, await database.children(f"sessions/{held.id}/attendance")


def _table(session: dict[str, Any], people: Sequence[Document], held: Conference) -> Table:
    """Attendance as stored beside the sessions as they were in the simulated Meet, to check by hand."""
    meet = {f"{held.name}/participants/{attendee.id}": attendee for attendee in held.attendees}
    table = Table(
        title=f"Attendance of {session['session_id']}, "
        f"{_clock(session['actual_start'])} to {_clock(session['actual_end'])} UTC",
        title_justify="left",
        caption="Present is the union of a person's sessions: two devices at once count once, time away does not "
        "count. A session whose end Meet never told (…) counts until the conference's end. Times are shown cut to "
        "seconds; present is summed exactly and then cut.",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1),
    )
    table.add_column("Who")
    table.add_column("How", no_wrap=True)
    table.add_column("Joined", no_wrap=True)
    table.add_column("Left", no_wrap=True)
    table.add_column("Present", no_wrap=True, justify="right")
    table.add_column("Sessions in Meet", no_wrap=True)
    for fields in sorted(
        (person.fields for person in people),
        key=lambda fields: (fields["role"] != "teacher", -fields["total_duration_seconds"]),
    ):
        participant, _, _ = fields["sessions"][0]["participant_session"].partition("/participantSessions/")
        table.add_row(
            Text(fields["display_name"] + (" (teacher)" if fields["role"] == "teacher" else "")),
            fields["kind"],
            _clock(fields["first_joined_at"]),
            _clock(fields["last_left_at"]),
            str(timedelta(seconds=fields["total_duration_seconds"])),
            _visits(meet[participant]),
        )
    return table


def _visits(attendee: Attendee) -> str:
    visits = sorted(attendee.visits, key=lambda visit: visit.start)
    return "\n".join(f"{_clock(visit.start)}-{_clock(visit.end) if visit.end else '…'}" for visit in visits)


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}"


if __name__ == "__main__":
    main()

"""How large the one commit of a class meeting is: documents, bytes, index entries.

    python -m bench.commit_sizes [PEOPLE …]

The real application marks a class in a simulated Meet, in which everybody has two devices. The gate from the tests, in
front of the store, measures the commits with the indexes of `infra/firestore.indexes.json`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from functions import wiring
from functions.domain.conferences.model import Organizer, SyncSource
from functions.entrypoints.api.function import guarded
from functions.services.sync.conference import sync_conference
from functions.services.sync.meet.gathered import Request
from functions.settings import load
from infra.local.firestore_gate import embedded
from infra.local.firestore_gate.gate import Gate
from infra.local.firestore_gate.measure import Measure
from infra.local.google_apis import GoogleApis
from infra.local.meet import MeetSimulator
from infra.local.school import Account, Attendee, Conference, School, Visit

PEOPLE = (30, 250, 500, 1000)
_TEACHER = "users/1"


@dataclass(frozen=True, slots=True)
class _Class:
    """A class of this many pupils that has just ended."""

    pupils: int
    start: datetime

    def into(self, school: School) -> None:
        """Add an account for everybody."""
        school.enrol(Account(_TEACHER, "teacher@school.example", display_name="The Teacher"))
        school.enrol(*self._accounts())

    def _accounts(self) -> Iterator[Account]:
        for number in range(self.pupils):
            email = f"firstname.familyname{number}@students.school.example"
            yield Account(f"users/1{number:020}", email, display_name=f"Firstname Familyname {number}")

    def body(self) -> dict[str, Any]:
        """Return the request that schedules it."""
        students = [
            {"student_id": f"{number:08}", "email": one.email, "display_name": one.display_name}
            for number, one in enumerate(self._accounts())
        ]
        return {
            "teacher_email": "teacher@school.example",
            "students": students,
            "subject": "A lecture for everybody",
            "class_id": "lecture-7b",
            "start_time": self.start.isoformat(),
            "duration_minutes": 60,
        }

    def held(self, space: str, code: str) -> Conference:
        """Return the call: everybody came with two devices at once."""
        end = self.start + timedelta(minutes=60)
        visits = (Visit(self.start, end), Visit(self.start + timedelta(minutes=5), end - timedelta(minutes=5)))
        there = [Attendee("teacher", "signed_in", "The Teacher", _TEACHER, visits)]
        there += [
            Attendee(f"participant{number}", "signed_in", one.display_name or "", one.user, visits)
            for number, one in enumerate(self._accounts())
        ]
        return Conference("8f7c2b1e-conference", space, code, _TEACHER, self.start, end, tuple(there))


async def marked(pupils: int, gate: Gate) -> Measure:
    """Return the largest commit that the gate sees for a class of this many pupils, from scheduling to marks."""
    now = datetime.now(UTC).replace(microsecond=0)
    the_class = _Class(pupils, now - timedelta(minutes=90))
    school = School(lambda: now)
    the_class.into(school)
    gate.commits.clear()
    with (
        tempfile.TemporaryDirectory() as folder,
        MeetSimulator(school).in_thread() as meet,
        GoogleApis(school).in_thread() as apis,
    ):
        settings: dict[str, Any] = {
            "auth_mode": "anonymous",
            "meet_api_endpoint": meet.endpoint,
            "people_api_endpoint": apis.endpoint,
            "directory_api_endpoint": apis.endpoint,
            "attendance_store": f"sqlite:///{Path(folder) / 'attendance.db'}",
            "api_callers": "*=admin",
            "meet_reads_per_minute": 0,
            "meet_project_reads_per_minute": 0,
        }
        app = wiring.build(load(**settings))
        try:
            transport = httpx.ASGITransport(guarded(app))
            async with httpx.AsyncClient(transport=transport, base_url="http://api", timeout=120) as api:
                made = (await api.post("/api/schedule/class", json=the_class.body())).raise_for_status().json()
            conference = the_class.held(made["space"], made["meeting_code"])
            school.hold(conference)
            await sync_conference(
                Request(conference.name, Organizer(user=_TEACHER), conference.end, SyncSource.EVENT), deps=app.deps
            )
        finally:
            await app.close()
    return max(gate.commits, key=lambda commit: commit.counted_bytes)


def line(pupils: int, measure: Measure) -> str:
    """Return a line of the table in docs/documents.md."""
    mebi = 1024 * 1024
    return (
        f"| {pupils:,} | {measure.writes:,} | {measure.request_bytes / mebi:.2f} | {measure.document_bytes / mebi:.2f} "
        f"| {measure.entries:,} | {measure.entry_bytes / mebi:.2f} | {measure.counted_bytes / mebi:.2f} |"
    )


def main(arguments: list[str]) -> None:
    """Print the table."""
    gate = Gate()
    embedded.install(gate)
    print("| people | documents | request MiB | documents MiB | index entries | their MiB | counted MiB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for pupils in map(int, arguments) if arguments else PEOPLE:
        print(line(pupils, asyncio.run(marked(pupils, gate))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

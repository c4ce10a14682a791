"""All simulated services of Google, with a world of data."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from infra.local.chaos.world import NEW, OLD, World
from infra.local.emulators import firestore_program, pubsub_emulator
from infra.local.firestore_gate.gate import Gate
from infra.local.firestore_gate.proxy import gated
from infra.local.google_apis import GoogleApis
from infra.local.meet import MeetSimulator
from infra.local.processes import Program
from infra.local.school import School
from infra.local.subscriptions import WorkspaceEventsSimulator

SETTLE = 8
"""SETTLE_SECONDS of both runs."""


@dataclass(frozen=True, slots=True)
class Emulators:
    """The real emulators that both runs use, each run with its own project; Firestore's emulator is behind a gate."""

    firestore: str
    firestore_program: Program
    pubsub: str
    gate: Gate


@contextlib.contextmanager
def emulators(folder: Path) -> Iterator[Emulators]:
    """Start Firestore and Pub/Sub of the Google Cloud SDK only for this run, because the run pauses them."""
    gate = Gate()
    with (
        firestore_program(folder) as (address, program),
        gated(address, gate) as firestore,
        pubsub_emulator(folder) as pubsub,
    ):
        yield Emulators(firestore, program, pubsub, gate)


@dataclass(slots=True)
class Clock:
    """The time of the stand-ins: the real time, or later, so that hours pass in a moment."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        """Now."""
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True, slots=True)
class Google:
    """Meet, People, the Directory and Workspace Events, each a stand-in on loopback."""

    school: School
    meet: MeetSimulator
    apis: GoogleApis
    events: WorkspaceEventsSimulator
    clock: Clock

    def refused(self) -> list[str]:
        """Return every call that Google would have refused."""
        gates = {
            "Meet": self.meet.refusals,
            "People or the Directory": self.apis.refusals,
            "Workspace Events": self.events.refusals,
        }
        return [
            f"{name} would have refused: {refusal}"
            for name, refusals in gates.items()
            for refusal in dict.fromkeys(map(str, refusals.take()))
        ]

    def settings(self, using: Emulators, project: str) -> dict[str, str]:
        """Return the environment of functions that use it."""
        return {
            "AUTH_MODE": "anonymous",
            "API_CALLERS": "*=admin",
            "ALLOWED_DOMAINS": f"{OLD},{NEW}",
            "GOOGLE_CLOUD_PROJECT": project,
            "FIRESTORE_EMULATOR_HOST": using.firestore,
            "MEET_API_ENDPOINT": self.meet.endpoint,
            "PEOPLE_API_ENDPOINT": self.apis.endpoint,
            "DIRECTORY_API_ENDPOINT": self.apis.endpoint,
            "WORKSPACE_EVENTS_API_ENDPOINT": self.events.endpoint,
            "MEET_READS_PER_MINUTE": "0",
            "MEET_PROJECT_READS_PER_MINUTE": "0",
            "SETTLE_SECONDS": str(SETTLE),
        }


@contextlib.asynccontextmanager
async def serve(world: World) -> AsyncIterator[Google]:
    """Serve a world in Google's stand-ins."""
    clock = Clock()
    school = School(clock)
    world.into(school)
    with contextlib.ExitStack() as stack:
        meet = stack.enter_context(MeetSimulator(school, page_size_cap=3, empty_pages=True).in_thread())
        apis = stack.enter_context(GoogleApis(school).in_thread())
        events = stack.enter_context(WorkspaceEventsSimulator(school).in_thread())
        yield Google(school, meet, apis, events, clock)

"""Ours: the real function in its own process gets events like from Eventarc; its time and CPU time are measured."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from bench.stack import FOLDER
from infra.local.delivery import Trigger, http_client
from infra.local.function_server import Served, function_server
from infra.local.school import Conference
from infra.local.workspace_events import Message, conference_ended

_TOPIC = "projects/demo-bench/topics/workspace-events"
_SUBSCRIPTION = "projects/demo-bench/subscriptions/workspace-events"

AT_ONCE = 250
"""How many events are delivered at the same time."""

ATTEMPTS = 5


class WrongResult(RuntimeError):
    """Firestore does not contain the expected documents, so the time means nothing."""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds on the clock, and CPU seconds of a process."""

    wall: float
    cpu: float


class Function:
    """The function that handles events, in its own process.

    Args:
        served: The running function.
        client: The client that posts the events.
    """

    def __init__(self, served: Served, client: httpx.AsyncClient) -> None:
        self._served = served
        self._client = client
        self._trigger = Trigger(served.url, _TOPIC, _SUBSCRIPTION)

    async def ended(self, conference: Conference, *, at: datetime | None = None) -> Took:
        """Deliver the event that a conference ended. It is answered after the documents are committed.

        Args:
            conference: The conference.
            at: The end of the conference in the event; by default now.

        Raises:
            WrongResult: It was not acknowledged.
        """
        event = conference_ended(conference.name, organizer=conference.organizer, at=at or datetime.now(UTC))
        began, used = time.perf_counter(), cpu_seconds(self._served.program.pid)
        status = await self._trigger.post(self._client, event)
        took = Took(time.perf_counter() - began, cpu_seconds(self._served.program.pid) - used)
        if status != httpx.codes.OK:
            raise WrongResult(f"The function answered {status}:\n{self._served.program.tail()}")
        return took

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Deliver other events at the same time, each until it is acknowledged.

        Raises:
            WrongResult: One of them was never acknowledged.
        """
        for first in range(0, len(messages), AT_ONCE):
            waiting = list(messages[first : first + AT_ONCE])
            for _ in range(ATTEMPTS):
                statuses = await asyncio.gather(*(self._trigger.post(self._client, each) for each in waiting))
                told = zip(waiting, statuses, strict=True)
                waiting = [message for message, status in told if status != httpx.codes.OK]
                if not waiting:
                    break
            else:
                raise WrongResult(f"The function does not acknowledge an event:\n{self._served.program.tail()}")

    async def ended_status(self, conference: Conference, *, at: datetime) -> tuple[int, float]:
        """Deliver the event that a conference ended once; return the HTTP status and the seconds that it took."""
        event = conference_ended(conference.name, organizer=conference.organizer, at=at)
        began = time.perf_counter()
        return await self._trigger.post(self._client, event), time.perf_counter() - began

    def most_memory(self) -> int:
        """Return its maximum memory, in bytes."""
        status = Path(f"/proc/{_worker(self._served.program.pid)}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+)", status)
        return int(found[1]) * 1024 if found else 0


@contextlib.asynccontextmanager
async def running_function(env: Mapping[str, str], *, log: str = "function") -> AsyncIterator[Function]:
    """Give the function with these settings; it is ended on exit."""
    with contextlib.ExitStack() as stack:
        server = function_server("on_workspace_event", env=env, log=FOLDER / f"{log}.log")
        # Starting it blocks, but the stand-ins of this process run in other threads.
        served = await asyncio.to_thread(stack.enter_context, server)
        async with http_client() as client:
            yield Function(served, client)


def settings(*, meet: str, apis: str | None, firestore: str, project: str) -> Mapping[str, str]:
    """Return the environment of a function whose services are on this machine.

    Args:
        meet: `host:port` of the simulated Meet.
        apis: The address of the People and Directory APIs; None if they are not used.
        firestore: `host:port` of the emulator.
        project: The Firestore project that it writes to.
    """
    identities = {"PEOPLE_API_ENDPOINT": apis, "DIRECTORY_API_ENDPOINT": apis} if apis else {}
    return {
        "AUTH_MODE": "anonymous",
        "MEET_API_ENDPOINT": f"http://{meet}",
        "MEET_READS_PER_MINUTE": "0",
        "MEET_PROJECT_READS_PER_MINUTE": "0",
        "FIRESTORE_EMULATOR_HOST": firestore,
        "GOOGLE_CLOUD_PROJECT": project,
        **identities,
    }


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of the threads of a process and its children, in nanosecond steps.

    It comes from /proc/PID/task/TID/schedstat.
    """
    used, pids = 0, [pid]
    while pids:
        each = pids.pop()
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                with contextlib.suppress(OSError):
                    used += int((task / "schedstat").read_text().split()[0])
                    pids.extend(int(child) for child in (task / "children").read_text().split())
    return used / 1e9


def _worker(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else pid

"""The time from the start of a process to its first answered event.

Our function, and a bare function with the same clients.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx

from bench.conference import PROJECT, Stack
from bench.documents import Documents
from bench.figures import Pairs, Start
from bench.function import Took, WrongResult, cpu_seconds, settings
from bench.school import accounts
from bench.stack import FOLDER, ROOT
from infra.local.delivery import Trigger, http_client
from infra.local.processes import Program, free_port
from infra.local.school import Conference
from infra.local.workspace_events import Message, conference_ended

_WITHIN = 60.0
_TOPIC, _SUBSCRIPTION = "projects/demo-bench/topics/events", "projects/demo-bench/subscriptions/events"


async def measure_start(conference: Conference, stack: Stack, *, runs: int, step: Callable[[str], None]) -> Start:
    """Start each of them this many times, in turn.

    Args:
        conference: The conference of the first event; a small one.
        stack: The addresses of the services.
        runs: The number of pairs.
        step: Is called with the next step.

    Raises:
        WrongResult: One of them did not answer its first event.
    """
    ours = settings(meet=stack.meet, apis=stack.apis.endpoint, firestore=stack.firestore, project=PROJECT)
    bare = {
        "MEET": stack.meet,
        "CONFERENCE_RECORD": conference.name,
        "PEOPLE": stack.apis.endpoint,
        "PERSON": accounts(1)[0].user.replace("users/", "people/"),
        "FIRESTORE_EMULATOR_HOST": stack.firestore,
        "GOOGLE_CLOUD_PROJECT": PROJECT,
    }
    event = conference_ended(conference.name, organizer=conference.organizer, at=datetime.now(UTC))
    pairs = []
    documents = Documents(stack.firestore, PROJECT)
    async with http_client() as client:
        for run in range(runs + 1):
            step(f"start, {run} of {runs}")
            await documents.clear()
            pair = (
                await _started(ROOT / "main.py", "on_workspace_event", ours, event, client),
                await _started(ROOT / "bench/bare_function.py", "on_event", bare, event, client),
            )
            if run:  # in the first pair, nothing is compiled yet and the disk cache is empty
                pairs.append(pair)
    await documents.close()
    return Start(_pairs([pair[0] for pair in pairs]), _pairs([pair[1] for pair in pairs]))


async def _started(
    source: Path, target: str, env: Mapping[str, str], event: Message, client: httpx.AsyncClient
) -> Took:
    port = free_port()
    command = [
        *(sys.executable, "-m", "functions_framework", "--source", str(source), "--target", target),
        *("--signature-type", "cloudevent", "--host", "127.0.0.1", "--port", str(port)),
    ]
    trigger = Trigger(f"http://127.0.0.1:{port}", _TOPIC, _SUBSCRIPTION)
    began = time.perf_counter()
    # The build in the cloud compiles all modules; here the first pair does, unless a variable forbids to keep them.
    unset = {"K_SERVICE": None, "PORT": None, "PYTHONDONTWRITEBYTECODE": None}
    program = Program(command, log=FOLDER / "start.log", env={**unset, **env}, cwd=ROOT)
    try:
        while (status := await trigger.post(client, event)) == 599:  # noqa: PLR2004 - nobody listens yet
            if time.perf_counter() - began > _WITHIN:
                break
            await asyncio.sleep(0.005)
        took = Took(time.perf_counter() - began, cpu_seconds(program.pid))
        if status != httpx.codes.OK:
            raise WrongResult(f"{source.name} answered {status}:\n{program.tail()}")
        return took
    finally:
        program.stop()


def _pairs(runs: list[Took]) -> Pairs:
    return Pairs(wall=tuple(each.wall for each in runs), cpu=tuple(each.cpu for each in runs))

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

from bench.conference.documents import Documents
from bench.conference.function import Took, WrongResult, cpu_seconds
from bench.conference.school import accounts
from bench.conference.services import PROJECT, Stack
from bench.figures.model import Pairs, Start
from bench.stack import FOLDER, ROOT
from bench.start.imports import LISTED, slowest
from infra.local.delivery import Trigger, http_client
from infra.local.processes import Program, free_port
from infra.local.school import Conference
from infra.local.workspace_events import Message, conference_ended

LISTINGS = 3
"""How often each is started so that it lists its imports; this takes time, so these starts are not measured."""

_WITHIN = 60.0
_LOG = FOLDER / "start.log"
_OURS, _BARE = (ROOT / "main.py", "on_workspace_event"), (ROOT / "bench/start/bare_function.py", "on_event")
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
    ours = stack.settings()
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
    imports: list[str] = []
    imports_of_bare: list[str] = []
    documents = Documents(stack.firestore, PROJECT)
    async with http_client() as client:
        for run in range(runs + 1):
            step(f"start, {run} of {runs}")
            await documents.clear()
            pair = (
                await _started(_OURS, ours, event, client),
                await _started(_BARE, bare, event, client),
            )
            if run:  # in the first pair, nothing is compiled yet and the disk cache is empty
                pairs.append(pair)
        for run in range(1, LISTINGS + 1):
            step(f"start, imports, {run} of {LISTINGS}")
            for function, env, printed in ((_OURS, ours, imports), (_BARE, bare, imports_of_bare)):
                await documents.clear()
                await _started(function, {**env, **LISTED}, event, client)
                printed.append(_LOG.read_text(errors="replace"))
    await documents.close()
    return Start(
        _pairs([pair[0] for pair in pairs]),
        _pairs([pair[1] for pair in pairs]),
        slowest(ours=imports, bare=imports_of_bare),
    )


async def _started(
    function: tuple[Path, str], env: Mapping[str, str], event: Message, client: httpx.AsyncClient
) -> Took:
    source, target = function
    port = free_port()
    command = [
        *(sys.executable, "-m", "functions_framework", "--source", str(source), "--target", target),
        *("--signature-type", "cloudevent", "--host", "127.0.0.1", "--port", str(port)),
    ]
    trigger = Trigger(f"http://127.0.0.1:{port}", _TOPIC, _SUBSCRIPTION)
    began = time.perf_counter()
    # The build in the cloud compiles all modules; here the first pair does, unless a variable forbids to keep them.
    unset = {"K_SERVICE": None, "PORT": None, "PYTHONDONTWRITEBYTECODE": None}
    program = Program(command, log=_LOG, env={**unset, **env}, cwd=ROOT)
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

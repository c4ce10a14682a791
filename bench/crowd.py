"""Many conferences that end at the same time, in one instance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from bench.conference import PROJECT, Stack
from bench.documents import Documents, attendance
from bench.figures import Crowd
from bench.function import WrongResult, running_function, settings
from infra.local.school import Conference


async def measure_crowd(conferences: Sequence[Conference], stack: Stack, *, step: Callable[[str], None]) -> Crowd:
    """Deliver the events of all conferences at the same time to a new instance.

    Raises:
        WrongResult: Somebody's attendance was not written.
    """
    step(f"{len(conferences)} conferences at once")
    documents = Documents(stack.firestore, PROJECT)
    await documents.clear()
    env = settings(meet=stack.meet, apis=stack.apis.endpoint, firestore=stack.firestore, project=PROJECT)
    async with running_function(env, log="crowd") as function:
        started = function.most_memory()
        began = time.perf_counter()
        await asyncio.gather(*(function.ended(conference) for conference in conferences))
        seconds, memory = time.perf_counter() - began, function.most_memory()
    stored = len(attendance(await documents.all()))
    await documents.close()
    people = sum(len(conference.attendees) for conference in conferences)
    if stored != people:
        raise WrongResult(f"{stored} attendance documents are stored for {people} people.")
    return Crowd(len(conferences), people, seconds, started, memory)

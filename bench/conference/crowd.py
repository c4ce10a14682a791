"""Many conferences that end at the same time, in one instance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from bench.conference.documents import Documents, attendance
from bench.conference.function import WrongResult, running_function
from bench.conference.services import PROJECT, Stack
from bench.figures.model import Crowd
from infra.local.school import Conference


async def measure_crowd(conferences: Sequence[Conference], stack: Stack, *, step: Callable[[str], None]) -> Crowd:
    """Deliver the events of all conferences at the same time to a new instance.

    Raises:
        WrongResult: Somebody's attendance was not written.
    """
    step(f"{len(conferences)} conferences at once")
    documents = Documents(stack.firestore, PROJECT)
    await documents.clear()
    async with running_function(stack.settings(), log="crowd") as function:
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

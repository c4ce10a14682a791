"""A conference that is read from a Meet that answers 429 to half of all calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import httpx

from bench.conference.documents import Documents, Message, differing
from bench.conference.function import WrongResult, running_function
from bench.conference.school import Class
from bench.conference.services import PROJECT, Stack, running_meet
from bench.figures.model import Refusing

SHARE = 0.5


async def measure_refusing(
    held: Class, stack: Stack, *, delay_ms: float, runs: int, seed: int, step: Callable[[str], None]
) -> Refusing:
    """Read a class undisturbed, then from a Meet that refuses half of all calls, with another seed each time.

    Raises:
        WrongResult: The undisturbed read failed.
    """
    event = datetime.now(UTC)
    step("a Meet that refuses nothing")
    status, _, documents = await _read(held, stack, event)
    undisturbed = stack.asked().calls.total()
    if status != httpx.codes.OK:
        raise WrongResult(f"The function answered {status} although Meet refused nothing.")
    calls, refused, different, seconds, failed = [], [], [], [], 0
    for run in range(runs):
        step(f"a Meet that refuses half of all calls, {run + 1} of {runs}")
        with running_meet([held.conference], delay_ms=delay_ms, refuse=SHARE, seed=seed + run) as meet:
            refusing = replace(stack, meet=meet)
            status, took, found = await _read(held, refusing, event)
            asked = refusing.asked()
        calls.append(asked.calls.total())
        refused.append(asked.refused)
        seconds.append(took)
        failed += status != httpx.codes.OK
        different.append(len(differing(documents, found)))
    return Refusing(
        people=len(held.conference.attendees),
        undisturbed=undisturbed,
        calls=tuple(calls),
        refused=tuple(refused),
        failed=failed,
        differing=tuple(different),
        seconds=tuple(seconds),
    )


async def _read(held: Class, stack: Stack, event: datetime) -> tuple[int, float, dict[str, Message]]:
    """Return the status of the event, the seconds that it took, and all documents afterwards."""
    documents = Documents(stack.firestore, PROJECT)
    try:
        await documents.put_back(held.documents)
        async with running_function(stack.settings(), log="refusing") as function:
            stack.calls()
            status, seconds = await function.ended_status(held.conference, at=event)
        return status, seconds, await documents.all()
    finally:
        await documents.close()

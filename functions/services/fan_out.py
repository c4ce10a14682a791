"""Hand out one job for each of many, spread over time, so that what they ask of Google comes evenly.

One call of the jobs' function lasts minutes at most, so it hands out what it can and leaves the rest to another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.ports import Job
from functions.services.deps import Deps

AT_ONCE = 5
"""How many a second are handed out at least: with five calls a second nobody's quota is felt."""

SHIFT = 240
"""Seconds that one call hands out jobs for; the function has 540."""

SOON = 60.0
"""Seconds that the rest is spread over at least when it is late."""

OVER = timedelta(minutes=10)
"""Over which time so many are spread that more than five a second are needed."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """Where a fan-out goes on: after whom, and by when it is to be done; empty for one that begins."""

    after: str = ""
    until: datetime | None = None


async def fan_out(
    names: Sequence[str],
    job: Callable[[str], Job],
    *,
    again: Callable[[Mapping[str, object]], Job],
    going_on: Continuation,
    deps: Deps,
    over: timedelta | None = None,
) -> int:
    """Hand out one job for each name, in order of the names. Done twice, everybody has two: jobs bear that.

    Args:
        names: All of them; those up to `going_on.after` were handed out before.
        job: The job for one.
        again: The job that goes on with the rest, given its data.
        going_on: Where an earlier call stopped.
        deps: The outside world.
        over: Over which time they are spread, however many; None hands out five a second however long it takes.

    Returns:
        How many were handed out.

    Raises:
        Retryable: The jobs' topic does not take them; some were handed out.
    """
    left = sorted(name for name in names if name > going_on.after)
    until = going_on.until or (deps.clock() + over if over else None)
    seconds = max((until - deps.clock()).total_seconds(), SOON) if until else math.inf
    per_second = max(AT_ONCE, math.ceil(len(left) / seconds))
    done, ends_at = 0, deps.clock() + timedelta(seconds=SHIFT)
    # Both count: handing out may itself take its time, and a clock that stands still must not keep it going for ever.
    for second in range(SHIFT):
        if done == len(left):
            return done
        if second:
            await deps.pause(1.0)
        if deps.clock() >= ends_at:
            break
        batch = left[done : done + per_second]
        await deps.jobs.publish([job(name) for name in batch])
        done += len(batch)
    if done < len(left):
        data: dict[str, object] = {"after": left[done - 1]}
        await deps.jobs.publish([again(data | ({"until": until.isoformat()} if until else {}))])
    return done

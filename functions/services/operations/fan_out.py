"""Hand out one job for each of many items, spread over time, so that calls to Google are spread evenly.

One call of the jobs' function lasts minutes at most, so it hands out what it can and leaves the rest to another. It
reads no more names than it can hand out: the next message reads the rest.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from functions.ports.messages import Job
from functions.services.deps import Deps

SHIFT = 240
"""For how many seconds one call hands out jobs; the function has 540."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many jobs a second are handed out: at least `slowest`, and up to `fastest` if there are many."""

    slowest: int
    fastest: int

    @property
    def most(self) -> int:
        """How many one call hands out at most."""
        return self.fastest * SHIFT


@dataclass(frozen=True, slots=True)
class Item:
    """One job to hand out, and its place in the order of all: a fan-out continues after the place where it stopped."""

    place: str
    job: Job


Source = Callable[[str, int], Awaitable[Sequence[Item]]]
"""Returns the items after a place, in order, at most the given number. The empty place comes before all others."""


async def fan_out(source: Source, *, job: str, after: str, pace: Pace, deps: Deps) -> int:
    """Hand out one job for each item, in order. If this runs twice, every job is handed out twice, which does no harm.

    Args:
        source: All of them.
        job: The job that continues with the rest.
        after: The place where an earlier call stopped; empty for the first call.
        pace: How fast.
        deps: The outside world.

    Returns:
        How many were handed out.

    Raises:
        Retryable: The store does not answer, or the jobs' topic does not accept the jobs; some were handed out.
    """
    ends_at = deps.clock() + timedelta(seconds=SHIFT)
    left = await source(after, pace.most + 1)
    per_second = min(max(pace.slowest, math.ceil(len(left) / SHIFT)), pace.fastest)
    done = 0
    # Both limits count: handing out itself may take long, and a stopped clock must not keep it running for ever.
    for second in range(SHIFT):
        if done == len(left):
            return done
        if second:
            await deps.pause(1.0)
        if deps.clock() >= ends_at:
            break
        batch = left[done : done + per_second]
        await deps.jobs.publish([item.job for item in batch])
        done += len(batch)
    if done < len(left):
        await deps.jobs.publish([Job(job, {"after": left[done - 1].place if done else after})])
    return done

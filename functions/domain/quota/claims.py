"""How instances share one quota: each claims what it needs, and together they are never granted more than there is.

An instance keeps its own small share in any case. It claims more only while calls wait, and gives it back afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=1)
"""A quota counts the calls of a minute, so what one instance gives up is free for another a minute later."""

LEASE = timedelta(seconds=30)
"""How long a claim holds if it is not made again, because its instance may have ended."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one instance claims.

    Attributes:
        wanted: How many calls a minute it could use.
        granted: How many it may make.
        until: When that ends.
        past: Larger numbers that it was granted before, each with the time at which the minute after it ends.
    """

    wanted: int
    granted: int
    until: datetime
    past: tuple[tuple[int, datetime], ...] = ()

    def counted(self, now: datetime) -> int:
        """How many calls others must leave to it."""
        grants = ((self.granted, self.until + WINDOW), *self.past)
        return max((granted for granted, until in grants if now < until), default=0)


def claimed(claims: Mapping[str, Claim], instance: str, *, wanted: int, total: int, now: datetime) -> dict[str, Claim]:
    """All claims after an instance has claimed `wanted` calls a minute; claims without effect are left out.

    What is wanted is divided so that nobody gets less than another who wants more. The instance gets its part of that,
    as far as the others already leave it.
    """
    others = {name: claim for name, claim in claims.items() if name != instance and _has_effect(claim, now)}
    wishes = [claim.wanted for claim in others.values() if now < claim.until]
    left = total - sum(claim.counted(now) for claim in others.values())
    granted = max(min(_fair_part(wanted, wishes, total), left), 0)
    mine = Claim(wanted, granted, now + LEASE, _past(claims.get(instance), granted, now))
    return {**others, instance: mine} if _has_effect(mine, now) else others


def _has_effect(claim: Claim, now: datetime) -> bool:
    return bool(claim.counted(now)) or (claim.wanted > 0 and now < claim.until)


def _past(before: Claim | None, granted: int, now: datetime) -> tuple[tuple[int, datetime], ...]:
    """The grants of the last minute that were larger than a new one."""
    if before is None:
        return ()
    grants = (*before.past, (before.granted, min(now, before.until) + WINDOW))
    return tuple((number, until) for number, until in grants if number > granted and now < until)


def _fair_part(wanted: int, others: list[int], total: int) -> int:
    """The largest part that nobody envies: what small wishes leave is divided among the large ones."""
    left, wishes = total, sorted([wanted, *others])
    for number, wish in enumerate(wishes):
        part = left // (len(wishes) - number)
        if wish >= part:
            return min(wanted, part)
        if wish == wanted:
            return wanted
        left -= wish
    return wanted

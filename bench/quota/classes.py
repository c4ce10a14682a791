"""Which classes end, how many calls each takes, and what the quota alone dictates."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from functions.adapters.google.meet.conferences import PAGE_SIZE

SMALL = 30


@dataclass(frozen=True, slots=True)
class Ended:
    """One class: how many were in it, and when it ended, in seconds."""

    number: int
    people: int
    at: float

    @property
    def calls(self) -> int:
        """Calls to Meet for all of it: its record, its room, its pages, and everybody's sessions."""
        return 2 + math.ceil(self.people / PAGE_SIZE) + self.people


def ended(sizes: Sequence[tuple[int, int]], *, seed: int, within: float = 60.0) -> list[Ended]:
    """Classes that end at random moments of a minute, in the order of their ends.

    Args:
        sizes: How many classes of how many people.
        seed: Another seed is another minute.
        within: How long that minute is.
    """
    chance = random.Random(seed)
    people = [size for number, size in sizes for _ in range(number)]
    chance.shuffle(people)
    times = sorted(chance.uniform(0, within) for _ in people)
    return [Ended(number, size, at) for number, (size, at) in enumerate(zip(people, times, strict=True))]


def dictated(calls: int, quota: int) -> float:
    """The earliest moment at which so many calls can be made, if nothing else took any time.

    As many as the quota allows are made at the first moment, and as many again a minute later.
    """
    return 60.0 * ((calls - 1) // quota) if calls else 0.0


def dictated_for_small(classes: Sequence[Ended], quota: int) -> float:
    """The earliest moment at which half of the small classes can be read, if all others wait for them."""
    small = [each for each in classes if each.people == SMALL]
    return dictated(small[0].calls * ((len(small) + 1) // 2), quota) if small else 0.0

"""One run, and what came of it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.quota.classes import SMALL, Ended, dictated, dictated_for_small
from bench.quota.cloud import Cloud, Deployed
from bench.quota.instance import Instance, Meet, Store, now, quiet
from infra.local.quotas import MEET_OVERALL, meet_quotas
from infra.local.virtual_time import run


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run. Times are in seconds from the beginning of the minute in which the classes end.

    Attributes:
        name: Of the scenario.
        classes: How many there were.
        needed: How many calls all classes take.
        accepted: When Meet accepted each call.
        refused: How many calls Meet refused.
        answers: Messages acknowledged (204), given back (503), not taken (429).
        instances: How many instances there were.
        done: When each class was done, by its people.
        dead: How many messages became dead letters.
        commits: How often the common quota was written.
        dictated: When the quota alone allows the last call.
        dictated_for_small: When the quota alone allows half of the small classes.
    """

    name: str
    classes: int
    needed: int
    accepted: tuple[float, ...]
    refused: int
    answers: dict[int, int]
    instances: int
    done: dict[int, tuple[float, ...]]
    dead: int
    commits: int
    dictated: float
    dictated_for_small: float

    @property
    def last(self) -> float:
        """When the last class was done."""
        return max(max(times) for times in self.done.values())

    @property
    def median_small(self) -> float:
        """When half of the small classes were done."""
        return statistics.median(self.done[SMALL])

    @property
    def times_dictated(self) -> float:
        """How many times what the quota alone dictates the last class took; 0 if it dictates nothing."""
        return self.last / self.dictated if self.dictated else 0.0

    @property
    def small_times_dictated(self) -> float:
        """The same for the median small class."""
        return self.median_small / self.dictated_for_small if self.dictated_for_small else 0.0


def simulated(name: str, classes: Sequence[Ended], deployed: Deployed, *, seed: int) -> Outcome:
    """Let the classes end, and all be read."""
    quiet()
    return run(_simulated(name, classes, deployed, seed=seed))


async def _simulated(name: str, classes: Sequence[Ended], deployed: Deployed, *, seed: int) -> Outcome:
    meet, store = Meet(meet_quotas(now)), Store()
    cloud = Cloud(deployed, lambda: Instance(meet, store, deployed).handle, seed=seed)
    delivered = await cloud.deliver(classes)
    done: dict[int, list[float]] = {}
    for each in classes:
        if each.number in delivered.done_at:
            done.setdefault(each.people, []).append(delivered.done_at[each.number])
    return Outcome(
        name=name,
        classes=len(classes),
        needed=sum(each.calls for each in classes),
        accepted=tuple(meet.accepted),
        refused=meet.refused,
        answers=dict(delivered.answers),
        instances=delivered.instances,
        done={people: tuple(sorted(times)) for people, times in sorted(done.items())},
        dead=len(delivered.dead),
        commits=store.trips["commit"],
        dictated=dictated(sum(each.calls for each in classes), MEET_OVERALL),
        dictated_for_small=dictated_for_small(classes, MEET_OVERALL),
    )

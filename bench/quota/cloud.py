"""Pub/Sub and Cloud Run, as a deployment sets them up.

Pub/Sub pushes every message at once; one that is not acknowledged comes again after a pause that doubles. (The real one
pushes only as many at once as were lately acknowledged. Here none is held back, which makes pauses longer.)

Cloud Run gives a request to the instance with the fewest. It starts another instance when 60 % of the places are taken,
and refuses a request when none is free.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bench.quota.classes import Ended
from infra.doctor.wanted import read_wanted

STARTING = 3.0
"""Seconds from the first need of an instance until it answers."""

FULL = 0.6
"""The part of the places that is taken before another instance is started."""

NETWORK = 0.1
"""Seconds from Pub/Sub to an instance."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """The sizes of a deployment.

    Attributes:
        instances: Instances of the function that gets the events, at most.
        concurrency: Messages that one instance works on at once.
        own: Calls to Meet a minute that an instance makes without asking.
        shared: Calls to Meet a minute that all instances may make together; 0 if they do not share.
        first_pause: Seconds until a message comes again for the first time.
        longest_pause: Seconds until it comes again, at most.
        attempts: How often it comes before it is a dead letter.
    """

    instances: int
    concurrency: int
    own: int
    shared: int
    first_pause: float
    longest_pause: float
    attempts: int

    @classmethod
    def wanted(cls) -> Deployed:
        """As infra/deploy sets it up."""
        names = read_wanted()
        instances = int(names.one("MOST_INSTANCES"))
        return cls(
            instances=instances,
            concurrency=int(names.one("CONCURRENCY")),
            own=int(names.one("MEET_READS")) // (len(names.many("FUNCTIONS")) * instances),
            shared=int(names.one("MEET_SHARED_READS")),
            first_pause=float(names.one("SHORTEST_PAUSE").rstrip("s")),
            longest_pause=float(names.one("LONGEST_PAUSE").rstrip("s")),
            attempts=int(names.one("ATTEMPTS")),
        )


Handler = Callable[[Ended, float], Awaitable[bool]]
"""Answers a message about a class that was published at some time: whether it is acknowledged."""


@dataclass(slots=True)
class Delivered:
    """What became of the messages.

    Attributes:
        done_at: When each class was done, by its number.
        answers: How often a message was acknowledged (204), given back (503), or not taken (429).
        dead: Classes whose message is a dead letter.
        instances: How many instances were started.
    """

    done_at: dict[int, float] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    dead: list[int] = field(default_factory=list)
    instances: int = 0


class Cloud:
    """Delivers messages to instances.

    Args:
        deployed: The sizes.
        start: Makes an instance.
        seed: Another seed gives other pauses.
    """

    def __init__(self, deployed: Deployed, start: Callable[[], Handler], *, seed: int) -> None:
        self._deployed = deployed
        self._start = start
        self._chance = random.Random(seed)
        self._handlers: list[Handler] = []
        self._busy: list[int] = []
        self._starting = 0
        self._warm = asyncio.Event()
        self.delivered = Delivered()

    async def deliver(self, classes: Sequence[Ended]) -> Delivered:
        """Deliver a message about each class when it ends, until all are acknowledged or dead."""
        await asyncio.gather(*(self._until_done(each) for each in classes))
        self.delivered.instances = len(self._handlers)
        return self.delivered

    async def _until_done(self, ended: Ended) -> None:
        loop, deployed = asyncio.get_running_loop(), self._deployed
        await asyncio.sleep(ended.at - loop.time())
        for attempt in range(deployed.attempts):
            await asyncio.sleep(NETWORK)
            status = await self._request(ended)
            self.delivered.answers[status] += 1
            if status == 204:  # noqa: PLR2004 - acknowledged
                self.delivered.done_at[ended.number] = loop.time()
                return
            pause = min(deployed.first_pause * 2.0 ** min(attempt, 20), deployed.longest_pause)
            await asyncio.sleep(pause * self._chance.uniform(1.0, 1.1))
        self.delivered.dead.append(ended.number)

    async def _request(self, ended: Ended) -> int:
        self._scale()
        if not self._handlers:
            await self._warm.wait()
        place = min(range(len(self._busy)), key=self._busy.__getitem__)
        if self._busy[place] >= self._deployed.concurrency:
            return 429
        self._busy[place] += 1
        self._scale()
        try:
            return 204 if await self._handlers[place](ended, ended.at) else 503
        finally:
            self._busy[place] -= 1

    def _scale(self) -> None:
        there = len(self._handlers) + self._starting
        places = there * self._deployed.concurrency
        if there < self._deployed.instances and sum(self._busy) >= FULL * places:
            self._starting += 1
            asyncio.get_running_loop().call_later(STARTING, self._started)

    def _started(self) -> None:
        self._starting -= 1
        self._handlers.append(self._start())
        self._busy.append(0)
        self._warm.set()
        self._scale()

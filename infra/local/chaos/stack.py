"""The deployed system on this machine, made to be broken: instances that can be killed, deliveries that are counted."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx

from infra.local.delivery import Pubsub, Trigger
from infra.local.function_server import Served, start_function
from infra.local.processes import free_port
from infra.local.workspace_events import Message

BACKOFF = (timedelta(milliseconds=200), timedelta(seconds=2))
"""Deployed: ten seconds and ten minutes."""

QUIET = 3.0
"""Seconds without any delivery after which nothing is under way any more: longer than any backoff here."""


class Instance:
    """One instance of a function, which may be killed and comes up again at the same address."""

    def __init__(self, target: str, *, env: Mapping[str, str], folder: Path, number: int) -> None:
        self._target = target
        self._env = env
        self._log = folder / f"{target}-{number}.log"
        self._port = free_port()
        self._served: Served | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        kept = self._log.read_text(errors="replace") if self._log.exists() else ""
        self._served = start_function(self._target, env=self._env, log=self._log, port=self._port)
        await asyncio.to_thread(self._served.program.await_http, self.url)
        with self._log.with_suffix(".before.log").open("a") as before:
            before.write(kept)

    def kill(self) -> None:
        """SIGKILL: whatever it was doing is cut off."""
        if self._served:
            self._served.program.kill()
            self._served = None

    def stop(self) -> None:
        """End it."""
        if self._served:
            self._served.program.stop()
            self._served = None


@dataclass(slots=True)
class Traffic:
    """What was delivered: how many are under way, and the last time that anything was, by the loop's clock."""

    under_way: int = 0
    last: float = 0.0
    answers: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class WatchedTrigger(Trigger):
    """A trigger on several instances, one of which takes each delivery; counts what they answer."""

    instances: Sequence[Instance] = ()
    traffic: Traffic = field(default_factory=Traffic)

    async def post(self, client: httpx.AsyncClient, message: Message) -> int:
        """Deliver a message once; gives the HTTP status, 599 if nothing answered."""
        trigger = Trigger(random.choice(self.instances).url, self.topic, self.subscription)
        self.traffic.under_way += 1
        try:
            status = await trigger.post(client, message)
        finally:
            self.traffic.under_way -= 1
            self.traffic.last = asyncio.get_running_loop().time()
        self.traffic.answers[status] += 1
        return status


@contextlib.asynccontextmanager
async def delivered(
    pubsub: Pubsub, triggers: Sequence[Trigger], *, dead_letters: tuple[str, str]
) -> AsyncIterator[None]:
    """Topics, subscriptions, and what brings messages to the functions, as long as it lasts."""
    topic, subscription = dead_letters
    for trigger in triggers:
        await pubsub.set_up(trigger, dead_letter_topic=topic, dead_letter_subscription=subscription)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(pubsub.run(trigger)) for trigger in triggers]
        try:
            yield
        finally:
            for task in running:
                task.cancel()


async def quiet(traffic: Traffic, *, within: float, more_than: int = 0) -> None:
    """Wait until nothing is under way and nothing was delivered for a while; TimeoutError if that takes too long.

    Args:
        traffic: What is delivered.
        within: How many seconds that may take.
        more_than: How many deliveries there were before what is waited for was published.
    """
    async with asyncio.timeout(within):
        while sum(traffic.answers.values()) <= more_than:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.05)
        while traffic.under_way or asyncio.get_running_loop().time() - traffic.last < QUIET:  # noqa: ASYNC110 - silence has no event
            await asyncio.sleep(0.2)

"""The deployed system on this machine, for failures: its instances can be killed, and its deliveries are counted."""

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
"""After this many seconds without a delivery, nothing is running any more: this is longer than any backoff here."""


class Instance:
    """One instance of a function; it may be killed and started again at the same address."""

    def __init__(self, target: str, *, env: Mapping[str, str], folder: Path, number: int) -> None:
        self._target = target
        self._env = env
        self._log = folder / f"{target}-{number}.log"
        self._port = free_port()
        self._served: Served | None = None

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        kept = self._log.read_text(errors="replace") if self._log.exists() else ""
        self._served = start_function(self._target, env=self._env, log=self._log, port=self._port)
        await asyncio.to_thread(self._served.program.await_http, self.url)
        with self._log.with_suffix(".before.log").open("a") as before:
            before.write(kept)

    def kill(self) -> None:
        """Send SIGKILL: its current work is interrupted."""
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
    """The deliveries: the number of running ones, and the time of the last one by the event loop's clock."""

    under_way: int = 0
    last: float = 0.0
    answers: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class WatchedTrigger(Trigger):
    """A trigger on several instances: one of them gets each delivery. It counts their answers."""

    instances: Sequence[Instance] = ()
    traffic: Traffic = field(default_factory=Traffic)

    async def post(self, client: httpx.AsyncClient, message: Message) -> int:
        """Deliver a message once; return the HTTP status, or 599 if nothing answered."""
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
    """Run topics, subscriptions and the delivery of messages to the functions."""
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
    """Wait until nothing is running and nothing was delivered for a while; TimeoutError if this takes too long.

    Args:
        traffic: The deliveries.
        within: The maximum number of seconds.
        more_than: The number of deliveries before the awaited message was published.
    """
    async with asyncio.timeout(within):
        while sum(traffic.answers.values()) <= more_than:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.05)
        while traffic.under_way or asyncio.get_running_loop().time() - traffic.last < QUIET:  # noqa: ASYNC110 - silence has no event
            await asyncio.sleep(0.2)

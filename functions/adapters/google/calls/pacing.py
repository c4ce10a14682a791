"""How fast we may call: a maximum of calls in any minute, for each account and for all together.

The decisions are in `functions.domain.quota`; here calls wait for them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context

from functions.adapters.patience import PATIENCE, patience
from functions.domain.errors import AttendanceError, RateLimited
from functions.domain.quota.allowance import Allowance
from functions.domain.quota.queue import FairQueue, QueuedTask
from functions.ports.quota import SharedQuota

log = logging.getLogger(__name__)

CLAIM_AGAIN = 5.0
"""After how many seconds an instance claims its share of the common quota again, as long as calls wait."""

AFTER_ANSWER = 0.02
"""For how many seconds after an answer the quota stays reserved that the task may ask for now."""

BEGIN_AGAIN = 1.0
"""After how many seconds it is seen again whether a task may begin for which the quota of this minute was too small."""

CLAIM_ENDS = 5 * CLAIM_AGAIN
"""After how many seconds an instance no longer uses what it was granted, if it could not claim it again."""

Work = QueuedTask[asyncio.Future[None]]


class Pacing:
    """The limits of one instance: one for each organizer, and one for all of them together.

    Calls that must wait are made in the order of `FairQueue`: those of the task that is due first.

    Args:
        per_organizer: Calls a minute for one organizer; 0 means no limit.
        overall: Calls a minute for this instance; 0 means no limit.
        clock: Seconds, monotonic.
        sleep: Waits for the given number of seconds.
        shared: What this instance may use beyond `overall`, shared with other instances; None if nothing.
    """

    def __init__(
        self,
        *,
        per_organizer: int,
        overall: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        shared: SharedQuota | None = None,
    ) -> None:
        self._per_organizer = per_organizer
        self._own = overall
        self._clock = clock
        self._sleep = sleep
        self._shared = shared
        self._overall = Allowance(overall)
        self._organizers: OrderedDict[str, Allowance] = OrderedDict()
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()
        self._reserved = 0
        self._withheld = False
        self._timer: asyncio.Task[None] | None = None
        self._timer_at = 0.0
        self._claiming: asyncio.Task[None] | None = None
        self._granted_until = 0.0

    def task(self, organizer: str, *, expected: int = 1) -> Work:
        """A place in the queue for the calls that one message makes for one purpose.

        Args:
            organizer: Whose calls they are.
            expected: How many they will probably be. With more than one, `ended` must be called after each.
        """
        mine, now = patience(), self._clock()
        return QueuedTask(organizer, since=now - mine.age, until=now + mine.left_to_queue, expected=expected)

    async def turn(self, task: Work | str) -> None:
        """Wait until a call may be made; it counts from that moment.

        A task's calls are made in the order in which they were requested. A caller that stops waiting does not count,
        and a caller that waits for its own limit uses up nothing of the common one.

        Args:
            task: The task that the call is for; or the organizer, for a call by itself.

        Raises:
            RateLimited: The message has waited for as long as it may.
        """
        task = self.task(task) if isinstance(task, str) else task
        call: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reserved -= task.reserved
        self._queue.add(task, call)
        self._reserved += task.reserved
        self._dispatch()
        if call.done():
            return call.result()
        if task.until <= self._clock():
            self._refuse([task])
        with patience().queueing():
            try:
                return await call
            except asyncio.CancelledError:
                if call.done() and not call.cancelled() and call.exception() is None:
                    self._of(task.account).give_back()
                    self._overall.give_back()
                    self.ended(task)
                raise

    def ended(self, task: Work) -> None:
        """Record that a call has ended, with any result."""
        if self._overall.limit:
            # Its answer may let the task ask for the calls that are reserved for it: give it the time to do so.
            asyncio.get_running_loop().call_later(AFTER_ANSWER, self._release, task)
        else:
            self._release(task)

    def _release(self, task: Work) -> None:
        self._reserved -= task.reserved
        task.under_way -= 1
        self._reserved += task.reserved
        if self._withheld:
            self._dispatch()

    def refused(self, task: Work, *, everybody: bool) -> None:
        """Record that the service refused a call because a quota is exhausted.

        If this has been so for as long as a message waits for a service that fails, this task and all that wait are
        given up.

        Args:
            task: Whose call it was.
            everybody: Whether it is the quota for everybody, and not that for the organizer.
        """
        now = self._clock()
        allowance = self._overall if everybody else self._of(task.account)
        was_open = allowance.exhausted_since is None
        allowance.refused(now)
        since = allowance.exhausted_since
        if since is None:
            return
        if was_open:
            log.warning("quota.exhausted", extra={"of": "project" if everybody else "organizer"})
        if now - since >= PATIENCE:
            task.until = now
            self._refuse(each for each in self._queue.tasks() if everybody or each.account == task.account)

    def accepted(self, task: Work) -> None:
        """Record that the service accepted a call."""
        own = self._of(task.account)
        reopens = own.exhausted_since is not None or self._overall.exhausted_since is not None
        own.accepted()
        self._overall.accepted()
        if reopens:
            self._queue.call_back()
            self._dispatch()

    def _dispatch(self) -> None:
        """Let all calls be made that may be made now, and come back when the next one may."""
        now = self._clock()
        if self._claiming and now >= self._granted_until:
            self._overall.limit = self._own  # an instance may be stopped for a while between two messages
        again = None
        self._withheld = False
        while task := self._queue.first(now):
            call = task.calls[0]
            if call.done():
                task.calls.popleft()
                continue
            again = self._overall.ready_at(now)
            if again > now:
                self._claim_more()
                break
            if not task.made and not self._overall.has_room(now, reserved=self._reserved):
                self._claim_more()
                self._withheld, again = True, now + BEGIN_AGAIN
                break
            own = self._of(task.account)
            ready = own.ready_at(now)
            if ready <= now:
                self._reserved -= task.reserved
                task.calls.popleft()
                task.made += 1
                task.under_way += 1
                self._reserved += task.reserved
                own.take(now)
                self._overall.take(now)
                call.set_result(None)
            else:
                self._queue.set_first_aside(until=ready)
        else:
            again = self._queue.next_return()
        self._refuse(self._queue.overdue(now))
        if again is not None:
            end = self._queue.next_end()
            self._come_back(again if end is None else min(again, max(end, now)), now)

    def _come_back(self, at: float, now: float) -> None:
        if self._timer and self._timer_at <= at:
            return
        if self._timer:
            self._timer.cancel()
        self._timer_at = at
        # In a context of its own: it belongs to no message.
        self._timer = asyncio.create_task(self._wake(at - now), context=Context())

    async def _wake(self, seconds: float) -> None:
        await self._sleep(seconds)
        self._timer = None
        self._dispatch()

    def _refuse(self, tasks: Iterable[Work]) -> None:
        for task in tasks:
            while task.calls:
                call = task.calls.popleft()
                if not call.done():
                    call.set_exception(RateLimited("The message waited for a quota for as long as it may."))

    def _claim_more(self) -> None:
        if self._shared and self._claiming is None and self._overall.exhausted_since is None:
            self._claiming = asyncio.create_task(self._claim(self._shared), context=Context())

    async def _claim(self, shared: SharedQuota) -> None:
        """Use more than the own share as long as calls wait, and give it back."""
        try:
            while wanted := self._wanted():
                if (granted := await _granted(shared, wanted)) is not None:
                    self._overall.limit = max(granted, self._own)
                    self._granted_until = self._clock() + CLAIM_ENDS
                self._dispatch()
                await self._sleep(CLAIM_AGAIN)
            self._overall.limit = self._own
            await _granted(shared, 0)
        finally:
            self._overall.limit = self._own
            self._claiming = None

    def _wanted(self) -> int:
        """How many calls could be made in this minute; 0 if none waits."""
        waiting = sum(max(len(task.calls), task.expected - task.made) for task in self._queue.tasks())
        return waiting and waiting + self._overall.taken(self._clock())

    def _of(self, organizer: str) -> Allowance:
        if organizer not in self._organizers:
            self._organizers[organizer] = Allowance(self._per_organizer)
        self._organizers.move_to_end(organizer)
        # One that is idle is forgotten: a new one behaves the same.
        now = self._clock()
        while len(self._organizers) > 1:
            oldest = next(iter(self._organizers.values()))
            if not oldest.is_idle(now):
                break
            self._organizers.popitem(last=False)
        return self._organizers[organizer]


async def _granted(shared: SharedQuota, wanted: int) -> int | None:
    """What is granted; None if the store does not answer, and then what was granted before ends by itself."""
    try:
        async with asyncio.timeout(CLAIM_AGAIN):
            return await shared.claim(wanted)
    except (AttendanceError, TimeoutError) as error:
        log.warning("quota.not_shared", extra={"error": type(error).__name__})
        return None

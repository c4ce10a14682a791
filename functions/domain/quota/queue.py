"""Whose call is made next, when more calls wait than a quota allows.

Each task, such as the reading of a conference, has a due time: when its message was published, plus a second for each
call that it needs. The task that is due first makes all its calls before the next one begins. So:

- Small tasks come before large ones that began at the same time, and half of many equal ones are done after half of the
  time. If all took turns, all would end together at the end.
- A task that needs 500 calls waits for no small one whose message was published eight minutes later. Nobody starves.
- A message that was given back and is delivered again keeps its place, because it was published only once.

A task asks for most of its calls only after its first ones are answered. The quota that it will need then is reserved
for it meanwhile. Otherwise many more tasks would begin than the quota of this minute can end.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

SECONDS_PER_CALL = 1.0
"""How much later a task is due for each call that it needs."""

USUAL_CALLS = 33
"""How many calls a conference needs, as long as it has not asked for more: for 30 people, their page, its record, its
room.

A conference shows its size only after its first calls. If it counted as small until then, all would make their first
calls before any of them could end.
"""

CallT = TypeVar("CallT")
KeyT = TypeVar("KeyT", float, tuple[float, bool])


@dataclass(eq=False, slots=True)
class QueuedTask(Generic[CallT]):
    """One task, and its calls that wait.

    Attributes:
        account: The account whose quota its calls use.
        since: When it was first asked for.
        until: How long it waits; after that it is given back.
        expected: How many calls it probably needs.
        calls: Its calls that wait, in their order.
        asked: How many calls it has asked for so far.
        made: How many of them were made.
        under_way: How many of those have not ended.
    """

    account: str
    since: float
    until: float
    expected: int = 1
    calls: deque[CallT] = field(default_factory=deque)
    asked: int = 0
    made: int = 0
    under_way: int = 0

    @property
    def due(self) -> float:
        """It never becomes earlier."""
        return self.since + max(self.asked, self.expected) * SECONDS_PER_CALL

    @property
    def place(self) -> tuple[float, bool]:
        """Its place in the order: of two that are due at the same time, one that has begun comes first."""
        return self.due, not self.made

    @property
    def reserved(self) -> int:
        """How many calls it will probably ask for, as soon as those under way are answered."""
        return max(self.expected - self.asked, 0) if self.under_way else 0


class FairQueue(Generic[CallT]):
    """Tasks with calls that wait, first the one that is due first."""

    def __init__(self) -> None:
        self._order: list[tuple[tuple[float, bool], int, QueuedTask[CallT]]] = []
        self._resting: list[tuple[float, int, QueuedTask[CallT]]] = []
        self._inside: set[QueuedTask[CallT]] = set()
        self._ends: list[tuple[float, int, QueuedTask[CallT]]] = []
        self._number = 0

    def add(self, task: QueuedTask[CallT], call: CallT) -> None:
        """Let a call wait."""
        task.calls.append(call)
        task.asked += 1
        if task.asked == 1:
            self._push(self._ends, task.until, task)
        if task not in self._inside:
            self._inside.add(task)
            self._push(self._order, task.place, task)

    def first(self, now: float) -> QueuedTask[CallT] | None:
        """The task whose call is next; None if all that wait are set aside."""
        while self._resting and self._resting[0][0] <= now:
            _, _, task = heapq.heappop(self._resting)
            self._push(self._order, task.place, task)
        while self._order:
            (due, _), _, task = self._order[0]
            if task.calls and due >= task.due:
                return task
            heapq.heappop(self._order)
            if task.calls:
                self._push(self._order, task.place, task)  # it has asked for more since
            else:
                self._inside.discard(task)
        return None

    def set_first_aside(self, *, until: float) -> None:
        """Let others go before the task that `first` returned, because its account may make no call until then."""
        _, _, task = heapq.heappop(self._order)
        self._push(self._resting, until, task)

    def call_back(self) -> None:
        """Consider all tasks again that were set aside."""
        resting, self._resting = self._resting, []
        for _, _, task in resting:
            self._push(self._order, task.place, task)

    def next_return(self) -> float | None:
        """When the first task that was set aside is considered again."""
        return self._resting[0][0] if self._resting else None

    def next_end(self) -> float | None:
        """When the next task has waited as long as it may; earlier if that task does not wait any more."""
        return self._ends[0][0] if self._ends else None

    def overdue(self, now: float) -> list[QueuedTask[CallT]]:
        """The tasks that have waited as long as they may."""
        found = []
        while self._ends and self._ends[0][0] <= now:
            found.append(heapq.heappop(self._ends)[2])
        return [task for task in found if task.calls]

    def tasks(self) -> list[QueuedTask[CallT]]:
        """All tasks with calls that wait."""
        return [task for task in self._inside if task.calls]

    def _push(self, heap: list[tuple[KeyT, int, QueuedTask[CallT]]], key: KeyT, task: QueuedTask[CallT]) -> None:
        self._number += 1
        heapq.heappush(heap, (key, self._number, task))

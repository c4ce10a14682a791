"""An event loop whose time passes at once when everything waits: an hour of timers runs in the time of its work.

Only for code that waits for timers and for other tasks of the same loop, not for sockets or threads.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0, and jumps to the next timer when nothing else is to be done."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """The seconds that have passed."""
        return self._now

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


class _Jumping(selectors.DefaultSelector):
    """Lets time pass instead of waiting."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What the loop asks for between two steps."""
        if timeout is None:
            raise RuntimeError("Everything waits for something that no timer brings")
        self._loop.jump(max(timeout, 0.0))
        return super().select(0)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run something to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)

"""A conference, from its event to committed documents: always from the same state of the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from bench.conference.documents import Documents, Message, attendance, differing, written
from bench.conference.function import Function, Took, WrongResult, running_function
from bench.conference.school import Class, accounts
from bench.conference.services import PROJECT, RunFloor, Stack
from bench.figures.model import Repeat
from infra.local.workspace_events import presence_events


class Measuring:
    """A class that is read from the same state of the database each time.

    Args:
        held: The class.
        stack: The addresses of the services.
        function: Our function, warm or not.
    """

    def __init__(self, held: Class, stack: Stack, function: Function) -> None:
        self._held = held
        self._stack = stack
        self._function = function
        self._documents = Documents(stack.firestore, PROJECT)
        self._before: list[Message] = list(held.documents)
        self._wrote: list[Message] = []
        self._event = datetime.now(UTC)

    async def close(self) -> None:
        """Close the connections to the emulator."""
        await self._documents.close()

    @property
    def documents(self) -> int:
        """Return how many documents ours wrote."""
        return len(self._wrote)

    async def store_events(self) -> int:
        """Deliver every joined and left event; what is stored of them is there before each run from now on.

        Returns:
            How many events there were.
        """
        await self._documents.put_back(self._held.documents)
        events = presence_events(self._held.conference)
        await self._function.deliver(events)
        self._before = list((await self._documents.all()).values())
        if not any("/seen/" in document.name for document in self._before):
            raise WrongResult("No joined or left event was stored.")
        return len(events)

    def know(self, other: Measuring) -> None:
        """Begin with the documents with which another instance begins, which knows the accounts."""
        self._before = list(other._before)

    async def first(self) -> Took:
        """Measure ours with accounts that were never seen; afterwards they are known.

        Raises:
            WrongResult: Somebody's attendance was not written.
        """
        self._before = [document for document in self._before if "/people/" not in document.name]
        took = await self.ours()
        stored = (await self._documents.all()).values()
        self._before += [document for document in stored if "/people/" in document.name]
        return took

    async def ours(self) -> Took:
        """Measure ours, from the event to the commit.

        Raises:
            WrongResult: Somebody's attendance was not written.
        """
        await self._documents.put_back(self._before)
        before = await self._documents.all()
        took = await self._function.ended(self._held.conference, at=self._event)
        after = await self._documents.all()
        self._wrote = [after[name] for name in written(before, after) if name in after]
        marked = sum("mark" in document.fields for document in self._wrote if "/attendance/" in document.name)
        people = len(accounts(len(self._held.conference.attendees))) - 1
        if marked < people:
            raise WrongResult(f"{marked} attendance documents have a mark, for {people} students.")
        return took

    async def calls(self) -> int:
        """Return how many calls to Meet ours makes.

        Raises:
            WrongResult: The system asked again for accounts that it knows.
        """
        asked = len(self._stack.apis.calls)
        self._stack.calls()
        await self.ours()
        if len(self._stack.apis.calls) != asked:
            raise WrongResult("Accounts that are known were asked for again.")
        return self._stack.calls().total()

    async def floor(self, run: RunFloor) -> Took:
        """Measure the floor, which writes the same documents as ours."""
        await self._documents.put_back(self._before)
        return run(self._held.conference.name, self._documents.commit_of(self._wrote))

    async def again(self, *, later: bool) -> Repeat:
        """Measure an event without news: the same event again, or one with a later time."""
        before = await self._documents.all()
        self._stack.calls()
        took = await self._function.ended(self._held.conference, at=None if later else self._event)
        wrote = written(before, await self._documents.all())
        calls = self._stack.calls().total()
        return Repeat(took.wall, calls=calls, documents=len(wrote), attendance=len(attendance(wrote)))

    async def check_against_full_read(self) -> None:
        """Read once without what is stored of events, and compare.

        Raises:
            WrongResult: An attendance document is not the same.
        """
        await self.ours()
        short, kept = list(self._wrote), self._before
        self._before = [document for document in kept if "/seen/" not in document.name]
        await self.ours()
        self._before = kept
        different = attendance(differing(_by_name(short), _by_name(self._wrote)))
        if different:
            raise WrongResult(f"{len(different)} attendance documents are different with joined and left events.")


def _by_name(documents: Iterable[Message]) -> dict[str, Message]:
    return {document.name: document for document in documents}


@asynccontextmanager
async def in_new_instance(held: Class, stack: Stack, *, firestore: str | None = None) -> AsyncIterator[Measuring]:
    """Give a class with a new instance of the function."""
    async with AsyncExitStack() as exits:
        function = await exits.enter_async_context(running_function(stack.settings(firestore=firestore)))
        measuring = Measuring(held, stack, function)
        exits.push_async_callback(measuring.close)
        yield measuring

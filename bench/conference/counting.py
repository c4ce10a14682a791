"""Reads that ask Meet for little, counted where the calls arrive. Their time is not measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx

from bench.conference.documents import Documents
from bench.conference.function import Function, WrongResult, running_function
from bench.conference.school import LENGTH, Class, Scheduling, accounts
from bench.conference.services import PROJECT, Stack
from bench.figures.model import Count, pages
from infra.local.meet import MeetSimulator
from infra.local.school import Attendee, School, Visit
from infra.local.workspace_events import presence_events

OPEN = 7
RETURNED = 10


async def count_calls(
    lms: Scheduling, stack: Stack, *, people: int, small: int, step: Callable[[str], None]
) -> tuple[Count, ...]:
    """Count the calls of a read with events at hand, and of a second read.

    Args:
        lms: Schedules the classes.
        stack: The addresses of the services; another Meet is used, whose answers change.
        people: The number of people of the class with events.
        small: The number of people of the class that is read twice.
        step: Is called with the next step.

    Raises:
        WrongResult: The function did not acknowledge an event.
    """
    step("calls with joined and left events")
    with_events = await _with_events(await lms.scheduled(people, returns=False), stack)
    step("calls of a second read")
    second = await _second_read(await lms.scheduled(small, returns=False, ago=LENGTH + timedelta(seconds=5)), stack)
    lists = second.pop("ListConferenceRecords")  # the class asks for it, not the conference
    return (
        Count(
            f"{people} people, {RETURNED} came back, joined and left events at hand",
            with_events.total(),
            by_method=dict(with_events),
            most=pages(people) + 3 + RETURNED,
            because=f"pages {pages(people)}, 3, sessions {RETURNED}",
        ),
        Count(
            f"second read of a conference of {small} people, {OPEN} of them open at the first (and {lists} list of the "
            "room's calls for its class)",
            second.total(),
            by_method=dict(second),
            most=1 + pages(small) + OPEN,
            because=f"record 1, pages {pages(small)}, sessions {OPEN}",
        ),
    )


async def _with_events(held: Class, stack: Stack) -> Counter[str]:
    pupils = [one for one in held.conference.attendees if one.user != held.conference.organizer]
    returned = {one.id: _returned(one) for one in pupils[:RETURNED]}
    conference = replace(
        held.conference, attendees=tuple(returned.get(one.id, one) for one in held.conference.attendees)
    )
    async with _counted(held, stack) as (school, meet, function):
        school.hold(conference)
        await function.deliver(presence_events(conference))
        meet.calls.clear()
        await function.ended(conference)
        return meet.calls.by_method()


def _returned(attendee: Attendee) -> Attendee:
    """Return somebody who left for a minute in the middle."""
    [visit] = attendee.visits
    end = visit.end or visit.start + LENGTH
    middle = visit.start + (end - visit.start) / 2
    back = Visit(middle + timedelta(minutes=1), visit.end, id="again")
    return replace(attendee, visits=(replace(visit, end=middle), back))


async def _second_read(held: Class, stack: Stack) -> Counter[str]:
    final = held.conference
    still_open = {one.id: _open(one) for one in final.attendees[:OPEN]}
    first = replace(final, attendees=tuple(still_open.get(one.id, one) for one in final.attendees))
    async with _counted(held, stack) as (school, meet, function):
        event = datetime.now(UTC)
        school.hold(first)
        status, _ = await function.ended_status(first, at=event)
        if status != httpx.codes.SERVICE_UNAVAILABLE:
            raise WrongResult(f"The function answered {status} although Meet does not show all ends yet.")
        school.hold(final)
        meet.calls.clear()
        status, _ = await function.ended_status(final, at=event)
        if status != httpx.codes.OK:
            raise WrongResult(f"The function answered {status} although Meet shows all ends.")
        return meet.calls.by_method()


def _open(attendee: Attendee) -> Attendee:
    """Return somebody whose ends Meet does not show."""
    return replace(attendee, visits=tuple(replace(visit, end=None) for visit in attendee.visits))


@asynccontextmanager
async def _counted(held: Class, stack: Stack) -> AsyncIterator[tuple[School, MeetSimulator, Function]]:
    """Give an empty Meet, which checks every request, and a function that asks it."""
    school = School(lambda: datetime.now(UTC))
    school.enrol(*accounts(len(held.conference.attendees)))
    async with AsyncExitStack() as exits:
        meet = exits.enter_context(MeetSimulator(school).in_thread())
        documents = Documents(stack.firestore, PROJECT)
        exits.push_async_callback(documents.close)
        await documents.put_back(held.documents)
        env = replace(stack, meet=meet.address).settings()
        function = await exits.enter_async_context(running_function(env, log="counting"))
        yield school, meet, function

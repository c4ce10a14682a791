"""Never more calls in any minute than the limit, in a fair order, and fewer when the service refuses them."""

import asyncio
import itertools
import time

import pytest
from google.api_core import exceptions as gexc

from functions.adapters.google.calls.grpc import exhausts_project
from functions.adapters.google.calls.pacing import Pacing
from functions.adapters.patience import FOR_STORING, PATIENCE, Patience
from functions.domain.errors import RateLimited, StoreUnavailable
from functions.domain.quota.allowance import IN_A_ROW, WINDOW
from infra.local.virtual_time import run


class Clock:
    """Seconds that pass only when a test says so, or when a task sleeps."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        wake = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, wake)


def assert_never_more_than(limit, times):
    for first in times:
        assert sum(first <= time < first + WINDOW - 1e-6 for time in times) <= limit


async def calls_of(pacing, clock, **how_many):
    """Make the calls of all organizers at once; return the times of the calls, by organizer."""
    times = {organizer: [] for organizer in how_many}

    async def call(organizer):
        await pacing.turn(organizer)
        times[organizer].append(clock.now)

    await asyncio.gather(*(call(organizer) for organizer, number in how_many.items() for _ in range(number)))
    return times


async def test_each_organizer_has_a_ceiling_and_all_together_have_one():
    clock = Clock()
    pacing = Pacing(per_organizer=4, overall=6, clock=clock, sleep=clock.sleep)
    times = await calls_of(pacing, clock, ada=13, ben=9, eve=2)

    assert {name: len(calls) for name, calls in times.items()} == {"ada": 13, "ben": 9, "eve": 2}
    for calls in times.values():
        assert_never_more_than(4, calls)
    assert_never_more_than(6, [time for calls in times.values() for time in calls])


async def test_one_organizer_at_the_ceiling_takes_nothing_from_another():
    clock = Clock()
    pacing = Pacing(per_organizer=2, overall=20, clock=clock, sleep=clock.sleep)
    times = await calls_of(pacing, clock, busy=30, quiet=2)

    assert times["quiet"] == [1000, 1000]


async def test_a_call_that_was_given_up_leaves_no_trace():
    clock = Clock()
    pacing = Pacing(per_organizer=1, overall=0, clock=clock)
    await pacing.turn("ada")
    waiting = [asyncio.create_task(pacing.turn("ada")) for _ in range(50)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    clock.now += WINDOW

    async with asyncio.timeout(1):
        await pacing.turn("ada")


async def test_what_an_organizer_did_in_the_last_minute_is_never_forgotten():
    clock = Clock()
    pacing = Pacing(per_organizer=1, overall=0, clock=clock, sleep=clock.sleep)
    for number in range(100):
        await pacing.turn(f"users/{number}")
    await pacing.turn("users/99")

    assert clock.now == 1000 + WINDOW


def paced(**settings):
    """Limits, and their calls, in virtual time."""
    loop = asyncio.get_running_loop()
    return Pacing(**{"per_organizer": 0, "overall": 0, "clock": loop.time, **settings})


async def call(pacing, task, done, name):
    await pacing.turn(task)
    done.append((name, asyncio.get_running_loop().time()))


def test_the_calls_of_one_task_are_made_before_those_of_the_next():
    async def main():
        pacing, done = paced(overall=10), []
        tasks = {name: pacing.task(name) for name in ("ada", "ben", "eve")}
        await asyncio.gather(*(call(pacing, task, done, name) for _ in range(10) for name, task in tasks.items()))
        return done

    done = run(main())
    # The quota is free at first, and who comes first is served.
    later = [name for name, moment in done if moment]
    assert len(list(itertools.groupby(later))) == 3
    assert_never_more_than(10, [moment for _, moment in done])
    assert done[-1][1] == 2 * WINDOW


def test_a_message_that_was_published_first_comes_first_even_if_it_is_delivered_last():
    async def main():
        pacing, done = paced(overall=1), []
        await pacing.turn("anybody")
        waiting = [asyncio.create_task(call(pacing, pacing.task("young"), done, "young"))]
        with Patience(clock=asyncio.get_running_loop().time).started(within=500, age=300):
            waiting.append(asyncio.create_task(call(pacing, pacing.task("old"), done, "old")))
        await asyncio.gather(*waiting)
        return done

    assert run(main()) == [("old", WINDOW), ("young", 2 * WINDOW)]


def test_a_message_waits_no_longer_than_leaves_time_to_store_what_was_read():
    async def main():
        pacing = paced(overall=1)
        await pacing.turn("anybody")
        mine = Patience(clock=asyncio.get_running_loop().time)
        with mine.started(within=FOR_STORING + 20), pytest.raises(RateLimited):
            await pacing.turn("ada")
        return asyncio.get_running_loop().time()

    assert run(main()) == 20


def test_a_message_without_time_to_wait_makes_the_calls_that_need_not_wait():
    async def main():
        pacing = paced(overall=2)
        with Patience(clock=asyncio.get_running_loop().time).started(within=0.5):
            await pacing.turn("ada")
            await pacing.turn("ada")
            with pytest.raises(RateLimited):
                await pacing.turn("ada")

    run(main())


def test_without_a_message_the_wait_has_no_end():
    async def main():
        pacing = paced(overall=1)
        for _ in range(20):
            await pacing.turn("ada")
        return asyncio.get_running_loop().time()

    assert run(main()) == 19 * WINDOW


def test_a_class_begins_only_if_the_quota_of_this_minute_is_enough_to_end_those_that_have_begun():
    """Each asks for eight calls more when its first two are answered."""

    async def main():
        loop = asyncio.get_running_loop()
        pacing, ends = paced(overall=25), []

        async def one(task):
            await pacing.turn(task)
            try:
                await asyncio.sleep(0.05)
            finally:
                pacing.ended(task)

        async def read():
            task = pacing.task("ada", expected=10)
            await asyncio.gather(one(task), one(task))
            await asyncio.gather(*(one(task) for _ in range(8)))
            ends.append(loop.time())

        await asyncio.gather(*(read() for _ in range(10)))
        return ends

    ends = run(main())
    # In the first minute 25 calls: two classes end, and half of the third is read.
    assert [sum(end < (minute + 1) * WINDOW for end in ends) for minute in range(4)] == [2, 5, 7, 10]


class Meet:
    """Refuses everything until a moment; then it accepts everything."""

    def __init__(self, pacing, *, until, everybody=False):
        self._pacing = pacing
        self._until = until
        self._everybody = everybody
        self.refused = 0

    async def asked(self, task):
        """One call with its retries."""
        loop = asyncio.get_running_loop()
        while True:
            await self._pacing.turn(task)
            await asyncio.sleep(0.03)
            if loop.time() >= self._until:
                self._pacing.accepted(task)
                return loop.time()
            self.refused += 1
            self._pacing.refused(task, everybody=self._everybody)
            await asyncio.sleep(0.25)


@pytest.mark.parametrize("everybody", [False, True])
def test_an_exhausted_quota_is_tried_now_and_then_and_used_as_soon_as_it_is_back(everybody):
    async def main():
        pacing = paced(per_organizer=600, overall=6000)
        meet, task = Meet(pacing, until=30, everybody=everybody), pacing.task("ada")
        finished = await asyncio.gather(*(meet.asked(task) for _ in range(100)))
        return meet.refused, max(finished)

    refused, finished = run(main())
    assert refused <= 100 + IN_A_ROW
    assert finished < 30 + 9 + 2 * WINDOW


def test_the_exhausted_quota_of_one_teacher_stops_no_other_and_that_of_the_project_stops_all():
    async def main(*, everybody):
        pacing = paced()
        for _ in range(IN_A_ROW):
            pacing.refused(pacing.task("ada"), everybody=everybody)
        await pacing.turn("ben")
        return asyncio.get_running_loop().time()

    assert run(main(everybody=False)) == 0
    assert run(main(everybody=True)) == 1


def test_a_quota_that_stays_exhausted_costs_a_message_less_than_a_minute():
    async def main():
        pacing = paced()
        meet = Meet(pacing, until=10_000)
        with Patience(clock=asyncio.get_running_loop().time).started(within=500):
            task = pacing.task("ada")
            answers = await asyncio.gather(*(meet.asked(task) for _ in range(40)), return_exceptions=True)
        return answers, asyncio.get_running_loop().time()

    answers, took = run(main())
    assert {type(answer) for answer in answers} == {RateLimited}
    assert PATIENCE <= took < 60


def test_googles_words_say_whose_quota_is_exhausted():
    words = "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute{}' of service 'meet'."

    assert exhausts_project(gexc.ResourceExhausted(words.format("")))
    assert not exhausts_project(gexc.ResourceExhausted(words.format(" per user")))
    assert not exhausts_project(gexc.ResourceExhausted("Resource has been exhausted (e.g. check quota)."))


class Shared:
    """A common quota that grants what it is told to."""

    def __init__(self, *granted):
        self._granted = list(granted)
        self.wanted = []

    async def claim(self, wanted):
        self.wanted.append(wanted)
        granted = self._granted.pop(0) if len(self._granted) > 1 else self._granted[0]
        if isinstance(granted, Exception):
            raise granted
        return granted


async def in_a_row(pacing, number):
    await asyncio.gather(*(pacing.turn(f"users/{n}") for n in range(number)))
    return asyncio.get_running_loop().time()


def test_an_instance_with_much_to_do_claims_more_and_gives_it_back():
    async def main():
        shared = Shared(1000)
        took = await in_a_row(paced(overall=10, shared=shared), 500)
        await asyncio.sleep(60)
        return took, shared.wanted

    took, wanted = run(main())
    assert took == 0
    assert wanted[0] >= 490
    assert wanted[-1] == 0


def test_an_instance_with_little_to_do_claims_nothing():
    async def main():
        shared = Shared(1000)
        await in_a_row(paced(overall=10, shared=shared), 10)
        await asyncio.sleep(60)
        return shared.wanted

    assert run(main()) == []


@pytest.mark.parametrize("granted", [0, StoreUnavailable("The store does not answer.")])
def test_an_instance_keeps_its_own_share_in_any_case(granted):
    async def main():
        return await in_a_row(paced(overall=10, shared=Shared(granted)), 30)

    assert run(main()) == 2 * WINDOW


def test_a_claim_that_cannot_be_renewed_ends():
    async def main():
        loop, times = asyncio.get_running_loop(), []
        pacing = paced(overall=10, shared=Shared(100, StoreUnavailable("The store does not answer.")))

        async def one():
            await pacing.turn("ada")
            times.append(loop.time())

        await asyncio.gather(*(one() for _ in range(250)))
        return times

    times = run(main())
    assert sum(moment < WINDOW for moment in times) == 100
    assert_never_more_than(100, times)
    assert sum(WINDOW <= moment < 2 * WINDOW for moment in times) <= 10


def test_an_hour_of_waiting_takes_no_time_here():
    began = time.monotonic()
    run(asyncio.sleep(3600))
    assert time.monotonic() - began < 10

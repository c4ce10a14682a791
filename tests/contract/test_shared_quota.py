"""The common quota in one document: together, instances are never granted more than there is."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from functions.adapters.store.shared_quota import PATH, DocumentSharedQuota
from functions.domain.quota.claims import LEASE, WINDOW
from infra.local.clock import TurnableClock

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    return TurnableClock(NOON)


@pytest.fixture
def instances(database, clock):
    return [DocumentSharedQuota(database, total=5700, clock=clock) for _ in range(3)]


async def test_instances_that_claim_at_the_same_moment_share(instances, clock):
    first = await asyncio.gather(*(instance.claim(9000) for instance in instances))
    for _ in range(9):
        clock.turn(timedelta(seconds=10))
        shares = [await instance.claim(9000) for instance in instances]

    assert sorted(first) == [0, 0, 5700]
    assert shares == [1900] * 3


async def test_an_instance_that_ended_is_forgotten(instances, clock, database):
    await instances[0].claim(9000)
    clock.turn(LEASE + WINDOW)

    assert await instances[1].claim(9000) == 5700
    assert len((await database.get(PATH)).fields["claims"]) == 1


async def test_what_is_given_back_is_free_a_minute_later(instances, clock):
    assert await instances[0].claim(9000) == 5700
    assert await instances[0].claim(0) == 0
    assert await instances[1].claim(9000) == 0
    clock.turn(WINDOW)

    assert await instances[1].claim(9000) == 5700

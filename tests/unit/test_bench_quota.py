"""The simulation of many classes that end in the same minute: with few classes, as the real code answers them."""

import dataclasses

import pytest

from bench.quota.classes import dictated, dictated_for_small, ended
from bench.quota.cloud import Deployed
from bench.quota.report import plot, results
from bench.quota.simulation import simulated

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def deployed():
    return Deployed.wanted()


def test_the_quota_allows_as_many_calls_at_once_and_as_many_each_minute():
    assert [dictated(calls, 6000) for calls in (1, 6000, 6001, 165_000)] == [0, 0, 60, 1620]


def test_small_classes_need_half_of_their_calls_until_half_of_them_are_done():
    classes = ended([(1000, 30), (10, 500)], seed=1)

    assert dictated_for_small(classes, 6000) == 60 * (500 * 33 // 6000)


def test_classes_that_end_in_the_same_minute_are_all_read_and_small_ones_do_not_wait_for_large_ones(deployed):
    outcome = simulated("mixed", ended([(240, 30), (4, 250), (4, 500)], seed=1), deployed, seed=1)

    assert {people: len(times) for people, times in outcome.done.items()} == {30: 240, 250: 4, 500: 4}
    assert outcome.dead == 0
    assert len(outcome.accepted) <= 1.02 * outcome.needed
    assert max(outcome.done[30]) <= dictated(240 * 33, 6000) + 45
    assert outcome.last <= outcome.dictated + 60
    assert results([outcome])[0]["by_people"]["30"]["classes"] == 240
    assert plot([outcome]).count("<polyline") == 2


def test_a_class_too_large_for_the_time_of_one_message_is_read_in_parts(deployed):
    """A single instance with 60 calls a minute, and 1,000 people: at least three messages."""
    slow = dataclasses.replace(deployed, own=60, shared=0, instances=1)
    outcome = simulated("slow", ended([(1, 1000)], seed=1), slow, seed=1)

    assert outcome.answers[204] == 1
    assert outcome.answers[503] >= 2
    # Only the record, its room and the pages are read again, and what was under way at the end of a message.
    assert len(outcome.accepted) <= outcome.needed + outcome.answers[503] * 10
    assert outcome.last < 1.25 * outcome.needed

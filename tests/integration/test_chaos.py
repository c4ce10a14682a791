"""A short day on which everything goes wrong; `make chaos` runs long ones."""

import asyncio
import itertools

import pytest

from infra.local.chaos.google import emulators
from infra.local.chaos.run import Plan, prove
from infra.local.chaos.world import make_world
from tests.builders import NINE


@pytest.mark.timeout(400)  # real processes are killed and started again, one after the other
def test_a_day_on_which_everything_goes_wrong_gives_the_documents_of_an_undisturbed_one(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "")  # it is set below, and restored afterwards
    with emulators(tmp_path) as using:
        outcome = asyncio.run(prove(Plan(seed=7, conferences=25, seconds=12, instances=1), using, folder=tmp_path))

    assert outcome.wrong == []
    assert outcome.documents > 100
    assert {"instances killed", "events that came again", "times that Firestore stood still"} <= outcome.injected.keys()


def test_a_seed_makes_the_same_day_each_time_and_another_seed_another_one():
    days = [make_world(seed, now=NINE, conferences=30) for seed in (3, 3, 4)]

    assert days[0] == days[1]
    assert days[0] != days[2]


def test_a_room_holds_one_conference_at_a_time():
    for room in (day := make_world(5, now=NINE, conferences=60)).rooms:
        held = sorted((one.start, one.end) for one in day.conferences if one.space == room.name)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(held))

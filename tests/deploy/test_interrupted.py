"""An interrupted deployment continues when it is run again; `make deploy-steps` tries every step."""

from __future__ import annotations

import itertools

import pytest

from infra.local.control_plane import World
from infra.local.control_plane.interrupted import deploy_in_steps, every_step, in_turns
from tests.deploy.complete import assert_complete

pytestmark = pytest.mark.timeout(600)  # gcloud starts about twenty times


def test_a_deployment_that_is_interrupted_repeatedly_is_complete_in_the_end(certificate, search_path, tmp_path):
    world = World()
    times = deploy_in_steps(world, certificate, tmp_path, path=search_path, steps=itertools.repeat(29))
    assert times >= 3
    assert_complete(world)


def test_a_deployment_is_broken_off_after_each_step_in_one_of_two_turns():
    steps = every_step(["a", "a", "monitoring.projects.alertPolicies.create", "b"])
    assert in_turns(steps, 2) == [[1, 2], [2, 2]]
    assert every_step(["pubsub.projects.topics.create"] * 27) == [25, 2]

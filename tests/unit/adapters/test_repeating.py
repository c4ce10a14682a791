"""What counts as a failure of a service, and what counts as an answer."""

from __future__ import annotations

import pytest
from google.api_core import exceptions as gexc

from functions.adapters.google.calls.repeating import repeated
from functions.adapters.patience import Patience


class Seconds:
    def __init__(self):
        self.now = 0.0

    async def pass_by(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(
    ("error", "left"),
    [(gexc.NotFound("gone"), 45.0), (gexc.Forbidden("no"), 45.0), (gexc.ServiceUnavailable("down"), 35.0)],
)
async def test_a_refusal_costs_no_patience_and_a_failure_does(error, left):
    seconds = Seconds()
    patience = Patience(45.0, clock=lambda: seconds.now, sleep=seconds.pass_by)

    async def slow():
        await seconds.pass_by(10.0)
        raise error

    with patience.started(), pytest.raises(type(error)):
        await repeated(slow, attempts=1)

    assert patience.left == left


async def test_a_failure_that_is_not_repeated_costs_patience_all_the_same():
    seconds = Seconds()
    patience = Patience(45.0, clock=lambda: seconds.now, sleep=seconds.pass_by)

    async def slow():
        await seconds.pass_by(20.0)
        raise gexc.DeadlineExceeded("late")

    with patience.started(), pytest.raises(gexc.DeadlineExceeded):
        await repeated(slow, attempts=3, if_error=lambda _: False)

    assert patience.left == 25.0

"""The runs: small classes alone, with some large ones, and with the quota in fixed parts for comparison."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from bench.quota.classes import SMALL, ended
from bench.quota.cloud import Deployed
from bench.quota.simulation import Outcome, simulated

CLASSES = 5000


def simulate(*, classes: int, seed: int, at_once: int) -> list[Outcome]:
    """Simulate all runs in processes of their own; nothing else should be measured meanwhile.

    Args:
        classes: How many classes end in the same minute.
        seed: Another seed is another minute.
        at_once: How many runs are simulated at once.
    """
    wanted = Deployed.wanted()
    mixed = [(classes - classes // 50, SMALL), (classes // 80, 250), (classes // 50 - classes // 80, 500)]
    runs = [
        (f"{classes:,} of {SMALL}", [(classes, SMALL)], wanted),
        ("the same, some of 250 and 500", mixed, wanted),
        (
            "a fixed part for each, 80 messages",
            [(classes, SMALL)],
            dataclasses.replace(wanted, shared=0, concurrency=80),
        ),
    ]
    # A fork would copy the threads' locks of a process that uses gRPC.
    with ProcessPoolExecutor(at_once, mp_context=multiprocessing.get_context("spawn")) as processes:
        waiting = [processes.submit(_run, name, sizes, deployed, seed) for name, sizes, deployed in runs]
        return [each.result() for each in waiting]


def _run(name: str, sizes: Sequence[tuple[int, int]], deployed: Deployed, seed: int) -> Outcome:
    return simulated(name, ended(sizes, seed=seed), deployed, seed=seed)

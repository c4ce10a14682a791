"""The command: simulate, show, keep."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console

from bench.quota import report
from bench.quota.classes import SMALL, ended
from bench.quota.cloud import Deployed
from bench.quota.simulation import Outcome, simulated


def main() -> None:
    """Run the simulation."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.quota",
        description="Simulate classes that end in the same minute, with Meet's quotas, in virtual time.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--classes", type=int, default=5000, help="how many classes end")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another minute")
    parser.add_argument("--at-once", type=int, default=2, help="how many runs are simulated at once")
    parser.add_argument("--keep", action="store_true", help="write results.json and quota.svg")
    arguments = parser.parse_args()
    console = Console(highlight=False, width=120)
    number, wanted = arguments.classes, Deployed.wanted()
    mixed = [(number - number // 50, SMALL), (number // 80, 250), (number // 50 - number // 80, 500)]
    runs = [
        (f"{number:,} of {SMALL}", [(number, SMALL)], wanted),
        ("the same, some of 250 and 500", mixed, wanted),
        (
            "a fixed part for each, 80 messages",
            [(number, SMALL)],
            dataclasses.replace(wanted, shared=0, concurrency=80),
        ),
    ]
    with ProcessPoolExecutor(arguments.at_once) as processes:
        waiting = [processes.submit(_run, name, sizes, deployed, arguments.seed) for name, sizes, deployed in runs]
        outcomes = [each.result() for each in waiting]
    console.print(
        f"At most {wanted.instances} instances with {wanted.concurrency} messages each; {wanted.own} calls a minute "
        f"each, {wanted.shared} together."
    )
    console.print(report.table(outcomes))
    console.print(report.sizes(outcomes[1]))
    if arguments.keep:
        report.write(outcomes)
    sys.exit(0 if all(map(report.goals_met, outcomes[:2])) else 1)


def _run(name: str, sizes: list[tuple[int, int]], deployed: Deployed, seed: int) -> Outcome:
    return simulated(name, ended(sizes, seed=seed), deployed, seed=seed)


if __name__ == "__main__":
    main()

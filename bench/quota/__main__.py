"""The command: simulate, show, keep."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from bench.quota import report
from bench.quota.cloud import Deployed
from bench.quota.scenarios import CLASSES, simulate


def main() -> None:
    """Run the simulation."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.quota",
        description="Simulate classes that end in the same minute, with Meet's quotas, in virtual time.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--classes", type=int, default=CLASSES, help="how many classes end")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another minute")
    parser.add_argument("--at-once", type=int, default=2, help="how many runs are simulated at once")
    parser.add_argument("--keep", action="store_true", help="write results.json and quota.svg")
    arguments = parser.parse_args()
    console = Console(highlight=False, width=120)
    outcomes = simulate(classes=arguments.classes, seed=arguments.seed, at_once=arguments.at_once)
    wanted = Deployed.wanted()
    console.print(
        f"At most {wanted.instances} instances with {wanted.concurrency} messages each; {wanted.own} calls a minute "
        f"each, {wanted.shared} together."
    )
    console.print(report.table(outcomes))
    console.print(report.sizes(outcomes[1]))
    if arguments.keep:
        report.write(outcomes)
    sys.exit(0 if all(map(report.goals_met, outcomes[:2])) else 1)


if __name__ == "__main__":
    main()

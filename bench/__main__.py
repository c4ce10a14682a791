"""The command: measure, show, keep."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench import report
from bench.figures import Figures
from bench.rivals import Plan, WrongResult, measure
from bench.stack import running_stack
from infra.local.processes import StartError, bypass_proxies

RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Run the benchmark."""
    plan = _plan()
    # So that what was started is ended when a time limit ends us, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended before it was done."))
    bypass_proxies()
    console = Console(highlight=False)
    try:
        figures = _measured(plan, console)
    except StartError as error:
        sys.exit(f"The benchmark cannot start. {error}")
    except WrongResult as error:
        sys.exit(f"The benchmark measured nothing. {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped.")
    console.print(report.times(figures))
    console.print(report.goals(figures))
    RESULTS.write_text(json.dumps(report.results(figures), indent=2) + "\n")
    console.print(f"All samples: {RESULTS.parent.name}/{RESULTS.name}")


def _plan() -> Plan:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure how long one large conference takes from its event to committed documents, "
        "beside the plain loop and the floor.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--people", type=_at_least_one, default=500, help="participants of the conference")
    parser.add_argument("--delay-ms", type=float, default=30, help="what each call to the simulated Meet takes")
    parser.add_argument("--runs", type=_at_least_one, default=9, help="runs of ours and of the floor, in turn")
    parser.add_argument("--baseline-runs", type=_at_least_one, default=2, help="runs of the slow baseline")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another class")
    arguments = parser.parse_args()
    return Plan(**vars(arguments))


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("should be 1 or more")
    return number


def _measured(plan: Plan, console: Console) -> Figures:
    """Measure, and say meanwhile what is being done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    # Two times a second: drawing must not take from what is measured.
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as progress:
        task = progress.add_task("starting Meet and Firestore", total=plan.runs + plan.baseline_runs + 3)

        def step(text: str) -> None:
            progress.update(task, description=text, advance=1)

        with running_stack(people=plan.people, delay_ms=plan.delay_ms, seed=plan.seed) as stack:
            return asyncio.run(measure(plan, stack, step))


if __name__ == "__main__":
    main()

"""The command: measure, show, keep."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench import report
from bench.figures import Figures, Page, page_verdicts, verdicts
from bench.pages import measure_pages
from bench.rivals import Plan, WrongResult, measure
from bench.stack import running_firestore, running_stack
from infra.local.processes import StartError, bypass_proxies

RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Run the benchmark."""
    plan, only = _plan()
    # So that what was started is ended when a time limit ends us, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended before it was done."))
    bypass_proxies()
    console = Console(highlight=False)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    try:
        if only in {None, "conference"}:
            figures = _measured(plan, console)
            console.print(report.times(figures))
            console.print(report.goals(verdicts(figures)))
            kept = {**report.results(figures), "pages": kept.get("pages")}
        if only in {None, "pages"}:
            pages = _measured_pages(plan, console)
            console.print(report.page_times(pages))
            console.print(report.goals(page_verdicts(pages)))
            kept = {**kept, "pages": report.page_results(pages)}
    except StartError as error:
        sys.exit(f"The benchmark cannot start. {error}")
    except WrongResult as error:
        sys.exit(f"The benchmark measured nothing. {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped.")
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n")
    console.print(f"All samples: {RESULTS.parent.name}/{RESULTS.name}")


def _plan() -> tuple[Plan, str | None]:
    """The requested options, and the only part to measure."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure how long one large conference takes from its event to committed documents, "
        "next to the plain loop and the floor; and how long pages take.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--only", choices=["conference", "pages"], help="measure this part; the file keeps the other")
    parser.add_argument("--people", type=_at_least_one, default=500, help="participants of the conference")
    parser.add_argument("--delay-ms", type=float, default=30, help="what each call to the simulated Meet takes")
    parser.add_argument("--runs", type=_at_least_one, default=9, help="runs of ours and of the floor, in turn")
    parser.add_argument("--baseline-runs", type=_at_least_one, default=2, help="runs of the slow baseline")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another class")
    arguments = vars(parser.parse_args())
    only = arguments.pop("only")
    return Plan(**arguments), only


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("should be 1 or more")
    return number


def _measured(plan: Plan, console: Console) -> Figures:
    """Measure the conference."""
    with (
        _progress(console, "starting Meet and Firestore", plan.runs + plan.baseline_runs + 3) as step,
        running_stack(people=plan.people, delay_ms=plan.delay_ms, seed=plan.seed) as stack,
    ):
        return asyncio.run(measure(plan, stack, step))


def _measured_pages(plan: Plan, console: Console) -> tuple[Page, ...]:
    """Measure the pages."""
    with _progress(console, "starting Firestore", plan.runs + 4) as step, running_firestore() as firestore:
        return asyncio.run(measure_pages(firestore, runs=plan.runs, step=step))


@contextlib.contextmanager
def _progress(console: Console, first: str, total: int) -> Iterator[Callable[[str], None]]:
    """Say meanwhile what is being done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    # Two times a second: drawing must not take from what is measured.
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as progress:
        task = progress.add_task(first, total=total)
        yield lambda text: progress.update(task, description=text, advance=1)


if __name__ == "__main__":
    main()

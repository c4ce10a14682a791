"""The command: measure, show and store results."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench import report
from bench.conference import PROJECT, Stack, measured, people_and_directory
from bench.crowd import measure_crowd
from bench.figures import Conference, Figures, Page, page_verdicts, slower, verdicts
from bench.function import WrongResult
from bench.pages import measure_pages
from bench.school import scheduling, unscheduled
from bench.stack import running_firestore, running_meet
from bench.start import measure_start
from infra.local.processes import StartError, bypass_proxies

RESULTS = Path(__file__).with_name("results.json")
SIZES = (10, 100, 1000)
CROWDS = (1, 10, 80)
CROWD_OF = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """The requested measurements."""

    people: int
    delay_ms: float
    runs: int
    baseline_runs: int
    seed: int
    sizes: bool


def main() -> None:
    """Run the benchmark."""
    plan, only, guard = _plan()
    # Started programs are then also ended when a time limit ends this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended before it was done."))
    bypass_proxies()
    console = Console(highlight=False)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    worse: list[str] = []
    try:
        if only in {None, "conference"}:
            figures = _measured(plan, console)
            console.print(report.times(figures))
            console.print(report.costs(figures))
            console.print(report.others(figures))
            console.print(report.goals(verdicts(figures)))
            worse = slower(figures, report.figures_of(kept))
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
    for each in worse:
        console.print(f"[bold red]Slower than the last run kept[/], beyond noise: {each}")
    if guard:
        sys.exit(1 if worse else 0)
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
    console.print(f"All samples: {RESULTS.parent.name}/{RESULTS.name}")


def _plan() -> tuple[Plan, str | None, bool]:
    """Return the plan, the only part to measure, and whether results are only compared."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure how long a conference takes from its event to committed documents, next to the plain loop "
        "and the floor; how long a process takes to start; what many conferences at once take; how long pages take.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--only", choices=["conference", "pages"], help="measure this part; the file keeps the other")
    parser.add_argument("--people", type=_at_least_one, default=500, help="participants of the conference")
    parser.add_argument("--delay-ms", type=float, default=30, help="what each call to the simulated Meet takes")
    parser.add_argument("--runs", type=_at_least_one, default=9, help="runs of ours and of the floor, in turn")
    parser.add_argument("--baseline-runs", type=_at_least_one, default=2, help="runs of the slow plain loop")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another class")
    parser.add_argument(
        "--no-sizes", dest="sizes", action="store_false", help="leave out other sizes, and crowds of 80"
    )
    parser.add_argument("--guard", action="store_true", help="write nothing; fail if a ratio is worse beyond noise")
    arguments = vars(parser.parse_args())
    only, guard = arguments.pop("only"), arguments.pop("guard")
    return Plan(**arguments), only, guard


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("should be 1 or more")
    return number


def _measured(plan: Plan, console: Console) -> Figures:
    """Measure conferences."""
    sizes = SIZES if plan.sizes else ()
    steps = 2 * plan.runs + plan.baseline_runs + len(sizes) * 6 + 10
    with (
        _progress(console, "starting Firestore", steps) as step,
        running_firestore() as firestore,
    ):
        return asyncio.run(_conferences(plan, sizes, firestore, step))


async def _conferences(plan: Plan, sizes: tuple[int, ...], firestore: str, step: Callable[[str], None]) -> Figures:
    step("scheduling classes")
    async with scheduling(firestore, PROJECT, seed=plan.seed) as lms:
        classes = {people: await lms.scheduled(people) for people in (plan.people, *sizes)}
    small = unscheduled(1, 10, seed=plan.seed + 1000)
    crowds = [
        unscheduled(number, CROWD_OF, seed=plan.seed + 2000 + 100 * place)
        for place, number in enumerate(CROWDS if plan.sizes else CROWDS[:2])
    ]
    held = [*(each.conference for each in classes.values()), *small, *(each for crowd in crowds for each in crowd)]
    with (
        people_and_directory(max(classes)) as apis,
        running_meet(held, delay_ms=plan.delay_ms) as meet,
    ):
        stack, delay = Stack(meet, apis, firestore), plan.delay_ms / 1000

        async def size(people: int, *, runs: int, baseline_runs: int) -> Conference:
            return await measured(
                classes[people], stack, delay=delay, runs=runs, baseline_runs=baseline_runs, step=step
            )

        large = await size(plan.people, runs=plan.runs, baseline_runs=plan.baseline_runs)
        others = [await size(people, runs=min(5, plan.runs), baseline_runs=0) for people in sizes]
        start = await measure_start(small[0], stack, runs=plan.runs, step=step)
        return Figures(
            large, tuple(others), start, tuple([await measure_crowd(crowd, stack, step=step) for crowd in crowds])
        )


def _measured_pages(plan: Plan, console: Console) -> tuple[Page, ...]:
    """Measure the pages."""
    with _progress(console, "starting Firestore", plan.runs + 4) as step, running_firestore() as firestore:
        return asyncio.run(measure_pages(firestore, runs=plan.runs, step=step))


@contextlib.contextmanager
def _progress(console: Console, first: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show the current step."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    # Two times a second: drawing must not slow down what is measured.
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as progress:
        task = progress.add_task(first, total=total)
        yield lambda text: progress.update(task, description=text, advance=1)


if __name__ == "__main__":
    main()

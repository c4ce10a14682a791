"""The command: measure, show and store results."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.conference.function import WrongResult
from bench.figures import growth, kept, readme, tables
from bench.figures.goals import slower, verdicts
from bench.figures.kept import Kept, Machine
from bench.figures.model import Figures
from bench.parts import PARTS, Plan, Step, measure
from infra.local.processes import StartError, bypass_proxies


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    # Started programs are then also ended when a time limit ends this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended before it was done."))
    bypass_proxies()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    before = kept.load(kept.FILE.read_text()) if kept.FILE.exists() else Kept()
    if arguments.tables:
        _publish(before, console)
        return
    only = tuple(arguments.only or PARTS)
    machine = Machine.this()
    figures = _measured(_plan(arguments), only, console)
    for table in tables.details(figures):
        console.print(table)
    console.print(f"Measured on: {machine}")
    console.print(tables.goals(verdicts(figures)))
    worse = slower(figures, before.figures, busy=machine.busy)
    for each in worse:
        console.print(f"[bold red]Slower than the last run kept[/], beyond noise: {each}")
    if arguments.guard:
        sys.exit(1 if worse else 0)
    after = before.updated(figures, machine)
    kept.FILE.write_text(kept.dump(after))
    console.print(f"All samples: {_short(kept.FILE)}")
    if set(only) == set(PARTS) and arguments.sizes:
        _publish(after, console)


def _measured(plan: Plan, only: tuple[str, ...], console: Console) -> Figures:
    try:
        with _progress(console) as step:
            return asyncio.run(measure(plan, only, step=step))
    except StartError as error:
        sys.exit(f"The benchmark cannot start. {error}")
    except WrongResult as error:
        sys.exit(f"The benchmark measured nothing. {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped.")


def _publish(results: Kept, console: Console) -> None:
    """Write the plot, and the table in README.md."""
    if drawn := growth.plot(results.figures):
        growth.PLOT.write_text(drawn)
        console.print(f"Plot: {_short(growth.PLOT)}")
    if readme.PAGE.exists():
        readme.PAGE.write_text(readme.written(readme.PAGE.read_text(), results))
        console.print(f"Table: {_short(readme.PAGE)}")


def _short(path: Path) -> str:
    return os.path.relpath(path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure how long a conference takes from its event to committed documents, next to the plain loop "
        "and the floor; its calls; how long a process takes to start; what many conferences at once take; what Meet's "
        "quota makes of many classes; how long pages take. A run of all parts writes the table in README.md.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--only",
        choices=PARTS,
        nargs="+",
        metavar="PART",
        help=f"measure these parts; the file keeps the others: {', '.join(PARTS)}",
    )
    parser.add_argument("--people", type=_at_least_one, default=500, help="participants of the conference")
    parser.add_argument("--delay-ms", type=float, default=30, help="what each call to the simulated Meet takes")
    parser.add_argument("--runs", type=_at_least_one, default=9, help="runs of ours and of the floor, in turn")
    parser.add_argument("--baseline-runs", type=_at_least_one, default=3, help="runs of the slow plain loop")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another class")
    parser.add_argument(
        "--no-sizes", dest="sizes", action="store_false", help="leave out other sizes, and crowds of 80"
    )
    parser.add_argument("--guard", action="store_true", help="write nothing; fail if a ratio is worse beyond noise")
    parser.add_argument("--tables", action="store_true", help="measure nothing; write the table and the plot again")
    return parser.parse_args()


def _plan(arguments: argparse.Namespace) -> Plan:
    return Plan(
        people=arguments.people,
        delay_ms=arguments.delay_ms,
        runs=arguments.runs,
        baseline_runs=arguments.baseline_runs,
        seed=arguments.seed,
        sizes=arguments.sizes,
        keep=not arguments.guard,
    )


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("should be 1 or more")
    return number


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Step]:
    """Show the current step."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    # Two times a second: drawing must not slow down what is measured.
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as progress:
        task = progress.add_task("starting", total=None)

        def step(text: str) -> None:
            progress.update(task, description=text)
            if not console.is_terminal:
                print(f"{time.monotonic() - began:6.1f} s {text}", file=sys.stderr)

        began = time.monotonic()
        yield step


if __name__ == "__main__":
    main()

"""The tables for a reader, and the file with the results."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.figures import Conference, Figures, Page, Verdict, page_verdicts, verdicts


def times(figures: Figures) -> Table:
    """Return a table of the time of a conference of each size."""
    large = figures.large
    table = Table(
        title=f"A conference of a scheduled class, event to commit; {large.delay * 1000:g} ms a call to Meet",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1),
        caption=f"Medians of pairs in turn, {len(large.ours.wall)} of the {large.people} people. The floor makes the "
        f"same calls and the same commit with bare gRPC. The delays alone of its calls that must follow each other are "
        f"{large.paper_floor * 1000:.0f} ms for {large.people} people.",
        caption_justify="left",
    )
    for heading in ("people", "ours ms", "floor ms", "times", "CPU ms", "floor", "times"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in _by_size(figures):
        ratios = each.times_floor
        table.add_row(
            str(each.people),
            *(_ms(each.ours.wall), _ms(each.floor.wall), f"{median(ratios.wall):.2f}"),
            *(_ms(each.ours.cpu), _ms(each.floor.cpu), f"{median(ratios.cpu):.2f}"),
        )
    return table


def costs(figures: Figures) -> Table:
    """Return a table of the cost of a conference of each size at Meet and Firestore."""
    table = Table(
        title="Its calls to Meet; documents read and written in Firestore, in so many calls one after the other",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1),
    )
    for heading in ("people", "Meet calls", "reads", "writes", "deletes", "in a row"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in _by_size(figures):
        trips = each.trips
        numbers = (each.people, each.calls, trips.reads, trips.writes, trips.deletes, trips.one_after_the_other)
        table.add_row(*map(str, numbers))
    return table


def _by_size(figures: Figures) -> list[Conference]:
    return sorted((figures.large, *figures.sizes), key=lambda conference: conference.people)


def others(figures: Figures) -> Table:
    """Return a table of the other measurements."""
    large, start = figures.large, figures.start
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("")
    if large.baseline:
        table.add_row(f"plain loop, {large.people} people", _ms(large.baseline), f"{large.people} documents")
    table.add_row("ours, accounts never seen", _ms(large.unknown.wall), f"CPU {_ms(large.unknown.cpu)} ms")
    for name, repeat in (("same event again", large.same_event), ("later event, no news", large.later_event)):
        table.add_row(
            f"ours, {name}", f"{repeat.wall * 1000:.0f}", f"{repeat.calls} calls to Meet, {repeat.documents} writes"
        )
    for name, pairs in (("ours", start.ours), ("bare function", start.bare)):
        table.add_row(f"start to first answer, {name}", _ms(pairs.wall), f"CPU {_ms(pairs.cpu)} ms")
    for crowd in figures.crowds:
        table.add_row(
            f"{crowd.conferences} conferences at once",
            f"{crowd.seconds * 1000:.0f}",
            f"{crowd.people} people, {crowd.memory / (1 << 20):.0f} MiB ({crowd.started / (1 << 20):.0f} before)",
        )
    return table


def _ms(seconds: Sequence[float]) -> str:
    return f"{median(seconds) * 1000:.0f}"


def page_times(measured: Sequence[Page]) -> Table:
    """Return a table of each page's time and reads."""
    table = Table(
        title="Pages through the API: a register of 200 students in 40 class meetings, a report of 500 people",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1),
    )
    table.add_column("Page", no_wrap=True)
    for heading in ("median ms", "min", "max", "documents read", "KB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for page in measured:
        samples = page.samples
        milliseconds = (f"{value * 1000:.0f}" for value in (samples.median, samples.least, samples.most))
        table.add_row(page.name, *milliseconds, str(page.reads), f"{page.size / 1000:.0f}")
    return table


def goals(found: Sequence[Verdict]) -> Table:
    """Return a table of figures next to their goals."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    for heading in ("Figure", "Measured", "Goal", ""):
        table.add_column(heading)
    for verdict in found:
        answer = "[green]met[/]" if verdict.met else "[bold red]not met[/]"
        table.add_row(verdict.name, verdict.measured, verdict.goal, answer)
    return table


def results(figures: Figures) -> dict[str, Any]:
    """Return all results about conferences, for the file."""
    return {**_measured_now(), **asdict(figures), "goals": [asdict(verdict) for verdict in verdicts(figures)]}


def figures_of(kept: dict[str, Any]) -> Figures | None:
    """Return the conferences in the file; None if it has none, or if it is from another version of the benchmark."""
    try:
        return TypeAdapter(Figures).validate_python(kept)
    except ValidationError:
        return None


def page_results(measured: Sequence[Page]) -> dict[str, Any]:
    """Return all results about pages, for the file."""
    return {
        **_measured_now(),
        "pages": [{**asdict(page), "median": page.samples.median} for page in measured],
        "goals": [asdict(verdict) for verdict in page_verdicts(measured)],
    }


def _measured_now() -> dict[str, Any]:
    """Return the time and the kind of machine, without anything that identifies its owner."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "python": platform.python_version(),
            "system": platform.system(),
            "architecture": platform.machine(),
            "cpus": os.cpu_count(),
            "grpcio": version("grpcio"),
            "protobuf": version("protobuf"),
        },
    }

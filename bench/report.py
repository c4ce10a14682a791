"""The tables a person reads, and the file that is kept."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.figures import Figures, Page, Samples, Verdict, page_verdicts, pages, round_trips, verdicts


def times(figures: Figures) -> Table:
    """How long each way took."""
    table = Table(
        title=f"{figures.people} participants, {figures.delay * 1000:g} ms a call, event to committed documents",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1),
        caption=f"Medians of {len(figures.ours.seconds)} runs in turn, of the baseline of "
        f"{len(figures.baseline.seconds)}. The paper floor is {round_trips(figures.people)} calls that must follow "
        f"each other ({pages(figures.people)} for participants, 1 for sessions), and nothing else.",
        caption_justify="left",
    )
    table.add_column("Way", no_wrap=True)
    for heading in ("median ms", "min", "max", "Meet calls", "writes"):
        table.add_column(heading, justify="right", no_wrap=True)
    calls, documents = figures.calls, str(figures.documents)
    again, later = figures.same_event, figures.later_event
    rows: list[tuple[str, Samples, int, str]] = [
        ("baseline: plain loop", figures.baseline, calls.baseline, str(figures.people)),
        ("ours", figures.ours, calls.ours, documents),
        ("floor: bare gRPC", figures.floor, calls.floor, documents),
        ("ours, same event again", again.samples, calls.same_event, str(again.documents)),
        ("ours, later event, no news", later.samples, calls.later_event, str(later.documents)),
    ]
    for name, samples, called, written in rows:
        milliseconds = (f"{value * 1000:.0f}" for value in (samples.median, samples.least, samples.most))
        table.add_row(name, *milliseconds, str(called), written)
    table.add_row("paper floor: delays alone", f"{figures.paper_floor * 1000:.0f}")
    return table


def page_times(measured: Sequence[Page]) -> Table:
    """How long each page took, and what it read."""
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
    """Figures next to their goals."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    for heading in ("Figure", "Measured", "Goal", ""):
        table.add_column(heading)
    for verdict in found:
        answer = "[green]met[/]" if verdict.met else "[bold red]not met[/]"
        table.add_row(verdict.name, verdict.measured, verdict.goal, answer)
    return table


def results(figures: Figures) -> dict[str, Any]:
    """All of the large conference, for the file."""
    return {
        **_measured_now(),
        **asdict(figures),
        "paper_floor": figures.paper_floor,
        "times_faster": figures.times_faster,
        "times_floor": figures.times_floor,
        "goals": [asdict(verdict) for verdict in verdicts(figures)],
    }


def page_results(measured: Sequence[Page]) -> dict[str, Any]:
    """All of the pages, for the file."""
    return {
        **_measured_now(),
        "pages": [{**asdict(page), "median": page.samples.median} for page in measured],
        "goals": [asdict(verdict) for verdict in page_verdicts(measured)],
    }


def _measured_now() -> dict[str, Any]:
    """When and on what: nothing in it tells whose machine it was."""
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

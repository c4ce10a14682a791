"""The table, the file, and the plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.figures.chart import COLOURS, Line, Panel, svg
from bench.figures.goals import TIMES_DICTATED, TIMES_DICTATED_SMALL
from bench.figures.model import ManyClasses
from bench.quota.classes import SMALL
from bench.quota.simulation import Outcome

HERE = Path(__file__).parent
RESULTS, PLOT = HERE / "results.json", HERE / "quota.svg"

_WIDTH, _HEIGHT = 760, 360


def table(outcomes: Sequence[Outcome]) -> Table:
    """What came of each run."""
    shown = Table(title="Classes that end in the same minute", title_justify="left")
    for heading in ("", "classes", "calls", "refused", "again", "last done", "dictated", "times", "small", "times"):
        shown.add_column(heading, justify="left" if not heading else "right")
    for one in outcomes:
        shown.add_row(
            one.name,
            f"{one.classes:,}",
            f"{len(one.accepted):,}",
            f"{one.refused:,}",
            f"{one.answers.get(503, 0) + one.answers.get(429, 0):,}",
            minutes(one.last),
            minutes(one.dictated),
            f"{one.times_dictated:.2f}",
            minutes(one.median_small),
            f"{one.small_times_dictated:.2f}",
        )
    return shown


def minutes(seconds: float) -> str:
    """A time as people say it."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02} min"


def sizes(outcome: Outcome) -> Table:
    """When classes of each size were done."""
    shown = Table(title=f"{outcome.name}: by size", title_justify="left")
    for heading in ("people", "classes", "half done", "last done"):
        shown.add_column(heading, justify="right")
    for people, times in outcome.done.items():
        shown.add_row(str(people), f"{len(times):,}", minutes(times[len(times) // 2]), minutes(times[-1]))
    return shown


def results(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """What is kept of the runs, rounded."""
    return [
        {
            "name": one.name,
            "classes": one.classes,
            "calls_needed": one.needed,
            "calls_accepted": len(one.accepted),
            "calls_refused": one.refused,
            "answers": {str(status): number for status, number in sorted(one.answers.items())},
            "dead_letters": one.dead,
            "instances": one.instances,
            "commits_of_the_common_quota": one.commits,
            "last_done_seconds": round(one.last, 1),
            "dictated_seconds": one.dictated,
            "times_dictated": round(one.times_dictated, 3),
            "median_small_seconds": round(one.median_small, 1),
            "dictated_median_small_seconds": one.dictated_for_small,
            "median_small_times_dictated": round(one.small_times_dictated, 3),
            "by_people": {
                str(people): {
                    "classes": len(times),
                    "median_seconds": round(times[len(times) // 2], 1),
                    "last_seconds": round(times[-1], 1),
                }
                for people, times in one.done.items()
            },
        }
        for one in outcomes
    ]


def write(outcomes: Sequence[Outcome]) -> None:
    """Write the file and the plot."""
    RESULTS.write_text(json.dumps(results(outcomes), indent=1) + "\n")
    PLOT.write_text(plot(outcomes))


def goals_met(outcome: Outcome) -> bool:
    """Whether a run reached the goals and lost nothing."""
    done = sum(map(len, outcome.done.values())) == outcome.classes
    return done and outcome.times_dictated <= TIMES_DICTATED and outcome.small_times_dictated <= TIMES_DICTATED_SMALL


def measured(outcomes: Sequence[Outcome]) -> tuple[ManyClasses, ...]:
    """Return what the table of all goals says of each run."""
    return tuple(
        ManyClasses(
            name=one.name,
            classes=one.classes,
            done=sum(map(len, one.done.values())),
            last=one.last,
            times_dictated=one.times_dictated,
            median_small=one.median_small,
            small_times_dictated=one.small_times_dictated,
        )
        for one in outcomes
    )


def plot(outcomes: Sequence[Outcome]) -> str:
    """Over the minutes, which part of the small classes was done, next to what the quota alone dictates (SVG)."""
    longest, first = max(one.last for one in outcomes), outcomes[0]
    step = 600 if longest > 1800 else 300  # noqa: PLR2004 - ten minutes apart on a long axis
    soonest = [(0.0, 0.0), (2 * first.dictated_for_small, 1.0)]
    panel = Panel(
        lines=[
            Line("as soon as the quota allows", soonest, "black", "4 3"),
            *(
                Line(one.name, [(0.0, 0.0), *_shares(one.done[SMALL])], colour)
                for one, colour in zip(outcomes, COLOURS, strict=False)
            ),
        ],
        across=[(seconds, str(seconds // 60)) for seconds in range(0, int(longest) + 1, step)],
        up=[(part / 100, f"{part} %") for part in (0, 25, 50, 75, 100)],
        title="minutes since the classes ended",
    )
    return svg([panel], width=_WIDTH, height=_HEIGHT)


def _shares(times: Sequence[float]) -> list[tuple[float, float]]:
    """At up to 200 moments, which part was done."""
    every = max(len(times) // 200, 1)
    return [(moment, (number + 1) / len(times)) for number, moment in enumerate(times) if (number + 1) % every == 0]

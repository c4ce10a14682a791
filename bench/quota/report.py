"""The table, the file, and the plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.quota.classes import SMALL
from bench.quota.simulation import Outcome

HERE = Path(__file__).parent
RESULTS, PLOT = HERE / "results.json", HERE / "quota.svg"

MOST_TIMES = 1.2
"""The goal: at most this many times what the quota alone dictates."""

MOST_TIMES_SMALL = 1.1
"""The goal for the median small class."""

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 760, 360, 56, 44, 16
_COLOURS = ("#0b6e4f", "#b3541e", "#6c4ab6", "#8a8a8a")


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
    return done and outcome.times_dictated <= MOST_TIMES and outcome.small_times_dictated <= MOST_TIMES_SMALL


def plot(outcomes: Sequence[Outcome]) -> str:
    """Over the minutes, which part of the small classes was done, next to what the quota alone dictates (SVG)."""
    longest = max(one.last for one in outcomes)
    across, up = _WIDTH - _LEFT - 10, _HEIGHT - _BOTTOM - _TOP

    def point(seconds: float, share: float) -> str:
        return f"{_LEFT + across * seconds / longest:.1f},{_TOP + up * (1 - share):.1f}"

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">',
        "<style>text { font: 12px sans-serif }</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
    ]
    for tenth in (0, 25, 50, 75, 100):
        x, y = point(0, tenth / 100).split(",")
        lines.append(f'<line x1="{x}" y1="{y}" x2="{_WIDTH - 10}" y2="{y}" stroke="#e3e3e3"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{float(y) + 4:.1f}" text-anchor="end">{tenth} %</text>')
    step = 600 if longest > 1800 else 300  # noqa: PLR2004 - ten minutes apart on a long axis
    for seconds in range(0, int(longest) + 1, step):
        x = point(seconds, 0).split(",")[0]
        lines.append(f'<text x="{x}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{seconds // 60}</text>')
    lines.append(f'<text x="{_WIDTH - 10}" y="{_HEIGHT - 8}" text-anchor="end">minutes since the classes ended</text>')
    first = outcomes[0]
    drawn = [("as soon as the quota allows", "black", [(0.0, 0.0), (2 * first.dictated_for_small, 1.0)], "4 3")]
    drawn += [
        (one.name, colour, [(0.0, 0.0), *_shares(one.done[SMALL])], "")
        for one, colour in zip(outcomes, _COLOURS, strict=False)
    ]
    for place, (name, colour, points, dashes) in enumerate(drawn):
        path = " ".join(point(*each) for each in points)
        lines.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>'
        )
        under = _HEIGHT - _BOTTOM - 12 - 18 * (len(drawn) - 1 - place)
        lines.append(f'<text x="{_WIDTH - 16}" y="{under}" text-anchor="end" fill="{colour}">{name}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _shares(times: Sequence[float]) -> list[tuple[float, float]]:
    """At up to 200 moments, which part was done."""
    every = max(len(times) // 200, 1)
    return [(moment, (number + 1) / len(times)) for number, moment in enumerate(times) if (number + 1) % every == 0]

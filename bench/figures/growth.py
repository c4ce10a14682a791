"""The plot: time and CPU over the number of people, and memory over the number of conferences at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.figures.chart import COLOURS, Line, Panel, svg
from bench.figures.goals import CROWD_BYTES
from bench.figures.model import Conferences, Crowd, Figures

PLOT = Path(__file__).resolve().parents[1] / "growth.svg"
_WIDTH, _HEIGHT = 400, 320


def plot(figures: Figures) -> str | None:
    """Return the picture (SVG); None if no sizes or no crowds were measured."""
    if figures.conference is None or figures.crowds is None or not figures.conference.sizes:
        return None
    return svg(
        [
            _over_people(figures.conference, "time", "wall"),
            _over_people(figures.conference, "CPU", "cpu"),
            _memory(figures.crowds),
        ],
        width=_WIDTH,
        height=_HEIGHT,
    )


def _over_people(part: Conferences, what: str, kind: str) -> Panel:
    found = sorted((part.large, *part.sizes), key=lambda each: each.people)
    ours = [(float(each.people), median(getattr(each.ours, kind))) for each in found]
    floor = [(float(each.people), median(getattr(each.floor, kind))) for each in found]
    return Panel(
        lines=[
            Line("this system", ours, COLOURS[0], dots=True),
            Line("the floor", floor, COLOURS[1], dots=True),
        ],
        across=_marks(0, max(x for x, _ in ours), ""),
        up=_marks(0, max(y for _, y in ours + floor), " s"),
        title="people in one conference",
        heading=f"{what}, event to commit",
        names="top left",
    )


def _memory(crowds: Sequence[Crowd]) -> Panel:
    found = sorted(crowds, key=lambda each: each.conferences)
    points = [(float(each.conferences), each.memory / (1 << 20)) for each in found]
    goal, most = CROWD_BYTES / (1 << 20), max(x for x, _ in points)
    return Panel(
        lines=[
            Line("the goal", [(0.0, goal), (most, goal)], "black", "4 3"),
            Line("this system", points, COLOURS[0], dots=True),
        ],
        across=_marks(0, most, ""),
        up=_marks(0, goal, " MiB"),
        title=f"conferences of {found[0].people // found[0].conferences} people at once",
        heading="resident memory of one instance",
    )


def _marks(least: float, most: float, unit: str) -> list[tuple[float, str]]:
    """Return round values from the least to the most, four or more of them."""
    rough = (most - least) / 4 or 1
    scale = 10 ** math.floor(math.log10(rough))
    step = max(each * scale for each in (1, 2, 5) if each * scale <= rough)
    return [(number * step, f"{number * step:g}{unit}") for number in range(int(most / step) + 1)]

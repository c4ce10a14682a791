"""An SVG with lines in one or more panels next to each other."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = ("#0b6e4f", "#b3541e", "#6c4ab6", "#8a8a8a")

_LEFT, _BOTTOM, _TOP, _RIGHT = 56, 44, 16, 10


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points, with its name.

    Attributes:
        name: Is written next to the lines.
        points: From left to right.
        colour: Of the line and its name.
        dashes: The SVG pattern; empty for a whole line.
        dots: Whether each point is marked.
    """

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    dashes: str = ""
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes with its lines.

    Attributes:
        lines: The lines; their names are written at `names`.
        across: Marks of the horizontal axis: the value and its text.
        up: The same of the vertical axis.
        title: The text below the horizontal axis.
        heading: The text above everything.
        names: Where the names are written: at the bottom right or at the top left.
    """

    lines: Sequence[Line]
    across: Sequence[tuple[float, str]]
    up: Sequence[tuple[float, str]]
    title: str
    heading: str = ""
    names: str = "bottom right"


def svg(panels: Sequence[Panel], *, width: int, height: int) -> str:
    """Return a picture of the panels; `width` and `height` are of one panel."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width * len(panels)} {height}">',
        "<style>text { font: 12px sans-serif }</style>",
        f'<rect width="{width * len(panels)}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        lines += _drawn(panel, left=number * width, width=width, height=height)
    return "\n".join([*lines, "</svg>", ""])


def _drawn(panel: Panel, *, left: int, width: int, height: int) -> list[str]:
    top = _TOP + (20 if panel.heading else 0)
    wide, high = width - _LEFT - _RIGHT, height - _BOTTOM - top
    widest = max(x for line in panel.lines for x, _ in line.points)
    highest = max([y for line in panel.lines for _, y in line.points] + [y for y, _ in panel.up])

    def place(x: float, y: float) -> tuple[float, float]:
        return round(left + _LEFT + wide * x / (widest or 1), 1), round(top + high * (1 - y / (highest or 1)), 1)

    drawn = []
    if panel.heading:
        drawn.append(_text(left + _LEFT, 18, panel.heading, anchor="start"))
    for value, text in panel.up:
        x, y = place(0, value)
        drawn.append(f'<line x1="{x}" y1="{y}" x2="{left + width - _RIGHT}" y2="{y}" stroke="#e3e3e3"/>')
        drawn.append(_text(x - 8, y + 4, text, anchor="end"))
    drawn += [_text(place(value, 0)[0], height - _BOTTOM + 18, text, anchor="middle") for value, text in panel.across]
    drawn.append(_text(left + width - _RIGHT, height - 8, panel.title, anchor="end"))
    for number, line in enumerate(panel.lines):
        at = [place(*point) for point in line.points]
        points = " ".join(f"{x},{y}" for x, y in at)
        drawn.append(
            f'<polyline points="{points}" fill="none" stroke="{line.colour}" stroke-width="2" '
            f'stroke-dasharray="{line.dashes}"/>'
        )
        if line.dots:
            drawn += [f'<circle cx="{x}" cy="{y}" r="3" fill="{line.colour}"/>' for x, y in at]
        if panel.names == "top left":
            drawn.append(_text(left + _LEFT + 10, top + 14 + 18 * number, line.name, fill=line.colour, anchor="start"))
        else:
            under = height - _BOTTOM - 12 - 18 * (len(panel.lines) - 1 - number)
            drawn.append(_text(left + width - _RIGHT - 6, under, line.name, fill=line.colour, anchor="end"))
    return drawn


def _text(x: float, y: float, text: str, *, anchor: str, fill: str = "black") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{fill}">{html.escape(text)}</text>'

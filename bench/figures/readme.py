"""The table in README.md, between two comments. A full run writes it, or `python -m bench --tables`."""

from __future__ import annotations

import re
from pathlib import Path

from bench.figures.goals import Verdict, verdicts
from bench.figures.kept import Kept

PAGE = Path(__file__).resolve().parents[2] / "README.md"
_PLACE = re.compile(r"(<!-- figures: [^\n]*-->\n).*?(<!-- /figures -->)", flags=re.DOTALL)


def written(page: str, kept: Kept) -> str:
    """Return the page with the table; raises ValueError if it has no place for it, or several."""
    found = f"{markdown(verdicts(kept.figures))}\n\nMeasured on: {kept.measured_on}."
    page, places = _PLACE.subn(lambda match: f"{match[1]}\n{found}\n\n{match[2]}", page)
    if places != 1:
        raise ValueError("README.md has no place for the table, or several.")
    return page


def markdown(found: list[Verdict]) -> str:
    """Return the table in Markdown."""
    rows = ["| figure | measured | goal | |", "| --- | --- | --- | --- |"]
    rows += [
        f"| {each.name} | {each.measured} | {each.goal} | {'met' if each.met else '**not met**'} |" for each in found
    ]
    return "\n".join(rows)

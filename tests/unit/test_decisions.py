"""The index of decisions agrees with the decisions."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs/adr"


def test_the_index_lists_every_decision_with_its_title():
    index = re.findall(r"^\| (\d+) \| \[(.+)\]\((.+)\) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    pages = {}
    for page in sorted(FOLDER.glob("[0-9]*.md")):
        number, title = page.read_text().splitlines()[0].removeprefix("# ").split(". ", 1)
        pages[page.name] = (number, title)
    assert {name: (number, title) for number, title, name in index} == pages

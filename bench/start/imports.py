"""Which packages take longest to import, as Python itself lists it: `python -X importtime`.

https://docs.python.org/3/using/cmdline.html#cmdoption-X
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from bench.figures.model import Import

LISTED: Mapping[str, str] = {"PYTHONPROFILEIMPORTTIME": "1"}
"""The environment in which Python lists each import."""

TOP = 10

_LINE = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)\s*$", flags=re.MULTILINE)
_SHARED = frozenset({"google", "google.cloud", "google.apps"})
"""Packages that only hold the packages of others."""


def slowest(*, ours: Sequence[str], bare: Sequence[str]) -> tuple[Import, ...]:
    """Return the packages whose own modules take longest in our function, and their time in the bare function.

    Args:
        ours: What our function printed, at each of several starts.
        bare: What the bare function printed.
    """
    here, there = _medians(ours), _medians(bare)
    order = sorted(here, key=lambda package: here[package], reverse=True)
    return tuple(Import(package, here[package], there.get(package, 0.0)) for package in order[:TOP])


def _medians(starts: Sequence[str]) -> Mapping[str, float]:
    found = [_by_package(printed) for printed in starts]
    packages = {package for start in found for package in start}
    return {package: statistics.median(start.get(package, 0.0) for start in found) for package in packages}


def _by_package(printed: str) -> Mapping[str, float]:
    """Return the seconds of each package's own modules, without what they import from other packages."""
    found: Counter[str] = Counter()
    for microseconds, module in _LINE.findall(printed):
        found[_package(module)] += int(microseconds)
    return {package: microseconds / 1e6 for package, microseconds in found.items()}


def _package(module: str) -> str:
    parts = module.split(".")
    length = 1
    while length < len(parts) and ".".join(parts[:length]) in _SHARED:
        length += 1
    return ".".join(parts[:length])

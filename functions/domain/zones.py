"""Time zones by their IANA names."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

_NONE_OF_A_PLACE = {"localtime", "Factory"}


def is_time_zone(name: str) -> bool:
    """Whether a name is the name of a time zone; the answer is the same on every machine."""
    return name in _names()


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones() - _NONE_OF_A_PLACE)

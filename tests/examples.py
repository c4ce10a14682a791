"""How many examples a property test tries."""

from __future__ import annotations

from hypothesis import settings


def examples(number):
    """The number that `make test` tries; `make unit` tries a tenth of them, `make explore` ten times as many."""
    factors = {"quick": 0.1, "explore": 10}
    return max(int(number * factors.get(settings.get_current_profile_name(), 1)), 5)

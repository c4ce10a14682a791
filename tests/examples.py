"""How many examples a property test tries."""

from __future__ import annotations

from hypothesis import settings


def examples(number):
    """Return the number of examples.

    `number` for `make test`, a tenth for `make unit`, ten times as many for `make explore`.
    """
    factors = {"quick": 0.1, "explore": 10}
    return max(int(number * factors.get(settings.get_current_profile_name(), 1)), 5)

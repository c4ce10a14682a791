"""How many examples a property test tries."""

from __future__ import annotations

from hypothesis import settings


def examples(number):
    """The number that `make test` tries; `make unit` tries a tenth of them."""
    return max(number // 10, 5) if settings.get_current_profile_name() == "quick" else number

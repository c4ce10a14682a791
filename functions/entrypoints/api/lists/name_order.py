"""The order in which people look for names."""

from __future__ import annotations

import unicodedata


def by_letters(name: str) -> tuple[str, str]:
    """A key to sort by: Özlem comes under O and not after Zoe, and ada comes next to Ada.

    Every language has its own order; this order is right for most names, and does not need to know the language.
    """
    letters = (one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return "".join(letters).casefold(), name

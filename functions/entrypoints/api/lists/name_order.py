"""The order in which people look names up."""

from __future__ import annotations

import unicodedata


def by_letters(name: str) -> tuple[str, str]:
    """A key to sort by: Özlem comes with those under O, not behind Zoe, and ada next to Ada.

    Every language has an order of its own; this one is right for most names, and needs nobody to say which it is.
    """
    letters = (one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return "".join(letters).casefold(), name

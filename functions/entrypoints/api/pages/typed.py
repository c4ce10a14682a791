"""Texts that people typed, made fit to stand among others.

Two things of a text do harm that escaping does not prevent: characters that turn the direction of writing reach beyond
the element they stand in, and a name of characters that show nothing hides who bears it.
https://www.unicode.org/reports/tr9/#Explicit_Directional_Isolates
"""

from __future__ import annotations

import unicodedata

from functions.domain.conferences.model import TURNING

_WITHOUT_TURNING = dict.fromkeys(map(ord, TURNING))
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols, as Unicode has it, that no font shows."""
_NOTHING_TO_SEE = frozenset({"Cc", "Cf", "Mn", "Me", "Zl", "Zp", "Zs"})
_FROM_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def typed(text: str | None) -> str:
    """The text without what turns the direction of writing; to stand in an element of its own, such as `bdi`."""
    return (text or "").translate(_WITHOUT_TURNING)


def isolated(text: str | None) -> str:
    """The same for the middle of a line without elements, as titles, labels and sentences are.

    What is written from right to left is isolated there, or it would take the numbers and commas next to it along.
    """
    harmless = typed(text)
    turns = any(unicodedata.bidirectional(character) in _FROM_RIGHT_TO_LEFT for character in harmless)
    return f"\u2068{harmless}\u2069" if turns else harmless


def seen(text: str | None) -> str:
    """`typed`, but empty if a reader would see nothing of it."""
    harmless = typed(text)
    return harmless if any(map(_shows, harmless)) else ""


def _shows(character: str) -> bool:
    return character not in _BLANKS and unicodedata.category(character) not in _NOTHING_TO_SEE

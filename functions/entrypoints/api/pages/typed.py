"""Makes texts that people typed safe to show among other texts.

Two kinds of characters do harm that escaping does not prevent: characters that change the writing direction also affect
the text after their element, and a name of invisible characters hides the person.
https://www.unicode.org/reports/tr9/#Explicit_Directional_Isolates
"""

from __future__ import annotations

import unicodedata

from functions.domain.conferences.model import TURNING

_WITHOUT_TURNING = dict.fromkeys(map(ord, TURNING))
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Characters that count as letters or symbols in Unicode, but are invisible in every font."""
_NOTHING_TO_SEE = frozenset({"Cc", "Cf", "Mn", "Me", "Zl", "Zp", "Zs"})
_FROM_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def typed(text: str | None) -> str:
    """The text without characters that change the writing direction, for an element of its own such as `bdi`."""
    return (text or "").translate(_WITHOUT_TURNING)


def isolated(text: str | None) -> str:
    """The same for the middle of a line without elements, such as a title, a label or a sentence.

    Text that is written from right to left is isolated there; otherwise it would move the numbers and commas next to
    it.
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

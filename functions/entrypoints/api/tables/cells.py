"""Text for a spreadsheet's cell: text that people typed is shown and never computed.

A spreadsheet treats a cell as a formula if it begins with one of a few characters, also in full width, and also after
blanks and invisible characters. An apostrophe before them makes it text. A program that uses another separator than the
comma begins a new cell in the middle of ours, after a semicolon or a tab.
https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import re
import unicodedata

_BEGINNINGS = frozenset("=+-@\t\r\n\u2212")  # the last is a minus sign, not a hyphen
_COMMA = re.compile(r"(?<=,)")
_SEPARATORS = re.compile(r"(?<=[;\t\r\n])")


def text_cell(text: str | None) -> str:
    """The text, with an apostrophe before each place where a formula would begin; empty for None."""
    return "".join(f"'{part}" if _begins_formula(part) else part for part in _SEPARATORS.split(text or ""))


def safe_after_commas(text: str) -> str:
    """Safe text for a file that does not separate cells by commas, if a program splits it at commas anyway."""
    first, *others = _COMMA.split(text)
    return "".join([first, *(f"'{part}" if _begins_formula(part) else part for part in others)])


def _begins_formula(text: str) -> bool:
    for character in text:
        if character in _BEGINNINGS or unicodedata.normalize("NFKC", character)[0] in _BEGINNINGS:
            return True
        if not _is_unseen(character):
            return False
    return False


def _is_unseen(character: str) -> bool:
    """Blanks, quotation marks and characters without width: a formula may follow them."""
    return character in "\"'" or unicodedata.category(character) in {"Zs", "Zl", "Zp", "Cc", "Cf", "Mn"}

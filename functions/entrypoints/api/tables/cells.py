"""Text for a spreadsheet's cell: what people typed is shown there and never computed.

A spreadsheet takes a cell for a formula that begins with one of a few characters; blanks and characters that are not
seen do not keep it from that, nor does their full width. An apostrophe before them says that text follows. A program
set to another separator than the comma begins a cell in the middle of one of ours, after a semicolon or a tab.
https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import re
import unicodedata

_BEGINNINGS = frozenset("=+-@\t\r\n\u2212")  # the last is a minus sign, not a hyphen
_COMMA = re.compile(r"(?<=,)")
_SEPARATORS = re.compile(r"(?<=[;\t\r\n])")


def text_cell(text: str | None) -> str:
    """The text, with an apostrophe wherever a formula would begin; empty for None."""
    return "".join(f"'{part}" if _begins_formula(part) else part for part in _SEPARATORS.split(text or ""))


def safe_after_commas(text: str) -> str:
    """Safe text of a file without commas between its cells, for a program that looks for commas nevertheless."""
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
    """Blanks, quotation marks, and what has no width: a formula may follow."""
    return character in "\"'" or unicodedata.category(character) in {"Zs", "Zl", "Zp", "Cc", "Cf", "Mn"}

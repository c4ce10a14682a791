"""The commands that the doctor can name, read from its code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

DOCTOR = Path(__file__).parents[2] / "infra/doctor"

_COMMAND = re.compile(r"gcloud (?!is |has |does )[a-z]|printf |make [a-z]+ \S")
_ANYTHING = "…"


def commands_in_the_code() -> set[str]:
    """Return every command that the doctor's code may print; `…` marks the parts that it fills in."""
    found = set()
    for file in sorted(DOCTOR.glob("*.py")):
        tree = ast.parse(file.read_text())
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        texts = (node for node in ast.walk(tree) if id(node) not in parts or isinstance(node, ast.JoinedStr))
        found |= {text for node in texts for text in _as_command(node)}
    return found


def _as_command(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    elif isinstance(node, ast.JoinedStr):
        text = "".join(_part(part) for part in node.values)
    else:
        return
    if _COMMAND.match(text):
        yield text.strip()


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Attribute):
        # Commands that other properties of a deployment build.
        return {"deploy": f"make deploy {_ANYTHING}", "options": _ANYTHING}.get(part.value.attr, _ANYTHING)
    return _ANYTHING


def may_be(template: str, command: str) -> bool:
    """Return whether a command fits a template in the code."""
    pattern = re.escape(template).replace(_ANYTHING, r"[^&|>]+?")
    return any(re.fullmatch(pattern, part) for part in (command, *command.split(" && ")))

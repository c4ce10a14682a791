"""Errors and hints use words that people expect."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
FORBIDDEN = re.compile(
    r"\b(?:whom|whoever|anew|in vain|mend(?:s|ed|ing)?|stands|tells? of|beside|(?:is|are) no(?! longer\b)"
    r"|there is none|a word about it|let(?:s|ting)? go)\b",
    re.IGNORECASE,
)
HINT = re.compile(r"(?:^|_)hints?$", re.IGNORECASE)
HINT_MODULES = {"hints.py", "services.py", "survey.py"}


def texts_of(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Give each string in a part of a program, with its line; an f-string counts as one string."""
    if isinstance(node, ast.JoinedStr):
        words = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
        yield node.lineno, "".join(words)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from texts_of(part.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts_of(child)


def without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                child for child in body if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant))
            ]
    return tree


def is_hint(target: ast.expr) -> bool:
    name = target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""
    return HINT.search(name) is not None


def errors_and_hints(source: str, *, whole: bool) -> Iterator[tuple[int, str]]:
    """Give the texts of errors and hints; with `whole`, give every text except docstrings."""
    tree = without_docstrings(ast.parse(source))
    if whole:
        yield from texts_of(tree)
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield from texts_of(node.exc)
        elif isinstance(node, ast.Call):
            called = node.func
            name = (
                called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
            )
            if name in {"FieldError", "Problem", "of"} or name in ERRORS:
                yield from texts_of(node)
            for keyword in node.keywords:
                if keyword.arg is not None and HINT.search(keyword.arg):
                    yield from texts_of(keyword.value)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(is_hint(target) for target in targets):
                yield from texts_of(node.value)


ERRORS = {
    node.name
    for module in FUNCTIONS.rglob("errors.py")
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef)
}


def found_in(source: str, *, whole: bool = False) -> list[tuple[int, str]]:
    texts = set(errors_and_hints(source, whole=whole))
    return sorted((line, match[0]) for line, text in texts for match in FORBIDDEN.finditer(text))


def test_errors_and_hints_use_no_words_that_people_do_not_expect():
    found = [
        f"{module.relative_to(ROOT).as_posix()}:{line}: {word!r}"
        for module in sorted(FUNCTIONS.rglob("*.py"))
        for line, word in found_in(module.read_text(encoding="utf-8"), whole=module.name in HINT_MODULES)
    ]

    assert found == []


def test_such_a_word_is_found_in_an_error_in_its_hint_and_in_the_reason_of_a_field():
    source = '''"""A docstring may say whom."""
default_hint = (
    "Decide "
    "anew."
)
raise NotFound(f"{name} is no student.", hint="Mend it.")
InvalidRequest.of("email", "stands elsewhere")
log.info("in vain")
'''

    assert found_in(source) == [(3, "anew"), (6, "Mend"), (6, "is no"), (7, "stands")]


def test_that_something_is_no_longer_so_may_be_said():
    assert found_in('raise NotFound("The teacher is no longer tracked.")') == []

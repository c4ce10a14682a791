"""An evaluator for the part of Cloud Logging's query language that the metrics use.

https://cloud.google.com/logging/docs/view/logging-query-language. It refuses everything else, so that no filter passes
because it was misunderstood.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Entry = Mapping[str, Any]
Test = Callable[[Entry], bool]

SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
MISSING = object()

_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z_][\w.]*)|(?P<number>-?\d+(?:\.\d+)?)|(?P<sign>[<>!]=|[=<>:()]))'
)
_ORDERINGS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def query(text: str) -> Test:
    """Return the condition of a query; ValueError if it is not a query, or not supported here."""
    tokens = list(_tokens(text))
    test, rest = _conjunction(tokens)
    if rest:
        raise ValueError(f"Nothing was expected where {rest[0]} stands")
    return test


def extract(extractor: str, entry: Entry) -> Any:
    """Return the value that `EXTRACT(field)` reads from an entry; None if there is none."""
    if not (match := re.fullmatch(r"EXTRACT\(([\w.]+)\)", extractor)):
        raise ValueError(f"{extractor} is no extractor that is known here")
    value = _value(entry, match[1])
    return None if value is MISSING else value


def _tokens(text: str) -> Iterator[str]:
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"{text[position:]!r} is not known here")
        yield match[0].strip()
        position = match.end()


def _conjunction(tokens: list[str]) -> tuple[Test, list[str]]:
    """AND binds the weakest: https://cloud.google.com/logging/docs/view/logging-query-language#boolean_operators."""
    return _joined(tokens, _disjunction, "AND", all)


def _disjunction(tokens: list[str]) -> tuple[Test, list[str]]:
    return _joined(tokens, _negation, "OR", any)


def _joined(tokens: list[str], part: Any, word: str, together: Callable[[Iterator[bool]], bool]) -> Any:
    test, rest = part(tokens)
    tests = [test]
    while rest and rest[0] == word:
        test, rest = part(rest[1:])
        tests.append(test)
    return (lambda entry: together(test(entry) for test in tests)), rest


def _negation(tokens: list[str]) -> tuple[Test, list[str]]:
    if tokens and tokens[0] == "NOT":
        test, rest = _negation(tokens[1:])
        return (lambda entry: not test(entry)), rest
    if tokens and tokens[0] == "(":
        test, rest = _conjunction(tokens[1:])
        return test, _after(")", rest)
    return _comparison(tokens)


def _comparison(tokens: list[str]) -> tuple[Test, list[str]]:
    match tokens:
        case [field, ("=" | "!=" | ":" | ">" | ">=" | "<" | "<=") as sign, *rest] if field[0].isalpha():
            values, rest = _values(rest)
            return (lambda entry: any(_compare(field, sign, value, entry) for value in values)), rest
    raise ValueError(f"A comparison was expected in {' '.join(tokens) or 'nothing'}")


def _values(tokens: list[str]) -> tuple[list[str], list[str]]:
    """Return one value, or several: `("a" OR "b")`."""
    if tokens and tokens[0] == "(":
        values, rest = _values(tokens[1:])
        while rest and rest[0] == "OR":
            more, rest = _values(rest[1:])
            values += more
        return values, _after(")", rest)
    if not tokens or tokens[0] in {")", "AND", "OR", "NOT"}:
        raise ValueError("A value was expected")
    value = re.sub(r"\\(.)", r"\1", tokens[0][1:-1]) if tokens[0][0] == '"' else tokens[0]
    return [value], tokens[1:]


def _after(sign: str, tokens: list[str]) -> list[str]:
    if tokens[:1] != [sign]:
        raise ValueError(f"{sign} was expected")
    return tokens[1:]


def _compare(field: str, sign: str, wanted: str, entry: Entry) -> bool:
    value = _value(entry, field)
    if value is MISSING:
        if sign == "!=":
            raise ValueError(f"{field} is missing: what != says then is not relied on")
        return False
    if field == "severity":
        mine, other = (SEVERITIES.index(one.upper()) for one in (value, wanted))
        return {"=": mine == other, "!=": mine != other}[sign] if sign in {"=", "!="} else _ORDERINGS[sign](mine, other)
    if sign == ":":
        return wanted.lower() in str(value).lower()
    if sign in _ORDERINGS:
        return isinstance(value, int | float) and _ORDERINGS[sign](value, float(wanted))
    same = value == float(wanted) if isinstance(value, int | float) else str(value).lower() == wanted.lower()
    return same == (sign == "=")


def _value(entry: Entry, field: str) -> Any:
    value: Any = entry
    for name in field.split("."):
        if not isinstance(value, Mapping) or value.get(name) is None:
            return MISSING
        value = value[name]
    return value

"""The parameter `fields`: it is read, checked against the schema of the answer, and applied to the answer.

Its grammar is documented at https://developers.google.com/workspace/calendar/api/guides/performance#partial-response:
`a,b/c,d(e,f)` with `*` for every field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.local.gate.calls import Violation

Mask = dict[str, "Mask"]
"""The selected fields by name; a field with an empty mask is selected completely."""

_TOKEN = re.compile(r"[\w.$@-]+|[*(),/]")


class UnreadableMask(ValueError):
    """The text cannot be read as a field mask."""


def read(text: str) -> Mask:
    """Return the mask of a text."""
    tokens = _TOKEN.findall(text)
    if not text or "".join(tokens) != text:
        raise UnreadableMask(text)
    mask = _list(tokens)
    if tokens:
        raise UnreadableMask(text)
    return mask


def _list(tokens: list[str]) -> Mask:
    mask: Mask = {}
    while True:
        _item(tokens, mask)
        if not tokens or tokens[0] != ",":
            return mask
        tokens.pop(0)


def _item(tokens: list[str], mask: Mask) -> None:
    if not tokens or tokens[0] in "(),/":
        raise UnreadableMask
    known = mask.setdefault(tokens.pop(0), {})
    if tokens and tokens[0] == "/":
        tokens.pop(0)
        _item(tokens, known)
    elif tokens and tokens[0] == "(":
        tokens.pop(0)
        for name, inner in _list(tokens).items():
            known.setdefault(name, {}).update(inner)
        if not tokens or tokens.pop(0) != ")":
            raise UnreadableMask


def broken_by(
    mask: Mask, schema: Mapping[str, Any] | None, schemas: Mapping[str, Mapping[str, Any]]
) -> Iterator[Violation]:
    """Return the selected fields that the answer does not have."""
    schema = _resolved(schema, schemas)
    for name, inner in mask.items():
        if schema.get("type") in {"any", None} or name == "*":
            following: Mapping[str, Any] | None = schema if name == "*" else {"type": "any"}
        else:
            following = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        if following is None:
            yield Violation("fields", f"Invalid field selection {name}")
        elif inner:
            yield from broken_by(inner, following, schemas)


def _resolved(schema: Mapping[str, Any] | None, schemas: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    schema = schema or {"type": "object"}
    while "$ref" in schema or schema.get("type") == "array":
        schema = schemas[schema["$ref"]] if "$ref" in schema else schema["items"]
    return schema


def chosen(value: Any, mask: Mask) -> Any:  # noqa: ANN401 - JSON
    """Return the part of an answer that a mask selects."""
    if not mask or "*" in mask:
        return value
    if isinstance(value, list):
        return [chosen(item, mask) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: chosen(inner, mask[name]) for name, inner in value.items() if name in mask}

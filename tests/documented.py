"""The fields in docs/documents.md, by collection group: every written field must be among them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache

from infra.local.function_server import ROOT

PAGE = ROOT / "docs" / "documents.md"
WITHIN = {"snapshot": "conferences", "parts": "registers"}
"""Documents that contain the rest of a larger document above them; the page describes them together."""


@cache
def documented() -> Mapping[str, frozenset[str]]:
    """Return the names in backticks in each collection's section, and those that every document may have."""
    intro, *sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    common = _names(intro)
    found = {}
    for section in sections:
        heading = re.match(r"`(?:[^`]*/)?([a-z_]+)/\{[^`]*\}`", section)
        if heading:
            found[heading[1]] = common | _names(section)
    return {**found, **{group: found[above] for group, above in WITHIN.items()}}


def undocumented(written: Mapping[str, Collection[str]]) -> list[str]:
    """Return written fields that are not on the page, as `collection.field`.

    It ignores collections that the application never names: tests of the database itself invent them.
    """
    known = documented()
    written = {group: fields for group, fields in written.items() if group in known or group in _named_in_code()}
    return sorted(
        f"{group}.{field}"
        for group, fields in written.items()
        for field in fields
        if field not in known.get(group, frozenset())
    )


@cache
def _named_in_code() -> frozenset[str]:
    code = (file.read_text(encoding="utf-8") for file in (ROOT / "functions" / "adapters" / "store").rglob("*.py"))
    return frozenset(word for text in code for word in re.findall(r"[\"/]([a-z_]{3,})(?=[/\"])", text))


def _is_optional(meaning: str) -> bool:
    return meaning.strip().startswith(("only ", "left out "))


def _names(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"`([a-z_]+)`", text))


@cache
def rows(group: str) -> frozenset[str]:
    """Return the fields in the first table of a collection's section, with the fields of all documents."""
    page = PAGE.read_text(encoding="utf-8")
    section = re.split(rf"^## `(?:[^`]*/)?{group}/\{{[^`]*\}}`\n", page, flags=re.MULTILINE)[1].split("\n## ")[0]
    table = section[section.index("| --- |") :].split("\n\n")[0]
    firsts = [line.split("|")[1] for line in table.splitlines()[1:] if not _is_optional(line.split("|")[2])]
    return _names(" ".join(firsts)) | {"schema_version", "expire_at"}

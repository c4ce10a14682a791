"""Checks of values against the types of a discovery document: parameters (text) and JSON.

The types and formats are documented at https://developers.google.com/discovery/v1/type-format.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from infra.local.gate.calls import Violation

Schema = Mapping[str, Any]

_SAYS_MORE = frozenset({"enum", "format", "pattern"})
_INTEGERS = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_DURATION = re.compile(r"-?\d+(\.\d{1,9})?s")
_PATHS = re.compile(r"\w+(\.\w+)*(,\w+(\.\w+)*)*")
_WHOLE = re.compile(r"-?\d+")
_MAY_LACK_OFFSET = "A time zone offset is required unless a time zone is explicitly specified"
_VALID_VALUES = re.compile(r"Valid values are: \* (?P<values>\w+(?: \* \w+)*)")


def of_parameter(name: str, text: str, schema: Schema) -> Iterator[Violation]:
    """Return what is wrong with one value of a parameter."""
    kind = schema.get("type")
    if kind == "boolean" and text not in {"true", "false"}:
        yield _invalid(name, "TYPE_BOOL, true or false", text)
    elif kind in {"integer", "number"}:
        yield from _of_number(name, text, schema)
    elif "enum" in schema and text not in schema["enum"]:
        yield _invalid(name, f"one of {', '.join(schema['enum'])}", text)
    elif kind == "string":
        yield from _of_text(name, text, schema)


def _of_number(name: str, text: str, schema: Schema) -> Iterator[Violation]:
    if not _WHOLE.fullmatch(text):
        yield _invalid(name, f"TYPE_{schema.get('format', 'int32').upper()}", text)
        return
    number = int(text)
    lowest, highest = _INTEGERS[schema.get("format", "int32")]
    lowest, highest = int(schema.get("minimum", lowest)), int(schema.get("maximum", highest))
    if not lowest <= number <= highest:
        yield _invalid(name, f"from {lowest} to {highest}", text)


def _of_text(name: str, text: str, schema: Schema) -> Iterator[Violation]:
    pattern, form = schema.get("pattern"), str(schema.get("format", ""))
    if pattern is not None and not re.fullmatch(pattern, text):
        yield _invalid(name, f"pattern {pattern}", text)
    if form in _FORMATS and not _FORMATS[form](text):
        yield _invalid(name, f"format {form}", text)
    if form == "google-fieldmask":
        valid = _VALID_VALUES.search(schema.get("description", ""))
        allowed = frozenset(valid["values"].split(" * ")) if valid else None
        for path in text.split(",") if allowed else ():
            if allowed and path.partition(".")[0] not in allowed:
                yield Violation(
                    name, f'Invalid {name} mask path: "{path}". Valid paths are: {", ".join(sorted(allowed))}.'
                )


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_moment(text: str) -> bool:
    if not _RFC3339.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except ValueError:
        return False
    return True


def _is_whole(form: str) -> Callable[[str], bool]:
    lowest, highest = _INTEGERS[form]
    return lambda text: bool(_WHOLE.fullmatch(text)) and lowest <= int(text) <= highest


_FORMATS: Mapping[str, Callable[[str], bool]] = {
    "date": _is_date,
    "date-time": _is_moment,
    "google-datetime": _is_moment,
    "google-duration": lambda text: bool(_DURATION.fullmatch(text)),
    "google-fieldmask": lambda text: bool(_PATHS.fullmatch(text)),
    "byte": _is_base64,
    "int64": _is_whole("int64"),
    "uint64": _is_whole("uint64"),
}


@dataclass(frozen=True, slots=True)
class JsonCheck:
    """Checks JSON against schemas.

    Attributes:
        schemas: The document's, by name.
        method: The id of the method, which the schemas' annotations use.
        sent: Whether it is the body of a request. Such a body may contain null. It must contain all required fields and
            no read-only fields.
    """

    schemas: Mapping[str, Schema]
    method: str
    sent: bool

    def broken_by(self, value: object, schema: Schema) -> list[Violation]:
        """What is wrong with a value."""
        found: list[Violation] = []
        self._check(value, schema, "", found)
        return found

    def _check(self, value: object, schema: Schema, where: str, found: list[Violation]) -> None:
        # Results go into one list and not through generators: an answer about 200 people has thousands of values.
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        if value is None and self.sent:
            return  # null means "not set" in JSON of protocol buffers and in a patch
        kind = schema.get("type")
        if kind == "object":
            self._check_object(value, schema, where, found)
        elif kind == "array":
            if not isinstance(value, list):
                found.append(_invalid(where, "a list", value))
                return
            for place, item in enumerate(value):
                self._check(item, schema["items"], f"{where}[{place}]", found)
        elif kind is not None and kind != "any":
            found.extend(_of_scalar(where, value, kind, schema))

    def _check_object(self, value: object, schema: Schema, where: str, found: list[Violation]) -> None:
        if not isinstance(value, dict):
            found.append(_invalid(where, schema.get("id", "an object"), value))
            return
        properties: Mapping[str, Schema] = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for name, inner in value.items():
            inside = f"{where}.{name}" if where else name
            if name in properties:
                if self.sent and properties[name].get("readOnly"):
                    sentence = f"Invalid value at '{inside}' (output only): Google sets this field."
                    found.append(Violation(inside, sentence))
                self._check(inner, _lenient(properties[name], value), inside, found)
            elif others is not None:
                self._check(inner, others, inside, found)
            else:
                place = f" at '{where}'" if where else ""
                sentence = f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.'
                found.append(Violation(where, sentence))
        if self.sent:
            found.extend(self._missing(value, properties, where))

    def _missing(
        self, value: Mapping[str, object], properties: Mapping[str, Schema], where: str
    ) -> Iterator[Violation]:
        for name, schema in properties.items():
            inside = f"{where}.{name}" if where else name
            if value.get(name) is not None:
                continue
            if self.method in schema.get("annotations", {}).get("required", ()):
                yield Violation(inside, f"Missing required field: {inside} (required by {self.method}).")
            elif schema.get("description", "").startswith("Required."):
                yield Violation(inside, f"Missing required field: {inside}.")


def _lenient(schema: Schema, siblings: Mapping[str, Any]) -> Schema:
    """Return the schema. Where the document allows it, a time with a zone next to it may lack its offset."""
    if siblings.get("timeZone") and _MAY_LACK_OFFSET in schema.get("description", ""):
        return {name: value for name, value in schema.items() if name != "format"}
    return schema


def _of_scalar(where: str, value: object, kind: str, schema: Schema) -> Iterable[Violation]:
    """Return what is wrong with a value of a simple type; most are plain texts, which need no check."""
    if kind == "string" and isinstance(value, str) and not _SAYS_MORE & schema.keys():
        return ()
    return _violations_of_scalar(where, value, kind, schema)


def _violations_of_scalar(where: str, value: object, kind: str, schema: Schema) -> Iterator[Violation]:
    if kind == "boolean":
        if not isinstance(value, bool):
            yield _invalid(where, "TYPE_BOOL", value)
    elif kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield _invalid(where, "TYPE_DOUBLE", value)
    elif kind == "integer":
        if isinstance(value, bool) or not isinstance(value, int):
            yield _invalid(where, f"TYPE_{schema.get('format', 'int32').upper()}", value)
        else:
            yield from _of_number(where, str(value), schema)
    elif not isinstance(value, str):
        yield _invalid(where, "TYPE_STRING", value)
    elif "enum" in schema and value not in schema["enum"]:
        yield _invalid(where, f"one of {', '.join(schema['enum'])}", value)
    else:
        yield from _of_text(where, value, schema)


def _invalid(where: str, rule: str, value: object) -> Violation:
    shown = f'"{value}"' if isinstance(value, str) else repr(value)
    return Violation(where, f"Invalid value at '{where}' ({rule}), {shown}")

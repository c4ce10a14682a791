"""The rules for every gRPC call, which are checked before a stand-in answers, and the record of refused calls.

A stand-in that accepts more than Google hides mistakes. Code may also mistake a refusal for an outage and continue. So
each refusal is recorded, and the program that serves the stand-in fails at the end, unless a test takes the record.

The rules are documented here: resource names: https://google.aip.dev/122, routing headers:
https://google.aip.dev/client-libraries/4222, field masks: https://cloud.google.com/apis/docs/system-parameters, errors:
https://google.aip.dev/193 .
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

Message = Any  # protobuf makes its classes at run time, so the type checker does not know them


@dataclass(frozen=True, slots=True)
class Rule:
    """The rules for the requests of one method.

    Attributes:
        field: The field that names a resource; the routing header repeats it. Empty if there is no such field.
        pattern: The form of the resource name, with `{}` for an id.
        answer: The message of the answer, for field masks; None if the method has no field mask.
        ids: A regular expression for an id; Meet's discovery document requires only the default.
    """

    field: str = ""
    pattern: str = ""
    answer: Message = None
    ids: str = "[^/]+"


def broken_by(rule: Rule, request: Message, metadata: Mapping[str, str], *, deadline: float | None) -> Iterator[str]:
    """Return a sentence for each rule that a call breaks; it names the field.

    Args:
        rule: The rules for the method.
        request: The request as it arrived.
        metadata: The metadata by name, in lower case.
        deadline: How many seconds the caller still waits; None if it waits forever.
    """
    if deadline is None:
        yield "The call carries no deadline: without one a call may wait for ever."
    if rule.field:
        name = getattr(request, rule.field)
        if not name:
            yield f"Missing required field '{rule.field}': it has the form {rule.pattern.replace('{}', '{id}')}."
        elif not _matches(name, rule):
            yield f"Invalid value at '{rule.field}': {name!r} has not the form {rule.pattern.replace('{}', '{id}')}."
        routed = dict(pair.partition("=")[::2] for pair in metadata.get("x-goog-request-params", "").split("&"))
        if unquote(routed.get(rule.field, "")) != name:
            yield f"The header x-goog-request-params has not {rule.field}={name}: the call cannot be routed."
    for path in masked(metadata) or ():
        if path != "*" and (wrong := _unknown(path, rule.answer)):
            yield f"Invalid field mask in x-goog-fieldmask: {path!r} names no field ({wrong!r})."


def masked(metadata: Mapping[str, str]) -> list[str] | None:
    """Return the paths of a call's field mask; None if it has none."""
    mask = metadata.get("x-goog-fieldmask")
    return None if mask is None else [path.strip() for path in mask.split(",")]


def applied(paths: list[str] | None, message: Message) -> Message:
    """Return a message with only the fields that a mask selects."""
    if paths is None or "*" in paths:
        return message
    chosen: dict[str, list[str]] = {}
    for path in paths:
        head, _, rest = path.partition(".")
        chosen.setdefault(head, []).append(rest or "*")
    for field, value in message.ListFields():
        if field.name not in chosen:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for each in value if field.is_repeated else [value]:
                applied(chosen[field.name], each)
    return message


def _matches(name: str, rule: Rule) -> bool:
    return re.fullmatch(re.escape(rule.pattern).replace(r"\{\}", rule.ids), name) is not None


def _unknown(path: str, answer: Message) -> str | None:
    """Return the part of a path that is not a field; None if all parts are fields."""
    descriptor = answer.DESCRIPTOR if answer is not None else None
    for part in path.split("."):
        field = descriptor.fields_by_name.get(part) if descriptor else None
        if field is None:
            return part
        descriptor = field.message_type
    return None

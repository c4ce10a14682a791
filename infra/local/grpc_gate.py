"""What every gRPC call is held to before a stand-in answers it, and what is recorded of those that are refused.

A stand-in that takes more than Google takes hides mistakes, and code may take a refusal for an outage and go on. So a
refusal is recorded, and the program that serves the stand-in fails with it at the end, unless a test takes it.

Where the rules are documented:
resource names: https://google.aip.dev/122, routing headers: https://google.aip.dev/client-libraries/4222,
field masks: https://cloud.google.com/apis/docs/system-parameters, errors: https://google.aip.dev/193 .
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

Message = Any  # protobuf makes its classes at run time, so the type checker knows nothing of them


@dataclass(frozen=True, slots=True)
class Rule:
    """What a method's requests are held to.

    Attributes:
        field: The field that names a resource, and that the routing header repeats; empty for none.
        pattern: What it looks like, with `{}` for an id.
        answer: The message that is answered, for field masks; None where there are none.
        ids: What an id may be, as a regular expression; Meet's discovery document asks for no more than the default.
    """

    field: str = ""
    pattern: str = ""
    answer: Message = None
    ids: str = "[^/]+"


def broken_by(rule: Rule, request: Message, metadata: Mapping[str, str], *, deadline: float | None) -> Iterator[str]:
    """Each rule that a call breaks, in a sentence that names the field.

    Args:
        rule: What the method asks for.
        request: As it arrived.
        metadata: By name, in lower case.
        deadline: How many seconds the caller still waits; None for ever.
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
    """The paths of the field mask that a call carries; None without one."""
    mask = metadata.get("x-goog-fieldmask")
    return None if mask is None else [path.strip() for path in mask.split(",")]


def applied(paths: list[str] | None, message: Message) -> Message:
    """A message with the fields that a mask chooses alone."""
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
    """The part of a path that is not a field; None if all are."""
    descriptor = answer.DESCRIPTOR if answer is not None else None
    for part in path.split("."):
        field = descriptor.fields_by_name.get(part) if descriptor else None
        if field is None:
            return part
        descriptor = field.message_type
    return None

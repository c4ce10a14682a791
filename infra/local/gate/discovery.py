"""Google's discovery documents as rules: https://developers.google.com/discovery/v1/reference/apis.

The documents come from google-api-python-client, so calls are checked against the same documents from which the client
was built. Refusals have the form of https://google.aip.dev/193, and also the older list of errors.

Some rules are stricter than Google's, or Google's behaviour is unknown. A request must not contain a field that Google
sets (Google ignores it, https://google.aip.dev/203#output-only). A parameter that is not repeated must not come twice.
Calendar refuses unknown fields in a body, like newer APIs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import googleapiclient  # type: ignore[import-untyped]  # the package has no py.typed

from infra.local.gate import field_masks
from infra.local.gate.calls import Answer, Call, Rule, Violation
from infra.local.gate.json_values import JsonCheck, Schema, of_parameter

DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
JSON = "application/json"

_PLACE = re.compile(r"\{\+?(?P<name>[\w.$-]+)\}")
_EITHER = {"requestMask.includeField": "personFields"}
"""Two names for one required parameter, the older one first. Both are documented as required; one of them is enough."""


def refusal(violations: Sequence[Violation], *, status: int = 400, name: str = "INVALID_ARGUMENT") -> Answer:
    """Return the answer that names every broken rule."""
    words = "\n".join(violation.sentence for violation in violations)
    described = [{"field": violation.field, "description": violation.sentence} for violation in violations]
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": described}]
    error = {
        "code": status,
        "message": words,
        "errors": [{"message": words, "domain": "global", "reason": "invalid" if status == 400 else "notFound"}],  # noqa: PLR2004
        "status": name,
        "details": details if status == 400 else [],  # noqa: PLR2004
    }
    return Answer(status, JSON, json.dumps({"error": error}).encode())


@cache
def discovered(name: str) -> Document:
    """Return the discovery document of this name, such as `people.v1`; FileNotFoundError if the client has none."""
    return Document(json.loads((DOCUMENTS / f"{name}.json").read_text()))


class Document:
    """One API.

    Args:
        content: Its discovery document.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        methods = [Method(content, method) for method in _methods(content)]
        # `events/import` comes before `events/{eventId}`.
        self._methods = sorted(methods, key=lambda method: method.fixed, reverse=True)

    def find(self, verb: str, path: str) -> Method | None:
        """See `Rules`."""
        return next((method for method in self._methods if method.verb == verb and method.has(path)), None)


def _methods(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from resource.get("methods", {}).values()
    for inner in resource.get("resources", {}).values():
        yield from _methods(inner)


class Method(Rule):
    """One method of an API.

    Args:
        document: The whole document.
        method: The method's part of the document.

    Attributes:
        id: Its id in the document, such as `people.people.get`.
        verb: Its HTTP method.
        fixed: The number of literal characters in its path.
    """

    def __init__(self, document: Mapping[str, Any], method: Mapping[str, Any]) -> None:
        base, path = f"/{document['servicePath']}", method["path"]
        flat = method.get("flatPath", path)
        self.id: str = method["id"]
        self.verb: str = method["httpMethod"]
        self.fixed = len(_PLACE.sub("", flat))
        self._method = method
        self._schemas: Mapping[str, Schema] = document["schemas"]
        self._standard: Mapping[str, Schema] = document["parameters"]
        self._own: Mapping[str, Schema] = method.get("parameters", {})
        self._shape = re.compile(_shape(base + flat, "[^/]+"))
        # A reserved expansion such as {+name} may contain slashes: RFC 6570, section 3.2.3.
        self._values = re.compile(_shape(base + path, "(.+)"))
        self._names = [match["name"] for match in _PLACE.finditer(path)]

    def has(self, path: str) -> bool:
        """Return whether this is the path of a call of this method."""
        return self._shape.fullmatch(path) is not None

    @cached_property
    def _required(self) -> frozenset[str]:
        """Return the query parameters that every call needs; newer APIs say this only in the description."""
        return frozenset(
            name
            for name, schema in self._own.items()
            if schema["location"] == "query"
            and (schema.get("required") or schema.get("description", "").startswith("Required."))
            and name not in _EITHER
        )

    def broken_by(self, call: Call) -> Sequence[Violation]:
        """See `Rule`."""
        return [*self._of_path(call), *self._of_query(call.parameters()), *self._of_body(call)]

    def _of_path(self, call: Call) -> Iterator[Violation]:
        match = self._values.fullmatch(call.path)
        if match is None:
            yield Violation("path", f"The path is not {self._method['path']}")
            return
        for name, value in zip(self._names, match.groups(), strict=True):
            yield from of_parameter(name, unquote(value), self._own[name])

    def _of_query(self, given: Sequence[tuple[str, str]]) -> Iterator[Violation]:
        counts: dict[str, int] = {}
        for name, text in given:
            schema = self._standard.get(name) or self._own.get(name)
            if schema is None or schema["location"] != "query":
                yield Violation(
                    name,
                    f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                    f"Field '{name}' could not be found in request message.",
                )
                continue
            counts[name] = counts.get(name, 0) + 1
            if counts[name] == 2 and not schema.get("repeated"):  # noqa: PLR2004 - once more than allowed
                yield Violation(name, f"Invalid value at '{name}' (not repeated): the parameter came more than once.")
            yield from of_parameter(name, text, schema)
            if name == "alt" and text != "json":
                yield Violation(name, f"Invalid value at 'alt' (this stand-in answers json), \"{text}\"")
            if name == "fields":
                yield from self._of_fields(text)
        either = {_EITHER[name] for name in counts.keys() & _EITHER.keys()}
        for name in sorted(self._required - counts.keys() - either):
            yield Violation(name, f"Missing required parameter: {name} (required by {self.id}).")

    def _of_fields(self, text: str) -> Iterator[Violation]:
        try:
            mask = field_masks.read(text)
        except field_masks.UnreadableMask:
            yield Violation("fields", f"Invalid field selection {text}")
            return
        yield from field_masks.broken_by(mask, self._method.get("response"), self._schemas)

    def _of_body(self, call: Call) -> Iterator[Violation]:
        schema = self._method.get("request")
        if schema is None:
            if call.body:
                yield Violation("body", f"Invalid JSON payload received. {self.id} takes no request body.")
            return
        if call.content_type != JSON:
            yield Violation("content-type", f'Invalid content type "{call.content_type}": {self.id} takes {JSON}.')
            return
        try:
            content = json.loads(call.body)
        except ValueError as error:
            yield Violation("body", f"Invalid JSON payload received. {error}")
            return
        yield from JsonCheck(self._schemas, self.id, sent=True).broken_by(content, schema)

    def refusal(self, violations: Sequence[Violation]) -> Answer:
        """See `Rule`."""
        return refusal(violations)

    def checked(self, call: Call, answer: Answer) -> tuple[Answer, Sequence[Violation]]:
        """See `Rule`."""
        if answer.status >= 400:  # noqa: PLR2004 - an error
            return answer, list(_of_error(answer))
        schema = self._method.get("response")
        if schema is None:
            return answer, [Violation("", f"{self.id} has no answer.")] if answer.body else []
        try:
            content = json.loads(answer.body)
        except ValueError:
            return answer, [Violation("", f"{self.id} answers with JSON.")]
        violations = JsonCheck(self._schemas, self.id, sent=False).broken_by(content, schema)
        for text in [text for name, text in call.parameters() if name == "fields"]:
            content = field_masks.chosen(content, field_masks.read(text))
            answer = Answer(answer.status, answer.content_type, json.dumps(content).encode())
        return answer, violations

    def blames(self, answer: Answer) -> str | None:
        """See `Rule`: every 400 does."""
        if answer.status != 400:  # noqa: PLR2004
            return None
        try:
            return str(json.loads(answer.body)["error"]["message"])
        except (ValueError, KeyError, TypeError):
            return answer.body.decode(errors="replace")


def _shape(template: str, place: str) -> str:
    """Return a path template as a regular expression."""
    return "".join(
        place if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\+?[\w.$-]+\})", template)
    )


def _of_error(answer: Answer) -> Iterator[Violation]:
    """Return what is wrong with an error: https://google.aip.dev/193."""
    try:
        error = json.loads(answer.body)["error"]
        if error["code"] == answer.status and isinstance(error["message"], str):
            return
    except (ValueError, KeyError, TypeError):
        pass
    yield Violation("error", "An error has its code and a message.")

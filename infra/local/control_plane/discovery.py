"""Which method of a Google API a request calls, and whether Google would accept it.

Requests are checked against the discovery documents in google-api-python-client. Refused are an unknown path, a
parameter or field that the method does not have, a missing required parameter, and a value of another type or outside
its enumeration.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import googleapiclient  # type: ignore[import-untyped]  # the package has no py.typed

from infra.local.control_plane.refusals import Refusal, invalid_value, unknown_name

Json = dict[str, Any]

APIS = (
    "appengine.v1",
    "artifactregistry.v1",
    "cloudbilling.v1",
    "cloudfunctions.v2",
    "cloudresourcemanager.v1",
    "cloudresourcemanager.v3",
    "cloudscheduler.v1",
    "eventarc.v1",
    "firebase.v1beta1",
    "firebaserules.v1",
    "firestore.v1",
    "iam.v1",
    "iamcredentials.v1",
    "logging.v2",
    "monitoring.v3",
    "oauth2.v2",
    "orgpolicy.v2",
    "pubsub.v1",
    "run.v1",
    "run.v2",
    "secretmanager.v1",
    "serviceusage.v1",
    "serviceusage.v1beta1",
)

_DOCUMENTS = Path(str(googleapiclient.__file__)).parent / "discovery_cache" / "documents"
_STRINGS_AS_NUMBERS = {"int64", "uint64", "fixed64"}


@dataclass(frozen=True)
class Call:
    """A request that calls a method.

    Attributes:
        id: The method, such as `pubsub.projects.topics.create`.
        api: The API, such as `pubsub.v1`.
        name: The path without version and custom verb: a resource, or the collection that gets a new resource.
        query: The parameters, each with all its values.
        body: The body as JSON.
        headers: The request's headers, names in lower case.
    """

    id: str
    api: str
    http_method: str
    name: str
    query: dict[str, list[str]]
    body: Json
    headers: dict[str, str]

    @property
    def service(self) -> str:
        """Return the name by which the API is enabled."""
        return self.api.split(".")[0] + ".googleapis.com"

    def parameter(self, name: str, default: str = "") -> str:
        """Return one query parameter."""
        return self.query.get(name, [default])[0]


@dataclass(frozen=True)
class _Method:
    api: str
    spec: Json
    pattern: re.Pattern[str]
    literal: int
    schemas: Json
    common: Json
    title: str


_WIDER = {
    # This path is also valid for top-level collections, which the discovery document leaves out:
    # https://firebase.google.com/docs/firestore/reference/rest/v1/projects.databases.documents/runQuery
    "firestore.projects.databases.documents.runQuery": "v1/projects/{p}/databases/{d}/documents:runQuery",
}


def _patterns(document: Json, method: Json) -> re.Pattern[str]:
    path = document["servicePath"] + (_WIDER.get(method["id"]) or method.get("flatPath") or method["path"])
    parts = re.split(r"(\{\+?\w+\})", path)
    last = len(parts) - 1
    return re.compile(
        "".join(
            # A name at the end of the path of a whole resource may contain a slash; `sinks/{sinkId}` never does.
            (r"([^/]+?)" if index < last else r"([^/]+)") if part.startswith("{") else re.escape(part)
            for index, part in enumerate(parts)
        )
    )


def _methods(api: str, document: Json, resource: Json) -> Iterator[_Method]:
    for method in resource.get("methods", {}).values():
        pattern = _patterns(document, method)
        yield _Method(
            api,
            method,
            pattern,
            len(re.sub(r"\(.*?\)", "", pattern.pattern)),
            document["schemas"],
            document.get("parameters", {}),
            document["title"],
        )
    for child in resource.get("resources", {}).values():
        yield from _methods(api, document, child)


@functools.cache
def _catalogue() -> dict[tuple[str, str], list[_Method]]:
    """Return the methods by host and HTTP method, the most literal path first."""
    found: dict[tuple[str, str], list[_Method]] = {}
    for api in APIS:
        document = json.loads((_DOCUMENTS / f"{api}.json").read_text())
        host = re.sub(r"^https://|/$", "", document["rootUrl"])
        for method in _methods(api, document, document):
            found.setdefault((host, method.spec["httpMethod"]), []).append(method)
    for methods in found.values():
        methods.sort(key=lambda method: -method.literal)
    return found


def title_of(api: str) -> str:
    """Return the API's title, as Google's refusals use it."""
    return next(method.title for methods in _catalogue().values() for method in methods if method.api == api)


def understood(
    http_method: str, host: str, path: str, *, query: dict[str, list[str]], body: Json, headers: dict[str, str]
) -> Call:
    """Return the call of a request. Raises `Refusal` if Google would not accept it.

    A regional host (`europe-west1-run.googleapis.com`) belongs to its API.
    """
    host = re.sub(r"^[a-z]+-[a-z]+\d+-(?=run\.|cloudfunctions\.|pubsub\.|eventarc\.)", "", host)
    path = path.lstrip("/")
    for method in _catalogue().get((host, http_method), []):
        match = method.pattern.fullmatch(path)
        if match:
            break
    else:
        raise Refusal(404, f"Method not found: {http_method} https://{host}/{path}")
    _check_query(method, query, match)
    request = method.spec.get("request")
    if request:
        _check_object(method.schemas, request["$ref"], body, "")
    elif body:
        raise Refusal(400, "Invalid JSON payload received. This method takes no body.")
    version = method.api.split(".")[1]
    name = unquote(re.sub(rf"^(apis/[\w.]+/)?{version}/|:\w+$", "", path))
    return Call(method.spec["id"], method.api, http_method, name, query, body, headers)


def _check_query(method: _Method, query: dict[str, list[str]], match: re.Match[str]) -> None:
    parameters = method.spec.get("parameters", {})
    for name, values in query.items():
        if name in method.common:
            continue
        spec = parameters.get(name)
        if spec is None or spec["location"] != "query":
            raise unknown_name(name)
        if len(values) > 1 and not spec.get("repeated"):
            raise invalid_value(name, ",".join(values), "repeated")
        for value in values:
            if "enum" in spec and value not in spec["enum"]:
                raise invalid_value(name, value, "enum")
    for name, spec in parameters.items():
        if spec.get("required") and spec["location"] == "query" and name not in query:
            raise Refusal(400, f"Missing required parameter: {name}")
    in_path = [spec for spec in parameters.values() if spec["location"] == "path"]
    if method.spec["id"] not in _WIDER and len(in_path) == 1 and "pattern" in in_path[0]:
        _check_path(method, in_path[0]["pattern"], match)


def _check_path(method: _Method, pattern: str, match: re.Match[str]) -> None:
    path = match.string
    before, _, after = method.spec["path"].partition("{")
    after = after.partition("}")[2]
    value = path[len(before) : len(path) - len(after)]
    if not re.fullmatch(pattern, value):
        raise invalid_value("name", value, "TYPE_STRING")


def _check_object(schemas: Json, ref: str, value: object, where: str) -> None:
    schema = schemas[ref]
    if not isinstance(value, dict):
        raise invalid_value(where or ref, value, f"type.googleapis.com/{ref}")
    properties = schema.get("properties", {})
    extra = schema.get("additionalProperties")
    for name, part in value.items():
        at = f"{where}.{name}".lstrip(".")
        if name in properties:
            _check_value(schemas, properties[name], part, at)
        elif extra is not None:
            _check_value(schemas, extra, part, at)
        else:
            raise unknown_name(name, where or ref)


def _check_value(schemas: Json, schema: Json, value: object, where: str) -> None:
    if value is None or schema.get("type") == "any":
        return
    if "$ref" in schema:
        _check_object(schemas, schema["$ref"], value, where)
        return
    kind = schema["type"]
    if kind == "array":
        if not isinstance(value, list):
            raise invalid_value(where, value, "list")
        for index, item in enumerate(value):
            _check_value(schemas, schema["items"], item, f"{where}[{index}]")
    elif kind == "object":
        if not isinstance(value, dict):
            raise invalid_value(where, value, "object")
        for key, item in value.items():
            _check_value(schemas, schema.get("additionalProperties", {"type": "any"}), item, f"{where}.{key}")
    else:
        _check_scalar(schema, value, where)


def _check_scalar(schema: Json, value: object, where: str) -> None:
    kind = schema["type"]
    if kind == "string":
        fits = isinstance(value, str) or (schema.get("format") in _STRINGS_AS_NUMBERS and isinstance(value, int))
        if "enum" in schema and value not in schema["enum"]:
            raise invalid_value(where, value, "enum")
    elif kind == "boolean":
        fits = isinstance(value, bool)
    else:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits:
        raise invalid_value(where, value, f"TYPE_{kind.upper()}")

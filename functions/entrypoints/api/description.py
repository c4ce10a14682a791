"""The OpenAPI document: FastAPI's description of the routes, with the real errors, meanings and examples.

`docs/openapi.json` is a copy that clients are generated from; `make openapi` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from functions.entrypoints.api.schemas.examples import exemplify
from functions.entrypoints.api.schemas.meanings import describe
from functions.entrypoints.api.schemas.results import problem_schemas

TITLE, VERSION = "Meet Attendance", "1"


def description_of(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The description of all calls."""
    described = get_openapi(
        title=TITLE, version=VERSION, summary="Who was in a Google Meet class, from when to when.", routes=routes
    )
    schemas = described["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas.update(problem_schemas())
    described["components"]["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "A Google-signed ID token for this service, which Cloud Run verifies. Its e-mail is "
            "the caller; API_CALLERS says in which role.",
        }
    }
    described["security"] = [{"token": []}]
    for calls in described["paths"].values():
        for call in calls.values():
            for parameter in call.get("parameters", []):
                parameter["schema"] = _of_a_text(parameter["schema"])
    describe(described)
    exemplify(described)
    return described


def as_text(described: dict[str, Any]) -> str:
    """The text of the description in `docs/openapi.json`."""
    return json.dumps(described, ensure_ascii=False, indent=2) + "\n"


def _of_a_text(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema without null, because a query, a path or a header cannot contain null."""
    match [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]:
        case [only]:
            return {**only, **{name: value for name, value in schema.items() if name != "anyOf"}}
        case _:
            return schema

"""What is stored, whole: to be searched for somebody who was erased."""

from __future__ import annotations

import base64
import json

import httpx


def dump(address, project):
    """Every document of an emulated database by path, as REST shows it; those below documents that do not exist too.

    https://firebase.google.com/docs/firestore/reference/rest/v1/StructuredQuery#CollectionSelector: a selector without
    a name, of all descendants, is every document. The emulator lets `owner` read past the rules.
    """
    root = f"projects/{project}/databases/(default)/documents"
    query = {"structuredQuery": {"from": [{"allDescendants": True}]}}
    answer = httpx.post(
        f"http://{address}/v1/{root}:runQuery",
        json=query,
        headers={"Authorization": "Bearer owner"},
        trust_env=False,
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    found = (row["document"] for row in answer.json() if "document" in row)
    return {document["name"].removeprefix(f"{root}/"): document.get("fields", {}) for document in found}


def naming(documents, *names):
    """Each document that names somebody, with the name: any of some, in any spelling of case, encoded ones too."""
    wanted = [name.casefold() for name in names]
    return sorted(
        (path, name)
        for path, fields in documents.items()
        for text in ["\n".join([path, *_texts(fields)]).casefold()]
        for name in wanted
        if name in text
    )


def _texts(value):
    """Every text in a document, names of fields too, and what a text holds as JSON or base64."""
    match value:
        case dict():
            for name, inner in value.items():
                yield name
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
        case str():
            yield value
            try:
                yield from _texts(json.loads(value)) if value[:1] in {"{", "["} else ()
                yield base64.b64decode(value, validate=True).decode()
            except ValueError:
                pass

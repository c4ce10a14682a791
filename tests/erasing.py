"""Everything that is stored, to search for a person who was erased."""

from __future__ import annotations

import base64
import json

import httpx


def dump(address, project):
    """Return all documents of an emulated database by path, in REST form, also those below missing documents.

    https://firebase.google.com/docs/firestore/reference/rest/v1/StructuredQuery#CollectionSelector: a selector without
    a name, with all descendants, selects every document. The emulator lets `owner` read without the rules.
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
    """Return each document that contains one of these names, with the name: in any case, also encoded."""
    wanted = [name.casefold() for name in names]
    return sorted(
        (path, name)
        for path, fields in documents.items()
        for text in ["\n".join([path, *_texts(fields)]).casefold()]
        for name in wanted
        if name in text
    )


def _texts(value):
    """Return every text in a document, including field names, and the texts inside JSON and base64."""
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
